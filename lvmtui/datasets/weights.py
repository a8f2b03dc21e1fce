"""How many windows a held-out cluster may weigh in the verdict."""

from __future__ import annotations

from collections.abc import Sequence

CAP = 20
"""Windows."""


def default_cap(lengths: Sequence[int]) -> int:
    """The cap for held-out clusters of these lengths (windows): 20, or the longest where all are shorter."""
    return min(CAP, max(lengths))
