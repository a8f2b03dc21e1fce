"""The verdict on the terminal: the table, and the report as it would be exported."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from lvmtui.formats.spec import ARMS
from lvmtui.report.blocks import Block, Paragraph
from lvmtui.report.terminal import terminal_lines
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.header import banner
from lvmtui.ui.draw.lines import Line, place, spread
from lvmtui.ui.draw.verdict import SORTS, sorted_rows, verdict_view
from lvmtui.ui.read.snapshot import Snapshot, report_page
from lvmtui.ui.screens.view import RunsView
from lvmtui.ui.widgets.canvas import Canvas, fault_line

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp


class VerdictScreen(RunsView):
    """What came out, or has so far. A row is a model, and one of its runs is the selected one, as everywhere."""

    KEYS = ("back", "export", "sort", "open", "pause", "cancel", "force", "retry", "turn", "help")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab", "turn", "report text", tooltip="table or report"),
        Binding("s", "sort", "sort", tooltip="sort by the next column"),
        Binding("enter", "open", "open", tooltip="open the run"),
    ]

    def __init__(self, app: LvmApp) -> None:
        super().__init__(app)
        self._by = SORTS[0]
        self._report = False
        self._page: tuple[Snapshot, tuple[Block, ...]] | None = None
        """The report, and what it was made of."""
        self._top = self._across = 0
        self._reading = False
        self._place: Line = ()

    def parts(self) -> Iterable[Widget]:
        yield Canvas(id="answer")
        yield Canvas(id="place")
        yield Canvas(id="body")

    def paint(self, snapshot: Snapshot) -> None:
        run, read_only = snapshot.run(self.ui.selected), self.ui.read_only
        if run is not None:
            self.ui.source.set_visible(run.name, [run.name])
        self.canvas("answer").paint(lambda w, h: banner(snapshot.answer, snapshot, w, h, read_only=read_only))
        if self._report:
            self.canvas("body").paint(lambda width, height: self._report_lines(snapshot, width, height))
        else:
            self._place = ()
            selected, by = self.ui.selected, self._by
            self.canvas("body").paint(lambda width, height: verdict_view(snapshot, selected, by, width, height))
        self.canvas("place").paint(lambda width, height: [self._place])

    # -- the report --------------------------------------------------------------------------------------------------

    def _report_lines(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        stale = self._page is None or self._page[0].table is not snapshot.table
        if stale and not self._reading:
            self._read(snapshot)
        if self._page is None:
            return [((f" reading{glyphs.ELLIPSIS}", "dim"),)]
        lines = terminal_lines(self._page[1], width)
        self._top = max(0, min(self._top, len(lines) - height))
        shown = [_shifted(line, self._across) for line in lines[self._top : self._top + height]]
        run = snapshot.run(self.ui.selected)
        selected = f" {run.title} {run.label} is selected" if run else ""
        self._place = spread([(selected, "dim")], [(place(self._top, len(shown), len(lines)) + " ", "note")], width)
        return shown

    def _read(self, snapshot: Snapshot) -> None:
        """Make the report's page in a thread; it reads files."""
        self._reading = True

        def read() -> None:
            try:
                page = report_page(snapshot)
            except Exception as error:
                page = (Paragraph(fault_line(error)[0]),)
            self.ui.call_later(self._take, page, snapshot)

        threading.Thread(target=read, name="lvmtui-report", daemon=True).start()

    def _take(self, page: tuple[Block, ...], snapshot: Snapshot) -> None:
        self._reading, self._page = False, (snapshot, page)
        self.redraw()

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_turn(self) -> None:
        self._report, self._top, self._across = not self._report, 0, 0
        self.redraw()

    def action_sort(self) -> None:
        self._report = False  # it is the table that is sorted
        self._by = SORTS[(SORTS.index(self._by) + 1) % len(SORTS)]
        names = dict[str, str](zip(ARMS, self.snapshot.table.labels, strict=True)) if self.snapshot else {}
        self.ui.say(f"sorted by {names.get(self._by, self._by)}")

    def action_move(self, by: int) -> None:
        if self._report:
            self._top += by
        elif self.snapshot is not None:
            models = [row.model for row in sorted_rows(self.snapshot, self._by)]
            here = self.snapshot.model(self.ui.selected)
            at = models.index(here.model) if here and here.model in models else 0
            self.select_model(models[max(0, min(len(models) - 1, at + by))] if models else "")
        self.redraw()

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.canvas("body").size.height - 1))

    def action_edge(self, end: int) -> None:
        self.action_move((1 << 30) * (1 if end else -1))

    def action_shift(self, by: int) -> None:
        """To the model's next run; the report, some cells to the side."""
        if self._report:
            self._across = max(0, self._across + 8 * by)
            self.redraw()
        elif self.snapshot and (model := self.snapshot.model(self.ui.selected)):
            self.ui.step(model.runs, by)


def _shifted(line: Line, by: int) -> Line:
    """The line without its first `by` cells, for tables wider than the screen."""
    pieces = []
    for text, style in line:
        pieces.append((text[by:], style))
        by = max(0, by - len(text))
    return tuple(pieces)
