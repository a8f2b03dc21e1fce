"""Line charts of text: curves in braille (2 x 4 dots a cell), ticks, levels, bands. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from rich.cells import cell_len

from lvmtui.system import numbers as words
from lvmtui.system.text import grouped
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, cut, joined, left, right

FAR = 64
"""A curve is followed up to this many picture heights outside the picture."""
STEEP = 6
"""Points of a curve from which its steep beginning may leave the picture."""
NAMED = 5
"""Height from which the last line names the ends of the x axis."""
NEAR = 3
"""Rows in which a label may stand: that of the curve's end, and those above and below."""
TICKS = 3
"""Least number of ticks of the y axis."""
Point = tuple[float, float]
Form = Callable[[float, int], str]
"""(value, digits after the point) -> text of a tick."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of a braille cell's dot by row and column (Unicode's order)."""


@dataclass(frozen=True)
class Series:
    """A curve: points in the order of x. Points that are not finite are left out."""

    points: tuple[Point, ...]
    style: str
    label: str = ""
    """Stands where the curve ends."""
    stretches: bool = True
    """False: the scale takes no account of it, so it may leave the picture."""
    band: tuple[tuple[float, float, float], ...] = ()
    """What is shaded around it: (x, lowest, highest) in the order of x."""


def cosine_ticks(value: float, digits: int) -> str:
    """`.484`"""
    return words.cosine(value, digits) or "0"


def signed_ticks(value: float, digits: int) -> str:
    """`+.012`, `0`"""
    return words.signed(value, digits) if value else "0"


