"""One run on the terminal: panes, scrolling, the log's search."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from lvmtui.state.status import PHASES
from lvmtui.ui.draw.curves import CHARTS, run_chart
from lvmtui.ui.draw.lines import Line, place
from lvmtui.ui.draw.run import PANES, event_lines, fact_lines, notices, run_header, tabs
from lvmtui.ui.read.logfile import LogFile
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.run_history import RunHistory
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.screens.view import RunsView
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp


class RunScreen(RunsView):
    KEYS = ("back", "pane", "pause", "cancel", "force", "retry", "follow", "wrap", "ask", "scale", "help")
    QUESTION = "search the log"
    GIVES_WAY = True
    WHEEL = 3
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "pane(1)", "pane", tooltip="next pane"),
        Binding("slash", "ask", "search"),
        Binding("shift+tab", "pane(-1)", "previous pane", show=False),
        *(Binding(str(i), f"open_pane('{name}')", name) for i, name in enumerate(PANES, 1)),
        Binding("f", "follow", "follow", tooltip="follow the log"),
        Binding("w", "wrap", "wrap", tooltip="wrap long lines"),
        Binding("n", "again(True)", "next match"),
        Binding("N", "again(False)", "previous match"),
        Binding("y", "scale", "log scale", tooltip="logarithmic scale"),
    ]

    def __init__(self, app: LvmApp) -> None:
        super().__init__(app)
        self._pane = ""
        self._log_scale = False
        self._top = 0
        self._area = (1, 1)
        self._count = 0
        self._log = LogPane(LogFile(Path(os.devnull)))
        self._history: RunHistory | None = None
        self._search: threading.Event | None = None

    # -- drawing -----------------------------------------------------------------------------------------------------

    def parts(self) -> Iterable[Widget]:
        yield Canvas(id="head")
        yield Canvas(id="notices")
        with Container(id="charts"):
            yield from (Canvas(id=name) for name in CHARTS)
        yield Canvas(id="tabs")
        yield Canvas(id="pane")

    def paint(self, snapshot: Snapshot) -> None:
        run = snapshot.run(self.ui.selected)
        if run is None:
            self.canvas("head").paint(lambda width, height: [((" this run is gone; esc leads back", "alarm"),)])
            return
        self._open(run)
        self.ui.source.set_visible(run.name, [run.name])
        at, count = snapshot.runs.index(run) + 1, len(snapshot.runs)
        where = f"{'read-only  ' if self.ui.read_only else ''}run {at} of {count}"
        names, charts = self.query_one("#tabs"), self.query_one("#charts")
        if self._above != (self.children.index(names) > self.children.index(charts)):
            self.move_child(names, after=charts) if self._above else self.move_child(names, before=charts)
        shown, log_scale, other = self._shown, self._log_scale, other_arm(snapshot, run)
        self.canvas("head").paint(lambda width, height: [run_header(run, where, width)])
        self.canvas("notices").paint(lambda width, height: notices(run, width, height))
        self.set_class(shown == "charts", "-charts")
        for name in CHARTS:
            self.canvas(name).paint(partial(run_chart, name, run, other, log_scale), (run, other, log_scale))
        if shown != "charts":
            self.canvas("pane").paint(lambda width, height: self._lines(run, shown, width, height))
        self.canvas("tabs").paint(lambda width, height: tabs(shown, self._panes, self._side(shown), width))

    def _lines(self, run: RunFacts, shown: str, width: int, height: int) -> list[Line]:
        """Log, facts or events."""
        self._area = (width - 2, max(1, height))
        if shown == "log":
            return self._log.lines(*self._area)
        if shown == "facts":
            lines = fact_lines(run, width)
        else:
            assert self._history is not None
            lines = event_lines(self._history.refresh(), width)
        self._count = len(lines)
        self._top = max(0, min(self._top, len(lines) - height))
        return lines[self._top : self._top + height]

    @property
    def _above(self) -> bool:
        """True where the charts stay above the other panes."""
        return self.has_class("-tall") or self.has_class("-towering")

    @property
    def _panes(self) -> Sequence[str]:
        return PANES[1:] if self._above else PANES

    @property
    def _shown(self) -> str:
        """The pane that is open; a failed run opens with its log."""
        run = self.ui.run_selected
        pane = self._pane or ("log" if run is not None and PHASES[run.phase].style == "failed" else "charts")
        return "log" if pane == "charts" and self._above else pane

    def _side(self, shown: str) -> str:
        if shown == "log":
            return f"{'wrapped, ' if self._log.wrap else ''}{self._log.place}"
        if shown in ("facts", "events"):
            return place(self._top, min(self._area[1], self._count - self._top), self._count)
        return "log scale" if shown == "charts" and self._log_scale else ""

    def _open(self, run: RunFacts) -> None:
        """Take up another run."""
        if run.view.folder.log != self._log.file.path:
            self._top = 0
            self._log = LogPane(LogFile(run.view.folder.log), wrap=self._log.wrap, empty=run.no_log)
            self._history = RunHistory(run.view.folder, run.state.spec.unit if run.state else "step")
            self._stop_search()

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_pane(self, by: int) -> None:
        self.action_open_pane(self._panes[(self._panes.index(self._shown) + by) % len(self._panes)])

    def action_open_pane(self, name: str) -> None:
        self._pane = name
        self._top = 1 << 30 if name == "events" else 0
        self.redraw()

    def action_move(self, by: int) -> None:
        if self._shown == "log":
            self._log.scroll(by, *self._area)
        else:
            self._top += by
        self.redraw()

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self._area[1] - 1))

    def action_edge(self, end: int) -> None:
        if self._shown == "log":
            self._log.to_end() if end else self._log.to_start()
        else:
            self._top = (1 << 30) * end
        self.redraw()

    def action_shift(self, by: int) -> None:
        if self.snapshot and self.ui.run_selected:
            self.ui.step(self.snapshot.runs, by)

    def action_follow(self) -> None:
        self._pane = "log"
        if self._log.follow:
            self._log.scroll(-1, *self._area)
        else:
            self._log.to_end()
        self.redraw()

    def action_wrap(self) -> None:
        self._pane, self._log.wrap = "log", not self._log.wrap
        self.redraw()

    def action_scale(self) -> None:
        self._log_scale = not self._log_scale
        self.redraw()

    # -- searching ---------------------------------------------------------------------------------------------------

    def asked(self, needle: str) -> None:
        self._log.needle = needle or self._log.needle
        self.action_again(True)

    def action_again(self, forwards: bool) -> None:
        """Search on in a thread of its own: a gigabyte takes a second or two."""
        log = self._log
        if not log.needle:
            self.ui.say("nothing was searched for yet; / searches the log")
            return
        self._pane = "log"
        self._stop_search()
        self._search = stop = threading.Event()
        told = time.monotonic()

        def going(share: float) -> bool:
            nonlocal told
            if time.monotonic() - told > 0.3:
                told = time.monotonic()
                self.ui.call_later(self.ui.say, f"searching, {100 * share:.0f} %; esc stops")
            return not stop.is_set()

        def found(offset: int | None, count: tuple[int, int] | None) -> None:
            if stop.is_set() or self._log is not log:
                return
            self._search = None
            if offset is None:
                self.ui.say(f"'{log.needle}' is not in this log")
            else:
                self.ui.hush()
                log.go_to(offset, count, *self._area)
                self.redraw()

        def search() -> None:
            offset = log.search(forwards, going)
            self.ui.call_later(found, offset, None if offset is None else log.file.count(log.needle, offset))

        threading.Thread(target=search, name="lvmtui-search", daemon=True).start()

    def _stop_search(self) -> None:
        if self._search is not None:
            self._search.set()
            self._search = None

    def stop(self) -> bool:
        """Esc ends a search that goes on before it leaves the view."""
        if self._search is None:
            return False
        self._stop_search()
        self.ui.hush()
        return True


def other_arm(snapshot: Snapshot, run: RunFacts) -> RunFacts | None:
    """The same model and seed on the other arm."""
    model, seed = snapshot.model(run.name), run.view.planned.seed
    runs = model.runs if model else ()
    return next((one for one in runs if one.arm != run.arm and one.view.planned.seed == seed), None)
