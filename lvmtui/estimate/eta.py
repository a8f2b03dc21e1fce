"""How long it takes: a run, a pair, a campaign; with the range that holds the truth four times in five. Pure.

A run's time left is its start-up, steps, evaluations and end, each at what this machine has shown (`pace.py`), as many
as patience leaves (`stopping.py`). The campaign is its queue, played forward on `jobs` slots. Time is an argument.
Only steps of a process's own life count: those of an earlier attempt ran under conditions that are over. Pauses are in
no figure: what is counted is seconds of work.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lvmtui.estimate.cost import Work, step_cost, work_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine, Shown, latest_pace, machine_of
from lvmtui.estimate.stopping import UNKNOWN, Ends, Worsening, ends_of, quantile, without_better, worsening_of
from lvmtui.formats.campaign import start_order
from lvmtui.state.attempt import is_silent
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Phase, phases_with

RANGE = 1.2816
"""Standard deviations on each side that hold 80 % of a normal distribution."""
SHARED = 0.4
"""Correlation of two runs' errors: they share the machine. Chosen so that the range of simulated campaigns holds."""
ROUGH = 0.35
"""Log standard deviation of the seconds of start-up, evaluations and end, together a small part of a run."""
CALIBRATING = 0.5
"""Log standard deviation above which nothing is shown: a range of 1 to 3.6 is no help. A machine of which nothing is
known has .75, one that has shown some seconds of any model's training about .40."""
NOT_OVER = 0.9
"""Share of what a run is doing that can be taken as done before it says so itself."""
LEAST = 0.05
"""Seconds; a run that is not over has some left."""
UNKNOWN_SHARE = 0.5
"""Of a campaign's time that may be of runs which are calibrating: beyond that the whole is not known either."""
STOPPING = 2.0
"""Seconds in which a process that was told to pause or to end has made room."""
BETWEEN_RUNS = 0.5
"""Seconds from a run's last word until the next one's process starts: the first one's memory has to be given back."""

COUNTED = phases_with("works", "waits")
"""Phases of runs that go on by themselves."""
RUNS = phases_with("works")
"""Those of them that have a process now."""
LEFT_OUT = phases_with("held") | {Phase.PAUSING}
"""Phases of runs that are not over, and of which nobody knows when they go on."""
ENDING = phases_with("stopping")
"""Phases in which a process is about to free its place."""


@dataclass(frozen=True)
class Eta:
    """Seconds from now: in the middle, and the 80 % range."""

    seconds: float
    low: float
    high: float

    def times(self, factor: float) -> Eta:
        return Eta(factor * self.seconds, factor * self.low, factor * self.high)


@dataclass(frozen=True)
class RunEta:
    """A run's time; None: calibrating."""

    start_in: Eta | None
    """Until it starts; None also for a run that has started."""
    eta: Eta | None
    """Seconds of work, from now on or from its start."""

    @property
    def end_in(self) -> Eta | None:
        """Until it has ended."""
        if self.eta is None or self.start_in is None:
            return self.eta
        s, e = self.start_in, self.eta
        return Eta(s.seconds + e.seconds, s.low + e.low, s.high + e.high)


@dataclass(frozen=True)
class CampaignEta:
    """A campaign's time, as known at `now`."""

    now: float
    eta: Eta | None
    """Until its last run has ended; None: calibrating."""
    runs: Mapping[str, RunEta]
    """By run, for those that go on by themselves."""
    left_out: tuple[str, ...]
    """Runs that are not over and not counted: paused, waiting for disk space, on another host."""

    @property
    def ends(self) -> float | None:
        """When the last run has ended, in seconds since 1970."""
        return None if self.eta is None else self.now + self.eta.seconds

    def together(self, runs: Iterable[str]) -> Eta | None:
        """Until all of these runs (a pair's) have ended; None if that is not known. Runs that are over take no time."""
        names = set(runs)
        ends = [self.runs[name].end_in for name in names if name in self.runs]
        known = [end for end in ends if end is not None]
        if names & set(self.left_out) or len(known) < len(ends):
            return None
        low, middle, high = ((max((getattr(e, f) for e in known), default=0.0)) for f in ("low", "seconds", "high"))
        return Eta(middle, low, high)


# One run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """What a run still has to do."""

    steps: int
    """At most: patience may end it earlier."""
    evaluations: int
    to_next: int
    """Steps to the next evaluation."""
    doing: Literal["waiting", "starting", "training", "evaluating", "heldout"] = "waiting"
    spent: float = 0.0
    """Seconds in what it is doing now, since the figures above were taken."""
    without_better: int | None = None
    """Evaluations without a better loss in a row; None before the first evaluation."""

    def steps_until(self, evaluations: int, every: int) -> int:
        """Steps until so many more evaluations are over; the last one may come sooner after the one before it."""
        return min(self.steps, self.to_next + (evaluations - 1) * every) if evaluations else self.steps


