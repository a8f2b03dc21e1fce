"""Time left of a run, a pair or a campaign, with a range that holds the true value four times in five. Pure.

The time left of a run is that of its start-up, steps, evaluations and end, at the pace this machine has shown
(`pace.py`), with as many steps as patience is likely to leave (`stopping.py`). A campaign is its queue, played forward
on `jobs` slots. The current time is an argument. Only steps of the newest process count as speed, because earlier
attempts ran under other conditions. All figures are seconds of work; pauses are not in them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lvmtui.estimate.cost import Work, step_cost, work_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine, Shown, latest_pace, machine_of
from lvmtui.estimate.stopping import UNKNOWN, Worsening, ends_of, quantile, without_better, worsening_of
from lvmtui.formats.campaign import start_order
from lvmtui.state.attempt import is_silent
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.liveness import longest_quiet
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Phase
from lvmtui.system.numbers import clock, duration, plural

RANGE = 1.2816
"""Standard deviations on each side that hold 80 % of a normal distribution."""
SHARED = 0.4
"""Correlation of the errors of two runs on one machine. Chosen so that ranges of simulated campaigns hold true."""
ROUGH = 0.35
"""Log standard deviation of the time of start-up, evaluations and end, together a small part of a run."""
CALIBRATING = 0.5
"""Log standard deviation above which no time is shown, since a range of 1 to 3.6 helps nobody. It is .75 on a machine
that has trained nothing yet, about .40 after some seconds of any model."""
NOT_OVER = 0.9
"""Largest share of a start, an evaluation or an end that counts as done before the run reports it. An end that takes
longer than expected is as far along, since nothing else tells that it goes on."""
LEAST = 0.05
"""Seconds left of a run that is not over, at least."""
UNKNOWN_SHARE = 0.5
"""Largest share of a campaign's time that runs of unknown speed may have before the whole counts as unknown."""
FREED_AFTER = 2.0
"""Seconds after which a process that was asked to pause or to end has freed its place."""
HANGING = {
    Phase.STALLED: "a stalled run",
    Phase.SUSPENDED: "a suspended run, which keeps its place",
    Phase.PAUSING: "a run that does not stop",
    Phase.CANCELLING: "a run that does not stop",
}
"""Runs that have a place, and nobody knows for how long, once there are words for why."""
BETWEEN_RUNS = 0.5
"""Seconds from the end of a run to the start of the next process: its memory has to be freed first."""


@dataclass(frozen=True)
class Eta:
    """Seconds from now: the median and the 80 % range."""

    seconds: float
    low: float
    high: float

    def times(self, factor: float) -> Eta:
        return Eta(factor * self.seconds, factor * self.low, factor * self.high)

    def left_words(self, span: str = "", told: Callable[[float], str] = duration) -> str:
        """`5 m 10 s left` and the span; `ending` for `0 s left`, which is not true while work goes on."""
        return f"{told(self.seconds)} left{span}" if round(self.seconds) else "ending"


@dataclass(frozen=True)
class RunEta:
    """Time of a run. None: not enough of this machine's speed is known."""

    start_in: Eta | None
    """Seconds until it starts; also None for a run that has started."""
    eta: Eta | None
    """Seconds of work from now on, or from its start."""

    @property
    def end_in(self) -> Eta | None:
        """Seconds until it has ended."""
        if self.eta is None or self.start_in is None:
            return self.eta
        s, e = self.start_in, self.eta
        return Eta(s.seconds + e.seconds, s.low + e.low, s.high + e.high)


@dataclass(frozen=True)
class CampaignEta:
    """Time left of a campaign, as known at `now`."""

    now: float
    eta: Eta | None
    """Until its last run has ended; None: see `unknown`."""
    runs: Mapping[str, RunEta]
    """By name, for the runs that continue without an order."""
    left_out: tuple[str, ...]
    """Runs that are not over and not counted: paused, not known, no step or disk space, or a job that cannot start."""
    unknown: str = ""
    """Why there is no time: `calibrating` while not enough of this machine's speed is known, or what it waits for."""

    @property
    def ends(self) -> float | None:
        """When the last run will have ended, in seconds since 1970."""
        return None if self.eta is None or self.left_out else self.now + self.eta.seconds

    @property
    def end_words(self) -> str:
        """`ends 14:32`, or how many runs the time left does not count."""
        return f"{plural(len(self.left_out), 'run')} not counted" if self.left_out else f"ends {clock(self.ends)}"

    def together(self, runs: Iterable[str]) -> Eta | None:
        """Until all of these runs (of a pair) have ended; None if unknown. Runs that are over take no time."""
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
    """At most; patience may end the run earlier."""
    evaluations: int
    to_next: int
    """Steps to the next evaluation."""
    doing: Literal["waiting", "starting", "training", "evaluating", "heldout"] = "waiting"
    spent: float = 0.0
    """Seconds it has spent on its current activity since the figures above were read. Those without a step count down
    with the clock until there are so many that they are told (`Status.no_step`)."""
    without_better: int | None = None
    """Evaluations without a better loss in a row; None before the first evaluation."""

    def steps_until(self, evaluations: int, every: int) -> int:
        """Steps until so many more evaluations are done; the last interval may be shorter."""
        return min(self.steps, self.to_next + (evaluations - 1) * every) if evaluations else self.steps


