"""Questions the figures answer: only what they can carry is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.results import Comparison, ContextGain, Estimate
from lvmtui.report.advice import recommendations
from lvmtui.report.costs import UseCost
from lvmtui.report.questions import context_questions, questions, rank_correlation
from lvmtui.verdict.answer import unbeaten
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import Word
from tests.report.rows import COSTS, MODELS, answers, row, table, with_hits, with_skill
from tests.verdict.tables import two_contexts
from tests.verdict.tables import with_skill as in_table


def test_a_perfect_order_of_five_is_the_least_that_carries_it() -> None:
    up = table(*(row(m, i + 1.0, 0.5) for i, m in enumerate(MODELS)))
    assert answers(questions(up, COSTS))["Did larger models gain more?"].startswith("Yes: rank correlation")
    down = table(*(row(m, 5.0 - i, 0.5) for i, m in enumerate(MODELS)))
    assert answers(questions(down, COSTS))["Did larger models gain more?"].startswith("No, smaller ones do: ")
    one_swap = table(*(row(m, c, 0.5) for m, c in zip(MODELS, (2.0, 1.0, 3.0, 4.0, 5.0), strict=True)))
    assert answers(questions(one_swap, COSTS))["Did larger models gain more?"].startswith("Not shown by these figures")
    four = table(*(row(m, i + 1.0, 0.5) for i, m in enumerate(MODELS[:4])))
    assert answers(questions(four, COSTS))["Did larger models gain more?"].startswith("Unknown: 4 models cannot")


def test_a_network_counts_once_in_a_rank_correlation_however_many_contexts_it_has() -> None:
    """Its figures at several contexts are not independent: ten points of five networks would show too much."""
    rows = [row(f"{m}@{context}", i + 1.0 + context / 100, 0.5) for i, m in enumerate(MODELS) for context in (5, 10)]
    costs = {f"{model}@{context}": cost for model, cost in COSTS.items() for context in (5, 10)}
    assert answers(questions(table(*rows), costs))["Did larger models gain more?"] == (
        "Yes: rank correlation of parameters and change +1.00 over 5 models, each by its mean over contexts, p = 0.017."
    )
    few = answers(questions(table(*rows[:8]), costs))["Did larger models gain more?"]
    assert few.startswith("Unknown: 4 models cannot show a trend")


def test_the_largest_model_is_weighed_against_the_best_other() -> None:
    found = answers(questions(table(row("a", 1, 0.52), row("e", 1, 0.51)), COSTS))
    assert found["Is the largest model worth its cost?"] == (
        "No: e has .5100, a .5200, for 16.0 times the parameters and 5.0 times the latency."
    )
    found = answers(questions(table(row("a", 1, 0.51), row("e", 1, 0.52)), COSTS))
    assert found["Is the largest model worth its cost?"].startswith("It has the highest cosine: e has .5200")
    found = answers(questions(table(row("a", 1, 0.51), row("b", 1, 0.52), row("z", 1, 0.52)), COSTS))
    assert found["Is the largest model worth its cost?"] == "Unknown: the size of z is not known."
    twice = {"a@5": COSTS["a"], "a@10": replace(COSTS["a"], parameters=round(1.02 * (COSTS["a"].parameters or 0)))}
    found = answers(questions(table(row("a@5", 1, 0.51), row("a@10", 1, 0.52)), twice))
    assert found["Is the largest model worth its cost?"] == "Unknown: the models are about equally large."


def test_the_largest_model_is_not_weighed_against_itself_with_another_context() -> None:
    rows = [
        row(f"{m}@{context}", 1, cosine + context / 1000)
        for m, cosine in (("a", 0.5), ("e", 0.52))
        for context in (5, 9)
    ]
    costs = {f"{m}@{context}": COSTS[m] for m in ("a", "e") for context in (5, 9)}
    found = answers(questions(table(*rows), costs))["Is the largest model worth its cost?"]
    assert "a@9 .5090, for 16.0 times the parameters" in found


@pytest.mark.parametrize(
    ("shorter", "longer", "word"),
    [(0.02, 0.03, "Yes"), (-0.03, -0.01, "Not"), (-0.01, 0.01, "Yes"), (0.02, 0.01, "Not"), (0.02, 0.0215, "Not")],
)
def test_longer_contexts_pay_only_above_the_trivial_baseline(shorter: float, longer: float, word: str) -> None:
    """A network far below ridge gained more than ridge did, and was told to profit from it."""
    gain = ContextGain("expanded", 10, 5, 0.53, 0.518, Estimate(0.0115, 0.001, 30, 2000, 60, 40), (1,))
    made = two_contexts()
    rows = tuple(in_table(row, longer if row.context == "@10" else shorter, f"ridge{row.context}") for row in made.rows)
    compared = Comparison("c", "amn@10", "", "", (), (), (), None, None, None, (), 0.0, contexts=(gain,))
    (asked,) = context_questions(replace(made, rows=rows), [compared])
    assert asked.answer.split()[0].strip(":") == word


def test_what_was_judged_on_other_articles_is_said_to_be() -> None:
    """One model lacks a fold, so nothing may be set side by side, nor called the best of all."""
    lost = (with_skill(row("a", 1, 0.52), -0.03), with_skill(row("e", 1, 0.55), -0.01))
    folds = tuple(replace(one, compared=seeds) for one, seeds in zip(lost, ((1, 2, 3), (1,)), strict=True))
    apart = replace(table(*folds), folds=True)
    found = answers(questions(apart, COSTS))
    for question in ("Is the largest model worth its cost?", "Is the best 8k model still the best with 23k?"):
        assert found[question] == "Unknown: the models were not judged on the same articles."
    highest = next(r for r in recommendations(apart, COSTS) if r.what == "Highest accuracy")
    assert (highest.models, highest.words) == ((), "no two models were judged on the same articles")
    assert "on the windows of seed 1; e has .5500" in unbeaten(apart), "nearer to a baseline on its own windows"
    doubt = "the cosines of e and a cannot be set side by side, nor beside those of the trivial baselines."
    assert any(said.endswith(doubt) for said in caveats(apart))


def test_the_best_model_of_the_baseline_is_looked_for_among_the_expanded_ones() -> None:
    def asked(*rows: Row) -> str:
        return answers(questions(table(*rows), COSTS))["Is the best 8k model still the best with 23k?"]

    assert asked(row("a", 1, 0.52), row("b", 1, 0.51)) == (
        "Yes: the first two are with 8k a (.5149) and b (.5050), with 23k a (.5200) and b (.5100)."
    )
    assert asked(row("a", 1, 0.51411), row("b", 1, 0.51407)) == (
        "Yes, but with 8k and 23k the lead is negligible (under 0.5 %): the first two are with 8k a (.5090) and b "
        "(.5090), with 23k a (.5141) and b (.5141)."
    )
    assert asked(row("a", 0.1, 0.51), row("b", 4, 0.52)).startswith("No: the first two are with 8k a")


def test_hits_that_fall_while_the_cosine_rises_are_said() -> None:
    asked = "Is the true next vector found more often?"
    worse = table(*(with_hits(row(m, 1.5, 0.52), 0.12, 0.11) for m in "ab"))
    assert answers(questions(worse, COSTS))[asked] == (
        "No: hit@1 fell for 2 of 2 models (on average from .120 to .110), hit@10 fell for 2 of 2 models (on average "
        "from .360 to .330)."
    )
    better = table(with_hits(row("a", 1.5, 0.52), 0.11, 0.12))
    assert answers(questions(better, COSTS))[asked].startswith("Yes: hit@1 rose (from .110 to .120)")
    mixed = table(with_hits(row("a", 1.5, 0.52), 0.12, 0.13), with_hits(row("b", 1.5, 0.52), 0.12, 0.10))
    assert answers(questions(mixed, COSTS))[asked].startswith("Not by all: hit@1 rose for 1 and fell for 1 of 2 models")
    some = table(with_hits(row("a", 1.5, 0.52), 0.12, 0.13), with_hits(row("b", 1.5, 0.52), 0.12, 0.1201))
    assert answers(questions(some, COSTS))[asked].startswith("By some: hit@1 rose for 1 of 2 models")
    still = table(with_hits(row("a", 1.5, 0.52), 0.12, 0.1201))
    assert answers(questions(still, COSTS))[asked].startswith("Not shown by these figures: hit@1 did not clearly move")
    assert asked not in answers(questions(table(row("a", 1, 0.5)), COSTS))


def test_what_is_cheaper_is_not_held_against_the_largest() -> None:
    costs = {"a": UseCost(100, 1.0), "e": UseCost(400, 0.7)}
    said = answers(questions(table(row("a", 1, 0.52), row("e", 1, 0.51)), costs))
    assert said["Is the largest model worth its cost?"] == (
        "No: e has .5100, a .5200, for 4.0 times the parameters, but only 0.7 times the latency."
    )


def test_against_ridge_the_same_is_known_wherever_it_is_said() -> None:
    few = with_skill(row("a", 1, 0.54), -0.0154, df=2.1, cluster_df=11)
    known = with_skill(row("b", 1, 0.54), -0.0154)
    said = answers(questions(table(few, known), COSTS))["Do the models beat the best trivial baseline?"]
    assert said == "With 23k, against ridge (.5554): a is below, too few seeds to be sure; b is worse."
    assert few.expanded.gain_words == "−.0154 against ridge, too few seeds for an interval"
    assert known.expanded.gain_words == "−.0154 [−.0174, −.0134], below ridge"


def test_a_small_lead_of_the_largest_does_not_pay() -> None:
    found = answers(questions(table(row("a", 1, 0.5200), row("e", 1, 0.5201)), COSTS))
    assert found["Is the largest model worth its cost?"].startswith("Hardly: e has .5201, a .5200, a negligible lead")


@pytest.mark.parametrize(
    ("x", "y", "rho", "p"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1.0, 2 / 120),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1.0, 2 / 120),
        ([1, 2, 3, 4, 5], [2, 1, 3, 4, 5], 0.9, 10 / 120),
        ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], 0.0, 1.0),
    ],
)
def test_rank_correlation_over_all_orders(x: list[float], y: list[float], rho: float, p: float) -> None:
    assert rank_correlation(x, y) == pytest.approx((rho, p))


def test_rank_correlation_of_many_points() -> None:
    x = list(map(float, range(20)))
    rho, p = rank_correlation(x, [v + (5 if i % 2 else -5) for i, v in enumerate(x)])
    assert 0.5 < rho < 1 and p < 0.01
    assert rank_correlation(x, x) == pytest.approx((1, 0), abs=1e-9)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 0.9), st.sampled_from(Word)), max_size=8))
def test_any_table_is_answered_in_whole_sentences(given_rows: list[tuple[float, float, Word]]) -> None:
    rows = [row(f"m{i}", change, cosine, word) for i, (change, cosine, word) in enumerate(given_rows)]
    rows = [replace(r, change=None) if r.verdict.word is Word.NOT_COMPARABLE else r for r in rows]
    one = table(*rows)
    for question in questions(one, {r.model: UseCost(1000 + i, None) for i, r in enumerate(rows)}):
        assert question.answer.endswith(".") and question.answer.split()[-1] != "None" and "nan" not in question.answer
    assert all(r.words and not r.words.endswith(".") for r in recommendations(one, {}))


def test_a_model_is_held_against_the_trivial_baseline_of_its_own_context() -> None:
    said = answers(questions(two_contexts(), COSTS))["Do the models beat the best trivial baseline?"]
    assert said == (
        "With 23k, against the recency mean@5 (.5068): AMN@5 is better; against the recency mean@10 (.5247): AMN@10 "
        "is better."
    )
