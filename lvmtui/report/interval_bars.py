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
ZERO, LEFT, RIGHT, LINE, MIDDLE, OUTSIDE, CROSSED, SHADE = "│├┤─●·┼░"


@dataclass(frozen=True)
class Scale:
    """From `low` to `high` percent, with zero between them."""

    low: float
    high: float

    @property
    def title(self) -> str:
        """`−1 % to +4 %`."""
        return f"{_percent(self.low)} to {_percent(self.high)}"

    def bar(self, value: float, interval: Interval, cells: int = CELLS, band: float = 0.0) -> str:
        """The interval with its middle, `cells` characters wide; those within ± `band` percent of zero are shaded."""
        first, last, middle, zero = (self._cell(v, cells) for v in (*interval, value, 0.0))
        drawn = [OUTSIDE] * cells
        if band:
            low, high = self._cell(max(-band, self.low), cells), self._cell(min(band, self.high), cells)
            drawn[low : high + 1] = [SHADE] * (high + 1 - low)
        drawn[zero] = ZERO
        if first < middle < last:  # a narrower interval is a point at this scale
            for i in range(first, last + 1):
                drawn[i] = CROSSED if i == zero else LINE
            drawn[first], drawn[last] = LEFT, RIGHT
        drawn[middle] = MIDDLE
        return "".join(drawn)

    def share(self, value: float) -> float:
        """The place of a value, from 0 (`low`) to 1 (`high`); values outside are at the ends."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def axis(self, cells: int) -> str:
        """Both ends, and zero at its place: `−1 %      0      +4 %`; an end without room beside zero is left out."""
        low, high, zero = _percent(self.low), _percent(self.high), self._cell(0.0, cells)
        left, right = zero, cells - zero - 1
        return f"{low if len(low) < left else '':<{left}}0{high if len(high) < right else '':>{right}}"

    def _cell(self, value: float, cells: int) -> int:
        return round(self.share(value) * (cells - 1))


def _percent(value: float) -> str:
    return f"{value:+,.6g} %".replace("-", "−").replace("+0 %", "0 %")


def scale_of(intervals: Iterable[Interval]) -> Scale | None:
    """The narrowest scale with round ends that holds all intervals and zero; None for no intervals."""
    ends = [end for interval in intervals for end in interval if math.isfinite(end)]
    if not ends:
        return None
    low, high = min(0.0, *ends), max(0.0, *ends)
    step = next((s for s in STEPS if (high - low) / s <= MOST_STEPS - 1), STEPS[-1])
    below, above = round(math.floor(low / step) * step, 6), round(math.ceil(high / step) * step, 6)
    return Scale(below or -step, above or step)  # zero must not hide in the frame
