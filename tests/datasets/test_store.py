"""The compact store: what comes out is what went in, once each, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.datasets.convert import convert, move_stores
from lvmtui.datasets.readers import npz
from lvmtui.datasets.store import open_store
from lvmtui.system.errors import UserError
from tests.datasets.making import library, quantised, save_articles, save_sequence, save_sequences, walk, windows_of

VECTORS = walk(300)


def leftovers(workspace: Path) -> list[str]:
    """What there is under `datasets/` besides whole stores, notes and the lock."""
    datasets = workspace / "artifacts" / "lvm" / "datasets"
    if not datasets.exists():
        return []
    whole = {p.name for p in datasets.iterdir() if (p / "store.json").exists()}
    return sorted(p.name for p in datasets.iterdir() if p.name not in whole | {"seen", ".lock"})


def stores(workspace: Path) -> list[Path]:
    return sorted((workspace / "artifacts" / "lvm" / "datasets").glob("*/store.json"))


@pytest.mark.parametrize("form", ["float16", "float32", "float64", "int8", "long"])
def test_rows_come_out_at_unit_length(tmp_path: Path, form: str) -> None:
    articles = library(20)
    path = save_articles(tmp_path / "a.npz", articles, form)
    store = convert(path, tmp_path, normalise=form == "long")
    assert store.facts.kind == "articles" and store.facts.articles == 20 and store.titles[3] == "Article 3"
    assert np.allclose(np.linalg.norm(store.vectors, axis=1), 1, atol=1e-6)
    assert (np.einsum("nd,nd->n", store.vectors, np.concatenate(articles)) > 0.9999).all()
    assert store.article_of is not None
    assert store.article_of.tolist() == [i for i, a in enumerate(articles) for _ in a]
    assert len(store.window_starts(5)) == sum(len(a) - 5 for a in articles)
    assert len(store.window_starts(5, cross_articles=True)) == store.facts.rows - 5
    # anybody can open it without us
    assert np.array_equal(np.load(store.folder / "vectors.npy", allow_pickle=False), store.vectors)


@pytest.mark.parametrize("block_bytes", [1, 3000, 8 << 20])
def test_a_sequence_file_is_kept_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(npz, "BLOCK_BYTES", block_bytes)
    steps: list[tuple[int, int]] = []
    path = save_sequence(tmp_path / "a.npz", VECTORS)
    store = convert(path, tmp_path, progress=lambda done, total: steps.append((done, total)))
    assert (store.facts.kind, store.article_of, store.facts.file_rows) == ("sequence", None, 295)
    assert np.allclose(store.vectors, VECTORS, atol=1e-7)
    assert len(store.window_starts(5)) == 295
    assert steps == sorted(steps) and steps[-1] == (295, 295)


def test_windows_that_do_not_overlap_are_kept_as_windows(tmp_path: Path) -> None:
    contexts, targets = windows_of(VECTORS)
    store = convert(save_sequences(tmp_path / "a.npz", contexts[::6], targets[::6]), tmp_path)
    assert (store.facts.kind, store.facts.rows) == ("pieces", 50 * 6)
    assert store.window_starts(5).tolist() == list(range(0, 300, 6))
    assert store.window_starts(5, cross_articles=True).tolist() == list(range(0, 300, 6))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(6, 30), min_size=1, max_size=8), st.integers(1, 4000))
def test_a_sequence_file_of_pieces_is_put_together_again(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], block_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    pieces = [walk(n, seed) for seed, n in enumerate(lengths)]
    contexts, targets = (np.concatenate(a) for a in zip(*map(windows_of, pieces), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npz, "BLOCK_BYTES", block_bytes)
        store = convert(save_sequences(folder / "a.npz", contexts, targets), folder)
        streamed = [np.concatenate(a) for a in zip(*store.windows(store.window_starts(5), 5), strict=True)]
    assert np.allclose(store.vectors, np.concatenate(pieces), atol=1e-7)
    of = [0] * store.facts.rows if store.article_of is None else store.article_of.tolist()
    assert of == [i for i, n in enumerate(lengths) for _ in range(n)]
    assert np.allclose(streamed[0], contexts, atol=1e-7) and np.allclose(streamed[1], targets, atol=1e-7)


def test_a_plain_array_is_one_sequence(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)
    store = convert(tmp_path / "a.npy", tmp_path)
    assert store.facts.kind == "sequence" and np.allclose(store.vectors, VECTORS, atol=1e-7)


def test_a_file_is_found_again_without_reading_it(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", library(5))
    made: list[int] = []
    first = convert(path, tmp_path, progress=lambda done, total: made.append(done))
    assert made
    made.clear()
    again = convert(path, tmp_path, progress=lambda done, total: made.append(done))
    copy = tmp_path / "copy.npz"
    copy.write_bytes(path.read_bytes())
    copied = convert(copy, tmp_path, progress=lambda done, total: made.append(done))
    assert first.folder == again.folder == copied.folder and not made
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    copy.write_bytes(damaged)
    with pytest.raises(UserError, match="damaged or not a vector file"):
        convert(copy, tmp_path)
    save_articles(path, library(6))
    assert convert(path, tmp_path).folder != first.folder


def test_a_damaged_store_is_made_again(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", library(5))
    folder = convert(path, tmp_path).folder
    for damage in ("vectors.npy", "articles.npy", "store.json"):
        (folder / damage).write_bytes(b"half")
        with pytest.raises(UserError, match="gone or damaged"):
            open_store(folder)
        assert convert(path, tmp_path).facts.rows == sum(len(a) for a in library(5))


FAULTS = {
    "NaN": (lambda v: v.__setitem__((7, 3), np.nan), "1 of 300 vectors hold NaN or infinite numbers.* vector 7;"),
    "infinite": (lambda v: v.__setitem__(slice(5, 9), np.inf), "4 of 300 vectors hold NaN or infinite.* vector 5;"),
    "zero": (lambda v: v.__setitem__(299, 0), "1 of 300 vectors are zero, the first is vector 299;"),
    "long": (lambda v: v.__imul__(3), "300 of 300 vectors are not of unit length .*--normalise"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", ["vectors", "array", "sequences"])
def test_faulty_rows_are_counted_and_leave_nothing(tmp_path: Path, fault: str, form: str) -> None:
    spoil, words = FAULTS[fault]
    vectors = VECTORS.copy()
    spoil(vectors)
    path = tmp_path / "a.npz"
    with path.open("wb") as out:
        np.save(out, vectors) if form == "array" else np.savez(out, vectors=vectors)
    if form == "sequences":
        save_sequence(path, vectors)
    with pytest.raises(match=words):
        convert(path, tmp_path)
    assert not stores(tmp_path) and not leftovers(tmp_path)
    if fault == "long":
        assert np.allclose(convert(path, tmp_path, normalise=True).vectors, VECTORS, atol=1e-6)
        with pytest.raises(match=words):  # the store is there now, the file is still what it is
            convert(path, tmp_path)


def test_a_quantised_row_without_direction_is_a_fault(tmp_path: Path) -> None:
    stored: dict[str, Any] = {**quantised(VECTORS)}
    stored["scale"][4] = 0
    np.savez(tmp_path / "a.npz", **stored)
    with pytest.raises(match="1 of 300 vectors are zero, the first is vector 4;"):
        convert(tmp_path / "a.npz", tmp_path)


@pytest.mark.parametrize(("files", "taken"), [(1, 1), (20, 5), (20, 20), (7, 3)])
def test_a_sequence_file_of_any_context_gives_shorter_ones_too(tmp_path: Path, files: int, taken: int) -> None:
    """Two pieces that do not follow each other: no window runs from one into the other."""
    whole = [windows_of(piece, files) for piece in (VECTORS[:150], VECTORS[200:])]
    contexts, targets = (np.concatenate(parts) for parts in zip(*whole, strict=True))
    store = convert(save_sequences(tmp_path / "s.npz", contexts, targets), tmp_path)
    assert store.facts.rows == 250 and store.longest_context == files == store.facts.file_context
    starts = store.window_starts(taken)
    expected = [VECTORS[s : s + taken + 1] for s in (*range(150 - taken), *range(200, 300 - taken))]
    rows = store.vectors[starts[:, None] + np.arange(taken + 1)]
    assert np.allclose(rows, expected, atol=1e-6)
    seen = [np.concatenate(a) for a in zip(*store.windows(starts, taken), strict=True)]
    assert np.array_equal(seen[0], rows[:, :-1]) and np.array_equal(seen[1], rows[:, -1])


def test_windows_come_in_pieces_that_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.datasets.store.GATHERED_BYTES", 10_000)
    store = convert(save_sequence(tmp_path / "s.npz", VECTORS), tmp_path)
    starts = store.window_starts(3)
    pieces = list(store.windows(starts, 3))
    assert len(pieces) > 5 and all(contexts.nbytes <= 10_000 for contexts, _ in pieces)
    assert np.array_equal(np.concatenate([targets for _, targets in pieces]), store.vectors[starts + 3])


def test_too_few_vectors_for_a_window(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS[:1])
    with pytest.raises(UserError, match="one vector; a window takes two or more"):
        convert(tmp_path / "a.npy", tmp_path)
    assert not leftovers(tmp_path)


def test_a_workspace_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where a folder should be")
    np.save(tmp_path / "a.npy", VECTORS)
    with pytest.raises(UserError, match=r"cannot be written.*choose a --workspace"):
        convert(tmp_path / "a.npy", tmp_path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", library(5))

    def touch(done: int, total: int) -> None:
        os.utime(path, ns=(0, time.time_ns()))

    with pytest.raises(UserError, match="changed while it was read"):
        convert(path, tmp_path, progress=touch)
    assert not stores(tmp_path) and not leftovers(tmp_path)


def test_a_file_that_changed_later_has_another_store(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", library(5))
    store = convert(path, tmp_path)
    os.utime(path, ns=(0, 0))
    assert convert(path, tmp_path).folder == store.folder, "the same content at another time is the same file"
    save_articles(path, library(6))
    assert convert(path, tmp_path).folder != store.folder
    path.unlink()
    with pytest.raises(UserError, match="no such file"):
        convert(path, tmp_path)


# -- other processes -----------------------------------------------------------------------------------------------

CONVERT = """
import sys, time
from pathlib import Path
from lvmtui.system.errors import UserError
from lvmtui.datasets import convert
from lvmtui.datasets.readers import npz
npz.BLOCK_BYTES = 20_000
def slowly(done, total):
    print(done, flush=True)
    time.sleep(float(sys.argv[3]))
