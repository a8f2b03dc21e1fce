"""`pulse.json`: what the supervisor last saw of runs that work on other hosts. Replaced whole, read by screen and
commands, which cannot look there themselves and must not each ask a cluster's controller.

It is one file for all runs, so looking for news costs the same whatever their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lvmtui.contract.codec import dump_line, encode
from lvmtui.contract.document import find_document
from lvmtui.contract.files import replace_file
from lvmtui.contract.text import sanitise

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
        engines={name: replace(told, fault=sanitise(told.fault, 300)) for name, told in pulse.engines.items()},
        jobs={
            run: replace(job, words=sanitise(job.words, 300), node=sanitise(job.node, 100))
            for run, job in pulse.jobs.items()
        },
    )
