"""Short, heavy processes that turn finished runs into figures: trivial baselines, comparisons, the report.

They run one at a time, at low priority, beside the training. Each writes its file in one step, and does nothing if the
file is there and still valid. Which are due is a pure function of the runs and of what each result was made from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.results import MadeFrom
from lvmtui.formats.spec import Arm
from lvmtui.models import title_of
from lvmtui.system.files import last_line
from lvmtui.system.launch import our_command
from lvmtui.system.programs import ending_words, kill_child, lower_priority, spawn, unmarked_environment

Kind = Literal["baselines", "comparison", "report"]
TRIES = 3
"""Times a result is tried by one supervisor; it is also tried again when what it is made from changes."""
PAUSE, LONGEST_PAUSE = 10.0, 600.0
"""Seconds before the second try, twice as many before each further one, up to the longest."""
LIMIT = 3600.0
"""Seconds after which a worker counts as hanging. The largest baselines take minutes."""
NICENESS = 10


@dataclass(frozen=True)
class Outcome:
    """What has become of a run, as far as results depend on it."""

    model: str
    arm: Arm
    seed: int
    phase: str
    over: bool
    digest: str
    """Checksum of its held-out scores; empty until it has finished."""


@dataclass(frozen=True)
class Task:
    """A result that is to be made."""

    campaign: str
    kind: Kind
    subject: str
    """The arm of baselines, the model of a comparison."""
    made_from: str
    """Changes when the result must be made again."""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.subject}".strip()

    @property
    def title(self) -> str:
        """In words."""
        match self.kind:
            case "baselines":
                return f"trivial baselines of the {self.subject} arm"
            case "comparison":
                return f"comparison of {title_of(self.subject)}"
            case "report":
                return "report"


def due(
    campaign: Campaign,
    outcomes: Sequence[Outcome],
    made: Mapping[str, str],
    missing: Callable[[Task], bool],
    given_up: Callable[[Task], bool],
) -> list[Task]:
    """What is to be made now, the most urgent first.

    made: key -> what the result that is there was made from. missing: its file is not there.
    """

    def wanted(task: Task) -> bool:
        return not given_up(task) and (made.get(task.key) != task.made_from or missing(task))

    judged = campaign.heldout_windows > 0  # a campaign of imported histories has no windows to score anything on
    baselines = [Task(campaign.id, "baselines", arm, campaign.split_fingerprint) for arm in campaign.arms if judged]
    comparisons = [
        Task(campaign.id, "comparison", model, _digest(*pairs, *_between(campaign, outcomes, model)))
        for model in campaign.models
        if judged and (pairs := complete_pairs(outcomes, model))
    ]
    tasks = [task for task in (*baselines, *comparisons) if wanted(task)]
    if not tasks and outcomes and all(outcome.over for outcome in outcomes):
        told = (f"{o.model} {o.arm} {o.seed} {o.phase} {o.digest}" for o in outcomes)
        report = Task(campaign.id, "report", "", _digest(campaign.id, *told))
        tasks = [report] if wanted(report) else []
    return tasks


def complete_pairs(outcomes: Sequence[Outcome], model: str) -> list[str]:
    """The seeds of which both arms are finished, each with the checksums of their scores."""
    digests = {(o.seed, o.arm): o.digest for o in outcomes if o.model == model and o.digest}
    seeds = sorted({seed for seed, _ in digests})
    return [
        f"{seed} {digests[seed, 'baseline']} {digests[seed, 'expanded']}"
        for seed in seeds
        if (seed, "baseline") in digests and (seed, "expanded") in digests
    ]


def _between(campaign: Campaign, outcomes: Sequence[Outcome], model: str) -> list[str]:
    """The runs between the pair that are finished, with the checksums of their scores: the learning curve has them."""
    if not campaign.between:
        return []
    return sorted(f"{o.seed} {o.arm} {o.digest}" for o in outcomes if o.model == model and o.digest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def result_of(folder: CampaignDir, task: Task) -> Path:
    """The file a task leaves."""
    match task.kind:
        case "baselines":
            return folder.baseline_scores(task.subject)
        case "comparison":
            return folder.comparison(task.subject)
        case "report":
            return folder.report


def command_of(folder: CampaignDir, task: Task) -> tuple[str, ...]:
    """The process that makes it."""
    match task.kind:
        case "baselines":
            return our_command("lvmtui.datasets.baselines", str(folder.path), task.subject)
        case "comparison":
            return our_command("lvmtui.report.make", str(folder.path), task.subject)
        case "report":
            return our_command("lvmtui.report.make", str(folder.path))


class Made:
    """`made.json` of a campaign: what each result was made from, so that nothing is made twice for nothing."""

    def __init__(self, folder: CampaignDir) -> None:
        self._path = folder.made
        found = find_document(MadeFrom, folder.made)
        self.results: dict[str, str] = dict(found.results) if found else {}

    def note(self, task: Task) -> None:
        """The task's result is there."""
        self.results[task.key] = task.made_from
        with suppress(OSError):  # it is made again by the next supervisor, at the price of some seconds
            write_document(self._path, MadeFrom(self.results), durable=False)


