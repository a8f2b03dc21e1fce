"""Campaigns on a machine that is not quiet: seeded, no process, seconds to make.

The machine is unlike the reference in speed, each kind of model is unlike its place in the cost table, the speed
drifts, other people's jobs come and go, runs side by side slow each other down, some are paused, some end early.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace

from recorded import History, Recorded

from lvmtui.estimate.cost import closing_cost, evaluation_cost, step_cost, work_of
from lvmtui.formats.campaign import ArmFacts, Campaign, PlannedRun
from lvmtui.formats.live import Activity, Progress
from lvmtui.formats.spec import ARMS, ArmData, RunSpec
from lvmtui.formats.supervisor_log import Launched
from lvmtui.formats.trainer_log import Evaluated, Finished, HeldoutScores, Paused, Started, Trained
from lvmtui.models import MODELS, recipe_for
from lvmtui.system.process_id import Identity

START = 1_795_355_100.0


@dataclass(frozen=True)
class Noise:
    """Log standard deviations and chances of what goes on."""

    machine: float = 0.5
    kind: float = 0.2
    run: float = 0.04
    drift: float = 0.1
    """Standard deviation of the log of the speed, whose memory is `drift_share` of the campaign."""
    drift_share: float = 0.05
    other_jobs: float = 0.1
    """Share of the time in which somebody else's job takes a third of the speed."""
    beside: float = 0.1
    """How much slower two runs are side by side."""
    pauses: float = 0.1
    """Chance of a run to be paused once."""
    worse_small: tuple[float, float] = (0.2, 0.85)
    """Chance that an evaluation of the small arm brings no better loss, after a better one and after a worse; as in
    48 runs of the tuned recipe on the bundled data."""
    worse_large: tuple[float, float] = (0.1, 0.6)


@dataclass
class Running:
    """A run on its way."""

    history: History
    step_seconds: float
    evaluation_seconds: float
    closing_seconds: float
    startup_seconds: float
    random: random.Random
    worse: tuple[float, float]
    pause_at: int | None
    step: float = 0.0
    checkpoint: int = 0
    phase: Activity = "starting"
    left: float = 0.0
    """Seconds in a phase that is not training."""
    active: float = 0.0
    train_total: float = 0.0
    evaluated: int = 0
    """Step of the last evaluation."""
    evaluations: list[Evaluated] = field(default_factory=list)
    generation: int = 0
    # this life:
    pid: int = 0
    first_step: int = 0
    started: bool = False
    train_seconds: float = 0.0
    startup_spent: float = 0.0
    evaluation_spent: float = 0.0
    life_evaluations: int = 0
    since_point: tuple[float, float] = (0.0, 0.0)
    paces: list[float] = field(default_factory=list)


def simulated(seed: int, hours: float = 0.1, jobs: int = 2, seeds: int = 1, noise: Noise = Noise()) -> Recorded:
    """A campaign of the five small models, about so many hours long on the reference machine."""
    chance = random.Random(seed)
    machine = math.exp(chance.gauss(0, noise.machine))
    kinds = {model: math.exp(chance.gauss(0, noise.kind)) for model in MODELS}
    costs = [math.exp(chance.gauss(0, 0.4)) for _ in range(3)]
    campaign, specs = _plan(jobs, tuple(range(seeds)))
    reference = sum(step_cost(work_of(s)) * s.total_steps for s in specs.values()) / jobs
    scale = hours * 3600 / reference
    specs = {name: _longer(spec, scale) for name, spec in specs.items()}
    waiting = [_begin(specs[p.run], p, machine, kinds, costs, noise, chance) for p in campaign.runs]
    everyone = list(waiting)
    resting: list[tuple[float, Running]] = []
    active: list[Running] = []
    now, tick = START, max(0.1, hours * 3600 / 12_000)
    drift, other = 0.0, 1.0
    forget = tick / (noise.drift_share * hours * 3600)
    looked = now
    while waiting or active or resting:
        for until, run in list(resting):
            if now >= until:
                resting.remove((until, run))
                waiting.insert(0, run)
        while waiting and len(active) < jobs:
            run = waiting.pop(0)
            run.pid += 1000
            run.started, run.phase, run.left, run.startup_spent = False, "starting", run.startup_seconds, 0.0
            run.history.log.append(Launched(now, run.generation, _identity(run), "local", ""))
            active.append(run)
        drift += -forget * drift + noise.drift * math.sqrt(2 * forget) * chance.gauss(0, 1)
        if chance.random() < tick / (0.03 * hours * 3600):
            other = 1.5 if chance.random() < noise.other_jobs else 1.0
        slow = math.exp(drift) * other * (1 + noise.beside * (len(active) - 1))
        now += tick
        look = now - looked >= max(0.5, hours * 3600 / 1500)
        looked = now if look else looked
        for run in list(active):
            if _advance(run, now, tick, slow):
                active.remove(run)
                if run.history.finished is None:
                    resting.append((now + chance.uniform(0.02, 0.15) * hours * 3600, run))
            elif look and run.started:
                run.history.digits.append(_digits(run, now))
    return Recorded(campaign, {r.history.planned.run: r.history for r in everyone}, f"simulated {seed}")


