"""The supervisor of a workspace: makes what is so agree with what is wanted.

One tick: look, decide, act. It can be killed between any two lines of it; the next one looks again and goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from types import FrameType
from typing import IO

import lvmtui
from lvmtui import format as words
from lvmtui.contract.campaign import Campaign
from lvmtui.contract.codec import dump_document, encode
from lvmtui.contract.errors import UserError
from lvmtui.contract.files import replace_file, try_lock
from lvmtui.contract.identity import own_identity
from lvmtui.contract.supervision import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.contract.workspace import Workspace
from lvmtui.state.reader import supervisor_of
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Phase
from lvmtui.supervisor.chronicle import Chronicle
from lvmtui.supervisor.decide import (
    Action,
    Adopt,
    Ask,
    Close,
    GiveUp,
    Insist,
    Lose,
    Observation,
    Rules,
    Start,
    decide,
    something_left_to_do,
)
from lvmtui.supervisor.engines import CannotStart, Engine, Occupied
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.supervisor.journal import Journal
from lvmtui.supervisor.observe import CampaignTrack, Observer, Track
from lvmtui.supervisor.wake import Waker, sleep_until
from lvmtui.supervisor.workers import Made, Outcome, Task, Workers, complete_pairs, due, result_of

LINGER = 60.0
"""Seconds a supervisor stays when nothing is left to do: the next order finds it at once."""
HURRY, USUAL, IDLE = 0.1, 1.0, 2.0
"""Seconds between two looks while somebody is leaving, while something runs, while nothing does. Orders wake it."""
SHORTEST = 0.01
"""Seconds until the next look after something was done."""
RIVAL_WAIT = 1.0
"""Seconds to wait for the lock: somebody who only asks whether there is a supervisor holds it for a moment."""
EXIT_SUPERVISED = 3


class Supervisor:
    """Everything one supervisor knows and may do. Made of parts that tests replace."""

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
        self.engines = dict(engines) if engines is not None else {"local": LocalEngine()}
        self.workers = workers or Workers()
        self.rules = rules
        self.clock = clock
        self.say = say or _say
        self.journal = Journal()
        self.observer = Observer(
            workspace, self.engines, self.journal, clock=clock, say=self.say, note=self._note_about_run
        )
        self.observation = Observation(())
        self._results: dict[str, _Results] = {}

    # -- one tick --

    def tick(self) -> bool:
        """Look, decide, act. True if anything was done, so that looking again at once makes sense."""
        self.journal.flush()
        self.observation = self.observer.observe()
        actions = decide(self.observation, self.rules)
        for action in actions:
            self._carry_out(action)
        worked = self._work()
        for campaign in self.observer.campaigns:
            self._results_of(campaign).chronicle.catch_up({n: t.state for n, t in campaign.tracks.items()})
        return bool(actions) or worked

    @property
    def something_left(self) -> bool:
        """True while it would be wrong to leave."""
        return something_left_to_do(self.observation) or self.workers.busy or any(r.tasks for r in self._all_results())

    @property
    def pause(self) -> float:
        """Seconds until the next look, if nothing wakes it."""
        runs = [run for campaign in self.observation.campaigns for run in campaign.runs if run.alive]
        runs += self.observation.strays
        hurried = (Phase.PAUSING, Phase.CANCELLING)
        if any(run.asked or run.overtime is not None or run.status.phase in hurried for run in runs):
            return HURRY
        return USUAL if runs or self.workers.busy else IDLE

    # -- acts --

    def _carry_out(self, action: Action) -> None:
        track = self.observer.tracks.get(action.run) or self.observer.strays.get(action.run)
        if track is None:
            return
        track.touch()
        match action:
            case Start():
                self._start(track)
            case Adopt(member=member):
                self._record(track, Adopted(time.time(), member.identity, member.launch))
            case Ask(reason=reason):
                track.asked = self.clock()
                reached = self.engines[track.engine].ask(self.observer.place_of(track))
                self._record_signal(track, "TERM", reached, reason)
            case Insist(reason=reason):
                track.asked = track.asked or self.clock()
                track.insisted = self.clock()
                reached = self.engines[track.engine].insist(self.observer.place_of(track))
                known = track.state.supervision.insisted if track.state else ()
                self._record_signal(track, "KILL", tuple(pid for pid in reached if pid not in known), reason)
            case Lose():
                if action.later:
                    track.later = self.clock() + self.rules.space_wait
                step = _checkpoint_step(track.state)
                self._record(
                    track, Lost(time.time(), action.generation, action.process, action.reason, step, action.counts)
                )
            case Close():
                self._record(track, Stopped(time.time(), action.generation, action.killed))
            case GiveUp():
                self._record(track, GaveUp(time.time(), action.generation, action.reason))

    def _start(self, track: Track) -> None:
        assert track.state is not None, "only runs whose folder could be read are started"
        generation = track.state.intent.generation
        try:
            begun = self.engines[track.engine].start(track.folder, track.state.spec)
        except Occupied as error:
            track.later = self.clock() + self.rules.space_wait
            self._note_about_run(track.planned.run, f"not started: {error}", None)
            return
        except CannotStart as error:
            track.later = self.clock() + self.rules.insist_again
            self._record(track, Lost(time.time(), generation, None, str(error), _checkpoint_step(track.state), True))
            return
        self._record(track, Launched(time.time(), generation, begun.process, track.engine, begun.devices, begun.launch))

    def _record(self, track: Track, record: Record) -> None:
        if track.state is not None:
            self.journal.write(track.folder, record)

    def _record_signal(self, track: Track, name: str, pids: tuple[int, ...], reason: str) -> None:
        if not pids:
            return
        if track.state is not None:
            self.journal.write(track.folder, Signalled(time.time(), name, pids, reason))
        else:  # no folder to write it into
            text = f"{name} to process {', '.join(map(str, pids))}: {reason}"
            self.say(f"{track.planned.run}: {text}")
            self._note_about_run(track.planned.run, text, time.time())

    # -- results --

    def _work(self) -> bool:
        """Take in the result that was made, have the next one made."""
        done = self.workers.finish()
        if done is not None:
            self._take_in(done.task, done.fault, done.tries)
        if self.workers.busy:
            return False
        for campaign in self.observer.campaigns:
            results = self._results_of(campaign)
            results.update(campaign, self.workers)
            if self.workers.begin(campaign.dir, results.tasks) is not None:
                return True
            results.stale = bool(results.tasks)  # they wait for another try, or could not be started
        return done is not None

    def _take_in(self, task: Task, fault: str, tries: int) -> None:
        results = self._results.get(task.campaign)
        if results is None:
            return
        results.stale = True
        now = time.time()
        if fault:
            more = "" if self.workers.given_up(task) else f", it is tried again ({tries} so far)"
            results.chronicle.note(f"{task.title} failed: {fault}{more}", now)
            return
        results.made.note(task)
        written = now
        with suppress(OSError):
            written = result_of(results.folder, task).stat().st_mtime
        if task.kind == "comparison":
            results.chronicle.compared(task.subject, written, len(complete_pairs(results.outcomes, task.subject)))
        else:
            results.chronicle.note(f"{task.title} written", written)

    def _results_of(self, campaign: CampaignTrack) -> _Results:
        if campaign.dir.id not in self._results:
            self._results[campaign.dir.id] = _Results(self.workspace, campaign)
        return self._results[campaign.dir.id]

    def _all_results(self) -> list[_Results]:
        return [self._results_of(campaign) for campaign in self.observer.campaigns]

    def _note_about_run(self, run: str, text: str, when: float | None) -> None:
        """A line in the monitor log of the run's campaign; without a time it is written once."""
        for campaign in self.observer.campaigns:
            if run in campaign.tracks:
                line = f"{run}  {text}"
                self._results_of(campaign).chronicle.note(line, when or time.time(), once=when is None)


