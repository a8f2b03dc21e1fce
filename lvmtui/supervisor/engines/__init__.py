"""What the supervisor needs of whoever runs the runs: this machine, or a cluster. One file each.

An engine starts, tells about many runs at once, asks to leave, insists. It decides nothing and writes nothing into
run folders; what a run has achieved and how it ended is read there, not asked of the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lvmtui.contract.identity import Identity
from lvmtui.contract.rundir import RunDir
from lvmtui.contract.spec import RunSpec


class CannotStart(Exception):
    """The run could not be started; one line says why. Trying again counts as another death."""


class Occupied(Exception):
    """Somebody the engine cannot name holds the run's lock; one line says so. Later it may be free."""


@dataclass(frozen=True)
class Begun:
    """A trainer that was started."""

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
    """Those its logs name: they may be its own although they carry no mark."""


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


@dataclass(frozen=True)
class Ended:
    """How a process of a run ended, where the engine has seen it."""

    process: Identity
    words: str
    code: int | None = None
    """Exit code; None: a signal, or nobody told."""


@dataclass(frozen=True)
class Sight:
    """What an engine sees of a run."""

    members: tuple[Member, ...] = ()
    known: bool = True
    """False: it cannot be told now (the cluster does not answer). Unknown is never dead."""
    ended: Ended | None = None
    everywhere: bool = False
    """The engine sees every host the run may be on: who is not a member is dead, whatever host its logs name."""


NOBODY = Sight()


class Engine(Protocol):
    """See `local.py` for the plainest one."""

    name: str

    def start(self, folder: RunDir, spec: RunSpec) -> Begun:
        """Start the run's trainer. Raises CannotStart and Occupied."""
        ...

    def look(self, places: Iterable[Place]) -> dict[Path, Sight]:
        """What lives of each run, by its folder's path: one look for all of them."""
        ...

    def ask(self, place: Place) -> tuple[int, ...]:
        """Ask everything of the run to leave, and wake what is stopped. Returns whom it reached."""
        ...

    def insist(self, place: Place) -> tuple[int, ...]:
        """End everything of the run now. Returns whom."""
        ...

    def strays(self, models: Path) -> list[Place]:
        """Runs below `models` of which something lives although their folder is gone."""
        ...

    def describe(self, place: Place) -> str:
        """Who works for the run, for people: `process 48213 and 2 children on node17`."""
        ...
