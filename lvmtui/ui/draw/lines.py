"""A line of the screen: pieces of text with the name of a style. Pure; widths are cells of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter

from rich import get_console
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from lvmtui.system.text import sanitise
from lvmtui.ui.draw import glyphs

Piece = tuple[str, str]
"""Text and the name of its style (`styles.py`)."""
Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Hit:
    """A part of a drawing that can be clicked."""

    x: int
    y: int
    width: int
    height: int
    target: str
    """What a click there means, in the words of the view that drew it."""


@dataclass(frozen=True)
class Drawing:
    lines: tuple[Line, ...]
    hits: tuple[Hit, ...] = ()

    def target(self, x: int, y: int) -> str | None:
        """What lies under the mouse; the last drawn wins."""
        under = (hit for hit in reversed(self.hits) if 0 <= x - hit.x < hit.width and 0 <= y - hit.y < hit.height)
        return next((hit.target for hit in under), None)


def plain(text: str) -> str:
    """`text` without control characters. Our own text passes unchanged, and the check is cheap."""
    return text if text.isprintable() else sanitise(text)


def width_of(line: Iterable[Piece]) -> int:
    return sum(cell_len(text) for text, _ in line)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; what is cut ends in an ellipsis."""
    if len(text) <= width and text.isascii():
        return text
    if width <= 0:
        return ""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + glyphs.ELLIPSIS


def cut_title(title: str, width: int) -> str:
    """A model's title in at most `width` cells; its context is kept, `GraphMERT-L…@10`."""
    name, at, context = title.rpartition("@")
    return cut(name, width - cell_len(at + context)) + at + context if at else cut(title, width)


def left(text: str, width: int) -> str:
    """`text` in exactly `width` cells, at the left."""
    text = cut(text, width)
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    """`text` in exactly `width` cells, at the right."""
    text = cut(text, width)
    return " " * (width - cell_len(text)) + text


def fit(line: Sequence[Piece], width: int, fill: str = "") -> Line:
    """`line` in exactly `width` cells: cut with an ellipsis, or filled with blanks of the style `fill`."""
    pieces: list[Piece] = []
    room = width
    for text, style in line:
        cells = cell_len(text)
        if cells > room:
            text, cells = left(text, room), room
        if text:
            pieces.append((text, style))
        room -= cells
    if room > 0:
        pieces.append((" " * room, fill))
    return tuple(pieces)


def spread(start: Sequence[Piece], end: Sequence[Piece], width: int, fill: str = "") -> Line:
    """`start` at the left and `end` at the right; if both do not fit, `start` is cut and `end` is kept whole."""
    room = width - width_of(end)
    return (*fit(start, room, fill), *end) if room > 0 else fit(end, width)


def beside(blocks: tuple[Sequence[Line], Sequence[Line]], widths: tuple[int, int], gap: int) -> list[Line]:
    """Two blocks of lines next to each other, of these widths; missing lines are blank."""
    rows = zip_longest(*blocks, fillvalue=())
    return [(*fit(one, widths[0]), (" " * gap, ""), *fit(other, widths[1])) for one, other in rows]


def wrapped(text: str, width: int, most: int | None = None) -> list[str]:
    """`text` in lines of at most `width` cells, broken at blanks where there are some; the last of `most` is cut."""
    lines = [line.plain.rstrip() for line in Text(text).wrap(get_console(), max(2, width))]
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), width)]
    return lines


def hanging(head: Sequence[Piece], text: str, style: str, width: int) -> list[Line]:
    """`head` and `text` in `width` cells; what of the text has no room beside the head goes on below its beginning."""
    indent = width_of(head)
    first, *more = wrapped(text, max(10, width - indent))
    return [(*head, (first, style)), *(((" " * indent, ""), (part, style)) for part in more)]


def fitting(forms: Sequence[str], width: int) -> str:
    """The first of these, the longest first, that fits into `width` cells; the last where none does."""
    return next((form for form in forms if cell_len(form) <= width), forms[-1])


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbours of one style as one piece."""
    return [("".join(text for text, _ in same), style) for style, same in groupby(pieces, key=itemgetter(1))]


def part(lines: Sequence[Line], height: int, more: str) -> list[Line]:
    """The first of `lines`, at most `height`; where some are left out the last one says how many, and `more`."""
    if len(lines) <= height:
        return list(lines)
    kept = list(lines[: max(0, height - 1)])
    return [*kept, ((f" {glyphs.ELLIPSIS} {len(lines) - len(kept)} more lines{more}", "note"),)][: max(0, height)]


def place(top: int, shown: int, count: int) -> str:
    """Which part of a list is shown: `17-32/500`; empty where all of it is."""
    return f"{top + 1}-{top + shown}/{count}" if shown < count else ""
