"""How much a held-out cluster may weigh in the mean that is judged. Pure.

A cluster weighs w = min(length, cap), shared evenly by its windows. Why: "What is estimated" in `docs/judgement.md`.

With rho of the variance between clusters, the mean over a cluster of n windows has variance rho + (1 - rho) / n, so the
weights with the smallest variance are n / (1 + (n - 1) rho) (Kish 1965, section 5.4). Too few clusters also cost
degrees of freedom, so `default_cap` compares expected half-widths of the 95 % interval, t quantile included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from lvmtui.system.student import t_quantile

Floats = npt.NDArray[np.float64]
Lengths = Sequence[int] | npt.NDArray[np.number]

CORRELATION = 0.06
"""Intraclass correlation of the arms' difference: .05 to .06 on the bundled articles (`docs/judgement.md`)."""
NEAR_BEST = 1.02
"""Half-width a cap may have, times that of the best cap. The largest such cap is taken: the nearer the weights are to
the lengths, the nearer the figure is to the plain mean over windows."""
STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Caps that are tried: these times the powers of ten."""


def capped(lengths: Lengths, cap: int | None) -> Floats:
    """Weights (G,) of clusters of `lengths` (G,) windows; without a cap their lengths."""
    weights = np.asarray(lengths, np.float64)
    return weights if cap is None else np.minimum(weights, cap)


def shares_of(folds: Sequence[Lengths], cap: int | None) -> list[tuple[float, Floats]]:
    """For each fold of clusters its share of the weight, and those of its clusters (G,) within it."""
    weights = [capped(lengths, cap) for lengths in folds]
    total = sum(float(weight.sum()) for weight in weights)
    return [(float(weight.sum()) / total, weight / weight.sum()) for weight in weights]


def default_cap(lengths: Lengths) -> int:
    """The cap in windows for held-out clusters of these lengths (G,), G >= 1: the largest whose expected half-width is
    within 2 % of the smallest. Where all clusters are equally long that is their length: nothing is capped.

    It depends on nothing but lengths, so it is fixed before anything is trained. Raises ValueError for no clusters.
    """
    sizes = np.asarray(lengths, np.float64)
    if not len(sizes):
        raise ValueError("no held-out clusters")
    longest = int(sizes.max())
    caps = [round(step * 10.0**power) for power in range(len(str(longest))) for step in STEPS]
    tried = sorted({longest, *(cap for cap in caps if cap < longest)})
    expected = [expected_half_width(sizes, cap) for cap in tried]
    bar = NEAR_BEST * min(expected)  # infinite for a single cluster, which is not capped then
    return max(cap for cap, width in zip(tried, expected, strict=True) if width <= bar)


def expected_half_width(lengths: Lengths, cap: int | None) -> float:
    """Half-width of the 95 % interval of a mean over clusters, in standard deviations of a window; infinite for one."""
    sizes = np.asarray(lengths, np.float64)
    if len(sizes) < 2:
        return math.inf
    share = capped(sizes, cap)
    share = share / share.sum()
    variance = float(np.sum(share**2 * (CORRELATION + (1 - CORRELATION) / sizes)))
    return t_quantile(0.05, bell_mccaffrey([share])) * math.sqrt(variance)


def effective(weights: npt.NDArray[np.number]) -> float:
    """How many clusters of equal weight would carry as much as clusters of these weights (G,), shares or counts of
    windows: sum(w)^2 / sum(w^2) (Kish 1965); 0 for none."""
    w = np.asarray(weights, np.float64)
    return float(w.sum() ** 2 / np.sum(w**2)) if len(w) else 0.0


def bell_mccaffrey(shares: Iterable[npt.NDArray[np.floating]], folds: Iterable[float] = (1.0,)) -> float:
    """Degrees of freedom of the CR2 variance of a mean over clusters of shares w (G,), G >= 2: one array a fold, with
    the shares of the folds.

    tr(A)^2 / tr(A^2) with A = M' diag(a) M, a = w^2 / (1 - w), M = I - 1 w' (Bell and McCaffrey 2002, for cluster
    means of equal variance); with folds A has a block for each. Equal shares give G - 1.
    """
    found = [(own, *_traces(share)) for share, own in zip(shares, folds, strict=True)]
    return sum(own**2 * one for own, one, _ in found) ** 2 / sum(own**4 * two for own, _, two in found)


def _traces(share: npt.NDArray[np.floating]) -> tuple[float, float]:
    """tr(A) and tr(A^2) of `bell_mccaffrey`.

    They are the traces of diag(a) P with P = M M', P_ij = [i = j] - w_i - w_j + w'w. With c = w - w'w / 2, off the
    diagonal P_ij = -(c_i + c_j), so the double sum over a_i a_j P_ij^2 multiplies out to sums over one index. The
    largest cluster is kept apart: where it has nearly all of the weight, its terms would cancel.
    """
    w = np.sort(np.asarray(share, np.float64))
    a = w**2 / (1 - w)
    rest = float(w[:-1] @ w[:-1])
    others = np.append(rest + w[-1] ** 2 - w[:-1] ** 2, rest)
    diagonal = (1 - w) ** 2 + others
    with_largest = 2 * a[-1] * float(a[:-1] @ (w[-1] * (1 - w[-1]) + w[:-1] - rest) ** 2)
    b, c = a[:-1], w[:-1] - (rest + w[-1] ** 2) / 2
    first, second = float(b @ c), float(b @ c**2)
    among_rest = 2 * float(b.sum()) * second + 2 * first**2 - 4 * float(b**2 @ c**2)
    return float(a @ diagonal), float(a**2 @ diagonal**2) + with_largest + among_rest
