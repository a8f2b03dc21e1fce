"""Runs as jobs of a Slurm cluster, through its own commands: `sbatch`, `squeue`, `scancel`, and `scontrol` for a death.

A run is one job, whose script ends in `exec python -P -m trainers RUN_DIR`, so that the trainer hears the signals.
The job's name says campaign, model, arm and seed; by it a job is found again that was submitted and not written down.
The controller is asked once for all runs, every few seconds at most. That it does not answer says nothing about any
run. Accounting is not needed: how a run ended stands in its folder, and Slurm's words only explain a death.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec
from lvmtui.supervisor.engines import (
    Begun,
    CannotStart,
    Ended,
    Kind,
    Member,
    Occupied,
    Place,
    Setting,
    Settings,
    Sight,
    mark_of,
    thread_environment,
)
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.files import replace_file, try_lock
from lvmtui.system.filesystem import is_shared, kind_of, locks_reach
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK, Identity
from lvmtui.system.processes import Done, done_by, unmarked_environment
from lvmtui.system.text import sanitise

SCHEDULER = "Slurm"
EVERY = 5.0
"""Seconds between two questions to the controller, which all users of the cluster share."""
SOONER = 1.0
"""The same after something was asked of a job."""
FEW = 50
"""Jobs up to which a person waits to see the next one start; with more there is always one that does."""
LIMIT = 15.0
"""Seconds a command of Slurm's may take."""
WARN = 60
"""Seconds before its time limit at which a trainer is told; Slurm may be a minute early."""
SCRIPT = "job.sh"
"""In the run folder: what was submitted last."""
JOBS, THREADS = 20, 4
"""In the queue at once, and of each run, where the person does not say: this host's cores mean nothing there."""
AT_ONCE = 500
"""Jobs named in one `scancel`."""
NO_FOLDER = 67
"""Exit code of a script that does not find the run folder."""
UNSEEN_FOLDER = "the run folder is not visible there; the workspace must lie on a file system that all nodes share"


# What a campaign may ask for ------------------------------------------------------------------------------------------

SETTINGS = (
    Setting("partition", "NAME", "Slurm: where the jobs run"),
    Setting("account", "NAME", "Slurm: whom they are charged to"),
    Setting("time", "LIMIT", "Slurm: longest time of a job, as 4:00:00; a longer run takes several"),
    Setting("gpus", "N", "Slurm: GPUs of a job, as 1 or a100:1"),
    Setting("cpus", "N", "Slurm: CPU cores of a job; default: the threads of a run"),
    Setting("memory", "SIZE", "Slurm: memory of a job, as 16G"),
    Setting("sbatch", "OPTION", "Slurm: a further #SBATCH line, as --sbatch=--qos=long", many=True),
    Setting("setup", "COMMAND", "Slurm: a shell line before the trainer, as 'module load cuda'", many=True),
    Setting("python", "PATH", "Slurm: the Python of the jobs; default: the one that runs lvmtui"),
    Setting("warn", "SECONDS", f"Slurm: how long before its time limit a run is told to leave; default {WARN}"),
    Setting("every", "SECONDS", f"Slurm: how often the controller is asked; default {EVERY:.0f}"),
)
_SHAPES = {
    "partition": (r"[\w.,-]+", "a partition's name"),
    "account": (r"[\w.-]+", "an account's name"),
    "time": (r"\d+|\d+:\d+(:\d+)?|\d+-\d+(:\d+){0,2}", "a time as Slurm writes it: 30, 4:00:00, 2-12:00:00"),
    "gpus": (r"([\w.-]+:)?\d+", "a number of GPUs, as 1 or a100:1"),
    "cpus": (r"[1-9]\d*", "a whole number from 1"),
    "memory": (r"\d+[KMGT]?", "a size, as 16G"),
    "sbatch": (r"-.*", "an option of sbatch, as --qos=long"),
    "setup": (r".*\S.*", "a line for the shell"),
    "python": (r"\S.*", "the path of a Python"),
    "warn": (r"[1-9]\d{0,4}", "seconds, from 1 to 99999"),
    "every": (r"\d+(\.\d+)?", "seconds"),
}


