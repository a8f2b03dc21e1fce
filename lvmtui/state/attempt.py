"""The newest attempt at a run, from its two logs. Pure.

Each log alone can be behind: the supervisor may have been killed before it wrote down what it started, and the trainer
before it wrote that it started. Both logs use the names of starts, so the names tell which of two attempts is newer.
The clocks of two hosts are never compared. In older logs, where starts have no names, the kernel's start times tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvmtui.formats.trainer_log import Failed, Interrupted
from lvmtui.state.run_state import Ending, RunState
from lvmtui.system.process_id import Identity


@dataclass(frozen=True)
class Attempt:
    """One process that trained, or was to train, the run."""

    process: Identity
    """As the supervisor knows it (a job, where a cluster runs it), or as it named itself."""
    generation: int
    """Generation of the order it obeyed."""
    ending: Ending | None
    """How it said that it ended; None: it has not."""
    accounted: bool
    """How it ended is in a log, by the trainer or the supervisor."""
    spoke: bool
    """It has logged that it started."""


def newest_attempt(run: RunState) -> Attempt | None:
    """The newest attempt the logs tell of, None if there was none."""
    trainer, supervision = run.trainer, run.supervision
    started, process, launched = trainer.started, supervision.process, supervision.launched
    if started is not None:
        ours = process if started.launch and started.launch == supervision.launch else None
        if ours or process in (None, started.process) or _started_is_newer(run):
            return _attempt(run, ours or started.process, started.generation, trainer.ending, spoke=True)
    if process is None:
        return None
    generation = launched.generation if launched else 0
    failed = failed_unstarted(run) or (started is None and supervision.launches <= 1)
    return _attempt(run, process, generation, trainer.ending if failed else None, spoke=False)


def is_silent(run: RunState) -> bool:
    """True if the newest attempt has not logged its start yet. Then all known steps belong to an earlier attempt."""
    attempt = newest_attempt(run)
    return attempt is not None and not attempt.spoke


def failed_unstarted(run: RunState) -> bool:
    """True if the newest attempt failed before it logged its start, as without its data. Older logs never tell."""
    ending, launch = run.trainer.ending, run.supervision.launch
    return isinstance(ending, Failed) and ending.launch == launch != "" and ending.launch != run.newest_launch


def _attempt(run: RunState, process: Identity, generation: int, ending: Ending | None, *, spoke: bool) -> Attempt:
    lost, stopped, signalled = run.supervision.lost, run.supervision.stopped, run.supervision.signalled
    # an error that is to be tried again, or a stall, is written down as a death, so that there is one count of them
    tried_again = isinstance(ending, Failed) and ending.reason in RETRIED
    # so is what its cluster did to a job: a trainer that is told to end does not know by whom
    untold = isinstance(ending, Interrupted) and (
        signalled.reason.startswith(STALLED) if signalled else process.is_job and ending.signal == "TERM"
    )
    by_itself = ending is not None and not tried_again and not untold
    by_us = lost is not None and lost.process in (None, process)
    cancelled = stopped is not None and stopped.generation > generation
    given_up = run.supervision.gave_up is not None
    return Attempt(process, generation, ending, by_itself or by_us or cancelled or given_up, spoke)


RETRIED = ("error", "out_of_memory")
"""Reasons of `Failed` that count as deaths: another try may go better. The others would end the same way."""

AS_ASKED = "left as asked before it began"
"""Reason of a `Lost` that an order explains: the start was taken back, nothing was interrupted."""
UNBEGUN = ", while it waited"
"""The end of a reason of a `Lost` whose job had not begun: nothing was interrupted either."""

STALLED = "stalled"
"""How the reason of a signal begins that was sent because of `--stall-timeout`."""


def _started_is_newer(run: RunState) -> bool:
    """True if the process that said it started is newer than the one the supervisor knows of."""
    started, supervision = run.trainer.started, run.supervision
    process, launched = supervision.process, supervision.launched
    assert started is not None and process is not None
    if started.launch and supervision.after is not None:
        return started.launch != supervision.after
    a, b = started.process, process
    if (a.host, a.boot_id) == (b.host, b.boot_id) and a.start_ticks != b.start_ticks:
        return a.start_ticks > b.start_ticks
    return launched is not None and started.time > launched.time
