"""Conditions of a fair comparison that need no scores, and what is noted beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lvmtui.contract.events import Trained
from lvmtui.contract.workspace import Workspace
from lvmtui.judge.comparable import Side, checks_of, contention_notes, for_seed, merged, settled
from lvmtui.judge.comparison import METRIC, Check
from lvmtui.state.run_state import RunState
from tests.factory import FINGERPRINT, Curve, bring_to, make_campaign
from tests.judge.scenes import state_of


def pair(root: Path, curve: Curve | None = None) -> tuple[RunState, RunState]:
    campaign = make_campaign(root, models=("amn",), total_steps=24)
    for arm in ("baseline", "expanded"):
        bring_to(root, campaign, "amn", arm, state="finished", curve=curve)  # type: ignore[arg-type]
    views = state_of(Workspace(root), campaign).runs
    assert views[0].state and views[1].state
    return views[0].state, views[1].state


def side(state: RunState, **options: object) -> Side:
    return replace(Side(state, True, METRIC, FINGERPRINT, ""), **options)  # type: ignore[arg-type]


def with_speeds(state: RunState, speeds: list[float]) -> RunState:
    points = tuple(Trained(0.0, i, 0.5, 0.5, 0.001, speed, 0.0) for i, speed in enumerate(speeds))
    return replace(state, trainer=replace(state.trainer, points=points))


def test_all_conditions_hold_for_two_runs_of_one_campaign(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    found = checks_of(campaign, side(baseline), side(expanded))
    assert all(check.passed for check in found)
    assert len({check.name for check in found}) == len(found) == 8


def test_a_baseline_of_another_campaign_may_have_seen_the_held_out_vectors(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    foreign = replace(baseline, spec=replace(baseline.spec, split_fingerprint="f" * 64, dim=768))
    failed = [
        c for c in checks_of(campaign, side(foreign, scores_fingerprint="f" * 64), side(expanded)) if not c.passed
    ]
    assert [c.name for c in failed] == ["held-out windows", "held-out by content", "vector space"]
    assert failed[1].words == "8k may have trained on held-out vectors: its split is another campaign's"


def test_a_condition_that_fails_for_one_seed_fails() -> None:
    good, bad = Check("recipe", True, "the same"), Check("recipe", False, "rate .1 and .2")
    assert merged(((good,), for_seed((bad,), 2))) == (Check("recipe", False, "seed 2: rate .1 and .2"),)
    assert merged((for_seed((good,), 1), (good,))) == (good,)


def test_an_early_stop_is_a_plateau(tmp_path: Path) -> None:
    rising, _ = pair(tmp_path, Curve(0.60, start=0.10, steepness=0.8, noise=0.0))
    assert not settled(rising)
    finished = rising.trainer.finished
    assert finished
    stopped = replace(rising, trainer=replace(rising.trainer, ending=replace(finished, stopped_early=True)))
    assert settled(stopped)


def test_a_shared_machine_is_noted(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    steady, slowed = [400.0] * 40, [400.0] * 30 + [150.0] * 10
    assert contention_notes(with_speeds(baseline, steady), with_speeds(expanded, steady)) == ()
    (note,) = contention_notes(with_speeds(baseline, slowed), with_speeds(expanded, steady))
    assert note.startswith("8k: a tenth of the training ran at 150 windows/s or less, half of it above 400")
    (note,) = contention_notes(with_speeds(baseline, steady), with_speeds(expanded, [200.0] * 40))
    assert note.startswith("8k trained at 400 windows/s, 23k at 200;")
