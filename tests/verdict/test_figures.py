"""The figures of a comparison: weights, folds, retrieval, sources, against direct arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.json_codec import decode, encode
from lvmtui.formats.results import Effects, Population
from lvmtui.formats.spec import ARMS
from lvmtui.verdict.average import estimate_of
from lvmtui.verdict.figures import Figures, ScoredPair, TrivialScores, WindowScores
from lvmtui.verdict.interval import Design

SIZES = (120, 60, 5, 8, 12, 20, 3, 30, 9, 40, 15, 2)


def pair(seed: int, gain: float = 0.01, sizes: tuple[int, ...] = SIZES, first: int = 0) -> ScoredPair:
    """Scores whose expanded arm is better by `gain` in the mean."""
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(first, first + len(sizes)), sizes).astype(np.int32)
    stratum = (cluster % 2).astype(np.uint8)
    baseline = np.clip(random.normal(0.5, 0.1, len(cluster)), -1, 1).astype(np.float32)
    expanded = (baseline + random.normal(gain, 0.02, len(cluster))).astype(np.float32)

    def scores(cosine: np.ndarray) -> WindowScores:
        rank = np.maximum(1, np.round(np.exp(4 - 8 * (cosine - 0.5)))).astype(np.int32)
        return WindowScores(1, "f", np.arange(len(cluster)), cluster, stratum, cosine, cosine - 0.1, rank)

    poor = TrivialScores(baseline - np.float32(0.2), np.full(len(cluster), 900, np.int32))
    good = TrivialScores(baseline - np.float32(0.01), np.full(len(cluster), 3, np.int32))
    trivial = {arm: {"copy_last": poor, "recency_mean": good} for arm in ARMS}
    made = {"baseline": scores(baseline), "expanded": scores(expanded)}
    return ScoredPair(made, {"baseline": 0.5, "expanded": 0.51}, trivial)


def weights(cluster: np.ndarray, cap: int | None) -> np.ndarray:
    """Weight of each window, by the definition."""
    sizes = np.bincount(cluster)[cluster]
    weight = np.ones(len(cluster)) if cap is None else np.minimum(1, cap / sizes)
    return weight / weight.sum()


@pytest.mark.parametrize("cap", [None, 10, 1])
def test_a_window_weighs_the_less_the_longer_its_article(cap: int | None) -> None:
    pairs = [pair(1), pair(2)]
    figures = Figures(pairs, cap)
    w = weights(pairs[0].scores["baseline"].cluster, cap)
    base, expanded = (np.mean([p.scores[arm].cosine.astype(float) for p in pairs], axis=0) @ w for arm in ARMS)
    assert figures.change().value == pytest.approx(100 * (expanded - base) / base)
    assert figures.difference().value == pytest.approx(expanded - base)
    assert figures.arm("expanded").cosine == pytest.approx(expanded)
    hits = np.mean([(p.scores["expanded"].rank <= 10) @ w for p in pairs])
    assert figures.arm("expanded").hit_10 == pytest.approx(hits)


def test_the_unweighted_figure_stands_beside_a_capped_one_only() -> None:
    pairs = [pair(1)]
    assert Figures(pairs, None).unweighted() is None and Figures(pairs, 120).unweighted() is None
    beside = Figures(pairs, 10).unweighted()
    assert beside and beside.change() == Figures(pairs, None).change()


def test_capping_a_long_article_gives_degrees_of_freedom() -> None:
    pairs = [pair(1)]
    plain, capped = Figures(pairs).change(), Figures(pairs, 10).change()
    assert capped.df > 1.5 * plain.df and capped.effective_clusters > 1.5 * plain.effective_clusters


@given(st.integers(0, 10_000), st.sampled_from([None, 5, 20]))
@settings(deadline=None, max_examples=30)
def test_effects_say_the_same_as_the_change(seed: int, cap: int | None) -> None:
    figures = Figures([pair(seed), pair(seed + 1)], cap)
    effects = decode(Effects, encode(figures.effects()))
    found, change = estimate_of([effects]), figures.change()
    assert found.value == pytest.approx(change.value)
    assert found.standard_error == pytest.approx(change.standard_error, rel=1e-4)
    assert found.df == pytest.approx(change.df, rel=1e-3)


@pytest.mark.parametrize("shift", [0.004, 0.1, -0.1, 0.25])
def test_the_baseline_has_an_error_too(shift: float) -> None:
    """The interval of a change by half was half as wide as a jackknife over articles says, and covered 69 %."""
    one = pair(1, shift)
    change, cluster = Figures([one]).change(), one.scores["baseline"].cluster
    base, expanded = (one.scores[arm].cosine.astype(float) for arm in ARMS)
    left = [cluster != number for number in np.unique(cluster)]
    ratios = np.array([100 * (expanded[rest].mean() / base[rest].mean() - 1) for rest in left])
    jackknife = np.sqrt((len(left) - 1) / len(left) * ((ratios - ratios.mean()) ** 2).sum())
    assert change.standard_error == pytest.approx(jackknife, rel=0.25)


def test_a_baseline_of_nothing_does_not_hide_the_sign_of_the_difference() -> None:
    """In percent of a cosine of .004, which may be zero, a change that is clear in cosine would be lost."""
    one = pair(1)
    lifted = {"baseline": one.scores["baseline"].cosine - np.float32(0.49), "expanded": one.scores["expanded"].cosine}
    scores = {arm: replace(one.scores[arm], cosine=lifted[arm]) for arm in ARMS}
    figures = Figures([replace(one, scores=scores)], 10)
    assert abs(figures.mean("baseline")) < 0.02 and figures.difference().side() == figures.change().side() == 1


def test_training_noise_of_the_baseline_counts_by_the_ratio() -> None:
    """Seeds that shift the baseline shift a change of 100 % twice as much as the expanded arm's do."""
    windows = np.random.default_rng(0).normal(0.3, 0.02, 200)
    design = Design([np.arange(200)])
    seeds = np.array([-0.01, 0.0, 0.01])
    first, second = (
        design.relative([windows], [2 * windows], means).training
        for means in ([0.3 + seeds, 0.6 + 0 * seeds], [0.3 + 0 * seeds, 0.6 + seeds])
    )
    assert first == pytest.approx(4 * second) and second == pytest.approx((100 / windows.mean()) ** 2 * 1e-4 / 3)


