"""The learning curve: what is fitted, what is said, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.spec import arm_names
from lvmtui.verdict.interval import Design
from lvmtui.verdict.learning_curve import EXPONENTS, Floats, Measured, fit, measure
from lvmtui.verdict.model_crossings import by_size, leaders, more_for_less, overtaking
from lvmtui.verdict.sizes import _missing, _most_complete
from tests.factory import make_campaign

WINDOWS = np.geomspace(1000, 16_000, 5)
CLUSTERS = 60


def measured(
    error: Floats, noise: float = 1e-4, windows: Floats = WINDOWS, shared: float = 0.0, seed: int = 5
) -> Measured:
    """Errors whose own standard error is about `noise` at each size, beside one that all sizes share."""
    random = np.random.default_rng(seed)
    own = random.normal(0, noise / np.sqrt(CLUSTERS), (CLUSTERS, len(error)))
    common = random.normal(0, shared / np.sqrt(CLUSTERS), (CLUSTERS, 1))
    zeros = np.zeros(len(error))
    return Measured(np.asarray(windows), np.asarray(error), own + common, 40.0, zeros, 0.0)


def power_law(exponent: float, floor: float = 0.45, fall: float = 0.05) -> Floats:
    """Falls by `fall` from the smallest size to the largest."""
    shape = WINDOWS**-exponent if exponent else -np.log(WINDOWS)
    return np.asarray(floor + fall * (shape - shape[-1]) / (shape[0] - shape[-1]))


@settings(max_examples=30, deadline=None)
@given(exponent=st.sampled_from(EXPONENTS[5:].tolist()), fall=st.floats(0.01, 0.2))
def test_a_power_law_without_noise_is_found_again(exponent: float, fall: float) -> None:
    error = power_law(exponent, fall=fall)
    curve = fit(measured(error, noise=1e-6))
    assert curve.exponent == pytest.approx(exponent, abs=0.011)
    step = error[-2] - error[-1]  # 4 doublings in 4 steps
    assert curve.gain(2).value == pytest.approx(step * 2**-exponent, rel=0.02)
    assert curve.gain(2).low <= curve.gain(2).value <= curve.gain(2).high
    assert curve.floor is not None and 1 - curve.floor > 1 - error[-1]
    assert np.allclose(curve.at(WINDOWS), error, atol=1e-4)


def test_a_straight_line_in_log_n_has_no_floor_and_every_doubling_brings_the_same() -> None:
    curve = fit(measured(power_law(0, fall=0.04), noise=1e-6))
    assert curve.exponent == 0 and curve.floor is None
    assert curve.gain(2).value == pytest.approx(0.01) and curve.gain(8).value == pytest.approx(0.03)
    assert np.isinf(curve.gain(np.inf).high)
    assert "a straight line in log n fits too" in curve.refuses(np.inf) and not curve.refuses(10)


def test_what_all_sizes_share_does_not_widen_the_interval() -> None:
    plain, hard = (fit(measured(power_law(0.3), shared=shared)) for shared in (0.0, 0.05))
    widths = [curve.gain(2).high - curve.gain(2).low for curve in (plain, hard)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert hard.measured.covariance[0, 0] > 100 * plain.measured.covariance[0, 0]


@pytest.mark.parametrize(
    ("exponent", "fall", "noise", "word"),
    [
        (0.0, 0.05, 1e-4, "still rising"),
        (0.9, 0.08, 1e-4, "flattening"),
        (0.0, 0.0, 1e-4, "flat"),
        (0.0, -0.05, 1e-4, "falling"),
        (0.0, 0.0, 2e-2, "cannot tell"),
    ],
)
def test_each_word_has_its_curve(exponent: float, fall: float, noise: float, word: str) -> None:
    error = power_law(exponent, fall=fall)
    found, reason = fit(measured(error, noise)).word(1 - float(error[-1]))
    assert found == word and bool(reason) == (word == "cannot tell")


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_three_sizes_do_not_look_surer_than_more_and_are_not_carried_far(exponent: float) -> None:
    """Three points lie on a curve of any exponent that is between them, so nothing shows that they lie on a line."""
    error = power_law(exponent, fall=0.08)
    three, five = fit(measured(error[:3], windows=WINDOWS[:3])), fit(measured(error))
    truth = fit(measured(error[:3], noise=1e-6, windows=WINDOWS[:3])).gain(2)
    assert truth.low <= error[2] - error[3] <= truth.high and three.plausible_exponents[0] == 0
    assert three.gain(2).high - three.gain(2).low > 3 * (five.gain(2).high - five.gain(2).low)
    assert not three.refuses(2) and "three sizes do not show" in three.refuses(4)
    assert "three sizes do not show" in three.refuses(np.inf), "wider spacing would not help"
    assert three.word(1 - float(error[2]))[0] != "flattening"


def test_two_sizes_have_no_curve() -> None:
    with pytest.raises(ValueError, match="3 sizes or more"):
        fit(measured(power_law(0)[:2], windows=WINDOWS[:2]))


def test_scatter_that_the_errors_do_not_explain_widens_them() -> None:
    smooth, rough = (fit(measured(power_law(0.3) + bump * np.array([0, 1, -1, 1, 0]))) for bump in (0, 0.02))
    assert smooth.widened == 1 and rough.fits < 0.01 and rough.widened > 50
    assert rough.gain(2).high - rough.gain(2).low > 20 * (smooth.gain(2).high - smooth.gain(2).low)
    assert smooth.word(0.5)[0] == "still rising" and rough.word(0.5)[0] == "cannot tell"


def test_one_more_size_does_not_sharpen_one_seed_tenfold_and_a_bend_upwards_is_told() -> None:
    """Five sizes were widened 2.4 times; with a sixth, p rose above .02 and nothing was."""
    rising = fit(measured(1 - np.array([0.4893, 0.4898, 0.4906, 0.4919, 0.4960]), noise=1e-3))
    assert rising.fits > 0.02 and rising.widened > 1.5 and rising.scatter_df < 8 and rising.bends_up
    assert rising.gain(2).high - rising.gain(2).low > 2.5e-3
    seeds = replace(rising.measured, training=np.full(5, 1e-9), training_df=10)
    assert fit(seeds).widened == 1, "several seeds show what training adds"
    assert not fit(measured(power_law(0.3))).bends_up


def test_no_curve_is_carried_past_a_cosine_of_one() -> None:
    """It falls so evenly that its best exponent has a floor far below an error of zero."""
    steep = fit(measured(power_law(0.05, floor=0.45, fall=0.2), noise=1e-6))
    assert steep.floor is not None and steep.floor < 0
    assert "a cosine of 1" in steep.refuses(np.inf) and not steep.refuses(2)
    loose = fit(measured(power_law(0.5, floor=0.2, fall=0.2), noise=1e-2))
    assert all(loose.gain(factor).high <= 0.2 or np.isinf(loose.gain(factor).high) for factor in (2, 10, np.inf))


def test_too_few_articles_get_no_word() -> None:
    few = measured(power_law(0.3))
    few = Measured(few.windows, few.error, few.influence, 2.0, few.training, 0.0)
    assert fit(few).word(0.5)[0] == "cannot tell" and "too few" in fit(few).refuses(2)


def test_training_noise_between_seeds_widens_the_interval_and_folds_are_pooled() -> None:
    random = np.random.default_rng(2)
    cluster = np.repeat(np.arange(40), 20)
    base = [0.5 + 0.01 * size + random.normal(0, 0.02, 800) for size in range(4)]

    def of(noise: float) -> Measured:
        seeds = [[[one + random.normal(0, noise)] for _ in range(3)] for one in base]
        return measure(Design([cluster]), WINDOWS[:4].tolist(), seeds)

    quiet, loud = of(1e-5), of(3e-3)
    assert quiet.error == pytest.approx(1 - np.array([one.mean() for one in base]), abs=1e-4)
    assert loud.training.mean() == pytest.approx(3e-3**2 / 3, rel=1) and quiet.training.max() < 1e-9
    assert loud.training_df == 6
    folded = measure(
        Design([cluster, cluster + 40, cluster + 80]), WINDOWS[:4].tolist(), [[[one, one + 0.001, one]] for one in base]
    )
    assert len(folded.influence) == 120 and folded.training_df == 6 and (folded.training >= 0).all()


def test_the_best_model_at_each_size_and_where_another_overtakes_it() -> None:
    steep = measured(np.linspace(0.5, 0.46, 5))
    flat = measured(np.full(5, 0.475), seed=6)
    found = leaders({"steep": steep, "flat": flat}, "abcde")
    assert [lead.label for lead in found] == list("abcde")
    assert [lead.model for lead in found] == ["flat"] * 3 + ["steep"] * 2 and all(lead.clear for lead in found)
    crossed = overtaking("steep", "flat", steep.less(flat))
    assert crossed and (crossed.before, crossed.after) == ("flat", "steep")
    # Equal half way between the third size and the fourth.
    assert crossed.windows == pytest.approx(np.sqrt(WINDOWS[2] * WINDOWS[3]), rel=0.05)
    assert WINDOWS[0] <= crossed.low <= crossed.windows <= crossed.high <= WINDOWS[-1]
    assert overtaking("steep", "flat", steep.less(flat), 1e-300) is None, "no end is clear at that level"
    assert overtaking("flat", "flat", flat.less(measured(np.full(5, 0.474), noise=1e-2, seed=7))) is None


def test_what_a_smaller_model_needs_to_equal_a_larger_one() -> None:
    small = fit(measured(power_law(0, fall=0.04)))  # .01 with each doubling
    error = small.measured.error
    found = more_for_less("small", "large", small, measured(error - 0.02, seed=6))
    assert found and (found.smaller, found.larger) == ("small", "large") and found.factor == pytest.approx(4, rel=0.05)
    assert found.low is not None and found.high is not None and found.low <= 4 <= found.high
    far = more_for_less("small", "large", small, measured(error - 0.2, seed=6))
    assert far and far.factor is None and far.high is None and far.farthest == min(10, small.span)
    three = fit(Measured(WINDOWS[:3], error[:3], small.measured.influence[:, :3], 40, np.zeros(3), 0))
    other = measured(error - 0.03, seed=6)
    aim = Measured(WINDOWS[:3], other.error[:3], other.influence[:, :3], 40, np.zeros(3), 0)
    short = more_for_less("small", "large", three, aim)
    assert short and short.farthest == 2 and short.factor is None, "three sizes are carried to twice the largest only"
    assert more_for_less("small", "large", small, measured(error + 0.02)) is None  # it is better already


def test_a_smaller_model_is_held_against_larger_ones_of_its_own_context() -> None:
    parameters = {"gru@6": 900, "gru@3": 900, "pool@3": 40, "pool@6": 40}
    assert by_size(parameters) == [("pool@3", "gru@3"), ("pool@6", "gru@6")]
    assert by_size({"gru": 900, "twin": 900, "pool": 40}) == [("pool", "gru"), ("pool", "twin")]


def test_sizes_that_make_a_curve_are_kept_before_more_runs_that_make_none() -> None:
    sizes = arm_names(3)
    cells: Any = {(size, seed): None for size in sizes for seed in (4, 5, 6)}
    assert _most_complete(sizes, (4, 5, 6), cells) == (sizes, (4, 5, 6))
    del cells["expanded", 6]
    assert _most_complete(sizes, (4, 5, 6), cells) == (sizes, (4, 5))
    del cells["expanded", 5]
    assert _most_complete(sizes, (4, 5, 6), cells) == (sizes, (4,)), "two sizes of three seeds make no curve"
    del cells["expanded", 4]
    assert _most_complete(sizes, (4, 5, 6), cells) == (sizes[:2], (4, 5, 6))
    assert _most_complete(sizes, (4, 5, 6), {}) == ((), ())


@pytest.mark.parametrize("exponent", [-0.25, -0.5, -1.0])
def test_a_curve_that_bends_upwards_a_little_is_seen(exponent: float) -> None:
    """Half way between a straight line and the only exponent tried, both fitted as badly."""
    assert fit(measured(power_law(exponent), noise=2e-5)).bends_up
    assert not fit(measured(power_law(0.0), noise=2e-5)).bends_up


def test_what_is_left_out_with_a_missing_run_is_said(tmp_path: Path) -> None:
    campaign, both = make_campaign(tmp_path, seeds=(1, 2)), ("baseline", "expanded")
    faults = {("expanded", 2): "cancelled"}
    assert _missing(faults, both, (1,), campaign) == ("23k seed 2: cancelled, so seed 2 of all sizes is left out",)
    assert _missing(faults, both[:1], (1, 2), campaign) == ("23k seed 2: cancelled, so this size is left out",)
    one = make_campaign(tmp_path, stamp="20251230_120000")
    assert _missing({("expanded", 1): "failed"}, both[:1], (1,), one) == ("23k: failed",)
