"""Documents about this moment: `progress.json` of a run, `pulse.json` and `supervisor.json` of a workspace.

Losing one of them loses nothing. They are replaced as a whole and not synced to the disk.
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
"""Seconds between two writings, at least."""


@dataclass(frozen=True)
class Progress:
    """Where a run is now, and what this process's life has cost so far, apart for what an ETA must keep apart."""

    time: float
    activity: Activity
    pid: int
    step: int
    epoch: float
    loss: float | None
    """Mean over the last steps, as `cosine`."""
    cosine: float | None
    rate: float
    windows_per_second: float | None
    active: float
    """Seconds of work in all attempts."""
    startup_seconds: float
    """From the process's start to its first step."""
    train_steps: int
    """Steps of this process; those of earlier attempts ran under conditions that are over."""
    train_seconds: float
    recent_step_seconds: float | None
    """Median duration of the last steps of this process."""
    evaluations: int
    evaluation_seconds: float
    checkpoints: int
    checkpoint_seconds: float
    version: int = 1


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the live digits. Raises OSError."""
    replace_file(path, dump_line(encode(progress)), durable=False)


def read_progress(path: Path) -> Progress | None:
    """The live digits, None if there are none that can be read."""
    return find_document(Progress, path)


BEAT = 15.0
"""Seconds after which the supervisor writes it again although nothing changed."""
STALE = 120.0
"""Seconds without a beat after which nobody can be taken to look."""
REMEMBERED = 1000
"""Changes that are told; who has missed more looks at everything."""


@dataclass(frozen=True)
class Job:
    """What an engine does for a run."""

    engine: str
    id: int
    waiting: bool
    """It has been given no node yet."""
    words: str = ""
    """Why it waits, or what it does, for people."""
    node: str = ""
    starts: float | None = None
    """When it is expected to start, as the engine reckons; seconds since 1970."""


@dataclass(frozen=True)
class Answer:
    """Whether an engine tells anything."""

    time: float
    """When it last did, by the supervisor's clock; seconds since 1970."""
    fault: str = ""
    """Why it does not now; empty: it does."""


@dataclass(frozen=True)
class Pulse:
    """One beat."""

    time: float
    """Seconds since 1970, by the supervisor's clock."""
    beat: int
    """One more with each change."""
    engines: Mapping[str, Answer] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """By run."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Run -> beat at which the supervisor last did something about it; the newest of them."""
    since: int = 0
    """Changes of this beat and before may be missing from `changed`."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By campaign: what the supervisor cannot do for it now, in words."""
    version: int = 1


def write_pulse(path: Path, pulse: Pulse) -> None:
    """Replace the pulse. Raises OSError."""
    replace_file(path, dump_line(encode(pulse)), durable=False)


def read_pulse(path: Path) -> Pulse | None:
    """The pulse, its words sanitised, None if there is none that can be read."""
    pulse = find_document(Pulse, path)
    if pulse is None:
        return None
    return replace(
        pulse,
        troubles={campaign: sanitise(words, 500) for campaign, words in pulse.troubles.items()},
        engines={name: replace(told, fault=sanitise(told.fault, 300)) for name, told in pulse.engines.items()},
        jobs={
            run: replace(job, words=sanitise(job.words, 300), node=sanitise(job.node, 100))
            for run, job in pulse.jobs.items()
        },
    )


@dataclass(frozen=True)
class SupervisorFile:
    """`supervisor.json`: which process supervises the workspace. The lock decides; this file names its holder."""

    process: Identity
    since: float
    """Seconds since 1970."""
    version: str
    """Of lvmtui, not of this format."""
    lock: int | None = None
    """Inode of the lock file. Another inode means that the workspace is a copy, and supervised elsewhere."""