def _advance(run: Running, now: float, tick: float, slow: float) -> bool:
    """One tick of a run's life; True if the process has left."""
    spec, time = run.history.spec, tick
    run.active += tick
    while time > 0:
        if run.phase != "training":
            used = min(time, run.left * slow)
            run.left -= used / slow
            time -= used
            if run.phase == "starting":
                run.startup_spent += used
            if run.phase == "evaluating":
                run.evaluation_spent += used
            if run.left > 1e-9:
                return False
            if run.phase == "heldout":
                run.history.log.append(_finished(run, now))
                return True
            if run.phase == "starting":
                _start(run, now)
            else:
                _evaluate(run, now)
            continue
        done = run.step >= spec.total_steps
        due = int(run.step) // spec.evaluate_every * spec.evaluate_every
        if (due > run.evaluated) or (done and run.evaluated < spec.total_steps):
            run.step = float(spec.total_steps if done else due)
            run.phase, run.left = "evaluating", run.evaluation_seconds
            run.history.digits.append(_digits(run, now))
            continue
        worse = next((n for n, e in enumerate(reversed(run.evaluations)) if e.best), len(run.evaluations))
        if done or (spec.recipe.patience is not None and worse >= spec.recipe.patience):
            run.phase, run.left = "heldout", run.closing_seconds
            run.history.digits.append(_digits(run, now))
            continue
        if run.pause_at is not None and run.step >= run.pause_at:
            run.pause_at, run.checkpoint = None, int(run.step)
            run.generation += 2
            run.history.log.append(Paused(now, int(run.step), run.active))
            return True
        pace = run.step_seconds * slow * math.exp(run.random.gauss(0, 0.15))
        run.paces = [*run.paces[-19:], pace]
        run.step = min(run.step + time / pace, float(due + spec.evaluate_every), float(spec.total_steps))
        run.train_seconds += time
        run.train_total += time
        time = 0
        step, seconds = run.since_point
        if run.step - step >= spec.total_steps / 400:
            rate = (run.step - step) * spec.recipe.batch_size / (run.train_seconds - seconds)
            run.history.log.append(Trained(now, int(run.step), 0.5, 0.5, 1e-3, rate, run.active))
            run.since_point = (run.step, run.train_seconds)
    return False


def _start(run: Running, now: float) -> None:
    run.step, run.first_step, run.started, run.phase = float(run.checkpoint), run.checkpoint, True, "training"
    run.train_seconds, run.life_evaluations, run.evaluation_spent, run.paces = 0.0, 0, 0.0, []
    run.since_point = (float(run.checkpoint), 0.0)
    checkpoint = "checkpoint.pt" if run.checkpoint else None
    run.history.log.append(
        Started(now, _identity(run), run.generation, run.checkpoint, checkpoint, (), run.active, 1_000_000, "cpu", {})
    )