try:
    print(convert.convert(Path(sys.argv[1]), Path(sys.argv[2]), progress=slowly).folder)
except UserError as error:
    sys.exit(str(error))
"""


def converting(path: Path, workspace: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CONVERT, str(path), str(workspace), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_at_once_make_one_store(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)
    processes = [converting(tmp_path / "a.npy", tmp_path, 0.02) for _ in range(3)]
    results = [p.communicate(timeout=60) for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], results
    assert len({out.splitlines()[-1] for out, _ in results}) == 1
    assert sorted(len(out.splitlines()) > 1 for out, _ in results) == [False, False, True], "one read the file"
    assert len(stores(tmp_path)) == 1 and not leftovers(tmp_path)


def test_a_process_killed_half_way_leaves_no_store_and_does_not_block_the_next(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)
    killed = converting(tmp_path / "a.npy", tmp_path, 60)
    assert killed.stdout is not None and killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    assert not stores(tmp_path) and leftovers(tmp_path)
    assert np.allclose(convert(tmp_path / "a.npy", tmp_path).vectors, VECTORS, atol=1e-7)
    assert not leftovers(tmp_path), "the next one cleans up"


def test_an_interrupted_conversion_cleans_up_after_itself(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a.npy", tmp_path, progress=interrupt)
    assert not stores(tmp_path) and not leftovers(tmp_path)


def test_a_disk_that_takes_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, as a full disk does."""
    np.save(tmp_path / "a.npy", np.concatenate([walk(3000, s) for s in range(4)]))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
    command = [sys.executable, "-c", limit + CONVERT, str(tmp_path / "a.npy"), str(tmp_path / "w"), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert not stores(tmp_path / "w") and not leftovers(tmp_path / "w")


def test_a_large_file_does_not_take_large_memory(tmp_path: Path) -> None:
    """40 MB of vectors in a process whose data may grow by half of that."""
    np.save(tmp_path / "a.npy", np.tile(walk(1000, dim=100), (100, 1)))
    np.savez_compressed(tmp_path / "a.npz", vectors=np.load(tmp_path / "a.npy"))
    code = """
import resource, sys
from pathlib import Path
from lvmtui.datasets import convert
from lvmtui.datasets.readers import npz
npz.BLOCK_BYTES = 1 << 20
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
before = peak()
for path in sys.argv[2:]:
    for _, block in convert.convert(Path(path), Path(sys.argv[1])).blocks():
        block.sum()
print(peak() - before)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "w"), str(tmp_path / "a.npy"), str(tmp_path / "a.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) < 100, "MB"
    assert json.loads(stores(tmp_path / "w")[0].read_text())["rows"] == 100_000


def test_lengths_that_were_scaled_away_are_kept(tmp_path: Path) -> None:
    lengths = np.linspace(2, 9, len(VECTORS)).astype(np.float32)
    ids = np.arange(len(VECTORS)) % 3
    np.savez(tmp_path / "a.npz", vectors=VECTORS * lengths[:, None], article_id=ids)
    store = convert(tmp_path / "a.npz", tmp_path, normalise=True)
    kept = np.load(store.folder / "lengths.npy")
    assert np.allclose(kept, np.concatenate([lengths[ids == i] for i in range(3)]), atol=1e-4)
    np.savez(tmp_path / "unit.npz", vectors=VECTORS)
    assert not (convert(tmp_path / "unit.npz", tmp_path).folder / "lengths.npy").exists()


def test_a_plan_uses_a_cache_and_leaves_nothing_in_the_workspace(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", library(20), "float32")
    workspace, cache = tmp_path / "workspace", tmp_path / "cache"
    workspace.mkdir()
    store = convert(path, workspace, cache=cache)
    assert store.folder.parent == cache and not list(workspace.iterdir())
    assert convert(path, workspace, cache=cache).folder == store.folder

    move_stores(cache, workspace)
    assert [folder.parent.name for folder in stores(workspace)] == [store.folder.name] and not leftovers(workspace)
    made = (stores(workspace)[0].parent / "vectors.npy").stat()
    for other in (None, tmp_path / "another"):
        assert convert(path, workspace, cache=other).folder.parent == stores(workspace)[0].parent.parent
    assert (stores(workspace)[0].parent / "vectors.npy").stat() == made, "it is not made a second time"
    move_stores(tmp_path / "none", workspace)
    move_stores(cache, workspace)


def test_a_start_takes_over_what_its_plan_has_read(tmp_path: Path) -> None:
    workspace, cache = tmp_path / "workspace", tmp_path / "cache"
    workspace.mkdir()
    command = [sys.executable, "-P", "-m", "lvmtui", "demo", "--plan", "--json", "--workspace", str(workspace)]
    planned = json.loads(subprocess.run([*command, "--cache", str(cache)], capture_output=True, check=True).stdout)
    assert not list(workspace.iterdir())
    data = planned["campaign"]["baseline"]["data"]
    move_stores(cache, workspace)
    assert open_store(workspace / data["store"]).facts.fingerprint == data["fingerprint"]