def chart(  # noqa: PLR0913  what a plot is made of
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    levels: Sequence[tuple[float, str]] = (),
    form: Form = cosine_ticks,
    log: bool = False,
    x_range: tuple[float, float] | None = None,
    x_name: str = "",
    x_labels: Sequence[tuple[float, str]] = (),
    focus: Literal["", "rise", "fall"] = "",
) -> list[Line]:
    """Draw `series` in exactly `width` x `height` cells, with ticks at the left and labels where the curves end.

    The first series lies on top. `log`: logarithmic y axis, which shows positive values only. `x_name` (`step`,
    `epoch`) names the x axis in the last line, from `NAMED` lines on, or `x_labels` name places on it. `focus`: the
    steep rise, or fall, in the first third of the curves may leave the picture, so that the differences at the end fill
    it; their highest, or lowest, points stay in it. `levels`: y and label of horizontal lines to compare with.
    """
    curves = [
        replace(one, points=tuple((x, y) for x, y in one.points if math.isfinite(x) and _has_place(y, log)))
        for one in series
    ]
    if not any(one.points for one in curves):
        return [((left("  no figures yet" if y == height // 2 else "", width), "dim"),) for y in range(height)]
    marks = [(y, label) for y, label in levels if _has_place(y, log)]
    named = bool(x_name or x_labels) and height >= NAMED
    scale = _scale(curves, marks, height - named, log, focus)
    ticks = {scale.row(value): form(value, digits) for value, digits in reversed(scale.ticks)}
    gutter = min(max(map(cell_len, ticks.values()), default=0), width // 3)
    xs = [x for one in curves for x, _ in one.points]
    first, last = x_range or (min(xs), max(xs))
    last = last if last > first else first + max(1.0, abs(first) * 1e-6)
    canvas = _Canvas(curves, width - gutter - 2, width // 4, (first, last), scale)
    for one in reversed(curves):
        canvas.draw(one)
    for one in curves:
        canvas.fill(one)
        canvas.label(one)
    rows = canvas.rows({scale.row(y): label for y, label in marks})
    lines: list[Line] = []
    for y, row in enumerate(rows):
        axis = glyphs.TICK if y in ticks else glyphs.AXIS
        lines.append(((right(ticks.get(y, ""), gutter) + f" {axis}", "dim"), *row))
    if named:
        ends = canvas.places(x_labels) if x_labels else _axis(first, last, x_name, canvas.columns)
        lines.append(((" " * (gutter + 2) + left(ends, width - gutter - 2), "dim"),))
    return lines


def smoothed(points: Sequence[Point]) -> tuple[Point, ...]:
    """Running mean over a fifteenth of the points, which shows the trend of noisy batches."""
    reach = max(2, len(points) // 30)
    means: list[Point] = []
    for i, (x, y) in enumerate(points):
        near = [value for _, value in points[max(0, i - reach) : i + reach + 1] if math.isfinite(value)]
        means.append((x, sum(near) / len(near) if near else y))
    return tuple(means)


# The y axis -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scale:
    """From `low` (lowest row) to `high` (row 0)."""

    low: float
    high: float
    height: int
    log: bool
    ticks: list[tuple[float, int]] = field(default_factory=list)
    """Value and digits after the point."""

    def dot(self, y: float) -> float:
        """Dot row of a value, 0 at the top. Far outside the picture it is limited, so that a line there ends."""
        low, high, y = (math.log10(v) if self.log else v for v in (self.low, self.high, y))
        dots = (high - y) / (high - low) * (4 * self.height - 1)
        return max(-FAR * self.height, min(FAR * self.height, dots))

    def row(self, y: float) -> int:
        return min(self.height - 1, max(0, round(self.dot(y)) // 4))


def _scale(curves: Sequence[Series], marks: Sequence[tuple[float, str]], height: int, log: bool, focus: str) -> _Scale:
    ruling = [one for one in curves if one.stretches and one.points] or [one for one in curves if one.points]
    every = [y for one in ruling for _, y in one.points]
    late = [y for one in ruling for _, y in one.points[len(one.points) // 3 if len(one.points) >= STEEP else 0 :]]
    marked = [y for y, _ in marks]
    low = min((late if focus == "rise" else every) + marked)
    high = max((late if focus == "fall" else every) + marked)
    if low == high:
        spare = abs(low) * 0.01 or 1e-6
        digits = max(0, 2 - math.floor(math.log10(abs(low)))) if low else 0
        return _Scale(low - spare, high + spare, height, log, [(low, digits)])
    scale = _Scale(low, high, height, log)
    return replace(scale, ticks=_ticks(scale))


def _ticks(scale: _Scale) -> list[tuple[float, int]]:
    """At least three round values, the top first; where they would share rows, the ends and the middle."""
    found = _round_log(scale.low, scale.high) if scale.log else []
    if len(found) < TICKS:
        found = _round(scale.low, scale.high, max(TICKS, min(6, scale.height // 4)))
    if len({scale.row(value) for value, _ in found}) >= min(TICKS, scale.height):
        return found
    span = scale.high - scale.low
    middle = math.sqrt(scale.low * scale.high) if scale.log else (scale.low + scale.high) / 2
    return [(v, max(0, math.ceil(-math.log10(v if scale.log else span)) + 1)) for v in (scale.high, middle, scale.low)]


def _round(low: float, high: float, count: int) -> list[tuple[float, int]]:
    """At least `count` multiples of 1, 2 or 5 times a power of ten between `low` and `high`, the largest first."""
    power = math.ceil(math.log10(high - low))
    for exponent in range(power, power - 3, -1):
        for factor in (5, 2, 1):
            step = factor * 10.0**exponent
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if last - first + 1 >= count:
                return [(i * step, max(0, -exponent)) for i in range(last, first - 1, -1)]
    return []


def _round_log(low: float, high: float) -> list[tuple[float, int]]:
    """1, 2 and 5 times each power of ten between `low` and `high`, the largest first; of many only the powers."""
    exponents = range(math.ceil(math.log10(high)), math.floor(math.log10(low)) - 1, -1)
    factors = (5, 2, 1) if len(exponents) <= TICKS + 1 else (1,)
    return [(v, max(0, -e)) for e in exponents for f in factors if low <= (v := f * 10.0**e) <= high]


# The picture ----------------------------------------------------------------------------------------------------------


class _Canvas:
    """Cells in which curves, bands and labels are drawn."""

    def __init__(
        self, curves: Sequence[Series], columns: int, most: int, x_range: tuple[float, float], scale: _Scale
    ) -> None:
        """`most`: columns that may be kept at the right, for labels of curves that end there."""
        self.columns, self.height, self.scale = max(1, columns), scale.height, scale
        self.first, self.last = x_range
        wide = [cell_len(c.label) for c in curves if c.label and c.points and not self._fits(c)]
        self.tail = min(max(wide, default=0), most)
        """Columns kept at the right."""
        self.columns = max(1, self.columns - (self.tail + 1 if self.tail else 0))
        self.bits = [[(0, "")] * self.columns for _ in range(self.height)]
        self.filled: dict[tuple[int, int], str] = {}
        """(row, column) in a band -> style."""
        self.labels: dict[tuple[int, int], Piece] = {}
        """(row, column) -> label that begins there."""
        self.ends: dict[int, Piece] = {}
        """Row -> label at the right of the picture."""

    def _fits(self, curve: Series) -> bool:
        """True if its label has room after its end."""
        return self._dot(curve.points[-1][0]) // 2 + cell_len(curve.label) + 3 < self.columns

    def _dot(self, x: float) -> int:
        """Dot column of x."""
        return round((x - self.first) / (self.last - self.first) * (2 * self.columns - 1))

    def places(self, labels: Sequence[tuple[float, str]]) -> str:
        """A line with each label below its x, the last one first; one that would touch another is left out."""
        line = [" "] * self.columns
        for x, label in reversed(labels):
            size = cell_len(label)
            at = max(0, min(self.columns - size, self._dot(x) // 2 - size // 2))
            if all(c == " " for c in line[max(0, at - 1) : at + size + 1]):
                line[at : at + size] = label
        return "".join(line)

    def fill(self, curve: Series) -> None:
        """Shade the cells whose middle lies in the band of the curve."""
        for (x0, low0, high0), (x1, low1, high1) in pairwise(curve.band):
            first, last = self._dot(x0) // 2, self._dot(x1) // 2
            for column in range(max(0, first), min(self.columns, last + 1)):
                share = (column - first) / max(1, last - first)
                top = self.scale.dot(high0 + share * (high1 - high0))
                bottom = self.scale.dot(low0 + share * (low1 - low0))
                for row in range(max(0, math.ceil((top - 2.5) / 4)), min(self.height - 1, int((bottom - 1) // 4)) + 1):
                    self.filled.setdefault((row, column), f"{curve.style}_band")

    def draw(self, curve: Series) -> None:
        """Draw a curve over what is there."""
        for x, y in _joined(self._dots(curve)):
            if 0 <= y < 4 * self.height and 0 <= x < 2 * self.columns:
                bits, _ = self.bits[y // 4][x // 2]
                self.bits[y // 4][x // 2] = (bits | _DOTS[y % 4][x % 2], curve.style)

    def _dots(self, curve: Series) -> list[tuple[int, int]]:
        """Column and row of its dots, one a column, the mean of its points: a thousand cost no more than a hundred."""
        dots = grouped((self._dot(x), self.scale.dot(y)) for x, y in curve.points if self.first <= x <= self.last)
        return [(x, round(sum(ys) / len(ys))) for x, ys in sorted(dots.items())]

    def label(self, curve: Series) -> None:
        """Put the label of a curve after its end where that is free, else at the right edge, or right of it."""
        dots = self._dots(curve) if curve.label else []
        if not dots:
            return
        column, row = dots[-1][0] // 2 + 2, min(self.height - 1, max(0, dots[-1][1] // 4))
        nearest = sorted(range(self.height), key=lambda y: abs(y - row))
        size, label = cell_len(curve.label), (curve.label, curve.style)
        taken = {y for y, _ in self.labels}
        last = self.columns - size
        places = ((y, x) for x in (column, last) for y in nearest[:NEAR] if y not in taken and column <= x <= last)
        free = (at for at in places if not any(bits for bits, _ in self.bits[at[0]][at[1] - 1 : at[1] + size + 1]))
        if (place := next(free, None)) is not None:
            self.labels[place] = label
        elif (at := next((y for y in nearest if y not in self.ends), None)) is not None:
            self.ends[at] = label

    def rows(self, levels: dict[int, str]) -> list[list[Piece]]:
        """Each row as pieces, with the labels at the right. `levels`: row -> label."""
        drawn = []
        for y in range(self.height):
            cells: list[Piece] = [self._cell(y, x) for x in range(self.columns)]
            for (row, column), (text, style) in self.labels.items():
                if row == y:
                    cells[column : column + len(text)] = [(c, style) for c in text][: self.columns - column]
            if y in levels:
                _lay(cells, levels[y])
            pieces = joined(cells)
            if self.tail:
                text, style = self.ends.get(y, ("", ""))
                pieces.append((" " + left(text, self.tail), style))
            drawn.append(pieces)
        return drawn

    def _cell(self, y: int, x: int) -> Piece:
        bits, style = self.bits[y][x]
        if bits:
            return chr(0x2800 + bits), style
        return (glyphs.BAND, self.filled[y, x]) if (y, x) in self.filled else (" ", "")


def _lay(cells: list[Piece], label: str) -> None:
    """Draw a level in the cells that are free, its label in the first stretch that holds it."""
    free = [text == " " for text, _ in cells]
    for x, is_free in enumerate(free):
        if is_free:
            cells[x] = (glyphs.LEVEL, "level")
    size = len(label) + 2  # a blank on each side
    places = (x for x in range(len(cells) - size, -1, -1) if all(free[x : x + size]))
    if label and (at := next(places, None)) is not None:
        cells[at : at + size] = [(c, "level") for c in f" {label} "]


def _joined(dots: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """The dots, and those on straight lines between them."""
    for (x0, y0), (x1, y1) in pairwise([*dots, *dots[-1:]]):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            yield x0 + round((x1 - x0) * i / steps), y0 + round((y1 - y0) * i / steps)


# The x axis -----------------------------------------------------------------------------------------------------------


def _axis(first: float, last: float, name: str, width: int) -> str:
    """`0        600        step 1,200` in `width` cells; the ends alone, or the right one alone, where it is narrow."""
    start, middle, end = _figure(first), _figure((first + last) / 2), cut(f"{name} {_figure(last)}", width)
    if len(start) + len(end) >= width:
        return right(end, width)
    gap = width // 2 - len(start) - len(middle) // 2
    room = width - len(start) - gap - len(middle)
    if gap < 2 or room < len(end) + 2:
        return start + right(end, width - len(start))
    return start + " " * gap + middle + right(end, room)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 or value == round(value) else f"{value:.1f}"


def _has_place(y: float, log: bool) -> bool:
    """True if the y axis can show it."""
    return math.isfinite(y) and (y > 0 or not log)
