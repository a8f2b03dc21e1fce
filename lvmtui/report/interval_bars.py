"""Intervals drawn as text around zero, all on one scale: `····│···├──●──┤····`. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lvmtui.formats.results import Interval

CELLS = 25
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Percent: the ends of a scale are multiples of one of these."""
MOST_STEPS = 6
"""From end to end: more of them would only move the ends closer to the data."""
ZERO, LEFT, RIGHT, LINE, MIDDLE, OUTSIDE, CROSSED = "│├┤─●·┼"


@dataclass(frozen=True)
class Scale:
    """From `low` to `high` percent, with zero between them."""

    low: float
    high: float

    @property
    def title(self) -> str:
        """`−1 % to +4 %`."""
        low, high = (f"{end:+.3g} %".replace("-", "−").replace("+0 %", "0 %") for end in (self.low, self.high))
        return f"{low} to {high}"

    def bar(self, value: float, interval: Interval) -> str:
        """The interval with its middle, in `CELLS` characters."""
        first, last, middle, zero = (self._cell(v) for v in (*interval, value, 0.0))
        cells = [OUTSIDE] * CELLS
        cells[zero] = ZERO
        if first < middle < last:  # a narrower interval is a point at this scale
            for i in range(first, last + 1):
                cells[i] = CROSSED if i == zero else LINE
            cells[first], cells[last] = LEFT, RIGHT
        cells[middle] = MIDDLE
        return "".join(cells)

    def _cell(self, value: float) -> int:
        share = (value - self.low) / (self.high - self.low)
        return min(CELLS - 1, max(0, round(share * (CELLS - 1))))


def scale_of(intervals: Iterable[Interval]) -> Scale | None:
    """The narrowest scale with round ends that holds all intervals and zero; None for no intervals."""
    ends = [end for interval in intervals for end in interval if math.isfinite(end)]
    if not ends:
        return None
    low, high = min(0.0, *ends), max(0.0, *ends)
    step = next((s for s in STEPS if (high - low) / s <= MOST_STEPS - 1), STEPS[-1])
    below, above = round(math.floor(low / step) * step, 6), round(math.ceil(high / step) * step, 6)
    if below == 0:
        below = -step  # zero must not hide in the frame
    if above == 0:
        above = step
    return Scale(below, above)
