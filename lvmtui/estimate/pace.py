"""How fast this machine works, from what its runs have shown. Pure.

One estimate in three levels: the machine against the reference of `cost.py`, a kind of run against its machine, a run
against its kind. All are logarithms of a ratio, taken as normal; each observation counts by how sure it is (the
textbook update of a normal mean with known variances). A plan before anything ran, a queued run, and a run near its
end are the same estimate with more and more observed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from statistics import median

from lvmtui.estimate.cost import STARTUP, Kind, Work, closing_cost, evaluation_cost, step_cost, work_of
from lvmtui.formats.live import Progress
from lvmtui.formats.trainer_log import Trained
from lvmtui.state.run_state import RunState

UNSEEN = 0.7
"""Log standard deviation of a machine's speed against the reference: four in five are within 2.5 times of it."""
BETWEEN = 0.25
"""Of a kind's cost in proportion to the table, on one machine; the five models had .12 (quiet) to .28 (busy)."""
GUESSED = 0.8
"""The same where not even the number of parameters is known."""
WITHIN = 0.05
"""Of runs of one kind on a quiet machine; what the machine's own unrest adds is learned, see `Machine.unrest`."""
BRIEF = 0.3
"""Of a speed taken over one second of training; it shrinks with the root of the seconds."""
UNREST = 0.1
"""Log standard deviation of a run's later speed against its earlier, until runs here have shown their own: .05 on a
quiet machine, .1 to .5 on one shared with others' work."""
UNREST_WEIGHT = 1
"""Runs that the figure above counts for."""
LEAST_STEPS = 3
"""Steps before which a process has shown nothing: the first ones fill caches."""
LEAST_LOOK_BACK = 3
"""The speed of a run near its end is taken over the last third of it: less would be noise."""
NEWEST = 6
"""Runs of a model and arm, the newest, that are enough to know it: the machine may have changed since earlier ones."""
LEAST_POINTS = 12
"""Training points from which a run's unrest can be told."""
UNREST_SAMPLE = 40
"""Of them are enough."""
LEAST_CURVE = 5.0
"""Seconds of training, likewise."""


@dataclass(frozen=True)
class Shown:
    """What one run has shown of its machine, in the life of its newest process."""

    run: str
    work: Work
    ratio: float
    """Log of its seconds a step, checkpoints included, over what the reference needs."""
    train_seconds: float
    """How much training that figure comes from."""
    evaluation_seconds: float | None = None
    """Of one evaluation."""
    startup_seconds: float | None = None
    evaluation_ratio: float | None = None
    """Seconds of an evaluation over what the reference needs."""
    closing_ratio: float | None = None
    """The same from the last evaluation to the end."""
    unrest: float | None = None
    """Log error of its own later speed as told from its earlier."""


def shown_by(run: RunState) -> Shown | None:
    """What a run has shown; None before its first steps."""
    trainer, started, life = run.trainer, run.trainer.started, life_of(run)
    if started is None or run.spec.imported is not None:  # trained elsewhere, and a step is an epoch
        return None
    finished = trainer.finished
    if life is not None and life.train_steps >= LEAST_STEPS and life.train_seconds > 0:
        step, seconds = (life.train_seconds + life.checkpoint_seconds) / life.train_steps, life.train_seconds
    elif finished is not None and finished.step > 0 and finished.train_seconds > 0:
        step, seconds = finished.train_seconds / finished.step, finished.train_seconds
    else:
        return None
    work = work_of(run.spec, started.parameters, started.device)
    evaluations = [e for e in trainer.evaluations if e.step > started.resumed_from]
    evaluation = median(e.seconds for e in evaluations) if evaluations else None
    closing = finished.active - evaluations[-1].active if finished and evaluations else None
    return Shown(
        run=run.spec.run,
        work=work,
        ratio=math.log(step / step_cost(work)),
        train_seconds=seconds,
        evaluation_seconds=evaluation,
        startup_seconds=life.startup_seconds if life is not None else None,
        evaluation_ratio=evaluation / evaluation_cost(work) if evaluation is not None else None,
        closing_ratio=max(0.0, closing) / closing_cost(work) if closing is not None else None,
        unrest=_unrest(run),
    )


def life_of(run: RunState) -> Progress | None:
    """The last digits of the newest attempt, whether it goes on or not."""
    started, digits = run.trainer.started, run.progress
    return digits if started is not None and digits is not None and digits.pid == started.process.pid else None


