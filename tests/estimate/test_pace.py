"""What runs have shown of a machine, what it says of other work, and what work costs before that."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.estimate.cost import LATENCY, closing_cost, evaluation_cost, parameters_of, step_cost
from lvmtui.estimate.eta import CALIBRATING, Left, all_of, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Guess, Machine, Shown
from lvmtui.estimate.stopping import UNKNOWN
from lvmtui.models import MODELS
from tests.estimate.works import WORK, shown


def test_a_machine_is_learned_from_any_model_and_a_kind_from_its_own() -> None:
    nothing = NOTHING_SHOWN.step(WORK)
    other = Machine((shown("lstm", 4.0),)).step(WORK)
    same = Machine((shown("lstm", 4.0), shown("gru", 3.0))).step(WORK)
    own = Machine((shown("lstm", 4.0), shown("gru", 3.0))).step(WORK, shown("gru", 2.0, "own", 600.0))
    assert nothing.mean == 0 and 0 < other.mean < math.log(4)
    assert abs(same.mean - math.log(3)) < 0.1
    assert math.log(2) < own.mean < math.log(2.5)
    assert nothing.variance > other.variance > same.variance > own.variance
    assert math.sqrt(nothing.variance) > CALIBRATING > math.sqrt(other.variance)


def test_what_a_gpu_shows_says_nothing_of_a_cpu() -> None:
    gpu = replace(shown("gru", 0.1), work=replace(WORK, device="NVIDIA H200"))
    assert Machine((gpu,)).step(WORK) == NOTHING_SHOWN.step(WORK)


def test_a_machine_whose_speed_drifts_widens_the_range() -> None:
    calm = Machine((replace(shown("gru", 2.0), drift=0.01),))
    wild = Machine((replace(shown("gru", 2.0), drift=0.6),))
    assert wild.step(WORK).variance > 4 * calm.step(WORK).variance


@given(st.floats(-3, 3), st.floats(0.01, 1), st.floats(-3, 3), st.floats(0.01, 1))
def test_an_observation_makes_surer_and_draws_nearer(mean: float, variance: float, value: float, noise: float) -> None:
    after = Guess(mean, variance).and_seen(value, noise)
    assert after.variance < min(variance, noise)
    assert min(mean, value) - 1e-9 <= after.mean <= max(mean, value) + 1e-9


def test_the_table_counts_the_models_parameters() -> None:
    models = pytest.importorskip("trainers.models")
    for model in MODELS:
        for size in ("small", "full"):
            for dim in (64, 384):
                built = models.build(model, dim, size)
                assert parameters_of(model, size, dim) == sum(p.numel() for p in built.parameters())
    assert parameters_of("sixth", "small", 384) is None


def test_dearer_work_costs_more() -> None:
    for more in (replace(WORK, batch_size=256), replace(WORK, model="graphmert_lvm"), replace(WORK, size="full")):
        assert step_cost(more) > step_cost(WORK)
    assert step_cost(replace(WORK, threads=2)) < step_cost(WORK)
    assert step_cost(replace(WORK, device="cuda")) < step_cost(WORK)
    assert evaluation_cost(replace(WORK, validation_windows=9000)) > evaluation_cost(WORK)
    assert closing_cost(replace(WORK, heldout_windows=22_000)) > closing_cost(WORK)
    assert replace(WORK, device="CPU, 2 threads").kind == replace(WORK, device="auto").kind


def test_the_latency_of_a_slow_model_is_counted_and_takes_five_seconds_at_most() -> None:
    """A model of 0.4 s a prediction took 88 s after its last step, of which none was expected."""
    quick = closing_cost(replace(WORK, alone=1e-4))
    assert closing_cost(replace(WORK, alone=0.01)) - quick == pytest.approx(2.2, abs=0.03)
    for alone, speed in ((0.1, 1.0), (0.4, 1.0), (0.4, 3.0)):
        slow = closing_cost(replace(WORK, alone=alone), speed)
        assert slow - speed * quick == pytest.approx(LATENCY, abs=0.1), (alone, speed)
    theirs = replace(WORK, ours=False)
    assert closing_cost(theirs) == closing_cost(replace(theirs, alone=0.4)), "whose latency is not measured"


def test_a_slow_trainer_of_the_users_own_is_scored_by_us_as_fast_as_any() -> None:
    """Its step is an epoch of two seconds; what comes after the last one is our code, at our speed."""
    theirs = replace(WORK, model="mine", steps=20, evaluate_every=1, patience=None, ours=False)
    own = Shown("mine", theirs, math.log(2 / step_cost(theirs)), 38.0, evaluation_seconds=0.0)
    machine = Machine((own,))
    last = time_of(theirs, Left(1, 1, 1, "training"), machine, UNKNOWN, own)
    assert last.median == pytest.approx(2 + closing_cost(theirs), rel=0.1)
    queued = time_of(theirs, all_of(theirs), machine)
    assert queued.median == pytest.approx(20 * 2 + closing_cost(theirs) + machine.startup, rel=0.1)
