"""What a run is doing, in one word, and what follows from it. Supervisor, screen, commands and report all ask here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import Literal

from lvmtui.formats.supervisor_log import Lost
from lvmtui.formats.trainer_log import Cancelled, Failed, Finished, Interrupted, Paused
from lvmtui.state.attempt import AS_ASKED, UNBEGUN, failed_unstarted, is_silent, newest_attempt
from lvmtui.state.run_state import RunState
from lvmtui.system.numbers import date, duration, numbered, plural
from lvmtui.system.process_id import Identity
from lvmtui.system.text import sanitise


class Life(Enum):
    """What was seen of a run's processes."""

    NONE = "none"
    """No process of the run is left on this host."""
    WAITING = "waiting"
    """A job of the run is in a cluster's queue."""
    ALIVE = "alive"
    STALLED = "stalled"
    """Alive, but without a step for longer than its own steps explain."""
    ELSEWHERE = "elsewhere"
    """Started on another host that cannot be inspected from here."""
    UNSEEN = "unseen"
    """Its engine cannot say anything now. It may be alive."""


class Phase(Enum):
    """What a run is doing. The value is the word for it, on the screen, in commands, and in files."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"
    PAUSING = "pausing"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    NO_SPACE = "no space"
    FAILED = "failed"
    MISSING = "missing"
    """Its folder is gone, or cannot be read."""
    DIVERGED = "diverged"
    FINISHED = "finished"
    UNKNOWN = "unknown"


Order = Literal["pause", "suspend", "resume", "cancel", "kill", "retry", "restart"]
"""What a person can order. `suspend`: in the place of `pause` for what cannot write a checkpoint, stop its processes;
`kill`: cancel without waiting; `restart`: retry from the first step."""
Pace = Literal["works", "waits", "stopping", "held", "over"]
"""What time left means for a run: `works` and `waits` count towards it, and what waits starts as soon as it is wanted
and there is a place; `stopping` runs are about to free theirs; when `held` runs go on nobody knows."""


@dataclass(frozen=True)
class PhaseFacts:
    """How a phase is shown, which orders it allows, and what it means for the time left."""

    glyph: str
    style: str
    """A name from `ui/draw/styles.py`."""
    pace: Pace
    orders: tuple[Order, ...]
    """Orders that can make sense. `orders.why_not` also looks at the run: only what is to be paused can be resumed."""
    has_process: bool = False
    """A process may hold memory."""


_STOP: tuple[Order, ...] = ("pause", "cancel", "kill")
_HALT: tuple[Order, ...] = (*_STOP, "suspend")
_AGAIN: tuple[Order, ...] = ("retry", "restart")

PHASES: Mapping[Phase, PhaseFacts] = {
    Phase.QUEUED: PhaseFacts("○", "queued", "waits", (*_STOP, "restart")),
    Phase.STARTING: PhaseFacts("▸", "running", "works", _HALT, has_process=True),
    Phase.RUNNING: PhaseFacts("▸", "running", "works", _HALT, has_process=True),
    Phase.STALLED: PhaseFacts("!", "alarm", "held", (*_HALT, *_AGAIN), has_process=True),
    Phase.PAUSING: PhaseFacts("◌", "waiting", "stopping", ("resume", "cancel", "kill"), has_process=True),
    Phase.PAUSED: PhaseFacts("‖", "waiting", "held", ("resume", "cancel", "kill", "restart")),
    Phase.SUSPENDED: PhaseFacts("‖", "waiting", "held", ("resume", "cancel", "kill"), has_process=True),
    Phase.CANCELLING: PhaseFacts("◌", "waiting", "stopping", ("kill",), has_process=True),
    Phase.CANCELLED: PhaseFacts("✗", "dim", "over", _AGAIN),
    Phase.INTERRUPTED: PhaseFacts("◌", "waiting", "waits", (*_STOP, *_AGAIN)),
    Phase.NO_SPACE: PhaseFacts("!", "alarm", "held", (*_STOP, *_AGAIN, "resume")),
    Phase.FAILED: PhaseFacts("✗", "failed", "over", _AGAIN),
    Phase.MISSING: PhaseFacts("✗", "failed", "over", ()),
    Phase.DIVERGED: PhaseFacts("✗", "failed", "over", _AGAIN),
    Phase.FINISHED: PhaseFacts("✓", "done", "over", ()),
    Phase.UNKNOWN: PhaseFacts("?", "waiting", "held", (*_STOP, "resume")),
}
"""Everything that depends on the phase alone. The rest of the program asks this table."""


OVER = frozenset(phase for phase, facts in PHASES.items() if facts.pace == "over")
"""Nothing more happens without an order."""
FAILURES = frozenset({Phase.FAILED, Phase.DIVERGED})
"""Over through a fault of its own."""
HALTED = frozenset({Phase.PAUSED, Phase.SUSPENDED})
"""Goes on when somebody says so."""
ENDED_EARLY = OVER - {Phase.FINISHED}
"""Over without a result: cancelled, failed, diverged, or missing."""
ALIVE = frozenset(phase for phase, facts in PHASES.items() if facts.has_process)
"""Phases in which a process may hold memory."""


@dataclass(frozen=True)
class Status:
    """A phase, why the run is in it, and since when."""

    phase: Phase
    reason: str = ""
    """In words, where the phase alone does not say enough."""
    since: float | None = None
    """Seconds since 1970."""
    no_step: float | None = None
    """Of a run that starts or trains: seconds without a sign of progress, where they are well over what is usual."""

    @property
    def over(self) -> bool:
        return self.phase in OVER

    @property
    def pace(self) -> Pace:
        """What time left means for the run: without steps nobody knows when it goes on."""
        return PHASES[self.phase].pace if self.no_step is None else "held"

    @property
    def style(self) -> str:
        """How its phase is drawn; without steps as a run that waits."""
        return PHASES[self.phase].style if self.no_step is None else "waiting"

    @property
    def no_step_words(self) -> str:
        """`no step for 25 s`, or nothing."""
        return "" if self.no_step is None else f"no step for {duration(self.no_step)}"


def status_of(run: RunState, life: Life, told: str = "") -> Status:
    """The status of a run. `life`: what was seen of its processes; `told`: what its engine says, in words. Pure."""
    ending, intent = run.trainer.ending, run.intent
    if isinstance(ending, Finished):
        return Status(Phase.FINISHED, since=ending.time)
    if life is Life.ELSEWHERE:
        newest = newest_attempt(run)
        place = newest.process.place if newest else "another host"
        return Status(Phase.UNKNOWN, f"runs on {place}", run.trainer.last_time)
    if life is Life.UNSEEN:
        return Status(Phase.UNKNOWN, told or "it is not known whether it runs", run.trainer.last_time)
    if life is not Life.NONE:
        return _alive(run, life, told)
    if intent.want == "cancel":
        stopped = run.supervision.stopped
        if stopped and stopped.generation >= intent.generation:
            killed = numbered(stopped.killed, sanitise(stopped.what, 12))
            return Status(Phase.CANCELLED, f"{killed} had to be killed" if stopped.killed else "", stopped.time)
        return Status(Phase.CANCELLING, since=intent.time or None)
    given_up = run.supervision.gave_up
    if given_up and given_up.generation >= intent.generation:
        return Status(Phase.FAILED, given_up.reason, given_up.time)
    if isinstance(ending, Failed) and (final := _final_failure(run, ending)):
        return final
    if intent.want == "pause":
        reason = ""
        if run.spec.own_trainer and run.trainer.attempts and not run.trainer.checkpoint:
            # one that saves nothing was suspended, and has been ended since; others may keep what they do not tell of
            unknown = "it told of no checkpoint: resumed, it starts again, or from what it kept itself"
            reason = unknown if run.can_pause else f"resumed, it {goes_on_words(run)}"
        return Status(Phase.PAUSED, reason, run.trainer.last_time or intent.time or None)
    return _waiting(run)


def _waiting(run: RunState) -> Status:
    """The status of a run without a process that is to go on."""
    ending, lost, given_up = run.trainer.ending, run.supervision.lost, run.supervision.gave_up
    if (run.supervision.launches == 0 and run.trainer.attempts == 0) or (lost and lost.reason == AS_ASKED):
        return Status(Phase.QUEUED)
    if lost and lost.reason.endswith(UNBEGUN):
        return Status(Phase.QUEUED, lost.reason, lost.time)
    if isinstance(ending, (Paused, Cancelled, Failed)):  # resumed or retried, and waiting its turn
        return Status(Phase.QUEUED, ending.message if isinstance(ending, Failed) else "", ending.time)
    if given_up:
        return Status(Phase.QUEUED, given_up.reason, given_up.time)
    last = lost or (ending if isinstance(ending, Interrupted) else None)
    reason = GONE if last is None else last.reason if isinstance(last, Lost) else left_words(last)
    return Status(Phase.INTERRUPTED, f"{reason}; {goes_on_words(run)}", last.time if last else None)


GONE = "its process is gone, nobody saw how it ended"
"""Where it has not said so itself: it was killed or crashed, mostly while no supervisor watched."""


def interruptions(run: RunState) -> list[tuple[float, str]]:
    """When and how each attempt ended that no order ended and that had no end of its own, the newest last."""
    losses, ends = run.supervision.losses, (*run.trainer.endings, run.trainer.ending)
    told = {lost.left for lost in losses}

    def is_lost(end: Interrupted) -> bool:
        """True if a loss counts it already: it names this ending, or came earlier in the same attempt (a lost node)."""
        began = max((start.time for start in run.trainer.starts if start.time <= end.time), default=0.0)
        return end.time in told or any(lost.left is None and began <= lost.time <= end.time for lost in losses)

    left = [(e.time, left_words(e)) for e in ends if isinstance(e, Interrupted) and not is_lost(e)]
    lost = [(lost.time, lost.reason) for lost in losses if not lost.reason.endswith((AS_ASKED, UNBEGUN))]
    return sorted([*left, *lost], key=itemgetter(0))


def interrupted_words(run: RunState, told: str = "") -> str:
    """`interrupted 2 times, last: killed by signal 9`; empty if it never was. Without the reason if `told` has it."""
    ends = interruptions(run)
    if not ends:
        return ""
    times, (_, last) = f"interrupted {plural(len(ends), 'time')}", ends[-1]
    return times if told.startswith(last) else f"{times}{', last' if len(ends) > 1 else ''}: {sanitise(last, 200)}"


def left_words(ending: Interrupted) -> str:
    """Why a trainer left without an order: `left on USR1, its time limit was near`."""
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
    if run.intent.want == "pause" and run.live and run.live.activity == "suspended":
        process, kept = run.supervision.process, "its processes are stopped, their memory stays taken"
        kept += "; its job's time goes on, and at its limit the work is lost" if process and process.is_job else ""
        return Status(Phase.SUSPENDED, kept, run.intent.time or None)
    if run.intent.want == "pause":
        return Status(Phase.PAUSING, _refused_words(run), run.intent.time or None)
    if life is Life.WAITING:
        return Status(Phase.QUEUED, told)
    if life is Life.STALLED:
        last = run.progress.time if run.progress else None
        since = f" since {date(last)}" if last else ""
        helps = "retry or cancel it (with --stall-timeout it is retried by itself)"
        return Status(Phase.STALLED, f"no step{since}, longer than its own steps explain; {helps}", last)
    started = run.trainer.started
    live = run.live
    if started is None or live is None or live.activity == "starting" or is_silent(run):
        begun = run.supervision.launched if is_silent(run) else started
        return Status(Phase.STARTING, since=begun.time if begun else None)
    return Status(Phase.RUNNING, live.activity, started.time)


def goes_on_words(run: RunState) -> str:
    """`goes on from epoch 1.3, step 480`: where its checkpoint is."""
    step, spec = run.goes_on_from, run.spec
    if not step:
        return "starts again from the first step"
    epoch = f"epoch {spec.epoch_of(step):.1f}, " if spec.counts_epochs and spec.unit == "step" else ""
    return f"goes on from {epoch}{spec.unit} {step:,}"


def unanswered_words(run: RunState, seconds: float) -> str:
    """What to know of a run that has been to pause for so long: what ends it, and what is kept then."""
    kept = run.trainer.checkpoint
    keeps = f"its checkpoint of step {kept.step:,} stays" if kept else "no checkpoint is known"
    return f"has not answered the pause for {duration(seconds)}; cancel ends it, and {keeps}"


def _refused_words(run: RunState) -> str:
    """Why a process that is asked to leave has not been told."""
    signalled = run.supervision.signalled
    return f"no signal sent to {sanitise(signalled.refused, 200)}" if signalled and signalled.refused else ""


FINAL = {"diverged": Phase.DIVERGED, "data": Phase.FAILED, "setup": Phase.FAILED, "no_space": Phase.NO_SPACE}
"""What follows from the reason of a failure that another try would not mend."""


def _final_failure(run: RunState, failed: Failed) -> Status | None:
    """The status after a failure that is not retried automatically; None if it is, or if an order came since."""
    launched = run.supervision.launched
    began = launched if failed_unstarted(run) else run.trainer.started or launched
    resumed = run.intent.generation if run.intent.want == "run" else run.intent.resumed
    if began is not None and resumed > began.generation:
        return None
    phase = FINAL.get(failed.reason)
    return Status(phase, failed.message, failed.time) if phase else None


def processes_of(run: RunState) -> tuple[Identity, ...]:
    """Every process that may still belong to the run, the newest attempt's first."""
    attempt, started = newest_attempt(run), run.trainer.started
    found = [attempt.process if attempt else None, run.supervision.process, started.process if started else None]
    return tuple(dict.fromkeys(identity for identity in found if identity is not None))
