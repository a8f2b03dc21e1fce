"""CR2 against the matrices of its definition, and against cases whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.datasets.weights import bell_mccaffrey
from lvmtui.formats.results import LEAST_DF, Estimate
from lvmtui.verdict.interval import Design, Floats, Integers


def estimate(scores: Floats, cluster: Integers, seed_means: Sequence[Floats] = (), unit: float = 1.0) -> Estimate:
    return Design([cluster]).estimate([scores], seed_means, unit)


sizes_of_clusters = st.lists(st.integers(1, 300), min_size=2, max_size=40)


@given(sizes_of_clusters)
def test_degrees_of_freedom_are_those_of_the_matrix(sizes: list[int]) -> None:
    w = np.array(sizes) / sum(sizes)
    m = np.eye(len(w)) - np.outer(np.ones(len(w)), w)
    a = m.T @ np.diag(w**2 / (1 - w)) @ m
    assert bell_mccaffrey([w]) == pytest.approx(np.trace(a) ** 2 / np.trace(a @ a), rel=1e-6)


@pytest.mark.parametrize("clusters", [2, 3, 10, 513, 2000])
def test_equal_clusters_give_one_degree_less_than_there_are(clusters: int) -> None:
    assert bell_mccaffrey([np.full(clusters, 1 / clusters)]) == pytest.approx(clusters - 1)


def test_equal_clusters_give_the_plain_standard_error_of_their_means() -> None:
    scores = np.array([1.0, 3.0, 2.0, 6.0, 5.0, 7.0])
    cluster = np.array([4, 4, 9, 9, 2, 2])
    means = np.array([2.0, 4.0, 6.0])
    found = estimate(scores, cluster)
    assert (found.value, found.clusters) == (4.0, 3)
    assert found.standard_error == pytest.approx(math.sqrt(np.var(means, ddof=1) / 3))
    assert (found.df, found.effective_clusters) == (pytest.approx(2), pytest.approx(3))


def test_windows_of_their_own_give_the_plain_standard_error() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    result = estimate(scores, np.arange(50))
    assert result.standard_error == pytest.approx(scores.std(ddof=1) / math.sqrt(50))
    assert result.df == pytest.approx(49)


@given(sizes_of_clusters, st.integers(0, 1000))
def test_effective_clusters_lie_between_one_and_their_number(sizes: list[int], seed: int) -> None:
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    result = estimate(np.random.default_rng(seed).normal(size=len(cluster)), cluster)
    assert 1 <= result.effective_clusters <= len(sizes) + 1e-9
    assert 0 < result.df <= len(sizes) - 1 + 1e-6
    interval = result.interval()
    assert (interval is None) is (result.df < LEAST_DF)
    assert interval is None or interval[0] <= result.value <= interval[1]


def test_one_cluster_has_no_interval() -> None:
    result = estimate(np.array([1.0, 2.0]), np.array([3, 3]))
    assert (result.standard_error, result.df, result.interval()) == (None, 0.0, None)


def test_equal_arms_have_the_interval_zero() -> None:
    result = estimate(np.zeros(20), np.repeat([0, 1, 2, 3], 5))
    assert result.interval() == (0.0, 0.0)


def test_seeds_widen_the_interval_as_stated() -> None:
    random = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), 30)
    scores = random.normal(0.01, 0.05, 600)
    base, expanded = np.array([0.50, 0.51, 0.52]), np.array([0.53, 0.53, 0.56])
    alone, together = estimate(scores, cluster), estimate(scores, cluster, (base, expanded))
    assert alone.standard_error is not None and together.standard_error is not None
    clusters, training = alone.standard_error**2, (base.var(ddof=1) + expanded.var(ddof=1)) / 3
    assert together.standard_error**2 == pytest.approx(clusters + training)
    assert together.df == pytest.approx((clusters + training) ** 2 / (clusters**2 / alone.df + training**2 / 4))


@given(sizes_of_clusters, st.integers(2, 5), st.floats(0, 0.2), st.integers(0, 1000))
def test_degrees_of_freedom_of_clusters_and_seeds_lie_between_the_smaller_and_their_sum(
    sizes: list[int], seeds: int, apart: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    scores = random.normal(0, 0.05, len(cluster))
    arms = [random.normal(0.5, apart, seeds) for _ in range(2)]
    alone, together = estimate(scores, cluster), estimate(scores, cluster, arms)
    assert together.cluster_df in (None, alone.df)
    least, most = sorted((alone.df, 2.0 * (seeds - 1)))
    assert least - 1e-6 <= together.df <= least + most + 1e-6


def test_what_is_scarce_is_what_makes_the_degrees_of_freedom_few() -> None:
    random = np.random.default_rng(4)
    scores, twelve, two = random.normal(0, 0.001, 240), np.repeat(np.arange(12), 20), np.repeat([0, 1], 120)
    apart, alike = (np.array([0.50, 0.56]), np.array([0.51, 0.57])), (np.array([0.5, 0.5]), np.array([0.5, 0.5001]))
    assert estimate(scores, twelve, apart).scarce() == "seeds"
    assert estimate(scores, twelve, alike).scarce() == "" == estimate(scores, twelve).scarce()
    assert estimate(scores, two, alike).scarce() == "clusters" == estimate(scores, two).scarce()


def test_one_seed_adds_nothing() -> None:
    scores, cluster = np.random.default_rng(2).normal(size=40), np.repeat(np.arange(8), 5)
    assert estimate(scores, cluster, (np.array([0.5]), np.array([0.6]))) == estimate(scores, cluster)


def test_unit_scales_value_and_error_alike() -> None:
    scores, cluster = np.random.default_rng(3).normal(size=40), np.repeat(np.arange(8), 5)
    plain, scaled = estimate(scores, cluster), estimate(scores, cluster, unit=0.005)
    assert scaled.value == pytest.approx(plain.value / 0.005)
    assert scaled.standard_error == pytest.approx((plain.standard_error or 0) / 0.005) and scaled.df == plain.df