@dataclass(frozen=True)
class Time:
    """Seconds of work: median, mean (another where a run may end early), and log standard deviations down and up."""

    median: float
    mean: float
    down: float
    up: float
    calibrated: bool

    @property
    def eta(self) -> Eta:
        return Eta(self.median, self.median * math.exp(-RANGE * self.down), self.median * math.exp(RANGE * self.up))


def all_of(work: Work) -> Left:
    """What a run has to do that has not begun."""
    return Left(work.steps, work.evaluations, min(work.steps, work.evaluate_every))


def left_of(work: Work, view: RunView, now: float) -> Left:
    """What a run of the campaign still has to do."""
    state = view.state
    if state is None:
        return all_of(work)
    alive = view.status.phase in RUNS
    step = min(work.steps, state.step if alive else _resumes_from(state))
    evaluated = [e for e in state.trainer.evaluations if e.step <= step]
    last = evaluated[-1].step if evaluated else 0
    evaluations = 0 if last >= work.steps else work.evaluations - last // work.evaluate_every
    worse = without_better(evaluated)
    if (
        work.patience is not None and worse is not None and worse >= work.patience
    ):  # patience is at its end: what is left is the end
        step, evaluations = work.steps, 0
    to_next = min(last + work.evaluate_every, work.steps) - step
    left = Left(work.steps - step, evaluations, max(0, to_next), without_better=worse)
    if not alive:
        return left
    live, launched, started = state.live, state.supervision.launched, state.trainer.started
    if started is None or is_silent(state) or live is None or live.activity == "starting":
        return replace(left, doing="starting", spent=max(0.0, now - launched.time) if launched else 0.0)
    spent = max(0.0, now - live.time)
    match live.activity:
        case "heldout":
            return Left(0, 0, 0, "heldout", spent)
        case "evaluating":
            return replace(left, doing="evaluating", spent=spent)
        case _:
            return replace(left, doing="training", spent=spent)


def _resumes_from(run: RunState) -> int:
    """The step at which a run that waits will go on."""
    started, checkpoint = run.trainer.started, run.trainer.checkpoint
    from_start = started is None or run.intent.restart > started.generation
    return 0 if from_start or checkpoint is None else checkpoint.step


def time_of(work: Work, left: Left, machine: Machine, chance: Worsening = UNKNOWN, own: Shown | None = None) -> Time:
    """How long that takes.

    `chance`: that evaluations bring no better loss; `own`: what the run itself has shown in this life.
    """
    guess = machine.step(work, own)
    speed = math.exp(guess.mean)
    step = speed * step_cost(work)
    evaluation = own.evaluation_seconds if own is not None else None
    if evaluation is None:
        evaluation = machine.evaluation(work, speed)
    closing = machine.closing(work, speed)
    startup = machine.startup if left.doing in ("waiting", "starting") else 0.0
    now = {"starting": startup, "training": step, "evaluating": evaluation, "heldout": closing}.get(left.doing, 0.0)
    rest = startup + closing - min(left.spent, NOT_OVER * now)

    def seconds(evaluations: int) -> float:
        """To the end, if that comes after so many more evaluations."""
        steps = left.steps_until(evaluations, work.evaluate_every)
        return max(steps * step + evaluations * evaluation + rest, LEAST)

    ends = _ends(work, left, chance)
    early, middle, late = (seconds(quantile(ends, share)) for share in (0.1, 0.5, 0.9))
    mean = sum(p * seconds(evaluations) for evaluations, p in ends)
    training = min(left.steps * step, middle)
    spread = math.hypot(training * math.sqrt(guess.variance), ROUGH * (middle - training)) / middle
    return Time(
        median=middle,
        mean=mean,
        down=math.hypot(spread, math.log(middle / early) / RANGE),
        up=math.hypot(spread, math.log(late / middle) / RANGE),
        calibrated=left.steps == 0 or math.sqrt(guess.variance) <= CALIBRATING,
    )


def _ends(work: Work, left: Left, chance: Worsening) -> Ends:
    return ends_of(left.evaluations, work.patience, left.without_better, chance)


# A campaign ---------------------------------------------------------------------------------------------------------


