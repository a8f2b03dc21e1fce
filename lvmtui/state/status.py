"""What a run is doing, in one word: decided here once, for the supervisor, the screen, the commands and the report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lvmtui.formats.supervisor_log import Stopped
from lvmtui.formats.trainer_log import Cancelled, Failed, Finished, Interrupted, Paused
from lvmtui.state.attempt import is_silent, newest_attempt
from lvmtui.state.run_state import RunState
from lvmtui.system.numbers import numbered
from lvmtui.system.process_id import Identity
from lvmtui.system.text import sanitise


class Life(Enum):
    """What was seen of a run's processes."""

    NONE = "none"
    """Nobody runs for it on this host."""
    WAITING = "waiting"
    """A job of it stands in a cluster's queue."""
    ALIVE = "alive"
    STALLED = "stalled"
    """Alive, and without a step for longer than its own steps explain."""
    ELSEWHERE = "elsewhere"
    """Started on another host that cannot be looked at from here."""
    UNSEEN = "unseen"
    """Started by an engine that tells nothing now. It may live."""


class Phase(Enum):
    """The states a person tells apart."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    NO_SPACE = "no space"
    FAILED = "failed"
    DIVERGED = "diverged"
    FINISHED = "finished"
    UNKNOWN = "unknown"


OVER = frozenset({Phase.FINISHED, Phase.FAILED, Phase.DIVERGED, Phase.CANCELLED})
"""Nothing more happens without an order."""
ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STALLED, Phase.PAUSING, Phase.CANCELLING})
"""Phases in which a process may hold memory."""


@dataclass(frozen=True)
class Status:
    """A phase with what belongs to it."""

    phase: Phase
    reason: str = ""
    """In words, where the phase needs them."""
    since: float | None = None
    """Seconds since 1970."""

    @property
    def over(self) -> bool:
        return self.phase in OVER


def status_of(run: RunState, life: Life, told: str = "") -> Status:  # noqa: C901  one question for each phase, in the order that decides
    """The status of a run of which `life` was seen. `told`: what its engine says of it, in words. Pure."""
    ending, intent = run.trainer.ending, run.intent
    if isinstance(ending, Finished):
        return Status(Phase.FINISHED, since=ending.time)
    if life is Life.ELSEWHERE:
        host = last_process(run)
        return Status(Phase.UNKNOWN, f"runs on {host.place if host else 'another host'}", run.trainer.last_time)
    if life is Life.UNSEEN:
        return Status(Phase.UNKNOWN, told or "nobody can say whether it runs", run.trainer.last_time)
    if life is not Life.NONE:
        return _alive(run, life, told)
    if intent.want == "cancel":
        stopped = run.supervision.stopped
        if stopped and stopped.generation >= intent.generation:
            return Status(Phase.CANCELLED, _killed_words(stopped), stopped.time)
        return Status(Phase.CANCELLING, since=intent.time or None)
    given_up = run.supervision.gave_up
    if given_up and given_up.generation >= intent.generation:
        return Status(Phase.FAILED, given_up.reason, given_up.time)
    if isinstance(ending, Failed) and (final := _final_failure(run, ending)):
        return final
    if intent.want == "pause":
        return Status(Phase.PAUSED, since=_last_time(run))
    if run.supervision.launches == 0 and run.trainer.attempts == 0:
        return Status(Phase.QUEUED)
    if isinstance(ending, (Paused, Cancelled, Failed)):  # resumed, or to be tried again, and waiting its turn
        return Status(Phase.QUEUED, ending.message if isinstance(ending, Failed) else "", ending.time)
    if isinstance(ending, Interrupted):
        return Status(Phase.INTERRUPTED, left_words(ending), ending.time)
    lost = run.supervision.lost
    return Status(Phase.INTERRUPTED, lost.reason if lost else "its process is gone", lost.time if lost else None)


def left_words(ending: Interrupted) -> str:
    """Why a trainer left by itself: `left on USR1, its time limit was near`."""
    why = _SIGNALS.get(ending.signal)
    return f"left on {ending.signal}" + (f", {why}" if why else "")


_SIGNALS = {
    "USR1": "its time limit was near",
    "USR2": "its time limit was near",
    "XCPU": "its CPU time limit was reached",
    "PWR": "the power is failing",
    "INT": "it was interrupted from a terminal",
    "QUIT": "it was told to quit from a terminal",
    "TERM": "it was told to end",
}
"""What a signal announces, in words."""


def _alive(run: RunState, life: Life, told: str) -> Status:
    if run.intent.want == "cancel":
        return Status(Phase.CANCELLING, _refused_words(run), run.intent.time or None)
    if run.intent.want == "pause":
        return Status(Phase.PAUSING, _refused_words(run), run.intent.time or None)
    if life is Life.WAITING:
        return Status(Phase.QUEUED, told)
    if life is Life.STALLED:
        return Status(
            Phase.STALLED, "no step for longer than its steps explain", run.progress.time if run.progress else None
        )
    started = run.trainer.started
    live = run.live
    if started is None or live is None or live.activity == "starting" or is_silent(run):
        return Status(Phase.STARTING, since=started.time if started else None)
    return Status(Phase.RUNNING, live.activity, started.time)


def _refused_words(run: RunState) -> str:
    """Why a process that is asked to leave has not been told."""
    signalled = run.supervision.signalled
    return f"no signal sent to {sanitise(signalled.refused, 200)}" if signalled and signalled.refused else ""


def _final_failure(run: RunState, failed: Failed) -> Status | None:
    """The status of a failure that is not tried again by itself, None where it is (or an order came since)."""
    began = run.trainer.started or run.supervision.launched  # a first attempt can fail before it says it started
    resumed = run.intent.generation if run.intent.want == "run" else run.intent.resumed
    if began is not None and resumed > began.generation:
        return None
    match failed.reason:
        case "diverged":
            return Status(Phase.DIVERGED, failed.message, failed.time)
        case "data" | "setup":
            return Status(Phase.FAILED, failed.message, failed.time)
        case "no_space":
            return Status(Phase.NO_SPACE, failed.message, failed.time)
        case _:
            return None


def last_process(run: RunState) -> Identity | None:
    """The newest process of the run: the trainer's own word, or the supervisor's if that is newer."""
    attempt = newest_attempt(run)
    return attempt.process if attempt else None


def processes_of(run: RunState) -> tuple[Identity, ...]:
    """Every process that may still be the run's; that of the newest attempt first."""
    attempt, started = newest_attempt(run), run.trainer.started
    found = [attempt.process if attempt else None, run.supervision.process, started.process if started else None]
    return tuple(dict.fromkeys(identity for identity in found if identity is not None))


def _last_time(run: RunState) -> float | None:
    return run.trainer.last_time or run.intent.time or None


def _killed_words(stopped: Stopped) -> str:
    return f"{numbered(stopped.killed, sanitise(stopped.what, 12))} had to be killed" if stopped.killed else ""
