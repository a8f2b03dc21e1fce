"""Figures: one rounding, and a sign only where a digit that is shown carries it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.system.numbers import cosine, percent, signed, spread


@pytest.mark.parametrize(
    ("value", "as_cosine", "as_signed", "as_percent"),
    [
        (0.0, ".0000", ".0000", "0.00 %"),
        (-0.0, ".0000", ".0000", "0.00 %"),
        (0.00004, ".0000", ".0000", "0.00 %"),
        (-0.00004, ".0000", ".0000", "0.00 %"),
        (-0.00006, "−.0001", "−.0001", "0.00 %"),
        (0.5189, ".5189", "+.5189", "+0.52 %"),
        (-0.5189, "−.5189", "−.5189", "−0.52 %"),
        (1.0, "1.0000", "+1.0000", "+1.00 %"),
        (None, "–", "–", "–"),
        (float("nan"), "–", "–", "–"),
    ],
)
def test_the_sign_is_that_of_the_digits_shown(
    value: float | None, as_cosine: str, as_signed: str, as_percent: str
) -> None:
    assert (cosine(value), signed(value), percent(value)) == (as_cosine, as_signed, as_percent)


@given(st.floats(-1000, 1000), st.integers(1, 4))
def test_zero_has_no_sign_and_everything_else_has_one(value: float, digits: int) -> None:
    for text in (signed(value, digits), percent(value, digits)):
        is_zero = not re.search("[1-9]", text)
        assert text.startswith(("+", "−")) is not is_zero
        assert text.startswith("−") is (value < 0 and not is_zero)


def test_a_spread_is_told_once_where_its_ends_read_alike() -> None:
    assert spread([1274, 721, 900]) == "721 to 1,274"
    assert spread([721, 721]) == "721" and spread([]) == ""
    assert spread([9.04, 8.96], "{:.1f}".format) == "9.0" and spread([0.2, -0.1], signed) == "−.1000 to +.2000"
