"""What the styles look like. Drawing code names a meaning, and this table gives it a look.

Only the terminal's own sixteen colours are used: they follow its light or dark theme, every terminal has them, and
they take a sixth of the bytes of 24-bit colours. A state is always shown by a word and a glyph as well.
"""

from __future__ import annotations

from rich.style import Style

from lvmtui.verdict.words import DOWN, UP, Word

STYLES: dict[str, Style] = {
    "": Style(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "heading": Style(bold=True),
    "banner": Style(bold=True, reverse=True),
    "key": Style(bold=True, color="cyan"),
    "selected": Style(bold=True, color="cyan"),
    "cursor": Style(reverse=True),
    "match": Style(reverse=True, color="yellow"),
    "done": Style(color="green"),
    "running": Style(bold=True, color="cyan"),
    "waiting": Style(color="yellow"),
    "queued": Style(dim=True),
    "failed": Style(bold=True, color="red"),
    "alarm": Style(bold=True, color="red"),
    "note": Style(color="yellow"),
    "better": Style(bold=True, color="green"),
    "worse": Style(bold=True, color="red"),
    "baseline": Style(color="blue"),
    "expanded": Style(color="magenta"),
    "baseline_band": Style(color="blue", dim=True),
    "expanded_band": Style(color="magenta", dim=True),
    "level": Style(dim=True),
}
"""`baseline` and `expanded` are the arms' curves: blue and magenta stay apart for colour-blind eyes."""


def change_style(change: float | None) -> str:
    """The style of a change in percent: better or worse."""
    return "" if change is None or change == 0 else "better" if change > 0 else "worse"


def verdict_style(word: Word) -> str:
    return "better" if word in UP else "worse" if word in DOWN else "note" if word is Word.NOT_COMPARABLE else ""
