"""Quantiles against published tables, the function against identities it must keep."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.system.student import incomplete_beta, t_quantile, two_sided_p

# Two-sided critical values as printed in tables of the t distribution (NIST/SEMATECH e-Handbook 1.3.6.7.2).
TABLE = [
    (0.05, 1, 12.706),
    (0.05, 2, 4.303),
    (0.05, 3, 3.182),
    (0.05, 5, 2.571),
    (0.05, 10, 2.228),
    (0.05, 30, 2.042),
    (0.05, 100, 1.984),
    (0.01, 4, 4.604),
    (0.01, 20, 2.845),
    (0.2, 7, 1.415),
    (0.002, 15, 3.733),
]


@pytest.mark.parametrize(("alpha", "df", "expected"), TABLE)
def test_quantiles_are_those_of_the_table(alpha: float, df: float, expected: float) -> None:
    assert t_quantile(alpha, df) == pytest.approx(expected, abs=6e-4)


def test_many_degrees_of_freedom_give_the_normal_quantile() -> None:
    assert t_quantile(0.05, 1e7) == pytest.approx(1.959964, abs=1e-5)


@given(st.floats(-50, 50))
def test_one_degree_of_freedom_is_cauchy(t: float) -> None:
    assert two_sided_p(t, 1) == pytest.approx(1 - 2 * math.atan(abs(t)) / math.pi, rel=1e-9, abs=1e-12)


@given(st.floats(-50, 50))
def test_two_degrees_of_freedom_have_a_closed_form(t: float) -> None:
    assert two_sided_p(t, 2) == pytest.approx(1 - abs(t) / math.sqrt(2 + t * t), rel=1e-9, abs=1e-12)


@given(st.floats(1e-6, 0.999), st.floats(0.3, 2000))
def test_quantile_and_p_are_inverse(alpha: float, df: float) -> None:
    t = t_quantile(alpha, df)
    if math.isfinite(t):
        assert two_sided_p(t, df) == pytest.approx(alpha, rel=1e-6)


@given(st.floats(0.1, 500), st.floats(0.1, 500), st.floats(0.001, 0.999))
def test_incomplete_beta_is_symmetric_and_between_zero_and_one(a: float, b: float, x: float) -> None:
    value = incomplete_beta(a, b, x)
    assert -1e-12 <= value <= 1 + 1e-12
    assert value + incomplete_beta(b, a, 1 - x) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("alpha", "df"), [(0.0, 3), (1.0, 3), (0.05, 0), (0.05, -1)])
def test_what_has_no_quantile_is_refused(alpha: float, df: float) -> None:
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(alpha, df)
