"""Folders to states: reads only what is new since the last look."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from lvmtui.formats.campaign import Campaign, CampaignIntent, PlannedRun, read_campaign, read_campaign_intent
from lvmtui.formats.intent import read_intent
from lvmtui.formats.json_codec import decode
from lvmtui.formats.live import STALE, Job, Progress, Pulse, read_progress, read_pulse
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import decode_record
from lvmtui.formats.trainer_log import decode_event
from lvmtui.state.attempt import newest_attempt
from lvmtui.state.run_state import RunState, SupervisionState, TrainerState, fold, fold_records
from lvmtui.state.status import Life, Phase, Status, processes_of, status_of
from lvmtui.state.tail import Position, read_lines, restart_of
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.process_id import Identity, folder_id

Signature = tuple[int, int, int]
TRAINED = b'"kind":"trained"'
"""In the log line of a point of the training curve, and in no other: within a text the quotes would be escaped."""


def signature(path: Path, *, asked: bool = False) -> Signature:
    """What changes when a file does: inode, size, time of change. Zeros where there is no file.

    `asked`: of the file server, where one keeps the file: what `stat` says may be a minute old there, opening is not.
    """
    try:
        if asked:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
        else:
            stat = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


class RunReader:
    """One run folder, read again and again. `state` is the same object as long as nothing has changed."""

    def __init__(self, folder: RunDir, *, curves: bool = True) -> None:
        """`curves` False leaves out the points of the training curve: most of a log, of no use to a supervisor."""
        self.folder = folder
        self.curves = curves
        self.state: RunState | None = None
        self.fault = ""
        """Why there is no state: the folder is gone or its spec cannot be read."""
        self._events = Position()
        self._records = Position()
        self._seen: dict[Path, Signature] = {}

    def refresh(self, *, digits: bool = True, asked: bool = False) -> RunState | None:
        """Read what is new and return the state, None if the folder cannot be read (see `fault`).

        `digits` False leaves the live digits as they were: they are new at every look, and most of its cost. `asked`:
        see `signature`; for a look on which a death may be concluded.
        """
        if not self._changed(self.folder.spec) and self.state is None and self.fault:
            return None
        if self.state is None or self._seen[self.folder.spec] == (0, 0, 0):
            spec = self._read_spec()
            if spec is None:
                self.state = None
                return None
            if self.state is None or self.state.spec != spec:
                self._events = self._records = Position()
                self._seen = {self.folder.spec: self._seen[self.folder.spec]}
                self.state = RunState(spec)
        state = self.state
        if self._changed(self.folder.events, asked):
            state = replace(state, trainer=self._read_events(state.trainer))
        if self._changed(self.folder.supervision):
            state = replace(state, supervision=self._read_records(state.supervision))
        if self._changed(self.folder.intent, asked):
            state = replace(state, intent=read_intent(self.folder.intent, state.intent))
        if digits and self._changed(self.folder.progress):
            state = replace(state, progress=read_progress(self.folder.progress))
        self.state = state
        return state

    def _read_spec(self) -> RunSpec | None:
        try:
            self.fault = ""
            return read_spec(self.folder.spec)
        except UserError as error:
            self.fault = str(error)
            return None

    def _changed(self, path: Path, asked: bool = False) -> bool:
        now = signature(path, asked=asked)
        if self._seen.get(path) == now:
            return False
        self._seen[path] = now
        return True

    def _read_events(self, state: TrainerState) -> TrainerState:
        if _restarts(self.folder.events, self._events):
            self._events, state = Position(), TrainerState()
        lines, self._events = read_lines(self.folder.events, self._events)
        if not self.curves:
            lines = [line for line in lines if TRAINED not in line]
        return fold(map(decode_event, lines), state)

    def _read_records(self, state: SupervisionState) -> SupervisionState:
        if _restarts(self.folder.supervision, self._records):
            self._records, state = Position(), SupervisionState()
        lines, self._records = read_lines(self.folder.supervision, self._records)
        return fold_records(map(decode_record, lines), state)


def _restarts(path: Path, position: Position) -> bool:
    """True if the file is not the one that was read before, or became shorter."""
    try:
        return position != Position() and restart_of(path, position) != position
    except OSError:
        return True


@dataclass
class StallWatch:
    """Tells a stalled run from a slow one, by this process's own clock and the run's own steps."""

    seen: dict[str, tuple[tuple[int, str], float]] = field(default_factory=dict)
    """Run -> (its progress, when that was first seen)."""

    LEAST = 60.0
    """Seconds without progress that are never a stall: an evaluation or a checkpoint on a busy disk."""

    def stalled(self, run: str, progress: Progress | None, now: float | None = None) -> bool:
        """True if the progress has been the same for 30 of its own steps, and at least `LEAST` seconds."""
        if progress is None:
            return False
        now = time.monotonic() if now is None else now
        mark = (progress.step, f"{progress.activity}{progress.time}")
        if self.seen.get(run, (None, 0.0))[0] != mark:
            self.seen[run] = (mark, now)
            return False
        known = (progress.recent_step_seconds or 0.0, progress.evaluation_seconds, progress.checkpoint_seconds)
        return now - self.seen[run][1] > max(self.LEAST, 30 * known[0], 3 * known[1], 3 * known[2])


def life_of(run: RunState, stalled: bool = False, is_of: Callable[[Identity], bool] = lambda process: True) -> Life:
    """Look at the run's processes (one read of /proc each).

    `is_of`: whether a living process works in this run's folder, and not in one that this was copied from.
    """
    processes = processes_of(run)
    if any(process.alive() and is_of(process) for process in processes):
        return Life.STALLED if stalled else Life.ALIVE
    newest = newest_attempt(run)
    elsewhere = newest is not None and not newest.process.here and newest.process.host != ""
    return Life.ELSEWHERE if elsewhere and run.trainer.ending is None and run.supervision.lost is None else Life.NONE


class Owners:
    """Which living processes work in which folder. What was found once is kept: it stays so while the process lives."""

    def __init__(self) -> None:
        self._found: set[tuple[Identity, str]] = set()

    def works_in(self, folder: RunDir, identity: Identity) -> bool:
        """True if the process works in this very folder."""
        from lvmtui.system.processes import process_of, works_for

        key = (identity, folder_id(folder.path))
        if key not in self._found:
            process = process_of(identity)
            if process is None or not works_for(process, folder.path, folder.lock):
                return False
            self._found.add(key)
        return True


class PulseReader:
    """`pulse.json`, read again and again: what is known of runs on other hosts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Signature = (0, 0, 0)
        self.pulse: Pulse | None = None
        self.moved: frozenset[str] = frozenset()
        """Runs about which the supervisor did something between the last two looks, as far as it tells."""

    def refresh(self) -> Pulse | None:
        """Read it if it has changed."""
        self.moved = frozenset()
        seen = signature(self._path, asked=True)
        if seen != self._seen:
            self._seen = seen
            before, self.pulse = self.pulse, read_pulse(self._path)
            if self.pulse is not None:
                since = before.beat if before else 0
                self.moved = frozenset(run for run, beat in self.pulse.changed.items() if beat > since)
        return self.pulse


