"""What may be told before the runs are over."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.report.make import write_report
from lvmtui.state.campaign_reader import RunView
from lvmtui.state.run_state import RunState
from lvmtui.verdict.answer import answer
from lvmtui.verdict.compare import compare
from lvmtui.verdict.early import PairSoFar, early_change
from tests.factory import State
from tests.verdict.scenes import by_own_trainer, finished, read_table, state_of
from tests.verdict.series import SPEC, TRIVIAL, evaluated, run_of


def so_far(arm: str, cosines: list[float], total: int = 10) -> RunState:
    """A run with the first `len(cosines)` of its `total` evaluations."""
    run = run_of([evaluated(step, cosine) for step, cosine in enumerate(cosines, 1)])
    return replace(run, spec=replace(SPEC, arm=arm, total_steps=100 * total))


def pair(baseline: list[float], expanded: list[float], bars: tuple[float, float] = (0.5, 0.5)) -> PairSoFar:
    known: dict[ArmName, TrivialBaselines | None] = {
        arm: replace(TRIVIAL, arm=arm, fingerprint="f", validation_cosines={"mean": 0.1, "recency_mean": bar})
        for arm, bar in zip(ARMS, bars, strict=True)
    }
    return so_far("baseline", baseline), so_far("expanded", expanded), known


def test_each_arm_is_read_against_the_recency_mean_of_its_own_windows() -> None:
    found = early_change([pair([0.5] * 10, [0.48] * 10, (0.5, 0.45))])
    assert found is not None
    assert found.percent == pytest.approx(100 * (0.48 / 0.45 - 1)) and found.share == 1.0
    assert found.words == "about +6.7 % so far (at 100 % of training)"


def test_a_ridge_that_gains_from_more_data_too_hides_nothing() -> None:
    baseline, expanded, known = pair([0.7] * 10, [0.72] * 10)
    ridge = {
        arm: replace(of, validation_cosines={**of.validation_cosines, "ridge": cosine})
        for (arm, of), cosine in zip(known.items(), (0.66, 0.71), strict=True)
        if of
    }
    found = early_change([(baseline, expanded, ridge)])
    assert found is not None and found.percent == pytest.approx(100 * (0.72 / 0.7 - 1))


def test_only_equal_progress_is_compared() -> None:
    rising = [0.40 + 0.01 * step for step in range(10)]
    found = early_change([pair(rising[:6], rising)])
    assert found is not None and dataclasses.astuple(found) == pytest.approx((0.0, 0.6, 1, 1))


@given(st.integers(1, 10), st.integers(1, 10))
def test_before_half_of_the_training_of_both_nothing_is_told(first: int, second: int) -> None:
    found = early_change([pair([0.5] * first, [0.5] * second)])
    assert (found is None) is (min(first, second) < 5)


def test_seeds_that_have_not_come_far_enough_do_not_count() -> None:
    early, late = pair([0.5] * 2, [0.9] * 2), pair([0.5] * 8, [0.55] * 8)
    found = early_change([early, late])
    assert found is not None and found.percent == pytest.approx(10.0)
    assert replace(found, planned=3).words == "about +10.0 % so far (at 80 % of training, 1 of 3 seeds)"
    assert early_change([]) is None


def test_other_windows_and_missing_baselines_tell_nothing() -> None:
    baseline, expanded, known = pair([0.5] * 10, [0.55] * 10)
    trivial = known["baseline"]
    assert trivial is not None
    for other in (None, replace(trivial, fingerprint="another split")):
        assert early_change([(baseline, expanded, {**known, "baseline": other})]) is None
    old = replace(trivial, validation_cosines={}, validation_mean=0.4)
    found = early_change([(baseline, expanded, {**known, "baseline": old})])
    assert found is not None and found.percent == pytest.approx(100 * (1.1 / 1.25 - 1))


def test_a_pair_that_cannot_be_compared_any_more_has_no_change_so_far(tmp_path: Path) -> None:
    ended, running = ("amn", "baseline"), ("amn", "expanded")
    states: dict[tuple[str, str], State] = {ended: "finished", running: "running"}
    (row,) = read_table(state_of(*finished(tmp_path / "a", {"amn": (0.51, 0.52)}, seeds=(1,), states=states))).rows
    assert row.early
    states[ended] = "collapsed"
    (row,) = read_table(state_of(*finished(tmp_path / "b", {"amn": (0.51, 0.52)}, seeds=(1,), states=states))).rows
    assert row.baseline.alarms and row.early is None


def test_what_an_earlier_version_judged_has_no_change_so_far_and_is_not_called_unjudged(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.51, 0.52), "gru": (0.51, 0.52)})
    assert read_table(state_of(workspace, campaign)).rows[0].early, "finished, and not compared yet"
    for model in campaign.models:
        path = workspace.campaign(campaign.id).comparison(model)
        compare(workspace.campaign(campaign.id), model)
        earlier = {"version": 1} if model == "amn" else {"effects": None}  # the last 0.1.0 wrote 2 already
        path.write_text(json.dumps(json.loads(path.read_text()) | earlier))
    table = read_table(state_of(workspace, campaign))
    said = "judged by the rules of another version; 'lvmtui report --campaign ID' judges it again"
    assert [(row.change, row.early, row.no_change) for row in table.rows] == [(None, None, said)] * 2
    assert answer(table) == f"No answer yet: {said}."
    write_report(workspace, campaign.id)
    assert answer(read_table(state_of(workspace, campaign))).startswith("More data helped")


def handed_in(own: RunView, judged: RunView) -> RunView:
    """A run of a user's own program with the held-out scores of another."""
    assert own.state and judged.state
    return replace(own, state=replace(own.state, trainer=judged.state.trainer))


def test_own_trainers_have_no_change_so_far_as_their_validation_windows_are_not_known(tmp_path: Path) -> None:
    workspace, campaign = finished(
        tmp_path, {"mine": (0.51, 0.6)}, seeds=(1,), states={("mine", "expanded"): "interrupted"}
    )
    (ours,) = read_table(state_of(workspace, campaign)).rows
    state = replace(state_of(workspace, campaign), runs=by_own_trainer(state_of(workspace, campaign), "mine").runs)
    assert ours.change is not None
    (mine,) = read_table(state).rows
    assert mine.change is None and mine.early is None and mine.notes == ("no verdict without its predictions",)
    handed = replace(state, runs=tuple(map(handed_in, state.runs, state_of(workspace, campaign).runs)))
    assert read_table(handed).rows[0].notes == ("not judged before all of its runs have ended",)
