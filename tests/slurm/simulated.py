"""A Slurm that is not there: `sbatch`, `squeue` and `scancel` on a clock that is set forward, with real run folders.

Nodes and trainers of it need no process. Jobs wait, start, reach their time limit, are preempted, die with their node
or by themselves; the controller is away for a while; a submission is accepted and the one who submitted it is killed
before the answer comes. The same seed gives the same history. What must never be is counted: two trainers of one run,
a step that was lost though a checkpoint had it, more jobs than allowed.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from lvmtui.formats.intent import Want, read_intent, write_intent
from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.paths import CampaignDir, RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Event,
    Finished,
    HeldoutScores,
    Interrupted,
    Paused,
    Started,
)
from lvmtui.state.tasks import Task, result_of
from lvmtui.supervisor.results import WorkerEnd, Workers
from lvmtui.system.files import append_line
from lvmtui.system.process_id import Identity
from lvmtui.system.programs import Done

EPOCH = 1_795_355_100.0


class Killed(Exception):
    """The supervisor was killed at this very moment."""


@dataclass(frozen=True)
class Weather:
    """What a cluster is like. Seconds, and chances of a job."""

    slots: int = 500
    waits: tuple[float, float] = (0.5, 20.0)
    """From being submitted, or from a slot's becoming free, to the start."""
    step_seconds: float = 1.0
    checkpoint_every: int = 10
    """Steps."""
    limit: float = 90.0
    """A job is told to leave after this."""
    dies: float = 0.05
    node_dies: float = 0.02
    preempted: float = 0.05
    outage: tuple[float, float] = (300.0, 45.0)
    """The controller goes away that often, for so long."""
    kills: float = 0.0
    """Chance that the supervisor is killed while it submits."""
    forgets: float = 60.0
    """After its end a job is forgotten."""


@dataclass
class Job:
    number: int
    name: str
    folder: RunDir
    submitted: float
    state: str = "PENDING"
    node: str = ""
    begins: float = 0.0
    ends: float = float("inf")
    how: str = ""
    """Its end, decided when it starts."""
    since: int = 0
    """Step it started from."""
    started: float = 0.0
    over: float = 0.0

    @property
    def alive(self) -> bool:
        return self.state in ("PENDING", "RUNNING")


