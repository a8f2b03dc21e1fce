"""Reads a campaign and all its runs again and again, and says how each stands."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial

from lvmtui.formats.campaign import Campaign, CampaignIntent, PlannedRun, read_campaign, read_campaign_intent
from lvmtui.formats.intent import read_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import STALE, Job, Pulse, SupervisorFile
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.results import read_made
from lvmtui.formats.told import read_told, untold
from lvmtui.formats.trainer_log import IN_THE_PLAN, Evaluated, Finished, finished_before
from lvmtui.models import title_of
from lvmtui.state.attempt import is_silent, newest_attempt
from lvmtui.state.liveness import Owners, PulseReader, job_of, life_of, life_of_job, longest_quiet, silence_of
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.state.status import ALIVE, FAILURES, HALTED, OVER, PHASES, Life, Phase, Status, status_of, unanswered_words
from lvmtui.state.tasks import due, result_of, run_outcome
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import Seen
from lvmtui.system.numbers import plural
from lvmtui.system.process_id import Identity
from lvmtui.system.text import sanitise

LOOKED_BACK = 5
"""How many of the newest campaigns are looked at, to know what else is here."""


@dataclass(frozen=True)
class RunView:
    """A planned run with what is known of it now."""

    planned: PlannedRun
    folder: RunDir
    state: RunState | None
    status: Status
    job: Job | None = None
    """What a cluster does for it."""

    def worked(self, now: float) -> float:
        """Seconds of work, over all attempts; while a process lives they go on with the clock, but not from the end of
        an attempt to the start of the next: a cluster's node may have been down for a night."""
        live = self.state.live if self.state and self.status.phase in ALIVE else None
        if live is None or self.state is None:
            return self.state.trainer.worked if self.state else 0.0
        stopped = self.status.phase is Phase.SUSPENDED and self.status.no_step is None
        began = self.state.trainer.started
        since = now if is_silent(self.state) or stopped else max(live.time, began.time if began else 0.0)
        return self.state.trainer.wasted + live.active + max(0.0, now - since)

    @property
    def step(self) -> int:
        """The newest step known; the one it goes on from, while it waits or its newest attempt has logged nothing."""
        if self.state is None:
            return 0
        waits = self.status.pace == "waits" or (self.status.phase in ALIVE and is_silent(self.state))
        return self.state.goes_on_from if waits else self.state.step

    @property
    def best(self) -> Evaluated | None:
        """The evaluation up to `step` whose weights are kept."""
        evaluations = self.state.trainer.evaluations if self.state else ()
        return next((e for e in reversed(evaluations) if e.best and e.step <= self.step), None)

    @property
    def finished(self) -> Finished | None:
        """How it ended, if it was trained to its end."""
        return self.state.trainer.finished if self.state else None

    @property
    def retry_helps(self) -> bool:
        """False where another try would end alike, by the plan or copied own code, and of runs not trained here."""
        ended_so = self.status.phase in FAILURES and IN_THE_PLAN in self.status.reason
        return self.state is not None and self.planned.trained_here and not ended_so


