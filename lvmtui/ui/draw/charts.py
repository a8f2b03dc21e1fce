"""Curves in braille: eight dots a character, so that a small panel still shows a shape. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, left, right

FAR = 64
"""Dot rows a cell of height that a line may leave the picture by."""
STEEP = 6
"""Points of a curve from which its beginning may leave the picture."""
NAMED = 5
"""Lines of a chart from which one is spent on the x axis."""
Point = tuple[float, float]
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of a braille cell's dot by row and column (Unicode's order)."""


@dataclass(frozen=True)
class Series:
    """A curve; points in the order of x, gaps (not finite) left out."""

    points: tuple[Point, ...]
    style: str
    label: str = ""


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare with."""

    y: float
    label: str = ""
    style: str = "level"


def chart(  # noqa: PLR0913  what a plot is drawn from
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    levels: Sequence[Level] = (),
    form: Callable[[float], str] = "{:.3g}".format,
    log: bool = False,
    x_range: tuple[float, float] | None = None,
    x_name: str = "",
    focus: bool = False,
) -> list[Line]:
    """Draw `series` in `width` x `height` cells: scale at the left, a curve's label where it ends.

    `x_name` (`step`, `epoch`) puts the range of x in the last line, where there is height for one.

    The first series lies on top where curves meet. `log` puts y on a logarithmic scale, on which only positive
    values can be shown. `focus` lets the steep beginning of the curves leave the picture, so that the end, where the
    differences are, fills it.
    """
    transform: Callable[[float], float] = (lambda y: math.log10(y)) if log else (lambda y: y)
    curves = [_usable(one.points, log) for one in series]
    marks = [level for level in levels if math.isfinite(level.y) and (level.y > 0 or not log)]
    if not any(curves):
        return [((left("  no figures yet" if y == height // 2 else "", width), "dim"),) for y in range(height)]
    shown = [points[len(points) // 3 if len(points) >= STEEP else 0 :] for points in curves] if focus else curves
    named = bool(x_name) and height >= NAMED
    height -= named
    heights = [transform(y) for points in shown for _, y in points] + [transform(level.y) for level in marks]
    low, high = min(heights), max(heights)
    first, last = x_range or _span([x for points in curves for x, _ in points])
    invert: Callable[[float], float] = (lambda y: 10**y) if log else (lambda y: y)
    scale = {height - 1: form(invert(low)), 0: form(invert(high))}
    if high == low:
        scale = {height // 2: form(invert(low))}
        low, high = low - (abs(low) * 0.01 or 1e-6), high + (abs(high) * 0.01 or 1e-6)
    gutter = max(map(len, scale.values()))
    tail = min(max([cell_len(one.label) for one in series], default=0), width // 4)
    columns = max(1, width - gutter - 2 - (tail + 1 if tail else 0))

    def row_of(y: float) -> float:
        """Dot row of a height, 0 at the top; what is far outside the picture is brought nearer, or a line to it would
        take for ever."""
        return max(-FAR * height, min(FAR * height, (high - y) / (high - low) * (4 * height - 1)))

    cells: list[list[tuple[int, str]]] = [[(0, "")] * columns for _ in range(height)]
    ends: dict[int, Piece] = {}
    for one, points in reversed(list(zip(series, curves, strict=True))):
        dots = [
            (round((x - first) / (last - first) * (2 * columns - 1)), row_of(transform(y)))
            for x, y in points
            if first <= x <= last
        ]
        _draw(cells, _thinned(dots), one.style)
        if dots and one.label:
            _label(ends, round(dots[-1][1]) // 4, (one.label, one.style), height)
    level_at: dict[int, Level] = {}
    for level in marks:
        at = min(height - 1, max(0, round(row_of(transform(level.y))) // 4))
        before = [level_at[at].label.strip()] if at in level_at else []
        labels = dict.fromkeys(filter(None, (*before, level.label.strip())))
        level_at[at] = replace(level, label=", ".join(labels) + " " * bool(labels))

    lines: list[Line] = []
    for y, row in enumerate(cells):
        pieces: list[Piece] = [(right(scale.get(y, ""), gutter) + " ", "dim")]
        pieces.append((glyphs.TICK if y in scale else glyphs.AXIS, "dim"))
        pieces.extend(_runs(row, level_at.get(y)))
        label = ends.get(y, ("", ""))
        pieces.append((" " + left(label[0], tail) if tail else "", label[1]))
        lines.append(tuple(pieces))
    if named:
        lines.append(((" " * (gutter + 2) + left(_ends(first, last, x_name, columns), width - gutter - 2), "dim"),))
    return lines


def smoothed(points: Sequence[Point]) -> tuple[Point, ...]:
    """Each point the mean of its neighbours, a fifteenth of them all: what batches scatter hides where they go."""
    reach = max(2, len(points) // 30)
    means: list[Point] = []
    for i, (x, y) in enumerate(points):
        near = [value for _, value in points[max(0, i - reach) : i + reach + 1] if math.isfinite(value)]
        means.append((x, sum(near) / len(near) if near else y))
    return tuple(means)


def _ends(first: float, last: float, name: str, width: int) -> str:
    """Both ends of the x axis in `width` cells: `0          step 1,200`; the right one alone where it is narrow."""
    start, end = _figure(first), f"{name} {_figure(last)}"
    return start + right(end, width - len(start)) if len(start) + len(end) < width else right(end, width)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 or value == round(value) else f"{value:.1f}"


def _usable(points: Sequence[Point], log: bool) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + max(1.0, abs(low) * 1e-6))


def _thinned(dots: list[tuple[int, float]]) -> list[tuple[int, int]]:
    """One dot a column, the mean of the points that fall into it: a thousand points cost no more than a hundred."""
    columns: dict[int, list[float]] = {}
    for x, y in dots:
        columns.setdefault(x, []).append(y)
    return [(x, round(sum(ys) / len(ys))) for x, ys in sorted(columns.items())]


def _draw(cells: list[list[tuple[int, str]]], dots: Sequence[tuple[int, int]], style: str) -> None:
    """Join the dots by straight lines."""
    for (x0, y0), (x1, y1) in zip(dots, [*dots[1:], dots[-1]] if dots else [], strict=True):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            x, y = x0 + round((x1 - x0) * i / steps), y0 + round((y1 - y0) * i / steps)
            if 0 <= y < 4 * len(cells) and 0 <= x < 2 * len(cells[0]):
                bits, _ = cells[y // 4][x // 2]
                cells[y // 4][x // 2] = (bits | _DOTS[y % 4][x % 2], style)


def _label(ends: dict[int, Piece], row: int, label: Piece, height: int) -> None:
    """Put a label at its row, or the nearest free one."""
    if not label[0]:
        return
    free = sorted((r for r in range(height) if r not in ends), key=lambda r: abs(r - row))
    if free:
        ends[free[0]] = label


def _runs(row: Sequence[tuple[int, str]], level: Level | None) -> list[Piece]:
    """A row of cells as pieces of one style each; a level fills the cells that no curve passes."""
    pieces: list[Piece] = []
    filling = _filling([not bits for bits, _ in row], level.label) if level else " " * len(row)
    for (bits, style), blank in zip(row, filling, strict=False):
        text = chr(0x2800 + bits) if bits else blank
        style = style if bits else level.style if level else ""
        if pieces and pieces[-1][1] == style:
            pieces[-1] = (pieces[-1][0] + text, style)
        else:
            pieces.append((text, style))
    return pieces


def _filling(free: Sequence[bool], label: str) -> str:
    """A level's line, its label in the first stretch of free cells that holds it; without where there is none."""
    line = glyphs.LEVEL * len(free)
    size = len(label)
    at = next((x for x in range(len(free) - size + 1) if all(free[x : x + size])), None) if label else None
    return line if at is None else line[:at] + label + line[at + size :]
