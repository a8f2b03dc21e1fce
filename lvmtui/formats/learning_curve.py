"""`learning_curve.json`: the held-out cosine of every model over the size of its training data, and what follows.

A short process writes it (`lvmtui.verdict.sizes`). Everything is a figure or a word that is said of one; sentences are
made from them later. Read without numpy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import find_document

VERSION = 2
Word = Literal["still rising", "flattening", "flat", "falling", "cannot tell"]
WORDS: tuple[Word, ...] = ("still rising", "flattening", "flat", "falling", "cannot tell")
"""What is said of a model at its largest size, see `lvmtui.verdict.learning_curve`."""
LEAST_SIZES = 3
"""For a learning curve."""
FLAT = 0.3
"""Percent of the cosine. A doubling known to change less is worth nothing: ten times the data then bring under 1 %."""


@dataclass(frozen=True)
class Point:
    """A model at one size."""

    arm: str
    label: str
    vectors: int
    """Mean over seeds, as all of its figures."""
    windows: float
    """Training windows."""
    seeds: int
    cosine: float
    """Held out, weighted."""
    whisker: float | None
    """Half-width of this size's 95 % interval against the mean of all, without what moves all alike. None: unknown."""
    trivial: float | None = None
    """Cosine of the best trivial baseline of this size on the same windows."""
    against: str = ""
    """Its name."""


@dataclass(frozen=True)
class Fit:
    """e(n) = floor + scale * n ** -exponent, e = 1 - cosine; without a floor e falls by `scale` with each doubling."""

    exponent: float
    exponent_low: float
    exponent_high: float
    """95 % interval, within 0 to 1."""
    floor: float | None
    scale: float
    p: float
    """p-value of the scatter around the curve: below .02, or with one seed and four sizes, the errors are `widened`."""
    widened: float
    """Factor by which all errors of the curve were multiplied, because the sizes scatter more than they explain."""
    line: tuple[tuple[float, float], ...]
    """(windows, cosine) along the curve, from the smallest size to twice the largest."""
    bends_up: bool = False
    """Larger sizes bring clearly more with each doubling than smaller ones, which no exponent allows."""


@dataclass(frozen=True)
class Worth:
    """What `factor` times the largest size would bring, in percent of the cosine there. An extrapolation."""

    factor: float | None
    """None: all that more data of this kind could bring."""
    value: float | None
    low: float | None
    high: float | None
    """95 % interval; None: it is not told."""
    refused: str = ""
    """Why it cannot be told; then there is no figure."""


@dataclass(frozen=True)
class ModelCurve:
    model: str
    points: tuple[Point, ...]
    """Smallest first; those that are missing are left out."""
    missing: tuple[str, ...]
    """Runs the curve is fitted without, and what is left out with each, in words."""
    word: Word | None
    """None: runs are still to come, or too few sizes are judged."""
    reason: str
    """Why there is no word, or why it cannot be told."""
    fit: Fit | None
    doubling: Worth | None
    ten: Worth | None
    rest: Worth | None

    @property
    def context(self) -> str:
        """`@10`; empty in a campaign of one context."""
        return "".join(self.model.partition("@")[1:])


@dataclass(frozen=True)
class Leader:
    """The best model at one size."""

    label: str
    model: str
    clear: bool
    """Its lead over each other model is clear of zero."""
    second: str
    """The next best."""


@dataclass(frozen=True)
class Overtaking:
    """A model that is better on less data and one that is better on more."""

    before: str
    after: str
    windows: float
    low: float
    high: float
    """95 % interval, within the sizes."""


@dataclass(frozen=True)
class MoreForLess:
    """How many times the largest size a smaller model needs to equal a larger one there. An extrapolation."""

    smaller: str
    larger: str
    factor: float | None
    """None: more than `farthest`."""
    low: float | None
    """95 % interval; None: even this end is beyond `farthest`."""
    high: float | None
    farthest: float = 10.0
    """How many times the largest size the curve is carried to."""


@dataclass(frozen=True)
class LearningCurve:
    campaign: str
    inputs: str
    """sha256 over what this was made from."""
    made: float
    models: tuple[ModelCurve, ...]
    best: tuple[Leader, ...] = ()
    """At each size that all judged models have."""
    overtakings: tuple[Overtaking, ...] = ()
    more_for_less: tuple[MoreForLess, ...] = ()
    titles: dict[str, str] = field(default_factory=dict)
    """How people write the models' names, by model."""
    version: int = VERSION

    def title(self, model: str) -> str:
        return self.titles.get(model, model)

    def of(self, model: str) -> ModelCurve | None:
        return next((curve for curve in self.models if curve.model == model), None)


def read_learning_curve(path: Path) -> LearningCurve | None:
    """The curves at `path`; None where there are none this version can read: they are made again."""
    found = find_document(LearningCurve, path)
    return found if found and found.version == VERSION else None