@dataclass(frozen=True)
class CampaignState:
    dir: CampaignDir
    campaign: Campaign
    intent: CampaignIntent
    runs: tuple[RunView, ...]
    silence: str = ""
    """Why the engine that runs the runs tells nothing; empty: it does."""
    trouble: str = ""
    """What the supervisor cannot do for the campaign now, in words; empty: nothing."""
    untold: str = ""
    """Which commands of `--on-event` failed, for how many events and why; empty: none did."""
    waits_for: str = ""
    """The older campaign whose turn it is: until it has nothing to run, none of this one's runs is started."""

    def view(self, model: str, arm: str, seed: int) -> RunView | None:
        return self._by_key.get((model, arm, seed))

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, int], RunView]:
        return {(v.planned.model, v.planned.arm, v.planned.seed): v for v in self.runs}

    def title_of(self, planned: PlannedRun) -> str:
        """How people call a run: `GRU 23k`, with several seeds `GRU 23k s2`."""
        title = f"{title_of(planned.model, self.campaign.titles)} {self.campaign.arm(planned.arm).label}"
        return f"{title} s{planned.seed}" if len(self.campaign.seeds) > 1 else title

    @property
    def finished(self) -> bool:
        """True if every run is over, whatever way."""
        return all(view.status.over for view in self.runs)

    @property
    def progress_words(self) -> str:
        """`10 of 10 runs finished`; `3 of 10 runs finished, 2 running, 5 queued`."""
        phases = Counter(view.status.phase for view in self.runs)
        done = phases.pop(Phase.FINISHED, 0)
        rest = (f"{count} {phase.value}" for phase, count in phases.items())
        return ", ".join([f"{done} of {plural(len(self.runs), 'run')} finished", *rest])

    @property
    def troubles(self) -> str:
        return "; ".join(filter(None, (self.trouble, self.untold)))

    @property
    def settled(self) -> bool:
        """True if no run is going on or will by itself."""
        return all(view.status.over or view.status.phase in HALTED for view in self.runs)

    @property
    def turn_words(self) -> str:
        """What it waits for, and how to let it go first; empty if it waits for no other campaign."""
        first = f"'lvmtui pause all --campaign {self.waits_for}' lets this one go first"
        return f"no run starts before those of campaign {self.waits_for}; {first}" if self.waits_for else ""

    @cached_property
    def unmade(self) -> str:
        """What a supervisor still has to make of runs that go on no more, in words; empty: nothing."""
        if self.finished:
            return "" if self.dir.report.exists() else "the report is not written"
        if not self.settled:
            return ""
        tasks = due(
            self.campaign,
            [run_outcome(view.planned, view.status, view.finished) for view in self.runs],
            read_made(self.dir.made),
            missing=lambda task: not result_of(self.dir, task).exists(),
            given_up=lambda task: False,
        )
        return "finished pairs are not compared" if any(task.kind == "comparison" for task in tasks) else ""

    @property
    def needs_supervisor(self) -> bool:
        """True if something is left to do that only a supervisor does."""
        return not self.settled or bool(self.unmade)

    @property
    def ours(self) -> bool:
        """True if a supervisor on this host could do what is left: not if it is all with another host's."""
        going_on = {view.status.phase for view in self.runs} - OVER - HALTED
        return bool(self.unmade) or self.campaign.engine != "local" or bool(going_on - {Phase.UNKNOWN})


class CampaignReader:
    """One campaign's folder and its runs, read again and again."""

    def __init__(self, workspace: Workspace, folder: CampaignDir) -> None:
        self.folder = folder
        self.campaign = read_campaign(folder.campaign)
        self._runs = {p.run: RunReader(workspace.run(p)) for p in self.campaign.runs}
        self._owners = Owners()
        self._seen, self._untold = Seen(), ""
        self.pulse = PulseReader(workspace.pulse)
        """What the supervisor tells: the views of runs on other hosts come from it."""

    def refresh(self) -> CampaignState:
        """Read what is new in all run folders. Raises UserError if `campaign.json` cannot be read."""
        self.pulse.refresh()
        return self.state_of(tuple(self.view(planned) for planned in self.campaign.runs))

    def state_of(self, runs: tuple[RunView, ...]) -> CampaignState:
        """The campaign with these views of its runs."""
        intent, pulse = read_campaign_intent(self.folder.intent), self._fresh_pulse
        silence = silence_of(self.pulse.newest, self.campaign.id, time.time())
        trouble = pulse.troubles.get(self.campaign.id, "") if pulse else ""
        waits_for = pulse.waits_for.get(self.campaign.id, "") if pulse else ""
        if self.campaign.on_event and self._seen.changed(self.folder.told):
            self._untold = untold(read_told(self.folder.told).values())
        return CampaignState(self.folder, self.campaign, intent, runs, silence, trouble, self._untold, waits_for)

    @property
    def _fresh_pulse(self) -> Pulse | None:
        """The pulse of a supervisor that is at work."""
        pulse = self.pulse.newest
        return pulse if pulse is not None and abs(time.time() - pulse.time) <= STALE else None

    def view(self, planned: PlannedRun) -> RunView:
        """One run, read now."""
        reader = self._runs[planned.run]
        state = reader.refresh()
        if state is None:
            return RunView(planned, reader.folder, None, Status(Phase.MISSING, reader.fault))
        name, pulse, fresh, attempt = planned.run, self.pulse.newest, self._fresh_pulse, newest_attempt(state)
        stalled = fresh is not None and name in fresh.stalled
        job = job_of(state, name, pulse)
        if job is not None or (attempt is not None and attempt.process.is_job):  # a cluster runs it
            life, told = life_of_job(state, job, self.campaign.engine, pulse, time.time(), stalled)
        else:
            life, told = life_of(state, stalled, partial(self._owners.works_in, reader.folder)), ""
            if life is Life.NONE and state.trainer.ending is None:
                state = reader.refresh() or state  # it may have logged its end and left since its log was read
        status, last = status_of(state, life, told), fresh.no_step.get(name) if fresh else None
        if last is not None and PHASES[status.phase].pace == "works":
            status = replace(status, no_step=max(0.0, time.time() - last))
        waits = status.phase in (Phase.QUEUED, Phase.INTERRUPTED) and not state.spec.foreign
        if waits and (state.supervision.launches or state.trainer.attempts):  # as its trainer would decide
            why = finished_before(reader.folder, state.spec.total_steps, state.intent)
            status = Status(Phase.FAILED, why) if why else status
        waited = time.time() - state.intent.time
        if status.phase is Phase.PAUSING and not status.reason and waited > longest_quiet(state.live):
            status = replace(status, reason=unanswered_words(state, waited))
        return RunView(planned, reader.folder, state, status, job=job if fresh else None)