@dataclass(frozen=True)
class Time:
    """Seconds of work: median, mean (it differs if a run may end early), and log standard deviations down and up."""

    median: float
    mean: float
    down: float
    up: float
    calibrated: bool

    @property
    def eta(self) -> Eta:
        return _range(self.median, self.down, self.up)


def all_of(work: Work) -> Left:
    """The whole work of a run that has not begun."""
    return Left(work.steps, work.evaluations, min(work.steps, work.evaluate_every))


def left_of(work: Work, view: RunView, now: float) -> Left:
    """The work that is left of a run of the campaign. `now`: seconds since 1970."""
    state = view.state
    if state is None:
        return all_of(work)
    alive, live, launched = view.status.pace == "works", state.live, state.supervision.launched
    step = min(work.steps, view.step)
    evaluated = [e for e in state.trainer.evaluations if e.step <= step]
    last, worse = evaluated[-1].step if evaluated else 0, without_better(evaluated)
    evaluations = 0 if last >= work.steps else work.evaluations - last // work.evaluate_every
    if work.patience is not None and worse is not None and worse >= work.patience:  # it ends early, now
        step, evaluations = work.steps, 0
    to_next = max(0, min(last + work.evaluate_every, work.steps) - step)
    left = Left(work.steps - step, evaluations, to_next, without_better=worse)
    if not alive:
        return left
    if live is None or live.activity == "starting" or state.trainer.started is None or is_silent(state):
        return replace(left, doing="starting", spent=max(0.0, now - launched.time) if launched else 0.0)
    spent = max(0.0, now - live.time)
    if live.activity == "heldout":
        return Left(0, 0, 0, "heldout", spent)
    if live.activity == "evaluating":
        return replace(left, doing="evaluating", spent=spent)
    return replace(left, doing="training", spent=min(spent, longest_quiet(live)))


def time_of(work: Work, left: Left, machine: Machine, chance: Worsening = UNKNOWN, own: Shown | None = None) -> Time:
    """How long that work takes. `chance`: how likely evaluations bring no better loss; `own`: what the run's newest
    process has shown."""
    guess = machine.step(work, own)
    speed = math.exp(guess.mean)
    step = speed * step_cost(work)
    evaluation = own.evaluation_seconds if own is not None else None
    if evaluation is None:
        evaluation = machine.evaluation(work, speed) if work.ours else 0.0
    closing = machine.closing(work, speed if work.ours else 1.0)
    startup = machine.startup if left.doing in ("waiting", "starting") else 0.0
    if left.doing == "heldout":
        closing = max(closing, left.spent / NOT_OVER)
    now = {"starting": startup, "evaluating": evaluation, "heldout": closing}.get(left.doing, 0.0)
    rest = startup + closing - (left.spent if left.doing == "training" else min(left.spent, NOT_OVER * now))

    def seconds(evaluations: int) -> float:
        """Seconds to the end, if it comes after so many more evaluations."""
        return max(left.steps_until(evaluations, work.evaluate_every) * step + evaluations * evaluation + rest, LEAST)

    ends = ends_of(left.evaluations, work.patience, left.without_better, chance)
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


# A campaign ---------------------------------------------------------------------------------------------------------


