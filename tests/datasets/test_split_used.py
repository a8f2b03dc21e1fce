"""Another program has used the baseline: nothing of which it has a vector may be held out, in whatever copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.clusters import group_arms
from lvmtui.datasets.proof import prove
from lvmtui.datasets.split import Split, read_split
from lvmtui.system.errors import UserError
from lvmtui.system.files import seal_archive
from tests.datasets.making import arms, draw_split, library, save_articles, save_sequence

ARTICLES = library(80)
USED, NEW = ARTICLES[:30], ARTICLES[30:]


def nearest(split: Split, baseline: Arm) -> float:
    """The highest cosine of a held-out vector with any vector of the file, by comparing everything with everything."""
    return float((split.heldout.vectors.astype(np.float64) @ baseline.open().vectors.T.astype(np.float64)).max())


def made(folder: Path, form: str = "float32") -> tuple[Arm, Arm]:
    """The expanded file has the used articles under other titles, in another order, and in another number format;
    and of three new articles each one vector stands in a used article too."""
    folder.mkdir(parents=True, exist_ok=True)
    new = [article.copy() for article in NEW]
    for i in range(3):
        new[i][3] = USED[i][2]
    order = np.random.default_rng(0).permutation(len(new) + len(USED))
    mixed = [[*new, *USED][i] for i in order]
    return arms(
        folder,
        save_articles(folder / "used.npz", USED, prefix="Old"),
        save_articles(folder / "all.npz", mixed, form=form, prefix="Another title"),
    )


@pytest.mark.parametrize("form", ["float32", "float16", "int8"])
def test_no_article_of_the_used_file_is_held_out_whatever_its_title(tmp_path: Path, form: str) -> None:
    baseline, expanded = made(tmp_path, form)
    leaking, groups = 0, group_arms(baseline, expanded)
    for seed in range(12):
        split = draw_split(baseline, expanded, seed=seed, baseline_used=True, groups=groups)
        assert nearest(split, baseline) <= 0.9
        leaking += nearest(draw_split(baseline, expanded, seed=seed, groups=groups), baseline) > 0.9999
        assert (split.heldout.stratum == 1).all() and split.facts.clusters >= 2
        assert len(split.arms["baseline"].train) == split.facts.baseline.windows == baseline.vectors - 5
        assert not len(split.arms["baseline"].validation) and len(split.expanded.validation)
    assert leaking == 12  # a split that trusts the baseline's own would hold them out


def test_the_proof_looks_at_every_window_of_the_used_file(tmp_path: Path) -> None:
    baseline, expanded = made(tmp_path)
    split = draw_split(baseline, expanded, seed=0, baseline_used=True)
    split.write(tmp_path / "split")
    stores = {"baseline": baseline.open(), "expanded": expanded.open()}
    proof = prove(tmp_path / "split", stores)
    assert proof.holds and proof.arms["baseline"].vectors == baseline.vectors

    read_split(tmp_path / "split")
    trusting = draw_split(baseline, expanded, seed=0)
    trusting.write(tmp_path / "trusting")
    assert prove(tmp_path / "trusting", stores).holds
    with (tmp_path / "trusting" / "baseline.npz").open("wb") as out:  # the old trainer took other windows than we give
        np.savez(out, train=split.arms["baseline"].train, validation=split.arms["baseline"].validation)
    seal_archive(tmp_path / "trusting" / "baseline.npz")
    leak = prove(tmp_path / "trusting", stores)
    assert not leak.holds and leak.arms["baseline"].held_out_leaks > 0


def test_where_text_runs_on_the_vectors_beside_the_used_ones_are_left_out(tmp_path: Path) -> None:
    text = np.concatenate(ARTICLES)
    used = len(np.concatenate(USED))
    baseline, expanded = arms(
        tmp_path, save_sequence(tmp_path / "used.npz", text[:used]), save_sequence(tmp_path / "all.npz", text)
    )
    groups = group_arms(baseline, expanded)
    for seed in range(12):
        split = draw_split(baseline, expanded, seed=seed, baseline_used=True, groups=groups)
        assert nearest(split, baseline) <= 0.9
        first = (split.heldout.vectors @ text[used : used + 5].T).max(axis=0)
        assert (first <= 0.9999).all()


def test_a_used_file_that_has_everything_leaves_nothing_to_judge_on(tmp_path: Path) -> None:
    baseline, expanded = arms(
        tmp_path,
        save_articles(tmp_path / "used.npz", [*USED, *NEW[:-1]]),
        save_articles(tmp_path / "all.npz", [*NEW, *USED]),
    )
    with pytest.raises(UserError, match=r"only 1 articles.*that have no vector in common with"):
        draw_split(baseline, expanded, seed=0, baseline_used=True)
