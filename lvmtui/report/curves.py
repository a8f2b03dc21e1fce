"""Validation curves: a line of block characters for text, and a small SVG file for each model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

from lvmtui.system.numbers import cosine, finite

BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 20
"""Characters of a sparkline, at most."""


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
_MODELS = tuple(f"var(--model-{n})" for n in range(1, 9))
OF_THE_PAGE = Palette("var(--paper)", "var(--ink)", "var(--dim)", "var(--baseline)", "var(--expanded)", _MODELS)
"""For a picture inside an HTML page, whose style sheet says them (`page.css`)."""


@dataclass(frozen=True)
class RunCurve:
    arm: str
    label: str
    points: tuple[tuple[float, float], ...]
    """(epoch or step, validation cosine), finite."""
    unit: str = "epoch"


def file_stem(model: str) -> str:
    """A model's name as the stem of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", model)[:80] or "_"


def curve_file(model: str) -> str:
    return f"{file_stem(model)}.svg"


def sparkline(values: Sequence[float]) -> str:
    """`▁▃▅▆▇███`: the values, thinned to SPARKS, between their lowest and highest."""
    if len(values) > SPARKS:
        values = [values[round(i * (len(values) - 1) / (SPARKS - 1))] for i in range(SPARKS)]
    low, span = min(values), max(values) - min(values)
    return "".join(BLOCKS[round((v - low) / span * (len(BLOCKS) - 1))] if span > 0 else BLOCKS[3] for v in values)


def svg(title: str, curves: Sequence[RunCurve], context_means: Mapping[str, float], palette: Palette = ON_WHITE) -> str:
    """A small chart of validation cosine over epochs or steps, at most 4 kB per run.

    One line per run. Dashed: the context mean's cosine on each arm's validation windows (`context_means`, by arm).
    """
    drawn = [curve for curve in curves if curve.points]
    arms = {curve.arm for curve in drawn}
    means = {arm: c for arm, mean in context_means.items() if arm in arms and (c := finite(mean)) is not None}
    cosines = [*(y for curve in drawn for _, y in curve.points), *means.values()]
    frame = replace(FRAME, palette=palette)
    if not drawn:
        lines = [frame.nothing("no evaluation yet")]
    else:
        low, high = min(cosines), max(cosines)
        low, high = (low - 0.01, high + 0.01) if high - low < 1e-9 else (low, high)
        last = max(x for curve in drawn for x, _ in curve.points) or 1.0
        frame = replace(frame, last=last, low=low, high=high)
        ends = (
            text(frame.left, frame.below + 15, "0", palette.axis),
            text(frame.beyond, frame.below + 15, f"{last:.3g}", palette.axis, "end"),
        )
        lines = [*frame.axes(digits=3), *ends]
        lines += [_mean(frame, palette.arm(arm), mean, at) for at, (arm, mean) in enumerate(means.items())]
        lines += [line for curve in drawn for line in _curve(frame, palette.arm(curve.arm), curve)]
    return frame.canvas(f"{title}: validation cosine by {curves[0].unit if curves else 'epoch'}", lines)


def svg_points(places: Iterable[tuple[float, float]]) -> str:
    """The points of a line."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    """Words at a place; `anchor`: which part of them is there (`start`, `middle`, `end`)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


@dataclass(frozen=True)
class Frame:
    """A picture's size and the room around its axes, in pixels, and what the axes reach from and to."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    first: float = 0.0
    last: float = 1.0
    low: float = 0.0
    high: float = 1.0
    palette: Palette = ON_WHITE

    @property
    def below(self) -> int:
        """Where the picture ends below, at the x axis."""
        return self.height - self.bottom

    @property
    def beyond(self) -> int:
        """Where the picture ends at the right."""
        return self.width - self.right

    def x(self, value: float) -> float:
        return self.left + (self.beyond - self.left) * (value - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return self.below - (self.below - self.top) * (value - self.low) / (self.high - self.low)

    def axes(self, digits: int) -> list[str]:
        """Both axes, and three cosines at the y axis."""
        colour = self.palette.axis
        lines = f'<path d="M{self.left} {self.top}V{self.below}H{self.beyond}" fill="none" stroke="{colour}"/>'
        values = (self.low, (self.low + self.high) / 2, self.high)
        return [lines, *(text(self.left - 5, self.y(v) + 4, cosine(v, digits), colour, "end") for v in values)]

    def nothing(self, words: str) -> str:
        """Words in the place of the picture."""
        return text(self.left, self.height / 2, words, self.palette.axis)

    def canvas(self, title: str, lines: Sequence[str]) -> str:
        """A whole SVG file; `lines`: its elements but for the title."""
        width, height = self.width, self.height
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="{self.palette.paper}"/>',
            f'<text x="{self.left}" y="17" font-size="13" fill="{self.palette.title}">{escape(title)}</text>',
        )
        return "\n".join([*head, *lines, "</svg>", ""])


FRAME = Frame(480, 214, left=52, right=12, top=42, bottom=30)


def _mean(frame: Frame, colour: str, mean: float, at: int) -> str:
    """`at`: 0 for the first mean, 1 for the second; their labels stand side by side so that they never overlap."""
    y = frame.y(mean)
    return (
        f'<line x1="{frame.left}" x2="{frame.beyond}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
        'stroke-width="0.8" stroke-dasharray="4 3"/>' + text(frame.left + 4 + 90 * at, y - 3, "context mean", colour)
    )


def _curve(frame: Frame, colour: str, curve: RunCurve) -> list[str]:
    places = [(frame.x(x), frame.y(y)) for x, y in curve.points]
    x, y = places[-1]
    return [
        f'<polyline points="{svg_points(places)}" fill="none" stroke="{colour}" stroke-width="1.6"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>',
        text(x - 4, y - 5, curve.label, colour, "end"),
    ]