def silence_of(pulse: Pulse | None, engine: str, now: float) -> str:
    """Why an engine tells nothing, and since when, for people; empty if it does, or if nobody had to ask. Pure."""
    answer = pulse.engines.get(engine) if pulse else None
    if answer is None or not answer.fault:
        return ""
    return f"not known for {words.duration(max(0.0, now - answer.time))}: {answer.fault}"


def life_of_job(
    run: RunState, name: str, engine: str, pulse: Pulse | None, now: float, stalled: bool = False
) -> tuple[Life, str]:
    """What the supervisor's pulse says of a run that a cluster runs, and that in words. Pure.

    `engine`: its campaign's. `now`: seconds since 1970. It is held against the supervisor's clock for what people are
    shown, and no more.
    """
    job, attempt = pulse.jobs.get(name) if pulse else None, newest_attempt(run)
    open_end = attempt is not None and attempt.ending is None and not attempt.accounted
    if job is None and not open_end:
        return Life.NONE, ""
    if pulse is None or now - pulse.time > STALE:
        asked = f" since {words.date(pulse.time)}" if pulse else ""
        return (Life.UNSEEN if open_end else Life.NONE), f"nobody has asked {engine.capitalize()}{asked}"
    if silent := silence_of(pulse, engine, now):
        return (Life.UNSEEN if open_end else Life.NONE), silent
    if job is not None:
        if job.waiting:
            return Life.WAITING, job.words
        return (Life.STALLED if stalled else Life.ALIVE), job.words
    # it has ended and that is to be written down; or it was begun a moment ago
    return (Life.NONE if attempt and attempt.spoke else Life.WAITING), "submitted"


@dataclass(frozen=True)
class RunView:
    """A planned run with what is known of it now."""

    planned: PlannedRun
    folder: RunDir
    state: RunState | None
    status: Status
    fault: str = ""
    job: Job | None = None
    """What a cluster does for it."""


