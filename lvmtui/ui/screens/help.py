"""The `?` page: all keys, what the glyphs mean, the terms."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from lvmtui.state.status import PHASES
from lvmtui.system import numbers as words
from lvmtui.ui.draw.lines import Line, Piece, beside, left, wrapped
from lvmtui.ui.widgets.dialogs import Dialog
from lvmtui.verdict.words import GLOSSARY

GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "board, run and verdict",
        (
            ("p", "pause the selected run, or resume it"),
            ("x", "cancel it (asks)"),
            ("X", "cancel it without waiting (asks)"),
            ("r", "try it again (checkpoint or start)"),
            ("!", "select the next run that needs you"),
            ("v", "verdict: the ranked table"),
            ("e", "export the report"),
            ("n", "new campaign (on a run: next match)"),
            ("ctrl+p", "every action, by name"),
            ("q", "leave; the runs go on"),
        ),
    ),
    (
        "board",
        (
            ("↑ ↓ j k", "next model"),
            ("← → h l", "next run"),
            ("g G", "first, last"),
            ("enter", "look closer"),
            ("/", "find a run"),
        ),
    ),
    (
        "run",
        (
            ("tab 1 2 3 4", "charts, log, facts, events"),
            ("← →", "next run"),
            ("f", "follow the log"),
            ("w", "wrap long lines"),
            ("/ n N", "search the log, on, back"),
            ("y", "logarithmic scale"),
            ("esc", "back to the board"),
        ),
    ),
    (
        "verdict",
        (
            ("↑ ↓", "next model"),
            ("← →", "its next run"),
            ("s", "sort by the next column"),
            ("tab", "the report as exported"),
            ("enter", "open the run"),
        ),
    ),
    ("new campaign", (("pgup pgdn", "more of what was found"), ("enter", "start, after a question"))),
)

TERM = max(len(term.name) for term in GLOSSARY) + 2
"""Cells for the name of a term."""


class Help(Dialog[None]):
    """All keys, glyphs and terms on one page; it scrolls."""

    WIDEST = 100
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "close", "close", show=False),
        Binding("down,j,space,pagedown", "scroll(4)", "down", show=False),
        Binding("up,k,pageup", "scroll(-4)", "up", show=False),
    ]
    _top = 0
    _left = 0
    """Lines below what is shown."""

    def heading(self) -> str:
        return "Keys (esc closes)"

    def body(self, width: int, height: int) -> list[Line]:
        columns = [_column(GROUPS[:1]), _column(GROUPS[1:])]
        lines = [*columns[0], (), *columns[1]] if width < 84 else beside(columns, [54, width - 54], gap=0)
        lines = [*lines, (), *_states(width), (), *_terms(width)]
        self._top = max(0, min(self._top, len(lines) - height))
        self._left = max(0, len(lines) - height - self._top)
        return lines[self._top : self._top + height]

    def foot(self) -> str:
        """That there is more, and where."""
        above = f"↑ {words.plural(self._top, 'line')} above" if self._top else ""
        below = f"↓ {words.plural(self._left, 'line')} more" if self._left else ""
        return "   ".join(filter(None, (above, below)))

    def action_scroll(self, by: int) -> None:
        self._top += by
        self.redraw()

    def action_close(self) -> None:
        self.dismiss(None)


def _column(groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> list[Line]:
    lines: list[Line] = []
    for title, keys in groups:
        if lines:
            lines.append(())
        lines.append(((title, "heading"),))
        lines.extend(((left(f"  {key}", 14), "key"), (does, "")) for key, does in keys)
    return lines


def _states(width: int) -> list[Line]:
    """What the glyphs mean."""
    lines: list[Line] = []
    pieces: list[Piece] = []
    used = 0
    for phase, facts in PHASES.items():
        word = phase.value
        size = len(word) + 5
        if used + size > width:
            lines.append(tuple(pieces))
            pieces, used = [], 0
        pieces += [(f"{facts.glyph} ", facts.style), (f"{word}   ", "")]
        used += size
    return [*lines, tuple(pieces)]


def _terms(width: int) -> list[Line]:
    """The glossary."""
    lines: list[Line] = [(("terms", "heading"),)]
    for term in GLOSSARY:
        first, *more = wrapped(term.meaning, max(20, width - TERM - 2))
        lines.append(((left(f"  {term.name}", TERM + 2), "key"), (first, "")))
        lines.extend(((" " * (TERM + 2) + line, ""),) for line in more)
    return lines