def campaign_eta(state: CampaignState, now: float) -> CampaignEta:
    """Time left of a campaign and of each of its runs. `now`: seconds since 1970."""
    times = _times(state, now)
    statuses = {view.planned.run: view.status for view in state.runs}
    slots = [times[run].median for run in times if statuses[run].pace == "works"]  # so the last run and the sum agree
    slots += [FREED_AFTER for status in statuses.values() if status.pace == "stopping" and not status.reason]
    order = [p.run for p in start_order(state.campaign, state.intent)]
    queue = [run for run in order if run in times and statuses[run].pace != "works"]
    never = [view.planned.run for view in state.runs if view.job is not None and view.job.never]
    waiting = [view.job for view in state.runs if view.job is not None and view.job.waiting and not view.job.never]
    new = sum(job.new for job in waiting)  # a moment before it says why it waits, or runs in a place that was free
    in_line = new < len(waiting)
    places = len(slots) + new if in_line else state.intent.jobs or state.campaign.jobs  # what the cluster gives now
    slow = [s for s in statuses.values() if s.no_step is not None or (s.phase in HANGING and s.reason)]
    hanging = ["a run that makes no step" if s.no_step is not None else HANGING[s.phase] for s in slow]
    stuck = len(never) + len(hanging)
    places -= 0 if in_line else stuck
    starts, total = play([times[run].mean for run in queue], slots, places)
    down, up = _deviations(list(times.values()), SHARED)
    unknown = ""
    if state.waits_for and not slots:
        unknown = f"waits for campaign {state.waits_for}"
    elif in_line and not places:
        unknown = "waits for the cluster"
    elif state.silence or (not times and Phase.UNKNOWN in {status.phase for status in statuses.values()}):
        unknown = "time left not known"
    elif stuck and (places < 1 if queue else not times):
        hang = " and ".join(dict.fromkeys(hanging))
        unknown = f"{plural(len(never), 'job')} will not start" if never else f"waits for {hang}"
    elif not times and any(status.pace == "stopping" for status in statuses.values()):
        unknown = "runs are stopping"
    elif times and sum(t.mean for t in times.values() if not t.calibrated) > UNKNOWN_SHARE * total:
        unknown = "calibrating"
    start_in = {run: None if unknown else _range(start, down, up) for run, start in zip(queue, starts, strict=True)}
    runs = {run: RunEta(start_in.get(run), t.eta if t.calibrated else None) for run, t in times.items()}
    held = [run for run, s in statuses.items() if s.pace == "held" or s.phase is Phase.PAUSING or run in never]
    eta = None if unknown else _range(total, down, up)
    return CampaignEta(now=now, eta=eta, runs=runs, left_out=tuple(held), unknown=unknown)


def _times(state: CampaignState, now: float) -> dict[str, Time]:
    """The time of each run that continues without an order, by what the campaign's runs have shown."""
    states = [v.state for v in state.runs if v.state is not None and v.planned.trained_here]
    machine, chances = machine_of(states), worsening_of(states)
    begun = {_kind(s): s.trainer.started for s in states if s.trainer.started}
    device = next((started.device for started in begun.values()), None)
    shown = {s.run: s for s in machine.shown}
    times: dict[str, Time] = {}
    alike: dict[tuple[Work, Left, str], Time] = {}
    for view in state.runs:
        goes_on = view.status.pace in ("works", "waits") and not (view.job is not None and view.job.never)
        if view.state is None or not goes_on:
            continue
        run, spec = view.state, view.state.spec
        same, own_start = begun.get(_kind(run)), run.trainer.started
        told_device = own_start.device if own_start else device if spec.device == "auto" else None
        work = work_of(spec, same.parameters if same else None, told_device)
        left, chance = left_of(work, view, now), chances.get(spec.arm, UNKNOWN)
        own = shown.get(spec.run) if left.doing not in ("waiting", "starting") else None
        if own is not None:
            ends = ends_of(left.evaluations, work.patience, left.without_better, chance)
            ahead = left.steps_until(quantile(ends, 0.5), work.evaluate_every)
            times[view.planned.run] = time_of(work, left, machine, chance, latest_pace(run, own, ahead))
        else:  # queued runs of several seeds have the same time
            key = (work, left, spec.arm)
            times[view.planned.run] = alike.get(key) or alike.setdefault(key, time_of(work, left, machine, chance))
    return times


def expected(times: Sequence[Time], jobs: int, machine: Machine = NOTHING_SHOWN) -> Eta:
    """How long a plan will take that has not started, with its runs in this order on `jobs` slots.

    `machine`: what earlier campaigns have shown, which the times are based on; without it the range is wide.
    """
    _, total = play([t.mean for t in times], [], jobs)
    return _range(total, *_deviations(times, SHARED if machine.shown else 1.0))


def play(queue: Sequence[float], slots: Sequence[float], jobs: int) -> tuple[list[float], float]:
    """Seconds until each run of the queue starts, and until all have ended.

    `queue`: seconds of each waiting run; `slots`: seconds until each current run ends.
    """
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
    """Log standard deviations (down, up) of the sum of times whose errors have the correlation `shared`."""
    whole = sum(t.mean for t in times) or 1.0

    def of(deviations: Sequence[float]) -> float:
        parts = [t.mean / whole * d for t, d in zip(times, deviations, strict=True)]
        return math.sqrt(shared * sum(parts) ** 2 + (1 - shared) * sum(p * p for p in parts))

    return of([t.down for t in times]), of([t.up for t in times])


def _range(seconds: float, down: float, up: float) -> Eta:
    return Eta(seconds, seconds * math.exp(-RANGE * down), seconds * math.exp(RANGE * up))


def _kind(run: RunState) -> tuple[str, str, int, int]:
    """Equal for runs with the same number of parameters."""
    return (run.spec.model, run.spec.size, run.spec.dim, run.spec.context)
