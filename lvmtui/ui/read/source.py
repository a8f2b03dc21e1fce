"""The thread behind the screen: waits for changes on disk, reads what changed, delivers a snapshot.

It never waits for the screen. If the terminal blocks, the newest snapshot is shown afterwards; older ones are dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView, newest_of, supervisor_of
from lvmtui.state.polling import Polling
from lvmtui.state.status import ALIVE
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import Signature, signature
from lvmtui.system.logging import Faults
from lvmtui.system.watch import Timing, Watcher
from lvmtui.ui.read.logfile import newest_lines
from lvmtui.ui.read.machine import MachineFigures, MachineWatch
from lvmtui.ui.read.snapshot import Builder, Snapshot
from lvmtui.ui.read.watch import IDLE_STEP, STEP, Hints, Places

TICK = 1.0
"""Seconds between two updates of what changes all the time: bars, counters, processes."""
IDLE = 4.0
"""The same while nothing runs."""
FRAME = 0.16
"""Least seconds between two snapshots made for events (an evaluation, an order). With 500 runs this keeps a change
visible within 280 ms (`benchmarks/screen.py`). Bars and counters wait for the tick."""
SWEEP = 10.0
"""Seconds between two reads of everything, because notifications of the file system can be lost."""
IDLE_SWEEP = 30.0
"""The same while nothing runs."""
FEW = 40
"""With at most this many living runs all are read every second; with more, those on the screen and a part of others."""
TURNS = 5
"""Seconds in which each of the others is read once."""
SETTLING = 6.0
"""Seconds during which a new folder is checked for a campaign in it."""
LARGE = 50_000
"""Bytes of `campaign.json` from which a campaign has hundreds of runs."""
LOTS = 1000
"""With more runs than this, everything is read less often in proportion."""
MANY = 100
"""With at most this many runs, table and times are computed before the first snapshot; with more, after it."""
COST_FACTOR = 40
"""Table and times are computed again only after this many times the seconds they took: 2.5 % of the time."""
LOG_LINES = 40
"""Newest lines of the selected run's log that a snapshot carries."""


