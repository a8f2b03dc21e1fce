"""The `?` page: all keys, what the glyphs mean, the terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from lvmtui.state.status import PHASES
from lvmtui.ui.draw.lines import Line, Piece, beside, hanging, left, width_of
from lvmtui.ui.screens.view import MOVING
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.dialogs import Dialog
from lvmtui.verdict.words import GLOSSARY

EVERYWHERE = "board, run and verdict"
GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    EVERYWHERE: (
        ("p", "pause the selected run, or resume it"),
        ("x", "cancel it (asks)"),
        ("X", "cancel it without waiting (asks)"),
        ("r", "try it again (checkpoint or start)"),
        ("!", "select the next run that needs you"),
        ("v", "verdict: the ranked table"),
        ("e", "export the report"),
        ("n", "new campaign (on a run: next match)"),
        ("c", "campaigns of this workspace"),
        ("ctrl+p", "every action, by name; themes"),
        ("mouse", "click selects, again opens; drag marks"),
        ("ctrl+c", "copy what is marked, else leave"),
    ),
    "board": (
        ("↑ ↓ j k", "run below, above"),
        ("← → h l", "next model"),
        ("g G", "first, last"),
        ("enter", "look closer"),
        ("/", "find a run"),
    ),
    "run": (
        ("tab 1 2 3 4", "charts, log, facts, events"),
        ("← →", "next run"),
        ("f", "follow the log"),
        ("w", "wrap long lines"),
        ("/ n N", "search the log, on, back"),
        ("y", "logarithmic scale"),
        ("esc", "back to the board"),
    ),
    "verdict": (
        ("↑ ↓", "next model"),
        ("← →", "its next run"),
        ("s", "sort by the next column"),
        ("tab", "the report as exported"),
        ("enter", "open the run"),
    ),
    "new campaign": (
        ("tab", "next field"),
        ("space", "tick a model, open a list"),
        ("ctrl+o", "pick a file"),
        ("ctrl+s", "start, after a question"),
        ("f1", "this page"),
    ),
}

TERM = max(map(len, GLOSSARY)) + 2
"""Cells for the name of a term."""


class Help(Dialog[None]):
    """All keys, glyphs and terms on one page; it scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q,question_mark,f1", "leave", "close", show=False), *MOVING]

    def __init__(self, parting: str) -> None:
        super().__init__("Keys (esc closes)")
        self._groups = {**GROUPS, EVERYWHERE: (*GROUPS[EVERYWHERE], ("q", f"leave; the {parting}"))}

    def compose_box(self) -> ComposeResult:
        with VerticalScroll(id="page", can_focus=False):
            yield Canvas(id="text")

    def body(self, width: int) -> list[Line]:
        first, *others = (_group(title, keys) for title, keys in self._groups.items())
        rest = [line for group in others for line in ((), *group)][1:]
        lines = [*first, (), *rest] if width < 84 else beside((first, rest), (54, width - 54), gap=0)
        return [*lines, (), *_states(width), (), *_terms(width)]

    def action_move(self, by: int) -> None:
        self.query_one("#page").scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        page = self.query_one("#page")
        page.scroll_relative(y=by * page.size.height, animate=False)

    def action_edge(self, end: int) -> None:
        page = self.query_one("#page")
        page.scroll_to(y=end * page.max_scroll_y, animate=False)


def _group(title: str, keys: Sequence[tuple[str, str]]) -> list[Line]:
    return [((title, "heading"),), *(((left(f"  {key}", 14), "key"), (does, "")) for key, does in keys)]


def _states(width: int) -> list[Line]:
    """What the glyphs mean."""
    lines: list[Line] = []
    pieces: list[Piece] = []
    for phase, facts in PHASES.items():
        one: list[Piece] = [(f"{facts.glyph} ", facts.style), (f"{phase.value}   ", "")]
        if width_of([*pieces, *one]) > width:
            lines.append(tuple(pieces))
            pieces = []
        pieces += one
    return [*lines, tuple(pieces)]


def _terms(width: int) -> list[Line]:
    lines: list[Line] = [(("terms", "heading"),)]
    for term, meaning in GLOSSARY.items():
        lines += hanging([(left(f"  {term}", TERM + 2), "key")], meaning, "", width)
    return lines
