"""Has the results of each campaign made, and writes the logs people read.

A result is made by a short, heavy process, a worker. Workers run one at a time, at low priority, beside the training.
Each writes its file in one step, and does nothing if the file is there and still valid.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.results import MadeFrom, read_made
from lvmtui.formats.told import Happening
from lvmtui.state.tasks import RunOutcome, Task, due, finished_pairs, result_of, run_outcome, task_command
from lvmtui.supervisor.observation import CampaignTrack
from lvmtui.supervisor.readable_logs import ReadableLogs
from lvmtui.supervisor.tell import EventTeller, of_campaign
from lvmtui.system.files import last_line
from lvmtui.system.hardware import cores
from lvmtui.system.numbers import plural
from lvmtui.system.programs import ending_words, kill_child, lower_priority, spawn, unmarked_environment

TRIES = 3
"""Times a result is tried by one supervisor; it is also tried again when what it is made from changes."""
PAUSE, LONGEST_PAUSE = 10.0, 600.0
"""Seconds before the second try, twice as many before each further one, up to the longest."""
LIMIT = 3600.0
"""Seconds after which a worker counts as hanging. The largest baselines take minutes."""
NICENESS = 10


@dataclass(frozen=True)
class WorkerEnd:
    """A worker that has ended."""

    task: Task
    fault: str
    """Its last words; empty if the result is there."""
    tries: int


class Workers:
    """Runs one task at a time."""

    def __init__(
        self,
        *,
        command: Callable[[CampaignDir, Task], Sequence[str]] = task_command,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._clock = clock
        self._running: tuple[Task, CampaignDir, subprocess.Popen[bytes], float] | None = None
        self._tries: dict[Task, int] = {}
        self._refusals: dict[Task, int] = {}
        """Times a worker could not even be started, in a row."""
        self._faults: dict[Task, str] = {}
        self._not_before: dict[Task, float] = {}

    @property
    def busy(self) -> bool:
        return self._running is not None

    def given_up(self, task: Task) -> bool:
        """It failed too often. That no worker could be started is not its failure, and is tried again for ever."""
        return self._tries.get(task, 0) >= TRIES

    def trouble(self, campaign: str) -> str:
        """Why a result of the campaign is missing, in words; empty if none is for a fault."""
        for task, fault in self._faults.items():
            if task.campaign == campaign:
                again = "given up until its runs change" if self.given_up(task) else "it is tried again"
                return f"{task.title}: {fault}; {again}"
        return ""

    def finish(self) -> WorkerEnd | None:
        """Take in the worker that has ended, if one has."""
        if self._running is None:
            return None
        task, folder, process, began = self._running
        code = process.poll()
        if code is None and self._clock() - began < LIMIT:
            return None
        if code is None:
            kill_child(process)
            fault = f"did not end within {LIMIT / 60:.0f} minutes"
        elif code == 0 and result_of(folder, task).exists():
            fault = ""
        else:
            fault = last_line(folder.task_output) or (ending_words(code) if code else "left no result")
        with suppress(OSError):
            folder.task_output.unlink()
        self._running = None
        self._faults.pop(task, None)
        if fault:
            self._tries[task] = self._tries.get(task, 0) + 1
            self._put_off(task, fault, self._tries[task])
        return WorkerEnd(task, fault, self._tries.get(task, 0))

    def begin(self, folder: CampaignDir, tasks: Sequence[Task], threads: int = 1) -> Task | None:
        """Start the first task that may be started, if none is running, with so many threads."""
        if self._running is not None:
            return None
        now = self._clock()
        for old in [task for task in self._faults if task.campaign == folder.id and task not in tasks]:
            if not self.given_up(old):
                del self._faults[old]  # it is not wanted any more
        task = next((t for t in tasks if now >= self._not_before.get(t, now)), None)
        if task is None:
            return None
        environment = unmarked_environment() | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        try:
            command = self._command(folder, task)
            process = spawn(command, output=folder.task_output, append=False, environment=environment)
        except OSError as error:
            self._refusals[task] = self._refusals.get(task, 0) + 1
            where = f"{error.filename}: " if error.filename else ""
            self._put_off(task, f"could not be started ({where}{error.strerror or error})", self._refusals[task])
            return None
        self._refusals.pop(task, None)
        lower_priority(process, NICENESS)
        self._running = task, folder, process, now
        return task

    def _put_off(self, task: Task, fault: str, times: int) -> None:
        self._faults[task] = fault
        self._not_before[task] = self._clock() + min(LONGEST_PAUSE, PAUSE * 2 ** min(times - 1, 20))


def idle_cores(campaigns: Sequence[CampaignTrack]) -> int:
    """Cores of this machine, at least one, that are left beside the runs that are going on or may begin."""
    taken = 0
    for one in campaigns:
        going_on = sum(not track.seen.status.over for track in one.order)
        taken += min(one.jobs, going_on) * one.campaign.threads if one.campaign.engine == Campaign.engine else 0
    return max(1, cores() - taken)


class Results:
    """The results and logs of every campaign of a workspace."""

    def __init__(self, workspace: Workspace, workers: Workers, teller: EventTeller) -> None:
        self.workspace, self.workers, self.teller = workspace, workers, teller
        self._campaigns: dict[str, _CampaignResults] = {}

    def go_on(self, campaigns: Sequence[CampaignTrack]) -> bool:
        """Take in the result that was made, have the next one made. True if there was anything to do."""
        done = self.workers.finish()
        if done is not None and done.task.campaign in self._campaigns:
            of_campaign = self._campaigns[done.task.campaign]
            of_campaign.take_in(done.task, done.fault, done.tries, last=self.workers.given_up(done.task))
        if self.workers.busy:
            return False
        for campaign in campaigns:
            of_campaign = self._of(campaign)
            of_campaign.update(campaign, self.workers)
            if self.workers.begin(campaign.dir, of_campaign.tasks, idle_cores(campaigns)) is not None:
                return True
            of_campaign.stale = bool(of_campaign.tasks)  # they wait for another try, or could not be started
        return done is not None

    def pending(self, campaigns: Sequence[CampaignTrack]) -> bool:
        """True while something is made or told, or is to be."""
        if self.workers.busy or self.teller.busy:
            return True
        return any(self._of(c).tasks or self.teller.due(c, self._of(c).happenings) for c in campaigns)

    def tell(self, campaigns: Sequence[CampaignTrack]) -> None:
        """Write what happened into the logs, tell the commands of `--on-event`, and log if one of these fails."""
        said = [self.teller.finish()]
        for campaign in campaigns:
            of_campaign = self._of(campaign)
            of_campaign.logs.catch_up({name: track.seen.state for name, track in campaign.tracks.items()})
            if campaign.campaign.on_event:
                said.append((campaign.dir.id, self.teller.go_on(campaign, of_campaign.happenings)))
        for campaign_id, words in said:
            if words and campaign_id in self._campaigns:
                self._campaigns[campaign_id].logs.note(f"on event: {words}", time.time())

    def note(self, campaigns: Sequence[CampaignTrack], run: str, text: str, when: float | None) -> None:
        """A line in the monitor log of the run's campaign; without a time it is written once."""
        for campaign in campaigns:
            if run in campaign.tracks:
                self._of(campaign).logs.note(f"{run}  {text}", when or time.time(), once=when is None)

    def _of(self, campaign: CampaignTrack) -> _CampaignResults:
        if campaign.dir.id not in self._campaigns:
            self._campaigns[campaign.dir.id] = _CampaignResults(self.workspace, campaign)
        return self._campaigns[campaign.dir.id]


