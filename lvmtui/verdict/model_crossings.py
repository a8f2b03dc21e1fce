"""Two models over the same sizes: the better at each, where they cross, and what data makes up for size. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from lvmtui.formats.learning_curve import Leader, MoreForLess, Overtaking
from lvmtui.formats.results import ALPHA, LEAST_DF
from lvmtui.verdict.learning_curve import STEPS, FittedCurve, Floats, Measured, fit


def leaders(models: Mapping[str, Measured], labels: Sequence[str]) -> list[Leader]:
    """The best model at each of the S sizes that all models share, called by its label. A lead is clear if it excludes
    zero over every other model; the intervals hold jointly (Bonferroni)."""
    found = []
    for size, label in enumerate(labels):
        ranked = sorted(models, key=lambda model: float(models[model].error[size]))
        best = models[ranked[0]]
        clear = all(_side(best.less(models[other]), size, ALPHA / (len(models) - 1)) < 0 for other in ranked[1:])
        found.append(Leader(label, ranked[0], clear, ranked[1]))
    return found


def _side(difference: Measured, size: int, alpha: float) -> int:
    """-1 or 1 where the interval of the difference at a size excludes zero, else 0."""
    weights = np.zeros(len(difference.error))
    weights[size] = 1
    error, df = difference.standard_error(weights)
    if df < LEAST_DF:
        return 0
    value = float(difference.error[size])
    return int(np.sign(value)) if abs(value) > stats.t.ppf(1 - alpha / 2, df) * error else 0


def overtaking(one: str, other: str, difference: Measured, alpha: float = ALPHA) -> Overtaking | None:
    """Where the errors of `one` less those of `other` change their sign; None where it is not known that they do: each
    must be better at one end, clear of zero at the level `alpha`.

    The difference is taken to be straight in log n. The interval holds every size at which it may be zero (Fieller
    1954: no quotient of two estimates has to be normal).
    """
    first, last = _side(difference, 0, alpha), _side(difference, -1, alpha)
    if first * last >= 0:
        return None
    line = fit(difference)
    steps = np.linspace(float(np.log2(1 / line.span)), 0, STEPS)
    weights = line.last_weights[0] - steps[:, None] * line.weights[0]  # at exponent 0
    values = weights @ difference.error
    errors = np.array([difference.standard_error(row) for row in weights])
    near = np.abs(values) <= stats.t.ppf(1 - ALPHA / 2, np.maximum(errors[:, 1], 1)) * errors[:, 0]
    best = float(np.clip(line.last[0] / line.doubling[0], steps[0], 0))
    where = np.append(steps[near], best)
    largest = float(difference.windows[-1])
    before, after = (one, other) if first < 0 else (other, one)
    value, low, high = (largest * 2.0 ** float(step) for step in (best, where.min(), where.max()))
    return Overtaking(before, after, value, low, high)


def by_size(parameters: Mapping[str, int]) -> list[tuple[str, str]]:
    """The pairs of models with the same context, the one with fewer `parameters` first."""
    context = {model: model.partition("@")[2] for model in parameters}
    pairs = combinations(sorted(parameters, key=parameters.__getitem__), 2)
    return [(a, b) for a, b in pairs if parameters[a] < parameters[b] and context[a] == context[b]]


def more_for_less(smaller: str, larger: str, curve: FittedCurve, target: Measured) -> MoreForLess | None:
    """What the smaller model, of this `curve`, needs to equal the larger one, which is `target`; None where it is not
    known to be worse at the largest size, or its curve cannot be carried on.

    For each exponent that its curve allows and each factor the error it would have is compared with the larger model's;
    the interval holds every factor at which the two may be equal. Beyond the data all of it is extrapolation.
    """
    mine = curve.measured
    if curve.refuses(2) or _side(mine.less(target), -1, ALPHA) <= 0:
        return None
    room = curve.room(ALPHA)
    reached: list[float] = []
    value = None
    for factor in np.geomspace(1, curve.farthest, STEPS):
        times = curve.doublings(float(factor))
        ahead = curve.last - times * curve.doubling - float(target.error[-1])
        if value is None and ahead[curve.best] <= 0:
            value = float(factor)
        weights = curve.last_weights - times[:, None] * curve.weights
        if any(
            ahead[n] ** 2 <= room[n] * curve.widened**2 * _variance(mine, weights[n], target)
            for n in np.flatnonzero(room >= 0)
        ):
            reached.append(float(factor))
    low = min(reached, default=None)
    high = max(reached, default=None)
    end = float(curve.farthest)
    return MoreForLess(smaller, larger, value, low, None if high is None or np.isclose(high, end) else high, end)


def _variance(mine: Measured, weights: Floats, larger: Measured) -> float:
    """Variance of the weighted sum of `mine` minus the larger model's error at its largest size."""
    moved = mine.influence @ weights - larger.influence[:, -1]
    return float(moved @ moved + mine.training @ weights**2 + larger.training[-1])
