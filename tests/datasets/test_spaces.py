"""Rows of another vector space, planted among real sentence vectors; and none suspected where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lvmtui.datasets import spaces
from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.check import check_arms, check_files
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.spaces import compare_spaces, main_directions
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.json_codec import dump_document, encode, find_document
from tests.datasets.making import arms, save_articles, walk

OWN = 20
"""Articles of the baseline, of 60."""
TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((384, 384)))[0].astype(np.float32)


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """60 of the bundled articles, and introductions of others."""
    store = bundled_arms(tmp_path_factory.mktemp("bundled"))[1].open()
    assert store.article_of is not None
    borders = np.flatnonzero(np.diff(store.article_of)) + 1
    every = np.split(np.array(store.vectors), borders)
    return every[:40] + every[400:420]


def checked(at: Path, baseline: list[np.ndarray], expanded: list[np.ndarray]) -> DataCheck:
    return check_arms(*arms(at, save_articles(at / "b.npz", baseline), save_articles(at / "e.npz", expanded)))


def turned(articles: list[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(article @ TURN) for article in articles]


def rows(articles: list[np.ndarray]) -> int:
    return sum(len(article) for article in articles)


def test_new_rows_in_a_turned_space_are_named(tmp_path: Path, articles: list[np.ndarray]) -> None:
    own, new = articles[:OWN], turned(articles[OWN:])
    new[3][5] = own[0][0]  # one original sentence among them
    found = checked(tmp_path, own, [*own, *new])
    assert found.pair is not None and found.pair.same_space == "no" and found.pair.space is not None
    (words,) = found.pair.space.elsewhere
    assert words.startswith("expanded: rows ") and words.endswith(f" to {rows(own) + rows(new) - 1:,}")
    begin = int(words.split()[2].replace(",", ""))
    assert abs(begin - rows(own)) <= 128
    assert found.pair.space.energy_new == pytest.approx(64 / 384, abs=0.02)
    assert "another space" in found.warning and words in found.warning
    (tmp_path / "check.json").write_bytes(dump_document(encode(found)))
    read = find_document(DataFacts, tmp_path / "check.json")
    assert read is not None and read.pair is not None and read.pair.space == found.pair.space


@pytest.mark.parametrize("planted", ["half of the expanded", "half of the baseline", "every other article", "negated"])
def test_mixed_spaces_are_found(tmp_path: Path, articles: list[np.ndarray], planted: str) -> None:
    own, new = articles[:OWN], articles[OWN:]
    if planted == "half of the expanded":
        expanded = [*own, *new[:10], *turned(new[10:])]
    elif planted == "half of the baseline":
        own = [*own[:10], *turned(own[10:])]
        expanded = [*own, *new]
    elif planted == "every other article":
        expanded = [*own, *(a if i % 2 else turned([a])[0] for i, a in enumerate(new))]
    else:
        expanded = [*own, *(-article for article in new)]
    found = checked(tmp_path, own, expanded)
    assert found.pair is not None and found.pair.same_space == "no"


def test_topics_are_no_other_space(tmp_path: Path, articles: list[np.ndarray]) -> None:
    """The articles sorted in ways that set topics apart as far as they go, and cut in two places."""
    means = np.stack([article.mean(axis=0) for article in articles])
    directions = np.linalg.svd(np.concatenate(articles)[::5], full_matrices=False)[2]
    orders = [
        np.arange(60),
        *(np.argsort(means @ directions[k]) for k in (1, 2)),
        np.argsort([-len(a) for a in articles]),
    ]
    tested = 0
    for number, order in enumerate(orders):
        for cut in (12, 30):
            at = tmp_path / f"{number}-{cut}"
            at.mkdir()
            first, rest = ([articles[i] for i in part] for part in (order[:cut], order[cut:]))
            if rows(first) > rows(rest):
                first, rest = rest, first
            pair = arms(at, save_articles(at / "b.npz", first), save_articles(at / "e.npz", rest))
            found = compare_spaces(*pair, np.ones(rows(rest), bool))
            assert found.elsewhere == ()
            tested += found.tested
            assert not found.tested or (found.mean_cosine is not None and found.mean_cosine > 0)
    assert tested >= 7


def test_what_is_told_of_new_rows_is_told_of_them_alone(tmp_path: Path, articles: list[np.ndarray]) -> None:
    """Each new article stands between known ones that are nearly as long."""
    own, new = articles[:OWN], articles[OWN : 2 * OWN]
    mixed = [article for pair in zip(new, own, strict=True) for article in pair]
    found, apart = (
        compare_spaces(
            *arms(tmp_path, save_articles(tmp_path / "b.npz", own), save_articles(tmp_path / f"{name}.npz", rest)),
            is_new,
        )
        for name, rest, is_new in (
            ("mixed", mixed, np.concatenate([np.full(len(a), i % 2 == 0) for i, a in enumerate(mixed)])),
            ("apart", [*own, *new], np.repeat([False, True], [rows(own), rows(new)])),
        )
    )
    assert found.energy_new == pytest.approx(apart.energy_new, abs=1e-4)
    assert found.mean_cosine == pytest.approx(apart.mean_cosine, abs=1e-4)


@pytest.mark.parametrize("width", [64, 128, 256])
def test_what_a_pca_keeps_is_no_other_space(tmp_path: Path, articles: list[np.ndarray], width: int) -> None:
    """In few directions far topics look like another space. Turned rows are told from 128 numbers on."""
    kept = main_directions(np.concatenate(articles), width)
    fewer = [a @ kept / np.linalg.norm(a @ kept, axis=1, keepdims=True) for a in articles]
    order = np.argsort([float(a.mean(axis=0)[1]) for a in fewer])
    own, new = ([fewer[i] for i in part] for part in (order[:OWN], order[OWN:]))
    found = checked(tmp_path, own, [*own, *new])
    assert found.pair is not None and found.pair.same_space != "no"
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]
    (tmp_path / "turned").mkdir()
    mixed = checked(tmp_path / "turned", own, [*own, *(np.asarray(a @ turn, np.float32) for a in new)])
    assert mixed.pair is not None and (mixed.pair.same_space == "no") == (width >= 128)


def test_noise_and_shuffled_articles_are_told_of_the_new_rows(tmp_path: Path, articles: list[np.ndarray]) -> None:
    own, random = articles[:OWN], np.random.default_rng(0)
    noise = [walk(len(article), number, 384, coherence=0) for number, article in enumerate(articles[OWN:])]
    notes = checked(tmp_path, own, [*own, *noise]).notes
    assert any("hardly resemble their neighbours" in note for note in notes)
    shuffled = [random.permutation(article) for article in articles[OWN:]]
    (tmp_path / "shuffled").mkdir()
    found = checked(tmp_path / "shuffled", own, [*own, *shuffled])
    assert any("new vectors of e.npz have no order" in note for note in found.notes)
    assert found.pair is not None and found.pair.new_vectors >= rows(shuffled) - 10
    (tmp_path / "fine").mkdir()
    fine = checked(tmp_path / "fine", own, articles)
    assert not any("order" in note or "resemble" in note or "space" in note for note in fine.notes)
    assert fine.pair is not None and fine.pair.same_space == "yes"


def test_where_a_space_is_evenly_filled_nothing_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", walk(3000, 1, 96))
    np.save(tmp_path / "e.npy", walk(5000, 2, 96))
    pair = check_files([tmp_path / "b.npy", tmp_path / "e.npy"], tmp_path).pair
    assert pair is not None and pair.space is not None and not pair.space.tested and pair.same_space == "unknown"


@pytest.mark.parametrize("rows", [12, 40, 300])
def test_both_ways_find_the_same_directions(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    random = np.random.default_rng(1)
    scales = np.concatenate([np.linspace(9, 5, 6), np.full(58, 0.1)])
    made = (random.standard_normal((rows, 64)) * scales).astype(np.float32)
    whole = main_directions(made, 6)
    monkeypatch.setattr(spaces, "WIDE", 1)
    some = main_directions(made, 6)
    assert whole.shape == some.shape == (64, 6) and whole.dtype == some.dtype == np.float32
    assert np.allclose(some.T @ some, np.eye(6), atol=1e-5)
    assert np.allclose(np.abs((whole * some).sum(axis=0)), 1, atol=1e-3)
    assert np.array_equal(some, main_directions(made, 6))


def test_few_rows_give_few_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "WIDE", 1)
    assert main_directions(np.eye(5, 64, dtype=np.float32) + 0.1, 16).shape == (64, 5)
