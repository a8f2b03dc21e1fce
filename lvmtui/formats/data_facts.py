"""`baselines/<arm>.json`: what trivial baselines reach, as numbers only.

A heavy process leaves the file; supervisor, screen and report read it without numpy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.json_codec import find_document

TRIVIAL = ("copy_last", "mean", "recency_mean", "constant_mean", "ridge")
"""The trivial baselines, in the order they are shown."""


@dataclass(frozen=True)
class TrivialScore:
    """A prediction that needs no training to speak of, on the held-out windows."""

    cosine: float
    margin: float
    """Cosine with the next vector less cosine with the last context vector."""
    hit_1: float
    hit_5: float
    hit_10: float


@dataclass(frozen=True)
class TrivialBaselines:
    """Trivial baselines of an arm. Copy-last and mean are the same in both arms; the others are fitted."""

    arm: str
    fingerprint: str
    """Of the held-out windows they were scored on."""
    windows: int
    scores: dict[str, TrivialScore]
    """By name, see TRIVIAL; no `ridge` where the vectors are too wide for it."""
    validation_mean: float
    """Cosine of the context mean on the arm's own validation windows."""
    recency_weights: tuple[float, ...]
    """Oldest first."""
    seconds: float
    spread_mean: float | None = None
    """Spread (1 - norm of the mean unit prediction) of the context mean on the validation windows."""
    echo_margin: float | None = None
    """Margin of copy-last on the validation windows."""
    mean_margin: float | None = None
    """Margin of the context mean on the validation windows."""
    validation_cosines: dict[str, float] = field(default_factory=dict)
    """By name: mean cosine with the next vector on the arm's own validation windows."""
    version: int = 1


def read_trivial(path: Path) -> TrivialBaselines | None:
    """The trivial baselines of an arm, None until they are there."""
    return find_document(TrivialBaselines, path)


# What `check.json` says that a verdict needs: whether both arms are of one vector space, and facts for the report.


@dataclass(frozen=True)
class FileFacts:
    """One data set."""

    duplicates: int
    """Vectors equal to an earlier one."""
    coherence: float | None
    """Mean cosine of neighbours."""


@dataclass(frozen=True)
class PairFacts:
    """Both data sets."""

    shared: float
    """Share of the baseline's vectors that the expanded arm has by content."""
    baseline_is_part: bool
    same_space: str
    """`yes`: they have vectors in common. `no`: their dimensions differ. `unknown`: nothing in the files tells."""


@dataclass(frozen=True)
class DataFacts:
    """As far as we read `check.json`."""

    files: tuple[FileFacts, ...]
    """Baseline and expanded."""
    pair: PairFacts | None
    notes: tuple[str, ...]


def read_data_facts(path: Path) -> DataFacts | None:
    """The facts, None where there are none that can be read."""
    return find_document(DataFacts, path)
