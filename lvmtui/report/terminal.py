"""Blocks as lines of a terminal, each a tuple of (text, style). Pure.

Styles are names that the screen gives a look: `selected` (the title), `heading`, `bold`, `dim`, or empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from lvmtui.report.blocks import (
    Block,
    Bullets,
    Code,
    Figure,
    Heading,
    Paragraph,
    Strong,
    TableBlock,
    Text,
    pieces_of,
    unmarked,
)
from lvmtui.system.text import aligned, sanitise, width

Line = tuple[tuple[str, str], ...]
RULE = "─"


def terminal_lines(blocks: Iterable[Block], columns: int) -> list[Line]:
    """The page in lines of at most `columns`; tables keep their width and may be wider."""
    lines: list[Line] = []
    for block in blocks:
        if drawn := _lines(block, columns):
            lines += [(), *drawn] if lines else drawn
    return lines


def plain_text(blocks: Iterable[Block], columns: int = 110) -> str:
    """The page without styles, for a text file."""
    lines = ("".join(text for text, _ in line).rstrip() for line in terminal_lines(blocks, columns))
    return "\n".join(lines) + "\n"


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
    rows = [block.columns, *(map(unmarked, row) for row in block.rows)]
    head, *below = aligned([[sanitise(cell) for cell in row] for row in rows], block.right)
    rule = RULE * max(map(width, (head, *below)))
    return [((f" {head}", "dim"),), ((f" {rule}", "dim"),), *(((f" {line}", ""),) for line in below)]


def wrapped_lines(text: Text, columns: int) -> list[Line]:
    """`text` in lines of at most `columns`, broken at spaces; a longer word is cut."""
    lines: list[list[tuple[str, str]]] = [[]]
    room = columns
    for word, style, space in _words(text):
        word = word if not (space and lines[-1]) else " " + word
        if width(word) > room and lines[-1]:
            lines.append([])
            room, word = columns, word.lstrip(" ")
        for part in _cut(word, columns):
            if width(part) > room and lines[-1]:
                lines.append([])
                room = columns
            lines[-1].append((part, style))
            room -= width(part)
    return [
        tuple(("".join(part for part, _ in same), style) for style, same in groupby(line, key=itemgetter(1)))
        for line in lines
    ]


def _words(text: Text) -> list[tuple[str, str, bool]]:
    """(word, style, whether a space stands before it)."""
    found = []
    space = False
    for piece in pieces_of(text):
        style = "bold" if isinstance(piece, Strong) else ""
        value = sanitise(piece if isinstance(piece, str) else piece.text)
        if isinstance(piece, Code):
            found.append((value, style, space))
            space = False
            continue
        for i, word in enumerate(value.split(" ")):
            space = space or i > 0
            if word:
                found.append((word, style, space))
                space = False
    return found


def _cut(word: str, columns: int) -> list[str]:
    """The word in parts that fit."""
    parts, current = [], ""
    for character in word:
        if current and width(current + character) > columns:
            parts.append(current)
            current = ""
        current += character
    return [*parts, current]
