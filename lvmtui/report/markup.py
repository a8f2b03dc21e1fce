"""Markdown that shows exactly the text it is given, whatever that text is. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from lvmtui.system.text import sanitise


def text(value: str) -> str:
    """Text from wherever, as Markdown that shows exactly it, in a table cell too. A backtick becomes an entity, so
    that every one that is left is from `code`."""
    value = sanitise(value).replace("\\", "\\\\").replace("&", "&amp;")
    value = value.replace("<", "&lt;").replace(">", "&gt;").replace("`", "&#96;")
    value = re.sub(r"([|*~#])", r"\\\1", value).replace("](", "]\\(").replace("][", "]\\[")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", value)


def code(value: str) -> str:
    """An identifier or path, as it would be typed; code cannot hold a backtick, nor a cell backslashes before a bar."""
    return "`" + re.sub(r"\\*\|", r"\\|", sanitise(value).replace("`", "'")) + "`"


def comment(value: str) -> str:
    """Text that cannot end the comment it stands in."""
    return re.sub(r"-{2,}|[<>]", "-", sanitise(value, 200))


def file_name(model: str) -> str:
    """A model's name as the name of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", model)[:80] or "_"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A Markdown table with padded columns; those in `right` are aligned to the right."""
    cells = [[text(column) for column in columns], *[list(row) for row in rows]]
    widths = [max(3, *(width(row[i]) for row in cells)) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (widths[i] - width(value)) + value if i in right else value + " " * (widths[i] - width(value))
            for i, value in enumerate(row)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (w - 1) + ":") if i in right else "-" * w for i, w in enumerate(widths)]
    return [line(cells[0]), line(rule), *(line(row) for row in cells[1:])]


def width(value: str) -> int:
    """Columns on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)


def items(lines: Iterable[str]) -> list[str]:
    """A list followed by a blank line; nothing for no lines."""
    found = [f"- {text(line)}" for line in lines]
    return [*found, ""] if found else []
