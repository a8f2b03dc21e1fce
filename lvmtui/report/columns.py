"""Text in the columns of a terminal, where some characters take two and some none. Standard library only."""

from __future__ import annotations

import unicodedata


def width(value: str) -> int:
    """Columns that `value` takes on a terminal."""
    if value.isascii():
        return len(value)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)


def padded(value: str, columns: int, *, right: bool = False) -> str:
    """`value` filled with spaces to so many columns; longer text stays as it is."""
    space = " " * (columns - width(value))
    return space + value if right else value + space
