"""Blocks as Markdown that is also readable in a terminal. Pure.

All text is escaped here, so that Markdown shows exactly the text a block holds, whatever that text is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from lvmtui.report.blocks import Block, Bullets, Code, Figure, Heading, Paragraph, Strong, TableBlock, Text, pieces_of
from lvmtui.system.text import padded, sanitise, width

LEAST_WIDTH = 3
"""Least width of a column: Markdown wants three dashes below its title."""


def markdown(blocks: Iterable[Block], pictures: Mapping[str, str] | None = None, *, mark: str = "") -> str:
    """The page. `mark`: a comment for its first line, which readers do not see.

    `pictures`: SVG by the path of its Figure, for a page that holds its pictures; None: they are files of their own.
    """
    harmless = re.sub(r"[-<>]{2,}|[<>]", "-", sanitise(mark, 200))  # it cannot end the comment
    lines = [f"<!-- {harmless} -->"] if mark else []
    before: Block | None = None
    for block in blocks:
        together = isinstance(block, Figure) and isinstance(before, Figure)
        lines += [*([] if together else [""]), *_lines(block, pictures)]
        before = block
    return "\n".join(lines).strip("\n") + "\n"


def escaped(value: str) -> str:
    """Text as Markdown that shows exactly it, in a table cell too.

    A backtick becomes an entity, so that every one that is left marks code.
    """
    value = sanitise(value).replace("\\", "\\\\").replace("&", "&amp;")
    value = value.replace("<", "&lt;").replace(">", "&gt;").replace("`", "&#96;")
    value = re.sub(r"([|*~#])", r"\\\1", value).replace("](", "]\\(").replace("][", "]\\[")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", value)


def code(value: str) -> str:
    """An identifier or path as code, which can hold neither a backtick nor, in a table, a bar after a backslash."""
    return "`" + re.sub(r"\\*\|", r"\\|", sanitise(value).replace("`", "'")) + "`"


def inline(text: Text) -> str:
    """A text with its marks."""
    return "".join(
        code(piece.text)
        if isinstance(piece, Code)
        else f"**{escaped(piece.text)}**"
        if isinstance(piece, Strong)
        else escaped(piece)
        for piece in pieces_of(text)
    )


def _lines(block: Block, pictures: Mapping[str, str] | None) -> list[str]:
    match block:
        case Heading(text, level):
            return [f"{'#' * level} {escaped(text)}"]
        case Paragraph(text):
            return [inline(text)]
        case Bullets(items):
            return [f"- {inline(item)}" for item in items]
        case TableBlock():
            return _table(block)
        case Figure(title, path):
            svg = "" if pictures is None else base64.b64encode(pictures[path].encode()).decode()
            return [f"![{escaped(title)}]({f'data:image/svg+xml;base64,{svg}' if svg else quote(path)})"]


def _table(block: TableBlock) -> list[str]:
    """Padded columns, so that the source lines up too."""
    rows: list[Sequence[str]] = [[escaped(title) for title in block.columns]]
    rows += [[inline(cell) for cell in row] for row in block.rows]
    widths = [max(LEAST_WIDTH, *(width(row[i]) for row in rows)) for i in range(len(block.columns))]
    rule = ["-" * (w - 1) + ":" if i in block.right else "-" * w for i, w in enumerate(widths)]

    def line(row: Sequence[str]) -> str:
        cells = (padded(cell, w, right=i in block.right) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        return f"| {' | '.join(cells)} |"

    return [line(rows[0]), line(rule), *map(line, rows[1:])]
