"""The program behind `lvmtui`: the open views, the selected run, and the way out. Views get it when they are made.

It draws and never decides. Runs belong to their supervisor: leaving, a lost connection or a crash here changes nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from lvmtui import orders
from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.container import ends_the_container
from lvmtui.supervisor.lock import ENSURE
from lvmtui.system.numbers import plural
from lvmtui.ui.ask_orders import AskOrders
from lvmtui.ui.draw.header import troubled
from lvmtui.ui.draw.keys import ORDER_KEYS, order_words
from lvmtui.ui.read.machine import MachineFigures
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.ui.read.source import SnapshotSource
from lvmtui.ui.screens.board import BoardScreen
from lvmtui.ui.screens.view import View
from lvmtui.ui.talk import Talks
from lvmtui.ui.terminal import Departure, alert, driver, in_browser
from lvmtui.ui.themes import DARK, LIGHT, css_variables

TOUCHES = (events.Key, events.Paste, events.MouseDown, events.MouseScrollDown, events.MouseScrollUp)
NAMES = {"enter": "enter", "tab": "tab", "escape": "esc", "question_mark": "?", "space": "space"}
"""What keys are called in the last line, where Textual has a symbol."""
LETTERS_DO = frozenset(
    ["leave", "pause", "cancel", "force", "retry", "verdict", "export", "new", "campaigns", "trouble"]
)
"""Actions of letters. Where letters are text they do nothing."""
QUIET = 10.0
"""Seconds without any of these after which a view may change by itself."""


def _actions() -> type[Provider]:
    """Loaded when the palette is opened for the first time."""
    from lvmtui.ui.screens.palette import Actions

    return Actions


class LvmApp(Talks, inherit_bindings=False):
    CSS_PATH = "app.tcss"
    COMMANDS: ClassVar[set[Callable[[], type[Provider]]]] = {_actions}  # type: ignore[assignment]
    TITLE = "lvmtui"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "leave"),
        Binding("ctrl+c", "copy_or_leave", "copy or leave", priority=True, show=False),
        Binding("ctrl+q", "quit_now", "leave", priority=True, show=False),
        Binding("p", "pause", "pause"),
        Binding("x", "cancel", "cancel"),
        Binding("X", "force", "cancel at once"),
        Binding("r", "retry", "retry"),
        Binding("v", "verdict", "verdict"),
        Binding("e", "export", "export"),
        Binding("n", "new", "new"),
        Binding("c", "campaigns", "campaigns"),
        Binding("exclamation_mark", "trouble", "select what is wrong"),
        Binding("question_mark", "help", "help"),
        Binding("escape", "back", "back"),
    ]

    def __init__(
        self,
        workspace: Workspace,
        *,
        campaign: str | None = None,
        read_only: bool = False,
        poll: bool = False,
        clock: Callable[[], float] = time.time,
        machine: Callable[[], MachineFigures | None] | None = None,
        live: bool = True,
    ) -> None:
        """`live` False: nothing is watched, and a test calls `look`. A `clock` and a `machine` may stand still."""
        super().__init__(driver_class=driver(), ansi_color=True)
        self.theme = DARK
        self.ansi_color = None  # from here on the theme decides; with NO_COLOR there are no colours in any
        self.workspace = workspace
        self.read_only = read_only
        self.snapshot: Snapshot | None = None
        """The newest picture of the campaign; None: there is no campaign."""
        self.selected = ""
        """Name of the selected run; the same one in every view."""
        self.reading = False
        """True until there is a first snapshot of a campaign that takes a while to read."""
        self.source = SnapshotSource(
            workspace, campaign, poll=poll, deliver=self._delivered, clock=clock, machine=machine
        )
        self.run_orders = AskOrders(self)
        self._live = live
        self._newest: Snapshot | None = None
        self._waiting = False
        self._leaving = False
        """What is typed from then on is for the shell."""
        self._ensured = -ENSURE
        self._touched = -QUIET
        """When a key was pressed last, by the monotonic clock."""
        self._judged: bool | None = None
        self._needy: frozenset[str] | None = None
        """Runs that needed a person at the last look; those that come to it ring."""
        self.parting = "runs stop with a checkpoint" if ends_the_container() else "runs go on"
        """What happens to the runs when the screen is left."""
        self.departure = Departure(self._depart)

    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | css_variables(self.current_theme)

    # -- coming and going --------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        return BoardScreen(self)

    def on_mount(self) -> None:
        self.reading = self._live and self.source.large
        if not self.reading:
            self._accept(self.source.look())
        if self._live:
            self.departure.watch()
            self.call_after_refresh(self._begin)
        if self.snapshot is None and not self.reading and not self.read_only:
            self.action_new()

    def _begin(self) -> None:
        """What can wait until the first picture is shown."""
        gc.freeze()
        gc.enable()
        self.source.start()

    def _supervise(self) -> None:
        """Something is left to do and there is no supervisor: try to start one, at most every `ENSURE` seconds."""
        if not self.read_only and time.monotonic() - self._ensured > ENSURE:
            self._ensured = time.monotonic()
            self.run_orders.give(list)  # nothing to write

    def _depart(self) -> None:
        """Leave, called from a signal or another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.call_later, self.exit, 0)

    def action_leave(self) -> None:
        self._leaving = True
        self.source.stop()
        self.exit(0)

    def action_quit_now(self) -> None:
        """Ctrl-Q leaves from everywhere, also where letters are text."""
        self.action_leave()

    def action_copy_or_leave(self) -> None:
        """Ctrl-C copies what was selected with the mouse; with nothing selected it leaves, as in other programs."""
        selected = self.screen.get_selected_text()
        if not selected:
            self.action_leave()
            return
        self.copy_to_clipboard(selected)
        self.screen.clear_selection()
        self.say(f"copied {plural(len(selected.splitlines()), 'line')}")

    async def on_event(self, event: events.Event) -> None:
        """Note when somebody typed or clicked, in a view or a dialog."""
        if isinstance(event, TOUCHES):
            self._touched = time.monotonic()
        await super().on_event(event)

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def _delivered(self, snapshot: Snapshot | None) -> None:
        """Called by the reading thread. One message waits at most, however long the terminal stands still."""
        self._newest = snapshot
        if not self._waiting:
            self._waiting = True
            self.call_later(self._take)

    def _take(self) -> None:
        self._waiting = self.reading = False
        self._accept(self._newest)
        self.redraw()

    def look(self) -> None:
        self._accept(self.source.look())
        self.redraw()

    def _accept(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        if snapshot is None:
            return
        if snapshot.run(self.selected) is None:
            self.selected = snapshot.most_interesting
            if self._judged and not snapshot.judged:
                self._another_campaign()
        if self._live and not snapshot.supervised and snapshot.state.ours:
            self._supervise()
        if snapshot.judged and self._judged is False:
            self._verdict_came()
        self._judged = snapshot.judged
        needy = {run.name: run for run in troubled(snapshot)}
        if self._needy is not None and (new := [run for name, run in needy.items() if name not in self._needy]):
            alert(self, f"{new[0].title} {new[0].label}: {new[0].trouble or new[0].phase.value}")
        self._needy = frozenset(needy)

    def redraw(self) -> None:
        """Draw the open view, also under a dialog."""
        view = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)
        if view is not None:
            view.redraw()

    def _verdict_came(self) -> None:
        """The campaign is over: show the verdict. Where somebody types, only say so: the next key is for the screen."""
        from lvmtui.ui.screens.verdict import VerdictScreen

        alert(self, self.snapshot.headline if self.snapshot else "the campaign is over")
        quiet = time.monotonic() - self._touched >= QUIET
        if isinstance(self.screen, View) and self.screen.gives_way and quiet:
            self.action_verdict()
        elif not isinstance(self.screen, VerdictScreen):
            self.say("the campaign is over; v shows the verdict")

    def _another_campaign(self) -> None:
        """A campaign has begun after one that was over: its board shows more than the verdict it does not have yet."""
        from lvmtui.ui.screens.verdict import VerdictScreen

        if isinstance(self.screen, VerdictScreen):
            self.pop_screen()

    # -- keys --------------------------------------------------------------------------------------------------------

    @property
    def offered(self) -> tuple[str, ...]:
        """The orders that make sense for the selected run now."""
        run = self.run_selected
        return () if run is None or self.read_only else orders.allowed(run.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not ((isinstance(self.screen, View) and self.screen.TYPING and action in LETTERS_DO) or self._leaving)

    def get_key_display(self, binding: Binding) -> str:
        return NAMES.get(binding.key, super().get_key_display(binding))

    def key_words(self, action: str, words: str) -> str:
        """What the key of an action does now; empty where it does nothing."""
        if action in ORDER_KEYS:
            return order_words(action, self.offered)
        match action:
            case "new":
                return "" if self.read_only else words
            case "export":
                return "" if self.read_only and in_browser() else words
            case "back":
                return "board" if len(self.screen_stack) > 1 and self.snapshot else ""
            case "leave":
                return f"leave, {self.parting}"
        return words

    # -- the selection -----------------------------------------------------------------------------------------------

    @property
    def run_selected(self) -> RunFacts | None:
        """The selected run, as it is in the newest snapshot."""
        return self.snapshot.run(self.selected) if self.snapshot else None

    def step(self, runs: Sequence[RunFacts], by: int) -> None:
        """Select the run that is so many places further among `runs`; after the last comes the first."""
        names = [run.name for run in runs]
        at = names.index(self.selected) if self.selected in names else -1
        self.selected = names[(at + by) % len(names)]
        self.redraw()

    def select_model(self, model: ModelFacts) -> None:
        """Select the model's run that is on the same arm, and if possible of the same seed, as the selected one."""
        if self.run_selected is not None:
            here, runs = self.run_selected.view.planned, [run.view.planned for run in model.runs]
            self.selected = min(runs, key=lambda run: (run.arm != here.arm, run.seed != here.seed)).run

    # -- views -------------------------------------------------------------------------------------------------------

    def open_run(self) -> None:
        from lvmtui.ui.screens.run import RunScreen

        if self.snapshot is not None and not isinstance(self.screen, RunScreen):
            self.push_screen(RunScreen(self))

    def open_campaign(self, campaign: str | None) -> None:
        """Show another campaign of the workspace; None: the newest."""
        self.source.open(campaign)
        self.selected = ""

    def action_verdict(self) -> None:
        from lvmtui.ui.screens.verdict import VerdictScreen

        if self.snapshot is not None and not isinstance(self.screen, VerdictScreen):
            self.push_screen(VerdictScreen(self))

    def action_new(self) -> None:
        from lvmtui.ui.screens.new_campaign import NewScreen

        if self.read_only:
            self.say("read-only: nothing is started from here")
        elif not isinstance(self.screen, NewScreen):
            self.push_screen(NewScreen(self))

    def action_campaigns(self) -> None:
        from lvmtui.ui.screens.campaigns import Campaigns

        if self.workspace.campaign_dirs():
            shown = self.snapshot.state.campaign.id if self.snapshot else ""
            self.push_screen(
                Campaigns(self.workspace, shown), lambda picked: self.open_campaign(picked) if picked else None
            )
        else:
            self.say("no campaign here yet")

    def action_trouble(self) -> None:
        if self.snapshot and (runs := troubled(self.snapshot)):
            self.step(runs, 1)
        else:
            self.say("no run needs you")

    def action_colours(self) -> None:
        """Switch between the colours for dark and for light terminals. Both are the terminal's own sixteen."""
        self.theme = LIGHT if self.theme == DARK else DARK

    def action_help(self) -> None:
        from lvmtui.ui.screens.help import Help

        self.push_screen(Help(self.parting))

    def action_command_palette(self) -> None:
        from lvmtui.ui.screens.palette import ActionPalette

        if not isinstance(self.screen, ActionPalette):
            self.push_screen(ActionPalette(id="--command-palette"))

    def action_export(self) -> None:
        from lvmtui.ui.screens.export import Export

        if self.read_only and in_browser():
            self.say("nothing is exported from here; 'lvmtui report' writes the report")
        elif self.snapshot is not None:
            dialog = Export(self.workspace, self.snapshot.state.campaign)
            self.push_screen(dialog, lambda words: self.say(words) if words else None)

    async def action_back(self) -> None:
        """Close what is on top; the board stays."""
        if isinstance(self.screen, View) and self.screen.stop():
            return
        if len(self.screen_stack) > 1 and (self.snapshot is not None or len(self.screen_stack) > 2):
            self.pop_screen()
            self.redraw()  # before it is shown as it was when it was left

    # -- orders ------------------------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        self.run_orders.pause_or_resume()

    def action_cancel(self) -> None:
        self.run_orders.cancel(force=False)

    def action_force(self) -> None:
        self.run_orders.cancel(force=True)

    def action_retry(self) -> None:
        self.run_orders.retry()
