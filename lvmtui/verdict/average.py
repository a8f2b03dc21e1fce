"""The primary test: the average change over the planned models; and what single models must then show. Pure.

docs/judgement.md ("Several models") has the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean

from lvmtui.formats.results import ALPHA, Effects, Estimate

Matrix = tuple[tuple[float, ...], ...]
MOST_LOADING = 0.998
"""Largest loading of a model on the common factor: at 1 the integrand below would be a step function."""
NODES = 241
REACH = 6.0
"""Standard deviations of the common factor that are integrated over, at `NODES` points."""


def estimate_of(effects: Sequence[Effects], peers: Sequence[Effects] = ()) -> Estimate:
    """The mean of the changes of one or more models on the same clusters; `peers`: all models of the campaign. Its two
    parts of variance are independent. Raises ValueError for effects on different clusters, or none."""
    first, *others = effects
    if any(len(e.influence) != len(first.influence) or e.share != first.share for e in (*others, *peers)):
        raise ValueError("the changes are not of the same clusters")
    influence = _mean([e.influence for e in effects])
    clusters = math.fsum(i * i for i in influence)
    seeds = ((e.training / len(effects) ** 2, e.training_df) for e in effects if e.training > 0)
    training, training_df = _between_folds(effects, peers) if len(first.share) > 1 else satterthwaite(*seeds)
    variance, df = satterthwaite((clusters, first.cluster_df), (training, training_df))
    return Estimate(
        value=fmean(e.value for e in effects),
        standard_error=math.sqrt(variance) if first.cluster_df > 0 and math.isfinite(variance) else None,
        df=df,
        windows=first.windows,
        clusters=len(influence),
        effective_clusters=first.effective_clusters,
        cluster_df=first.cluster_df if training > 0 else None,
        from_training=training / variance if variance > 0 else 0.0,
    )


def satterthwaite(*parts: tuple[float, float]) -> tuple[float, float]:
    """The sum of independent variances and its degrees of freedom, from each part's (Satterthwaite 1946).

    Parts of zero have no say, unless all are zero. A part without degrees of freedom leaves the sum without any.
    """
    present = [part for part in parts if part[0] != 0] or list(parts[:1])
    total = math.fsum(variance for variance, _ in present)
    if len(present) < 2 or any(df <= 0 for _, df in present):
        return total, min((df for _, df in present), default=0.0)
    return total, total**2 / math.fsum(variance**2 / df for variance, df in present)


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(column) for column in zip(*rows, strict=True)]


def _between_folds(effects: Sequence[Effects], peers: Sequence[Effects]) -> tuple[float, float]:
    """Variance that seeds and a fold's training windows add, and its degrees of freedom: the moment estimator of a
    variance component, over all models together. An average over models also has what it shows itself, because a fold
    may favour all models at once."""
    share = effects[0].share
    weight, df = math.fsum(s * s for s in share), len(share) - 1.0
    pooled = max(0.0, fmean(_excess([e]) for e in peers or effects)), df * len(peers or effects)
    if len(effects) == 1:
        return pooled[0] * weight, pooled[1]
    own = _excess(effects)
    shared = pooled[0] / len(effects)
    return (own * weight, df) if own > shared else (shared * weight, pooled[1])


def _excess(effects: Sequence[Effects]) -> float:
    """Variance of a mean change between folds, minus that of clusters; may be negative."""
    share, change = effects[0].share, _mean([e.change for e in effects])
    within = [0.0] * len(share)
    for fold, moved in zip(effects[0].fold, _mean([e.influence for e in effects]), strict=True):
        within[fold] += moved * moved / share[fold] ** 2
    centre = fmean(change)
    return math.fsum((c - centre) ** 2 for c in change) / (len(change) - 1) - fmean(within)


def correlations(effects: Sequence[Effects]) -> Matrix:
    """(M, M) correlations of the errors of several models' changes. Only clusters make them correlate: seeds are
    taken to be independent between models, which can only widen intervals."""
    errors = [estimate_of([e]).standard_error or 0.0 for e in effects]

    def between(i: int, j: int) -> float:
        if i == j:
            return 1.0
        product = math.fsum(a * b for a, b in zip(effects[i].influence, effects[j].influence, strict=True))
        return max(-1.0, min(1.0, product / (errors[i] * errors[j]))) if errors[i] and errors[j] else 0.0

    return tuple(tuple(between(i, j) for j in range(len(effects))) for i in range(len(effects)))


def joint_level(correlation: Matrix) -> float:
    """The level at which each of M models is tested so that all M intervals hold together with 1 - ALPHA.

    It solves P(max |Z_i| > c) = ALPHA for normal Z (M,) with these correlations; the level is P(|Z_1| > c). Between
    ALPHA / M (independent, Sidak 1967) and ALPHA (all the same). A common factor stands for the correlations (see
    `loadings`), so that the probability is a single integral (Dunnett and Sobel 1955). t statistics of few degrees of
    freedom are compared at this level of their own distribution.
    """
    if len(correlation) < 2:
        return ALPHA
    # Rounded down, so that small changes of a growing campaign are answered from the cache.
    return _level(tuple(math.floor(1000 * max(0.0, a)) / 1000 for a in loadings(correlation)))


@cache
def _level(loading: tuple[float, ...]) -> float:
    low, high = 0.0, 10.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if 1 - _within(middle, loading) > ALPHA:
            low = middle
        else:
            high = middle
    return math.erfc(high / math.sqrt(2))


def _within(c: float, loading: Sequence[float]) -> float:
    """P(all |Z_i| <= c), Z_i = l_i F + sqrt(1 - l_i^2) E_i with independent normal F and E_i: trapezoidal rule."""
    step = 2 * REACH / (NODES - 1)
    total = 0.0
    for node in range(NODES):
        factor = -REACH + node * step
        inside = math.exp(-factor * factor / 2)
        for load in loading:
            rest = math.sqrt(2 * (1 - load * load))
            inside *= (math.erf((c - load * factor) / rest) - math.erf((-c - load * factor) / rest)) / 2
        total += inside
    return min(1.0, total * step / math.sqrt(2 * math.pi))


def loadings(correlation: Matrix) -> tuple[float, ...]:
    """(M,) loadings l on one common factor, with l_i l_j at most the correlation of i and j for every pair.

    Principal factor, then lowered where a pair would be taken for more alike than it is: too low a correlation only
    widens intervals (Sidak 1968: the probability rises with each loading).
    """
    size = len(correlation)
    matrix = [[max(0.0, r) for r in row] for row in correlation]
    found = [math.sqrt(max(matrix[i][j] for j in range(size) if j != i)) for i in range(size)]
    for _ in range(30):
        for i in range(size):
            others = math.fsum(found[j] ** 2 for j in range(size) if j != i)
            fitted = math.fsum(matrix[i][j] * found[j] for j in range(size) if j != i) / others if others else 0.0
            found[i] = min(MOST_LOADING, fitted)
    for i in range(size):
        for j in range(i):
            if found[i] * found[j] > matrix[i][j]:
                lower, other = (i, j) if found[i] <= found[j] else (j, i)
                found[lower] = matrix[i][j] / found[other]
    return tuple(found)
