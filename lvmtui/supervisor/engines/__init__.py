"""What the supervisor needs of whoever runs the runs: this machine, or a cluster. One file each.

An engine starts, tells about many runs at once, asks to leave, insists. It decides nothing and writes nothing that
others read into run folders; what a run has achieved and how it ended is read there, not asked of the engine.

A file of this folder whose name has no `_` is an engine and holds its `KIND`; the engine's name is the file's. Nothing
else has to be told of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.started_with import StartedWith
from lvmtui.system.errors import unknown
from lvmtui.system.process_id import Identity
from lvmtui.system.processes import Sent, unmarked_environment

Settings = Mapping[str, tuple[str, ...]]
"""What a campaign tells its engine, by the names in `Kind.settings`."""


class CannotStart(Exception):
    """The run could not be started; one line says why. Trying again counts as another death."""


class Occupied(Exception):
    """It cannot be started now, whoever's fault that is not the run's; one line says why. Later it may go."""


@dataclass(frozen=True)
class Begun:
    """A trainer that was started, or a job that was submitted for it."""

    process: Identity
    launch: str
    """Name of this start; all its processes carry it."""
    devices: str
    """CUDA devices it may see; empty: no choice was made."""


@dataclass(frozen=True)
class Place:
    """A run as an engine is asked about it."""

    folder: RunDir
    processes: tuple[Identity, ...] = ()
    """Those its logs name, that of the newest attempt first: they may be its own although they carry no mark."""
    name: str = ""
    """By which an engine that knows no folders finds it again; see `name_of`."""
    settings: Settings = field(default_factory=dict)
    """Its campaign's."""
    started_with: StartedWith | None = None
    """Its campaign's; None: what this process has."""
    unsettled: bool = True
    """Its logs do not tell how its last attempt ended, as far as they have been read: whoever knows is to say it."""


@dataclass(frozen=True)
class Member:
    """Something of a run's that lives: a process, or a cluster's job."""

    identity: Identity
    leader: bool
    """It may be the trainer itself; otherwise it is a child of one."""
    launch: str = ""
    """Which start of the run it belongs to."""
    stopped: bool = False
    """It hears nothing until it is woken."""
    waiting: bool = False
    """A job that has no node yet: there is nobody who could hear anything."""


@dataclass(frozen=True)
class Ended:
    """How a process of a run ended, where the engine has seen it."""

    process: Identity
    words: str
    code: int | None = None
    """Exit code; None: a signal, or nobody told."""
    excused: bool = False
    """It is not the run's fault, the engine says: its node died, it was preempted."""


@dataclass(frozen=True)
class Sight:
    """What an engine sees of a run."""

    members: tuple[Member, ...] = ()
    known: bool = True
    """False: it cannot be told now (the cluster does not answer). Unknown is never dead."""
    ended: Ended | None = None
    everywhere: bool = False
    """The engine sees every host the run may be on: who is not a member is dead, whatever host its logs name."""
    told: str = ""
    """What people are told beside the state: why it waits, why nothing is known."""
    node: str = ""
    """Where it runs, if that is another host."""
    starts: float | None = None
    """When a waiting job is expected to start, in seconds since 1970."""


NOBODY = Sight()


class Engine(Protocol):
    """See `local.py` for the plainest one."""

    name: str
    noun: str
    """What its numbers are numbers of: `process`, `job`."""
    remote: bool
    """Its runs work where those who look cannot look: what it sees is told them in the supervisor's pulse."""

    def start(self, place: Place, spec: RunSpec) -> Begun:
        """Start the run's trainer. Raises CannotStart and Occupied."""
        ...

    def look(self, places: Iterable[Place]) -> dict[Path, Sight]:
        """What lives of each run, by its folder's path: one look for all of them."""
        ...

    def ask(self, places: Sequence[Place]) -> dict[Path, Sent]:
        """Ask everything of these runs to leave, and wake what is stopped. Returns whom it reached, by folder."""
        ...

    def insist(self, places: Sequence[Place]) -> dict[Path, Sent]:
        """End everything of these runs now. Returns whom."""
        ...

    def orphans(self, models: Path) -> list[Place]:
        """Runs below `models` of which something lives although their folder is gone."""
        ...


# Kinds of engines -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """Something a campaign may tell an engine: an option of `lvmtui run`, a key of `[engine]` in a campaign file."""

    name: str
    metavar: str
    words: str
    many: bool = False
    """It may be given several times."""


@dataclass(frozen=True)
class Kind:
    """An engine before it is made."""

    make: Callable[[], Engine]
    settings: tuple[Setting, ...] = ()
    check: Callable[[Settings], None] = lambda settings: None
    """Raises UserError for values that make no sense."""
    ready: Callable[[Workspace, Settings, int], None] = lambda workspace, settings, threads: None
    """Asks whoever runs the runs whether it would take one of so many threads. Raises UserError."""
    room: Callable[[Settings], tuple[int, int]] | None = None
    """(runs side by side, threads of each) where the person does not say; None: as this machine's cores and GPUs."""
    notes: Callable[[Workspace, Settings], tuple[str, ...]] = lambda workspace, settings: ()
    """What a person should know before it starts, in the plan."""


def names() -> tuple[str, ...]:
    """The engines there are."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if "_" not in module.name))


def kind(name: str) -> Kind:
    """An engine by its name. Raises UserError."""
    if name not in names():
        raise unknown("--engine", name, names())
    found: Kind = import_module(f"{__name__}.{name}").KIND
    return found


class Engines(dict[str, Engine]):
    """Engines by name, each made when it is first asked for."""

    def __missing__(self, name: str) -> Engine:
        engine = self[name] = kind(name).make()
        return engine


# What engines share ---------------------------------------------------------------------------------------------------


def name_of(campaign: str, model: str, label: str, seed: int) -> str:
    """A run's name where folders are not known: `8k_vs_23k_20261122_142006/gru/8k/s1`."""
    return f"{campaign}/{model}/{label}/s{seed}"


def thread_environment(threads: int) -> dict[str, str]:
    """What makes runs that share a CPU not fight, and the threads of one not wait for each other's waking up."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # A thread that waits must not burn the core of another run, and goes to sleep; but not at once: products here
        # take microseconds, and so does waking. Figures in docs/performance.md.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000" if threads > 1 else "0",
        "KMP_BLOCKTIME": "0",
    }


def environment_of(place: Place) -> dict[str, str]:
    """The environment that a run's trainer or job is started in, without what makes it one of a run's."""
    ours = unmarked_environment(os.environ)
    return place.started_with.environment(ours) if place.started_with else ours


def mark_of(folder: RunDir) -> str:
    """What the processes of a run carry: the folder's path without links, as every workspace spells it alike."""
    return os.path.realpath(folder.path)
