"""What the two logs of a run add up to. Pure: no clock, no disk.

`events.jsonl` is the trainer's side, `supervision.jsonl` the supervisor's; each folds on its own, so it does not
matter in which order they are read. `status.py` says what both together, with the intent, mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import assert_never

from lvmtui.formats import trainer_log
from lvmtui.formats.intent import Intent
from lvmtui.formats.live import Progress
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import CheckpointSaved, Evaluated, Event, Finished, Started, Trained
from lvmtui.system.process_id import Identity

AT_LIMIT = ("USR1", "USR2", "XCPU")
"""Signals that say that a time limit is near, or reached."""
Ending = trainer_log.Paused | trainer_log.Interrupted | trainer_log.Cancelled | trainer_log.Failed | Finished


@dataclass(frozen=True)
class TrainerState:
    """What the trainer has said."""

    starts: tuple[Started, ...] = ()
    """Every attempt, the newest last."""
    ending: Ending | None = None
    """How the newest attempt ended; None while it goes on, or if it died."""
    endings: tuple[Ending, ...] = ()
    """The same of the attempts before, but for those that died."""
    step: int = 0
    active: float = 0.0
    """Seconds of work on what is learned, over all attempts."""
    wasted: float = 0.0
    """Seconds of work that were lost with the attempts that did them."""
    last_time: float | None = None
    points: tuple[Trained, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    checkpoint: CheckpointSaved | None = None
    """The newest one that still counts."""
    unknown: int = 0
    """Lines that could not be read."""
    fruitless: int = 0
    """How many of the newest attempts, in a row, left on a signal before they made a step, or at their time limit no
    further than one before them that began at the same step."""
    again: bool = False
    """The newest attempt began no later than the one before it, under the same order."""

    @property
    def attempts(self) -> int:
        return len(self.starts)

    @property
    def started(self) -> Started | None:
        """The newest attempt."""
        return self.starts[-1] if self.starts else None

    @property
    def kept(self) -> tuple[Started, ...]:
        """The attempts whose work counts: the last one that began at the first step, and those that went on from it."""
        anew = max((number for number, start in enumerate(self.starts) if not start.resumed_from), default=0)
        return self.starts[anew:]

    @property
    def worked(self) -> float:
        """Seconds of work, over all attempts, also what was lost."""
        return self.active + self.wasted

    @property
    def finished(self) -> Finished | None:
        return self.ending if isinstance(self.ending, Finished) else None

    @property
    def farthest(self) -> int:
        """The last step of the attempt before the newest that got furthest, of those that said how they ended."""
        return max((ending.step for ending in self.endings), default=0)

    @property
    def best(self) -> Evaluated | None:
        """The evaluation whose weights are kept."""
        return next((e for e in reversed(self.evaluations) if e.best), None)


@dataclass(frozen=True)
class SupervisionState:
    """What the supervisor has done."""

    launches: int = 0
    launched: Launched | None = None
    """The newest start."""
    first_launched: float | None = None
    process: Identity | None = None
    """The newest process that was started or found."""
    launch: str = ""
    """Name of the start that process came from."""
    after: str | None = None
    """See `Launched.after`."""
    deaths: tuple[Lost, ...] = ()
    """Deaths that count, since the newest checkpoint or order: what the limit of retries is held against."""
    lost: Lost | None = None
    """The newest death, if nothing was started since."""
    losses: tuple[Lost, ...] = ()
    """Every death."""
    stopped: Stopped | None = None
    gave_up: GaveUp | None = None
    """That it is not tried again, if nothing was started since."""
    signalled: Signalled | None = None
    """The newest signal to the newest attempt."""
    insisted: tuple[int, ...] = ()
    """Processes of the newest attempt that had to be killed."""
    unknown: int = 0


@dataclass(frozen=True)
class RunState:
    """All that a run folder says."""

    spec: RunSpec
    intent: Intent = Intent()
    trainer: TrainerState = TrainerState()
    supervision: SupervisionState = SupervisionState()
    progress: Progress | None = None

    @property
    def step(self) -> int:
        """The newest step known, live digits included."""
        live = self.live
        return max(self.trainer.step, live.step) if live else self.trainer.step

    @property
    def planned_steps(self) -> int | None:
        """Steps that were planned; None once it has finished, where they were a guess (`OwnTrainer.guessed`)."""
        own = self.spec.own_trainer
        return None if own and own.guessed and self.trainer.finished else self.spec.total_steps

    @property
    def improved_no_more(self) -> bool:
        """True if it ended early as it improved no more; not of an own program whose newest evaluation is its best."""
        finished, evaluations = self.trainer.finished, self.trainer.evaluations
        own_reason = self.spec.own_trainer is not None and evaluations and evaluations[-1].best
        return finished is not None and finished.stopped_early and not own_reason

    @property
    def seconds(self) -> float | None:
        """Seconds of work over all attempts; of an imported run, those in its history. None where it is not known."""
        if self.spec.imported:
            return self.trainer.evaluations[-1].active or None if self.trainer.evaluations else None
        return self.trainer.worked or None

    @property
    def began(self) -> float | None:
        """When its first process was launched, as the trainer logs `started` only after its imports. A job is launched
        when it is submitted, perhaps hours early: it began as long before its last word as it has worked, or more."""
        trainer, process = self.trainer, self.supervision.process
        launched = self.supervision.first_launched
        if process is not None and process.is_job:
            launched = None if trainer.last_time is None else trainer.last_time - trainer.worked
        known = (launched, *(started.time for started in trainer.starts[:1]))
        return min((time for time in known if time is not None), default=None)

    @property
    def checkpoint_step(self) -> int:
        """Step of the newest checkpoint; 0: there is none."""
        return self.trainer.checkpoint.step if self.trainer.checkpoint else 0

    @property
    def goes_on_from(self) -> int:
        """The step from which a run that has no process will go on."""
        started = self.trainer.started
        return 0 if started is None or self.intent.restart > started.generation else self.checkpoint_step

    @property
    def newest_launch(self) -> str:
        """Name of the newest start that has said it trains."""
        return self.trainer.started.launch if self.trainer.started else ""

    @property
    def can_pause(self) -> bool:
        """True if it can write a checkpoint, leave and go on from it; a user's own trainer may only be stopped."""
        own = self.spec.own_trainer
        return own is None or own.checkpoints or self.trainer.checkpoint is not None

    @property
    def live(self) -> Progress | None:
        """The live digits, if they are of now: from the newest attempt, and it goes on."""
        started = self.trainer.started
        if self.progress is None or self.trainer.ending is not None:
            return None
        return self.progress if started is None or self.progress.pid == started.process.pid else None


