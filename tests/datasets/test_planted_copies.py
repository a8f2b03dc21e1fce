"""Copies at five distances, whole articles and scattered rows: judged by comparing everything with everything."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.clusters import group_arms
from lvmtui.datasets.draw import draw_folds
from lvmtui.datasets.proof import prove
from lvmtui.datasets.split import ArmWindows, Split
from lvmtui.system.errors import UserError
from tests.datasets.making import arms, draw_split, near, save_articles, save_sequences, walk, windows_of

DIM = 64
LENGTHS = np.random.default_rng(5).integers(6, 40, 60)
ARTICLES = [walk(int(n), seed=700 + i, dim=DIM) for i, n in enumerate(LENGTHS)]
NEW = [walk(int(n), seed=900 + i, dim=DIM) for i, n in enumerate(LENGTHS)]
DISTANCES = [0.9999, 0.9995, 0.999, 0.99, 0.97]


def highest(split: Split, *pair: Arm) -> float:
    """The highest cosine of a held-out vector with any that is trained or validated on, and of a validation vector
    with any that is trained on."""
    found = -1.0
    for arm in pair:
        vectors, windows = arm.open().vectors.astype(np.float64), split.arms[arm.name]
        train, validation = (vectors[np.unique(s[:, None] + np.arange(6))] for s in (windows.train, windows.validation))
        found = max(found, float((np.concatenate([train, validation]) @ split.heldout.vectors.T).max()))
        found = max(found, float((train @ validation.T).max()))
    return found


def scattered(cosine: float) -> list[np.ndarray]:
    """In every new article a few rows are near-copies of rows of the known ones."""
    out = []
    for number, article in enumerate(NEW):
        copy = article.copy()
        copy[::9] = near(ARTICLES[number][::9], cosine, number)
        out.append(copy)
    return out


@pytest.mark.parametrize("cosine", DISTANCES)
@pytest.mark.parametrize("planted", ["the baseline", "whole articles", "scattered rows"])
def test_no_near_copy_of_a_held_out_vector_is_used(tmp_path: Path, cosine: float, planted: str) -> None:
    copied = [near(article, cosine, number) for number, article in enumerate(ARTICLES)]
    if planted == "the baseline":
        pair = arms(
            tmp_path, save_articles(tmp_path / "b.npz", copied[:30]), save_articles(tmp_path / "e.npz", ARTICLES)
        )
    else:
        more = copied[:30] if planted == "whole articles" else scattered(cosine)
        pair = arms(
            tmp_path,
            save_articles(tmp_path / "b.npz", ARTICLES[:30]),
            save_articles(tmp_path / "e.npz", [*more, *ARTICLES, *NEW[30:]]),
        )
    split = draw_split(*pair, seed=1)
    assert highest(split, *pair) < 0.96
    assert split.facts.same <= cosine and (planted != "scattered rows" or split.facts.expanded.equal_to_held_out)
    split.write(tmp_path / "split")
    proof = prove(tmp_path / "split", {arm.name: arm.open() for arm in pair})
    assert proof.holds and "WARNING" not in str(proof)
    nearest = max(proof.arms["baseline"].nearest, proof.arms["expanded"].nearest)
    used = [highest(split, arm) for arm in pair]
    assert nearest <= max(used) + 1e-6 and f"highest cosine is {nearest:.4f}" in str(proof)


@pytest.mark.parametrize("cosine", DISTANCES)
def test_a_chain_of_near_copies_is_one_cluster(tmp_path: Path, cosine: float) -> None:
    """Each article is told four times, each time a little further from the first."""
    told = [ARTICLES[:40]]
    for retelling in range(3):
        told.append([near(article, cosine, 50 * retelling + number) for number, article in enumerate(told[-1])])
    first_and_last = float(np.einsum("nd,nd->n", told[0][0], told[3][0]).mean())
    assert first_and_last < 1 - 2 * (1 - cosine)
    pair = arms(
        tmp_path,
        save_articles(tmp_path / "b.npz", told[1][:20]),
        save_articles(tmp_path / "e.npz", [article for retelling in told for article in retelling]),
    )
    groups = group_arms(*pair)
    assert groups.facts.repeated == sum(len(a) for a in told[0]) * 3 + sum(len(a) for a in told[1][:20])
    split = draw_split(*pair, seed=0, groups=groups)
    assert highest(split, *pair) < 0.96 and split.facts.expanded.equal_to_held_out == 0
    lengths = np.bincount(split.heldout.cluster)
    assert all(n % 4 == 0 for n in lengths.tolist()), "an article is held out with all of its tellings"


def test_every_window_that_is_left_out_for_a_copy_is_counted_as_one(tmp_path: Path) -> None:
    """One old article whose vectors stand alone in new articles: what they cost was told as nothing."""
    old, new = walk(25, seed=1, dim=DIM), [article.copy() for article in NEW[:25]]
    for vector, article in zip(old, new, strict=True):
        article[len(article) // 2] = vector
    pair = arms(
        tmp_path,
        save_articles(tmp_path / "b.npz", [old, *ARTICLES[:30]]),
        save_articles(tmp_path / "e.npz", [*ARTICLES, *new]),
    )
    counted = 0
    for seed in range(3):
        split = draw_split(*pair, seed=seed)
        for arm, counts in ((pair[0], split.facts.baseline), (pair[1], split.facts.expanded)):
            windows = arm.open().window_starts(5, arm.rows, cross_articles=False)[:, None] + np.arange(6)
            held = (arm.open().vectors @ split.heldout.vectors.T).max(axis=1) > 0.98
            assert int(held[windows].any(axis=1).sum()) == counts.held_out + counts.equal_to_held_out
            counted += counts.equal_to_held_out
    assert counted > 20


def test_the_proof_fails_above_the_threshold_and_warns_below_it(tmp_path: Path) -> None:
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", ARTICLES[:30]), save_articles(tmp_path / "e.npz", ARTICLES))
    split = draw_split(*pair, seed=0)
    stores = {arm.name: arm.open() for arm in pair}
    row = int(split.expanded.train[0])
    used, place = stores["expanded"].vectors[row : row + 1], stores["expanded"].place(row)
    assert re.fullmatch(r"row \d+ of article Article \d+", place)
    for cosine, words in ((0.999, "; expanded: 1 vectors are copies of held-out"), (0.97, "WARNING"), (0.9, "no leak")):
        vectors = split.heldout.vectors.copy()
        vectors[0] = near(used, cosine)[0]
        changed = replace(split.heldout, vectors=vectors)
        facts = replace(split.facts, fingerprint=changed.fingerprint)
        replace(split, heldout=changed, facts=facts).write(tmp_path / "split")
        proof = prove(tmp_path / "split", stores)
        assert proof.holds == (cosine < 0.98) and words in str(proof)
        assert ("WARNING" in str(proof)) == (cosine == 0.97)
        warned = str(prove(tmp_path / "split", stores, natural=0.89))  # the check found a pile of them at .9
        assert (" and if they are copies, start again with --same 0.89" in warned) == (cosine < 0.98)
        if cosine != 0.9:
            assert proof.arms["expanded"].nearest == pytest.approx(cosine, abs=1e-4) and place in str(proof)
    negated = replace(split.heldout, vectors=np.concatenate([-used, split.heldout.vectors[1:]]))
    facts = replace(split.facts, fingerprint=negated.fingerprint)
    replace(split, heldout=negated, facts=facts).write(tmp_path / "split")
    assert "are the negative of a held-out vector" in str(prove(tmp_path / "split", stores))
    outside = ArmWindows(np.append(split.expanded.train, 10**6), split.expanded.validation)
    replace(split, arms={**split.arms, "expanded": outside}).write(tmp_path / "split")
    with pytest.raises(UserError, match="outside of its store"):
        prove(tmp_path / "split", stores)


def test_repeated_articles_are_one_candidate(tmp_path: Path) -> None:
    pair = arms(
        tmp_path,
        save_articles(tmp_path / "b.npz", ARTICLES[:30]),
        save_articles(tmp_path / "e.npz", [*ARTICLES, *(near(a, 0.995) for a in ARTICLES)]),
    )
    held = draw_split(*pair, seed=0).heldout
    assert held.group is not None
    cosines = held.vectors @ held.vectors.T
    assert np.array_equal(cosines > 0.98, held.group[:, None] == held.group[None])


def test_folds_are_disjoint_and_each_is_proven(tmp_path: Path) -> None:
    pair = arms(
        tmp_path,
        save_articles(tmp_path / "b.npz", [near(article, 0.995) for article in ARTICLES[:30]]),
        save_articles(tmp_path / "e.npz", [*ARTICLES, *NEW]),
    )
    groups = group_arms(*pair)
    folds = draw_folds(*pair, seed=0, folds=3, groups=groups)
    held = [split.heldout.vectors.astype(np.float64) for split in folds]
    for number, split in enumerate(folds):
        assert split.facts.fold == number + 1 and highest(split, *pair) < 0.96
        split.write(tmp_path / f"fold{number}")
        assert prove(tmp_path / f"fold{number}", {arm.name: arm.open() for arm in pair}).holds
        assert split.facts.windows_own and split.facts.windows_own < split.facts.windows
        assert split.facts.windows == pytest.approx(folds[0].facts.windows, rel=0.25)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert float((held[one] @ held[other].T).max()) < 0.96
    with pytest.raises(UserError, match="ten or more for each seed are needed with --folds"):
        draw_folds(*pair, seed=0, folds=60, groups=groups)


def test_a_refusal_names_the_cure(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(np.concatenate(ARTICLES))
    np.savez(tmp_path / "large.npz", vectors=shuffled)
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", ARTICLES[:30]), tmp_path / "large.npz")
    with pytest.raises(UserError, match=r"on\); vectors that follow each other in b.npz stand apart"):
        draw_split(*pair, seed=0)
    contexts, targets = windows_of(walk(900, dim=DIM))
    order = np.random.default_rng(0).permutation(len(targets))
    pair = arms(
        tmp_path,
        save_sequences(tmp_path / "b.npz", contexts[order[:300]], targets[order[:300]]),
        save_sequences(tmp_path / "e.npz", contexts[order], targets[order]),
    )
    with pytest.raises(UserError, match="do not follow each other, save them in reading order"):
        draw_split(*pair, seed=0)
    thrice = [article for article in ARTICLES[:1] for _ in range(3)]
    pair = arms(tmp_path, save_articles(tmp_path / "b.npz", thrice[:2]), save_articles(tmp_path / "e.npz", thrice))
    with pytest.raises(UserError, match=r"only 1 articles.*67% of the vectors of e.npz repeat others, leave"):
        draw_split(*pair, seed=0)
