"""Text made harmless, text in columns, and things in groups, so that what they share is said once. Pure.

A log line can carry terminal commands (set the clipboard or title, move the cursor), bidirectional controls that
reorder what is read, invalid UTF-8, or megabytes without a newline. `sanitise` makes any of it one plain, bounded line.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LONGEST_LINE = 4096
"""Characters of one line that are kept; more than any screen shows, little enough to fold 500 runs."""

wrap = partial(textwrap.wrap, break_on_hyphens=False, break_long_words=False)
"""The lines of a text, at most so many characters each; options, commands and paths stay whole."""

_ESCAPES = re.compile(
    r"""
      (?:\x1b\]|\x9d) [^\x07\x1b\x9c]{0,4096} (?:\x07|\x1b\\|\x9c|$)   # OSC: title, clipboard, links
    | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f]) [^\x1b\x9c]{0,4096} (?:\x1b\\|\x9c|$)   # DCS, SOS, PM, APC
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                              # CSI: colours, cursor, erase
    | \x1b [ -/]* [0-~]?                                                # two-character escapes, reset among them
    """,
    re.VERBOSE,
)


def sanitise(text: str | bytes, limit: int = LONGEST_LINE) -> str:
    """Return `text` as one printable line of at most `limit` characters.

    Escape sequences vanish, tabs and newlines become blanks, every other control, format (bidirectional marks,
    zero-width), surrogate, private-use or unassigned character becomes `\N{REPLACEMENT CHARACTER}`.
    """
    if isinstance(text, bytes):
        text = text[: 8 * limit].decode("utf-8", "replace")
    cut = len(text) > 4 * limit
    text = _ESCAPES.sub("", text[: 4 * limit])
    if not (text.isascii() and text.isprintable()):
        text = "".join(_plain(character) for character in text)
    if cut or len(text) > limit:
        text = text[: limit - 1] + "…"
    return text


def natural(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts numbers in names by their value: part 2 before part 10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def last_words(said: bytes, most: int = 1) -> str:
    """The last line that says something, or up to `most` different ones, sanitised; empty if none does."""
    lines = (text for line in reversed(said.splitlines()) if (text := sanitise(line, 300).strip()))
    return "; ".join(reversed(dict.fromkeys(islice(lines, most))))


def _plain(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    return "\ufffd" if unicodedata.category(character)[0] == "C" else character


def width(value: str) -> int:
    """Columns that `value` takes on a terminal."""
    if value.isascii():
        return len(value)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)


def padded(value: str, columns: int, *, right: bool = False) -> str:
    """`value` filled with spaces to so many columns; longer text stays as it is."""
    space = " " * (columns - width(value))
    return space + value if right else value + space


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """One line for each row, with the cells of a column under each other; the columns `right` are flush right."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(padded(c, w, right=i in right) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The values of each key, in their order: what is said once of several models."""
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
