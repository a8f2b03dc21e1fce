"""What `lvmtui check` says of files made to be known."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lvmtui.cli.commands import main
from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.check import check_files
from lvmtui.datasets.check_text import check_as_text
from lvmtui.datasets.proof import prove_campaign
from lvmtui.formats.campaign import read_campaign, write_campaign
from lvmtui.formats.data_facts import DataFacts, PairFacts
from lvmtui.formats.json_codec import decode, encode
from lvmtui.system.errors import UserError
from tests.datasets.making import (
    arms,
    draw_split,
    library,
    save_articles,
    save_sequence,
    save_sequences,
    walk,
    windows_of,
)
from tests.datasets.test_baselines import campaign_of

ARTICLES = library(30)
VECTORS = np.concatenate(ARTICLES)


def test_the_facts_of_one_file(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "a.npz", [*ARTICLES, ARTICLES[3]])
    checked = check_files([path], tmp_path)
    assert checked.pair is None and not checked.faults and not checked.notes
    (facts,) = checked.files
    lengths = [len(a) for a in [*ARTICLES, ARTICLES[3]]]
    total, inside = sum(lengths), sum(n - 5 for n in lengths)
    assert (facts.file, facts.vectors, facts.dim, facts.articles) == ("a.npz", total, 24, 31)
    assert (facts.windows, facts.bytes, facts.duplicates) == (inside, path.stat().st_size, len(ARTICLES[3]))
    assert facts.crossing == pytest.approx(1 - inside / (total - 5))
    neighbours = [float(a[i] @ a[i + 1]) for a in [*ARTICLES, ARTICLES[3]] for i in range(len(a) - 1)]
    assert facts.coherence == pytest.approx(np.mean(neighbours), abs=1e-5)
    signal = [
        float(a[i + 4] @ a[i + 5] - a[i + 3] @ a[i + 5]) for a in [*ARTICLES, ARTICLES[3]] for i in range(len(a) - 5)
    ]
    assert facts.forward_signal == pytest.approx(np.mean(signal), abs=1e-5)
    assert facts.random_leak > 0.9
    crossing = check_files([path], tmp_path, cross_articles=True)
    assert crossing.files[0].windows == total - 5 and crossing.files[0].crossing == facts.crossing


def test_every_fact_of_a_large_file_is_made_from_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_sequence(tmp_path / "a.npz", walk(700))
    whole = check_files([path], tmp_path)
    monkeypatch.setattr("lvmtui.datasets.store.BLOCK_BYTES", 700)
    monkeypatch.setattr("lvmtui.datasets.store.RELEASE_BYTES", 2000)
    pieces = check_files([path], tmp_path)
    assert pieces.files == whole.files and whole.files[0].kind == "sequence" and whole.files[0].crossing is None


PAIRS = {
    "a part": (ARTICLES[5:15], "float32", 1.0, "yes"),
    "a part, quantised": (ARTICLES[5:15], "int8", 1.0, "yes"),
    "half of it": ([*ARTICLES[:5], walk(sum(len(a) for a in ARTICLES[:5]), 77)], "float16", 0.5, "yes"),
    "something else": ([walk(200, 77)], "float32", 0.0, "unknown"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_what_two_files_have_in_common(tmp_path: Path, case: str) -> None:
    articles, form, shared, space = PAIRS[case]
    paths = save_articles(tmp_path / "b.npz", articles, form), save_articles(tmp_path / "e.npz", ARTICLES)
    checked = check_files(paths, tmp_path)
    pair, other = checked.pair, [note for note in checked.notes if "may come from other data" in note]
    assert pair is not None
    assert len(other) == (shared < 1) and all(note in check_as_text(checked) for note in other)
    assert pair.ratio == pytest.approx(len(VECTORS) / sum(len(a) for a in articles))
    assert pair.shared == pytest.approx(shared) and pair.baseline_is_part == (shared == 1)
    assert pair.same_space == space


@pytest.mark.parametrize(
    ("shared", "words"),
    [(0.71, "29 % of the baseline's vectors are not"), (0.00042, "99.9 % of the"), (0.0, "none of the baseline's")],
)
def test_data_that_is_other_and_not_more_is_told_to_the_digit(shared: float, words: str) -> None:
    pair = PairFacts(shared=shared, baseline_is_part=False, same_space="yes")
    assert pair.other_data.startswith(words) and "in the expanded data, so a change may come" in pair.other_data
    assert not PairFacts(shared=shared, baseline_is_part=True, same_space="yes").other_data
    assert not PairFacts(shared=0.0, baseline_is_part=False, same_space="no").other_data


def test_faults_of_a_pair(tmp_path: Path) -> None:
    small, large = save_articles(tmp_path / "b.npz", ARTICLES[:10]), save_articles(tmp_path / "e.npz", ARTICLES)
    np.save(tmp_path / "wide.npy", walk(3000, dim=32))
    assert not check_files([small, large], tmp_path).faults
    assert "swap the two" in check_files([large, small], tmp_path).faults[0]
    assert "are the same vectors" in check_files([large, large], tmp_path).faults[0]
    with np.load(large) as arrays:
        again = dict(arrays)
    np.savez(tmp_path / "again.npz", more=np.ones(1), **again)  # another file, with another fingerprint
    assert (
        "again.npz: has no vector that e.npz lacks" in check_files([large, tmp_path / "again.npz"], tmp_path).faults[0]
    )
    wide = check_files([small, tmp_path / "wide.npy"], tmp_path)
    assert "24 numbers and wide.npy of 32" in wide.faults[0]
    assert wide.pair is not None and wide.pair.same_space == "no"
    with pytest.raises(UserError, match="3 files given"):
        check_files([small, large, large], tmp_path)


def test_faults_of_the_files_do_not_hide_each_other(tmp_path: Path) -> None:
    broken = VECTORS.copy()
    broken[7] = np.nan
    np.savez(tmp_path / "b.npz", vectors=broken)
    checked = check_files([tmp_path / "b.npz", tmp_path / "missing.npz"], tmp_path)
    assert not checked.files and len(checked.faults) == 2
    assert "b.npz: 1 of" in checked.faults[0] and "missing.npz: no such file" in checked.faults[1]
    assert check_as_text(checked).splitlines() == [f"fault: {fault}" for fault in checked.faults]


def test_notes_say_what_stops_nothing(tmp_path: Path) -> None:
    long = save_articles(tmp_path / "long.npz", ARTICLES, "long")
    assert "--normalise" in check_files([long], tmp_path).faults[0]
    assert "scaled to length 1" in check_files([long], tmp_path, normalise=True).notes[0]
    contexts, targets = windows_of(walk(3000))
    order = np.random.default_rng(0).permutation(len(targets))
    loose = save_sequences(tmp_path / "loose.npz", contexts[order], targets[order])
    assert "hardly follow each other" in check_files([loose], tmp_path).notes[0]
    np.save(tmp_path / "other.npy", walk(20_000, 8))
    assert "no vector in common" in check_files([loose, tmp_path / "other.npy"], tmp_path).notes[-1]


def test_rows_in_another_order_than_the_text_are_suspected(tmp_path: Path) -> None:
    path = walk(3000, 64)
    np.save(tmp_path / "text.npy", path)
    np.save(tmp_path / "mixed.npy", np.random.default_rng(0).permutation(path))
    np.save(tmp_path / "few.npy", path[:300])
    (leaks,) = check_files([tmp_path / "text.npy"], tmp_path).notes
    assert leaks.startswith("text.npy: no ids of articles were found")
    assert "no more alike than any two vectors" in check_files([tmp_path / "mixed.npy"], tmp_path).notes[-1]
    topics = np.repeat(walk(400, 7), 50, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((20_000, 24))
    longer = topics / np.linalg.norm(topics, axis=1, keepdims=True)
    np.savez(tmp_path / "within.npz", vectors=longer, article_id=np.arange(20_000) // 50)
    assert "are the rows in reading order?" in check_files([tmp_path / "within.npz"], tmp_path).notes[0]
    assert "only 295 windows" in check_files([tmp_path / "few.npy"], tmp_path).notes[-1]


def test_a_search_set_is_said_to_have_nothing_to_learn(tmp_path: Path) -> None:
    """Bundled articles: in order, and with one vector of each entity after the other in any order."""
    text = np.asarray(bundled_arms(tmp_path)[1].open().vectors)
    for rows in (600, 4_000):
        np.save(tmp_path / "text.npy", text[:rows])
        np.save(tmp_path / "search.npy", np.random.default_rng(rows).permutation(text)[:rows])
        assert not check_files([tmp_path / "text.npy"], tmp_path).files[0].unordered
        checked = check_files([tmp_path / "search.npy"], tmp_path)
        said = next(note for note in checked.notes if "no more alike than any two vectors" in note)
        assert "search.npy" in said and "lvmtui embed" in said and said == checked.files[0].unordered
    kept = decode(DataFacts, json.loads(json.dumps(encode(checked))))
    assert kept.files[0].unordered == said  # what the report reads


def test_rows_that_no_window_fits_into_are_a_fault(tmp_path: Path) -> None:
    rows = walk(600, 16)
    np.savez(tmp_path / "mixed.npz", vectors=rows, article_id=np.arange(600))
    (fault,) = check_files([tmp_path / "mixed.npz"], tmp_path).faults
    assert "each of its 600 articles has one vector, as in a search set" in fault


def test_a_context_longer_than_the_file_allows_is_a_fault_that_says_what_fits(tmp_path: Path) -> None:
    text = save_articles(tmp_path / "text.npz", [walk(30, n) for n in range(20)])
    assert not check_files([text], tmp_path, context=29).faults
    (fault,) = check_files([text], tmp_path, context=30).faults
    assert "no article has 31 vectors that follow each other, the longest has 30; --context 29 or less" in fault
    contexts, targets = windows_of(walk(300), 8)
    (fault,) = check_files([save_sequences(tmp_path / "s.npz", contexts, targets)], tmp_path, context=9).faults
    assert fault == "s.npz: its contexts have 8 vectors; --context 8 or less can be taken from it"
    np.save(tmp_path / "few.npy", walk(100))
    (fault,) = check_files([tmp_path / "few.npy"], tmp_path, context=100).faults
    assert "100 vectors, a window takes 101; give a larger file, or --context 99 or less" in fault


def test_every_figure_of_a_check_is_of_the_context(tmp_path: Path) -> None:
    path = save_articles(tmp_path / "text.npz", [walk(40, n) for n in range(20)])
    for context in (1, 3, 20):
        (facts,) = check_files([path], tmp_path, context=context).files
        assert facts.windows == 20 * (40 - context) and facts.crossing is not None
        assert facts.crossing == pytest.approx(1 - facts.windows / (800 - context))
        assert facts.forward_signal is not None and facts.forward_signal > 0.05, "a walk goes on where it is"


def test_articles_whose_rows_do_not_stand_together_are_grouped_and_it_is_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "mixed.npz", vectors=walk(600, 16), article_id=np.arange(600) % 50)
    checked = check_files([tmp_path / "mixed.npz"], tmp_path)
    assert checked.files[0].windows == 50 * 7
    assert any("rows of an article do not stand together by article_id; they were grouped" in n for n in checked.notes)


def test_a_file_without_ids_beside_one_with_them_is_warned_of(tmp_path: Path) -> None:
    small, large = save_sequence(tmp_path / "b.npz", VECTORS[:400]), save_articles(tmp_path / "e.npz", ARTICLES)
    checked = check_files([small, large], tmp_path)
    warning = checked.warning
    assert warning.startswith("one file, b.npz, names no articles; the other")
    assert "5 rows on each side of them are left out; that no other part of the same text is trained on" in warning
    assert "windows may also run from one article into the next, and then the change is too high. Name its" in warning
    assert check_as_text(checked).splitlines()[-1].startswith("no faults, 1 warning, ")
    both = [save_sequence(tmp_path / "c.npz", VECTORS), large]
    assert not check_files([large, save_articles(tmp_path / "f.npz", [*ARTICLES, walk(40)])], tmp_path).warning
    for file, name in (
        (large, "l.npz"),
        (again := save_articles(tmp_path / "a.npz", [walk(60, n) for n in range(905, 917)]), "n.npz"),
    ):
        with np.load(file) as whole:
            np.savez(tmp_path / name, vectors=whole["vectors"], article_id=whole["article_id"])
    numbered = check_files([tmp_path / "n.npz", tmp_path / "l.npz"], tmp_path)
    assert numbered.warning.startswith("12 article ids are in both files, which have no vector in common. If an id")
    assert not check_files([again, large], tmp_path).warning, "titles say which are the same"
    assert not check_files([small, both[0]], tmp_path).warning, "of both the notes say that they name none"
    assert not check_files([save_sequence(tmp_path / "o.npz", walk(400, 999)), large], tmp_path).warning


def test_rows_in_another_order_than_those_of_the_other_file_are_warned_of(tmp_path: Path) -> None:
    def shuffled(texts: list[np.ndarray], seed: int) -> list[np.ndarray]:
        return [np.random.default_rng(seed + n).permutation(text) for n, text in enumerate(texts)]

    texts = [walk(60, n) for n in range(30)]
    orders = {"whole": texts, "part": texts[:15], "thin": [t[::3] for t in texts[:15]], "other": library(30, 40)}
    orders |= {f"{name}_mixed": shuffled(orders[name], n) for n, name in enumerate(("whole", "part", "other"))}
    files = {name: save_articles(tmp_path / f"{name}.npz", found) for name, found in orders.items()}

    def warning(baseline: str, expanded: str) -> str:
        return check_files([files[baseline], files[expanded]], tmp_path).warning

    assert not warning("part", "whole") and not warning("thin", "whole"), "rows left out here and there keep the order"
    for small, large, out in (("part", "whole_mixed", "whole_mixed"), ("part_mixed", "whole", "part_mixed")):
        said = warning(small, large)
        assert re.match(rf"of the vectors that follow each other in {small}.npz, [45]\d% come in that order in", said)
        assert f"which has them too, and {out}.npz seems to be out of reading order: a change would come" in said
    assert "and both files seem to be out of" in warning("part_mixed", "whole_mixed")
    said = warning("part", "other_mixed")
    assert said.startswith("the rows of other_mixed.npz seem to be in no order (") and "part.npz in one (+" in said
    assert not warning("part", "other")


def test_words_and_json_say_the_same(tmp_path: Path) -> None:
    small, large = save_articles(tmp_path / "b.npz", ARTICLES[:10]), save_articles(tmp_path / "e.npz", ARTICLES)
    checked = check_files([small, large], tmp_path)
    document = json.loads(json.dumps(encode(checked)))
    words = check_as_text(checked)
    assert document["files"][1]["vectors"] == len(VECTORS) and f"{len(VECTORS):,} of 24 numbers" in words
    assert document["pair"]["baseline_is_part"] and "a part of it" in words
    assert f"of {document['neighbours']['sampled']:,} vectors looked at, median cosine" in " ".join(words.split())
    assert "no faults" in words.splitlines()[-1] and "\x1b" not in words
    assert document["files"][0]["articles"] == 10 and document["version"] == 1


def test_the_bundled_arms_need_no_file(tmp_path: Path) -> None:
    checked = check_files([Path("bundled")], tmp_path)
    assert [f.label for f in checked.files] == ["8k", "23k"] and not checked.faults
    assert [f.windows for f in checked.files] == [8_075, 18_815]
    assert checked.pair is not None and checked.pair.shared == 1


def test_the_proof_of_a_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = save_articles(tmp_path / "b.npz", ARTICLES[:15]), save_articles(tmp_path / "e.npz", ARTICLES)
    pair = arms(tmp_path, *paths)
    folder = campaign_of(tmp_path, draw_split(*pair, seed=0), pair)
    campaign = read_campaign(folder.campaign)
    small, large = replace(campaign.baseline, label="4k"), replace(campaign.expanded, label="12k")
    folder.campaign.unlink()
    write_campaign(folder.campaign, replace(campaign, baseline=small, expanded=large))
    words, holds = prove_campaign(folder)
    assert holds and words.startswith("no leak: none of the training and validation vectors (") and "WARN" not in words
    assert re.search(r"\(4k: [\d,]+, 12k: [\d,]+\) is a copy of one of the [\d,]+ held-out", words)
    monkeypatch.setattr("lvmtui.datasets.proof.NATURAL", -1.0)
    words, _ = prove_campaign(folder)
    place = r"row (\d+) of article Article (\d+) of \d+k"
    rows = re.search(f"look at {place} and {place}, which is held out", words)
    assert rows
    one, other = (ARTICLES[int(rows[article])][int(rows[row])] for row, article in ((1, 2), (3, 4)))
    assert f"their highest cosine is {one @ other:.4f}" in words
    with pytest.raises(UserError, match=r"campaign\.json"):
        prove_campaign(type(folder)(tmp_path))


def test_the_proof_of_a_campaign_whose_vectors_were_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = save_articles(tmp_path / "b.npz", ARTICLES[:15]), save_articles(tmp_path / "e.npz", ARTICLES)
    pair = arms(tmp_path, *paths)
    folder = campaign_of(tmp_path, draw_split(*pair, seed=0), pair)
    shutil.rmtree(folder.workspace.datasets)
    (tmp_path / "new").mkdir()
    for path in paths:
        path.rename(tmp_path / "new" / path.name)
    proof = ["--workspace", str(tmp_path), "--split", folder.id]
    assert main(["check", *proof]) == 2
    assert (
        "if it was moved, say where, then try again: lvmtui check NEW_PATH... --split CAMPAIGN"
        in capsys.readouterr().err
    )
    other = save_articles(tmp_path / "other.npz", ARTICLES[:20])
    assert main(["check", str(other), str(tmp_path / "new" / "e.npz"), *proof]) == 2
    assert "other.npz: not the vectors the campaign was planned with" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "new" / "e.npz"), str(tmp_path / "new" / "b.npz"), *proof]) == 0
    assert capsys.readouterr().out.startswith("no leak")
    assert main(["check", "--json", *proof]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] and told["words"].startswith("no leak") and told["campaign"] == folder.id
    assert main(["check", str(other), *proof]) == 2, "though the stores are there again"
    assert "other.npz: not the vectors" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.npz"), *proof]) == 2
    assert "none.npz: no such file" in capsys.readouterr().err


def test_files_that_no_campaign_could_be_drawn_from_are_a_fault(tmp_path: Path) -> None:
    """As `lvmtui run` would say later."""
    small, large = (save_articles(tmp_path / f"{n}.npz", ARTICLES[:n]) for n in (1, 3))
    (fault,) = check_files([small, large], tmp_path).faults
    assert fault.startswith("1.npz and 3.npz: only 3 articles") and fault.endswith("give larger files")
