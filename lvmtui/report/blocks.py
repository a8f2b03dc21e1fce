"""A page as blocks: what it says, without how it looks. `markdown.py`, `terminal.py` and `html.py` draw them.

Text in a block is plain text. Each drawer makes it safe for its own medium, so nobody else has to escape anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Code:
    """An identifier, a path, or a command, shown as it would be typed."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Text that stands out."""

    text: str


@dataclass(frozen=True)
class Bar(Code):
    """An interval around zero, all on one scale. Its text draws it in characters, for media without pictures."""

    low: float
    middle: float
    high: float
    zero: float
    """Places on the scale, from 0 (its left end) to 1."""


Piece = str | Code | Strong
Text = Piece | tuple[Piece, ...]


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2
    """1 for the title of the page, then 2 and 3."""
    folded: bool = False
    """Its section is for reference: where a page can fold, it is folded at first."""


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Bullets:
    items: tuple[Text, ...]


@dataclass(frozen=True)
class TableBlock:
    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    """Each row has one cell for each column."""
    right: frozenset[int] = frozenset()
    """Columns aligned to the right: figures."""


@dataclass(frozen=True)
class Figure:
    """A picture in a file of its own."""

    title: str
    path: str
    """Relative to the file that shows it."""


Block = Heading | Paragraph | Bullets | TableBlock | Figure


def without_home(part: Any, home: str) -> Any:
    """The same with `~` for the home folder in its paths: who reads a page elsewhere need not know whose it was."""
    if isinstance(part, str) and home.strip("/"):
        return re.sub(rf"(?<![\w.~/-]){re.escape(home)}(?![\w.-])", "~", part)
    if isinstance(part, tuple):
        return tuple(without_home(one, home) for one in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: without_home(getattr(part, field.name), home) for field in fields(part)})
    return part


def pieces_of(text: Text) -> tuple[Piece, ...]:
    """The pieces of a text, with the commands that it quotes as code, so that they can be copied as they are."""
    found: list[Piece] = []
    for piece in text if isinstance(text, tuple) else (text,):
        if isinstance(piece, str) and "'lvmtui " in piece:
            between = enumerate(re.split(r"(?<!\w)'(lvmtui [^']+)'(?=[\s.,;:)]|$)", piece))
            found += [Code(part) if number % 2 else part for number, part in between if part]
        else:
            found.append(piece)
    return tuple(found)


def bullets(items: Iterable[Text]) -> tuple[Block, ...]:
    """A list as blocks: none for no items."""
    found = tuple(items)
    return (Bullets(found),) if found else ()


def table(columns: Iterable[str], rows: Iterable[Iterable[Text]], right: Iterable[int] = ()) -> TableBlock:
    """A table from any iterables."""
    return TableBlock(tuple(columns), tuple(tuple(row) for row in rows), frozenset(right))
