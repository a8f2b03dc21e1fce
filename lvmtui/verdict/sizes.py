"""Measure the learning curves of a campaign of several sizes.

Reads the held-out scores of every finished run, each proven to be the file its run vouched for. Only the short process
`lvmtui.report.make` imports this module: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean

import numpy as np

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.learning_curve import LEAST_SIZES, Fit, LearningCurve, ModelCurve, MoreForLess, Point, Worth
from lvmtui.formats.results import ALPHA, STRATA
from lvmtui.formats.spec import ArmName
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.system.numbers import finite, plural
from lvmtui.system.text import sanitise
from lvmtui.verdict.compare import read_scores, trivial_scores
from lvmtui.verdict.comparison import repeated_seeds
from lvmtui.verdict.figures import TrivialScores, WindowScores
from lvmtui.verdict.interval import Booleans, Design
from lvmtui.verdict.learning_curve import FittedCurve, Floats, Measured, fit, measure
from lvmtui.verdict.model_crossings import by_size, leaders, more_for_less, overtaking
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.rows import UNFIT

DRAWN = 48
"""Points of a curve, for pictures."""
Cells = Mapping[tuple[ArmName, int], WindowScores]
"""A model's scores by arm and seed."""


@dataclass(frozen=True)
class _Judged:
    """A model with the sizes and seeds its curve is made of."""

    arms: tuple[ArmName, ...]
    seeds: tuple[int, ...]
    measured: Measured | None
    """None with fewer than two sizes."""
    curve: FittedCurve | None
    document: ModelCurve


def judged_of(state: CampaignState) -> dict[str, _Judged]:
    """What each model's curve is made of; not of runs that say nothing about their data, whatever their score."""
    unfit = {run for run, findings in Judgement(state).health.items() if any(f.kind in UNFIT for f in findings)}
    return {model: _judge(state, model, unfit) for model in state.campaign.models}


def curves_of(state: CampaignState, inputs: str, now: float) -> LearningCurve:
    """The curves of all models, and what they say of each other."""
    judged = judged_of(state)
    # Only models with the same sizes and seeds can be set against each other, window by window.
    kinds = [(one.arms, one.seeds) for one in judged.values() if one.measured]
    most = max(kinds, key=kinds.count, default=None)
    alike = {model: one for model, one in judged.items() if one.measured and (one.arms, one.seeds) == most}
    measured = {model: one.measured for model, one in alike.items() if one.measured}
    labels = [point.label for point in next(iter(alike.values())).document.points] if alike else []
    alpha = ALPHA / max(1, len(measured) - 1)  # as clear as a lead must be, see `leaders`
    pairs = combinations(measured, 2) if len(labels) > 2 else ()
    found = [overtaking(a, b, measured[a].less(measured[b]), alpha) for a, b in pairs]
    return LearningCurve(
        campaign=state.campaign.id,
        inputs=inputs,
        made=now,
        models=tuple(one.document for one in judged.values()),
        best=tuple(leaders(measured, labels)) if len(measured) > 1 else (),
        overtakings=tuple(one for one in found if one),
        more_for_less=tuple(_needs(state, alike)),
        titles={model: sanitise(title_of(model, state.campaign.titles), 60) for model in judged},
    )


def _needs(state: CampaignState, alike: Mapping[str, _Judged]) -> list[MoreForLess]:
    sizes: dict[str, int] = {}
    for view in state.runs:
        started = view.state.trainer.started if view.state else None
        if started and view.planned.model in alike:
            sizes[view.planned.model] = started.parameters
    found = []
    for smaller, larger in by_size(sizes):
        curve, target = alike[smaller].curve, alike[larger].measured
        if curve and target:
            found.append(more_for_less(smaller, larger, curve, target))
    return [one for one in found if one]


# One model -----------------------------------------------------------------------------------------------------------


