"""What a campaign will be able to detect, before anything is trained; see docs/judgement.md, "Power". Pure.

For one model, with power .8 and level .05. An average over models on the same articles is known about as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvmtui.datasets.weights import CORRELATION, bell_mccaffrey, shares_of
from lvmtui.formats.results import LEAST_DF
from lvmtui.system.numbers import rounded_down
from lvmtui.system.student import t_quantile

MISSED = 0.2
"""1 - power."""
MOST_TIMES = 64
"""Largest multiple of the articles that is tried."""
LITTLE_GAINED = 0.1
"""Share of the smallest change that twice the seeds must save to be worth naming."""
TARGETS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0)
"""Changes in percent that a person may want to detect."""


@dataclass(frozen=True)
class Prior:
    """How differences between the arms vary. The defaults were measured on the bundled articles, tuned recipe."""

    window: float = 4.4
    """Standard deviation of a window's difference, in percent of the mean cosine."""
    correlation: float = CORRELATION
    """Share of that variance that lies between articles."""
    training: float = 0.08
    """Standard deviation of a change over seeds, in percent."""
    campaign: str = ""
    """Id of the campaign that it was measured on; empty: on the bundled articles."""

    @property
    def source(self) -> str:
        if not self.campaign:
            return "the bundled vectors"
        seeds = ", but between seeds as with the bundled vectors" if self.training == Prior.training else ""
        return f"campaign {self.campaign}{seeds}"


@dataclass(frozen=True)
class Power:
    """What can be detected."""

    smallest: float | None
    """Percent; None: nothing, because there are too few held-out articles."""
    df: float
    clusters: int
    seeds: int
    target: float | None = None
    """A smaller change that a person may want to detect."""
    times_articles: int | None = None
    """About how many times as many articles that takes; None: more than 64 times, or more seeds are needed as well."""
    with_seeds: float | None = None
    """The smallest change with twice the seeds, where that helps."""
    times_with_seeds: int | None = None
    """`times_articles` with twice the seeds."""
    folded: bool = False
    """Each seed holds out articles of its own."""
    seeds_to_fold: int = 0
    """So many seeds would; 0: they do, or none would. For the plan to say."""
    source: str = ""
    """The data whose variances it goes by."""

    @property
    def words(self) -> str:
        """`can detect a change of about 0.6 %; for 0.3 % about 4 times as many articles are needed`."""
        if self.smallest is None:
            uneven = ", some of them much longer than others," if self.df < 0.8 * (self.clusters - 1) else ""
            return (
                f"can detect nothing: {self.clusters} held-out articles{uneven} are too few ({rounded_down(self.df)} "
                f"degrees of freedom, {LEAST_DF:.0f} needed); give a larger file"
            )
        said = [f"can detect a change of about {self.smallest:.2g} %"]
        if self.target is not None and self.times_articles:
            said.append(f"for {self.target:g} % about {self.times_articles} times as many articles are needed")
        if most := self.seeds_to_fold:
            listed = " ".join(map(str, range(1, most + 1)))
            said.append(f"--seeds {listed} holds out up to {most} times as many")
        elif self.with_seeds:
            said.append(f"with {2 * self.seeds} seeds about {self.with_seeds:.2g} %")
        elif self.times_articles and self.times_with_seeds and 1.5 * self.times_with_seeds < self.times_articles:
            said.append(f"with {2 * self.seeds} seeds about {self.times_with_seeds} times as many")
        else:
            said.append("more seeds hold out more" if self.folded else "more seeds on the same articles gain little")
        return f"{'; '.join(said)} (if changes vary as with {self.source})"


def power(lengths: Sequence[Sequence[int]], cap: int | None, *, seeds: int = 1, prior: Prior = Prior()) -> Power:
    """What a campaign with these held-out clusters can detect.

    `lengths`: windows of each cluster, one list a fold (a campaign without folds has one list); with folds there is
    one seed a fold. Raises ValueError for no clusters.
    """
    if not lengths or not all(lengths):
        raise ValueError("no held-out clusters")
    seeds = len(lengths) if len(lengths) > 1 else seeds
    clusters = sum(map(len, lengths))
    smallest, df = _smallest(lengths, cap, seeds, prior)
    if smallest is None:
        return Power(None, df, clusters, seeds)
    target = max((t for t in TARGETS if t < 0.75 * smallest), default=None)

    def times(seeds: int) -> int | None:
        """How many times as many articles detect the target."""
        many = range(2, MOST_TIMES + 1) if target else ()
        found = ((n, _smallest([list(fold) * n for fold in lengths], cap, seeds, prior)[0]) for n in many)
        return next((n for n, change in found if change is not None and change <= (target or 0.0)), None)

    doubled = _smallest(lengths, cap, 2 * seeds, prior)[0]
    more = doubled if doubled is not None and doubled < (1 - LITTLE_GAINED) * smallest else None
    folded = len(lengths) > 1
    spared = times(2 * seeds) if more is None and not folded else None
    return Power(smallest, df, clusters, seeds, target, times(seeds), more, spared, folded, source=prior.source)


def variance_of_articles(lengths: Sequence[Sequence[int]], cap: int | None, prior: Prior) -> float:
    """The variance of a change, in percent squared, by which articles are held out. `lengths`: as in `power`."""
    found = 0.0
    for fold, (own, share) in zip(lengths, shares_of(lengths, cap), strict=True):
        spread = prior.correlation + (1 - prior.correlation) / np.asarray(fold, np.float64)
        found += own**2 * float(np.sum(share**2 * spread)) * prior.window**2
    return found


def _smallest(
    lengths: Sequence[Sequence[int]], cap: int | None, seeds: int, prior: Prior
) -> tuple[float | None, float]:
    """The smallest change that is detected, and the degrees of freedom."""
    if any(len(fold) < 2 for fold in lengths):
        return None, 0.0
    folds, shares = zip(*shares_of(lengths, cap), strict=True)
    df = bell_mccaffrey(shares, folds)
    if df < LEAST_DF:
        return None, df
    error = math.sqrt(variance_of_articles(lengths, cap, prior) + prior.training**2 / seeds)
    return t_quantile(0.05, df) * error + t_quantile(2 * MISSED, df) * error, df