class _Results:
    """What is made of a campaign's runs."""

    def __init__(self, workspace: Workspace, campaign: CampaignTrack) -> None:
        self.folder = campaign.dir
        self.campaign: Campaign = campaign.campaign
        self.chronicle = Chronicle(workspace, campaign.campaign)
        self.made = Made(campaign.dir)
        self.outcomes: tuple[Outcome, ...] = ()
        self.tasks: list[Task] = []
        self.stale = True
        self._seen: list[object] = []

    def update(self, campaign: CampaignTrack, workers: Workers) -> None:
        """Find out again what is due, if anything it depends on has changed."""
        seen: list[object] = [track.seen.status.phase for track in campaign.tracks.values()]
        if seen == self._seen and not self.stale:
            return
        self._seen, self.stale = seen, False
        self.outcomes = tuple(_outcome(track) for track in campaign.tracks.values())
        self.tasks = due(
            self.campaign,
            self.outcomes,
            self.made.results,
            missing=lambda task: not result_of(self.folder, task).exists(),
            given_up=workers.given_up,
        )


def _outcome(track: Track) -> Outcome:
    planned, status = track.planned, track.seen.status
    finished = track.state.trainer.finished if track.state else None
    digest = finished.heldout_digest if finished else ""
    return Outcome(planned.model, planned.arm, planned.seed, status.phase.value, status.over, digest)