def _judge(state: CampaignState, model: str, unfit: set[str]) -> _Judged:
    campaign = state.campaign
    cells: dict[tuple[ArmName, int], WindowScores] = {}
    faults: dict[tuple[ArmName, int], str] = {}
    coming = 0
    again = repeated_seeds(state, model)
    for view in (v for v in state.runs if v.planned.model == model and v.planned.seed not in again):
        scores, fault = _scores(view, unfit)
        if scores is not None:
            cells[view.planned.arm, view.planned.seed] = scores
        elif view.state is not None and not view.status.over:
            coming += 1
        else:
            faults[view.planned.arm, view.planned.seed] = fault
    arms, seeds = _most_complete(tuple(campaign.arms), campaign.seeds, cells)
    missing = _missing(faults, arms, seeds, campaign)
    grid = _Grid(state, model, arms, seeds, cells)
    measured = grid.measured() if len(arms) > 1 else None
    points = grid.points(measured) if measured else ()
    curve = fit(measured) if measured and len(arms) >= LEAST_SIZES else None
    return _Judged(arms, seeds, measured, curve, _document(model, points, missing, coming, curve))


def _scores(view: RunView, unfit: set[str]) -> tuple[WindowScores | None, str]:
    """The scores of a run, or why there are none."""
    if view.finished is None:
        return None, view.status.phase.value
    if view.planned.run in unfit:
        return None, "collapsed or failed to learn"
    return read_scores(view.folder.heldout, view.finished.heldout_digest)


def _most_complete(
    arms: Sequence[ArmName], seeds: Sequence[int], cells: Cells
) -> tuple[tuple[ArmName, ...], tuple[int, ...]]:
    """The sizes and seeds, each with all of the others, that keep the most runs: a size that lacks a seed is left out,
    or that seed is. Those that make a curve come first, and among equals those with more sizes."""
    found: list[tuple[tuple[ArmName, ...], tuple[int, ...]]] = [((), ())]
    for count in range(len(seeds), 0, -1):
        for chosen in combinations(seeds, count):
            found.append((tuple(arm for arm in arms if all((arm, seed) in cells for seed in chosen)), chosen))
    return max(found, key=lambda one: (len(one[0]) >= LEAST_SIZES, len(one[0]) * len(one[1]), len(one[0])))


def _missing(
    faults: Mapping[tuple[ArmName, int], str], arms: Sequence[ArmName], seeds: Sequence[int], campaign: Campaign
) -> tuple[str, ...]:
    """The runs that are missing, each with the size or the seed that is left out with it."""
    said = []
    for (arm, seed), fault in faults.items():
        run = f"{campaign.arm(arm).label} seed {seed}" if len(campaign.seeds) > 1 else campaign.arm(arm).label
        more = f", so seed {seed} of all sizes is left out" if arm in arms and seed not in seeds else ""
        if arm not in arms and len(campaign.seeds) > 1:
            more = ", so this size is left out"
        said.append(f"{run}: {fault}{more}")
    return tuple(said)