def check(settings: Settings) -> None:
    """Raise UserError for a setting that cannot be meant."""
    for name, values in settings.items():
        if name not in _SHAPES:
            raise unknown("[engine]: key", name, _SHAPES)
        shape, needed = _SHAPES[name]
        for value in values:
            if not re.fullmatch(shape, value):
                raise UserError(f"--{name}: {value!r:.60} is not {needed}")
    limit = seconds_of(_one(settings, "time"))
    warn = int(_one(settings, "warn") or WARN)
    if limit is not None and limit < warn + 60:
        raise UserError(
            f"--time {_one(settings, 'time')}: a run is told to leave {warn} s before, and Slurm may be a minute "
            f"early; give at least {-(-(warn + 60) // 60)} minutes"
        )


def seconds_of(limit: str) -> int | None:
    """A time limit in seconds: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]]."""
    if not limit:
        return None
    days, dash, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return int(days) * 86400 + hours * 3600 + minutes * 60 + seconds
    if len(parts) == 3:
        return parts[0] * 3600 + parts[1] * 60 + parts[2]
    return parts[0] * 60 + (parts[1] if len(parts) == 2 else 0)


def _one(settings: Settings, name: str) -> str:
    return settings.get(name, ("",))[-1]


def script(place: Place, threads: int) -> str:
    """The job. What the campaign adds comes last, where Slurm lets it win."""
    path, workspace, settings = mark_of(place.folder), os.path.realpath(place.folder.workspace), place.settings
    escaped = path.replace("\\", "\\\\").replace("%", "%%")
    asked = [
        f"--job-name={place.name}",
        f"--output={escaped}/train.log",
        "--open-mode=append",
        f"--chdir={workspace}",
        "--dependency=singleton",  # of two jobs of this name Slurm itself lets only one run at a time
        *resources(settings, threads),
    ]
    variables = {RUN_MARK: path, **thread_environment(threads)}
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in map(_quoted, asked)),
        *settings.get("setup", ()),
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f'export {LAUNCH_MARK}="{LAUNCH}$SLURM_JOB_ID"',
        f"[ -e {shlex.quote(path + '/spec.json')} ] || exit {NO_FOLDER}",
        f"exec {shlex.quote(_one(settings, 'python') or sys.executable)} -P -m trainers {shlex.quote(path)}",
    ]
    return "\n".join(lines) + "\n"


def resources(settings: Settings, threads: int) -> list[str]:
    """What a job asks for, as options of `sbatch`."""
    asked = [
        f"--signal=B:USR1@{_one(settings, 'warn') or WARN}",
        "--no-requeue",  # who starts a run again is the supervisor, and it counts
        "--ntasks=1",
        f"--cpus-per-task={_one(settings, 'cpus') or threads}",
    ]
    options = {"partition": "partition=", "account": "account=", "time": "time=", "gpus": "gres=gpu:", "memory": "mem="}
    asked += [f"--{option}{value}" for name, option in options.items() if (value := _one(settings, name))]
    return [*asked, *settings.get("sbatch", ())]


def _quoted(option: str) -> str:
    """An option as it may stand in an #SBATCH line."""
    name, equals, value = option.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and not re.fullmatch(r"[\w@%+,./:=-]*", value) else option


LAUNCH = "slurm-"
"""Before the job's number: the name of a start is known as soon as the job is."""


# What Slurm says ------------------------------------------------------------------------------------------------------

FORMAT = "%i\t%T\t%r\t%N\t%S\t%o\t%j"
"""Number, state, reason, nodes, start, script, name."""

WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
OVER = {
    "COMPLETED": "ended without a word",
    "FAILED": "failed",
    "TIMEOUT": "ran into its time limit",
    "DEADLINE": "ran into its deadline",
    "OUT_OF_MEMORY": "killed for memory, by Slurm's limit (--memory)",
    "CANCELLED": "cancelled in Slurm, not by lvmtui",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not come up",
    "PREEMPTED": "preempted",
    "REVOKED": "revoked",
}
EXCUSED = {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED"}

REASONS = {
    "None": "just submitted",
    "Priority": "others come first",
    "Resources": "waits for nodes to become free",
    "Dependency": "waits for its job before to end",
    "BeginTime": "waits for its time to begin",
    "JobHeldUser": "held by its user; 'scontrol release' lets it go",
    "JobHeldAdmin": "held by an administrator",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition is closed",
    "PartitionConfig": "asks for what its partition does not allow, and will not start",
    "PartitionTimeLimit": "asks for more time than its partition allows, and will not start",
    "PartitionNodeLimit": "asks for more nodes than its partition allows, and will not start",
    "BadConstraints": "asks for what no node has, and will not start",
    "ReqNodeNotAvail": "the nodes it needs are not available",
    "NodeDown": "a node it needs is down",
    "Licenses": "waits for a licence",
    "Reservation": "waits for its reservation",
    "Prolog": "its node is being prepared",
    "Cleaning": "what is left of its job before is being removed",
    "InvalidAccount": "its account is not valid, and it will not start",
    "InvalidQOS": "its QOS is not valid, and it will not start",
}
"""Of a pending job, in words. The others are limits, whose names say which."""

NOT_NOW = (
    "unable to contact", "timed out", "connection refused", "zero bytes", "temporarily", "not responding", "try again",
    "communication", "job submit limit", "unexpected message", "connect failure", "no answer", "resource unavailable",
    "fetch config",
)  # fmt: skip
"""In Slurm's words when it may take the same job a moment later."""


def reason_words(reason: str) -> str:
    """Why a job waits."""
    name = reason.split(",")[0].strip("()")
    known = REASONS.get(name)
    if known is not None:
        return known if name == "None" else f"{known} ({name})"
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return "waits" if not name else f"waits: {name}" if " " in name else f"waits: {spaced} ({name})"


@dataclass(frozen=True)
class SlurmJob:
    """A job as `squeue` shows it."""

    id: int
    state: str
    reason: str
    node: str
    starts: float | None
    folder: str
    """Of the script: the run folder, unless somebody else submitted it."""
    name: str

    @property
    def alive(self) -> bool:
        return self.state not in OVER

    @property
    def identity(self) -> Identity:
        return identity_of(self.id)

    @property
    def member(self) -> Member:
        stopped = self.state in ("SUSPENDED", "STOPPED")
        return Member(self.identity, True, f"{LAUNCH}{self.id}", stopped, waiting=self.state in WAITING)

    @property
    def told(self) -> str:
        if self.state in WAITING:
            when = f", to start about {words.clock(self.starts)}" if self.starts else ""
            return f"job {self.id}: {reason_words(self.reason)}{when}"
        state = "" if self.state == "RUNNING" else f", {self.state.lower()}"
        return f"job {self.id} on {self.node or 'a node'}{state}"


def identity_of(job: int) -> Identity:
    """A job as the run's logs name it."""
    return Identity(SCHEDULER, "", job, 0)


def jobs_in(text: str) -> list[SlurmJob]:
    """The jobs in what `squeue` printed; lines that are none of ours are passed over."""
    found = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 7 or not fields[0].isdigit():
            continue
        number, state, reason, node, start, command, name = (sanitise(field, 4096) for field in fields)
        starts = float(start) if re.fullmatch(r"\d{9,11}", start) else None
        folder = command.removesuffix("/" + SCRIPT) if command.endswith("/" + SCRIPT) else ""
        found.append(SlurmJob(int(number), state, reason, node, starts, folder, name))
    return found


def fault_of(done: Done) -> str:
    """What a command of Slurm's complained of, in its own words and one line."""
    said = []
    for line in (done.err or done.out).splitlines():
        text = re.sub(r"^(s[a-z]+: )?(error: |fatal: )?(Batch job submission failed: |allocation failure: )?", "", line)
        text = text.removeprefix("slurm_load_jobs error: ").strip()
        if text and not text.startswith("Try ") and text not in said:
            said.append(text)
    return sanitise("; ".join(said[-2:]), 300) or f"exit code {done.code}"


def passing(fault: str) -> bool:
    """True if the same may go well a moment later."""
    return any(phrase in fault.lower() for phrase in NOT_NOW)


# The engine -----------------------------------------------------------------------------------------------------------

Command = Callable[[Sequence[str], Mapping[str, str]], Done]
"""Runs one of Slurm's commands to its end, in an environment."""


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Done:
    """Run it; a missing or hanging one has an exit code too."""
    return done_by(command, environment=environment, seconds=LIMIT)


class SlurmEngine:
    """Submits trainers and finds their jobs again, whoever submitted them."""

    name = "slurm"
    noun = "job"
    remote = True

    def __init__(
        self,
        command: Command = run_command,
        *,
        clock: Callable[[], float] = time.monotonic,
        every: float | None = None,
    ) -> None:
        """`every`: seconds between two questions to the controller; None: as the campaigns say."""
        self._command = command
        self._clock = clock
        self._every = every
        self._wanted_every = EVERY
        self._asked = float("-inf")
        self._hurry = True
        self._fault = "not asked yet"
        self._jobs: dict[int, SlurmJob] = {}
        self._living: dict[str, list[SlurmJob]] = {}
        """By name; so the next one."""
        self._over: dict[str, list[SlurmJob]] = {}
        self._submitted: dict[int, SlurmJob] = {}
        """Jobs that no answer has shown yet."""
        self._ended: dict[int, Ended] = {}
        self._explained: set[int] = set()
        """Jobs whose end the controller was asked for."""

    # -- submitting --

    def start(self, place: Place, spec: RunSpec) -> Begun:
        """Submit a job. Raises CannotStart, and Occupied where Slurm may take it later."""
        folder = place.folder
        if self._fault:
            raise Occupied(self._fault)
        try:
            lock = try_lock(folder.lock)
            if lock is None:
                raise Occupied("its folder is locked by a process that is none of its jobs")
            lock.close()
            text = script(place, spec.threads)
            replace_file(folder.path / SCRIPT, text.encode(), durable=False)
        except OSError as error:
            raise CannotStart(f"could not be submitted: {error.strerror or error}") from None
        done = self._call("sbatch", "--parsable", str(folder.path / SCRIPT))
        self._hurry = self._hurry or bool(done.code) or len(self._living) < FEW
        number = done.out.strip().partition(";")[0]
        if done.code or not number.isdigit():
            fault = f"Slurm refused the job: {fault_of(done)}"
            raise Occupied(fault) if passing(fault) else CannotStart(fault)
        job = SlurmJob(int(number), "PENDING", "None", "", None, mark_of(folder), place.name)
        self._submitted[job.id] = job
        self._sort()
        return Begun(job.identity, f"{LAUNCH}{job.id}", "")

    # -- looking --

    def expect(self, runs: Sequence[tuple[Place, RunSpec]], ahead: int) -> None:
        """Nothing: a job is submitted as soon as there is a place for it, and waits in the cluster's queue."""

    def look(self, places: Iterable[Place]) -> dict[Path, Sight]:
        """What is known of the runs' jobs, from one question for all of them."""
        places = list(places)
        if places:
            self._wanted_every = float(_one(places[0].settings, "every") or EVERY)
        self._ask_controller()
        if self._fault:
            unseen = Sight(known=False, told=self._fault)
            return {place.folder.path: unseen for place in places}
        return {place.folder.path: self._sight(place) for place in places}

    def _sight(self, place: Place) -> Sight:
        living = [job for job in self._living.get(place.name, ()) if _is_of(job, place.folder)]
        if not living:
            return Sight(ended=self._end_of(place), everywhere=True)
        if len(living) > 1:
            living = self._drop_doubles(living)
        job = living[0]
        return Sight((job.member,), everywhere=True, told=job.told, node=job.node, starts=job.starts)

    def _drop_doubles(self, living: list[SlurmJob]) -> list[SlurmJob]:
        """Two jobs of one run: Slurm took one of which we were not told. Those that wait give way."""
        living = sorted(living, key=lambda job: (job.state in WAITING, job.id))
        doubles = [job.id for job in living[1:] if job.state in WAITING]
        if doubles:
            self._cancel(doubles)
        return living

    def _ask_controller(self) -> None:
        now = self._clock()
        if now - self._asked < (min(SOONER, self.every) if self._hurry else self.every):
            return
        before = set(self._submitted)
        self._asked, self._hurry = now, False
        user = str(os.getuid())
        done = self._call("squeue", "--noheader", "--states=all", f"--user={user}", f"--format={FORMAT}")
        if done.code:
            self._fault = f"Slurm does not answer ({fault_of(done)})"
            return
        self._fault = ""
        self._jobs = {job.id: job for job in jobs_in(done.out)}
        for number in before:  # what was submitted before the question is in the answer, or has been forgotten since
            del self._submitted[number]
        self._sort()

    @property
    def every(self) -> float:
        return self._every if self._every is not None else self._wanted_every

    def _sort(self) -> None:
        self._living, self._over = {}, {}
        for job in {**self._submitted, **self._jobs}.values():
            (self._living if job.alive else self._over).setdefault(job.name, []).append(job)

    def _end_of(self, place: Place) -> Ended | None:
        """How the newest job that the run's logs name ended."""
        named = [process.pid for process in place.processes if process.is_job]
        if not named:
            return None
        number = max(named)
        job = next((job for job in self._over.get(place.name, ()) if job.id == number), None)
        known = self._ended.get(number)
        if job is None:
            return known or Ended(identity_of(number), "Slurm does not know its job any more")
        if known is None:  # first without asking the controller again: most say themselves how they ended
            known = self._ended[number] = Ended(job.identity, _where(job) + OVER[job.state], None, job.state in EXCUSED)
        elif place.unsettled and number not in self._explained:
            self._explained.add(number)
            known = self._ended[number] = self._ended_job(job)
        return known

    def _ended_job(self, job: SlurmJob) -> Ended:
        text, code = OVER[job.state], None
        if job.state in ("FAILED", "COMPLETED"):
            shown = self._call("scontrol", "show", "job", "--oneliner", str(job.id)).out
            status, _, number = _field(shown, "ExitCode").partition(":")
            if (status, number) == ("0", "53") or status == str(NO_FOLDER):  # 53: its output could not be opened
                text = UNSEEN_FOLDER
            elif status.isdigit() and int(status):
                code = int(status)
                text = f"left with exit code {code}"
            elif number.isdigit() and int(number):
                text = f"killed by signal {number}"
        return Ended(job.identity, _where(job) + text, code, job.state in EXCUSED)

    def strays(self, models: Path) -> list[Place]:
        """Runs of which a job lives although their folder is gone."""
        root = str(models.resolve()) + os.sep
        living = [(job.folder, job.name) for jobs in self._living.values() for job in jobs]
        return [
            Place(RunDir(Path(folder)), name=name)
            for folder, name in dict.fromkeys(living)
            if folder.startswith(root) and not os.path.isdir(folder)
        ]

    # -- stopping --

    def ask(self, places: Sequence[Place]) -> dict[Path, tuple[int, ...]]:
        """Cancel the jobs: Slurm sends CONT and TERM, and KILL after its KillWait. Those that wait are taken out."""
        asked = {place.folder.path: self._numbers(place) for place in places}
        self._cancel([number for numbers in asked.values() for number in numbers])
        return asked

    def insist(self, places: Sequence[Place]) -> dict[Path, tuple[int, ...]]:
        """KILL to everything of the jobs, and cancel them once more."""
        asked = {place.folder.path: self._numbers(place) for place in places}
        numbers = [number for numbers in asked.values() for number in numbers]
        self._cancel([n for n in numbers if self._state(n) not in WAITING], "--full", f"--signal={signal.SIGKILL.name}")
        self._cancel(numbers)
        return asked

    def _numbers(self, place: Place) -> tuple[int, ...]:
        return tuple(job.id for job in self._living.get(place.name, ()) if _is_of(job, place.folder))

    def _state(self, number: int) -> str:
        job = self._jobs.get(number) or self._submitted.get(number)
        return job.state if job else ""

    def _cancel(self, numbers: Sequence[int], *options: str) -> None:
        self._hurry = True
        for first in range(0, len(numbers), AT_ONCE):
            self._call("scancel", *options, *map(str, numbers[first : first + AT_ONCE]))

    def _call(self, *command: str) -> Done:
        return self._command(command, environment())


OWN_GPUS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")


def environment() -> dict[str, str]:
    """For Slurm's commands and its jobs: ours, without what says that we are ourselves a job, or a run, and without
    the GPUs that we were given: Slurm hands the variables on, and a job's own are others."""
    kept = {
        name: value
        for name, value in unmarked_environment(os.environ).items()
        if name not in OWN_GPUS and (not name.startswith("SLURM_") or name in ("SLURM_CONF", "SLURM_CLUSTERS"))
    }
    return {**kept, "SLURM_TIME_FORMAT": "%s"}


def _where(job: SlurmJob) -> str:
    return f"job {job.id} on {job.node}: " if job.node else f"job {job.id}: "


def _field(text: str, name: str) -> str:
    found = re.search(rf"\b{name}=(\S+)", text)
    return found.group(1) if found else ""


def _is_of(job: SlurmJob, folder: RunDir) -> bool:
    """False if the job's script lies in another run folder that is there too: another workspace's, of one name."""
    if not job.folder or job.folder == str(folder.path) or not os.path.isdir(job.folder):
        return True
    try:
        return os.path.samefile(job.folder, folder.path)
    except OSError:
        return not folder.path.is_dir()


# Before anything is planned -------------------------------------------------------------------------------------------


def ready(workspace: Workspace, settings: Settings, threads: int, command: Command = run_command) -> None:
    """Ask Slurm whether it would take such a job. Raises UserError with its own words if not."""
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing and command is run_command:
        raise UserError(f"--engine slurm: no {', '.join(missing)} here; run lvmtui where Slurm's commands are")
    done = command(("sbatch", "--test-only", *resources(settings, threads), "--wrap=true"), environment())
    if done.code:
        fault = fault_of(done)
        what = "does not answer" if passing(fault) else "refuses such a job"
        raise UserError(f"--engine slurm: Slurm {what}: {fault}")


def notes(workspace: Workspace, settings: Settings) -> tuple[str, ...]:
    """What may go wrong on a cluster and cannot be seen from here."""
    root = workspace.root
    if not is_shared(root):
        return (f"the workspace is on {kind_of(root) or 'a disk'} of this host; every node must see it as {root}",)
    if not locks_reach(root):
        return (f"locks on {kind_of(root)} hold on one host only here; supervise from one host",)
    return ()


def room(settings: Settings) -> tuple[int, int]:
    """Jobs in the queue at once, and threads of each, where the person does not say."""
    return JOBS, int(_one(settings, "cpus") or THREADS)


KIND = Kind(make=SlurmEngine, settings=SETTINGS, check=check, ready=ready, notes=notes, room=room)
