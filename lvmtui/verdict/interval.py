"""The error of a mean over windows that come in clusters (articles), seeds and folds.

Windows of one article are not independent and articles differ in size by a hundred times. A plain standard error, or a
percentile bootstrap over clusters, then covers 87 to 93 % instead of 95. This does better: the cluster-robust CR2
variance with the degrees of freedom of its own estimate (Bell and McCaffrey 2002; Imbens and Kolesar 2016,
section III), for a weighted mean. `benchmarks/coverage.py` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.weights import bell_mccaffrey, effective, shares_of
from lvmtui.formats.results import Effects, Estimate
from lvmtui.verdict.average import estimate_of

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]

LEAST_MEAN = 1e-6
"""The least mean a change is given in percent of: there is no percent of zero."""
CLEAR = 4.0
"""Standard errors from zero from which on a mean's own error counts in a change in percent of it. Nearer to zero such a
percentage says nothing, and would hide on which side of zero the difference is."""


@dataclass(frozen=True)
class _Fold:
    index: Integers
    """(W,) number of each window's cluster, from 0."""
    sizes: Floats
    """(G,) windows in each cluster."""
    share: Floats
    """(G,) share of each cluster in the fold's weight; they add up to 1."""


class Design:
    """Which windows are averaged, with which weights: one array of windows per fold, each window in a cluster.

    A cluster of n windows weighs min(n, cap), shared evenly by its windows. Folds weigh what their clusters weigh.
    What is estimated is therefore the mean over windows in which no cluster counts for more than `cap` windows.
    """

    def __init__(self, clusters: Sequence[Integers], cap: int | None = None) -> None:
        """`clusters`: for each fold the cluster (W,) of every window; no cluster is in two folds.
        Raises ValueError where a fold, or everything, is empty."""
        if not clusters or not all(map(len, clusters)):
            raise ValueError("no scores")
        indices = [np.unique(cluster, return_inverse=True)[1] for cluster in clusters]
        sizes = [np.bincount(index).astype(np.float64) for index in indices]
        own, shares = zip(*shares_of(sizes, cap), strict=True)
        self._folds = [_Fold(*fold) for fold in zip(indices, sizes, shares, strict=True)]
        self.share: Floats = np.asarray(own)
        self.windows = sum(map(len, clusters))
        self.effective_clusters = effective(np.concatenate([a * share for a, share in zip(own, shares, strict=True)]))
        self.cluster_df = 0.0
        if all(len(share) > 1 for share in shares):
            # Rounded, so that four equal clusters have 3 and not a little less.
            self.cluster_df = round(float(bell_mccaffrey(shares, self.share)), 9)

    def mean(self, scores: Sequence[Floats]) -> float:
        """The weighted mean of `scores`, one array (W,) per fold."""
        means = (float(f.share @ _cluster_means(f, s)) for f, s in zip(self._folds, scores, strict=True))
        return float(sum(a * m for a, m in zip(self.share, means, strict=True)))

    def effects(self, scores: Sequence[Floats], seed_means: Sequence[Floats] = (), unit: float = 1.0) -> Effects:
        """The mean of `scores` (one array (W,) per fold) in `unit`s, with what makes its error.

        With one fold and K >= 2 seeds, `scores` are averages over seeds and each array (K,) in `seed_means` holds the
        means of one trained arm, seed by seed.
        """
        influence: list[Floats] = []
        fold: list[int] = []
        changes = []
        for number, (part, own, values) in enumerate(zip(self._folds, self.share, scores, strict=True)):
            means = _cluster_means(part, values)
            centre = float(part.share @ means)
            influence.append(own * part.share * (means - centre) / np.sqrt(np.maximum(1 - part.share, 1e-300)) / unit)
            fold += [number] * len(means)
            changes.append(centre / unit)
        training, training_df = _seeds(seed_means)
        return Effects(
            value=float(self.share @ np.asarray(changes)),
            fold=tuple(fold),
            influence=tuple(np.concatenate(influence).tolist()),
            share=tuple(self.share.tolist()),
            change=tuple(changes),
            cluster_df=self.cluster_df,
            windows=self.windows,
            effective_clusters=self.effective_clusters,
            training=training / unit**2,
            training_df=training_df,
        )

    def relative(
        self, baseline: Sequence[Floats], expanded: Sequence[Floats], seed_means: Sequence[Floats] = ()
    ) -> Effects:
        """How far the mean of `expanded` is above that of `baseline`, in percent of that; one array (W,) per fold.

        The mean it is a percentage of has an error too: to first order the ratio d / b moves as d - (d / b) b does
        (Cochran 1977, chapter 6). `seed_means`: those of the baseline, then those of the expanded arm.
        """
        before = self.mean(baseline)
        unit = max(abs(before), LEAST_MEAN)
        clear = abs(before) > CLEAR * (self.estimate(baseline).standard_error or 0.0)
        ratio = (self.mean(expanded) - before) / math.copysign(unit, before) if clear else 0.0
        scores = [e - b - ratio * (b - before) for b, e in zip(baseline, expanded, strict=True)]
        scaled = [means * scale for means, scale in zip(seed_means, (1 + ratio, 1.0), strict=False)]
        return self.effects(scores, scaled, unit / 100)

    def estimate(self, scores: Sequence[Floats], seed_means: Sequence[Floats] = (), unit: float = 1.0) -> Estimate:
        """The mean of `scores` with its error; the arguments are those of `effects`."""
        return estimate_of([self.effects(scores, seed_means, unit)])


def _cluster_means(fold: _Fold, scores: Floats) -> Floats:
    sums = np.bincount(fold.index, weights=np.asarray(scores, np.float64), minlength=len(fold.sizes))
    means: Floats = sums / fold.sizes
    return means


def _seeds(seed_means: Sequence[Floats]) -> tuple[float, float]:
    """Variance of a mean over seeds, the arms' variances added, and its degrees of freedom."""
    repeated = [means for means in seed_means if len(means) > 1]
    variance = sum(float(np.var(means, ddof=1)) / len(means) for means in repeated)
    return variance, float(sum(len(means) - 1 for means in repeated))