def apply(run: TrainerState, event: Event) -> TrainerState:
    match event:
        case Started():
            step = event.resumed_from
            kept = run.checkpoint if run.checkpoint and run.checkpoint.step <= step else None
            before = run.started if run.started and run.started.generation == event.generation else None
            return replace(
                run,
                starts=(*run.starts, event),
                ending=None,
                endings=(*run.endings, run.ending) if run.ending else run.endings,
                step=step,
                active=event.active,
                wasted=run.wasted + max(0.0, run.active - event.active),
                last_time=event.time,
                points=tuple(p for p in run.points if p.step <= step),
                evaluations=tuple(e for e in run.evaluations if e.step <= step),
                checkpoint=kept,
                fruitless=run.fruitless if before else 0,
                again=before is not None and step <= before.resumed_from,
            )
        case Trained():
            return replace(_at(run, event), points=(*run.points, event), fruitless=run.fruitless if run.again else 0)
        case Evaluated():
            return replace(_at(run, event), evaluations=(*run.evaluations, event))
        case CheckpointSaved():
            return replace(_at(run, event), checkpoint=event)
        case trainer_log.Interrupted():
            made_steps = run.started is None or event.step > run.started.resumed_from
            repeats = run.again and event.signal in AT_LIMIT and event.step <= run.farthest
            so_far = max(1, run.fruitless) if made_steps else run.fruitless  # the one that it repeats counts too
            fruitless = so_far + 1 if repeats or not made_steps else 0
            return replace(_at(run, event), ending=event, fruitless=fruitless)
        case trainer_log.Paused() | trainer_log.Cancelled() | trainer_log.Failed() | Finished():
            return replace(_at(run, event), ending=event, fruitless=0)
        case trainer_log.Unknown():
            return replace(run, unknown=run.unknown + 1)
        case _:
            assert_never(event)


def _at(run: TrainerState, event: Trained | Evaluated | CheckpointSaved | Ending) -> TrainerState:
    # one that failed before it read its checkpoint tells of no work before it
    active = run.active if event.step < run.step else event.active
    return replace(run, step=max(run.step, event.step), active=active, last_time=event.time)


def fold(events: Iterable[Event], run: TrainerState = TrainerState()) -> TrainerState:
    """All events in the order of the log. `fold(a + b) == fold(b, fold(a))`."""
    return reduce(apply, events, run)


def apply_record(run: SupervisionState, record: Record) -> SupervisionState:
    match record:
        case Launched() | Adopted():
            run = replace(
                run, process=record.process, launch=record.launch, after=record.after, lost=None, gave_up=None
            )
            if isinstance(record, Adopted):
                return run
            return replace(
                run,
                launches=run.launches + 1,
                launched=record,
                first_launched=record.time if run.first_launched is None else run.first_launched,
                deaths=tuple(d for d in run.deaths if d.generation == record.generation),
                signalled=None,
                insisted=(),
            )
        case Signalled():
            killed = record.pids if record.signal == "KILL" else ()
            return replace(run, signalled=record, insisted=(*run.insisted, *killed))
        case Lost():
            place = record.generation, record.checkpoint_step
            same = tuple(d for d in run.deaths if (d.generation, d.checkpoint_step) == place)
            counted = (*same, record) if record.counts else same
            return replace(run, deaths=counted, lost=record, losses=(*run.losses, record))
        case Stopped():
            return replace(run, stopped=record)
        case GaveUp():
            return replace(run, gave_up=record)
        case trainer_log.Unknown():
            return replace(run, unknown=run.unknown + 1)
        case _:
            assert_never(record)


def fold_records(records: Iterable[Record], run: SupervisionState = SupervisionState()) -> SupervisionState:
    return reduce(apply_record, records, run)
