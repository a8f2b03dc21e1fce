"""The verdict on the terminal: the table, and the report as it would be exported."""

from __future__ import annotations

import threading
from typing import ClassVar

from textual.binding import Binding, BindingType

from lvmtui.formats.spec import ARMS
from lvmtui.report.blocks import Block, Paragraph
from lvmtui.report.terminal import terminal_lines
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.header import header
from lvmtui.ui.draw.keys import Key, key_line, order_keys
from lvmtui.ui.draw.lines import Drawing, Hit, Line, place, spread
from lvmtui.ui.draw.verdict import SORTS, sorted_rows, verdict_view
from lvmtui.ui.faults import fault_line
from lvmtui.ui.read.snapshot import Snapshot, report_page
from lvmtui.ui.screens.view import View
from lvmtui.ui.session import Session

KEYS: tuple[Key, ...] = (
    ("e", "export", "export"),
    ("s", "sort", "sort"),
    ("enter", "open", "open"),
    ("tab", "report text", "turn"),
    ("?", "help", "help"),
)
BACK: Key = ("esc", "board", "back")


class VerdictScreen(View):
    """What came out, or has so far. A row is a model, and one of its runs is the selected one, as everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab", "turn", "table or report"),
        Binding("s", "sort", "sort by the next column"),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown,space", "page(1)", "a page down", show=False),
        Binding("pageup,b", "page(-1)", "a page up", show=False),
        Binding("right,l", "shift(1)", "the other arm, or to the right", show=False),
        Binding("left,h", "shift(-1)", "the other arm, or to the left", show=False),
        Binding("g,home", "edge(0)", "start", show=False),
        Binding("G,end", "edge(1)", "end", show=False),
        Binding("enter", "open", "open the run", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._by = SORTS[0]
        self._report = False
        self._page: tuple[Block, ...] | None = None
        self._page_of: Snapshot | None = None
        self._top = self._across = 0
        self._reading = False

    def paint(self, snapshot: Snapshot, width: int, height: int) -> Drawing:
        run = snapshot.run(self.ui.selected)
        if run is not None:
            self.ui.set_visible(run.name, [run.name])
        lines: list[Line] = [header(snapshot, width, read_only=self.ui.read_only)]
        hits: list[Hit] = []
        if self._report:
            lines.extend(self._report_lines(snapshot, width, height - 2))
        else:
            body = verdict_view(snapshot, self.ui.selected, self._by, width, height - 3)
            lines.extend([(), *body.lines])
            hits.extend(Hit(h.x, h.y + 2, h.width, h.height, h.target) for h in body.hits)
        lines.extend([()] * (height - 1 - len(lines)))
        orders = order_keys(run.view if run else None, read_only=self.ui.read_only)
        last, found = key_line((*KEYS[:3], *orders, *KEYS[3:]), BACK, width)
        hits.extend(Hit(h.x, height - 1, h.width, 1, f"do:{h.target}") for h in found)
        return Drawing((*lines[: height - 1], last), tuple(hits))

    # -- the report --------------------------------------------------------------------------------------------------

    def _report_lines(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        if self._page is None or (self._page_of is not None and self._page_of.table is not snapshot.table):
            self._read(snapshot)
        if self._page is None:
            return [(), ((f" reading{glyphs.ELLIPSIS}", "dim"),)]
        lines = terminal_lines(self._page, width)
        self._top = max(0, min(self._top, len(lines) - height + 1))
        shown = [_shifted(line, self._across) for line in lines[self._top : self._top + height - 1]]
        run = snapshot.run(self.ui.selected)
        selected = f" {run.title} {run.label} is selected" if run else ""
        where = place(self._top, len(shown), len(lines))
        return [spread([(selected, "dim")], [(where + " ", "note")], width), *shown]

    def _read(self, snapshot: Snapshot) -> None:
        """Make the report's page in a thread; it reads files."""
        if self._reading:
            return
        self._reading = True

        def read() -> None:
            try:
                page = report_page(snapshot)
            except Exception as error:
                page = (Paragraph(fault_line(error)[0]),)
            self.ui.call_later(self._take, page, snapshot)

        threading.Thread(target=read, name="lvmtui-report", daemon=True).start()

    def _take(self, page: tuple[Block, ...], snapshot: Snapshot) -> None:
        self._reading, self._page, self._page_of = False, page, snapshot
        self.redraw()

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_turn(self) -> None:
        self._report, self._top, self._across = not self._report, 0, 0
        self.redraw()

    def action_sort(self) -> None:
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
            self._select(models[max(0, min(len(models) - 1, at + by))] if models else "")
        self.redraw()

    def _select(self, name: str) -> None:
        """Select the model's run on the arm that is selected."""
        model = next((m for m in self.snapshot.models if m.model == name and m.runs), None) if self.snapshot else None
        if model is not None:
            self.ui.select_model(model)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - 5))

    def action_edge(self, end: int) -> None:
        self.action_move((1 << 30) * (1 if end else -1))

    def action_shift(self, by: int) -> None:
        """To the model's next run; the report, some cells to the side."""
        model = self.snapshot.model(self.ui.selected) if self.snapshot else None
        if self._report:
            self._across = max(0, self._across + 8 * by)
        elif model is not None:
            names = [run.name for run in model.runs]
            self.ui.selected = names[(names.index(self.ui.selected) + by) % len(names)]
        self.redraw()

    def action_open(self) -> None:
        self.ui.open_run()

    def wheeled(self, by: int) -> None:
        self.action_move(by)

    def pressed(self, target: str, again: bool) -> None:
        kind, _, name = target.partition(":")
        if kind == "row":
            self._select(name)
            self.action_open() if again else self.redraw()


def _shifted(line: Line, by: int) -> Line:
    """The line without its first `by` cells, for tables wider than the screen."""
    pieces = []
    for text, style in line:
        pieces.append((text[by:], style))
        by = max(0, by - len(text))
    return tuple(pieces)
