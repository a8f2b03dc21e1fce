"""A figure with what is known of its error: enough to say an interval at any level, without the scores behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lvmtui.verdict.student import t_quantile, two_sided_p

Interval = tuple[float, float]
ALPHA = 0.05
"""1 - the level of every interval that is shown."""
LEAST_DF = 3.0
"""Degrees of freedom below which an interval is not believed, and none is told: its half-width is over 3 standard
errors, and those are themselves known to within a factor of two at best."""


@dataclass(frozen=True)
class Estimate:
    """A mean over held-out windows that come in clusters."""

    value: float
    """In percent of the baseline, or cosine; who holds the estimate says which."""
    standard_error: float | None
    """In the unit of `value`. None: a single cluster, or a point estimate, tells nothing about the error."""
    df: float
    """Degrees of freedom of the standard error."""
    windows: int
    clusters: int
    effective_clusters: float
    """1 / sum(w^2) of the clusters' shares: how many clusters of equal size would weigh the same (Kish 1965)."""
    cluster_df: float | None = None
    """Degrees of freedom of the part of the variance that clusters make, where seeds make another; None: it is `df`."""

    def scarce(self, least: float = LEAST_DF) -> Literal["", "clusters", "seeds"]:
        """Of what there are too few for `least` degrees of freedom; empty: there are enough of both."""
        if self.df >= least:
            return ""
        return "seeds" if self.cluster_df is not None and self.cluster_df >= least else "clusters"

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """The 1 - alpha interval, None where the error is not known well enough."""
        if self.standard_error is None or self.scarce():
            return None
        half = t_quantile(alpha, self.df) * self.standard_error if self.standard_error > 0 else 0.0
        return self.value - half, self.value + half

    @property
    def p(self) -> float | None:
        """Two-sided p-value of "it is zero", None where there is no interval."""
        if self.standard_error is None or self.scarce():
            return None
        if self.standard_error == 0:
            return 1.0 if self.value == 0 else 0.0
        t = self.value / self.standard_error
        return 1.0 if math.isnan(t) else two_sided_p(t, self.df)
