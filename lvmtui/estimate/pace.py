"""How fast this machine works, judged by what its runs have shown. Pure.

One estimate with three levels: the machine against the reference core of `cost.py`, a kind of run against its machine,
a run against its kind. Each level is the logarithm of a ratio with a normal distribution, updated by every observation
according to its variance (the textbook update of a normal mean with known variances). A plan before anything ran, a
queued run and a run near its end use the same estimate with more and more observations.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

from lvmtui.estimate.cost import STARTUP, RunKind, Work, closing_cost, evaluation_cost, step_cost, work_of
from lvmtui.formats.trainer_log import Trained
from lvmtui.state.run_state import RunState
from lvmtui.system.text import grouped

if TYPE_CHECKING:
    from lvmtui.formats.selftest import SelfTest

UNSEEN = 0.7
"""Log standard deviation of a machine's speed over the reference: four in five machines are within 2.5 times of it."""
BETWEEN = 0.25
"""Log standard deviation of a kind's cost over the table's on one machine: .12 (quiet) to .28 (busy) by five models."""
BETWEEN_GUESSED = 0.8
"""The same if even the number of parameters is unknown."""
WITHIN = 0.05
"""Log standard deviation between runs of one kind on a quiet machine; `Machine.drift` has what a busy one adds."""
BRIEF = 0.3
"""Log standard deviation of a speed measured over one second of training; it shrinks with the root of the seconds."""
DRIFT = 0.1
"""Log standard deviation of a run's later speed over its earlier one, until runs here have shown their own. Measured:
.05 on a quiet machine, .1 to .5 on a shared one."""
DRIFT_WEIGHT = 1
"""How many runs the figure above counts as."""
LEAST_STEPS = 3
"""Steps a process must have done before its speed counts, since the first ones fill caches."""
LEAST_LOOK_BACK = 3
"""The speed of a run near its end is measured over its last third; less would be noise."""
NEWEST = 6
"""Newest runs of a model and arm that are used, because the machine may have changed since earlier ones."""
LEAST_POINTS = 12
"""Training points needed to measure the drift of a run."""
DRIFT_SAMPLE = 40
"""Training points that are used for it, evenly spread; more would add nothing."""
LEAST_CURVE = 5.0
"""Seconds of training needed to measure the drift of a run."""
TESTED_DIM, TESTED_BATCH = 768, 32
"""Width and batch of the steps that a GPU's self-test times; see `trainers/selftest/bench.py`."""
TESTED_SECONDS = 10.0
"""Seconds of training that the timed steps count as, because they vary little."""


@dataclass(frozen=True)
class Shown:
    """What the newest process of one run has shown of its machine."""

    run: str
    work: Work
    ratio: float
    """Log of its seconds a step (checkpoints included) over those of the reference core."""
    train_seconds: float
    """Seconds of training that this ratio was measured over."""
    evaluation_seconds: float | None = None
    """Median time of one evaluation."""
    startup_seconds: float | None = None
    evaluation_ratio: float | None = None
    """Time of an evaluation over that of the reference core."""
    closing_ratio: float | None = None
    """The same for the time from the last evaluation to the end."""
    drift: float | None = None
    """Log error of predicting its own later speed from its earlier one."""


def shown_by(run: RunState) -> Shown | None:
    """What a run has shown; None before its first steps."""
    trainer, started = run.trainer, run.trainer.started
    if started is None or run.spec.imported is not None:  # imported runs were trained elsewhere; their steps are epochs
        return None
    finished = trainer.finished
    live = run.progress if run.progress and run.progress.pid == started.process.pid else None  # of the newest attempt
    if live is not None and live.train_steps >= LEAST_STEPS and live.train_seconds > 0:
        step, seconds = (live.train_seconds + live.checkpoint_seconds) / live.train_steps, live.train_seconds
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
        startup_seconds=live.startup_seconds if live is not None else None,
        evaluation_ratio=evaluation / evaluation_cost(work) if evaluation is not None else None,
        closing_ratio=max(0.0, closing) / closing_cost(work) if closing is not None else None,
        drift=_drift(run),
    )


