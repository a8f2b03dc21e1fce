"""The words, in the order in which they may be said, and Holm's adjustment."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.system.numbers import cosine, signed
from lvmtui.verdict.estimate import ALPHA, Estimate
from lvmtui.verdict.words import (
    DOWN,
    UP,
    Word,
    degree_of,
    holm,
    interval_words,
    scarcity,
    skill_words,
    stratum_words,
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
    assert "2.99 degrees of freedom, at least 3" in found.reason
    assert verdict(change(5, None, df=0), seeds=3).word is Word.NO_VERDICT
    assert verdict(change(5, 0.1, df=3), seeds=3).word is Word.IMPROVED


def test_where_seeds_make_the_degrees_of_freedom_few_they_are_the_reason() -> None:
    apart = replace(change(5, 0.1, df=2.9), cluster_df=10.8)
    found = verdict(apart, seeds=2)
    assert found.reason == (
        "2.90 degrees of freedom, at least 3 are needed: 2 seeds are too few for how far they lie apart"
    )
    assert found.remedy == "one more seed (--seeds)" and scarcity(apart) == "seeds"
    few = verdict(replace(apart, cluster_df=2.0), seeds=2)
    assert "60 held-out clusters that weigh like 50.0 equal ones" in few.reason and few.remedy == ""


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(0.1, 9), st.integers(1, 5))
def test_no_interval_is_told_where_there_is_no_verdict(value: float, error: float, df: float, seeds: int) -> None:
    estimate = change(value, error, df)
    assert (estimate.interval() is None) is (verdict(estimate, seeds=seeds).word is Word.NO_VERDICT)
    assert (estimate.interval() is None) is (estimate.p is None) is (skill_words(estimate) == "")


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


p_values = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12)


@given(p_values)
def test_holm_excludes_zero_exactly_where_the_step_down_procedure_rejects(ps: list[float | None]) -> None:
    tested = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    rejected = set()
    for k, (p, i) in enumerate(tested):
        if p > ALPHA / (len(tested) - k):
            break
        rejected.add(i)
    levels = holm(ps)
    for i, p in enumerate(ps):
        if p is not None and not math.isclose(p, levels[i], rel_tol=1e-9):
            assert (p < levels[i]) == (i in rejected)


@given(p_values)
def test_holm_never_narrows_and_widens_by_the_number_of_models_at_most(ps: list[float | None]) -> None:
    tested = sum(p is not None for p in ps)
    for p, level in zip(ps, holm(ps), strict=True):
        assert level <= ALPHA * (1 + 1e-12)
        if p is not None:
            assert level >= ALPHA / tested * (1 - 1e-9)


def test_holm_of_a_known_case() -> None:
    # Adjusted p-values of .01, .04, .03: .03, .06, .06.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.05 / 3, 0.05 * 0.04 / 0.06, 0.05 / 2))
    assert holm([0.2]) == (ALPHA,)
    assert holm([None, 0.2]) == (ALPHA, ALPHA)


def test_the_adjusted_figure_decides_the_word() -> None:
    alone = change(0.9, 0.43)
    assert verdict(alone, seeds=3).word is Word.IMPROVED
    levels = holm([alone.p, 0.5, 0.6, 0.7, 0.8])
    assert verdict(alone, seeds=3, alpha=levels[0]).word is Word.TOO_CLOSE


def test_skill() -> None:
    assert skill_words(change(0.02, 0.004)) == "better"
    assert skill_words(change(-0.02, 0.004)) == "below"
    assert skill_words(change(0.002, 0.004)) == "no better"
    assert skill_words(change(0.02, 0.004, df=2)) == ""


def test_stratum_words() -> None:
    assert [stratum_words(name, "8k") for name in ("own", "new", "a\x1b[1m")] == ["articles of 8k", "new articles", "a"]


def test_differences_are_signed_in_one_way() -> None:
    assert [signed(v) for v in (0.009, -0.009, 0.0, -0.00001, 1.25, None, math.nan)] == [
        "+.0090", "−.0090", ".0000", ".0000", "+1.2500", "–", "–",
    ]  # fmt: skip
    assert (signed(-0.91, 2), signed(-1, 2), cosine(-0.0312), cosine(0.99999)) == ("−.91", "−1.00", "−.0312", "1.0000")


def test_interval_words() -> None:
    assert interval_words((-0.104, 2.149)) == "[−0.10, +2.15]"
    assert interval_words(None) == "–"
