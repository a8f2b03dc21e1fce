"""What a window is: with a context of T vectors, rows s to s+T-1 of a store, and row s+T, the vector that follows.

Nobody copies windows: a set of them is an array of starts (int64) and the length of its contexts, and everything about
them is index arithmetic. The same targets seen with a shorter context are the same windows, started later (`narrowed`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.source import Floats, Integers

Mask = npt.NDArray[np.bool_]


def window_starts(article_of: npt.NDArray[np.integer] | None, rows: tuple[int, int], context: int) -> Integers:
    """Starts of all windows in rows [first, stop) that stay inside one article; of all windows if that is None.

    An article is one stretch of rows: where its number comes back later, another article begins.
    """
    first, stop = rows
    starts = np.arange(first, max(first, stop - context), dtype=np.int64)
    return starts if article_of is None or not len(starts) else starts[~crosses(article_of[first:stop], context)]


def crosses(group_of: npt.NDArray[np.integer], context: int) -> Mask:
    """For each of the n - T windows over n rows: do its T + 1 rows belong to more than one group?"""
    return touches(group_of[1:] != group_of[:-1], context - 1)  # a border is marked on the row before it


def touches(marked: Mask, context: int) -> Mask:
    """For each of the n - T windows over n rows: is one of its T + 1 rows marked?"""
    before = np.concatenate([[0], np.cumsum(marked, dtype=np.int64)])
    return before[context + 1 :] > before[: -context - 1]


def covered(starts: Integers, rows: int, context: int) -> Mask:
    """Rows 0 to `rows` that stand in one of the windows."""
    begun = np.bincount(starts, minlength=rows + 1)
    return np.cumsum(begun - np.bincount(starts + context + 1, minlength=rows + 1))[:-1] > 0


def narrowed(starts: Integers, context: int, shorter: int) -> Integers:
    """Where the windows begin for a model that sees the last `shorter` of their `context` vectors."""
    return starts + (context - shorter)


def gather(vectors: Floats, starts: Integers, context: int) -> tuple[Floats, Floats]:
    """Return contexts (B, T, D) and targets (B, D), copied out of `vectors` (N, D)."""
    windows = vectors[starts[:, None] + np.arange(context + 1)]
    return windows[:, :context], windows[:, context]
