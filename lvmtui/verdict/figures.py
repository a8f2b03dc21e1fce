"""All figures of a comparison, from the scores of its pairs on their held-out windows. Pure, with numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.formats.results import STRATA, ArmScores, Effects, Estimate, Retrieval, Skill, Stratum
from lvmtui.formats.spec import ARMS, Arm
from lvmtui.verdict.interval import Booleans, Design, Floats, Integers, rounded

LEAST_COSINE = 1e-6
"""The least baseline a change is given in percent of: there is no percent of a cosine of zero."""


@dataclass(frozen=True)
class Scores:
    """The arrays of a `heldout.npz`, each (W,)."""

    version: int
    fingerprint: str
    window: Integers
    cluster: Integers
    stratum: Integers
    cosine: Floats
    last_cosine: Floats
    rank: Integers

    def same_windows(self, other: Scores) -> bool:
        return all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("window", "cluster", "stratum")
        )


@dataclass(frozen=True)
class TrivialScores:
    """A trivial baseline on the same windows."""

    cosine: Floats
    rank: Integers | None


@dataclass(frozen=True)
class ScoredPair:
    """The scores of one seed's two runs, on the same windows."""

    scores: Mapping[Arm, Scores]
    validation: Mapping[Arm, float]
    trivial: Mapping[Arm, Mapping[str, TrivialScores]]
    """By the name of the trivial baseline, as far as they are there."""


def measure(name: str, rank: Integers) -> Floats:
    """`hit_K`: 1 where the rank is at most K, else 0; `mrr`: 1 / rank. (W,) from ranks (W,)."""
    values: Floats = 1.0 / rank if name == "mrr" else (rank <= int(name.removeprefix("hit_"))).astype(np.float64)
    return values


