"""How many evaluations are left where a run may stop early: every end has its chance, learned by arm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.estimate.cost import step_cost, work_of
from lvmtui.estimate.eta import Left, all_of, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine
from lvmtui.estimate.stopping import PRIOR, UNKNOWN, Worsening, ends_of, quantile, without_better, worsening_of
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.user_code import OwnTrainer
from tests.estimate.works import WORK, shown
from tests.factory import make_campaign, planned_run
from tests.verdict.series import evaluated, run_of


@given(
    st.integers(0, 40),
    st.one_of(st.none(), st.integers(1, 12)),
    st.one_of(st.none(), st.integers(0, 12)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_every_end_has_its_chance(
    left: int, patience: int | None, so_far: int | None, after_better: float, after_worse: float
) -> None:
    ends = ends_of(left, patience, so_far, Worsening(after_better, after_worse))
    assert sum(chance for _, chance in ends) == pytest.approx(1)
    assert all(0 <= evaluations <= left and chance >= 0 for evaluations, chance in ends)
    assert quantile(ends, 0.1) <= quantile(ends, 0.5) <= quantile(ends, 0.9)
    if patience and so_far is None:
        assert all(chance < 1e-9 for n, chance in ends if n <= min(patience, left - 1)), "the first is always the best"


def test_patience_ends_exactly_when_it_must() -> None:
    assert ends_of(10, 3, 2, Worsening(1, 1)) == ((1, 1.0), (10, 0.0))
    assert ends_of(10, None, 2, Worsening(1, 1)) == ((10, 1.0),)
    assert ends_of(10, 3, 0, Worsening(0, 1))[-1] == (10, 1.0)
    assert [n for n, p in ends_of(10, 3, None, Worsening(1, 1)) if p > 0] == [4]


def test_when_a_trainer_of_the_users_own_stops_is_not_known_so_all_its_steps_are_counted(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("gru",), recipe="tuned")
    spec = read_spec(Workspace(tmp_path).run(planned_run(campaign, "gru", "baseline")).spec)
    assert work_of(spec).patience == spec.recipe.patience == 8
    assert work_of(replace(spec, own_trainer=OwnTrainer("mine", "python mine.py", "/"))).patience is None


def test_an_epoch_of_a_trainer_of_the_users_own_costs_as_much_as_its_arm_has_windows(tmp_path: Path) -> None:
    """What the small arm's epochs took says nothing of the large arm's but by their windows."""
    campaign = make_campaign(tmp_path, models=("mine",))
    small, large = (
        read_spec(Workspace(tmp_path).run(planned_run(campaign, "mine", arm)).spec) for arm in ("baseline", "expanded")
    )

    def cost(spec: RunSpec, unit: Literal["step", "epoch"]) -> float:
        return step_cost(work_of(replace(spec, own_trainer=OwnTrainer("mine", "python mine.py", "/", unit=unit))))

    windows = large.train_windows / small.train_windows
    assert cost(large, "epoch") / cost(small, "epoch") == pytest.approx(windows, rel=0.02)
    assert cost(large, "step") == cost(small, "step") == step_cost(work_of(small))


def test_chances_are_counted_by_arm() -> None:
    """The first evaluation, always the best so far, counts for nothing."""
    (a, b), (c, d) = PRIOR
    stopped = run_of([evaluated(p, 0.5, best=p == 1) for p in range(1, 6)])
    rising = run_of([evaluated(p, 0.5) for p in range(1, 6)])
    assert worsening_of([run_of([evaluated(1, 0.5)])])["baseline"] == Worsening(a / b, c / d)
    assert worsening_of([stopped])["baseline"] == Worsening((a + 1) / (b + 1), (c + 3) / (d + 3))
    assert worsening_of([rising])["baseline"] == Worsening(a / (b + 4), c / d)
    assert set(worsening_of([stopped])) == {"baseline"}


def test_evaluations_since_the_best() -> None:
    run = [evaluated(p, 0.5, best=p in (1, 3)) for p in range(1, 6)]
    assert without_better(run) == 2 and without_better(run[:3]) == 0 and without_better([]) is None


def test_the_last_evaluation_may_come_sooner_than_the_others() -> None:
    """525 steps, evaluated every 26: 20 evaluations and one 5 steps later."""
    work = replace(WORK, steps=525, evaluate_every=26, patience=2)
    machine = Machine((shown("gru", 1.0),))
    stops = time_of(work, Left(525 - 104, 17, 26, "training", 0.0, 1), machine, Worsening(1, 1))
    whole = time_of(replace(work, steps=130), Left(26, 1, 26, "training"), machine)
    assert stops.median == pytest.approx(whole.median)


def test_runs_that_may_stop_early_have_a_wider_range_and_learn() -> None:
    patient = replace(WORK, patience=3)
    left = all_of(WORK)
    sure = time_of(WORK, left, NOTHING_SHOWN)
    doubtful = time_of(patient, left, NOTHING_SHOWN)
    stops = time_of(patient, left, NOTHING_SHOWN, Worsening(0.9, 0.98))
    assert doubtful.eta.low < sure.eta.low and doubtful.mean < sure.mean
    assert stops.median < 0.5 * sure.median
    soon = time_of(patient, replace(left, without_better=2), NOTHING_SHOWN, UNKNOWN)
    assert soon.median < doubtful.median