@dataclass
class SimulatedSlurm:
    """Takes the place of the command that runs Slurm's commands."""

    weather: Weather
    seed: int = 1
    now: float = 0.0
    jobs: dict[int, Job] = field(default_factory=dict)
    checkpoints: dict[Path, int] = field(default_factory=dict)
    """Run -> step of its newest checkpoint."""
    steps: dict[Path, int] = field(default_factory=dict)
    totals: dict[Path, int] = field(default_factory=dict)
    finishes: dict[Path, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    most: int = 0
    """Most jobs that were in the queue at once."""
    doubled: int = 0
    """Times a trainer was started while another had the run."""
    number: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.living: dict[int, Job] = {}

    def clock(self) -> float:
        return self.now

    @property
    def away(self) -> bool:
        every, length = self.weather.outage
        return self.now % every > every - length

    # -- commands --

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> Done:
        self.calls[command[0]] = self.calls.get(command[0], 0) + 1
        if self.away:
            return Done(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
        match command[0]:
            case "squeue":
                return Done(0, "".join(self._line(job) for job in self._shown()), "")
            case "sbatch":
                return self._submit(Path(command[-1]))
            case "scancel":
                for number in command[1:]:
                    if number.isdigit() and int(number) in self.living:
                        self._cancel(self.living[int(number)])
                return Done(0, "", "")
            case _:
                return Done(0, "ExitCode=0:9", "")

    def _shown(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.alive or self.now - job.over < self.weather.forgets]

    def _line(self, job: Job) -> str:
        reason = "Resources" if job.state == "PENDING" else "None"
        fields = (str(job.number), job.state, reason, job.node, "N/A", f"{job.folder.path}/job.sh", job.name)
        return "\t".join(fields) + "\n"

    def _submit(self, script: Path) -> Done:
        found = re.search(r"^#SBATCH --job-name=(.+)$", script.read_text(), re.MULTILINE)
        assert found is not None
        self.number += 1
        folder = RunDir(script.parent)
        self.totals.setdefault(folder.path, read_spec(folder.spec).total_steps)
        job = Job(self.number, found.group(1), folder, self.now, begins=self._soon())
        self.jobs[job.number] = self.living[job.number] = job
        self.most = max(self.most, len(self.living))
        if self.random.random() < self.weather.kills:
            raise Killed
        return Done(0, f"{job.number}\n", "")

    def _soon(self) -> float:
        return self.now + self.random.uniform(*self.weather.waits)

    def _cancel(self, job: Job) -> None:
        if job.state == "PENDING":
            self.end(job, "CANCELLED")
        else:
            job.how, job.ends = "asked", min(job.ends, self.now + 1)

    # -- what time brings --

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        self.now += seconds
        for job in list(self.living.values()):
            if job.state == "RUNNING" and job.ends <= self.now:
                self._finish(job)
        running = sum(job.state == "RUNNING" for job in self.living.values())
        busy = {job.name for job in self.living.values() if job.state == "RUNNING"}
        for job in list(self.living.values()):
            if job.state == "PENDING" and job.begins <= self.now and running < self.weather.slots:
                if job.name in busy:  # --dependency=singleton
                    continue
                running += 1
                busy.add(job.name)
                self._begin(job)

    def order(self, folder: RunDir, want: Want) -> None:
        """Give an order, which a trainer hears within a second."""
        write_intent(folder.intent, want, by="test")
        for job in self.living.values():
            if job.folder == folder and job.state == "RUNNING" and want != "run":
                job.how, job.ends = want, min(job.ends, self.now + 1)

    def _begin(self, job: Job) -> None:
        path, chance, weather = job.folder.path, self.random.random(), self.weather
        self.doubled += any(o.folder == job.folder and o.state == "RUNNING" for o in self.living.values())
        job.state, job.started, job.node = "RUNNING", self.now, f"node{job.number % weather.slots}"
        job.since = self.checkpoints.get(path, 0)
        needs = (self.totals[path] - job.since) * weather.step_seconds
        job.how, job.ends = (
            ("done", self.now + needs) if needs <= weather.limit else ("limit", self.now + weather.limit)
        )
        for how, share in (("dies", weather.dies), ("node", weather.node_dies), ("preempted", weather.preempted)):
            if chance < share:
                job.how, job.ends = how, self.now + self.random.uniform(0, job.ends - self.now)
                break
            chance -= share
        process = Identity(job.node, "boot", job.number, job.number)
        file = "checkpoint.pt" if job.since else None
        generation = self._generation(job.folder)
        self._tell(
            job, Started(self._time, process, generation, job.since, file, (), 0.0, 1, "cpu", {}, f"slurm-{job.number}")
        )

    def _generation(self, folder: RunDir) -> int:
        return read_intent(folder.intent).generation

    @property
    def _time(self) -> float:
        return EPOCH + self.now

    def _finish(self, job: Job) -> None:
        path, weather = job.folder.path, self.weather
        step = min(self.totals[path], job.since + int((job.ends - job.started) / weather.step_seconds))
        kept = max(job.since, step // weather.checkpoint_every * weather.checkpoint_every)
        match job.how:
            case "done":
                self.finishes[path] = self.finishes.get(path, 0) + 1
                self._tell(job, _finished(self._time, self.totals[path]))
                self.end(job, "COMPLETED")
            case "dies" | "node":
                if kept > job.since:
                    self._save(job, kept)
                self.end(job, "FAILED" if job.how == "dies" else "NODE_FAIL")
            case "cancel":
                self._tell(job, Cancelled(self._time, step, 1.0))
                self.end(job, "FAILED")
            case _:
                self._save(job, step)
                signal = "USR1" if job.how == "limit" else "TERM"
                paused = job.how == "pause"
                ending = Paused(self._time, step, 1.0) if paused else Interrupted(self._time, step, signal, 1.0)
                self._tell(job, ending)
                self.end(job, "PREEMPTED" if job.how == "preempted" else "FAILED")

    def _save(self, job: Job, step: int) -> None:
        self.checkpoints[job.folder.path] = step
        self._tell(job, CheckpointSaved(self._time, step, 100, 0.1, "0" * 64, 1.0))

    def _tell(self, job: Job, event: Event) -> None:
        append_line(job.folder.events, encode_line(event))

    def end(self, job: Job, state: str) -> None:
        job.state, job.over = state, self.now
        del self.living[job.number]


def _finished(now: float, step: int) -> Finished:
    digest = hashlib.sha256(str(step).encode()).hexdigest()
    scores = HeldoutScores(100, 0.5, 0.1, 0.4, 0.5, 0.1, 0.2, 0.3)
    return Finished(now, step, False, step, 1.0, 0.52, scores, 0.5, 0.6, 1.0, 1, digest, digest, digest, 1.0)


class SlowWorkers(Workers):
    """Makes results without a process, one in so many seconds of the simulated clock."""

    SECONDS = 20.0

    def __init__(self, slurm: SimulatedSlurm) -> None:
        super().__init__()
        self._slurm = slurm
        self._task: tuple[Task, CampaignDir, float] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    def begin(self, folder: CampaignDir, tasks: Sequence[Task], threads: int = 1) -> Task | None:
        if not tasks or self._task is not None:
            return None
        self._task = (tasks[0], folder, self._slurm.now + self.SECONDS)
        return tasks[0]

    def finish(self) -> WorkerEnd | None:
        if self._task is None or self._slurm.now < self._task[2]:
            return None
        task, folder, _ = self._task
        self._task = None
        path = result_of(folder, task)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        return WorkerEnd(task, "", 1)


@dataclass
class Figures:
    """What a campaign on a simulated cluster cost."""

    ticks: int = 0
    seconds: float = 0.0
    """Of the simulated clock."""
    costs: list[float] = field(default_factory=list)
    """Of each tick, by a real clock."""
    kills: int = 0

    def tick(self, began: float) -> None:
        self.ticks += 1
        self.costs.append(time.perf_counter() - began)
