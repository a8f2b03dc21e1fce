"""Questions and recommendations: said only where the figures carry them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.results import ArmScores, Estimate, Retrieval, Skill
from lvmtui.report.insights import Cost, Question, choices, latency_doubt, questions, rank_correlation, recommendations
from lvmtui.report.text import skill_text
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.health import Finding
from lvmtui.verdict.ranking import ranked
from lvmtui.verdict.retrieval import moves
from lvmtui.verdict.table import ArmCell, Row, Table
from lvmtui.verdict.words import Verdict, Word


def row(model: str, change: float, expanded: float, word: Word = Word.IMPROVED, *findings: Finding) -> Row:
    estimate = Estimate(change, 0.1, 30, 2000, 60, 40)
    return Row(
        model=model,
        rank=None,
        baseline=ArmCell("8k", "finished", expanded / (1 + change / 100), None, None, ()),
        expanded=ArmCell("23k", "finished", expanded, None, None, findings),
        change=change,
        estimate=estimate,
        interval=estimate.interval(),
        adjusted=None,
        strata=(),
        verdict=Verdict(word),
        seeds=3,
        seeds_missing=0,
        history=word is Word.POINT_ESTIMATE,
        notes=(),
    )


def table(*rows: Row) -> Table:
    return Table(("8k", "23k"), tuple(ranked(rows)), (), 0.0, 3, len(rows))


def answers(found: tuple[Question, ...]) -> dict[str, str]:
    return {question.question: question.answer for question in found}


MODELS = ("a", "b", "c", "d", "e")
COSTS = {model: Cost(1000 * 2**i, 1.0 + i) for i, model in enumerate(MODELS)}


def test_a_perfect_order_of_five_is_the_least_that_carries_it() -> None:
    up = table(*(row(m, i + 1.0, 0.5) for i, m in enumerate(MODELS)))
    assert answers(questions(up, COSTS))["Do larger models gain more?"].startswith("Yes: rank correlation")
    down = table(*(row(m, 5.0 - i, 0.5) for i, m in enumerate(MODELS)))
    assert answers(questions(down, COSTS))["Do larger models gain more?"].startswith("No, smaller ones do: ")
    one_swap = table(*(row(m, c, 0.5) for m, c in zip(MODELS, (2.0, 1.0, 3.0, 4.0, 5.0), strict=True)))
    assert answers(questions(one_swap, COSTS))["Do larger models gain more?"].startswith("Not shown by these figures")
    four = table(*(row(m, i + 1.0, 0.5) for i, m in enumerate(MODELS[:4])))
    assert answers(questions(four, COSTS))["Do larger models gain more?"].startswith("Cannot be said from 4 models")


def test_the_largest_model_is_weighed_against_the_best_other() -> None:
    found = answers(questions(table(row("a", 1, 0.52), row("e", 1, 0.51)), COSTS))
    assert found["Does the largest model pay for itself?"] == (
        "No: e has .5100, a .5200, and it takes 16.0 times the parameters and 5.0 times the latency."
    )
    found = answers(questions(table(row("a", 1, 0.51), row("e", 1, 0.52)), COSTS))
    assert found["Does the largest model pay for itself?"].startswith(
        "It has the highest cosine, by .0100: e has .5200"
    )


def test_an_alarm_speaks_before_a_score() -> None:
    dead = Finding("collapsed", True, "collapsed at epoch 3: all predictions are one vector")
    one = table(row("a", 1, 0.50), row("e", 20, 0.55, Word.IMPROVED, dead))
    assert answers(questions(one, COSTS))["Does the largest model pay for itself?"] == (
        "No: e (16.0 k parameters) collapsed at epoch 3."
    )
    found = {r.what: r for r in recommendations(one, COSTS)}
    assert found["Highest accuracy"].models == ("a",)
    assert found["Do not use with 23k"].words == "e (collapsed at epoch 3)"


def test_the_champion() -> None:
    same = table(row("a", 1, 0.52), row("b", 1, 0.51))
    assert answers(questions(same, COSTS))["Does the baseline's champion still lead?"].startswith("Yes: a is first")
    near = table(row("a", 1, 0.51411), row("b", 1, 0.51407))
    assert answers(questions(near, COSTS))["Does the baseline's champion still lead?"] == (
        "Too small a lead to tell: with 8k a (.5090) is ahead of b by less than .0001, with 23k a (.5141) ahead of b "
        "by less than .0001; under 0.5 % of the cosine is negligible."
    )
    other = table(row("a", 0.1, 0.51), row("b", 4, 0.52))
    assert answers(questions(other, COSTS))["Does the baseline's champion still lead?"].startswith(
        "No: a leads with 8k"
    )


def test_gainers_in_order_with_the_doubt_about_it() -> None:
    found = answers(
        questions(table(row("a", 1.0, 0.5), row("b", 1.1, 0.5), row("c", 0.1, 0.5, Word.NEGLIGIBLE)), COSTS)
    )
    assert found["Which models gain most from more data?"] == (
        "b (+1.10 %), a (+1.00 %). The interval of b overlaps with that of a: their order is not certain."
    )


def test_the_best_scaler_is_named_with_those_not_told_apart() -> None:
    found = {r.what: r for r in recommendations(table(row("a", 1.0, 0.5), row("b", 1.1, 0.5), row("c", 5, 0.6)), COSTS)}
    assert (found["Best scaler"].models, found["Best scaler"].words) == (("c",), "c, improved (+5.00 %)")
    found = {r.what: r for r in recommendations(table(row("a", 1.0, 0.5001), row("b", 1.1, 0.5)), COSTS)}
    assert found["Best scaler"].models == ("b", "a")
    assert found["Best scaler"].words.endswith("; not told apart from a, whose intervals overlap with its own")
    assert found["Highest accuracy"].words.endswith("; b is less than 0.5 % below, which is negligible")


def with_hits(one: Row, before: float, after: float) -> Row:
    """The row with hit@1 and hit@10 that moved clear of zero."""
    figures = tuple(
        Retrieval(f"hit_{k}", k * before, k * after, Estimate(k * (after - before), 0.001, 30, 2000, 60, 40))
        for k in (1, 3)
    )
    fell, rose = moves(figures)
    return replace(one, retrieval=figures, fell=fell, rose=rose)


def test_hits_that_fall_while_the_cosine_rises_are_said() -> None:
    asked = "Is the true next vector found more often?"
    worse = table(*(with_hits(row(m, 1.5, 0.52), 0.12, 0.11) for m in "ab"))
    assert answers(questions(worse, COSTS))[asked] == (
        "No: hit@1 fell for 2 of 2 models (on average from .120 to .110) on the same windows; a move is one whose "
        "interval over articles is clear of zero."
    )
    better = table(with_hits(row("a", 1.5, 0.52), 0.11, 0.12))
    assert answers(questions(better, COSTS))[asked].startswith("Yes: hit@1 rose for 1 of 1 model (from .110 to .120)")


def test_latencies_that_differ_between_the_arms_order_nothing() -> None:
    two = table(row("a", 1, 0.53), row("e", 1, 0.52))
    rough = {"a": Cost(100, 0.50, 0.90), "e": Cost(400, 0.60, 0.60)}
    assert latency_doubt(choices(two, rough)) == (
        "Latencies are rough: the same a took 0.50 ms in one arm and 0.90 ms in the other, while some models differ by "
        "less than that."
    )
    said = answers(questions(two, rough))["Does the largest model pay for itself?"]
    assert said.endswith("it takes 4.0 times the parameters and a latency that cannot be told from it.")
    steady = {"a": Cost(100, 0.50, 0.51), "e": Cost(400, 0.60, 0.60)}
    assert latency_doubt(choices(two, steady)) == ""
    said = answers(questions(two, steady))["Does the largest model pay for itself?"]
    assert said.endswith("and 1.2 times the latency.")


def test_a_model_without_known_costs_is_not_on_the_front() -> None:
    two = table(row("a", 1, 0.52), row("b", 1, 0.53))
    chosen = {c.model: c for c in choices(two, {"a": Cost(100, 1.0), "b": Cost(None, None)})}
    assert (chosen["a"].on_front, chosen["b"].on_front, chosen["b"].weighed) == (True, False, False)
    assert not any(c.on_front for c in choices(two, {}))
    said = answers(questions(two, {}))["Do larger models gain more?"]
    assert said == "Cannot be said: the parameters of no ranked model are known."
    unfair = answers(questions(table(row("a", 1, 0.5, Word.NOT_COMPARABLE)), {"a": Cost(100, 1.0)}))
    assert unfair["Do larger models gain more?"] == "Cannot be said: no model is ranked."


def test_what_is_cheaper_is_not_held_against_the_largest() -> None:
    costs = {"a": Cost(100, 1.0), "e": Cost(400, 0.7)}
    said = answers(questions(table(row("a", 1, 0.52), row("e", 1, 0.51)), costs))
    assert said["Does the largest model pay for itself?"] == (
        "No: e has .5100, a .5200, and it takes 4.0 times the parameters, but only 0.7 times the latency."
    )


def with_skill(one: Row, gain: float, error: float = 0.001, df: float = 30, cluster_df: float | None = None) -> Row:
    """The row with its expanded arm so much above ridge; `df` under 3 leaves that without an interval."""
    cosine = one.expanded.cosine or 0.0
    skill = Skill("ridge", cosine - gain, Estimate(gain, error, df, 2000, 60, 40, cluster_df))
    return replace(one, expanded=replace(one.expanded, scores=ArmScores(cosine, -0.2, 0.1, 0.2, 0.3, 0.5, None, skill)))


def test_what_loses_to_ridge_is_recommended_nowhere_and_said_first() -> None:
    lost = table(
        with_skill(row("a", 1, 0.54), -0.01),
        with_skill(row("b", 2, 0.535), -0.015),
        with_skill(row("c", 3, 0.53), -0.02),
    )
    found = {r.what: r for r in recommendations(lost, COSTS)}
    assert found["Do not use with 23k"].models == ("c", "b", "a")
    assert (found["Highest accuracy"].models, found["Best balance"].models) == ((), ())
    assert found["Highest accuracy"].words == (
        "no model beats ridge (.5500), which is no network; the best below it is a trained on 23k, cosine .5400"
    )
    one_wins = table(with_skill(row("a", 1, 0.56), 0.01), with_skill(row("b", 2, 0.54), -0.01))
    found = {r.what: r for r in recommendations(one_wins, COSTS)}
    assert (found["Highest accuracy"].models, found["Best balance"].models) == (("a",), ("a",))
    assert not any("ridge" in said for said in caveats(one_wins))


def test_a_model_that_is_advised_against_keeps_no_other_from_being_the_balanced_one() -> None:
    """The cheap one that regressed would be as good and cheaper; still it is not to be used."""
    found = {r.what: r for r in recommendations(table(row("a", -1, 0.520, Word.REGRESSED), row("b", 1, 0.519)), COSTS)}
    assert found["Best balance"].models == ("b",)
    assert found["Do not use with 23k"].models == ("a",)
    assert found["Highest accuracy"].words.startswith("a trained on 8k, cosine .5253")


def test_a_history_that_fell_is_not_the_best_one_to_use() -> None:
    fell, rose = (row(m, c, 0.56, Word.POINT_ESTIMATE) for m, c in (("a", -0.4), ("b", 0.3)))
    found = {r.what: r for r in recommendations(table(fell), COSTS)}
    assert (found["Highest accuracy"].models, found["Best balance"].models) == ((), ())
    assert found["Do not use with 23k"].models == ("a",)
    assert recommendations(table(fell, rose), COSTS)[0].models == ("b",)


def test_against_ridge_the_same_is_known_wherever_it_is_said() -> None:
    few = with_skill(row("a", 1, 0.54), -0.0154, df=2.1, cluster_df=11)
    known = with_skill(row("b", 1, 0.54), -0.0154)
    said = answers(questions(table(few, known), COSTS))["Do the models beat what needs no training?"]
    assert "a not known against ridge (.5554) (too few seeds)" in said and "b below ridge" in said
    assert skill_text(few.expanded) == "−.0154 against ridge, too few seeds to tell"
    assert skill_text(known.expanded) == "−.0154 [−.0174, −.0134] below ridge"


def test_medals_go_to_known_gains_of_which_the_first_is_the_best_scaler() -> None:
    dead = Finding("failed_to_learn", True, "failed to learn: ...")
    one = table(
        row("a", 6, 0.5, Word.NO_VERDICT), row("b", 5, 0.5, Word.IMPROVED, dead), row("c", 4, 0.5, Word.TOO_CLOSE),
        row("d", 2, 0.5), row("e", 1, 0.5), row("f", -1, 0.5, Word.REGRESSED),
    )  # fmt: skip
    assert [(r.model, r.rank, r.medal) for r in one.rows] == [
        ("a", 1, ""), ("b", 2, ""), ("c", 3, ""), ("d", 4, "🥇"), ("e", 5, "🥈"), ("f", 6, ""),
    ]  # fmt: skip
    found = {r.what: r for r in recommendations(one, COSTS)}
    assert found["Best scaler"].models[0] == "d"


def test_a_small_lead_of_the_largest_does_not_pay() -> None:
    found = answers(questions(table(row("a", 1, 0.5200), row("e", 1, 0.5201)), COSTS))
    assert found["Does the largest model pay for itself?"].startswith("Hardly: e has .5201, a .5200, a lead too small")


def test_balance_is_the_cheapest_of_nearly_the_best() -> None:
    found = {
        r.what: r for r in recommendations(table(row("a", 1, 0.517), row("c", 1, 0.520), row("b", 1, 0.49)), COSTS)
    }
    assert found["Best balance"].models == ("a",)
    assert found["Best balance"].words == (
        "a: cosine .5170 with 1000 parameters and 1.00 ms a prediction, within 1 % of the best "
        "(c, .5200, 4000 parameters and 3.00 ms a prediction)"
    )


def test_nothing_is_recommended_of_nothing() -> None:
    empty = table()
    assert [r.words for r in recommendations(empty, {})] == ["no 23k model is finished and free of alarms"]
    assert answers(questions(empty, {}))["Which models gain most from more data?"] == "None is known to gain."


costs = st.builds(
    Cost, st.one_of(st.none(), st.integers(1, 10**9)), st.one_of(st.none(), st.floats(0.01, 1000, allow_nan=False))
)
models = st.lists(st.tuples(st.floats(0.01, 1), costs), min_size=1, max_size=12)


@given(models)
def test_the_pareto_front_is_what_nothing_beats(given_models: list[tuple[float, Cost]]) -> None:
    named = {f"m{i}": cost for i, (_, cost) in enumerate(given_models)}
    chosen = choices(table(*(row(f"m{i}", 1.0, c) for i, (c, _) in enumerate(given_models))), named)
    kinds = {(bool(c.parameters), bool(c.latency_ms)) for _, c in given_models}
    complete = (any(p for p, _ in kinds), any(ms for _, ms in kinds))
    assert any(choice.on_front for choice in chosen) is (complete in kinds and any(complete))
    assert [c.cosine for c in chosen] == sorted((c.cosine for c in chosen), reverse=True)

    def axes(choice: object) -> tuple[float, float, float]:
        cost = choice.cost  # type: ignore[attr-defined]
        return (-choice.cosine, cost.parameters or math.inf, cost.latency_ms or math.inf)  # type: ignore[attr-defined]

    for one in chosen:
        beaten = any(
            axes(other) != axes(one) and all(a <= b for a, b in zip(axes(other), axes(one), strict=True))
            for other in chosen
        )
        assert one.weighed is ((bool(one.cost.parameters), bool(one.cost.latency_ms)) == complete and any(complete))
        assert one.on_front is (one.weighed and not beaten)


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
    assert rank_correlation(x, y) == (pytest.approx(rho), pytest.approx(p))


def test_rank_correlation_of_many_points() -> None:
    x = list(map(float, range(20)))
    rho, p = rank_correlation(x, [v + (5 if i % 2 else -5) for i, v in enumerate(x)])
    assert 0.5 < rho < 1 and p < 0.01
    assert rank_correlation(x, x) == (pytest.approx(1), pytest.approx(0, abs=1e-9))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 0.9), st.sampled_from(Word)), max_size=8))
def test_any_table_is_answered_in_whole_sentences(given_rows: list[tuple[float, float, Word]]) -> None:
    rows = [row(f"m{i}", change, cosine, word) for i, (change, cosine, word) in enumerate(given_rows)]
    rows = [replace(r, change=None) if r.verdict.word is Word.NOT_COMPARABLE else r for r in rows]
    one = table(*rows)
    for question in questions(one, {r.model: Cost(1000 + i, None) for i, r in enumerate(rows)}):
        assert question.answer.endswith(".") and question.answer.split()[-1] != "None" and "nan" not in question.answer
    assert all(r.words and not r.words.endswith(".") for r in recommendations(one, {}))