def latest_pace(run: RunState, shown: Shown, steps_left: int) -> Shown:
    """The same with the speed to expect for the steps ahead.

    It is measured over as many past steps as are left, at least a third of all: the last minute predicts the next
    minute better than the last hour does, but not the next hour.
    """
    points = _newest_points(run)
    total = points[-1].step - points[0].step if points else 0
    far = max(steps_left, total // LEAST_LOOK_BACK)
    if total < LEAST_STEPS or far >= total:
        return shown
    seconds, steps = 0.0, 0
    for before, point in zip(reversed(points[:-1]), reversed(points), strict=False):
        seconds += (point.step - before.step) * run.spec.recipe.batch_size / point.windows_per_second
        steps += point.step - before.step
        if steps >= far:
            break
    return replace(shown, ratio=math.log(seconds / steps / step_cost(shown.work)), train_seconds=seconds)


def _newest_points(run: RunState) -> tuple[Trained, ...]:
    """The training points of the newest process that tell a speed; those of a user's own program do not."""
    points, started = run.trainer.points, run.trainer.started
    first = bisect_right(points, started.resumed_from, key=lambda p: p.step) if started else 0
    return tuple(point for point in points[first:] if point.windows_per_second)


def _drift(run: RunState) -> float | None:
    """Root mean square log error `latest_pace` would have had at a quarter, a half and three quarters of the run."""
    points = _newest_points(run)
    points = points[:: max(1, len(points) // DRIFT_SAMPLE)]
    if len(points) < LEAST_POINTS:
        return None
    # a step at each point, as the points are about equally far apart
    seconds = list(accumulate(run.spec.recipe.batch_size / point.windows_per_second for point in points))
    last = len(points) - 1
    if seconds[-1] / len(points) * (points[-1].step - points[0].step) < LEAST_CURVE:
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
    """A log ratio with a normal distribution."""

    mean: float
    variance: float

    def and_seen(self, value: float, variance: float) -> Guess:
        """Updated by an observation with this variance."""
        weight = self.variance / (self.variance + variance)
        return Guess(self.mean + weight * (value - self.mean), self.variance * (1 - weight))

    def wider(self, variance: float) -> Guess:
        """The guess for something that differs from it with this variance."""
        return Guess(self.mean, self.variance + variance)


@dataclass(frozen=True)
class Machine:
    """What runs have shown of one machine."""

    shown: tuple[Shown, ...] = ()

    @cached_property
    def kinds(self) -> Mapping[RunKind, Sequence[Shown]]:
        """What was shown, by kind."""
        return grouped((shown.work.kind, shown) for shown in self.shown)

    @cached_property
    def drift(self) -> float:
        """Log standard deviation of a run's later speed over its earlier one."""
        seen = [s.drift**2 for s in self.shown if s.drift is not None]
        return math.sqrt((DRIFT_WEIGHT * DRIFT**2 + sum(seen)) / (DRIFT_WEIGHT + len(seen)))

    @cached_property
    def startup(self) -> float:
        """Seconds from the start of a process to its first step."""
        return self._typical(lambda shown: shown.startup_seconds, self.shown) or STARTUP

    def step(self, work: Work, own: Shown | None = None) -> Guess:
        """Log of a run's seconds a step over the reference core's. `own`: what its newest process has shown."""
        own_variance = WITHIN**2 + self.drift**2
        between = BETWEEN**2 if work.known else BETWEEN_GUESSED**2
        guess = Guess(0.0, UNSEEN**2)
        for kind, alike in self.kinds.items():
            if kind != work.kind and kind.device == work.kind.device:
                mean, variance = _pooled(alike, own_variance)
                guess = guess.and_seen(mean, BETWEEN**2 + variance)
        guess = guess.wider(between)
        if same := [s for s in self.kinds.get(work.kind, ()) if own is None or s.run != own.run]:
            guess = guess.and_seen(*_pooled(same, own_variance))
        guess = guess.wider(own_variance)
        return guess if own is None else guess.and_seen(own.ratio, self.drift**2 + BRIEF**2 / own.train_seconds)

    def evaluation(self, work: Work, speed: float) -> float:
        """Seconds of one evaluation. `speed`: the run's seconds a step over the reference core's."""
        return evaluation_cost(work) * (self._learned(work, lambda shown: shown.evaluation_ratio) or speed)

    def closing(self, work: Work, speed: float) -> float:
        """Seconds from the last evaluation to the end."""
        return closing_cost(work, self._learned(work, lambda shown: shown.closing_ratio) or speed)

    def _learned(self, work: Work, ratio: Callable[[Shown], float | None]) -> float | None:
        """The median ratio of runs of the same kind, or else of all; None before any run has shown it."""
        return self._typical(ratio, self.kinds.get(work.kind, ())) or self._typical(ratio, self.shown)

    @staticmethod
    def _typical(figure: Callable[[Shown], float | None], shown: Sequence[Shown]) -> float | None:
        known = [value for s in shown if (value := figure(s))]
        return median(known) if known else None


NOTHING_SHOWN = Machine()


def machine_of(runs: Iterable[RunState]) -> Machine:
    """What these runs have shown of the machine they ran on: those of a campaign, or earlier ones of the workspace."""
    newest_first = sorted(runs, key=lambda r: r.trainer.last_time or 0.0, reverse=True)
    alike = grouped(((r.spec.model, r.spec.size, r.spec.arm, r.spec.context), r) for r in newest_first)
    return Machine(tuple(s for of in alike.values() for run in of[:NEWEST] if (s := shown_by(run)) is not None))


def _pooled(shown: Sequence[Shown], own_variance: float) -> tuple[float, float]:
    """Mean and variance of the runs of one kind, combined to one observation of the kind."""
    precisions = [1 / (own_variance + BRIEF**2 / s.train_seconds) for s in shown]
    precision = sum(precisions)
    return sum(p * s.ratio for p, s in zip(precisions, shown, strict=True)) / precision, 1 / precision


def machine_tested(records: Iterable[SelfTest]) -> Machine:
    """What the self-tests of a machine's GPUs show of its speed, before any run did. GPUs that differ are averaged."""
    shown = []
    for record in records:
        for model, seconds in record.step_seconds.items():
            work = Work(model, "full", TESTED_DIM, TESTED_BATCH, 1, 1, 0, 0, record.device, 1)
            if seconds > 0:
                ratio = math.log(seconds / step_cost(work))
                shown.append(Shown(f"self-test of {record.uuid}: {model}", work, ratio, TESTED_SECONDS))
    return Machine(tuple(shown))
