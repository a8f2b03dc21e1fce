"""What a check finds out about one vector file, and about two: `check.json`, facts only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lvmtui.datasets.store import Kind, RowScan
from lvmtui.formats.data_facts import Neighbours, SpaceFacts, unordered_words
from lvmtui.formats.spec import USUAL_CONTEXT


@dataclass(frozen=True)
class FileFacts:
    """One data set. Cosines are None where there are no neighbours to compare."""

    file: str
    label: str
    vectors: int
    dim: int
    windows: int
    """Windows of a context and the next vector, inside an article or piece unless they may cross."""
    kind: Kind
    articles: int
    """Articles, or pieces of a sequence; 1 where all vectors follow each other."""
    bytes: int
    """Size of the file on disk."""
    rows: RowScan
    """Lengths, not-finite and zero rows, as they stand in the file."""
    duplicates: int
    """Vectors that are the same as an earlier one: copies and near-copies."""
    coherence: float | None
    """Mean cosine of neighbours."""
    forward_signal: float | None
    """Mean over the windows of the cosine of the last context vector with the next one, less that of the one before
    the last: how much there is to gain from knowing the order."""
    crossing: float | None
    """Share of all runs as long as a window that would cross the border of an article; None where none are known."""
    random_leak: float
    """Share of the windows held out by a random split that have a vector in common with a training window."""
    fingerprint: str = ""
    """As shown in the report: 64 hex digits that change when the content, or what is read of it, does."""
    reading: tuple[str, ...] = ()
    """What was taken for what in the file, what was done with its rows, and what was not read, sanitised."""
    chance: float | None = None
    """Mean cosine of any two vectors."""
    chance_spread: float | None = None
    """Its standard deviation over pairs."""

    @property
    def unordered(self) -> str:
        """What to know where the rows are in no order; else empty."""
        return unordered_words(self.file, self.coherence, self.chance, self.chance_spread)


@dataclass(frozen=True)
class PairFacts:
    """The two data sets of a comparison."""

    ratio: float
    """Vectors of the expanded arm for each one of the baseline."""
    shared: float
    """Share of the baseline's vectors that are in the expanded arm by content."""
    baseline_is_part: bool
    same_space: Literal["yes", "no", "unknown"]
    """`yes`: they have vectors in common. `no`: their dimensions differ, or rows are of another space. Otherwise
    nothing in the files tells."""
    random_leak_across: float
    """Share of the baseline's windows held out by a random split that have a vector in common with a training window
    of the expanded arm, split at random too."""
    space: SpaceFacts | None = None
    """None where the dimensions differ."""
    new_vectors: int = 0
    """Vectors of the expanded arm that the baseline does not have."""
    new_windows: int = 0
    """Windows of such vectors alone."""
    new_coherence: float | None = None
    new_forward_signal: float | None = None
    """The figures of a file, for the new vectors alone; None where these have no neighbours or windows."""


@dataclass(frozen=True)
class Check:
    files: tuple[FileFacts, ...]
    pair: PairFacts | None
    faults: tuple[str, ...]
    """Each in one line: file, fault, cure. A campaign cannot start with any."""
    notes: tuple[str, ...]
    """Worth knowing; none of it stops a campaign."""
    neighbours: Neighbours | None = None
    """None where no file could be read."""
    context: int = USUAL_CONTEXT
    """Vectors in a context of the windows that were looked at."""
    version: int = 1
