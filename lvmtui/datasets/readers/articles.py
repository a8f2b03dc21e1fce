"""Which article each row of a file belongs to, from ids of any kind, and in which order the rows are kept.

Windows never leave an article, so the rows of one must stand together and in reading order. Where a file has them
otherwise they are grouped, articles by the place of their first row, and the file's notes say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

Numbers = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]

MOST_TITLES = 1_000_000
"""Titles that are kept; articles beyond are called by their number."""
LONGEST_TITLE = 200
"""Characters of a title that are kept."""
LARGEST_NUMBER = (1 << 31) - 1
"""Ids from 0 to here are kept as they are; others are numbered in the order in which they first come."""


@dataclass(frozen=True)
class Articles:
    """The articles of a file with N rows."""

    number_of: Numbers | None = None
    """(N,) article of each row, in the order in which the rows are kept; None where all rows are one sequence."""
    titles: tuple[str, ...] = ()
    """Titles by article number, sanitised; may be shorter than there are articles."""
    places: Integers | None = None
    """(N,) where each row of the file is kept; None where rows stay where they are."""
    notes: tuple[str, ...] = ()
    """What was done that a reader should know."""


class Numbering:
    """Numbers ids that come in blocks. Memory: four bytes per row, plus each distinct id once."""

    def __init__(self, file: str, name: str, rows: int) -> None:
        """`file` and `name` (of the array or column) are for messages. `rows`: how many will come."""
        self._where = f"{file}: {name}"
        self._numbers = np.empty(rows, np.int32)
        self._done = 0
        self._names: dict[Any, int] = {}
        self._as_they_are = True

    def add(self, block: npt.NDArray[Any]) -> None:
        """Take the ids of the next rows, (n,) or (n, 1). Raises UserError for what cannot be an id."""
        ids = self._checked(block.reshape(-1))
        small = ids.dtype.kind in "iu" and (not len(ids) or (int(ids.min()) >= 0 and int(ids.max()) <= LARGEST_NUMBER))
        if self._as_they_are and not small:
            self._as_they_are = False
            self._numbers[: self._done] = self._numbered(self._numbers[: self._done])
        self._numbers[self._done : self._done + len(ids)] = ids if self._as_they_are else self._numbered(ids)
        self._done += len(ids)

    def finish(self) -> tuple[Numbers, list[Any] | None]:
        """The number of each row, and the ids by number; None where ids are the numbers themselves."""
        if self._done != len(self._numbers):
            raise UserError(
                f"{self._where} has {self._done:,} ids for {len(self._numbers):,} vectors; one each is needed"
            )
        return self._numbers, None if self._as_they_are else list(self._names)

    def _checked(self, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._done + len(ids) > len(self._numbers):
            raise UserError(f"{self._where} has more ids than there are vectors; one each is needed")
        if ids.dtype.kind == "f":
            whole = np.isfinite(ids) & (np.floor(ids) == ids) & (np.abs(ids) < 2.0**53)
            if not whole.all():
                row = int((~whole).argmax())
                raise UserError(
                    f"{self._where} is {ids[row]} in row {self._done + row:,}, no whole number; "
                    "give each vector the number or name of its article"
                )
            return ids.astype(np.int64)
        if ids.dtype.kind not in "iuUS":
            raise UserError(
                f"{self._where} is {ids.dtype}, neither whole numbers nor names; "
                "give each vector the number or name of its article"
            )
        return ids

    def _numbered(self, ids: npt.NDArray[Any]) -> Numbers:
        """Numbers of ids in the order in which they first came."""
        different, first, number = np.unique(ids, return_index=True, return_inverse=True)
        renamed = np.empty(len(different), np.int32)
        for place in np.argsort(first):
            renamed[place] = self._names.setdefault(different[place].item(), len(self._names))
        return renamed[number]


def arranged(
    numbers: Numbers, order: npt.NDArray[Any] | None = None, *, named: str = "", order_name: str = ""
) -> tuple[Numbers, Integers | None, tuple[str, ...]]:
    """Rows grouped by article and, within one, by `order` (N,).

    Returns the numbers in the order kept, the place of each row (None: as it was) and notes.
    """
    if not len(numbers):
        return numbers, None, ()
    starts = np.concatenate([[0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1])
    stretches = numbers[starts]
    scattered = len(np.unique(stretches)) < len(stretches)
    unordered = order is not None and bool((order[1:] < order[:-1])[numbers[1:] == numbers[:-1]].any())
    if not scattered and not unordered:
        return numbers, None, ()
    different, first = np.unique(numbers, return_index=True)
    rank = first[np.searchsorted(different, numbers)]
    by = np.lexsort((rank,) if order is None else (order, rank))
    notes = []
    if scattered:
        notes.append(
            f"rows of an article do not stand together by {named or 'its id'}; they were grouped, each article at the "
            f"place of its first row ({len(stretches):,} stretches, {len(different):,} articles)"
        )
    if unordered:
        notes.append(f"rows of an article were put in the order of {order_name}")
    return numbers[by], np.argsort(by), tuple(notes)


def titles_by_number(names: Sequence[Any] | None) -> tuple[str, ...]:
    """The ids themselves as titles, where they are not the numbers of the articles."""
    return () if names is None else tuple(article_title(name) for name in names[:MOST_TITLES])


def titles_of_rows(by_row: Numbers, titles: Iterable[str]) -> tuple[str, ...]:
    """Titles by article number, of a title for each row: that of the article's first row counts. Where ids are so large
    that most numbers have no article there are none."""
    if not len(by_row) or int(by_row.max()) >= min(2 * len(by_row), MOST_TITLES):
        return ()
    different, first = np.unique(by_row, return_index=True)
    wanted = dict(zip(first.tolist(), different.tolist(), strict=True))
    named = [""] * (int(different.max()) + 1)
    for row, title in enumerate(titles):
        if row in wanted:
            named[wanted[row]] = title
    return tuple(named)


def article_title(raw: Any) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return sanitise(text, LONGEST_TITLE)
