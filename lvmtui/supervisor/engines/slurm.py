"""Runs as jobs of a Slurm cluster, through `sbatch`, `squeue` and `scancel`, and `scontrol` to explain a death.

A run is one job, found again by its name even if we were killed before we logged it; see docs/slurm.md, "What
happens". Slurm's accounting is not needed: the run folder says how a run ended, and Slurm only explains a death. A
cluster, as the shell saw it that planned the campaign, has one `Queue`.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from lvmtui.formats.live import OUTLIVED
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.started_with import CLUSTER, StartedWith
from lvmtui.formats.trainer_log import IN_THE_PLAN
from lvmtui.state.attempt import UNBEGUN
from lvmtui.supervisor import engine
from lvmtui.supervisor.engines import slurm_text as words
from lvmtui.supervisor.engines.slurm_text import SlurmJob, value_of
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file
from lvmtui.system.filesystem import filesystem_kind, is_locked, is_shared, locks_reach, try_lock
from lvmtui.system.numbers import duration
from lvmtui.system.process_id import folder_id
from lvmtui.system.processes import Sent
from lvmtui.system.programs import Done, done_by, unmarked_environment
from lvmtui.system.text import grouped

SOONER = 1.0
"""Seconds until the next query after a job was submitted or cancelled."""
FEW = 50
"""With fewer living jobs than this, each submission is followed by an early query: a person may be watching."""
LIMIT = 15.0
"""Longest time that a Slurm command may take, in seconds."""
JOBS, THREADS = 20, 4
"""Defaults: jobs in the queue at once, and threads of each. The cores of the login node say nothing about the nodes."""
MISSING, CANNOT = 127, "cannot be asked"
"""The exit code of a Slurm command that is not on the PATH, and what is said then."""
AT_ONCE = 500
"""Most jobs in one `scancel`."""
UNSEEN_FOLDER = "the run folder is not visible there; the workspace must lie on a file system that all nodes share"


# The engine -----------------------------------------------------------------------------------------------------------

T = TypeVar("T")
Command = Callable[[Sequence[str], Mapping[str, str]], Done]
"""Runs a Slurm command in an environment and waits for its end."""


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Done:
    """Run a Slurm command. A missing command gives exit code 127, one that hangs 124."""
    if shutil.which(command[0], path=environment.get("PATH", "")) is None:
        return Done(MISSING, "", f"{command[0]} is not found on PATH {environment.get('PATH')}")
    return done_by(command, environment=environment, seconds=LIMIT)


class SlurmEngine:
    """Submits trainers as jobs, and finds jobs that another supervisor submitted."""

    noun = "job"
    remote = True

    def __init__(
        self, command: Command = run_command, *, clock: Callable[[], float] = time.monotonic, every: float | None = None
    ) -> None:
        """`every`: seconds between two queries of a controller; None: as the campaign's settings say."""
        self._new_queue = partial(Queue, command, clock, every)
        self._queues: dict[tuple[str | None, ...], Queue] = {}

    def start(self, place: engine.Place, spec: RunSpec) -> engine.Begun:
        """Submit a job. Raises CannotStart, or Occupied if Slurm may accept it later."""
        return self._queue_of(place).start(place, spec)

    def look(self, places: Iterable[engine.Place]) -> dict[Path, engine.Probe]:
        return self._each(Queue.look, places)

    def ask(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        return self._each(Queue.ask, places)

    def insist(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        return self._each(Queue.insist, places)

    def orphans(self, models: Path) -> list[engine.Place]:
        return [place for queue in self._queues.values() for place in queue.orphans(models)]

    def _each(
        self, act: Callable[[Queue, Sequence[engine.Place]], dict[Path, T]], places: Iterable[engine.Place]
    ) -> dict[Path, T]:
        """What each queue says of its runs."""
        found: dict[Path, T] = {}
        by_campaign = grouped((id(place.started_with), place) for place in places)  # its runs share that
        for runs in by_campaign.values():
            found |= act(self._queue_of(runs[0]), runs)
        return found

    def _queue_of(self, place: engine.Place) -> Queue:
        variables = environment(engine.environment_of(place.started_with))
        key = (shutil.which("squeue", path=variables.get("PATH")), *map(variables.get, CLUSTER))
        if key not in self._queues:
            self._queues[key] = self._new_queue(place.started_with, variables)
        return self._queues[key]


@dataclass
class Queue:
    """The jobs of one cluster, as Slurm's commands show them in one environment."""

    command: Command
    clock: Callable[[], float]
    every: float | None
    started_with: StartedWith | None
    variables: Mapping[str, str]
    _pause: float = words.EVERY
    """Seconds between two queries."""
    _asked: float = float("-inf")
    _hurry: bool = True
    _fault: str = "not asked yet"
    _jobs: dict[int, SlurmJob] = field(default_factory=dict)
    """What `squeue` showed, and what was submitted since."""
    _living: dict[str, list[SlurmJob]] = field(default_factory=dict)
    """Those of them that are alive, by name."""
    _ended: dict[int, engine.Ended] = field(default_factory=dict)
    _explained: set[int] = field(default_factory=set)
    """Jobs for which `scontrol` was asked how they ended."""

    # -- submitting --

    def start(self, place: engine.Place, spec: RunSpec) -> engine.Begun:
        folder = place.folder
        if self._fault:
            raise engine.Occupied(self._fault)
        try:
            lock = try_lock(folder.lock)
            if lock is None:
                raise engine.Occupied("its folder is locked by a process that is none of its jobs")
            lock.close()
            replace_file(folder.path / words.SCRIPT, words.script(place, spec.threads).encode(), durable=False)
        except OSError as error:
            raise engine.CannotStart(f"could not be submitted: {error.strerror or error}") from None
        submit = ("sbatch", "--parsable", str(folder.path / words.SCRIPT))
        done = self.command(submit, environment(engine.environment_of(place.started_with)))
        self._hurry = self._hurry or bool(done.code) or len(self._living) < FEW
        number = done.out.strip().partition(";")[0]
        if done.code or not number.isdigit():
            fault = f"Slurm refused the job: {words.fault_of(done)}"
            raise engine.Occupied(fault) if words.passing(fault) else engine.CannotStart(fault)
        job = SlurmJob(int(number), "PENDING", "None", "", None, engine.mark_of(folder), place.name)
        self._jobs[job.id] = job
        self._living.setdefault(job.name, []).append(job)
        return engine.Begun(job.identity, f"{words.LAUNCH}{job.id}", "")

    # -- looking --

    def look(self, places: Sequence[engine.Place]) -> dict[Path, engine.Probe]:
        """What is known about the jobs of the runs, from one query for all of them."""
        self._pause = float(value_of(places[0].settings, "every") or words.EVERY) if self.every is None else self.every
        self._ask_controller()
        if self._fault:
            return {place.folder.path: engine.Probe(known=False, detail=self._fault) for place in places}
        return {place.folder.path: self._probe(place) for place in places}

    def _probe(self, place: engine.Place) -> engine.Probe:
        living = self._living_of(place)
        if not living:
            ended = self._end_of(place)
            if ended and place.unsettled and is_locked(place.folder.lock):  # as when only the node's daemon has died
                trainer, said = engine.Member(ended.process, leader=True), f"{ended.words}, {OUTLIVED}"
                return engine.Probe((trainer,), sees_all_hosts=True, detail=said)
            return engine.Probe(ended=ended, sees_all_hosts=True)
        # of two jobs one was accepted by Slurm without our hearing of it; the one that waits is cancelled
        job, *doubles = sorted(living, key=lambda job: (job.state in words.WAITING, job.id))
        if waiting := [double.id for double in doubles if double.state in words.WAITING]:
            self._cancel(waiting)
        never, new = (job.state in words.WAITING and said in job.detail for said in (words.NEVER, words.NEW))
        return engine.Probe((job.member,), True, None, True, job.detail, job.node, job.starts, never, new)

    def _ask_controller(self) -> None:
        now = self.clock()
        if now - self._asked < (min(SOONER, self._pause) if self._hurry else self._pause):
            return
        self._asked, self._hurry = now, False
        user = str(os.getuid())
        done = self._call("squeue", "--noheader", "--states=all", f"--user={user}", f"--format={words.FORMAT}")
        if done.code:
            self._fault = f"Slurm {CANNOT if done.code == MISSING else 'does not answer'} ({words.fault_of(done)})"
            return
        self._fault = ""
        self._jobs = {job.id: job for job in words.jobs_in(done.out)}
        self._living = grouped((job.name, job) for job in self._jobs.values() if job.alive)

    def _end_of(self, place: engine.Place) -> engine.Ended | None:
        """How the newest job in the run's logs ended."""
        named = [process.pid for process in place.processes if process.is_job]
        if not named:
            return None
        number = max(named)
        job, known = self._jobs.get(number), self._ended.get(number)
        if job is None or job.alive or job.name != place.name:
            return known or engine.Ended(words.job_identity(number), "Slurm does not know its job any more")
        if known is None:  # without a query first: most runs log themselves how they ended
            known = self._ended[number] = _ended(job, words.OVER[job.state])
        elif place.unsettled and number not in self._explained:
            self._explained.add(number)
            known = self._ended[number] = self._ended_job(job)
        return known

    def _ended_job(self, job: SlurmJob) -> engine.Ended:
        text, code = words.OVER[job.state], None
        if job.state in words.BY_ITSELF:
            shown = self._call("scontrol", "show", "job", "--oneliner", str(job.id)).out
            found = re.search(r"\bExitCode=(\d+):(\d+)", shown)
            status, number = map(int, found.groups()) if found else (0, 0)
            if (status, number) == (0, 53) or status == words.NO_FOLDER:  # 53: its output could not be opened
                text = UNSEEN_FOLDER
            elif status == words.NO_SETUP:
                code, text = status, f"ended by a setup line {IN_THE_PLAN}"
            elif status:
                code, text = status, f"left with exit code {status}"
            elif number:
                text = f"killed by signal {number}"
        return _ended(job, text, code)

    def orphans(self, models: Path) -> list[engine.Place]:
        """Runs whose folder is gone but that still have a job."""
        root = str(models.resolve()) + os.sep
        living = [(job.folder, job.name) for jobs in self._living.values() for job in jobs]
        return [
            engine.Place(RunDir(Path(folder)), name=name, started_with=self.started_with)
            for folder, name in dict.fromkeys(living)
            if folder.startswith(root) and not os.path.isdir(folder)
        ]

    # -- stopping --

    def ask(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        """Cancel the jobs. Slurm sends CONT and TERM, and KILL after its KillWait; waiting jobs leave the queue."""
        asked = {place.folder.path: Sent(tuple(job.id for job in self._living_of(place))) for place in places}
        self._cancel([number for sent in asked.values() for number in sent.reached])
        return asked

    def insist(self, places: Sequence[engine.Place]) -> dict[Path, Sent]:
        """Send KILL to all processes of the jobs, and cancel them again."""
        numbers = [job.id for place in places for job in self._living_of(place) if job.state not in words.WAITING]
        self._cancel(numbers, "--full", f"--signal={signal.SIGKILL.name}")
        return self.ask(places)

    def _living_of(self, place: engine.Place) -> list[SlurmJob]:
        return [job for job in self._living.get(place.name, ()) if _is_of(job, place.folder)]

    def _cancel(self, numbers: Sequence[int], *options: str) -> None:
        self._hurry = True
        for first in range(0, len(numbers), AT_ONCE):
            self._call("scancel", *options, *map(str, numbers[first : first + AT_ONCE]))

    def _call(self, *command: str) -> Done:
        return self.command(command, self.variables)


OWN_GPUS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment for Slurm's commands, which Slurm passes on to the jobs.

    Left out are the variables that mark this process as a run or a job, and its own GPUs: a job gets other ones.
    """
    kept = {
        name: value
        for name, value in unmarked_environment(variables).items()
        if name not in OWN_GPUS and (not name.startswith("SLURM_") or name in CLUSTER)
    }
    return {**kept, "SLURM_TIME_FORMAT": "%s"}


def _ended(job: SlurmJob, text: str, code: int | None = None) -> engine.Ended:
    where = f"job {job.id} on {job.node}: " if job.node else f"job {job.id}: "
    if job.state == "CANCELLED" and not job.node:
        text += UNBEGUN
    excused, outside = job.state in words.EXCUSED, job.state not in words.BY_ITSELF
    return engine.Ended(job.identity, where + text, code, excused, outside)


def _is_of(job: SlurmJob, folder: RunDir) -> bool:
    """False if the job belongs to another existing run folder: a run of the same name in another workspace."""
    if job.folder == str(folder.path):
        return True
    theirs, ours = folder_id(job.folder), folder_id(folder.path)
    return theirs == ours or not theirs or not ours


# Before anything is planned -------------------------------------------------------------------------------------------


def ready(workspace: Workspace, settings: engine.Settings, threads: int, command: Command = run_command) -> None:
    """Ask the shell if it reads the setup lines and Slurm if it takes the job. Raises UserError with their words."""
    if setup := settings.get("setup"):
        read = command(("bash", "-n", "-c", "\n".join(setup)), environment(os.environ))
        if read.code not in (0, MISSING):
            fault = words.fault_of(read).removeprefix("bash: -c: ")
            raise UserError(f"--setup: bash cannot read it: {fault}; correct it")
    trial = ("sbatch", "--test-only", *words.resources(settings, threads), "--wrap=true")
    done = command(trial, environment(os.environ))
    if done.code:
        fault = words.fault_of(done)
        what = CANNOT if done.code == MISSING else "does not answer" if words.passing(fault) else "refuses such a job"
        raise UserError(f"--engine slurm: Slurm {what}: {fault}")


def notes(
    workspace: Workspace,
    settings: engine.Settings,
    jobs: int,
    threads: int,
    longest: float,
    anew: Sequence[str] = (),
    command: Command = run_command,
) -> tuple[str, ...]:
    """Notes for the plan about what cannot be checked from here. `anew`: trainers that begin anew in every job."""
    root, limit, said = workspace.root, value_of(settings, "time"), list[str]()
    if not is_shared(root):
        disk = filesystem_kind(root) or "a disk"
        said.append(f"the workspace is on {disk} of this host; every node must see it as {root}")
    elif not locks_reach(root):
        said.append(f"locks on {filesystem_kind(root)} hold on one host only here; supervise from one host")
    cpus = int(value_of(settings, "cpus") or threads)
    asked = ("sinfo", "--noheader", "--Node", f"--format={words.NODES}")
    partition = value_of(settings, "partition") or os.environ.get("SBATCH_PARTITION", "")
    nodes = words.nodes_in(command(asked, environment(os.environ)).out, partition)
    fit = sum(has // cpus for has in nodes)
    if 0 < fit < jobs and not settings.get("sbatch"):  # which may name other nodes
        run = f"{len(nodes)} nodes with {sum(nodes)} CPUs run" if len(nodes) > 1 else f"a node of {nodes[0]} CPUs runs"
        times = f"it takes about {jobs / fit:.1f} times as long as expected".replace(".0 ", " ")
        said.append(f"{run} at most {fit} of these {jobs} jobs at once, of {cpus} CPUs each: {times}")
    if not (allowed := words.seconds_of(limit)):
        return tuple(said)
    warn = words.warning(settings)
    works = allowed - warn - words.EARLY / 2
    limits = f"--time is {limit}, and a job is told to leave {warn} s before"
    if longest > works:
        jobs_of = f"a run of {duration(longest)} takes about {math.ceil(longest / works)} jobs"
        said.append(f"{limits}, up to a minute early: it trains for about {duration(works)}, so {jobs_of}")
    said += [f"{limits}: {one}, which promises no checkpoints, must end by then or begins anew" for one in anew]
    return tuple(said)


def room(settings: engine.Settings) -> tuple[int, int]:
    """The defaults: jobs in the queue at once, and threads of each."""
    return JOBS, int(value_of(settings, "cpus") or THREADS)


KIND = engine.EngineKind(
    make=SlurmEngine,
    settings=words.SETTINGS,
    program="sbatch",
    check=words.check_settings,
    ready=ready,
    room=room,
    notes=notes,
)