class SnapshotSource:
    """Reads one campaign of a workspace and delivers snapshots of it."""

    def __init__(
        self,
        workspace: Workspace,
        campaign: str | None = None,
        *,
        poll: bool = False,
        deliver: Callable[[Snapshot | None], None] = lambda snapshot: None,
        clock: Callable[[], float] = time.time,
        machine: Callable[[], MachineFigures | None] | None = None,
    ) -> None:
        """`machine`: where the machine's figures come from; None: they are measured."""
        self.workspace, self._wanted = workspace, campaign
        self._deliver, self._clock = deliver, clock
        self._watch = MachineWatch()
        self._machine = machine or self._watch.read
        self._measured = machine is None
        self._watcher = Watcher(
            self._on_paths,
            begun=self._on_begun,
            warn=self._on_warning,
            timing=Timing(step=STEP),
            look=lambda: Polling(workspace).changes,
            only_look=poll,
        )
        self._polls = poll
        self._faults = Faults()
        self._guard = threading.Condition()
        self._hints = Hints()
        self._stopping = False
        self._reader: CampaignReader | None = None
        self._places = Places(workspace, None, {})
        self._views: dict[str, RunView] = {}
        self._builder = Builder()
        self._notes: dict[str, str] = {}
        self._selected = ""
        self._visible: frozenset[str] = frozenset()
        self._turn = 0
        self._due = 0.0
        """When the next tick is, by the monotonic clock."""
        self._leave = False
        """True: show the newest campaign all the same."""
        self._settling = 0.0
        """Monotonic time until which a campaign may be about to appear in a new folder."""
        self._now = 0.0
        self._supervised = True
        self._stale = True
        self._computed = self._cost = 0.0
        """When table and times were last computed (monotonic), and the seconds it took."""
        self._log: tuple[Signature, tuple[str, ...]] = ((0, 0, 0), ())

    # -- called by the screen ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads that watch and deliver."""
        if self._measured:
            self._watch.start()
        self._watcher.start(self._places.roots)
        threading.Thread(target=self._run, name="lvmtui-source", daemon=True).start()

    def stop(self) -> None:
        self._watch.stop()
        self._watcher.stop()
        with self._guard:
            self._stopping = True
            self._guard.notify()

    def set_visible(self, selected: str, visible: Iterable[str] = ()) -> None:
        """Say whose log is shown and which runs are on the screen: their changes are shown at once."""
        with self._guard:
            self._visible = frozenset(visible)
            if selected != self._selected:
                self._selected, self._log = selected, ((0, 0, 0), ())
                self._hints.runs.add(selected)
                self._guard.notify()

    def open(self, campaign: str | None) -> None:
        """Show another campaign; None: the newest."""
        with self._guard:
            self._wanted, self._leave = campaign, campaign is None
            self._hints.campaigns = True
            self._guard.notify()

    def look_now(self) -> None:
        """Read everything now, for instance after an order."""
        with self._guard:
            self._hints.campaign = True
            self._hints.runs |= self._views.keys()
            self._guard.notify()

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def large(self) -> bool:
        """True if there is so much to read that the first paint should not wait for it."""
        chosen, _ = self._chosen()
        return chosen is not None and chosen.campaign.stat().st_size > LARGE

    def look(self) -> Snapshot | None:
        """Read everything and return the snapshot; None if there is no campaign."""
        self._now = self._clock()
        self._find_campaign()
        if self._reader is None:
            return None
        state = self._read(None)
        self._builder.read(state)
        if len(state.runs) <= MANY or (self._computed and not self._computed_lately):
            self._recompute(state)
        return self._freeze(state)

    def _find_campaign(self) -> None:
        """Open the campaign that is wanted, if it is not open. A campaign in which something runs stays open when a
        newer one appears; a note then names the newer one."""
        leave, self._leave = self._leave, False
        chosen, newest = self._chosen(stay=bool(self._living()) and not leave)
        if newest is None or chosen == newest or self._wanted:
            self._notes.pop("newer", None)
        else:
            self._notes["newer"] = f"campaign {newest.id} was started too; ctrl+p opens it"
        if self._reader is not None and self._reader.folder == chosen:
            return
        self._reader, self._views, self._builder = None, {}, Builder()
        self._computed = self._cost = 0.0
        self._places = Places(self.workspace, None, {})
        if chosen is None:
            return
        try:
            self._reader = CampaignReader(self.workspace, chosen)
        except UserError as error:
            self._notes["campaign"] = str(error)
            return
        self._notes.pop("campaign", None)
        runs = {str(self.workspace.run(planned).path): planned.run for planned in self._reader.campaign.runs}
        self._places = Places(self.workspace, chosen.path, runs)
        self._watcher.watch(self._places.roots)

    def _chosen(self, *, stay: bool = False) -> tuple[CampaignDir | None, CampaignDir | None]:
        """The campaign to show, and the newest. `stay`: keep the one shown, unless it is gone or another was named. One
        that is shown while it is taken back stays too."""
        folders = self.workspace.campaign_dirs()
        newest = newest_of(folders)
        if self._wanted:
            return next((folder for folder in folders if folder.id == self._wanted), None), newest
        shown = self._reader.folder if self._reader else None
        return (shown if (stay and shown in folders) or shown in folders[-1:] else newest), newest

    def _read(self, runs: Collection[str] | None) -> CampaignState:
        """The campaign, with these runs (None: all) read again."""
        reader = self._reader
        assert reader is not None
        moved = reader.pulse.refresh()
        for planned in reader.campaign.runs:
            before = self._views.get(planned.run)
            if before is not None and runs is not None and planned.run not in runs and planned.run not in moved:
                continue
            view = reader.view(planned)
            told = (view.status, view.job)
            if before is None or view.state is not before.state or told != (before.status, before.job):
                self._views[planned.run] = view
        return reader.state_of(tuple(self._views[planned.run] for planned in reader.campaign.runs))

    @property
    def _computed_lately(self) -> bool:
        return time.monotonic() - self._computed < COST_FACTOR * self._cost

    def _recompute(self, state: CampaignState) -> None:
        """Compute what depends on all runs: the ranked table and the time left."""
        began = time.monotonic()
        self._builder.recompute(state, self._now)
        self._supervised = supervisor_of(self.workspace) is not None
        self._stale = False
        self._computed = time.monotonic()
        self._cost = self._computed - began

    def _freeze(self, state: CampaignState) -> Snapshot:
        selected = self._views.get(self._selected)
        if selected is not None and (mark := signature(selected.folder.log)) != self._log[0]:
            self._log = (mark, tuple(newest_lines(selected.folder.log, LOG_LINES)))
        notes = filter(None, ("polling" if self._polls else "", state.silence, state.troubles, state.turn_words))
        return replace(
            self._builder.build(state, self._now),
            machine=self._machine(),
            supervised=self._supervised or not state.needs_supervisor,
            log=self._log[1] if selected else (),
            log_run=self._selected if selected else "",
            notes=(*notes, *self._notes.values()),
        )

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        painted = 0.0
        self._due = time.monotonic() + TICK
        sweep = time.monotonic() + (SWEEP if self._views else 0.0)
        while not self._stopping:
            with self._guard:
                if not self._hints.urgent:
                    self._guard.wait(max(0.0, min(self._due, sweep) - time.monotonic()))
            if self._hints.urgent:
                time.sleep(max(0.0, painted + FRAME - time.monotonic()))
            now = time.monotonic()
            with self._guard:
                hints, self._hints = self._hints, Hints()
                if now < self._due:
                    hints.later, self._hints.later = set(), hints.later
            if now < min(self._due, sweep) and not hints.urgent:
                continue
            try:
                snapshot = self.look() if now >= sweep else self._refresh(hints, ticked=now >= self._due)
                self._notes.pop("reader", None)
                self._deliver(snapshot)
            except Exception as error:  # becomes a line on the screen; the screen goes on
                self._faults.log("reading failed", error)
                self._notes["reader"] = f"reading failed: {type(error).__name__}: {error}"
            living = bool(self._living())
            if hints.urgent:
                painted = time.monotonic()
            if now >= self._due:
                self._due = time.monotonic() + (TICK if living or time.monotonic() < self._settling else IDLE)
                self._watcher.set_step(STEP if living else IDLE_STEP)
            if now >= sweep:
                sweep = time.monotonic() + (SWEEP if living else IDLE_SWEEP) * max(1.0, len(self._views) / LOTS)

    def _living(self) -> list[str]:
        return [name for name, view in self._views.items() if view.status.phase in ALIVE]

    def _refresh(self, hints: Hints, *, ticked: bool) -> Snapshot | None:
        """Read the runs that the hints name and, at a tick, the living ones.

        `_now` changes only at a tick; otherwise each event would repaint every counter.
        """
        if ticked:
            self._now = self._clock()
        if hints.campaigns:  # files made at once in a new folder may come without a notification
            self._settling = time.monotonic() + SETTLING
        shown = self._reader
        if self._reader is None or time.monotonic() < self._settling:
            self._find_campaign()
        if self._reader is None:
            return None
        look = hints.campaign or self._reader is not shown
        runs = hints.runs & self._views.keys()
        before = self._views.copy()
        if ticked:
            living = self._living()
            later = hints.later & self._views.keys()
            if len(living) > FEW:
                later -= set(living)
                self._turn = (self._turn + 1) % TURNS
                living = [n for i, n in enumerate(living) if n in self._visible or i % TURNS == self._turn]
            runs |= later | set(living)
        state = self._read(runs)
        if look:
            self._builder.read(state)
        # of all runs: what the supervisor says of a job, as that it waits, comes without a hint
        changed = [(view, after) for name, view in before.items() if (after := self._views[name]) is not view]
        turned = any(view.status.phase is not after.status.phase for view, after in changed)
        self._stale = self._stale or look or bool(hints.runs or hints.later or changed) or (ticked and bool(runs))
        if self._stale and not self._computed_lately and (ticked or turned or look):
            self._recompute(state)
        return self._freeze(state)

    def _on_paths(self, paths: Iterable[str]) -> None:
        with self._guard:
            self._places.sort(paths, self._hints)
            if self._visible:  # runs that are not on the screen wait for the next tick
                self._hints.later |= self._hints.runs - self._visible
                self._hints.runs &= self._visible
            soon = time.monotonic() + TICK
            if (self._hints.digits or self._hints.later) and self._due > soon:
                self._due = soon
                self._guard.notify()
            if self._hints.urgent:
                self._guard.notify()

    def _on_begun(self) -> None:
        """The watch has begun; read everything once, for what happened before."""
        with self._guard:
            self._hints.later |= self._views.keys()
            self._hints.campaigns = self._hints.campaign = True
            self._guard.notify()

    def _on_warning(self, words: str) -> None:
        self._notes["watch"] = words
        self._polls = False
