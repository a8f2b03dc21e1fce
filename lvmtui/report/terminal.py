"""Blocks as lines of a terminal, each a tuple of (text, style). Pure.

Styles are names that the screen gives a look: `selected` (the title), `heading`, `bold`, `dim`, or empty.
"""

from __future__ import annotations

from collections.abc import Iterable

import rich
import rich.text

from lvmtui.report.blocks import Block, Bullets, Code, Figure, Heading, Paragraph, Strong, TableBlock, Text, pieces_of
from lvmtui.system.text import aligned, sanitise, width

Line = tuple[tuple[str, str], ...]
HELD = "\ue000"
"""Stands for a space within code while lines are broken. No text has it once it is sanitised."""


def terminal_lines(blocks: Iterable[Block], columns: int) -> list[Line]:
    """The page in lines of at most `columns`; tables keep their width and may be wider."""
    lines: list[Line] = []
    for block in blocks:
        if drawn := _lines(block, columns):
            lines += [(), *drawn] if lines else drawn
    return lines


def plain_text(blocks: Iterable[Block], columns: int = 110) -> str:
    """The page without styles, for a text file."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in terminal_lines(blocks, columns)) + "\n"


def _lines(block: Block, columns: int) -> list[Line]:
    match block:
        case Heading(text, level):
            return [((" " + sanitise(text), "selected" if level == 1 else "heading"),)]
        case Paragraph(text):
            return [((" ", ""), *line) for line in wrapped_lines(text, columns - 2)]
        case Bullets(items):
            lines = (line for item in items for line in enumerate(wrapped_lines(item, max(10, columns - 4))))
            return [((" • " if i == 0 else "   ", "dim"), *line) for i, line in lines]
        case TableBlock():
            return _table(block)
        case Figure(title, path):
            return [((f" {sanitise(title)}: {sanitise(path)}", "dim"),)]


def _table(block: TableBlock) -> list[Line]:
    head, *below = aligned([[_words(cell) for cell in row] for row in (block.columns, *block.rows)], block.right)
    rule = "─" * max(map(width, (head, *below)))
    return [((f" {head}", "dim"),), ((f" {rule}", "dim"),), *(((f" {line}", ""),) for line in below)]


def _words(text: Text) -> str:
    """Without its marks, as a printable line."""
    return sanitise("".join(piece if isinstance(piece, str) else piece.text for piece in pieces_of(text)))


def wrapped_lines(text: Text, columns: int) -> list[Line]:
    """`text` in lines of at most `columns`, broken at spaces but not within code; a longer word is cut."""
    whole = rich.text.Text()
    for piece in pieces_of(text):
        value = _words(piece)
        value = value.replace(" ", HELD) if isinstance(piece, Code) else value
        whole.append(value, "bold" if isinstance(piece, Strong) else "")
    console, lines = rich.get_console(), []
    for line in whole.wrap(console, columns):
        line.rstrip()
        parts = (part for part in line.render(console) if part.text)
        lines.append(tuple((part.text.replace(HELD, " "), "bold" if part.style else "") for part in parts))
    return lines
