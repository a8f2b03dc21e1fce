"""What an engine is, and how one is found by its name.

An engine executes runs, here or on a cluster: it starts them, reports on many at once, asks them to leave, and kills
them. It decides nothing, and writes nothing that others read: the run folder says how far a run got and how it ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.started_with import StartedWith
from lvmtui.supervisor import engines
from lvmtui.system.errors import unknown
from lvmtui.system.launch import our_command
from lvmtui.system.process_id import Identity
from lvmtui.system.processes import Sent
from lvmtui.system.programs import unmarked_environment

Settings = Mapping[str, tuple[str, ...]]
"""The campaign's settings for its engine, by the names in `EngineKind.settings`."""


class CannotStart(Exception):
    """The run could not be started; the text says why in one line. This counts as a death of the run."""


class Occupied(Exception):
    """The run cannot be started now, through no fault of its own; the text says why in one line. It is tried later."""


@dataclass(frozen=True)
class Begun:
    """A trainer that was started, or a job that was submitted."""

    process: Identity
    launch: str
    """Name of this start. All its processes have it in their environment."""
    devices: str
    """Its CUDA_VISIBLE_DEVICES; empty if no GPU was chosen for it."""


@dataclass(frozen=True)
class Place:
    """What an engine is told about a run."""

    folder: RunDir
    processes: tuple[Identity, ...] = ()
    """The processes in its logs, newest attempt first. They may belong to the run even without its mark."""
    name: str = ""
    """Its name on a cluster: `8k_vs_23k_20261122_142006/gru/8k/s1`."""
    settings: Settings = field(default_factory=dict)
    """Those of its campaign."""
    started_with: StartedWith | None = None
    """Python and environment of its campaign; None: those of this process."""
    unsettled: bool = True
    """True if its logs do not say how the last attempt ended. Then the engine should find out, if it can."""


@dataclass(frozen=True)
class Member:
    """A living part of a run: a process, or a job of a cluster."""

    identity: Identity
    leader: bool
    """True if it may be the trainer itself, False for a child process of one."""
    launch: str = ""
    """Which start of the run it belongs to."""
    stopped: bool = False
    """It was stopped by SIGSTOP and only reacts to CONT and KILL."""
    waiting: bool = False
    """It is a job without a node, so there is no process to signal yet."""


@dataclass(frozen=True)
class Ended:
    """How a process of a run ended, if the engine saw it."""

    process: Identity
    words: str
    code: int | None = None
    """Exit code; None if it was killed by a signal or the code is unknown."""
    excused: bool = False
    """True if it was not the run's fault: its node failed, it was preempted or cancelled, perhaps by us."""
    outside: bool = False
    """True if the cluster, or somebody there, ended it."""


@dataclass(frozen=True)
class Probe:
    """What an engine finds when it looks at a run."""

    members: tuple[Member, ...] = ()
    known: bool = True
    """False if the engine cannot tell now, as when the cluster does not answer. Unknown never counts as dead."""
    ended: Ended | None = None
    sees_all_hosts: bool = False
    """The engine sees every host the run may be on. So a process that is not among `members` is dead."""
    detail: str = ""
    """Text for people, shown beside the state: why it waits, or why nothing is known."""
    node: str = ""
    """The host it runs on, if that is another one."""
    starts: float | None = None
    """Expected start of a waiting job, in seconds since 1970."""
    never: bool = False
    """It is a job that asks for what it cannot get, or is held, and will not start."""
    new: bool = False
    """It is a job that was just submitted: whether it has to wait is not known yet."""


NOBODY = Probe()


class Engine(Protocol):
    """What every engine can do. `local.py` is the simpler of the two."""

    noun: str
    """What it calls the things it starts: `process` or `job`."""
    remote: bool
    """Its runs are on other hosts, which the screen cannot see; `pulse.json` tells it about them."""

    def start(self, place: Place, spec: RunSpec) -> Begun:
        """Start the run's trainer. Raises CannotStart and Occupied."""

    def look(self, places: Iterable[Place]) -> dict[Path, Probe]:
        """What is alive of each run, by the path of its folder. One query for all runs."""

    def ask(self, places: Sequence[Place]) -> dict[Path, Sent]:
        """Ask all processes of these runs to leave; stopped ones are continued. Returns whom it reached, by folder."""

    def insist(self, places: Sequence[Place]) -> dict[Path, Sent]:
        """Kill all processes of these runs. Returns whom it reached, by folder."""

    def orphans(self, models: Path) -> list[Place]:
        """Runs below `models` whose folder is gone but of which a process or job is still alive."""


# Kinds of engines -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """A setting of an engine: an option of `lvmtui run`, and a key of `[engine]` in a campaign file."""

    name: str
    metavar: str
    words: str
    many: bool = False
    """True if it may be given several times."""


@dataclass(frozen=True)
class EngineKind:
    """What can be asked of an engine before a campaign uses it."""

    make: Callable[[], Engine]
    settings: tuple[Setting, ...] = ()
    program: str = ""
    """A command that must be on the PATH that its campaign is started with."""
    check: Callable[[Settings], None] = lambda settings: None
    """Raises UserError for invalid values."""
    ready: Callable[[Workspace, Settings, int], None] = lambda workspace, settings, threads: None
    """Checks whether a run with that many threads would be accepted. Raises UserError if not."""
    room: Callable[[Settings], tuple[int, int]] | None = None
    """The default (runs at once, threads of each); None: chosen by the cores and GPUs of this machine."""
    notes: Callable[[Workspace, Settings, int, int, float, Sequence[str]], tuple[str, ...]] = lambda *asked: ()
    """Notes for the plan: what to know before the campaign starts. Asked with the runs at once, the threads of each,
    the seconds of the longest that goes on where it was stopped, if known, and the trainers that do not promise to."""


def names() -> tuple[str, ...]:
    """Names of all engines, sorted."""
    return tuple(sorted(module.name for module in iter_modules(engines.__path__) if "_" not in module.name))


def kind(name: str) -> EngineKind:
    """The engine of this name. Raises UserError if there is none."""
    if name not in names():
        raise unknown("--engine", name, names())
    found: EngineKind = import_module(f"{engines.__name__}.{name}").KIND
    return found


class Engines(dict[str, Engine]):
    """Engines by name; each is made when it is first used."""

    def __missing__(self, name: str) -> Engine:
        engine = self[name] = kind(name).make()
        return engine


# What engines share ---------------------------------------------------------------------------------------------------


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that keep runs on one CPU from slowing each other down."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # A waiting thread goes to sleep, so that another run can use the core. But it first waits a moment: products
        # take only microseconds here, and so does waking up. Figures in docs/performance.md.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000" if threads > 1 else "0",
        "KMP_BLOCKTIME": "0",
    }


def environment_of(started_with: StartedWith | None) -> dict[str, str]:
    """The environment for what a campaign starts, before the marks of a run are added. None: that of this process."""
    ours = unmarked_environment()
    return started_with.environment(ours) if started_with else ours


def trainer_of(place: Place) -> tuple[str, ...]:
    """The command of a trainer, before its folder, on the campaign's Python."""
    return our_command("trainers", python=place.started_with.python if place.started_with else sys.executable)


def mark_of(folder: RunDir) -> str:
    """The mark of a run's processes: the real path of its folder, the same however the workspace was reached."""
    return os.path.realpath(folder.path)