class _CampaignResults:
    """What is made of one campaign's runs."""

    def __init__(self, workspace: Workspace, campaign: CampaignTrack) -> None:
        self.folder = campaign.dir
        self.campaign: Campaign = campaign.campaign
        self.logs = ReadableLogs(workspace, campaign.campaign)
        self.made = read_made(campaign.dir.made)
        """What each result was made from, so that nothing is made twice for nothing."""
        self.outcomes: tuple[RunOutcome, ...] = ()
        self.tasks: list[Task] = []
        self.stale = True
        self._phases: list[object] = []

    @property
    def happenings(self) -> list[Happening]:
        """What has happened to the campaign as a whole."""
        return of_campaign(self.made, self.outcomes, all_made=not self.tasks and not self.stale)

    def update(self, campaign: CampaignTrack, workers: Workers) -> None:
        """Find out again what is due, if anything it depends on has changed."""
        statuses = (track.seen.status for track in campaign.tracks.values())
        phases: list[object] = [(status.phase, status.over and status.since) for status in statuses]
        if phases == self._phases and not self.stale:
            return
        self._phases, self.stale = phases, False
        self.outcomes = tuple(
            run_outcome(planned, seen.status, seen.state.trainer.finished if seen.state else None)
            for planned, seen in ((track.planned, track.seen) for track in campaign.tracks.values())
        )
        self.tasks = due(
            self.campaign,
            self.outcomes,
            self.made,
            missing=lambda task: not result_of(self.folder, task).exists(),
            given_up=workers.given_up,
        )

    def take_in(self, task: Task, fault: str, tries: int, *, last: bool) -> None:
        """A worker has ended: note its result, or why there is none."""
        self.stale = True
        now = time.time()
        if fault:
            more = "" if last else f", it is tried again ({tries} so far)"
            self.logs.note(f"{task.title} failed: {fault}{more}", now)
            return
        self.made[task.key] = task.made_from
        with suppress(OSError):  # it is made again by the next supervisor, at the price of some seconds
            write_document(self.folder.made, MadeFrom(self.made), durable=False)
        written = now
        with suppress(OSError):
            written = result_of(self.folder, task).stat().st_mtime
        pairs = len(finished_pairs(self.outcomes, task.subject))
        told = f", {plural(pairs, 'pair')}" if task.kind == "comparison" else ""
        self.logs.note(f"{task.title} written{told}", written)
