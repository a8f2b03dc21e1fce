"""The characters the screens are drawn with, and what stands for them where the terminal has no UTF-8.

Drawing code uses the characters below and never asks what the terminal can do: the driver passes everything that
leaves the program through `to_ascii` where that is needed, Textual's own borders included. Each replacement is as
wide as what it replaces, so nothing moves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.cells import cell_len

WARNING, FAILED = "!", "✗"
SELECTED = "▌"
BAR_FULL, BAR_HALF, BAR_EMPTY = "━", "╸", "─"
LEVEL, BAND = "┄", "░"
"""A horizontal line in a chart; what lies between the lowest and the highest of several curves."""
ACROSS = "─"
AXIS, TICK = "│", "┤"
ELLIPSIS = "…"
TO = "→"
RISEN, FALLEN = "↑", "↓"

_TABLE = {
    **dict(zip("✓▸‖○✗◌▌━╸─┄│┤├┼┬┴…■□▶▼▲◀•·●", "+>=ox~>#=--|||+++~#.>v^<*.o", strict=True)),
    **dict.fromkeys("╭╮╰╯┏┓┗┛┌┐└┘╔╗╚╝", "+"),
    **dict(zip("┃═║▔▁▏▎▊█▀▄▐░▒▓", "|=|-_||##^_|.:#", strict=True)),
    **dict(zip("–—−×±≤≥≈“”‘’→←↑↓⏎", "---x+<>~\"\"''><^v<", strict=True)),
    **dict(zip("\N{MIDDLE DOT}\N{NO-BREAK SPACE}\N{REPLACEMENT CHARACTER}", ". ?", strict=True)),
}


def _braille_in_ascii(dots: int) -> str:
    """The character nearest to a braille cell: high, middle, low, or upright where it spans the height."""
    rows = [bool(dots & mask) for mask in (0b00001001, 0b00010010, 0b00100100, 0b11000000)]
    if sum(rows) >= 3:
        return "|"
    if rows[0] and not rows[3] and not rows[2]:
        return "'"
    if rows[3] and not rows[0] and not rows[1]:
        return "."
    return "-" if any(rows) else " "


_ASCII = {ord(c): r for c, r in _TABLE.items()} | {0x2800 + dots: _braille_in_ascii(dots) for dots in range(256)}


def to_ascii(text: str) -> str:
    """`text` in characters every terminal has, as wide as before."""
    if text.isascii():
        return text
    text = text.translate(_ASCII)
    return text if text.isascii() else "".join(c if c.isascii() else "?" * cell_len(c) for c in text)


def has_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """True if the terminal is likely to show UTF-8.

    Python sets LC_CTYPE=C.UTF-8 itself where the locale is C (PEP 538), so that value says nothing about the
    terminal while LANG says C. A machine that names no locale at all is most often a container reached from a
    terminal that has UTF-8. The Linux console has it, but a font without braille.
    """
    chosen = environment.get("LVMTUI_GLYPHS", "")
    if chosen:
        return chosen.lower() != "ascii"
    if environment.get("TERM") in ("linux", "vt100", "vt220", "dumb"):
        return False
    character_type = environment.get("LC_CTYPE", "")
    if character_type == "C.UTF-8" and environment.get("LANG"):
        character_type = ""
    return "utf" in (environment.get("LC_ALL") or character_type or environment.get("LANG") or "UTF-8").lower()
