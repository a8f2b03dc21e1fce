"""What `auto` comes to, and how it is explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.estimate.eta import Eta
from lvmtui.formats.paths import Workspace
from lvmtui.planning.choose import FULL_FROM, AutoChoice, choose, remarks_on, with_other
from lvmtui.planning.describe import plan_as_json, plan_as_text
from lvmtui.planning.options import Options
from lvmtui.planning.own_tables import read_own
from lvmtui.planning.plan import make_plan
from tests.trainers.tiny import plan_campaign, tiny_options, train_here, write_walk


@pytest.mark.parametrize(
    ("recipe", "size", "windows", "chosen"),
    [
        ("auto", "auto", FULL_FROM - 1, ("tuned", "small")),
        ("auto", "auto", FULL_FROM, ("tuned", "full")),
        ("auto", "full", 100, ("tuned", "full")),
        ("reference", "auto", 100, ("reference", "full")),
        ("reference", "small", 100, ("reference", "small")),
        ("tuned", "auto", 100, ("tuned", "small")),
    ],
)
def test_auto_is_decided_by_the_data(recipe: str, size: str, windows: int, chosen: tuple[str, str]) -> None:
    options, choices = choose(Options(recipe=recipe, size=size), windows)
    assert (options.recipe, options.size) == chosen
    assert [c.option for c in choices] == [n for n, v in (("recipe", recipe), ("size", size)) if v == "auto"]
    assert all(c.value != c.other and c.value == getattr(options, c.option) for c in choices)


def test_a_choice_tells_its_reason_and_the_cost_of_the_other() -> None:
    choice = AutoChoice("size", "small", "full", "few windows")
    said = choice.sentence(Eta(50.0, 40.0, 60.0), Eta(2340.0, 2000.0, 2500.0))
    assert said == "size small: few windows; --size full would take about 39 m 00 s instead of 50 s"
    said = choice.sentence(Eta(50.0, 40.0, 60.0), Eta(55.0, 40.0, 70.0))
    assert said == "size small: few windows; --size full would take about as long"


def test_the_cost_of_the_reference_recipe_is_that_of_its_own_size() -> None:
    asked = Options()
    recipe, size = choose(asked, 100)[1]
    other = with_other(asked, recipe, 100)
    assert (other.recipe, other.size) == ("reference", "full"), "what --recipe reference alone would train"
    other = with_other(asked, size, 100)
    assert (other.recipe, other.size) == ("tuned", "full")


def test_a_program_of_ones_own_takes_as_long_with_any_recipe(tmp_path: Path) -> None:
    """Its guessed steps were counted by the other recipe, which made a minute of half of one."""
    tables = {name: {"command": "true", "pattern": "x (?P<cosine>.)"} for name in ("open", "other")}
    own, workspace = read_own({"trainers": tables}, tmp_path / "campaign.toml"), Workspace(tmp_path)
    options = tiny_options(tmp_path, recipe="auto", epochs=None, jobs=1, batch_size=8)
    alone = make_plan(options, workspace)
    assert " s instead of " in alone.remarks[0]
    beside = make_plan(replace(options, models=("amn", "open", "other"), own=own), workspace)
    assert beside.expected.seconds > 3 * alone.expected.seconds
    assert beside.remarks[0].endswith("--recipe reference would take about as long")


def test_a_count_of_seeds_is_explained() -> None:
    assert remarks_on(Options(seeds=(3,))) == ["--seeds 3 is one seed, number 3; for 3 seeds write --seeds 1 2 3"]
    assert not any(remarks_on(Options(seeds=seeds)) for seeds in ((1,), (2, 3), (42,)))


def test_epochs_that_change_nothing_are_told(tmp_path: Path) -> None:
    tables = {name: {"command": "true {steps}", "title": name.upper()} for name in ("open", "fixed")}
    tables["fixed"]["epochs"] = 4  # type: ignore[assignment]
    own = read_own({"trainers": tables}, tmp_path / "campaign.toml")
    asked = Options(models=("open", "fixed", "amn"), epochs=3, own=own)
    changes_nothing = "epochs 3 does not apply to FIXED: steps or epochs in its own table come first"
    counts = "FIXED: run.steps is its number of epochs; if its loop counts batches, give steps"
    assert remarks_on(asked) == [changes_nothing, counts] and remarks_on(replace(asked, epochs=None)) == [counts]
    assert not remarks_on(replace(asked, models=("open", "amn")))
    tables["fixed"]["pattern"] = r"epoch (?P<epoch>\d+) (?P<cosine>\S+)"
    printed = read_own({"trainers": tables}, tmp_path / "campaign.toml")
    assert remarks_on(replace(asked, own=printed)) == [changes_nothing], "it prints its epochs"


def test_the_plan_says_what_was_chosen(tmp_path: Path) -> None:
    workspace, _ = plan_campaign(tmp_path)
    small, large = str(tmp_path / "small.npz"), str(tmp_path / "large.npz")
    options = Options(small, large, models=("amn",), batch_size=32, labels=("a", "b"))
    plan = make_plan(replace(options, seeds=(2,)), workspace)
    assert (plan.campaign.recipe, plan.campaign.size) == ("tuned", "small")
    assert [r.partition(":")[0] for r in plan.remarks[:2]] == ["recipe tuned", "size small"]
    for remark in plan.remarks:
        assert remark in plan_as_text(plan)
    assert plan_as_json(plan, workspace)["remarks"] == list(plan.remarks) and len(plan.remarks) == 3
    assert "would take about" in plan.remarks[0] and "--seeds 1 2" in plan.remarks[2]

    original = make_plan(replace(options, recipe="reference"), workspace)
    assert (original.campaign.recipe, original.campaign.size) == ("reference", "full")
    assert original.expected.seconds > plan.expected.seconds
    assert not make_plan(replace(options, recipe="tuned", size="small"), workspace).remarks


def test_runs_beside_earlier_ones_are_trained_as_those_were(tmp_path: Path) -> None:
    workspace, runs = plan_campaign(tmp_path)
    train_here(runs[0])
    write_walk(tmp_path / "larger.npz", 90, seed=0)
    options = Options(
        expanded=str(tmp_path / "larger.npz"),
        models=("amn",),
        labels=("small", "larger"),
        arms="expanded",
        baseline_runs=(str(runs[0].path),),
    )
    plan = make_plan(options, workspace)
    assert (plan.campaign.recipe, plan.campaign.size, plan.remarks) == ("tuned", "small", ())