@dataclass(frozen=True)
class _Grid:
    """A model's scores at some sizes, each with the same seeds."""

    state: CampaignState
    model: str
    arms: Sequence[ArmName]
    seeds: Sequence[int]
    cells: Cells

    @cached_property
    def design(self) -> Design:
        campaign = self.state.campaign
        held = [self.cells[self.arms[0], seed] for seed in (self.seeds if campaign.folds else self.seeds[:1])]
        return Design([scores.cluster[self._judging(scores)] for scores in held], campaign.cluster_cap)

    def measured(self) -> Measured:
        runs = {arm: [self.state.view(self.model, arm, seed) for seed in self.seeds] for arm in self.arms}
        windows = [fmean(v.state.spec.train_windows if v and v.state else 0 for v in views) for views in runs.values()]
        return measure(self.design, windows, [self._pooled(arm, self._scores(arm)) for arm in self.arms])

    def points(self, measured: Measured) -> tuple[Point, ...]:
        found = []
        for number, (arm, whisker) in enumerate(zip(self.arms, measured.whiskers.tolist(), strict=True)):
            facts = self.state.campaign.arm(arm)
            of_seed = dict(zip(self.state.campaign.seeds, facts.by_seed.get("vectors", ()), strict=False))
            trivial = self._trivial(arm)
            against = max(trivial, key=trivial.__getitem__, default="")
            found.append(
                Point(
                    arm=arm,
                    label=facts.label,
                    vectors=round(fmean(of_seed.get(seed, facts.vectors) for seed in self.seeds)),
                    windows=float(measured.windows[number]),
                    seeds=len(self.seeds),
                    cosine=1 - float(measured.error[number]),
                    whisker=finite(whisker),
                    trivial=trivial.get(against),
                    against=against,
                )
            )
        return tuple(found)

    def _scores(self, arm: ArmName) -> list[WindowScores]:
        return [self.cells[arm, seed] for seed in self.seeds]

    def _judging(self, scores: WindowScores) -> Booleans:
        """(W,) the held-out windows that the verdict is about."""
        judge_on = self.state.campaign.judge_on
        return np.ones(len(scores.window), bool) if judge_on == "both" else scores.stratum == STRATA.index(judge_on)

    def _pooled(self, arm: ArmName, of_seeds: Sequence[WindowScores | TrivialScores]) -> list[list[Floats]]:
        """Cosines on the windows of each seed of a size, as `measure` takes them."""
        pairs = zip(of_seeds, self._scores(arm), strict=True)
        cosines: list[Floats] = [one.cosine[self._judging(scores)].astype(np.float64) for one, scores in pairs]
        return [cosines] if self.state.campaign.folds else [[one] for one in cosines]

    def _trivial(self, arm: ArmName) -> dict[str, float]:
        """Cosine of each trivial baseline of a size, weighted as the models are."""
        windows = {seed: len(self.cells[arm, seed].window) for seed in self.seeds}
        found = [trivial_scores(self.state, self.model, arm, seed, many) for seed, many in windows.items()]
        names = [name for name in found[0] if all(name in other for other in found)]
        pooled = {name: self._pooled(arm, [one[name] for one in found]) for name in names}
        return {name: fmean(map(self.design.mean, seeds)) for name, seeds in pooled.items()}


def _document(
    model: str, points: tuple[Point, ...], missing: tuple[str, ...], coming: int, curve: FittedCurve | None
) -> ModelCurve:
    waits = f"{plural(coming, 'run')} to come" if coming else ""
    if curve is None:
        reason = waits or f"{plural(len(points), 'size')} judged with the same seeds; a curve needs {LEAST_SIZES}"
        return ModelCurve(model, points, missing, None, reason, None, None, None, None)
    cosine = points[-1].cosine
    word, reason = (None, waits) if waits else curve.word(cosine)
    low, high = curve.plausible_exponents
    largest = curve.measured.windows
    along = np.geomspace(largest[0], 2 * largest[-1], DRAWN)
    line = tuple(zip(along.tolist(), (1 - curve.at(along)).tolist(), strict=True))
    shown = Fit(curve.exponent, low, high, curve.floor, curve.scale, curve.fits, curve.widened, line, curve.bends_up)
    worths = (_worth(curve, factor, cosine) for factor in (2, 10, None))
    return ModelCurve(model, points, missing, word, reason, shown, *worths)


def _worth(curve: FittedCurve, factor: float | None, cosine: float) -> Worth:
    """What that many times the largest size would bring; None: all that more data could."""
    times = np.inf if factor is None else factor
    if reason := curve.refuses(times):
        return Worth(factor, None, None, None, reason)
    gain = curve.gain(times).times(100 / max(abs(cosine), 1e-6))
    return Worth(factor, finite(gain.value), finite(gain.low), finite(gain.high))
