"""What the supervisor needs from the machine or cluster that executes runs. One file for each.

An engine starts runs, reports on many of them at once, asks them to leave, and kills them. It decides nothing, and
writes nothing into run folders that others read. What a run has achieved and how it ended is read there.

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
    """It cannot be started now, and the run is not to blame; one line says why. It is tried again later."""


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
    """The ones its logs name, the newest attempt's first. They may be the run's even if they carry no mark."""
    name: str = ""
    """Under which an engine that does not know folders finds it again; see `name_of`."""
    settings: Settings = field(default_factory=dict)
    """Its campaign's."""
    started_with: StartedWith | None = None
    """Its campaign's; None: what this process has."""
    unsettled: bool = True
    """Its logs, as far as they were read, do not say how its last attempt ended; the engine should, if it can."""


@dataclass(frozen=True)
class Member:
    """A living part of a run: a process, or a job of a cluster."""

    identity: Identity
    leader: bool
    """It may be the trainer itself; otherwise it is a child of one."""
    launch: str = ""
    """Which start of the run it belongs to."""
    stopped: bool = False
    """It was stopped (SIGSTOP) and reacts to nothing until it is continued."""
    waiting: bool = False
    """A job that has no node yet, so no process could receive a signal."""


@dataclass(frozen=True)
class Ended:
    """How a process of a run ended, where the engine has seen it."""

    process: Identity
    words: str
    code: int | None = None
    """Exit code; None: it ended by a signal, or the code is not known."""
    excused: bool = False
    """The engine says that the run is not to blame: its node died, it was preempted."""


@dataclass(frozen=True)
class Probe:
    """What an engine finds when it looks at a run."""

    members: tuple[Member, ...] = ()
    known: bool = True
    """False: nothing can be said now (the cluster does not answer). Unknown is never taken for dead."""
    ended: Ended | None = None
    sees_all_hosts: bool = False
    """The engine sees every host the run may be on, so a process that is not a member is dead on any host."""
    detail: str = ""
    """For people, beside the state: why it waits, why nothing is known."""
    node: str = ""
    """Where it runs, if that is another host."""
    starts: float | None = None
    """When a waiting job is expected to start, in seconds since 1970."""


NOBODY = Probe()


class Engine(Protocol):
    """See `local.py` for the plainest one."""

    name: str
    noun: str
    """What its numbers are numbers of: `process`, `job`."""
    remote: bool
    """Its runs are on other hosts, where screens cannot look; the supervisor tells them through `pulse.json`."""

    def start(self, place: Place, spec: RunSpec) -> Begun:
        """Start the run's trainer. Raises CannotStart and Occupied."""
        ...

    def look(self, places: Iterable[Place]) -> dict[Path, Probe]:
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
