"""Pictures of learning curves: held-out cosine over training windows, on a log axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lvmtui.formats.learning_curve import LearningCurve, ModelCurve
from lvmtui.report.curves import ON_WHITE, Palette, canvas, text
from lvmtui.report.sizes import ALL, picture_of
from lvmtui.system.numbers import cosine

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 120, 30, 34


def learning_pictures(curve: LearningCurve, palette: Palette = ON_WHITE) -> dict[str, str]:
    """All pictures by the name of their file: all models in one, then each model with any size judged."""
    judged = [one for one in curve.models if one.points]
    pictures = {ALL: ("Learning curves", judged)}
    pictures |= {picture_of(one.model): (curve.title(one.model), [one]) for one in judged}
    return {name: _svg(title, drawn, curve.titles, palette) for name, (title, drawn) in pictures.items()}


def _svg(title: str, curves: Sequence[ModelCurve], titles: Mapping[str, str], palette: Palette) -> str:
    """Points with whiskers, the fitted curves, dotted beyond the largest size, and the best trivial baseline."""
    drawn = [curve for curve in curves if curve.points]
    if drawn:
        lines = _Frame(drawn, titles, palette).all(drawn)
    else:
        lines = [text(LEFT, HEIGHT / 2, "no size is judged yet", palette.axis)]
    return canvas(title, (WIDTH, HEIGHT), LEFT, lines, palette)


class _Frame:
    """Turns figures into pixels."""

    def __init__(self, curves: Sequence[ModelCurve], titles: Mapping[str, str], palette: Palette) -> None:
        self.titles, self.palette = titles, palette
        points = [point for curve in curves for point in curve.points]
        windows = [p.windows for p in points] + [n for c in curves if c.fit for n, _ in c.fit.line]
        self.first, self.last = math.log(min(windows)), math.log(max(windows))
        if self.last - self.first < 1e-9:
            self.last = self.first + 1
        values = [y for p in points for y in (p.cosine - (p.whisker or 0), p.cosine + (p.whisker or 0))]
        values += [p.trivial for p in points if p.trivial is not None]
        self.low, self.high = min(values), max(values)
        room = max(0.002, 0.08 * (self.high - self.low))
        self.low, self.high = self.low - room, self.high + room

    def x(self, windows: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(windows) - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / (self.high - self.low)

    def all(self, curves: Sequence[ModelCurve]) -> list[str]:
        lines = self._axes(max(curves, key=lambda curve: len(curve.points)))
        lines += self._trivial(curves[0])
        ends = sorted(curves, key=lambda curve: self.y(curve.points[-1].cosine))
        below = 0.0
        for curve in ends:
            colour = self.palette.models[list(curves).index(curve) % len(self.palette.models)]
            below = max(self.y(curve.points[-1].cosine) + 4, below + 13)
            lines += [*self._curve(curve, colour), self._name(curve, colour, below)]
        return lines

    def _axes(self, curve: ModelCurve) -> list[str]:
        bottom, colour = HEIGHT - BOTTOM, self.palette.axis
        lines = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="{colour}"/>']
        for value in (self.low, (self.low + self.high) / 2, self.high):
            lines.append(text(LEFT - 5, self.y(value) + 4, cosine(value), colour, "end"))
        for point in curve.points:
            x = self.x(point.windows)
            lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" stroke="{colour}"/>')
            lines.append(text(x, bottom + 16, point.label, colour, "middle"))
        words = "held-out cosine over training windows, log axis; dotted: carried on beyond the data"
        return [*lines, text(WIDTH - RIGHT, HEIGHT - 4, words, self.palette.axis, "end")]

    def _trivial(self, curve: ModelCurve) -> list[str]:
        known = [(self.x(p.windows), self.y(p.trivial)) for p in curve.points if p.trivial is not None]
        if not known:
            return []
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
        x, y = known[0]
        return [
            f'<polyline points="{path}" fill="none" stroke="{self.palette.axis}" stroke-dasharray="4 3"/>',
            text(x + 4, y - 4, "best trivial baseline", self.palette.axis),
        ]

    def _curve(self, curve: ModelCurve, colour: str) -> list[str]:
        lines = []
        for point in curve.points:
            x, y = self.x(point.windows), self.y(point.cosine)
            half = point.whisker or 0.0
            lines.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.y(point.cosine - half):.1f}" '
                f'y2="{self.y(point.cosine + half):.1f}" stroke="{colour}" stroke-width="1"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
            )
        if curve.fit:
            end = curve.points[-1].windows
            inside = [p for p in curve.fit.line if p[0] <= end * 1.001]
            beyond = [p for p in curve.fit.line if p[0] >= end * 0.97]
            for part, dash in ((inside, ""), (beyond, ' stroke-dasharray="2 3"')):
                path = " ".join(f"{self.x(n):.1f},{self.y(value):.1f}" for n, value in part)
                lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>')
        return lines

    def _name(self, curve: ModelCurve, colour: str, y: float) -> str:
        word = f" {curve.word}" if curve.word else ""
        return text(WIDTH - RIGHT + 6, y, f"{self.titles.get(curve.model, curve.model)}{word}", colour)
