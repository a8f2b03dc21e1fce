"""Text to and from Slurm: settings, job scripts, the output of `squeue`. Runs no command."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass

from lvmtui.supervisor.engine import Member, Place, Setting, Settings, mark_of, thread_environment, trainer_of
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK, Identity
from lvmtui.system.programs import Done
from lvmtui.system.text import sanitise

SCHEDULER = "Slurm"
EVERY = 5.0
"""Seconds between two queries of the controller, which all users of the cluster share."""
WARN = 60
"""Seconds before the time limit at which a trainer is told to leave."""
EARLY = 60
"""Seconds by which Slurm may tell it too early."""
SCRIPT = "job.sh"
"""In the run folder: the last script that was submitted."""
NO_FOLDER, NO_SETUP = 67, 68
"""Exit codes of a script that cannot see the run folder, and of one that ends in its setup lines. Without the latter a
setup line that ends the job with 3, say, would be taken for a trainer that found its folder locked."""

SETUP_ENDED = f"code=$?; echo \"'$BASH_COMMAND', exit code $code\" >&2; exit {NO_SETUP}"
"""Shell commands for a job that ends in its setup lines: names the line."""


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


def check_settings(settings: Settings) -> None:
    """Raise UserError for an unknown setting or an invalid value."""
    for name, values in settings.items():
        if name not in _SHAPES:
            raise unknown("[engine]: key", name, _SHAPES)
        shape, needed = _SHAPES[name]
        for value in values:
            if not re.fullmatch(shape, value):
                raise UserError(f"--{name}: {value!r:.60} is not {needed}")
    limit = seconds_of(value_of(settings, "time"))
    warn = warning(settings)
    if limit is not None and limit < warn + EARLY:
        raise UserError(
            f"--time {value_of(settings, 'time')}: a run is told to leave {warn} s before, and Slurm may be a minute "
            f"early; give at least {math.ceil((warn + EARLY) / 60)} (minutes)"
        )


def seconds_of(limit: str) -> int | None:
    """A time limit (minutes[:seconds], hours:minutes:seconds, days-hours[:minutes[:seconds]]), in whole minutes."""
    if not limit:
        return None
    days, dash, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    with_hours = parts if dash or len(parts) == 3 else [0, *parts]
    hours, minutes, seconds = (*with_hours, 0, 0)[:3]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + 60 * (seconds > 0)


def value_of(settings: Settings, name: str) -> str:
    """The last value of a setting; empty if it is not set."""
    return settings.get(name, ("",))[-1]


def warning(settings: Settings) -> int:
    """Seconds before its time limit at which a job is told to leave."""
    return int(value_of(settings, "warn") or WARN)


def script(place: Place, threads: int) -> str:
    """The job script. The campaign's own #SBATCH lines come last: of two lines Slurm takes the later one."""
    path, workspace, settings = mark_of(place.folder), place.folder.workspace.root, place.settings
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
    setup, python = settings.get("setup", ()), value_of(settings, "python")
    # a Python of its own has its own installation of lvmtui
    trainer = (python, "-P", "-m", "trainers") if python else trainer_of(place)
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in map(_quoted, asked)),
        *((f"trap {shlex.quote(SETUP_ENDED)} EXIT", *setup, "trap - EXIT") if setup else ()),
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f'export {LAUNCH_MARK}="{LAUNCH}$SLURM_JOB_ID"',
        f"[ -e {shlex.quote(path + '/spec.json')} ] || exit {NO_FOLDER}",
        f"exec {shlex.join(trainer)} {shlex.quote(path)}",
    ]
    return "\n".join(lines) + "\n"


def resources(settings: Settings, threads: int) -> list[str]:
    """What a job asks for, as options of `sbatch`."""
    asked = [
        f"--signal=B:USR1@{warning(settings)}",
        "--no-requeue",  # the supervisor starts runs again, and counts how often
        "--ntasks=1",
        f"--cpus-per-task={value_of(settings, 'cpus') or threads}",
    ]
    options = {"partition": "partition=", "account": "account=", "time": "time=", "gpus": "gres=gpu:", "memory": "mem="}
    asked += [f"--{option}{value}" for name, option in options.items() if (value := value_of(settings, name))]
    return [*asked, *settings.get("sbatch", ())]


def _quoted(option: str) -> str:
    """An option, quoted for an #SBATCH line."""
    name, equals, value = option.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and not re.fullmatch(r"[\w@%+,./:=-]*", value) else option


LAUNCH = "slurm-"
"""The name of a start is this and the job's number."""


