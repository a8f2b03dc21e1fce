"""The error of a mean over windows that come in clusters (articles), and over seeds.

Windows of one article are not independent and articles differ in size by a hundred times, so neither the plain
standard error nor a percentile bootstrap over clusters covers what it claims (87 to 91 % instead of 95). This does:
the cluster-robust CR2 variance with the degrees of freedom of its own estimate (Bell and McCaffrey 2002; Imbens and
Kolesar 2016, section III), for the case of a mean. `benchmarks/coverage.py` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lvmtui.verdict.estimate import Estimate

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
ROWS = 512
"""Of a matrix over clusters that is never held whole."""


def estimate(scores: Floats, cluster: Integers, seed_means: Sequence[Floats] = (), unit: float = 1.0) -> Estimate:
    """The mean of `scores` (W,), which lie in clusters `cluster` (W,), in `unit`s.

    With K >= 2 seeds, `scores` are their averages and each array (K,) in `seed_means` holds the means of one trained
    arm, seed by seed. Its variance over seeds is added, and the degrees of freedom are combined as Satterthwaite
    (1946) does:

        V = V_CR2 + sum(s_arm^2) / K,    df = V^2 / (V_CR2^2 / df_BM + (sum(s_arm^2) / K)^2 / (arms (K - 1)))

    That lies between the smaller of the two parts' degrees of freedom and their sum (by Cauchy and Schwarz), so it may
    exceed the number of clusters less one: each part is known by itself, and their errors partly cancel.
    """
    mean, variance, df, clusters, effective = cr2(scores, cluster)
    cluster_df = None
    repeated = [means for means in seed_means if len(means) > 1]
    if repeated and math.isfinite(variance):
        training = sum(float(np.var(means, ddof=1)) / len(means) for means in repeated)
        training_df = sum(len(means) - 1 for means in repeated)
        total = variance + training
        if total > 0:
            cluster_df = df
            df = total**2 / (variance**2 / df + training**2 / training_df)
        variance = total
    return Estimate(
        value=mean / unit,
        standard_error=math.sqrt(variance) / abs(unit) if math.isfinite(variance) else None,
        df=df,
        windows=len(scores),
        clusters=clusters,
        effective_clusters=effective,
        cluster_df=cluster_df,
    )


def cr2(scores: Floats, cluster: Integers) -> tuple[float, float, float, int, float]:
    """Mean of `scores`, its CR2 variance, the variance's degrees of freedom, clusters, effective clusters.

    With shares w_g = n_g / N and residual sums e_g = sum of cluster g - n_g mean:

        V = sum(e_g^2 / (1 - w_g)) / N^2

    A single cluster gives variance infinity and 0 degrees of freedom. Raises ValueError for no scores.
    """
    if not len(scores):
        raise ValueError("no scores")
    _, index = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(index).astype(np.float64)
    sums = np.bincount(index, weights=np.asarray(scores, np.float64))
    mean = float(sums.sum() / sizes.sum())
    share = sizes / sizes.sum()
    effective = float(1 / np.sum(share**2))
    if len(sizes) == 1:
        return mean, math.inf, 0.0, 1, effective
    residual = sums - sizes * mean
    variance = float(np.sum(residual**2 / (1 - share)) / sizes.sum() ** 2)
    return mean, variance, bell_mccaffrey(share), len(sizes), effective


def bell_mccaffrey(share: Floats) -> float:
    """Degrees of freedom tr(A)^2 / tr(A^2) of the CR2 variance of a mean over clusters of shares w (G,), G >= 2.

    A = M' diag(a) M with a = w^2 / (1 - w) and M = I - 1 w'; equal shares give G - 1. The traces are those of
    diag(a) P with P = M M', P_ij = [i = j] - w_i - w_j + w'w: sums of terms that are not negative, taken some rows
    at a time because ten thousand clusters are possible.
    """
    w = np.asarray(share, np.float64)
    a = w**2 / (1 - w)
    squares = float(w @ w)
    trace = float(a @ ((1 - w) ** 2 + squares - w**2))
    of_square = 0.0
    for first in range(0, len(w), ROWS):
        rows = np.arange(first, min(first + ROWS, len(w)))
        p = squares - w[rows, None] - w
        p[rows - first, rows] += 1
        of_square += float(a[rows] @ p**2 @ a)
    return trace**2 / of_square