def latest_pace(run: RunState, shown: Shown, steps_left: int) -> Shown:
    """The same with a speed for the steps ahead: looks back as far as it looks ahead, and not less than a third.

    A machine's load changes: the last minute says more about the next than the hour before it does, and less about
    the next hour.
    """
    points = _life(run)
    total = points[-1].step - points[0].step if points else 0
    far = max(steps_left, total // LEAST_LOOK_BACK)
    if total < LEAST_STEPS or far >= total:
        return shown
    seconds, steps = 0.0, 0
    for before, point in zip(reversed(points[:-1]), reversed(points), strict=False):
        seconds += (point.step - before.step) * _pace(run, point)
        steps += point.step - before.step
        if steps >= far:
            break
    return replace(shown, ratio=math.log(seconds / steps / step_cost(shown.work)), train_seconds=seconds)


def _life(run: RunState) -> tuple[Trained, ...]:
    """The training points of the newest process's life."""
    points, started = run.trainer.points, run.trainer.started
    first = bisect_right(points, started.resumed_from, key=lambda p: p.step) if started else 0
    return points[first:]


def _pace(run: RunState, point: Trained) -> float:
    """Seconds a step up to a point."""
    return run.spec.recipe.batch_size / max(point.windows_per_second, 1e-6)


def _unrest(run: RunState) -> float | None:
    """How wrong `latest_pace` would have been at a quarter, a half and three quarters: root mean square of the log."""
    points = _life(run)
    points = points[:: max(1, len(points) // UNREST_SAMPLE)]
    if len(points) < LEAST_POINTS:
        return None
    seconds = list(accumulate(_pace(run, point) for point in points))  # as if the points were equally far apart
    steps = points[-1].step - points[0].step
    last = len(points) - 1
    if seconds[-1] / len(points) * steps < LEAST_CURVE:
        return None
    errors = []
    for now in (last // 4, last // 2, 3 * last // 4):
        back = max(0, min(2 * now - last, now - now // LEAST_LOOK_BACK))
        before = (seconds[now] - seconds[back]) / (now - back)
        after = (seconds[last] - seconds[now]) / (last - now)
        errors.append(math.log(after / before) ** 2)
    return math.sqrt(sum(errors) / len(errors))


@dataclass(frozen=True)
class Guess:
    """A log ratio, normal."""

    mean: float
    variance: float

    def and_seen(self, value: float, variance: float) -> Guess:
        """After an observation of it with this variance."""
        weight = self.variance / (self.variance + variance)
        return Guess(self.mean + weight * (value - self.mean), self.variance * (1 - weight))

    def wider(self, variance: float) -> Guess:
        """Of something that differs from it by this variance."""
        return Guess(self.mean, self.variance + variance)


@dataclass(frozen=True)
class Machine:
    """What runs have shown of one machine."""

    shown: tuple[Shown, ...] = ()

    @cached_property
    def kinds(self) -> Mapping[Kind, tuple[Shown, ...]]:
        """What was shown, by kind."""
        kinds: dict[Kind, list[Shown]] = {}
        for shown in self.shown:
            kinds.setdefault(shown.work.kind, []).append(shown)
        return {kind: tuple(alike) for kind, alike in kinds.items()}

    @cached_property
    def unrest(self) -> float:
        """Log standard deviation of a run's later speed against its earlier."""
        seen = [s.unrest**2 for s in self.shown if s.unrest is not None]
        return math.sqrt((UNREST_WEIGHT * UNREST**2 + sum(seen)) / (UNREST_WEIGHT + len(seen)))

    @cached_property
    def startup(self) -> float:
        """Seconds from a process's start to its first step."""
        return self._typical(lambda shown: shown.startup_seconds, self.shown) or STARTUP

    def step(self, work: Work, own: Shown | None = None) -> Guess:
        """Log of a run's seconds a step over the reference's; `own`: what the run itself has shown in this life."""
        own_variance = WITHIN**2 + self.unrest**2
        between = BETWEEN**2 if work.known else GUESSED**2
        guess = Guess(0.0, UNSEEN**2)
        for kind, alike in self.kinds.items():
            if kind != work.kind and kind.device == work.kind.device:
                mean, variance = _pooled(alike, own_variance)
                guess = guess.and_seen(mean, BETWEEN**2 + variance)
        guess = guess.wider(between)
        if same := [s for s in self.kinds.get(work.kind, ()) if own is None or s.run != own.run]:
            guess = guess.and_seen(*_pooled(same, own_variance))
        guess = guess.wider(own_variance)
        return guess if own is None else guess.and_seen(own.ratio, self.unrest**2 + BRIEF**2 / own.train_seconds)

    def evaluation(self, work: Work, speed: float) -> float:
        """Seconds of one evaluation; `speed`: the run's seconds a step over the reference's."""
        return evaluation_cost(work) * (self._learned(work, lambda shown: shown.evaluation_ratio) or speed)

    def closing(self, work: Work, speed: float) -> float:
        """Seconds from the last evaluation to the end."""
        return closing_cost(work) * (self._learned(work, lambda shown: shown.closing_ratio) or speed)

    def _learned(self, work: Work, ratio: Callable[[Shown], float | None]) -> float | None:
        """Of runs of the same kind, else of any; None before any."""
        return self._typical(ratio, self.kinds.get(work.kind, ())) or self._typical(ratio, self.shown)

    @staticmethod
    def _typical(figure: Callable[[Shown], float | None], shown: Sequence[Shown]) -> float | None:
        known = [value for s in shown if (value := figure(s))]
        return median(known) if known else None


NOTHING_SHOWN = Machine()


def machine_of(runs: Iterable[RunState]) -> Machine:
    """What these runs have shown of the machine they ran on: a campaign's, or earlier ones of the workspace."""
    found: dict[tuple[str, str, str], list[RunState]] = {}
    for run in sorted(runs, key=lambda r: r.trainer.last_time or 0.0, reverse=True):
        alike = found.setdefault((run.spec.model, run.spec.size, run.spec.arm), [])
        if len(alike) < NEWEST:
            alike.append(run)
    return Machine(tuple(s for alike in found.values() for run in alike if (s := shown_by(run)) is not None))


def _pooled(shown: Sequence[Shown], own_variance: float) -> tuple[float, float]:
    """Mean and variance of runs of one kind, as one observation of the kind."""
    precisions = [1 / (own_variance + BRIEF**2 / s.train_seconds) for s in shown]
    precision = sum(precisions)
    return sum(p * s.ratio for p, s in zip(precisions, shown, strict=True)) / precision, 1 / precision
