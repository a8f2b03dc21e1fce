"""The board: every model at a glance. A panel a model where there is room, otherwise a row a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.widget import Widget

from lvmtui.system.numbers import count
from lvmtui.ui.draw.board import about_selected, first_listed, log_end, summary
from lvmtui.ui.draw.board_panels import inside, table_scale
from lvmtui.ui.draw.board_rows import rows
from lvmtui.ui.draw.header import banner, troubles
from lvmtui.ui.draw.lines import Drawing, Hit
from lvmtui.ui.draw.verdict import SORTS, verdict_view
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.ui.screens.view import RunsView
from lvmtui.ui.widgets.canvas import Canvas

MANY = 12
"""Models past which the board is a list."""
NARROWEST, LOWEST = 37, 6
"""Columns of a panel that still says everything; lines, besides one for each of its runs."""
AROUND = 13
"""Lines around the panels: the answer, what is wrong, the log, the keys."""


class BoardScreen(RunsView):
    KEYS = ("leave", "open", "pause", "cancel", "force", "retry", "verdict", "help", "export", "ask", "new")
    GIVES_WAY = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "move(1)", "next run", show=False),
        Binding("shift+tab", "move(-1)", "previous run", show=False),
        Binding("enter", "open", "open", tooltip="open the run"),
    ]
    _top = 0
    _columns = 1
    """Panels side by side."""

    def parts(self) -> Iterable[Widget]:
        yield Canvas(id="answer")
        yield Canvas(id="wrong")
        with Container(id="panels"):
            yield from (ModelPanel() for _ in self.snapshot.models[:MANY]) if self.snapshot else ()
            yield Canvas(id="spare")
        yield Canvas(id="rows")
        yield Canvas(id="about")
        with Horizontal(id="below"):
            yield Canvas(id="ranking")
            yield ModelPanel(id="chosen")
            yield Canvas(id="log")

    def paint(self, snapshot: Snapshot) -> None:
        selected, read_only = self.ui.selected, self.ui.read_only
        self.canvas("answer").paint(lambda w, h: banner(snapshot.headline, snapshot, w, h, read_only=read_only))
        self.canvas("wrong").paint(lambda w, h: troubles(snapshot, selected, w, h, read_only=read_only))
        names = [run.name for run in snapshot.runs]
        panels = self._arrange(snapshot)
        if panels:
            for model, panel in zip(snapshot.models, self.query_one("#panels").query(ModelPanel), strict=False):
                panel.show(model, snapshot, selected)
            self.canvas("spare").paint(lambda width, height: summary(snapshot, width))
        else:
            self._paint_rows(snapshot, selected, names)
        listed = names if panels else names[self._top : self._top + max(1, self.canvas("rows").size.height - 1)]
        self.ui.source.set_visible(selected, listed)
        if self.canvas("ranking").display:
            self.canvas("ranking").paint(
                lambda width, height: verdict_view(snapshot, selected, SORTS[0], width, height),
                (snapshot.table, selected),
            )
        log, run = self.canvas("log"), snapshot.run(selected)
        log.name_frame(f" {run.title} {run.label} log " if run else "")
        log.paint(lambda width, height: log_end(snapshot, selected, width, height))

    def _paint_rows(self, snapshot: Snapshot, selected: str, names: list[str]) -> None:
        at = names.index(selected) if selected in names else 0

        def painter(width: int, height: int) -> Drawing:
            self._top = first_listed(self._top, at, max(1, height - 1), len(names))
            return rows(snapshot, selected, self._top, width, height)

        self.canvas("rows").styles.max_height = len(names) + 2
        self.canvas("about").paint(lambda width, height: about_selected(snapshot, selected, width)[:height])
        self.canvas("rows").paint(painter)
        chosen, model = self.query_one("#chosen", ModelPanel), snapshot.model(selected)
        if chosen.display and model is not None:
            chosen.show(model, snapshot, selected)

    def _arrange(self, snapshot: Snapshot) -> bool:
        """Have as many panels as models, side by side. False: there is no room for panels, or too many models."""
        count = len(snapshot.models)
        lines = math.ceil(count / max(1, (self.size.width + 1) // (NARROWEST + 1)))
        high = lines * (LOWEST + max((len(model.runs) for model in snapshot.models), default=0))
        fits = 0 < count <= MANY and not self.has_class("-narrow") and high <= self.size.height - AROUND
        self.set_class(not fits, "-list")
        self._columns = columns = math.ceil(count / lines) if fits else 1
        if fits:
            box = self.query_one("#panels", Container)
            panels = list(box.query(ModelPanel))
            box.mount(*(ModelPanel() for _ in range(count - len(panels))), before="#spare")
            for i, panel in enumerate(panels):
                panel.display = i < count
            spare, left = self.canvas("spare"), lines * columns - count
            spare.display = left > 0
            spare.styles.column_span = max(1, left)
            box.styles.grid_size_columns = columns
        return fits

    # -- moving ------------------------------------------------------------------------------------------------------

    def action_shift(self, by: int) -> None:
        """To the next or previous model, staying on the arm."""
        if self.snapshot and (here := self.snapshot.model(self.ui.selected)):
            models = [model for model in self.snapshot.models if model.runs]
            self.ui.select_model(models[(models.index(here) + by) % len(models)])
            self.redraw()

    def action_move(self, by: int) -> None:
        """To the next or previous run as they are drawn: down through the panels of a column, then the next column."""
        models = self.snapshot.models if self.snapshot else ()
        down = [model for column in range(self._columns) for model in models[column :: self._columns]]
        if runs := [run for model in down for run in model.runs]:
            self.ui.step(runs, by)

    def action_edge(self, end: int) -> None:
        if self.snapshot and self.snapshot.runs:
            self.select(self.snapshot.runs[-end])

    def action_page(self, by: int) -> None:
        if self.snapshot and (run := self.ui.run_selected):
            runs, page = self.snapshot.runs, max(1, self.canvas("rows").size.height - 2)
            self.select(runs[max(0, min(len(runs) - 1, runs.index(run) + by * page))])

    # -- the mouse ---------------------------------------------------------------------------------------------------

    def pressed(self, target: str, again: bool) -> None:
        super().pressed(target, again)
        kind, _, name = target.partition(":")
        if kind == "run" and self.snapshot and (run := self.snapshot.run(name)):
            if again and run.name == self.ui.selected:
                self.ui.open_run()
            else:
                self.select(run)


class ModelPanel(Canvas):
    """A model with its runs, both curves and what the data changed. It is drawn again only if its model changed."""

    def show(self, model: ModelFacts, snapshot: Snapshot, selected: str) -> None:
        chosen = selected if any(run.name == selected for run in model.runs) else ""
        self.name_frame(model.title, f"{count(model.parameters)} weights" if model.parameters else "")
        self.set_class(bool(chosen), "-selected")

        def painter(width: int, height: int) -> Drawing:
            drawing = inside(model, snapshot, selected, width, height)
            everywhere = Hit(-2, -1, width + 4, height + 2, f"run:{model.runs[0].name}" if model.runs else "")
            return Drawing(drawing.lines, (everywhere, *drawing.hits))

        self.paint(painter, (model, chosen, table_scale(snapshot)))