def _checkpoint_step(state: RunState | None) -> int:
    return state.trainer.checkpoint.step if state and state.trainer.checkpoint else 0


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
    waker = Waker([workspace.models, workspace.campaigns], say=_say)
    told = _listen(waker)
    supervisor = supervisor or Supervisor(workspace)
    waker.start()
    _say(f"supervising {workspace.root}, process {own_identity().pid}, lvmtui {lvmtui.__version__}")
    try:
        while lock is not None:
            _introduce(workspace)
            why = _supervise(supervisor, waker, told, linger, lock)
            _give_back(workspace, lock)
            lock = _taken_again(supervisor, workspace) if why is _Leave.IDLE else None
    finally:
        waker.stop()
    _say(why.value)
    return 0


class _Leave(Enum):
    """Why a supervisor leaves."""

    IDLE = "nothing is left to do"
    TOLD = "told to go; the runs go on"
    DISPLACED = "the lock's file was replaced: another supervisor has the workspace"


def _supervise(supervisor: Supervisor, waker: Waker, told: list[int], linger: float, lock: IO[bytes]) -> _Leave:
    """Tick until there is a reason to leave."""
    idle_since: float | None = None
    while not told:
        again = supervisor.tick()
        now = supervisor.clock()
        held = _still_ours(supervisor.workspace, lock)
        if held is False:
            return _Leave.DISPLACED
        if again or supervisor.something_left:
            idle_since = None
        else:
            idle_since = now if idle_since is None else idle_since
            if now - idle_since >= linger or held is None:
                return _Leave.IDLE
        waker.wait(SHORTEST if again else supervisor.pause)
    return _Leave.TOLD


def _still_ours(workspace: Workspace, lock: IO[bytes]) -> bool | None:
    """False if another file lies where our lock was, so that another may hold that; None if there is none."""
    try:
        return os.stat(workspace.supervisor_lock).st_ino == os.fstat(lock.fileno()).st_ino
    except OSError:
        return None


def _give_back(workspace: Workspace, lock: IO[bytes]) -> None:
    if _still_ours(workspace, lock):
        with suppress(OSError):
            workspace.supervisor.unlink()
    lock.close()


def _taken_again(supervisor: Supervisor, workspace: Workspace) -> IO[bytes] | None:
    """The lock again, if an order came at the very moment in which it was given back.

    Who gives an order writes it first and asks then whether somebody holds the lock. So whoever gives the lock back
    looks once more afterwards, and no order falls between.
    """
    if not workspace.lvm.is_dir():
        return None
    for track in supervisor.observer.tracks.values():
        track.touch()
    observation = supervisor.observer.observe()
    if decide(observation, supervisor.rules) or something_left_to_do(observation):
        return take_lock(workspace, seconds=0)
    return None


def take_lock(workspace: Workspace, seconds: float = RIVAL_WAIT) -> IO[bytes] | None:
    """The lock that makes one supervisor the only one, None if another has it. Raises UserError."""
    path = workspace.supervisor_lock
    taken: list[IO[bytes]] = []

    def try_once() -> bool:
        lock = try_lock(path)
        taken.extend([lock] if lock else [])
        return bool(taken)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sleep_until(try_once, seconds)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); use a workspace you may write to") from None
    return taken[0] if taken else None


def who_supervises(workspace: Workspace) -> str:
    """In words, when the lock is taken."""
    identity = supervisor_of(workspace)
    if identity is None:
        return f"{workspace.root} is supervised by another process"
    since = ""
    with suppress(OSError):
        since = f" since {words.date(workspace.supervisor.stat().st_mtime)}"
    return f"{workspace.root} is supervised by process {identity.pid} on {identity.host}{since}"


def _introduce(workspace: Workspace) -> None:
    """Say who supervises. The lock is what counts; without room for this file people know less, that is all."""
    facts = {"process": encode(own_identity()), "since": time.time(), "version": lvmtui.__version__}
    with suppress(OSError):
        replace_file(workspace.supervisor, dump_document(facts), durable=False)


def _listen(waker: Waker) -> list[int]:
    """Take signals in hand; the list fills when the supervisor is told to go.

    HUP gets a handler that does nothing instead of being ignored: what is ignored stays so in every child.
    """
    told: list[int] = []

    def go(number: int, frame: FrameType | None) -> None:
        told.append(number)
        waker.ring()

    def wake(number: int, frame: FrameType | None) -> None:
        waker.ring()

    signal.signal(signal.SIGTERM, go)
    signal.signal(signal.SIGINT, go)
    signal.signal(signal.SIGHUP, wake)
    signal.signal(signal.SIGCHLD, wake)
    return told


def _say(text: str) -> None:
    """A line of the supervisor's own log; without room or a reader for it, nothing else suffers."""
    with suppress(OSError, ValueError):
        print(words.date(time.time()), text, flush=True)
