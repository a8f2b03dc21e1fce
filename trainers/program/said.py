"""What a user's program says, by the kit or by its lines, turned into the run's events and live digits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lvmtui.formats import trainer_log
from lvmtui.formats.live import Activity
from lvmtui.formats.patterns import NO_COSINE, LineReading
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import Evaluated, Event, Told
from lvmtui.system.filesystem import signature
from lvmtui.trainer_kit import POINTS, Teller
from trainers.log_writer import Journal
from trainers.program.output import Thinned

EVALUATIONS = 1000
"""About the most evaluations of a run that are logged."""
ROUNDING = 1e-4
"""A cosine of 1 may be told as so much more."""
ABSURD = 1000
"""A line that tells of so many times the steps that were planned is not believed."""


class Said:
    """Where a program is, as far as it has said so."""

    def __init__(self, spec: RunSpec, journal: Journal, out: Path, first_step: int, past: Iterable[Event]) -> None:
        """`out`: its folder; `first_step`: of the checkpoint it goes on from; `past`: what earlier attempts logged."""
        self.spec, self.out = spec, out
        self.journal = journal
        self.teller = Teller(self.log, spec.total_steps)
        self.step = self.first_step = first_step
        self.loss: float | None = None
        self.cosine: float | None = None
        self.rate = 0.0
        self.best: Evaluated | None = None
        self.evaluated_step = -1
        self.began_again = False
        """It told of an evaluation earlier than the newest one, and the log says so."""
        self.wrong = ""
        """The first cosine it told of that is none."""
        self.can_checkpoint = first_step > 0 or bool(spec.own_trainer and spec.own_trainer.checkpoints)
        self.checkpoint: int | None = None
        """Step of the newest checkpoint that it told of in this attempt."""
        self.hopeless = False
        """It said that another try would end the same way, see `trainer_kit.Run.predicted`."""
        self.news = False
        """True if it has reported something since the live digits were written."""
        self.points, self.evaluations = Thinned(POINTS), Thinned(EVALUATIONS)
        for event in past:
            if isinstance(event, Evaluated) and event.step <= first_step and event.best:
                self.best = event
                self.teller.knows(event.loss, event.cosine)

    def hear(self, line: bytes) -> None:
        """One line through the pipe: an event, or live digits."""
        event = trainer_log.decode_event(line)
        match event:
            case trainer_log.Trained() | Evaluated():
                self._advance(event.step)
                if abs(event.cosine or 0.0) > 1 + ROUNDING:
                    self._doubt(f"at {self.spec.unit} {event.step}", event.cosine)
                    event = replace(event, cosine=None)
                if isinstance(event, Evaluated) and event.cosine is event.loss is None:
                    event = replace(event, best=False)
                self.log(event)
            case trainer_log.CheckpointSaved() if event.file:
                self._advance(event.step)
                self.can_checkpoint, self.checkpoint = True, event.step
                self.log(replace(event, modified=signature(self.out / event.file, asked=True)[2]))
            case trainer_log.Failed():
                self.hopeless = True
            case _:
                with suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError):
                    digits = json.loads(line)
                    if digits["kind"] == "digits" and type(digits["step"]) is int:
                        self._advance(digits["step"])
                        self.loss, self.cosine = _number(digits["loss"]), _number(digits["cosine"])
                        self.rate = _number(digits["rate"]) or 0.0

    def read(self, reading: LineReading, line: int) -> None:
        """One line it printed, and its number."""
        spec = self.spec
        if reading.no_cosine is not None:
            self._doubt(f"line {line} of its output", reading.no_cosine)
        if reading.step is not None:
            step = reading.step
        elif reading.epoch is not None:
            step = round(reading.epoch * spec.steps_per_epoch)
        else:
            step = self.step + reading.evaluated
        if step > ABSURD * spec.total_steps:
            return
        self._advance(step)
        self.loss = reading.train_loss if reading.train_loss is not None else self.loss
        self.cosine = reading.train_cosine if reading.train_cosine is not None else self.cosine
        self.rate = reading.rate or self.rate
        if reading.train_loss is not None or reading.train_cosine is not None:
            self.teller.step(step, reading.train_loss, reading.train_cosine, self.rate)
        if reading.evaluated and step < self.evaluated_step and not self.began_again:
            self.began_again = True
            self.journal.say(
                f"an evaluation of {spec.unit} {step} came after one of {spec.unit} {self.evaluated_step}: "
                "if the count has begun again, its evaluations are left out until they are past that"
            )
        if reading.evaluated and step > self.evaluated_step:
            epoch = reading.epoch if reading.epoch is not None else step / spec.steps_per_epoch
            self.teller.evaluated(step, epoch=epoch, loss=reading.loss, cosine=reading.cosine, rate=self.rate)

    def _doubt(self, where: str, cosine: float | None) -> None:
        if not self.wrong:
            self.wrong = f"{where}: cosine {cosine:.4g} {NO_COSINE}"
            self.journal.say(self.wrong)

    def log(self, event: Told) -> None:
        """Append an event with our own count of seconds, unless there are too many of its kind."""
        if isinstance(event, Evaluated):
            event = event if self.spec.counts_epochs else replace(event, epoch=0.0)
            self.evaluated_step = max(self.evaluated_step, event.step)
            self.best = event if event.best else self.best
        thinned = {Evaluated: self.evaluations, trainer_log.Trained: self.points}.get(type(event))
        if thinned is None or thinned.takes():
            kept = isinstance(event, trainer_log.CheckpointSaved)
            self.journal.event(replace(event, active=self.journal.active), durable=kept)

    def _advance(self, step: int) -> None:
        self.news = True
        if step > self.step:
            self.journal.steps += step - self.step
            self.step = step

    def show(self, activity: Activity | None = None) -> None:
        """The live digits."""
        self.news = False
        if activity:
            self.journal.clock.enter(activity)
        epoch = self.spec.epoch_of(self.step)  # its batch size is its own choice
        self.journal.progress(self.step, epoch, self.loss, self.cosine, self.rate, batch_size=0)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def checkpoint_in(past: Sequence[Event], out: Path, *, untold: bool) -> tuple[Path | None, int, float]:
    """The newest checkpoint in `out` that the log tells of, its step, and the seconds of work in it. `untold`: the
    program keeps checkpoints without telling, and goes on by itself. One that was written again since is not taken."""
    told = [event for event in reversed(past) if isinstance(event, trainer_log.CheckpointSaved) and event.file]
    for event in told:
        path = out / event.file
        same = event.modified in (0, signature(path, asked=True)[2])
        if same and path.exists() and path.resolve().is_relative_to(out.resolve()):
            return path, event.step, event.active
    ending = next((e for e in reversed(past) if isinstance(e, (trainer_log.Paused, trainer_log.Interrupted))), None)
    kept = any(path.name != "predictions.npy" for path in out.iterdir())
    return (None, ending.step, ending.active) if ending and untold and not told and kept else (None, 0, 0.0)
