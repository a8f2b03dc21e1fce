"""What a window is: rows s to s+4 of a store are its context, row s+5 the vector that follows.

Nobody copies windows: a set of them is an array of starts (int64), and everything about them is index arithmetic.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.vector_files import CONTEXT, WIDTH, Floats, Integers

Mask = npt.NDArray[np.bool_]


def window_starts(article_of: npt.NDArray[np.integer] | None, rows: tuple[int, int]) -> Integers:
    """Starts of all windows in rows [first, stop) that stay inside one article; of all windows if that is None.

    An article is what stands together: where its number comes back later, another stretch begins.
    """
    first, stop = rows
    starts = np.arange(first, max(first, stop - WIDTH + 1), dtype=np.int64)
    if article_of is None or not len(starts):
        return starts
    return starts[~crosses(article_of[first:stop])]


def crosses(group_of: npt.NDArray[np.integer]) -> Mask:
    """For each of the n - 5 windows over n rows: do its six rows belong to more than one group?"""
    return touches(np.append(group_of[1:] != group_of[:-1], False), WIDTH - 1)


def touches(marked: Mask, width: int = WIDTH) -> Mask:
    """For each of the n - 5 windows over n rows: is one of its first `width` rows marked?"""
    before = np.concatenate([[0], np.cumsum(marked, dtype=np.int64)])
    windows = max(0, len(marked) - WIDTH + 1)
    return before[width : width + windows] > before[:windows]


def covered(starts: Integers, rows: int) -> Mask:
    """Rows 0 to `rows` that stand in one of the windows."""
    begun = np.bincount(starts, minlength=rows + 1)
    ended = np.bincount(starts + WIDTH, minlength=rows + 1)
    return np.cumsum(begun - ended)[:-1] > 0


def gather(vectors: Floats, starts: Integers) -> tuple[Floats, Floats]:
    """Return contexts (B, 5, D) and targets (B, D), copied out of `vectors` (N, D)."""
    windows = vectors[starts[:, None] + np.arange(WIDTH)]
    return windows[:, :CONTEXT], windows[:, CONTEXT]
