"""Spearman's rank correlation with a p-value that holds for few points. Pure, standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from statistics import fmean

from lvmtui.system.student import two_sided_p

EXACT = 7
"""Points up to which all orders are tried: 5,040 of them."""


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Spearman's rho and its two-sided p-value: exact for up to `EXACT` points, by Student's t for more."""
    a, b = _ranks(x), _ranks(y)
    rho = _pearson(a, b)
    if len(a) > EXACT:
        if abs(rho) >= 1:
            return rho, 0.0
        return rho, two_sided_p(rho * math.sqrt((len(a) - 2) / (1 - rho * rho)), len(a) - 2)
    orders = list(permutations(b))
    return rho, sum(abs(_pearson(a, order)) >= abs(rho) - 1e-12 for order in orders) / len(orders)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; ties get their mean rank."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def _pearson(a: Sequence[float], b: Sequence[float]) -> float:
    mean_a, mean_b = fmean(a), fmean(b)
    cross = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    scale = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return cross / scale if scale else 0.0
