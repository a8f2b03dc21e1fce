"""The board on the terminal: the canvas, the selection, the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from lvmtui.ui.draw.board import Memo, board, first_listed, list_height
from lvmtui.ui.draw.lines import Drawing
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.screens.view import View
from lvmtui.ui.session import Session

MOST = 200
"""Panels that are remembered."""


class BoardScreen(View):
    """Every model at a glance."""

    QUESTION = "find a run"
    GIVES_WAY = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "next model", show=False),
        Binding("up,k", "move(-1)", "previous model", show=False),
        Binding("right,l,tab", "step(1)", "next run", show=False),
        Binding("left,h,shift+tab", "step(-1)", "previous run", show=False),
        Binding("g,home", "edge(0)", "first", show=False),
        Binding("G,end", "edge(-1)", "last", show=False),
        Binding("pagedown", "page(1)", "a page down", show=False),
        Binding("pageup", "page(-1)", "a page up", show=False),
        Binding("enter", "open", "open the run", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._top = 0
        self._needle = ""
        self._memo: Memo = {}

    def paint(self, snapshot: Snapshot, width: int, height: int) -> Drawing:
        selected = self.ui.selected
        names = [run.name for run in snapshot.runs]
        at = names.index(selected) if selected in names else 0
        shown = list_height(snapshot, selected, width, height)
        self._top = first_listed(self._top, at, shown, len(names))
        self.ui.set_visible(names[at] if names else "", names[self._top : self._top + shown])
        if len(self._memo) > MOST:
            self._memo.clear()
        chosen = names[at] if names else ""
        return board(snapshot, chosen, self._top, width, height, self._memo, read_only=self.ui.read_only)

    # -- moving ------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """To the next or previous model, staying on the arm."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        models = [model for model in snapshot.models if model.runs]
        here = snapshot.model(self.ui.selected)
        if here is not None:
            at = [model.model for model in models].index(here.model)
            self.ui.select_model(models[(at + by) % len(models)])
            self.redraw()

    def action_step(self, by: int) -> None:
        self._go(lambda at, count: (at + by) % count)

    def action_edge(self, end: int) -> None:
        self._go(lambda at, count: end % count)

    def action_page(self, by: int) -> None:
        page = max(1, self.size.height - 6)
        self._go(lambda at, count: max(0, min(count - 1, at + by * page)))

    def _go(self, place: Callable[[int, int], int]) -> None:
        runs = self.snapshot.runs if self.snapshot else ()
        if runs:
            names = [run.name for run in runs]
            at = names.index(self.ui.selected) if self.ui.selected in names else 0
            self.select(runs[place(at, len(runs))])

    def select(self, run: RunFacts) -> None:
        self.ui.selected = run.name
        self.redraw()

    # -- finding -----------------------------------------------------------------------------------------------------

    def asked(self, needle: str) -> None:
        """The next run whose name or state holds the needle; an empty one means the last one again."""
        self._needle = needle.lower() or self._needle
        runs = self.snapshot.runs if self.snapshot else ()
        names = [run.name for run in runs]
        at = names.index(self.ui.selected) if self.ui.selected in names else -1
        for i in range(1, len(runs) + 1):
            run = runs[(at + i) % len(runs)]
            if self._needle in f"{run.title} {run.label} {run.word} {run.name}".lower():
                self.select(run)
                return
        self.ui.say(f"no run matches '{self._needle}'")

    # -- the mouse ---------------------------------------------------------------------------------------------------

    def pressed(self, target: str, again: bool) -> None:
        kind, _, name = target.partition(":")
        if kind == "run" and self.snapshot and (run := self.snapshot.run(name)):
            if again and run.name == self.ui.selected:
                self.ui.open_run()
            else:
                self.select(run)

    def wheeled(self, by: int) -> None:
        self.action_step(by)

    def action_open(self) -> None:
        self.ui.open_run()
