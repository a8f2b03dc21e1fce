"""When a curve counts as at its plateau."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvmtui.verdict.trend import OVERFIT_FALL, at_plateau, cosine_of, late_gain, peak, scored
from tests.verdict.series import evaluated


def curve(*cosines: float | None) -> tuple:  # type: ignore[type-arg]
    return tuple(evaluated(i, c) for i, c in enumerate(cosines, start=1))


def test_a_rising_curve_is_not_at_its_plateau_and_a_flat_one_is() -> None:
    assert not at_plateau(curve(0.40, 0.45, 0.48, 0.49, 0.50, 0.51, 0.52, 0.53))
    assert at_plateau(curve(0.40, 0.48, 0.51, 0.515, 0.5165, 0.5170, 0.5171, 0.5172))


def test_what_falls_is_past_its_plateau() -> None:
    falling = curve(0.50, 0.52, 0.53, 0.525, 0.52, 0.51, 0.50, 0.49)
    assert at_plateau(falling)
    best = peak(falling)
    assert best is not None and best.step == 300


def test_what_rose_in_its_last_quarter_and_then_overfitted_is_past_its_plateau() -> None:
    rising = [evaluated(i, 0.40 + 0.01 * i, 0.40 + 0.01 * i) for i in range(1, 18)]
    for falls, past in (((0.01, 0.01, 0.01), True), ((0.0, 0.0, 0.01), True), ((0.0, 0.0, 0.0), False)):
        ends = [evaluated(i, 0.57 - fall, 0.41 + 0.01 * i) for i, fall in enumerate(falls, start=18)]
        gain = late_gain([*rising, *ends])
        assert gain is not None and gain > 0.01 and at_plateau([*rising, *ends]) is past


def test_too_few_evaluations_are_not_known_to_be() -> None:
    assert not at_plateau(())
    assert not at_plateau(curve(0.5, 0.5, 0.5))
    assert not at_plateau(curve(0.5, None, 0.5, None, 0.5))


def test_the_gain_is_that_of_the_last_quarter() -> None:
    gain = late_gain(curve(0.40, 0.45, 0.48, 0.49, 0.50, 0.51, 0.52, 0.53))
    assert gain is not None and abs(gain - 0.02) < 1e-9  # .51 stands at three quarters


def test_a_quarter_that_begins_between_two_evaluations_holds_no_more_than_itself() -> None:
    """Evaluated at steps 32, 64, 96, 126 of 126: .24 came in the last half of it, .06 in the last quarter."""
    steps = ((32, 0.0909), (64, 0.3443), (96, 0.5352), (126, 0.5867))
    four = tuple(replace(evaluated(1, cosine), step=step) for step, cosine in steps)
    gain = late_gain(four)
    assert gain is not None and gain == pytest.approx(0.5867 - 0.5352 + (0.5352 - 0.3443) * 1.5 / 32)
    assert not at_plateau(four)
    level = tuple(replace(e, cosine=0.5 + 0.0001 * e.step / 126) for e in four)
    assert at_plateau(level)


@given(st.floats(0.01, 20), st.floats(0.1, 0.6), st.integers(4, 40))
def test_of_a_curve_that_flattens_the_gain_is_not_understated(steep: float, top: float, count: int) -> None:
    def height(share: float) -> float:
        return top * (1 - math.exp(-steep * share))

    gain = late_gain(curve(*(height(i / count) for i in range(1, count + 1))))
    assert gain is not None
    lasting = 1 / count  # at most one evaluation's stretch is added by the straight line
    assert height(1) - height(0.75) - 1e-9 <= gain <= height(1) - height(0.75 - lasting) + 1e-9


@given(st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=20), st.floats(-1, 1))
@example([0.0, 0.0, 0.0, 0.0], 0.0)
@example([-1.0, 0.0, 0.0, -1.0], 0.0)
def test_more_of_the_same_keeps_a_plateau(cosines: list[float | None], last: float) -> None:
    """Evaluations that bring no better cosine cannot end a plateau; of a curve that has fallen, none above its end."""
    evaluations = curve(*cosines)
    gain = late_gain(evaluations)
    assert gain is None or gain >= 0
    best = peak(evaluations)
    if at_plateau(evaluations) and best is not None:
        end = scored(evaluations)[-1].cosine or 0.0
        ceiling = end if cosine_of(best) - end >= OVERFIT_FALL else cosine_of(best)
        longer = (*evaluations, evaluated(len(cosines) + 1, min(last, ceiling)))
        assert at_plateau(longer)
