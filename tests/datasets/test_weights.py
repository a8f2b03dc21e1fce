"""Caps of cluster weights: what is promised, and the theory behind it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.datasets.weights import NEAR_BEST, bell_mccaffrey, capped, default_cap, effective, expected_half_width

lengths = st.lists(st.integers(1, 2000), min_size=1, max_size=60)


@given(lengths)
@settings(deadline=None)
def test_the_default_cap_is_nearly_the_best_and_depends_on_nothing_but_lengths(sizes: list[int]) -> None:
    cap = default_cap(sizes)
    assert 1 <= cap <= max(sizes)
    assert cap == default_cap(sizes[::-1]) == default_cap(np.array(sizes))
    if len(sizes) > 1:
        assert expected_half_width(sizes, cap) <= NEAR_BEST * expected_half_width(sizes, None) * (1 + 1e-9)


@given(st.integers(1, 500), st.integers(1, 40))
def test_clusters_of_equal_length_are_not_capped(length: int, clusters: int) -> None:
    assert default_cap([length] * clusters) == length


def test_a_giant_does_not_decide() -> None:
    sizes = [2000] + [15] * 40
    cap = default_cap(sizes)
    share = capped(sizes, cap) / capped(sizes, cap).sum()
    assert share.max() < 0.1 and effective(share) > 30 and bell_mccaffrey([share]) > 20


def test_weights_of_articles_that_can_be_very_long_level_off_at_the_reciprocal_correlation() -> None:
    """With clusters enough, degrees of freedom hardly matter, and the cap is near 1 / .06."""
    sizes = np.random.default_rng(0).choice([2, 5, 10, 20, 50, 100, 400], 2000)
    assert 12 <= default_cap(sizes) <= 40


@given(st.lists(st.integers(1, 300), min_size=2, max_size=40), st.integers(1, 300))
def test_degrees_of_freedom_are_those_of_the_matrix(sizes: list[int], cap: int) -> None:
    w = capped(sizes, cap) / capped(sizes, cap).sum()
    m = np.eye(len(w)) - np.outer(np.ones(len(w)), w)
    a = m.T @ np.diag(w**2 / (1 - w)) @ m
    assert bell_mccaffrey([w]) == pytest.approx(np.trace(a) ** 2 / np.trace(a @ a), rel=1e-6)


def test_no_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="no held-out clusters"):
        default_cap([])