@dataclass(frozen=True)
class CampaignState:
    """A campaign with all its runs."""

    dir: CampaignDir
    campaign: Campaign
    intent: CampaignIntent
    runs: tuple[RunView, ...]
    silence: str = ""
    """Why the engine that runs the runs tells nothing; empty: it does."""
    trouble: str = ""
    """What the supervisor cannot do for the campaign now, in words; empty: nothing."""

    def view(self, model: str, arm: str, seed: int) -> RunView | None:
        return self._by_key.get((model, arm, seed))

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, int], RunView]:
        return {(v.planned.model, v.planned.arm, v.planned.seed): v for v in self.runs}

    @property
    def finished(self) -> bool:
        """True if every run is over, whatever way."""
        return all(view.status.over for view in self.runs)

    @property
    def settled(self) -> bool:
        """True if no run is going on or will by itself."""
        return all(view.status.over or view.status.phase is Phase.PAUSED for view in self.runs)


class CampaignReader:
    """One campaign's folder and its runs, read again and again."""

    def __init__(self, workspace: Workspace, folder: CampaignDir) -> None:
        self.workspace = workspace
        self.folder = folder
        self.campaign = read_campaign(folder.campaign)
        self._runs = {p.run: RunReader(workspace.run(p)) for p in self.campaign.runs}
        self._stalls = StallWatch()
        self._owners = Owners()
        self._pulse = PulseReader(workspace.pulse)
        self._pulse.refresh()

    def refresh(self) -> CampaignState:
        """Read what is new in all run folders. Raises UserError if `campaign.json` cannot be read."""
        self._pulse.refresh()
        return CampaignState(
            self.folder,
            self.campaign,
            read_campaign_intent(self.folder.intent),
            tuple(self.view(planned) for planned in self.campaign.runs),
            self.silence,
            self.trouble,
        )

    @property
    def trouble(self) -> str:
        """What the supervisor cannot do for the campaign now, in words; empty: nothing, or nobody supervises."""
        pulse = self._pulse.pulse
        fresh = pulse is not None and abs(time.time() - pulse.time) <= STALE
        return pulse.troubles.get(self.campaign.id, "") if pulse is not None and fresh else ""

    @property
    def silence(self) -> str:
        """Why the engine that runs the runs tells nothing; empty: it does."""
        return silence_of(self._pulse.pulse, self.campaign.engine, time.time())

    def view(self, planned: PlannedRun) -> RunView:
        """One run, read now."""
        reader = self._runs[planned.run]
        state = reader.refresh()
        if state is None:
            return RunView(planned, reader.folder, None, Status(Phase.FAILED, reader.fault), reader.fault)
        if self._is_job(planned.run, state):
            return self._view_of_job(planned, reader, state)
        life = life_of(
            state, self._stalls.stalled(planned.run, state.live), partial(self._owners.works_in, reader.folder)
        )
        if life is Life.NONE and state.trainer.ending is None:
            state = reader.refresh() or state  # it may have said its last word and left since its log was read
        return RunView(planned, reader.folder, state, status_of(state, life))

    def look_at_pulse(self) -> frozenset[str]:
        """Read the supervisor's pulse, which the views of runs on other hosts come from. Returns whose are new."""
        self._pulse.refresh()
        return self._pulse.moved

    def _is_job(self, run: str, state: RunState) -> bool:
        """True if a cluster runs it, as far as anybody knows."""
        attempt = newest_attempt(state)
        pulse = self._pulse.pulse
        return (attempt is not None and attempt.process.is_job) or (pulse is not None and run in pulse.jobs)

    def _view_of_job(self, planned: PlannedRun, reader: RunReader, state: RunState) -> RunView:
        pulse, stalled = self._pulse.pulse, self._stalls.stalled(planned.run, state.live)
        life, told = life_of_job(state, planned.run, self.campaign.engine, pulse, time.time(), stalled)
        job = pulse.jobs.get(planned.run) if pulse else None
        return RunView(planned, reader.folder, state, status_of(state, life, told), job=job)


def newest_campaign(workspace: Workspace) -> CampaignDir:
    """The campaign that commands mean unless told. Raises UserError if there is none."""
    folders = workspace.campaign_dirs()
    if not folders:
        raise UserError(f"{workspace.root}: no campaign here; start one with 'lvmtui demo' or 'lvmtui run'")
    return folders[-1]


def supervisor_of(workspace: Workspace) -> Identity | None:
    """Who supervises the workspace now, None if nobody does. One on another host counts: it cannot be looked at."""
    try:
        facts = json.loads(workspace.supervisor.read_bytes())
        identity = decode(Identity, facts["process"])
        inode = facts.get("lock")
        if inode is not None and inode != os.stat(workspace.supervisor_lock).st_ino:
            return None  # the workspace is a copy: it supervises the original
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return identity if not identity.here or identity.alive() else None
