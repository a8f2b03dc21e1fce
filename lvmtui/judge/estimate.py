"""A figure with what is known of its error: enough to say an interval at any level, without the scores behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lvmtui.judge.student import t_quantile, two_sided_p

Interval = tuple[float, float]
ALPHA = 0.05
"""1 - the level of every interval that is shown."""


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

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """The 1 - alpha interval, None where the error is not known."""
        if self.standard_error is None or self.df <= 0:
            return None
        half = t_quantile(alpha, self.df) * self.standard_error if self.standard_error > 0 else 0.0
        return self.value - half, self.value + half

    @property
    def p(self) -> float | None:
        """Two-sided p-value of "it is zero", None where the error is not known."""
        if self.standard_error is None or self.df <= 0:
            return None
        if self.standard_error == 0:
            return 1.0 if self.value == 0 else 0.0
        t = self.value / self.standard_error
        return 1.0 if math.isnan(t) else two_sided_p(t, self.df)