def campaign_or_fault(folder: CampaignDir) -> CampaignState | str:
    """The campaign as it is now, or why it cannot be read."""
    try:
        return CampaignReader(folder.workspace, folder).refresh()
    except UserError as error:
        return sanitise(str(error), 300)


def newest_campaigns(workspace: Workspace, most: int = LOOKED_BACK) -> Iterator[CampaignState]:
    """So many of the newest campaigns as they are now, the newest first; those that cannot be read are left out."""
    found = map(campaign_or_fault, reversed(workspace.campaign_dirs()[-most:]))
    return (state for state in found if not isinstance(state, str))


def newest_campaign(workspace: Workspace) -> CampaignDir:
    """The campaign that commands mean unless told. Raises UserError if there is none."""
    newest = newest_of(workspace.campaign_dirs())
    if newest is None:
        raise UserError(f"{workspace.root}: no campaign here; start one with 'lvmtui demo' or 'lvmtui run'")
    return newest


def newest_of(folders: Sequence[CampaignDir]) -> CampaignDir | None:
    """The newest that was not taken back; where all were, the newest."""
    return next((folder for folder in reversed(folders) if not taken_back(folder)), folders[-1] if folders else None)


def taken_back(folder: CampaignDir) -> bool:
    """True if all runs of a campaign were cancelled before any of them began, as of one that was started twice."""
    try:
        runs = [folder.workspace.run(planned) for planned in read_campaign(folder.campaign).runs]
    except UserError:
        return False
    return bool(runs) and all(not run.events.exists() and read_intent(run.intent).want == "cancel" for run in runs)


def named_campaign(workspace: Workspace, named: str, what: str) -> CampaignDir:
    """The campaign with this id, or with this part of an id. Raises UserError, which begins with `what`."""
    folders = workspace.campaign_dirs()
    found = [f for f in folders if f.id == named] or [f for f in folders if named in f.id]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f.id for f in (found or folders)[-5:]) or "none"
    fault = "means more than one" if found else "is not here"
    which = "the newest campaigns" if len(found or folders) > 5 else "campaigns"
    raise UserError(f"{what} {named} {fault}; {which}: {known}")


def supervisor_of(workspace: Workspace) -> Identity | None:
    """Who supervises the workspace now, None if nobody does. One on another host counts: it cannot be looked at."""
    found = find_document(SupervisorFile, workspace.supervisor)
    if found is None:
        return None
    with suppress(OSError):
        if found.lock is not None and found.lock != os.stat(workspace.supervisor_lock).st_ino:
            return None  # the workspace is a copy: it supervises the original
    identity = found.process
    return identity if not identity.here or identity.alive() else None
