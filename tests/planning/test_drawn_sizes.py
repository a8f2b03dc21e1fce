"""Sizes of one file whose articles each seed draws anew: plan and report tell the figures of all seeds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lvmtui.datasets.proof import prove_campaign
from lvmtui.formats.paths import Workspace
from lvmtui.planning.describe import plan_as_text
from lvmtui.planning.options import Options
from lvmtui.planning.plan import Plan, make_plan, write_plan
from lvmtui.report.make import read_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import spread
from lvmtui.verdict.sizes import _Grid
from tests.datasets.making import save_articles, walk


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Many short articles and a few long ones, of which one alone can make up a size."""
    lengths = [300 if number % 20 == 7 else 8 + number % 9 for number in range(160)]
    articles = [walk(length, seed=number) for number, length in enumerate(lengths)]
    return Options(
        data=(str(save_articles(tmp_path / "large.npz", articles)),), sizes=("600", "1000", "all"), models=("amn",),
        recipe="tuned", size="small", batch_size=32, seeds=(1, 2, 3),
    )  # fmt: skip


def lines_of(plan: Plan, first: str) -> list[str]:
    return [line for line in plan_as_text(plan).splitlines() if line.startswith(first)]


def test_the_figures_of_a_size_are_those_of_all_seeds(options: Options, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    plan = make_plan(options, workspace)
    (recipe,) = lines_of(plan, "recipe ")
    for arm, line in zip(plan.campaign.arms, lines_of(plan, "size "), strict=True):
        specs = [spec for spec in plan.specs if spec.arm == arm]
        windows = [spec.train_windows for spec in specs]
        assert f"; {spread(windows)} windows to train" in line
        epochs = [spec.total_steps / (count // 32) for spec, count in zip(specs, windows, strict=True)]
        assert f"{spread(epochs, '{:.1f}'.format)} epochs of {specs[0].label}" in recipe
    smallest = plan.campaign.baseline
    windows = list(smallest.each("train_windows"))
    assert [len(split.arms["baseline"].train) for split in plan.splits] == windows
    assert max(windows) > 1.25 * min(windows), "or this test shows nothing"
    assert (
        f"600: {spread(smallest.each('vectors'))} vectors of {spread(smallest.each('articles'))} articles (the "
        in (lines_of(plan, "size 1")[0])
    )
    whole = plan.campaign.expanded
    assert not whole.by_seed and whole.told("vectors") == f"{whole.vectors:,}"
    assert "the longest" not in lines_of(plan, "size 3")[0], "less than a quarter"

    (doubt,) = plan.campaign.doubts
    assert f"at the smallest size, 600, the seeds train on {spread(windows)} windows" in doubt
    write_plan(plan, workspace)
    proofs, holds = prove_campaign(workspace.campaign(plan.campaign.id))
    assert holds and [line.split(":")[0] for line in proofs.splitlines()] == ["seed 1", "seed 2", "seed 3"]
    state = CampaignReader(workspace, workspace.campaign(plan.campaign.id)).refresh()
    assert state.campaign.arms == plan.campaign.arms
    report = markdown(page_of(read_report(state, now=plan.campaign.created), curves="curves"))
    each = (arm.told("train_windows") for arm in plan.campaign.arms.values())
    assert re.search(rf"\| training windows +\| +{' +[|] +'.join(each)} +\|", report)
    assert report.count("the seeds train on") == 1
    runs = [(run.arm, run.seed) for run in read_report(state, now=plan.campaign.created).runs]
    assert runs == [(arm, seed) for arm in plan.campaign.arms for seed in (1, 2, 3)], "from the smallest size"
    assert report.count("vectors are aimed at; whole articles come as near as they can\n") == 1


def test_seeds_that_train_alike_are_no_doubt(options: Options, tmp_path: Path) -> None:
    plan = make_plan(replace(options, subsets="file"), Workspace(tmp_path))
    assert not plan.campaign.doubts and not any(arm.by_seed for arm in plan.campaign.arms.values())
    assert len(lines_of(plan, "note       600, 1k, ")) == 1


def test_epochs_are_told_where_folds_differ_in_updates(options: Options, tmp_path: Path) -> None:
    plan = make_plan(replace(options, folds=True, batch_size=8, sizes=("600", "1000", "2000")), Workspace(tmp_path))
    assert len({spec.total_steps for spec in plan.specs}) > 1, "or this test shows nothing"
    assert " for all sizes (" in lines_of(plan, "recipe ")[0] and " epochs of 600, " in lines_of(plan, "recipe ")[0]


def test_a_point_of_a_curve_stands_at_the_means_of_its_seeds(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_plan(options, Workspace(tmp_path)).campaign
    monkeypatch.setattr(_Grid, "_trivial", lambda grid, arm: {})
    grid = _Grid(cast(Any, SimpleNamespace(campaign=campaign)), "amn", list(campaign.arms), (1, 3), {})
    measured = SimpleNamespace(whiskers=np.zeros(3), windows=np.ones(3), error=np.zeros(3))
    points = grid.points(cast(Any, measured))
    first, _, third = campaign.baseline.by_seed["vectors"]
    assert points[0].vectors == round((first + third) / 2) != first
    assert points[-1].vectors == campaign.expanded.vectors


def test_a_size_without_a_window_is_refused_in_a_line(tmp_path: Path) -> None:
    """An article of three vectors has windows only together with the next one, which that size does not hold."""
    articles = [walk(3 if number % 6 else 30, seed=number) for number in range(300)]
    file = save_articles(tmp_path / "short.npz", articles)
    options = Options(
        data=(str(file),), sizes=("3", "200", "all"), models=("amn",), recipe="tuned", size="small", batch_size=4,
        cross_articles=True,
    )  # fmt: skip
    refused = 0
    for seed in range(8):
        try:
            make_plan(replace(options, seeds=(seed,)), Workspace(tmp_path))
        except UserError as error:
            refused += "has only 0 training windows" in str(error)
    assert refused, "or this test shows nothing"


@pytest.mark.parametrize(("batch", "eight_batches"), [(16, True), (128, False)])
def test_a_count_of_sizes_spans_two_doublings_also_of_a_small_file(
    options: Options, tmp_path: Path, batch: int, eight_batches: bool
) -> None:
    """From eight batches on it spanned less than a factor of two, of which no doubling can be told."""
    plan = make_plan(replace(options, sizes=("4",), batch_size=batch, seeds=(1,)), Workspace(tmp_path))
    sizes = [arm.vectors for arm in plan.campaign.arms.values()]
    assert sizes == sorted(sizes) and len(sizes) == 4 and sizes[-1] >= 3.5 * sizes[0]
    assert (plan.campaign.baseline.train_windows < 10 * batch) and (sizes[-1] > 5 * sizes[0]) is eight_batches
