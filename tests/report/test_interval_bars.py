"""Intervals drawn as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.report.interval_bars import CELLS, Scale, scale_of


@pytest.mark.parametrize(
    ("value", "interval", "drawn"),
    [
        (1.0, (0.5, 1.5), "············│··├──●──┤···"),
        (0.0, (-0.5, 0.5), "·········├──●──┤·········"),
        (0.25, (-0.5, 1.0), "·········├──┼─●───┤······"),
        (-1.0, (-1.01, -0.99), "······●·····│············"),
    ],
)
def test_a_bar(value: float, interval: tuple[float, float], drawn: str) -> None:
    assert Scale(-2, 2).bar(value, interval) == drawn


def test_a_scale_has_round_ends_around_zero() -> None:
    assert scale_of([]) is None
    scale = scale_of([(0.94, 3.86), (1.43, 1.66)])
    assert scale == Scale(-1, 4) and scale.title == "−1 % to +4 %"
    assert scale_of([(-0.3, -0.1)]) == Scale(-0.3, 0.1)
    axes = [one.axis(21) for one in (Scale(-2, 2), Scale(-0.3, 0.1), Scale(-0.1, 0.9), Scale(0, 1))]
    assert axes == ["−2 %      0      +2 %", "−0.3 %         0     ", "  0            +0.9 %", "0                +1 %"]


ends = st.floats(-1000, 1000, allow_nan=False)


@given(st.lists(st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=6))
def test_every_interval_fits_its_scale(intervals: list[tuple[float, float]]) -> None:
    scale = scale_of(intervals)
    assert scale is not None
    assert scale.low < 0 < scale.high
    for low, high in intervals:
        assert scale.low <= low + 1e-9 and high - 1e-9 <= scale.high
        bar = scale.bar((low + high) / 2, (low, high))
        assert len(bar) == CELLS and bar.count("●") == 1
