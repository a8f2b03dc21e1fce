"""The sequence behind the windows of a sequence file: each vector once.

A window continues the one before it if its first vectors are the last vectors of that one, to the bit. It may have
moved on by any number of vectors; only those after the overlap are new. Otherwise a new piece starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.source import Floats, Integers


class Joined:
    """Joins windows of `width` vectors (the context and the next one) that come in blocks."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[int] = []
        """Row at which each piece starts."""
        self._first_windows: list[int] = []
        """The first window of each piece."""

    def rows(self, blocks: Iterator[Floats]) -> Iterator[Floats]:
        """Yield the rows (b, D) behind windows (b, width, D)."""
        width = self._width
        last: Floats | None = None
        rows = windows = 0
        for block in blocks:
            with_last = block if last is None else np.concatenate([last[None], block])
            new = _moved(with_last, width)
            new = np.concatenate([[width], new]) if last is None else new
            starts = np.flatnonzero(new == width)
            ends = np.cumsum(new)
            self._pieces += (rows + ends[starts] - width).tolist()
            self._first_windows += (windows + starts).tolist()
            yield block[np.arange(width) >= (width - new)[:, None]]
            rows, windows, last = rows + int(ends[-1]), windows + len(block), block[-1]

    def articles(
        self, rows: int, number_of: npt.NDArray[np.int32] | None
    ) -> tuple[Literal["articles", "pieces", "sequence"], npt.NDArray[np.int32] | None, tuple[str, ...]]:
        """The kind of store, the article or piece of each of the `rows`, and notes; after all rows were read.

        `number_of`: the article of each window, where the file has it.
        """
        lengths = np.diff([*self._pieces, rows])
        if number_of is not None:
            named = number_of[self._first_windows]
            if len(np.unique(named)) == len(named):
                return "articles", np.repeat(named, lengths), ()
        notes: tuple[str, ...] = ()
        if number_of is not None:
            notes = (
                f"windows of an article do not all follow each other: {len(named):,} pieces of "
                f"{len(np.unique(named)):,} articles, and each piece counts as one article",
            )
        if len(self._pieces) == 1:
            return "sequence", None, notes
        return "pieces", np.repeat(np.arange(len(self._pieces), dtype=np.int32), lengths), notes


def _moved(windows: Floats, width: int) -> Integers:
    """How many vectors each window but the first lies after the one before; `width` where it does not follow it."""
    bits = windows.view(np.uint32)
    moved = np.full(len(windows) - 1, width, np.int64)
    open_ = np.arange(len(windows) - 1)
    for step in range(1, width):
        if not len(open_):
            break
        follows = (bits[open_ + 1, 0] == bits[open_, step]).all(axis=1)
        candidates = open_[follows]
        whole = (bits[candidates + 1, : width - step] == bits[candidates, step:]).all(axis=(1, 2))
        moved[candidates[whole]] = step
        open_ = open_[moved[open_] == width]
    return moved
