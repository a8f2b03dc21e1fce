"""Splits of any context: what they promise, checked by loops over articles that share no code with the splitter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.datasets import convert
from lvmtui.datasets.arm import file_arm
from lvmtui.datasets.baselines import measure
from lvmtui.datasets.check import too_short
from lvmtui.datasets.draw import draw_folds
from lvmtui.datasets.proof import prove
from lvmtui.datasets.split import Split, read_split
from lvmtui.datasets.windows import narrowed
from lvmtui.system.errors import UserError
from tests.datasets.making import arms, draw_split, save_articles, save_sequences, walk, windows_of


def library(seed: int, articles: int = 60) -> list[np.ndarray]:
    """Articles of 2 to 60 vectors; some are copies of others, and some begin as another does."""
    random = np.random.default_rng(seed)
    made = [walk(int(random.integers(2, 61)), seed=100 * seed + n) for n in range(articles)]
    made[3] = made[40].copy()
    made[5] = np.concatenate([made[41][:10], walk(20, seed=100 * seed + 99)])
    return made


def judged(split: Split, files: dict[str, list[np.ndarray]], context: int) -> None:
    """Every promise, by hand: vectors are named by their bytes, windows are walked one by one."""
    held = split.heldout
    held_vectors = set()
    whole = {
        tuple(v.tobytes() for v in a[s : s + context + 1]) for a in files["expanded"] for s in range(len(a) - context)
    }
    whole |= {
        tuple(v.tobytes() for v in a[s : s + context + 1]) for a in files["baseline"] for s in range(len(a) - context)
    }
    for start in held.starts.tolist():
        window = tuple(v.tobytes() for v in held.vectors[start : start + context + 1])
        assert window in whole, "a held-out window is one of an article of the files"
        held_vectors |= set(window)
    for name, articles in files.items():
        rows = [(number, vector.tobytes()) for number, article in enumerate(articles) for vector in article]
        windows = split.arms[name]
        assert len(windows.train) and len(windows.validation)
        seen: dict[str, set[bytes]] = {}
        for part in ("train", "validation"):
            seen[part] = set()
            for start in getattr(windows, part).tolist():
                of = rows[start : start + context + 1]
                assert len(of) == context + 1 and len({number for number, _ in of}) == 1, "inside one article"
                seen[part] |= {vector for _, vector in of}
        assert not seen["train"] & held_vectors and not seen["validation"] & held_vectors
        assert not seen["train"] & seen["validation"]


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 24), st.integers(0, 30))
def test_a_split_of_any_context_does_not_leak(
    tmp_path_factory: pytest.TempPathFactory, context: int, seed: int
) -> None:
    at = tmp_path_factory.mktemp("split")
    articles = library(seed)
    files = {"baseline": articles[:45], "expanded": articles}
    pair = arms(at, save_articles(at / "b.npz", articles[:45]), save_articles(at / "e.npz", articles))
    split = draw_split(*pair, seed=seed, context=context)
    # a store's rows are those of the file, scaled to 1: here to the bit
    stored = {
        name: np.split(arm.open().vectors, np.cumsum([len(a) for a in made])[:-1])
        for (name, made), arm in zip(files.items(), pair, strict=True)
    }
    judged(split, stored, context)
    split.write(at / "split")
    assert read_split(at / "split").heldout.context == context == split.facts.context
    assert prove(at / "split", {arm.name: arm.open() for arm in pair}).holds


def test_a_proof_looks_at_the_whole_of_a_long_window(tmp_path: Path) -> None:
    """A held-out vector at the far end of a training window of 21 rows: six rows would not see it."""
    articles = library(1)
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", articles[:45]), save_articles(tmp_path / "e.npz", articles))
    split = draw_split(*pair, seed=0, context=20)
    store = pair[1].open()
    first = split.heldout.vectors[split.heldout.starts[0]]
    row = int(np.flatnonzero((store.vectors == first).all(axis=1))[-1])
    article = store.article_of
    assert article is not None
    leaking = next(s for s in range(row, row - 21, -1) if s == 0 or article[s - 1] != article[row] or s == row - 20)
    windows = split.expanded
    bad = np.sort(np.append(windows.train, leaking))
    object.__setattr__(windows, "train", bad)
    split.write(tmp_path / "split")
    proof = prove(tmp_path / "split", {arm.name: arm.open() for arm in pair})
    assert not proof.holds and "LEAK" in str(proof)


def test_blocks_of_a_plain_sequence_have_room_for_long_windows(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", walk(8_000, 1))
    np.save(tmp_path / "e.npy", np.concatenate([walk(8_000, 1), walk(16_000, 2)]))
    pair = arms(tmp_path, tmp_path / "b.npy", tmp_path / "e.npy")
    split = draw_split(*pair, seed=0, context=100)
    assert split.facts.clusters >= 2 and min(np.bincount(split.heldout.cluster)) >= 300
    split.write(tmp_path / "split")
    assert prove(tmp_path / "split", {arm.name: arm.open() for arm in pair}).holds


def test_folds_of_a_long_context_share_no_vector(tmp_path: Path) -> None:
    articles = library(2, 90)
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", articles[:60]), save_articles(tmp_path / "e.npz", articles))
    folds = draw_folds(*pair, seed=0, folds=2, context=12)
    vectors = [{v.tobytes() for v in fold.heldout.vectors} for fold in folds]
    assert not vectors[0] & vectors[1] and all(fold.facts.context == 12 for fold in folds)


def test_too_few_articles_that_are_long_enough_are_one_line(tmp_path: Path) -> None:
    articles = [walk(10, n) for n in range(60)] + [walk(60, 100)]
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", articles[30:]), save_articles(tmp_path / "e.npz", articles))
    with pytest.raises(UserError) as raised:
        draw_split(*pair, seed=0, context=40)
    assert "only 1 articles that have 41 vectors" in str(raised.value) and "\n" not in str(raised.value)


def test_what_a_longer_context_leaves_is_said(tmp_path: Path) -> None:
    articles = [walk(10, n) for n in range(30)] + [walk(60, n) for n in range(100, 120)] + [walk(4, 200)]
    arm = file_arm("baseline", save_articles(tmp_path / "b.npz", articles), tmp_path)
    few = f"31 of the 51 articles of {arm.label} have too few vectors for a context of 12"
    left = "20 are left to train on and to hold out; a context of 5 leaves 50, so this one loses 30"
    assert too_short((arm,), (12,), False) == [f"{few}: {left}"]
    assert too_short((arm,), (3,), False) == []


def test_shorter_contexts_are_judged_on_the_same_targets(tmp_path: Path) -> None:
    """A baseline that sees fewer vectors has the cosine that its last vectors give, window by window."""
    articles = library(3)
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", articles[:45]), save_articles(tmp_path / "e.npz", articles))
    split = draw_split(*pair, seed=0, context=15)
    held = split.heldout
    targets = held.vectors[held.starts + 15]
    for context in (1, 4, 15):
        found, arrays = measure("expanded", pair[1].open(), split.expanded, held, context=context)
        assert found.context == context and len(found.recency_weights) == context
        expected = []
        for start, target in zip(held.starts.tolist(), targets, strict=True):
            mean = held.vectors[start + 15 - context : start + 15].mean(axis=0)
            expected.append(float(mean @ target / np.linalg.norm(mean)))
        assert np.allclose(arrays["mean_cosine"].astype(float), expected, atol=1e-5)
        last = held.vectors[held.starts + 14]
        copied = np.einsum("nd,nd->n", last, targets)
        assert np.allclose(arrays["copy_last_cosine"].astype(float), copied, atol=1e-5)


def test_a_narrowed_window_ends_where_the_window_does() -> None:
    assert narrowed(np.array([0, 7]), 20, 20).tolist() == [0, 7] and narrowed(np.array([0, 7]), 20, 3).tolist() == [
        17,
        24,
    ]


@pytest.mark.parametrize("context", [2, 9])
def test_a_split_of_sequence_files(tmp_path: Path, context: int) -> None:
    """Files of contexts of nine, of which shorter ones can be taken too."""
    small, large = (save_sequences(tmp_path / f"{n}.npz", *windows_of(walk(n, 4), 9)) for n in (3000, 6000))
    pair = arms(tmp_path, small, large)
    assert convert.convert(small, tmp_path).facts.file_context == 9
    split = draw_split(*pair, seed=0, context=context)
    split.write(tmp_path / "split")
    assert prove(tmp_path / "split", {arm.name: arm.open() for arm in pair}).holds
