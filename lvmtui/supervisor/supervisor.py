"""The supervisor of a workspace: brings the runs into the state that was ordered.

One tick looks, decides and acts. The supervisor can be killed at any point of it; the next one looks again and goes on.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from types import FrameType
from typing import IO

import lvmtui
from lvmtui.formats.paths import Workspace
from lvmtui.formats.supervisor_log import Launched, Lost, Signalled
from lvmtui.supervisor.container import ends_the_container, take_runs_along
from lvmtui.supervisor.decide import Action, AskToLeave, Insist, Rules, Start, WriteDown, decide, turns, work_left
from lvmtui.supervisor.engine import CannotStart, Engine, Engines, Occupied
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.supervisor.heartbeat import Heartbeat
from lvmtui.supervisor.journal import SupervisionJournal
from lvmtui.supervisor.lock import EXIT_SUPERVISED, give_back, introduce, still_ours, take_lock, who_supervises
from lvmtui.supervisor.observation import Observation, Track
from lvmtui.supervisor.observe import Observer
from lvmtui.supervisor.results import Results, Workers
from lvmtui.supervisor.tell import EventTeller
from lvmtui.supervisor.wake import Wakeup
from lvmtui.system.filesystem import is_shared
from lvmtui.system.logging import log_to
from lvmtui.system.process_id import own_identity
from lvmtui.system.processes import Sent

LINGER = 60.0
"""Seconds a supervisor stays when nothing is left to do: the next order finds it at once."""
HURRY, USUAL, IDLE = 0.1, 1.0, 2.0
"""Seconds between two looks while somebody is leaving, while something runs, while nothing does. Orders wake it."""
SHORTEST = 0.01
"""Seconds until the next look after something was done."""
STARTING = 1.0
"""Seconds of a tick that starting runs may take: a cluster needs tens of milliseconds for each."""


class Supervisor:
    """Everything one supervisor knows and does. Tests replace its parts."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        engines: Mapping[str, Engine] | None = None,
        workers: Workers | None = None,
        rules: Rules = Rules(),
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.workspace = workspace
        self.engines = Engines(engines if engines is not None else {"local": LocalEngine()})
        self.rules = rules
        self.clock = clock
        self.say = say or _say
        self.journal = SupervisionJournal()
        self.results = Results(workspace, workers or Workers(), EventTeller())
        self.observer = Observer(workspace, self.engines, self.journal, clock=clock, say=self.say, note=self._note)
        self.observation = Observation(())
        self.pulse = Heartbeat(workspace, self.engines)

    # -- one tick --

    def tick(self) -> bool:
        """Look, decide, act. True if anything was done, so that looking again at once makes sense."""
        self.journal.flush()
        self.observation = self.observer.observe()
        actions = decide(self.observation, self.rules)
        began = self.clock()
        for action in actions:
            if isinstance(action, Start) and self.clock() - began > STARTING:
                break  # starts come last; an order must not wait for hundreds of them
            if not isinstance(action, (AskToLeave, Insist)):
                self._carry_out(action)
        self._signal([action for action in actions if isinstance(action, AskToLeave)], "TERM")
        self._signal([action for action in actions if isinstance(action, Insist)], "KILL")
        acted, waiting = {action.run for action in actions}, turns(self.observation, self.rules)
        self.pulse.beat(self.observer.tracks.values(), acted, self._troubles(), waiting)
        worked = self.results.go_on(self.observer.campaigns)
        self.results.tell(self.observer.campaigns)
        return bool(actions) or worked

    @property
    def something_left(self) -> bool:
        """True while it would be wrong to leave."""
        return work_left(self.observation) or self.results.pending(self.observer.campaigns)

    @property
    def pause(self) -> float:
        """Seconds until the next look, if nothing wakes it."""
        runs = [run for campaign in self.observation.campaigns for run in campaign.runs if run.alive]
        runs += self.observation.orphans
        near = (run for run in runs if not run.probe.sees_all_hosts)
        if any(run.asked or run.overtime is not None or run.status.pace == "stopping" for run in near):
            return HURRY
        return USUAL if runs or self.results.workers.busy or self.results.teller.busy else IDLE

    # -- acts --

    def _carry_out(self, action: Action) -> None:
        track = self.observer.tracks.get(action.run) or self.observer.orphans.get(action.run)
        if track is None:
            return
        track.touch()
        if isinstance(action, Start):
            self._start(track)
        elif isinstance(action, WriteDown):
            if action.later:
                track.later = self.clock() + self.rules.space_wait
            self.journal.write(track.folder, replace(action.record, time=time.time()))

    def _signal(self, actions: Sequence[AskToLeave | Insist], name: str) -> None:
        """Send TERM or KILL, with one call to each engine for all its runs."""
        meant: dict[str, list[tuple[Track, str]]] = {}
        for action in actions:
            track = self.observer.tracks.get(action.run) or self.observer.orphans.get(action.run)
            if track is not None:
                track.touch()
                track.asked = track.asked or self.clock() if name == "KILL" else self.clock()
                track.insisted = self.clock() if name == "KILL" else track.insisted
                meant.setdefault(track.engine, []).append((track, action.reason))
        for engine_name, tracks in meant.items():
            engine = self.engines[engine_name]
            places = [self.observer.place_of(track) for track, _ in tracks]
            reached = engine.insist(places) if name == "KILL" else engine.ask(places)
            for track, reason in tracks:
                sent = reached.get(track.folder.path, Sent())
                if name == "KILL" and track.seen.state:
                    known = track.seen.state.supervision.insisted
                    sent = replace(sent, reached=tuple(pid for pid in sent.reached if pid not in known))
                self._record_signal(track, name, sent, reason, engine.noun)

    def _start(self, track: Track) -> None:
        state = track.seen.state
        assert state is not None, "only runs whose folder could be read are started"
        generation = state.intent.generation
        try:
            begun = self.engines[track.engine].start(self.observer.place_of(track), state.spec)
        except Occupied as error:
            track.later = self.clock() + self.rules.space_wait
            self._note(track.planned.run, f"not started: {error}", None)
            return
        except CannotStart as error:
            track.later = self.clock() + self.rules.insist_again
            lost = Lost(time.time(), generation, None, str(error), state.checkpoint_step, True)
            self.journal.write(track.folder, lost)
            return
        track.quiet_since = None
        after = state.newest_launch
        launched = Launched(time.time(), generation, begun.process, track.engine, begun.devices, begun.launch, after)
        self.journal.write(track.folder, launched)

    def _troubles(self) -> dict[str, str]:
        """What cannot be done for each campaign now, in words."""
        found: dict[str, str] = {}
        for campaign in self.observer.campaigns:
            unwritten = (self.journal.fault(track.folder) for track in campaign.tracks.values())
            if words := next(filter(None, unwritten), "") or self.results.workers.trouble(campaign.dir.id):
                found[campaign.dir.id] = words
        return found

    def _record_signal(self, track: Track, name: str, sent: Sent, reason: str, what: str) -> None:
        before = track.seen.state.supervision.signalled if track.seen.state else None
        same_refusal = before is not None and (before.signal, before.refused) == (name, sent.refused)
        if not sent.reached and (not sent.refused or same_refusal):
            return
        if track.seen.state is not None:
            self.journal.write(track.folder, Signalled(time.time(), name, sent.reached, reason, what, sent.refused))
        else:  # no folder to write it into
            text = f"{name} to {what} {', '.join(map(str, sent.reached))}: {reason}"
            self.say(f"{track.planned.run}: {text}{f' (not sent to {sent.refused})' if sent.refused else ''}")
            self._note(track.planned.run, text, time.time())

    def _note(self, run: str, text: str, when: float | None) -> None:
        """A line in the monitor log of the run's campaign; without a time it is written once."""
        self.results.note(self.observer.campaigns, run, text, when)