class Figures:
    """The figures of K >= 1 pairs.

    Without folds all pairs share their windows, and a window's score is its mean over seeds. With folds each pair has
    windows of its own, and the pairs are pooled.
    """

    def __init__(self, pairs: Sequence[ScoredPair], cap: int | None = None, *, folds: bool = False) -> None:
        self.pairs = pairs
        self.cap = cap
        self.folds = folds
        self.everything = [np.ones(len(pair.scores["baseline"].window), bool) for pair in pairs]

    def change(self) -> Estimate:
        return self._change(self.everything)

    def difference(self) -> Estimate:
        """The change in cosine."""
        return self._paired(self.everything, *self._cosines())

    def unweighted(self) -> Estimate | None:
        """The change with every window weighing the same; None where the cap changes nothing."""
        clusters = [pair.scores["baseline"].cluster for pair in self.pairs]
        if self.cap is None or max(int(np.unique(c, return_counts=True)[1].max()) for c in clusters) <= self.cap:
            return None
        return Figures(self.pairs, folds=self.folds).change()

    def effects(self) -> Effects:
        """The change, cluster by cluster."""
        baseline, expanded = self._cosines()
        design, unit = self._design(self.everything), self._unit(self.everything, baseline)
        scores = self._pooled([e - b for b, e in zip(baseline, expanded, strict=True)])
        return rounded(design.effects(scores, self._seed_means(design, baseline, expanded), unit))

    def strata(self) -> tuple[Stratum, ...]:
        """The figures of each source that has held-out windows."""
        found = []
        for number, name in enumerate(STRATA):
            chosen = [pair.scores["baseline"].stratum == number for pair in self.pairs]
            if any(one.any() for one in chosen):
                baseline, expanded = (self._mean(chosen, values) for values in self._cosines())
                difference = self._paired(chosen, *self._cosines())
                found.append(Stratum(name, baseline, expanded, self._change(chosen), difference))
        return tuple(found)

    def retrieval(self) -> tuple[Retrieval, ...]:
        """Hits and mean reciprocal rank, paired, and against the trivial baseline that does best by each."""
        found = []
        for name in ("hit_1", "hit_10", "mrr"):
            baseline, expanded = ([measure(name, p.scores[arm].rank) for p in self.pairs] for arm in ARMS)
            ranked = {
                against: [measure(name, rank) for rank in ranks]
                for against in self._trivial_names("expanded")
                if len(ranks := self._trivial_ranks("expanded", against)) == len(self.pairs)
            }
            best = max(ranked, key=lambda one: self._mean(self.everything, ranked[one]), default="")
            found.append(
                Retrieval(
                    name=name,
                    baseline=self._mean(self.everything, baseline),
                    expanded=self._mean(self.everything, expanded),
                    change=self._paired(self.everything, baseline, expanded),
                    against=best,
                    trivial=self._mean(self.everything, ranked[best]) if best else None,
                    gain=self._gain(expanded, ranked[best]) if best else None,
                )
            )
        return tuple(found)

    def arm(self, arm: Arm) -> ArmScores:
        scores = [pair.scores[arm] for pair in self.pairs]
        cosines: list[Floats] = [s.cosine.astype(np.float64) for s in scores]
        by_seed = self._seed_means(self._design(self.everything), cosines)

        def mean(of: Callable[[Scores], npt.NDArray[np.floating]]) -> float:
            return self._mean(self.everything, [of(s) for s in scores])

        trivial = {
            name: self._mean(self.everything, [p.trivial[arm][name].cosine for p in self.pairs])
            for name in self._trivial_names(arm)
        }
        return ArmScores(
            cosine=mean(lambda s: s.cosine),
            margin=mean(lambda s: s.cosine - s.last_cosine),
            hit_1=mean(lambda s: measure("hit_1", s.rank)),
            hit_5=mean(lambda s: measure("hit_5", s.rank)),
            hit_10=mean(lambda s: measure("hit_10", s.rank)),
            validation=float(np.mean([pair.validation[arm] for pair in self.pairs])),
            seed_deviation=float(by_seed[0].std(ddof=1)) if by_seed and len(self.pairs) > 1 else None,
            skill=self._skill(arm, cosines, trivial),
            mrr=mean(lambda s: measure("mrr", s.rank)),
            trivial=trivial,
        )

    # Parts ------------------------------------------------------------------------------------------------------------

    def _skill(self, arm: Arm, cosines: list[Floats], trivial: Mapping[str, float]) -> Skill | None:
        """Against the trivial baseline that comes nearest to the truth on these windows."""
        if not trivial:
            return None
        against = max(trivial, key=trivial.__getitem__)
        return Skill(
            against, trivial[against], self._gain(cosines, [p.trivial[arm][against].cosine for p in self.pairs])
        )

    def _gain(self, mine: Sequence[Floats], theirs: Sequence[Floats]) -> Estimate:
        """A trained arm less a trivial baseline, which has no seeds."""
        design = self._design(self.everything)
        gains = self._pooled([m - t for m, t in zip(mine, theirs, strict=True)])
        return design.estimate(gains, self._seed_means(design, mine))

    def _trivial_names(self, arm: Arm) -> list[str]:
        """Trivial baselines that every pair has."""
        first, *others = (pair.trivial.get(arm, {}) for pair in self.pairs)
        return [name for name in first if all(name in other for other in others)]

    def _trivial_ranks(self, arm: Arm, name: str) -> list[Integers]:
        return [rank for pair in self.pairs if (rank := pair.trivial[arm][name].rank) is not None]

    def _cosines(self) -> tuple[list[Floats], list[Floats]]:
        found: list[list[Floats]] = [[p.scores[arm].cosine.astype(np.float64) for p in self.pairs] for arm in ARMS]
        return found[0], found[1]

    def _change(self, chosen: Sequence[Booleans]) -> Estimate:
        baseline, expanded = self._cosines()
        return self._paired(chosen, baseline, expanded, self._unit(chosen, baseline))

    def _unit(self, chosen: Sequence[Booleans], baseline: Sequence[Floats]) -> float:
        """One percent of the baseline."""
        return max(abs(self._mean(chosen, baseline)), LEAST_COSINE) / 100

    def _paired(
        self, chosen: Sequence[Booleans], baseline: Sequence[Floats], expanded: Sequence[Floats], unit: float = 1.0
    ) -> Estimate:
        """Expanded less baseline on the chosen windows, both one array (W,) a pair."""
        baseline, expanded = (
            [values[mask] for values, mask in zip(arm, chosen, strict=True)] for arm in (baseline, expanded)
        )
        design = self._design(chosen)
        differences = self._pooled([e - b for b, e in zip(baseline, expanded, strict=True)])
        return design.estimate(differences, self._seed_means(design, baseline, expanded), unit)

    def _mean(self, chosen: Sequence[Booleans], values: Sequence[Floats]) -> float:
        """Weighted mean over the chosen windows of one array (W,) a pair."""
        picked = [value[mask] for value, mask in zip(values, chosen, strict=True)]
        return self._design(chosen).mean(self._pooled(picked))

    def _design(self, chosen: Sequence[Booleans]) -> Design:
        clusters = [pair.scores["baseline"].cluster[mask] for pair, mask in zip(self.pairs, chosen, strict=True)]
        return Design([c for c in clusters if len(c)] if self.folds else clusters[:1], self.cap)

    def _pooled(self, values: Sequence[Floats]) -> list[Floats]:
        """One array a fold: without folds the mean over seeds."""
        return [v for v in values if len(v)] if self.folds else [np.mean(values, axis=0, dtype=np.float64)]

    def _seed_means(self, design: Design, *arms: Sequence[Floats]) -> list[Floats]:
        """(K,) for each trained arm; with folds none, as what seeds do is seen between folds."""
        return [] if self.folds else [np.array([design.mean([values]) for values in arm]) for arm in arms]