# What Slurm says ------------------------------------------------------------------------------------------------------

FORMAT = "%i\t%T\t%r\t%N\t%S\t%o\t%j"
"""Fields of `squeue`: number, state, reason, nodes, start, script, name."""

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
BY_ITSELF = {"COMPLETED", "FAILED"}
EXCUSED = {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", "CANCELLED"}

NEVER, NEW = "will not start", "just submitted"
REASONS = {
    "None": NEW,
    "Priority": "others come first",
    "Resources": "waits for nodes to become free",
    "Dependency": "waits for its job before to end",
    "JobHeldUser": "held by its user, and will not start until 'scontrol release' lets it go",
    "JobHeldAdmin": "held by an administrator, and will not start until it is released",
    "PartitionConfig": "asks for what its partition does not allow, and will not start",
    "PartitionTimeLimit": "asks for more time than its partition allows, and will not start",
    "PartitionNodeLimit": "asks for more nodes than its partition allows, and will not start",
    "BadConstraints": "asks for what no node has, and will not start",
    "ReqNodeNotAvail": "the nodes it needs are not available",
    "Nodes required for job are DOWN": "the nodes it needs are down, drained or reserved for others",
    "Prolog": "its node is being prepared",
    "Cleaning": "what is left of its job before is being removed",
    "InvalidAccount": "its account is not valid, and it will not start",
    "InvalidQOS": "its QOS is not valid, and it will not start",
}
"""Why a job is pending, as text for people; `NEVER`: for ever, `NEW`: not told yet. Other names can be read."""

NOT_NOW = (
    "unable to contact", "timed out", "connection refused", "zero bytes", "temporarily", "not responding", "try again",
    "communication", "job submit limit", "unexpected message", "connect failure", "no answer", "resource unavailable",
    "fetch config",
)  # fmt: skip
"""Phrases of Slurm that mean that it may accept the same job a little later."""


def reason_words(reason: str) -> str:
    """Why a job waits, as text for people."""
    name = reason.split(",")[0].strip("()")
    if known := REASONS.get(name):
        return known if name == "None" or " " in name else f"{known} ({name})"
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
    """Folder of the job script, which is the run folder; empty if the job is not ours."""
    name: str

    @property
    def alive(self) -> bool:
        return self.state not in OVER

    @property
    def identity(self) -> Identity:
        return job_identity(self.id)

    @property
    def member(self) -> Member:
        stopped = self.state in ("SUSPENDED", "STOPPED")
        return Member(self.identity, True, f"{LAUNCH}{self.id}", stopped, waiting=self.state in WAITING)

    @property
    def detail(self) -> str:
        if self.state in WAITING:
            when = f", to start by {words.clock(self.starts)}" if self.starts else ""
            return f"job {self.id}: {reason_words(self.reason)}{when}"
        state = "" if self.state == "RUNNING" else f", {self.state.lower()}"
        return f"job {self.id} on {self.node or 'a node'}{state}"


def job_identity(job: int) -> Identity:
    """The identity of a job in the logs of a run."""
    return Identity(SCHEDULER, "", job, 0)


def jobs_in(text: str) -> list[SlurmJob]:
    """The jobs in the output of `squeue`. Lines of another form are skipped."""
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


NODES = "%R\t%P\t%N\t%c"
"""Fields of `sinfo`: partition, the same with a star if it is the default, node, CPUs of the node."""


def nodes_in(text: str, partitions: str) -> list[int]:
    """The CPUs of each node of these partitions, or of the default one, in the output of `sinfo`; empty if not told."""
    fields = [[field.strip() for field in line.split("\t")] for line in text.splitlines()]
    told = [line for line in fields if len(line) == 4 and line[3].isdigit()]
    wanted = partitions.split(",") if partitions else [name for name, shown, *_ in told if shown.endswith("*")]
    return list({node: int(cpus) for name, _, node, cpus in told if name in wanted}.values())


def fault_of(done: Done) -> str:
    """The error of a Slurm command, in Slurm's own words and in one line."""
    said = []
    for line in (done.err or done.out).splitlines():
        text = re.sub(r"^(s[a-z]+: )?(error: |fatal: )?(Batch job submission failed: |allocation failure: )?", "", line)
        text = text.removeprefix("slurm_load_jobs error: ").strip()
        if text and not text.startswith("Try ") and text not in said:
            said.append(text)
    return sanitise("; ".join(said[-2:]), 300) or f"exit code {done.code}"


def passing(fault: str) -> bool:
    """True if the same command may succeed a little later."""
    return any(phrase in fault.lower() for phrase in NOT_NOW)