# The process ----------------------------------------------------------------------------------------------------------


def main(workspace: Workspace, *, supervisor: Supervisor | None = None, linger: float = LINGER) -> int:
    """Supervise until nothing has been left to do for `linger` seconds, or until told to go. Returns an exit code.

    Raises UserError where nothing can be written. Runs are left going, however this ends.
    """
    lock = take_lock(workspace)
    if lock is None:
        print(f"lvmtui: {who_supervises(workspace)}; nothing was started", file=sys.stderr)
        return EXIT_SUPERVISED
    for folder in (workspace.models, workspace.campaigns, workspace.logs):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
    log_to(workspace.supervisor_log)
    shared = is_shared(workspace.root)
    wakeup = Wakeup([workspace.models, workspace.campaigns], warn=_say, only_regular=shared)
    told = _listen(wakeup)
    supervisor = supervisor or Supervisor(workspace)
    wakeup.start()
    how = ", looking for changes, as hosts share its file system" if shared else ""
    _say(f"supervising {workspace.root}, process {own_identity().pid}, lvmtui {lvmtui.__version__}{how}")
    try:
        while lock is not None:
            introduce(workspace)
            why = _supervise(supervisor, wakeup, told, linger, lock)
            give_back(workspace, lock)
            lock = _taken_again(supervisor, workspace) if why is _Leave.IDLE else None
    finally:
        wakeup.stop()
    if why is _Leave.TOLD and ends_the_container():
        _say(f"told to go; {take_runs_along(workspace)}")
    else:
        _say(why.value)
    return 0


