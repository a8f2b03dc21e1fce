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


def numbered(where: str, rows: int, blocks: Iterable[npt.NDArray[Any]]) -> tuple[Numbers, list[Any] | None]:
    """The number of each of `rows` rows, whose ids come in blocks, (n,) or (n, 1); and the ids by number, None where
    ids are the numbers themselves. Memory: four bytes per row, plus each distinct id once.

    `where`: file and array or column, for messages. Raises UserError for what cannot be an id.
    """
    numbers = np.empty(rows, np.int32)
    names: dict[Any, int] = {}
    done, as_they_are = 0, True
    for block in blocks:
        ids = _checked(where, block.reshape(-1), done, rows)
        small = ids.dtype.kind in "iu" and (not len(ids) or (int(ids.min()) >= 0 and int(ids.max()) <= LARGEST_NUMBER))
        if as_they_are and not small:
            as_they_are = False
            numbers[:done] = _by_first_place(numbers[:done], names)
        numbers[done : done + len(ids)] = ids if as_they_are else _by_first_place(ids, names)
        done += len(ids)
    if done != rows:
        raise UserError(f"{where} has {done:,} ids for {rows:,} vectors; one each is needed")
    return numbers, None if as_they_are else list(names)


def _checked(where: str, ids: npt.NDArray[Any], done: int, rows: int) -> npt.NDArray[Any]:
    """The ids of the rows from `done` on, whole numbers or names."""
    cure = "give each vector the number or name of its article"
    if done + len(ids) > rows:
        raise UserError(f"{where} has more ids than there are vectors; one each is needed")
    if ids.dtype.kind == "f":
        whole = np.isfinite(ids) & (np.floor(ids) == ids) & (np.abs(ids) < 2.0**53)
        if not whole.all():
            row = int((~whole).argmax())
            raise UserError(f"{where} is {ids[row]} in row {done + row:,}, no whole number; {cure}")
        return ids.astype(np.int64)
    if ids.dtype.kind not in "iuUS":
        raise UserError(f"{where} is {ids.dtype}, neither whole numbers nor names; {cure}")
    return ids


def _by_first_place(ids: npt.NDArray[Any], names: dict[Any, int]) -> Numbers:
    """Numbers of ids in the order in which they first came; new ones are added to `names`."""
    different, first, number = np.unique(ids, return_index=True, return_inverse=True)
    renamed = np.empty(len(different), np.int32)
    for place in np.argsort(first):
        renamed[place] = names.setdefault(different[place].item(), len(names))
    return renamed[number]


def arranged(
    numbers: Numbers, titles: tuple[str, ...], named: str, order: npt.NDArray[Any] | None = None, order_name: str = ""
) -> Articles:
    """Rows grouped by article and, within one, by `order` (N,). `named` and `order_name` are for notes."""
    if not len(numbers):
        return Articles(numbers, titles)
    starts = np.concatenate([[0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1])
    stretches = numbers[starts]
    scattered = len(np.unique(stretches)) < len(stretches)
    unordered = order is not None and bool((order[1:] < order[:-1])[numbers[1:] == numbers[:-1]].any())
    if not scattered and not unordered:
        return Articles(numbers, titles)
    different, first = np.unique(numbers, return_index=True)
    rank = first[np.searchsorted(different, numbers)]
    by = np.lexsort((rank,) if order is None else (order, rank))
    notes = []
    if scattered:
        notes.append(
            f"rows of an article do not stand together by {named}; they were grouped, each article at the "
            f"place of its first row ({len(stretches):,} stretches, {len(different):,} articles)"
        )
    if unordered:
        notes.append(f"rows of an article were put in the order of {order_name}")
    return Articles(numbers[by], titles, np.argsort(by), tuple(notes))


def order_of(file: str, named: str, rows: int, blocks: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The place of each of `rows` rows in its article (N,), from blocks (n,) or (n, 1). Raises UserError for others."""
    order = np.concatenate([block.reshape(-1) for block in blocks])
    if order.dtype.kind not in "iuf" or (order.dtype.kind == "f" and not np.isfinite(order).all()):
        raise UserError(f"{file}: {sanitise(named, 40)} has rows that are no numbers; give another --order")
    if len(order) != rows:
        raise UserError(f"{file}: {sanitise(named, 40)} has {len(order):,} numbers for {rows:,} vectors; give one each")
    return order


def titles_by_number(names: Sequence[Any] | None) -> tuple[str, ...]:
    """The ids themselves as titles, where they are not the numbers of the articles."""
    return () if names is None else tuple(article_title(name) for name in names[:MOST_TITLES])


def titles_of_rows(by_row: Numbers, titles: Iterable[str]) -> tuple[str, ...]:
    """Titles by article number, of a title for each row: that of the article's first row counts. None without titles,
    and none where ids are so large that most numbers have no article."""
    if not len(by_row) or int(by_row.max()) >= min(2 * len(by_row), MOST_TITLES):
        return ()
    named: dict[int, str] = {}
    for title, number in zip(titles, map(int, by_row), strict=False):  # titles to their end, where a file is verified
        named.setdefault(number, title)
    return tuple(named.get(number, "") for number in range(int(by_row.max()) + 1)) if named else ()


def article_title(raw: Any) -> str:
    return sanitise(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw), LONGEST_TITLE)
