"""All figures of a comparison, from the scores of its pairs on their held-out windows. Pure, with numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from lvmtui.formats.results import STRATA, ArmScores, Effects, Estimate, Population, Retrieval, Skill, Stratum
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.verdict.average import estimate_of
from lvmtui.verdict.interval import Booleans, Design, Floats, Integers


@dataclass(frozen=True)
class WindowScores:
    """The arrays of a `heldout.npz`, each (W,)."""

    version: int
    fingerprint: str
    window: Integers
    cluster: Integers
    stratum: Integers
    cosine: Floats
    last_cosine: Floats
    rank: Integers

    def only(self, chosen: Booleans) -> WindowScores:
        """The scores of some windows, (W,) booleans."""
        columns = [f.name for f in fields(self) if f.name not in ("version", "fingerprint")]
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    def same_windows(self, other: WindowScores) -> bool:
        columns = ("window", "cluster", "stratum")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in columns)


@dataclass(frozen=True)
class TrivialScores:
    """A trivial baseline on the same windows."""

    cosine: Floats
    rank: Integers | None

    def only(self, chosen: Booleans) -> TrivialScores:
        return TrivialScores(self.cosine[chosen], None if self.rank is None else self.rank[chosen])


@dataclass(frozen=True)
class ScoredPair:
    """The scores of one seed's two runs, on the same windows."""

    scores: Mapping[ArmName, WindowScores]
    validation: Mapping[ArmName, float | None]
    trivial: Mapping[ArmName, Mapping[str, TrivialScores]]
    """By the name of the trivial baseline, of several contexts `ridge@3`, as far as they are there."""

    def on(self, population: Population) -> ScoredPair:
        """The pair on the held-out windows of a population."""
        if population == "both":
            return self
        chosen = self.scores["baseline"].stratum == STRATA.index(population)
        trivial = {arm: {name: s.only(chosen) for name, s in found.items()} for arm, found in self.trivial.items()}
        return ScoredPair({arm: s.only(chosen) for arm, s in self.scores.items()}, self.validation, trivial)


def retrieval_of(name: str, rank: Integers) -> Floats:
    """`hit_K`: 1 where the rank is at most K, else 0; `mrr`: 1 / rank. (W,) from ranks (W,)."""
    values: Floats = 1.0 / rank if name == "mrr" else (rank <= int(name.removeprefix("hit_"))).astype(np.float64)
    return values