@dataclass
class _Running:
    task: Task
    folder: CampaignDir
    process: subprocess.Popen[bytes]
    began: float


@dataclass(frozen=True)
class Done:
    """A worker that ended."""

    task: Task
    folder: CampaignDir
    fault: str
    """Its last words; empty if the result is there."""
    tries: int


class Workers:
    """Runs one task at a time."""

    def __init__(
        self,
        *,
        command: Callable[[CampaignDir, Task], Sequence[str]] = command_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._clock = clock
        self._running: _Running | None = None
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

    def finish(self) -> Done | None:
        """Take in the worker that has ended, if one has."""
        if self._running is None:
            return None
        running = self._running
        code = running.process.poll()
        if code is None and self._clock() - running.began < LIMIT:
            return None
        if code is None:
            kill_child(running.process)
            fault = f"did not end within {LIMIT / 60:.0f} minutes"
        elif code == 0 and result_of(running.folder, running.task).exists():
            fault = ""
        else:
            fault = last_line(running.folder.task_output) or (ending_words(code) if code else "left no result")
        with suppress(OSError):
            running.folder.task_output.unlink()
        self._running = None
        task = running.task
        self._faults.pop(task, None)
        if fault:
            self._tries[task] = self._tries.get(task, 0) + 1
            self._put_off(task, fault, self._tries[task])
        return Done(task, running.folder, fault, self._tries.get(task, 0))

    def begin(self, folder: CampaignDir, tasks: Sequence[Task]) -> Task | None:
        """Start the first task that may be started, if none is running."""
        if self._running is not None:
            return None
        now = self._clock()
        for old in [task for task in self._faults if task.campaign == folder.id and task not in tasks]:
            if not self.given_up(old):
                del self._faults[old]  # it is not wanted any more
        task = next((t for t in tasks if now >= self._not_before.get(t, now)), None)
        if task is None:
            return None
        try:
            process = spawn(
                self._command(folder, task), output=folder.task_output, append=False, environment=_environment()
            )
        except OSError as error:
            self._refusals[task] = self._refusals.get(task, 0) + 1
            where = f"{error.filename}: " if error.filename else ""
            self._put_off(task, f"could not be started ({where}{error.strerror or error})", self._refusals[task])
            return None
        self._refusals.pop(task, None)
        lower_priority(process, NICENESS)
        self._running = _Running(task, folder, process, now)
        return task

    def _put_off(self, task: Task, fault: str, times: int) -> None:
        self._faults[task] = fault
        self._not_before[task] = self._clock() + min(LONGEST_PAUSE, PAUSE * 2 ** min(times - 1, 20))


def _environment() -> dict[str, str]:
    return {**unmarked_environment(os.environ), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