def test_folds_are_pooled_and_their_spread_is_in_the_interval() -> None:
    alike = [pair(seed, 0.01, first=100 * seed) for seed in range(3)]
    apart = [pair(seed, 0.01 + 0.05 * (seed - 1), first=100 * seed) for seed in range(3)]
    found, uneven = (Figures(pairs, 10, folds=True).change() for pairs in (alike, apart))
    one = Figures(alike[:1], 10).change()
    assert found.clusters == 3 * one.clusters and found.windows == 3 * one.windows
    assert found.standard_error and uneven.standard_error and one.standard_error
    assert found.standard_error < 0.8 * one.standard_error
    assert uneven.standard_error > 3 * found.standard_error and uneven.scarce() == "seeds"
    values = [Figures([p], 10).change().value for p in alike]
    assert min(values) <= found.value <= max(values)


def test_folds_without_a_source_are_left_out_of_its_figures() -> None:
    both = pair(1)
    only_own = pair(2, first=100)
    own = {arm: replace(s, stratum=np.zeros_like(s.stratum)) for arm, s in only_own.scores.items()}
    strata = Figures([both, replace(only_own, scores=own)], 10, folds=True).strata()
    assert [s.name for s in strata] == ["own", "new", "both"]
    assert strata[0].change.windows + strata[1].change.windows == 2 * sum(SIZES)


def test_retrieval_is_paired_and_held_against_the_trivial_baseline_that_finds_most() -> None:
    pairs = [pair(1, 0.05)]
    found = {figure.name: figure for figure in Figures(pairs, 10).retrieval()}
    assert set(found) == {"hit_1", "hit_10", "mrr"}
    mrr = found["mrr"]
    w = weights(pairs[0].scores["baseline"].cluster, 10)
    base, expanded = (1 / pairs[0].scores[arm].rank @ w for arm in ARMS)
    assert (mrr.baseline, mrr.expanded) == (pytest.approx(base), pytest.approx(expanded))
    assert mrr.change.value == pytest.approx(expanded - base) and mrr.change.interval()
    assert (mrr.against, mrr.trivial) == ("recency_mean", pytest.approx(1 / 3))
    assert mrr.gain and mrr.gain.value == pytest.approx(expanded - 1 / 3)


def test_without_ranks_of_trivial_baselines_retrieval_has_none_beside_it() -> None:
    one = pair(1)
    bare = {arm: {"mean": TrivialScores(one.scores[arm].cosine, None)} for arm in ARMS}
    (figure, *_) = Figures([replace(one, trivial=bare)]).retrieval()
    assert (figure.against, figure.trivial, figure.gain) == ("", None, None)


def test_a_fold_of_one_cluster_tells_no_error() -> None:
    found = Design([np.zeros(5, int), np.arange(5)]).estimate([np.arange(5.0), np.arange(5.0)])
    assert found.standard_error is None and found.interval() is None and found.scarce() == "clusters"


@pytest.mark.parametrize(("population", "number"), [("own", 0), ("new", 1)])
def test_figures_on_one_source_are_those_of_its_windows_alone(population: Population, number: int) -> None:
    pairs = [pair(1), pair(2)]
    found = Figures(pairs, 10).on(population)
    assert found
    chosen = pairs[0].scores["baseline"].stratum == number
    w = weights(np.unique(pairs[0].scores["baseline"].cluster[chosen], return_inverse=True)[1], 10)
    hits = np.mean([(p.scores["expanded"].rank[chosen] <= 10) @ w for p in pairs])
    assert found.arm("expanded").hit_10 == pytest.approx(hits)
    cosine = np.mean([p.trivial["expanded"]["recency_mean"].cosine[chosen].astype(float) @ w for p in pairs])
    assert found.arm("expanded").trivial["recency_mean"] == pytest.approx(cosine, abs=1e-6)
    (stratum,) = [s for s in Figures(pairs, 10).strata() if s.name == population]
    assert stratum.change == found.change() and stratum.effects == found.effects()


def test_there_are_no_figures_on_a_source_without_windows() -> None:
    only = pair(1)
    own = {arm: replace(s, stratum=np.zeros_like(s.stratum)) for arm, s in only.scores.items()}
    figures = Figures([replace(only, scores=own)], 10)
    assert figures.on("new") is None and [s.name for s in figures.strata()] == ["own"]