class _Leave(Enum):
    IDLE = "nothing is left to do"
    TOLD = "told to go; the runs go on"
    DISPLACED = "the lock's file was replaced: another supervisor has the workspace"


def _supervise(supervisor: Supervisor, wakeup: Wakeup, told: list[int], linger: float, lock: IO[bytes]) -> _Leave:
    """Tick until there is a reason to leave."""
    idle_since: float | None = None
    said: set[str] = set()
    while not told:
        again = _tick(supervisor, said)
        now = supervisor.clock()
        held = still_ours(supervisor.workspace, lock)
        if held is False:
            return _Leave.DISPLACED
        if again is not False or supervisor.something_left:
            idle_since = None
        else:
            idle_since = now if idle_since is None else idle_since
            if now - idle_since >= linger or held is None:
                return _Leave.IDLE
        wakeup.sleep(SHORTEST if again else supervisor.pause)
    return _Leave.TOLD


def _tick(supervisor: Supervisor, said: set[str]) -> bool | None:
    """One tick; None if it failed. The runs still need a supervisor, so the fault is logged once and tried again."""
    try:
        return supervisor.tick()
    except Exception:
        fault = traceback.format_exc()
        if fault not in said:
            said.add(fault)
            supervisor.say(f"a look failed, and is tried again:\n{fault}")
        return None


def _taken_again(supervisor: Supervisor, workspace: Workspace) -> IO[bytes] | None:
    """The lock again, if an order came at the very moment in which it was given back.

    An order is written first, and only then is the lock asked for. So a look after the lock was freed misses no order.
    """
    if not workspace.lvm.is_dir():
        return None
    for track in supervisor.observer.tracks.values():
        track.touch()
    observation = supervisor.observer.observe()
    return take_lock(workspace, seconds=0) if decide(observation, supervisor.rules) or work_left(observation) else None


def _listen(wakeup: Wakeup) -> list[int]:
    """Install the signal handlers; the list fills when the supervisor is told to go.

    HUP gets a handler that does nothing instead of being ignored: what is ignored stays so in every child.
    """
    told: list[int] = []

    def go(number: int, frame: FrameType | None) -> None:
        told.append(number)
        wakeup.wake()

    signal.signal(signal.SIGTERM, go)
    signal.signal(signal.SIGINT, go)
    for harmless in (signal.SIGHUP, signal.SIGCHLD):
        signal.signal(harmless, lambda number, frame: wakeup.wake())
    return told


def _say(text: str) -> None:
    """Write a line to the supervisor's own log."""
    logging.getLogger("lvmtui").info(text)
