"""The newest attempt at a run, out of two logs by two writers. Pure.

The supervisor may have been killed before it wrote down whom it started, the trainer before it said that it is there;
each log alone can be behind. Which of two processes is newer is told by the kernel's count of ticks, not by clocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvmtui.contract.events import Failed
from lvmtui.contract.identity import Identity
from lvmtui.state.run_state import Ending, RunState


@dataclass(frozen=True)
class Attempt:
    """One process that trained, or was to train, the run."""

    process: Identity
    generation: int
    """Of the order it obeyed."""
    ending: Ending | None
    """Its last word."""
    accounted: bool
    """Nothing more needs to be said about how it ended: it said so itself, or the supervisor has."""


def newest_attempt(run: RunState) -> Attempt | None:
    """The newest attempt the logs tell of, None if there was none."""
    trainer, supervision = run.trainer, run.supervision
    started, process, launched = trainer.started, supervision.process, supervision.launched
    if started is not None and (process is None or process == started.process or _started_is_newer(run)):
        return _attempt(run, started.process, started.generation, trainer.ending)
    if process is None:
        return None
    generation = launched.generation if launched else 0
    # a first attempt can fail before it could say that it started
    ending = trainer.ending if started is None and supervision.launches <= 1 else None
    return _attempt(run, process, generation, ending)


def _attempt(run: RunState, process: Identity, generation: int, ending: Ending | None) -> Attempt:
    lost, stopped = run.supervision.lost, run.supervision.stopped
    # an error that is to be tried again is written down as a death, so that there is one count of them
    by_itself = ending is not None and not (isinstance(ending, Failed) and ending.reason in RETRIED)
    by_us = lost is not None and lost.process in (None, process)
    cancelled = stopped is not None and stopped.generation > generation
    return Attempt(process, generation, ending, by_itself or by_us or cancelled)


RETRIED = ("error", "out_of_memory")
"""Reasons of `Failed` that count as deaths: another try may go better. The others would end the same way."""


def _started_is_newer(run: RunState) -> bool:
    """True if the process that said it started is newer than the one the supervisor knows of."""
    started, process, launched = run.trainer.started, run.supervision.process, run.supervision.launched
    assert started is not None and process is not None
    a, b = started.process, process
    if (a.host, a.boot_id) == (b.host, b.boot_id) and a.start_ticks != b.start_ticks:
        return a.start_ticks > b.start_ticks
    return launched is not None and started.time > launched.time
