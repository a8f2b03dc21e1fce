"""Our report's Markdown as lines of a terminal: headings, tables, lists, paragraphs. Pure.

It reads what our report writes and no more, which costs nothing to load; anything else is shown as it stands.
"""

from __future__ import annotations

import re
from itertools import groupby

from rich.cells import cell_len

from lvmtui.system.text import sanitise
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, left, right, wrapped

_INLINE = re.compile(r"\*\*(.+?)\*\*|`([^`]+)`|!?\[([^\]]*)\]\(([^)]*)\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")
_RULE = re.compile(r"^\|?[\s:|-]+\|[\s:|-]*$")


def render(text: str, width: int) -> list[Line]:
    """`text` in lines of at most `width` cells; tables keep their width and may be wider."""
    lines: list[Line] = []
    for kind, group in groupby(text.splitlines(), key=_kind):
        block = [sanitise(line, 2000) for line in group]
        match kind:
            case "comment":
                continue
            case "blank":
                if lines and lines[-1]:
                    lines.append(())
            case "heading":
                for line in block:
                    level = len(line) - len(line.lstrip("#"))
                    title = plain_inline(line.lstrip("# "))
                    lines.append(((" " + title, "heading" if level > 1 else "selected"),))
            case "table":
                lines.extend(_table(block))
            case "list":
                for line in block:
                    indent = len(line) - len(line.lstrip())
                    body = wrapped(plain_inline(line.lstrip()[2:]), max(10, width - indent - 4))
                    bullet = " " * indent + " • "
                    for part in body:
                        lines.append(((bullet, "dim"), (part, "")))
                        bullet = " " * len(bullet)
            case "code":
                lines.extend((("   " + line, "dim"),) for line in block if not line.startswith("```"))
            case _:
                joined = " ".join(line.strip() for line in block)
                style = "bold" if joined.startswith("**") and joined.endswith("**") else ""
                lines.extend(((" " + part, style),) for part in wrapped(plain_inline(joined), width - 2))
    return lines


def plain_inline(text: str) -> str:
    """Text without the marks of emphasis, code and links; a link shows its words."""
    text = _INLINE.sub(lambda found: next(g for g in found.groups() if g is not None), text)
    return _ESCAPED.sub(r"\1", text)


def _kind(line: str) -> str:
    stripped = line.strip()
    if not stripped:
        return "blank"
    if stripped.startswith("<!--"):
        return "comment"
    if line.startswith("#"):
        return "heading"
    if stripped.startswith("|"):
        return "table"
    if re.match(r"[-*] ", stripped):
        return "list"
    return "code" if line.startswith(("    ", "```")) else "text"


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [plain_inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", inner)]


def _table(block: list[str]) -> list[Line]:
    """A table with its columns under each other; columns marked with `-:` stand at the right."""
    rules = [line for line in block if _RULE.match(line)]
    flush = [cell.endswith(":") and not cell.startswith(":") for cell in _cells(rules[0])] if rules else []
    rows = [_cells(line) for line in block if not _RULE.match(line)]
    columns = max(map(len, rows), default=0)
    rows = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(columns)]
    lines: list[Line] = []
    for y, row in enumerate(rows):
        pieces: list[Piece] = [("  ", "")]
        for i, cell in enumerate(row):
            place = right if i < len(flush) and flush[i] else left
            pieces.append((place(cell, widths[i]) + "  ", "dim" if y == 0 else ""))
        lines.append(tuple(pieces))
        if y == 0:
            lines.append(((" " + glyphs.ACROSS * (sum(widths) + 2 * columns + 1), "dim"),))
    return lines
