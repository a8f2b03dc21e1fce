"""`supervision.jsonl`: what was done to a run, said by the supervisor. One writer at a time, appended.

It also holds the endings a run could not write itself: killed, lost with the machine, never started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from lvmtui.formats.json_codec import Unknown, decode_line, kind_of
from lvmtui.system.process_id import Identity


@dataclass(frozen=True)
class Launched:
    """A process was started for the run."""

    time: float
    generation: int
    process: Identity
    engine: str
    devices: str
    """CUDA devices it may see, comma-separated; empty: no choice was made."""
    launch: str = ""
    """Name of this start. The process and all its children carry it in their environment, so a child that outlived its
    trainer is not taken for a trainer whose start was never written down."""
    after: str | None = None
    """The newest start whose trainer had logged `Started` when this one was made; empty: there was none. Any other
    start in `events.jsonl` is newer than this one. None: this line was written before starts had names."""


@dataclass(frozen=True)
class Adopted:
    """A living process of the run that this supervisor did not start was found."""

    time: float
    process: Identity
    launch: str = ""
    after: str | None = None
    """As in `Launched`."""


@dataclass(frozen=True)
class Signalled:
    """Processes (or jobs) of the run were asked to leave, or made to."""

    time: float
    signal: str
    pids: tuple[int, ...]
    reason: str
    what: str = "process"
    """What these are numbers of: `process` or `job`."""
    refused: str = ""
    """Why one that lives could not be signalled, in words; empty: all were."""


@dataclass(frozen=True)
class Lost:
    """The run's process is gone and has not written an ending, or none that says enough."""

    time: float
    generation: int
    process: Identity | None
    reason: str
    """In words: `killed for memory`, `killed by signal 9`, `the machine restarted`."""
    checkpoint_step: int
    """Step of the newest checkpoint at that moment; a later one makes the count of deaths start again."""
    counts: bool
    """False: not the run's fault (the machine restarted, it was killed on order)."""
    left: float | None = None
    """Time of the trainer's `Interrupted` that this explains; None: it logged none."""


@dataclass(frozen=True)
class Stopped:
    """A cancel was carried out: nobody who carries the run's mark is left."""

    time: float
    generation: int
    killed: tuple[int, ...]
    """Processes (or jobs) that had to be killed."""
    what: str = "process"
    """As in `Signalled`."""


@dataclass(frozen=True)
class GaveUp:
    """It is not tried again unless asked: it got no further too often, or the script of its job failed."""

    time: float
    generation: int
    reason: str


Record = Launched | Adopted | Signalled | Lost | Stopped | GaveUp | Unknown
_KINDS = {kind_of(cls): cls for cls in get_args(Record)}


def decode_record(line: bytes) -> Record:
    """Return the record in a log line; Unknown where this version cannot read it."""
    return decode_line(line, _KINDS)
