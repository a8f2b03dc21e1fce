"""Pictures of learning curves: held-out cosine over training windows, on a log axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lvmtui.formats.learning_curve import LearningCurve, ModelCurve
from lvmtui.report.curves import ON_WHITE, Frame, Palette, svg_points, text
from lvmtui.report.sizes import ALL, picture_of
from lvmtui.system.text import width

FRAME = Frame(640, 320, left=56, right=120, top=30, bottom=34)
LETTER = 6.5
"""Pixels of a letter at most, on average."""


def learning_pictures(curve: LearningCurve, palette: Palette = ON_WHITE) -> dict[str, str]:
    """All pictures by the name of their file: all models in one, then each model with any size judged."""
    judged = [one for one in curve.models if one.points]
    pictures = {ALL: ("Learning curves", judged)}
    pictures |= {picture_of(one.model): (curve.title(one.model), [one]) for one in judged}
    return {name: _svg(title, drawn, curve.titles, palette) for name, (title, drawn) in pictures.items()}


def _svg(title: str, curves: Sequence[ModelCurve], titles: Mapping[str, str], palette: Palette) -> str:
    """Points with whiskers, the fitted curves, dotted beyond the largest size, and the best trivial baseline."""
    if not curves:
        empty = replace(FRAME, palette=palette)
        return empty.canvas(title, [empty.nothing("no size is judged yet")])
    names = {one.model: f"{titles.get(one.model, one.model)} {one.word or ''}".rstrip() for one in curves}
    right = max(FRAME.right, round(12 + LETTER * max(map(width, names.values()))))
    frame = replace(_frame_of(curves, palette), width=FRAME.width - FRAME.right + right, right=right)
    lines = _axes(frame, max(curves, key=lambda curve: len(curve.points)))
    for one in {curve.context: curve for curve in reversed(curves)}.values():
        lines += _trivial(frame, one)
    below = 0.0
    for curve in sorted(curves, key=lambda curve: frame.y(curve.points[-1].cosine)):
        colour = palette.models[list(curves).index(curve) % len(palette.models)]
        below = max(frame.y(curve.points[-1].cosine) + 4, below + 13)
        lines += [*_curve(frame, curve, colour), text(frame.beyond + 6, below, names[curve.model], colour)]
    return frame.canvas(title, lines)


def _frame_of(curves: Sequence[ModelCurve], palette: Palette) -> Frame:
    """The x axis is that of the logarithm of the windows."""
    points = [point for curve in curves for point in curve.points]
    windows = [p.windows for p in points] + [n for c in curves if c.fit for n, _ in c.fit.line]
    first, last = math.log(min(windows)), math.log(max(windows))
    values = [y for p in points for y in (p.cosine - (p.whisker or 0), p.cosine + (p.whisker or 0))]
    values += [p.trivial for p in points if p.trivial is not None]
    low, high = min(values), max(values)
    room = max(0.002, 0.08 * (high - low))
    last = last if last - first >= 1e-9 else first + 1
    return replace(FRAME, first=first, last=last, low=low - room, high=high + room, palette=palette)


def _places(frame: Frame, points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where (windows, cosine) stand."""
    return [(frame.x(math.log(windows)), frame.y(value)) for windows, value in points]


def _axes(frame: Frame, curve: ModelCurve) -> list[str]:
    colour, bottom = frame.palette.axis, frame.below
    lines = frame.axes(digits=4)
    for point in curve.points:
        x = frame.x(math.log(point.windows))
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" stroke="{colour}"/>')
        lines.append(text(x, bottom + 16, point.label, colour, "middle"))
    words = "held-out cosine over training windows, log axis; dotted: carried on beyond the data"
    return [*lines, text(frame.beyond, frame.height - 4, words, colour, "end")]


def _trivial(frame: Frame, curve: ModelCurve) -> list[str]:
    known = _places(frame, ((p.windows, p.trivial) for p in curve.points if p.trivial is not None))
    if not known:
        return []
    x, y = known[0]
    return [
        f'<polyline points="{svg_points(known)}" fill="none" stroke="{frame.palette.axis}" stroke-dasharray="4 3"/>',
        text(x + 4, y + 12, f"best trivial baseline{curve.context}", frame.palette.axis),
    ]


def _curve(frame: Frame, curve: ModelCurve, colour: str) -> list[str]:
    lines = []
    for point in curve.points:
        half = point.whisker or 0.0
        (x, y), (_, low), (_, high) = _places(frame, ((point.windows, point.cosine + by) for by in (0.0, -half, half)))
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" stroke-width="1"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
        )
    if curve.fit:
        end = curve.points[-1].windows
        inside = [p for p in curve.fit.line if p[0] <= end * 1.001]
        beyond = [p for p in curve.fit.line if p[0] >= end * 0.97]
        for part, dash in ((inside, ""), (beyond, ' stroke-dasharray="2 3"')):
            path = svg_points(_places(frame, part))
            lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>')
    return lines