def campaign_eta(state: CampaignState, now: float) -> CampaignEta:
    """The time left for a campaign and each of its runs; `now` in seconds since 1970."""
    machine, times = _times(state, now)
    phases = {view.planned.run: view.status.phase for view in state.runs}
    slots = [times[run].median for run in times if phases[run] in RUNS]  # of the last run both say the same
    slots += [STOPPING for phase in phases.values() if phase in ENDING]
    order = [p.run for p in start_order(state.campaign, state.intent)]
    queue = [run for run in order if run in times and phases[run] not in RUNS]
    starts, total = play([times[run].mean for run in queue], slots, state.intent.jobs or state.campaign.jobs)
    down, up = _deviations(list(times.values()), SHARED)
    known = bool(machine.shown) and sum(t.mean for t in times.values() if not t.calibrated) <= UNKNOWN_SHARE * total
    start_in = {run: _range(start, down, up) if known else None for run, start in zip(queue, starts, strict=True)}
    return CampaignEta(
        now=now,
        eta=_range(total, down, up) if known or not times else None,
        runs={run: RunEta(start_in.get(run), t.eta if t.calibrated else None) for run, t in times.items()},
        left_out=tuple(run for run, phase in phases.items() if phase in LEFT_OUT),
    )


def _times(state: CampaignState, now: float) -> tuple[Machine, dict[str, Time]]:
    """What the campaign's runs have shown, and the time of each that will go on by itself."""
    states = [v.state for v in state.runs if v.state is not None and v.planned.trained_here]
    machine, chances = machine_of(states), worsening_of(states)
    begun = {_kind(s): s.trainer.started for s in states if s.trainer.started}
    device = next((started.device for started in begun.values()), None)
    shown = {s.run: s for s in machine.shown}
    times: dict[str, Time] = {}
    alike: dict[tuple[Work, Left, str], Time] = {}
    for view in state.runs:
        if view.status.phase not in COUNTED or view.state is None:
            continue
        run, spec = view.state, view.state.spec
        same, own_start = begun.get(_kind(run)), run.trainer.started
        told_device = own_start.device if own_start else device if spec.device == "auto" else None
        work = work_of(spec, same.parameters if same else None, told_device)
        left, chance = left_of(work, view, now), chances.get(spec.arm, UNKNOWN)
        own = shown.get(spec.run) if left.doing not in ("waiting", "starting") else None
        if own is not None:
            ahead = left.steps_until(quantile(_ends(work, left, chance), 0.5), work.evaluate_every)
            times[view.planned.run] = time_of(work, left, machine, chance, latest_pace(run, own, ahead))
        else:  # queued runs of many seeds are alike
            key = (work, left, spec.arm)
            times[view.planned.run] = alike.get(key) or alike.setdefault(key, time_of(work, left, machine, chance))
    return machine, times


def expected(times: Sequence[Time], jobs: int, machine: Machine = NOTHING_SHOWN) -> Eta:
    """How long a plan will take that has not started, its runs in this order on `jobs` slots.

    `machine`: what the times were told by, the runs of earlier campaigns; without any the range is wide.
    """
    _, total = play([t.mean for t in times], [], jobs)
    return _range(total, *_deviations(times, SHARED if machine.shown else 1.0))


def play(queue: Sequence[float], slots: Sequence[float], jobs: int) -> tuple[list[float], float]:
    """When each of the queue starts, and when all is over; `slots`: seconds until each run of now ends."""
    ends = list(slots)
    heapq.heapify(ends)
    total, starts = max(ends, default=0.0), []
    for seconds in queue:
        start = 0.0
        while len(ends) >= max(1, jobs):
            start = heapq.heappop(ends) + BETWEEN_RUNS
        heapq.heappush(ends, start + seconds)
        starts.append(start)
        total = max(total, start + seconds)
    return starts, total


def _deviations(times: Sequence[Time], shared: float) -> tuple[float, float]:
    """Log standard deviations (down, up) of the sum of times of which each pair is correlated by `shared`."""
    whole = sum(t.mean for t in times) or 1.0

    def of(deviations: Sequence[float]) -> float:
        parts = [t.mean / whole * d for t, d in zip(times, deviations, strict=True)]
        return math.sqrt(shared * sum(parts) ** 2 + (1 - shared) * sum(p * p for p in parts))

    return of([t.down for t in times]), of([t.up for t in times])


def _range(seconds: float, down: float, up: float) -> Eta:
    return Eta(seconds, seconds * math.exp(-RANGE * down), seconds * math.exp(RANGE * up))


def _kind(run: RunState) -> tuple[str, str, int]:
    """Runs that have the same number of parameters."""
    return (run.spec.model, run.spec.size, run.spec.dim)
