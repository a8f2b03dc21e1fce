"""Documents that describe the present: `progress.json` of a run, `pulse.json` and `supervisor.json` of a workspace.

They can be lost without harm. Each write replaces the whole file, without syncing it to disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import dump_line, encode, find_document
from lvmtui.system.files import replace_file
from lvmtui.system.process_id import Identity
from lvmtui.system.text import sanitise

Activity = Literal["starting", "training", "evaluating", "saving", "heldout", "suspended"]
INTERVAL = 0.25
"""Shortest time between two writes, in seconds."""
LEAST_QUIET = 10.0
"""Seconds without a sign of progress that are not worth a word."""


def explained(longest: float) -> float:
    """Seconds without a sign of progress that `longest`, the longest gap of late, explains."""
    return max(LEAST_QUIET, 3 * longest)


@dataclass(frozen=True)
class Progress:
    """Where a run is now, and how this process has spent its time. The estimate of the time left is made from it."""

    time: float
    activity: Activity
    pid: int
    step: int
    epoch: float
    loss: float | None
    """Mean over the last steps; so is `cosine`."""
    cosine: float | None
    rate: float
    windows_per_second: float | None
    active: float
    """Seconds of work, over all attempts of the run."""
    startup_seconds: float
    """Seconds from the start of the process to its first step."""
    train_steps: int
    """Steps of this process only: earlier attempts may have run at another speed."""
    train_seconds: float
    """Up to the last of them, hangs left out: they show no slower pace."""
    recent_step_seconds: float | None
    """Median duration of the last steps of this process, in seconds."""
    evaluations: int
    evaluation_seconds: float
    checkpoints: int
    checkpoint_seconds: float
    longest_gap: float | None = None
    """The most seconds between two of the last updates of these figures; None: not known."""
    version: int = 1


BEAT = 15.0
"""Seconds after which the supervisor writes `pulse.json` again even if nothing changed."""
STALE = 120.0
"""Seconds without a new pulse after which no supervisor is assumed to be running."""
REMEMBERED = 1000
"""Number of changed runs that a pulse lists. A reader that missed more reads every run again."""


OUTLIVED = "but its trainer still works there and is waited for"
"""The end of a job's words where the engine calls the job dead and a process holds the lock of its run folder."""


@dataclass(frozen=True)
class Job:
    """The job that an engine has for a run."""

    engine: str
    id: int
    waiting: bool
    """True while it is queued and has no node yet."""
    words: str = ""
    """Why it waits, or what it does, as text for people."""
    node: str = ""
    starts: float | None = None
    """The engine's estimate of when it starts, in seconds since 1970."""
    never: bool = False
    """It asks for what it cannot get, or is held, and will not start."""
    last_start: float | None = None
    """Time of the newest start in the run's log when it was first seen waiting, 0: none. A newer one: it trains."""
    new: bool = False
    """Just submitted: whether it has to wait is not known yet."""


@dataclass(frozen=True)
class EngineAnswer:
    """The last answer of an engine, such as the controller of a cluster."""

    time: float
    """When it last answered, by the supervisor's clock, in seconds since 1970."""
    fault: str = ""
    """Why it does not answer now; empty if it does."""


@dataclass(frozen=True)
class Pulse:
    """`pulse.json`: what the supervisor knows that others cannot see."""

    time: float
    """Seconds since 1970, by the supervisor's clock."""
    beat: int
    """Counts the changes."""
    engines: Mapping[str, EngineAnswer] = field(default_factory=dict)
    """By campaign: two campaigns may run on two clusters."""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """By run."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """By run: the `beat` at which the supervisor last acted on it. Only the newest are kept."""
    since: int = 0
    """`changed` may lack changes up to and including this beat."""
    stalled: tuple[str, ...] = ()
    """Runs that are alive and have made no step for longer than their own steps explain."""
    no_step: Mapping[str, float] = field(default_factory=dict)
    """By run: when its last sign of progress came, by the supervisor's clock, where that is well over what is usual."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By campaign: what the supervisor cannot do for it now, as text."""
    waits_for: Mapping[str, str] = field(default_factory=dict)
    """By campaign whose runs are not started for that: the older campaign whose turn it is."""
    version: int = 1


def write_live(path: Path, document: Progress | Pulse) -> None:
    """Replace the document. Raises OSError."""
    replace_file(path, dump_line(encode(document)), durable=False)


def read_pulse(path: Path) -> Pulse | None:
    """Read the pulse and sanitise its texts; None if it is missing or cannot be read."""
    pulse = find_document(Pulse, path)
    if pulse is None:
        return None
    return replace(
        pulse,
        troubles={campaign: sanitise(words, 500) for campaign, words in pulse.troubles.items()},
        waits_for={campaign: sanitise(first, 100) for campaign, first in pulse.waits_for.items()},
        engines={name: replace(told, fault=sanitise(told.fault, 300)) for name, told in pulse.engines.items()},
        jobs={
            run: replace(job, words=sanitise(job.words, 300), node=sanitise(job.node, 100))
            for run, job in pulse.jobs.items()
        },
    )


@dataclass(frozen=True)
class SupervisorFile:
    """`supervisor.json`: the process that supervises the workspace. Its lock decides; this file names the holder."""

    process: Identity
    since: float
    """Seconds since 1970."""
    version: str
    """Of lvmtui, not of this format."""
    lock: int | None = None
    """Inode of the lock file. If the inode is another one, this workspace is a copy of the one that is supervised."""
