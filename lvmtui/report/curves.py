"""Validation curves: a line of block characters for text, and a small SVG file for each model. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lvmtui.system.numbers import cosine
from lvmtui.verdict.health import finite

BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 20
"""Characters of a sparkline, at most."""
WIDTH, HEIGHT = 480, 214
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 42, 30


@dataclass(frozen=True)
class Palette:
    """Colours of a picture, as SVG writes them."""

    paper: str = "#ffffff"
    title: str = "#222222"
    axis: str = "#444444"
    baseline: str = "#6b7f99"
    expanded: str = "#c2621b"
    """The arms differ in lightness too, and each line carries its label."""
    models: tuple[str, ...] = (
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9", "#333333", "#e69f00",
    )  # fmt: skip
    """One a model, told apart by colour-blind eyes (Okabe and Ito 2008); each curve carries its name too."""

    def arm(self, arm: str) -> str:
        return {"baseline": self.baseline, "expanded": self.expanded}.get(arm, self.axis)


ON_WHITE = Palette()
OF_THE_PAGE = Palette(
    "var(--paper)",
    "var(--ink)",
    "var(--dim)",
    "var(--baseline)",
    "var(--expanded)",
    tuple(f"var(--model-{n})" for n in range(1, 9)),
)
"""For a picture inside an HTML page, whose style sheet says them (`page.css`)."""


@dataclass(frozen=True)
class Curve:
    """One run's evaluations."""

    arm: str
    label: str
    points: tuple[tuple[float, float], ...]
    """(epoch, validation cosine), finite."""


def curve_of(arm: str, label: str, evaluations: Sequence[tuple[float, float | None]]) -> Curve:
    """The curve of (epoch, cosine) pairs; those without a finite cosine are left out."""
    return Curve(arm, label, tuple((epoch, c) for epoch, value in evaluations if (c := finite(value)) is not None))


def file_stem(model: str) -> str:
    """A model's name as the stem of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", model)[:80] or "_"


def curve_file(model: str) -> str:
    """Name of the picture of a model's curves."""
    return f"{file_stem(model)}.svg"


def sparkline(values: Sequence[float]) -> str:
    """`▁▃▅▆▇███`: the values, thinned to SPARKS, between their lowest and highest."""
    if not values:
        return ""
    if len(values) > SPARKS:
        values = [values[round(i * (len(values) - 1) / (SPARKS - 1))] for i in range(SPARKS)]
    low, span = min(values), max(values) - min(values)
    return "".join(BLOCKS[round((v - low) / span * (len(BLOCKS) - 1))] if span > 0 else BLOCKS[3] for v in values)


def svg(title: str, curves: Sequence[Curve], context_means: Mapping[str, float], palette: Palette = ON_WHITE) -> str:
    """A small chart of validation cosine over epochs, at most 4 kB per run.

    One line per run. Dashed: the context mean's cosine on each arm's validation windows (`context_means`, by arm).
    """
    drawn = [curve for curve in curves if curve.points]
    arms = {curve.arm for curve in drawn}
    means = {arm: c for arm, mean in context_means.items() if arm in arms and (c := finite(mean)) is not None}
    cosines = [*(y for curve in drawn for _, y in curve.points), *means.values()]
    if not drawn:
        lines = [text(LEFT, HEIGHT / 2, "no evaluation yet", palette.axis)]
    else:
        low, high = min(cosines), max(cosines)
        low, high = (low - 0.01, high + 0.01) if high - low < 1e-9 else (low, high)
        last = max(x for curve in drawn for x, _ in curve.points) or 1.0
        frame = _Frame(low, high, last, palette)
        lines = frame.axes()
        lines += [frame.mean(arm, mean, at) for at, (arm, mean) in enumerate(means.items())]
        lines += [line for curve in drawn for line in frame.curve(curve)]
    return canvas(f"{title}: validation cosine by epoch", (WIDTH, HEIGHT), LEFT, lines, palette)


def canvas(title: str, size: tuple[int, int], left: int, lines: Sequence[str], palette: Palette = ON_WHITE) -> str:
    """A whole SVG file of this size with a title at `left`; `lines`: its other elements."""
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="{palette.paper}"/>',
        f'<text x="{left}" y="17" font-size="13" fill="{palette.title}">{escape(title)}</text>',
    )
    return "\n".join([*head, *lines, "</svg>", ""])


def text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    """Words at a place; `anchor`: which part of them is there (`start`, `middle`, `end`)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


@dataclass(frozen=True)
class _Frame:
    """Turns figures into pixels."""

    low: float
    high: float
    last: float
    palette: Palette

    def x(self, epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / self.last

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / (self.high - self.low)

    def axes(self) -> list[str]:
        bottom, colour = HEIGHT - BOTTOM, self.palette.axis
        frame = f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="{colour}"/>'
        values = (self.low, (self.low + self.high) / 2, self.high)
        return [
            frame,
            *(text(LEFT - 5, self.y(value) + 4, cosine(value, 3), colour, "end") for value in values),
            text(LEFT, bottom + 15, "0", colour),
            text(WIDTH - RIGHT, bottom + 15, f"{self.last:.3g}", colour, "end"),
        ]

    def mean(self, arm: str, mean: float, at: int) -> str:
        """`at`: 0 for the first mean, 1 for the second; their labels stand side by side so that they never overlap."""
        colour, y = self.palette.arm(arm), self.y(mean)
        return (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
            'stroke-width="0.8" stroke-dasharray="4 3"/>' + text(LEFT + 4 + 90 * at, y - 3, "context mean", colour)
        )

    def curve(self, curve: Curve) -> list[str]:
        colour = self.palette.arm(curve.arm)
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in curve.points)
        x, y = curve.points[-1]
        return [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>',
            f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="2.5" fill="{colour}"/>',
            text(self.x(x) - 4, self.y(y) - 5, curve.label, colour, "end"),
        ]