class Figures:
    """The figures of K >= 1 pairs.

    Without folds all pairs share their windows, and a window's score is its mean over seeds. With folds each pair has
    windows of its own, and the pairs are pooled.
    """

    def __init__(self, pairs: Sequence[ScoredPair], cap: int | None = None, *, folds: bool = False) -> None:
        """Raises ValueError for no pairs, or one without windows."""
        self.pairs, self.cap, self.folds = pairs, cap, folds
        self.clusters = [pair.scores["baseline"].cluster for pair in pairs]
        self.design = Design(self.clusters if folds else self.clusters[:1], cap)
        self.cosines: dict[ArmName, list[Floats]] = {
            arm: [pair.scores[arm].cosine.astype(np.float64) for pair in pairs] for arm in ARMS
        }

    def on(self, population: Population) -> Figures | None:
        """The figures on some of the held-out articles; None where there are none. Folds without any are left out."""
        chosen = [part for pair in self.pairs if len((part := pair.on(population)).scores["baseline"].window)]
        return Figures(chosen, self.cap, folds=self.folds) if chosen else None

    def mean(self, arm: ArmName) -> float:
        return self._mean(self.cosines[arm])

    def change(self) -> Estimate:
        """In percent of the baseline."""
        return estimate_of([self._relative()])

    def difference(self) -> Estimate:
        """The change in cosine."""
        return self._gain(self.cosines["expanded"], self.cosines["baseline"], paired=True)

    def unweighted(self) -> Figures | None:
        """The figures with every window weighing the same; None where the cap changes nothing."""
        if self.cap is None or max(int(np.unique(c, return_counts=True)[1].max()) for c in self.clusters) <= self.cap:
            return None
        return Figures(self.pairs, folds=self.folds)

    def effects(self) -> Effects:
        """The change, cluster by cluster, to six significant digits: a document may hold ten thousand."""
        found = self._relative()
        return replace(found, influence=tuple(float(f"{i:.6g}") for i in found.influence))

    def strata(self) -> tuple[Stratum, ...]:
        """The figures of each source that has held-out windows; of both together where both have some."""
        parts = {name: part for name in STRATA if (part := self.on(name))}
        found: dict[Population, Figures] = {**parts, "both": self} if len(parts) > 1 else {**parts}
        return tuple(
            Stratum(name, of.mean("baseline"), of.mean("expanded"), of.change(), of.difference(), of.effects())
            for name, of in found.items()
        )

    def retrieval(self) -> tuple[Retrieval, ...]:
        """Hits and mean reciprocal rank, paired, and against the trivial baseline that does best by each."""
        found = []
        for name in ("hit_1", "hit_10", "mrr"):
            baseline, expanded = ([retrieval_of(name, p.scores[arm].rank) for p in self.pairs] for arm in ARMS)
            ranked = {
                against: [retrieval_of(name, rank) for rank in ranks]
                for against in self._trivial_names("expanded")
                if len(ranks := [r for p in self.pairs if (r := p.trivial["expanded"][against].rank) is not None])
                == len(self.pairs)
            }
            best = max(ranked, key=lambda one: self._mean(ranked[one]), default="")
            found.append(
                Retrieval(
                    name=name,
                    baseline=self._mean(baseline),
                    expanded=self._mean(expanded),
                    change=self._gain(expanded, baseline, paired=True),
                    against=best,
                    trivial=self._mean(ranked[best]) if best else None,
                    gain=self._gain(expanded, ranked[best]) if best else None,
                )
            )
        return tuple(found)

    def arm(self, arm: ArmName) -> ArmScores:
        scores, cosines = [pair.scores[arm] for pair in self.pairs], self.cosines[arm]
        by_seed = self._seed_means(cosines)
        validation = [found for pair in self.pairs if (found := pair.validation[arm]) is not None]
        measures = ("hit_1", "hit_5", "hit_10", "mrr")
        names = self._trivial_names(arm)
        trivial = {name: self._mean([pair.trivial[arm][name].cosine for pair in self.pairs]) for name in names}
        return ArmScores(
            cosine=self.mean(arm),
            margin=self._mean([s.cosine - s.last_cosine for s in scores]),
            validation=float(np.mean(validation)) if validation else None,
            seed_deviation=float(by_seed[0].std(ddof=1)) if by_seed and len(self.pairs) > 1 else None,
            skill=self._skill(arm, cosines, trivial),
            trivial=trivial,
            **{name: self._mean([retrieval_of(name, s.rank) for s in scores]) for name in measures},
        )

    # Parts ------------------------------------------------------------------------------------------------------------

    def _skill(self, arm: ArmName, cosines: list[Floats], trivial: Mapping[str, float]) -> Skill | None:
        """Against the trivial baseline that comes nearest to the truth on these windows."""
        if not trivial:
            return None
        against = max(trivial, key=trivial.__getitem__)
        theirs = [pair.trivial[arm][against].cosine for pair in self.pairs]
        return Skill(against, trivial[against], self._gain(cosines, theirs))

    def _gain(self, mine: Sequence[Floats], theirs: Sequence[Floats], *, paired: bool = False) -> Estimate:
        """A trained arm less a trivial baseline without seeds, or less another arm (`paired`); an array (W,) a pair."""
        gains = self._pooled([m - t for m, t in zip(mine, theirs, strict=True)])
        return self.design.estimate(gains, self._seed_means(mine, *([theirs] if paired else [])))

    def _trivial_names(self, arm: ArmName) -> list[str]:
        """Trivial baselines that every pair has."""
        first, *others = (pair.trivial.get(arm, {}) for pair in self.pairs)
        return [name for name in first if all(name in other for other in others)]

    def _relative(self) -> Effects:
        baseline, expanded = (self.cosines[arm] for arm in ARMS)
        seed_means = self._seed_means(baseline, expanded)
        return self.design.relative(self._pooled(baseline), self._pooled(expanded), seed_means)

    def _mean(self, values: Sequence[Floats]) -> float:
        """Weighted mean of one array (W,) a pair."""
        return self.design.mean(self._pooled(values))

    def _pooled(self, values: Sequence[Floats]) -> list[Floats]:
        """One array per fold; without folds, one array, the mean over seeds."""
        return list(values) if self.folds else [np.mean(values, axis=0, dtype=np.float64)]

    def _seed_means(self, *arms: Sequence[Floats]) -> list[Floats]:
        """(K,) for each trained arm; with folds none, as what seeds do is seen between folds."""
        return [] if self.folds else [np.array([self.design.mean([values]) for values in arm]) for arm in arms]
