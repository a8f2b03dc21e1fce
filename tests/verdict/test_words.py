"""The words, in the order in which they may be said, and the chances."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.results import POPULATIONS, Estimate, Stratum
from lvmtui.system.numbers import cosine, signed
from lvmtui.verdict.words import (
    DOWN,
    UP,
    Word,
    chances,
    change_and_interval,
    cosine_interval,
    degree_of,
    interval_words,
    no_interval,
    population_words,
    skill_words,
    stratum_change,
    verdict,
)


def change(value: float, error: float | None, df: float = 40) -> Estimate:
    return Estimate(value, error, df, windows=2000, clusters=60, effective_clusters=50)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (1.54, 0.3, "improved, minor"),
        (0.80, 0.1, "improved, slight"),
        (4.20, 0.5, "improved, large"),
        (-0.80, 0.1, "regressed, slight"),
        (-1.10, 0.2, "regressed, minor"),
        (-3.14, 0.2, "regressed, large"),
        (0.40, 0.3, "too close to call"),
        (0.10, 0.1, "negligible"),
        (0.25, 0.05, "negligible"),  # clear of zero, and too small to matter
        (0.00, 0.0, "negligible"),
    ],
)
def test_words_of_three_seeds(value: float, error: float, words: str) -> None:
    assert verdict(change(value, error), seeds=3).words == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (1.54, 0.3, "leans up"),
        (-4.20, 0.5, "leans down"),
        (0.40, 0.3, "too close to call"),
        (0.10, 0.1, "negligible"),
    ],
)
def test_one_seed_only_leans(value: float, error: float, words: str) -> None:
    assert verdict(change(value, error), seeds=1).words == words


def test_unfair_comes_before_everything() -> None:
    found = verdict(change(5, 0.1), seeds=3, unfair=["other held-out windows", "other recipe"])
    assert found.sentence == "not comparable: other held-out windows; other recipe"
    assert verdict(None, seeds=3).word is Word.NOT_COMPARABLE


def test_few_degrees_of_freedom_give_no_verdict_and_say_so() -> None:
    found = verdict(change(5, 0.1, df=2.99), seeds=3)
    assert found.word is Word.NO_VERDICT
    assert found.reason == (
        "too few held-out clusters: 60, which carry as much as 50.0 of equal weight (2.9 degrees of freedom, 3 needed)"
    )
    assert verdict(change(5, None, df=0), seeds=3).word is Word.NO_VERDICT
    assert verdict(change(5, 0.1, df=3), seeds=3).word is Word.IMPROVED


def test_where_seeds_make_the_degrees_of_freedom_few_they_are_the_reason() -> None:
    apart = replace(change(5, 0.1, df=2.9), cluster_df=10.8)
    found = verdict(apart, seeds=2)
    assert found.reason == "2 seeds do not tell how much they vary (2.9 degrees of freedom, 3 needed)"
    assert found.remedy == "more seeds (--seeds)" and no_interval(apart) == "too few seeds"


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(3, 500), st.floats(0.1, 2.99), st.integers(2, 9))
def test_seeds_do_not_make_up_for_few_clusters(
    value: float, error: float, df: float, cluster_df: float, seeds: int
) -> None:
    few = replace(change(value, error, df), cluster_df=cluster_df)
    found = verdict(few, seeds=seeds)
    assert (found.word, found.remedy, few.interval(), no_interval(few)) == (
        Word.NO_VERDICT,
        "",
        None,
        "too few held-out clusters",
    )


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(3, 500))
def test_chances_add_up_and_follow_the_change(value: float, error: float, df: float) -> None:
    found = chances(change(value, error, df))
    assert found is not None
    assert min(found.helps, found.negligible, found.hurts) >= 0
    assert found.helps + found.negligible + found.hurts == pytest.approx(1)
    other = chances(change(-value, error, df))
    assert other is not None and other.hurts == pytest.approx(found.helps, abs=1e-9)


def test_chances_of_known_cases() -> None:
    found = chances(change(0.5, 0.2, df=1e6))
    assert found is not None and found.helps == pytest.approx(0.5) and found.hurts < 1e-4
    found = chances(change(0.5 + 0.2 * 1.6448536, 0.2, df=1e7))
    assert found is not None and found.helps == pytest.approx(0.95, abs=1e-4)
    assert found.words == "helps by more than 0.5 %: 95 %, negligible: 5 %, hurts by more than 0.5 %: under 1 %"
    assert chances(change(5, 0.1, df=2)) is None


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(0.1, 9), st.integers(1, 5))
def test_no_interval_is_told_where_there_is_no_verdict(value: float, error: float, df: float, seeds: int) -> None:
    estimate = change(value, error, df)
    assert (estimate.interval() is None) is (verdict(estimate, seeds=seeds).word is Word.NO_VERDICT)
    assert (estimate.interval() is None) is (skill_words(estimate) == "")


@pytest.mark.parametrize(
    ("value", "word"), [(4e-5, "no better"), (6e-5, "better"), (-4e-5, "no better"), (-6e-5, "below")]
)
def test_what_four_digits_do_not_show_is_no_difference(value: float, word: str) -> None:
    assert skill_words(change(value, 1e-6, df=100)) == word


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(3, 500), st.integers(1, 9), st.floats(1e-4, 0.05))
def test_the_order_of_the_words(value: float, error: float, df: float, seeds: int, alpha: float) -> None:
    estimate = change(value, error, df)
    low, high = estimate.interval(alpha) or (math.nan, math.nan)
    word = verdict(estimate, seeds=seeds, alpha=alpha).word
    inside = -0.5 <= low and high <= 0.5  # noqa: SIM300
    if low <= 0 <= high and not inside:
        assert word is Word.TOO_CLOSE
    elif inside:
        assert word is Word.NEGLIGIBLE
    else:
        assert word in (UP if value > 0 else DOWN)
        assert (word in (Word.LEANS_UP, Word.LEANS_DOWN)) == (seeds == 1)


@pytest.mark.parametrize(
    ("value", "degree"), [(0.99, "slight"), (1.0, "minor"), (3.0, "minor"), (3.01, "large"), (-0.2, "slight")]
)
def test_degrees(value: float, degree: str) -> None:
    assert degree_of(value) == degree


def test_skill() -> None:
    assert skill_words(change(0.02, 0.004)) == "better"
    assert skill_words(change(-0.02, 0.004)) == "below"
    assert skill_words(change(0.002, 0.004)) == "not known to be better"
    assert skill_words(change(-0.002, 0.004)) == "no better"
    assert skill_words(change(0.02, 0.004, df=2)) == ""


def test_population_words() -> None:
    assert [population_words(name, "8k") for name in POPULATIONS] == [
        "all held-out articles",
        "articles of 8k",
        "new articles",
    ]


def test_differences_are_signed_in_one_way() -> None:
    assert [signed(v) for v in (0.009, -0.009, 0.0, -0.00001, 1.25, None, math.nan)] == [
        "+.0090", "−.0090", ".0000", ".0000", "+1.2500", "–", "–",
    ]  # fmt: skip
    assert (signed(-0.91, 2), signed(-1, 2), cosine(-0.0312), cosine(0.99999)) == ("−.91", "−1.00", "−.0312", "1.0000")


def test_interval_words() -> None:
    assert interval_words((-0.104, 2.149)) == "[−0.10, +2.15]"
    assert interval_words(None) == "–"
    intervals = ((0.9, 2.1), (0.001, 0.04), (-0.0004, 0.0004), (0.0, 0.0), None)
    assert [change_and_interval(0.0121, interval)[0] for interval in intervals] == [
        "+0.01 %", "+0.012 %", "+0.0121 %", "+0.01 %", "+0.01 %",
    ]  # fmt: skip
    assert change_and_interval(0.0121, intervals[1]) == ("+0.012 %", "[+0.001, +0.040]")
    assert interval_words((-0.0003, 0.0011)) == "[within ±0.01]" and interval_words((0.0, 0.0)) == "[0.00, 0.00]"
    assert interval_words((0.001, 0.02)) == "[+0.001, +0.020]"
    assert change_and_interval(0.6, (-0.0031, 1.18)) == ("+0.600 %", "[−0.003, +1.180]"), "too close to call"
    assert interval_words((-0.0031, 1.18)) == "[−0.003, +1.180]"
    tiny = change(0.00001, 0.00001)
    assert cosine_interval(tiny) == "[within ±.0001]"
    assert interval_words(tiny.interval(), 5, signed) == "[−.00001, +.00003]"


def test_a_change_of_next_to_nothing_is_told_in_cosine() -> None:
    percent, difference = change(-61.98, 90.0), change(-0.0031, 0.001)
    assert stratum_change(Stratum("new", 0.005, 0.002, percent, difference)).startswith("−.0031 cosine [−.0051, ")
    assert stratum_change(Stratum("own", 0.5, 0.51, change(2.0, 0.5), change(0.01, 0.002))).startswith("+2.00 % [+0.9")