def _evaluate(run: Running, now: float) -> None:
    after_worse = int(bool(run.evaluations) and not run.evaluations[-1].best)
    best = not run.evaluations or run.random.random() >= run.worse[after_worse]
    step = int(run.step)
    run.evaluated, run.phase = step, "training"
    run.life_evaluations += 1
    event = Evaluated(
        now, step, step / run.history.spec.steps_per_epoch, 0.48, 0.52, -0.1, 0.62, 0.5, 0.47, 0.53, 1e-3, best,
        run.evaluation_seconds, run.active,
    )  # fmt: skip
    run.evaluations.append(event)
    run.history.log.append(event)


def _digits(run: Running, now: float) -> Progress:
    steps = int(run.step) - run.first_step
    return Progress(
        now, run.phase, run.pid, int(run.step), 0.0, 0.5, 0.5, 1e-3, None, run.active, run.startup_spent, steps,
        run.train_seconds, sorted(run.paces)[len(run.paces) // 2] if run.paces else None,
        run.life_evaluations + (run.phase == "evaluating"), run.evaluation_spent, 0, 0.0,
    )  # fmt: skip


def _finished(run: Running, now: float) -> Finished:
    scores = HeldoutScores(run.history.spec.heldout_windows, 0.52, -0.1, 0.62, 0.5, 0.05, 0.1, 0.2)
    step = int(run.step)
    return Finished(
        now, step, step < run.history.spec.total_steps, step, 1.0, 0.52, scores, 1.0, 2.0, run.train_total, 0,
        "", "", "", run.active,
    )  # fmt: skip


def _identity(run: Running) -> Identity:
    return Identity("simulated", "boot", run.pid, 1)


def _begin(
    spec: RunSpec,
    planned: PlannedRun,
    machine: float,
    kinds: dict[str, float],
    costs: list[float],
    noise: Noise,
    chance: random.Random,
) -> Running:
    work = work_of(spec)
    speed = machine * kinds[spec.model] * math.exp(chance.gauss(0, noise.run))
    startup, evaluation, closing = costs
    return Running(
        History(planned, spec),
        step_seconds=speed * step_cost(work),
        evaluation_seconds=evaluation * speed * evaluation_cost(work),
        closing_seconds=closing * machine * closing_cost(work),
        startup_seconds=startup * 6 * machine**0.5 * math.exp(chance.gauss(0, 0.1)),
        random=random.Random(chance.random()),
        worse=noise.worse_small if spec.arm == "baseline" else noise.worse_large,
        pause_at=round(chance.uniform(0.1, 0.9) * spec.total_steps) if chance.random() < noise.pauses else None,
        pid=chance.randrange(1000, 2000) * 100_000,
    )


def _longer(spec: RunSpec, scale: float) -> RunSpec:
    every = max(1, round(spec.evaluate_every * scale))
    return replace(spec, total_steps=every * spec.recipe.evaluations, evaluate_every=every)


def _plan(jobs: int, seeds: tuple[int, ...]) -> tuple[Campaign, dict[str, RunSpec]]:
    id_ = "8k_vs_23k_20261122_134500"
    windows = {"baseline": (6_000, 900), "expanded": (16_000, 1_800)}
    facts, specs, runs = {}, {}, []
    for arm, label in zip(ARMS, ("8k", "23k"), strict=True):
        data = ArmData("bundled", "artifacts/lvm/datasets/0", (0, 1), arm)
        facts[arm] = ArmFacts(label, data, 1, 1, *windows[arm], 0)
    for seed in seeds:
        for model in MODELS:
            for arm in ARMS:
                name = f"{model}_{facts[arm].label}_s{seed}"
                runs.append(PlannedRun(name, name, model, arm, seed))
                recipe = recipe_for("tuned", model)
                specs[name] = RunSpec(
                    name, id_, model, "small", arm, facts[arm].label, seed, 384, 5, recipe, facts[arm].data, "", "",
                    *windows[arm], 2_200, 1_000, 84, "cpu", 1, True,
                )  # fmt: skip
    campaign = Campaign(
        id_, START, facts["baseline"], facts["expanded"], 384, 5, MODELS, "small", "tuned", seeds, 2_200, 100, "",
        jobs, 1, "cpu", tuple(runs), "", {},
    )  # fmt: skip
    return campaign, specs
