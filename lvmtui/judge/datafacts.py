"""What `check.json` says that a verdict needs: whether both arms are of one vector space, and facts for the report.

Read without numpy; `lvmtui.datasets.check` writes the file and documents its fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvmtui.contract.document import find_document


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
