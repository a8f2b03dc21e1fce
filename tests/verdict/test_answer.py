"""The answer: its rules, for every mixture of models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.results import ALPHA, STRATA, Estimate, Population, Retrieval, Stratum
from lvmtui.verdict.answer import answer, headline
from lvmtui.verdict.caveats import caveats, of_rows
from lvmtui.verdict.cross_checks import disagreement, figure_words, forward_doubts, forward_doubts_of, moves
from lvmtui.verdict.health import Finding
from lvmtui.verdict.table import ArmCell, EarlyChange, Forward, Row, SourceAverage, Table
from lvmtui.verdict.words import DOWN, UP, Verdict, Word, verdict
from tests.verdict.tables import made_row, made_table, with_hits, with_skill

HELPED, HURT, LEANS, LEANS_DOWN = Word.IMPROVED, Word.REGRESSED, Word.LEANS_UP, Word.LEANS_DOWN
CLOSE, SMALL, UNFAIR, OPEN, NONE = (
    Word.TOO_CLOSE, Word.NEGLIGIBLE, Word.NOT_COMPARABLE, Word.PROVISIONAL, Word.NO_VERDICT
)  # fmt: skip
ONE = "with one seed this is a lean, not a finding"


def rows(*words: Word) -> list[Row]:
    return [made_row(f"m{i}", 1.0, word, seeds=1 if word in (LEANS, LEANS_DOWN) else 3) for i, word in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "average", "error", "expected"),
    [
        ((HELPED,) * 3, 1.0, 0.1, "More data helped: +1.00 % on average over 3 models, 95 % interval [+0.80, +1.20]; "
            "all 3 improved."),
        ((HURT, HURT), -1.0, 0.1, "More data hurt: −1.00 % on average over 2 models, 95 % interval [−1.20, −0.80]; "
            "both regressed."),
        ((HELPED, HURT, CLOSE), 0.1, 0.1, "More data helped m0 and hurt m1, of 3 models compared; 1 is too close to "
            "call alone; +0.10 % on average over 3 models, 95 % interval [−0.10, +0.30]."),
        ((CLOSE,) * 5, 0.6, 0.2, "More data helped: +0.60 % on average over 5 models, 95 % interval [+0.19, +1.01]; "
            "all 5 are too close to call alone."),
        ((CLOSE, CLOSE), 0.3, 0.3, "Whether more data helps is too close to call: +0.30 % on average over 2 models, 95 "
            "% interval [−0.31, +0.91]; both are too close to call alone."),
        ((SMALL, SMALL, HELPED), 0.1, 0.1, "More data makes a negligible difference: +0.10 % on average over 3 models, "
            "95 % interval [−0.10, +0.30]; 1 improved, 2 changed by a negligible amount."),
        ((HELPED, HELPED, UNFAIR), 1.0, 0.1, "More data helped: +1.00 % on average over the 2 of 3 models compared, "
            "95 % interval [+0.80, +1.20]; both improved. Left out: m2 cannot be compared."),
        ((HELPED, HELPED, OPEN, OPEN), 1.0, 0.1, "So far: more data helped: +1.00 % on average over the 2 of 4 models "
            "compared, 95 % interval [+0.80, +1.20]; both improved. Left out: m2 and m3 are not finished."),
        ((HELPED, OPEN, OPEN), None, 0.1, "So far: more data helped m0: +1.00 %, 95 % interval [+0.80, +1.20]. "
            "Left out: m1 and m2 are not finished."),
        ((HELPED,), None, 0.1, "More data helped m0: +1.00 %, 95 % interval [+0.80, +1.20]."),
        ((SMALL,), None, 0.1, "More data makes a negligible difference to m0: +1.00 %, 95 % interval [+0.80, +1.20]."),
        ((CLOSE,), None, 0.1, "Whether more data helps m0 is too close to call: +1.00 %, 95 % interval [+0.80, "
            "+1.20]."),
        ((LEANS_DOWN,), None, 0.1, f"More data seems to hurt m0: +1.00 %, 95 % interval [+0.80, +1.20]; {ONE}."),
        ((OPEN, OPEN), None, 0.1, "No answer yet: none of 2 models is judged yet."),
        ((OPEN, UNFAIR, UNFAIR), None, 0.1, "No answer yet: none of 3 models is judged yet; 2 cannot be compared."),
        ((UNFAIR, UNFAIR), None, 0.1, "No answer: none of 2 models allows a fair comparison."),
    ],
)  # fmt: skip
def test_sentences(words: tuple[Word, ...], average: float | None, error: float, expected: str) -> None:
    assert answer(made_table(rows(*words), average, error)) == expected


def test_a_lean_is_told_of_the_models_that_have_one_seed() -> None:
    """LSTM had three seeds and improved; "with one seed this is a lean" was said of both."""
    mixed, apart = made_table(rows(LEANS, HELPED), 1.0, seeds=1), made_table(rows(LEANS, HELPED, HURT))
    assert answer(mixed).endswith("1 improved, 1 leans up; with one seed of m0, m0 and the average only lean.")
    assert headline(mixed).endswith("over 2 models, 1 to 3 seeds")
    said = answer(apart)
    assert said.startswith(
        "More data helped m1, seems to help m0 and hurt m2, of 3 models compared; +1.00 % on average"
    )
    assert said.endswith("; with one seed of m0, m0 only leans.")
    close = made_table([*rows(HELPED), made_row("m1", 0.1, CLOSE, seeds=1)], 1.0, seeds=1)
    assert answer(close).endswith("; with one seed of m1, the average only leans.")


def test_one_seed_leans_and_the_answer_says_what_that_means() -> None:
    said = answer(made_table(rows(LEANS, LEANS), 1.0, seeds=1))
    assert said == (
        f"More data seems to help: +1.00 % on average over 2 models, 95 % interval [+0.80, +1.20]; both lean up; {ONE}."
    )


@given(st.lists(st.sampled_from(Word), max_size=31), st.one_of(st.none(), st.floats(-5, 5)), st.floats(0, 2))
def test_any_mixture_has_an_answer(words: list[Word], average: float | None, error: float) -> None:
    made = made_table(rows(*words), average if words else None, error)
    said = answer(made)
    assert said.endswith(".") and "\n" not in said and "None" not in said and said[0].isupper() and "  " not in said
    found = {row.verdict.word for row in made.ranked}
    if found & UP and found & DOWN:
        assert "and hurt" in said or "and seems to hurt" in said


def test_models_that_no_training_beats_come_first_whatever_more_data_did() -> None:
    below = [with_skill(made_row(f"m{i}", 34.0), -0.02 - i / 100) for i in range(3)]
    assert answer(made_table(below, 34.0)).startswith(
        "With 23k, none of 3 models beats the recency mean, which needs no network (.5166; the best, m0, has .4966). "
        "More data helped: +34.00 % on average"
    )
    above = with_skill(made_row("m3", 1.0), 0.01)
    some = answer(made_table([*below, above], 34.0))
    assert some.startswith("More data helped")
    assert (
        "; all 4 improved. m0, m1 and m2 are below the recency mean, which needs no network; the average counts" in some
    )
    assert "below" not in answer(made_table([above, with_skill(made_row("m4", 1.0), 0.02)], 34.0))
    folds = [replace(row, compared=seeds) for row, seeds in zip(below, ((1, 2), (1, 2), (1,)), strict=True)]
    going = replace(made_table(folds), folds=True)
    assert answer(going).startswith("With 23k, none of 3")
    late = replace(folds[2], verdict=Verdict(Word.PROVISIONAL))
    apart = answer(replace(going, rows=(*folds[:2], late)))
    assert apart.startswith("With 23k, none of 3")
    assert "(.5166 on the windows of seeds 1 and 2; m0 has .4966)" in apart, "m2 has windows of its own"
    alone = [replace(row, compared=seeds) for row, seeds in zip(below, ((1,), (1, 2), (1, 2)), strict=True)]
    assert "; m1 has .4866)" in answer(replace(going, rows=tuple(alone))), "what is named is of the same windows"
    nan = [with_skill(made_row(f"m{i}", 1.0, word=Word.NOT_COMPARABLE), -0.1) for i in (3, 4)]
    nan[1] = replace(nan[1], expanded=made_row("m4", 1.0).expanded)
    said = answer(made_table([*below, *nan], 34.0))
    assert said.startswith("With 23k, none of the 4 models with a held-out cosine beats"), "3 of the 5 are compared"
    one = answer(made_table(below[:1]))
    assert one.startswith("With 23k, m0 does not beat the recency mean, which needs no network (.5166; it has .4966). ")


def test_a_change_that_is_rather_negligible_says_so() -> None:
    small = "Most likely the change is smaller than 0.5 %, which is negligible."
    assert answer(made_table(rows(HELPED, HELPED), 0.4, 0.1)).endswith(f"both improved. {small}")
    assert answer(made_table([made_row("amn", -0.4, LEANS_DOWN)])).endswith(small)
    even = small.replace("Most likely", "About as likely as not")
    assert all(answer(made_table(rows(HELPED, HELPED), near, 0.1)).endswith(even) for near in (0.49, 0.51))
    for other in (made_table(rows(HELPED, HELPED), 0.6), made_table(rows(CLOSE, CLOSE), 0.3, 0.3)):
        assert small not in answer(other)
    assert small not in answer(made_table(rows(HELPED, HURT), 0.4))  # what they do on average is no answer


def test_a_cancelled_model_is_cancelled_and_is_not_waited_for() -> None:
    cancelled = [replace(row, cancelled=True) for row in rows(UNFAIR, UNFAIR)]
    judged = [made_row("a", 1.0), made_row("b", 1.0)]
    assert answer(made_table([*judged, *cancelled], 1.0)).endswith(
        "both improved. Left out: m0 and m1 were cancelled in part."
    )
    assert answer(made_table(cancelled)) == "No answer: both models were cancelled."
    assert answer(made_table(cancelled[:1])) == "No answer: m0 was cancelled."
    assert answer(made_table([cancelled[0], made_row("c", 1.0, UNFAIR)])) == (
        "No answer: none of 2 models allows a fair comparison; 1 was cancelled."
    )


def test_retrieval_that_falls_is_in_the_answer_whatever_the_cosine_does() -> None:
    falling = with_hits(made_row("amn", 1.5), 0.221, 0.204)
    assert answer(made_table([falling, made_row("b", 1.5)], 1.5)).endswith(
        "But AMN finds the true next vector less often (hit@10 .221 to .204, −.017 [−.020, −.014])."
    )
    both = [falling, with_hits(made_row("gru", -1.0, HURT), 0.221, 0.200)]
    assert "But AMN and GRU find the true next vector less often (GRU: hit@10" in answer(made_table(both, 0.2))
    worse = with_hits(made_row("gru", -1.0, HURT), 0.221, 0.200)
    assert "GRU also finds the true next vector less often" in answer(made_table([worse]))
    still = with_hits(made_row("amn", 1.5), 0.2210, 0.2205)
    assert "less often" not in answer(made_table([still]))


def stratum(name: Population, cosine: float, change: float, error: float = 0.2) -> Stratum:
    def of(value: float, error: float) -> Estimate:
        return Estimate(value, error, 30, 1000, 40, 30)

    difference = of(cosine * change / 100, cosine * error / 100)
    return Stratum(name, cosine, cosine * (1 + change / 100), of(change, error), difference)


def test_sources_that_disagree_are_in_the_answer() -> None:
    def judged(*strata: Stratum) -> Row:
        row = replace(made_row("amn", 0.1, SMALL), strata=strata)
        return replace(row, disagreement=disagreement(row, "8k"))

    apart = judged(stratum("own", 0.5, 1.6), stratum("new", 0.5, -1.4))
    assert answer(made_table([apart])).endswith(
        "The sources of held-out articles differ for AMN: articles of 8k +1.60 % [+1.19, +2.01] but new "
        "articles −1.40 % [−1.81, −0.99]."
    )
    assert judged(stratum("own", 0.5, 1.0), stratum("new", 0.5, 1.2)).disagreement == ""
    assert judged(stratum("own", 0.5, 1.0)).disagreement == ""
    noise = judged(stratum("own", 0.52, 0.1), stratum("new", 0.004, -61.98, 90.0))
    assert answer(made_table([noise])).endswith(
        "Check the data: new articles can hardly be predicted at all (cosine .00)."
    )
    worse = judged(stratum("own", -0.1, 0.1), stratum("new", -0.2, 0.1)).disagreement
    assert worse.startswith("new articles can hardly be predicted at all (cosine −.20")


def test_sources_that_disagree_only_on_average_are_in_the_answer() -> None:
    def table(own: float, new: float, *cosines: float) -> Table:
        strata = tuple(
            stratum(name, cosine, change)
            for name, cosine, change in zip(STRATA, cosines or (0.5, 0.5), (own, new), strict=True)
        )
        judged = [replace(row, strata=strata) for row in rows(SMALL, SMALL)]
        changes = ("own", own), ("new", new), ("both", (own + new) / 2)
        averages = tuple(SourceAverage(name, Estimate(of, 0.2, 30, 1000, 40, 30)) for name, of in changes)  # type: ignore[arg-type]
        return replace(made_table(judged, 0.1), by_source=averages)

    assert answer(table(0.9, -0.7)).endswith(
        "The sources of held-out articles differ: on average articles of 8k +0.90 % [+0.49, +1.31] but new articles "
        "−0.70 % [−1.11, −0.29]."
    )
    assert "sources" not in answer(table(0.3, 0.2)) and "sources" not in answer(table(0.4, -0.05))
    assert "sources" not in answer(table(40, 60, 0.06, 0.04)), "both rise by .024, of other cosines"


def test_the_answer_says_which_articles_it_is_about_unless_all_are() -> None:
    whole = made_table(rows(HELPED, HELPED), 1.0)
    assert "on articles of" not in answer(whole) and "on new articles" not in answer(whole)
    assert "+1.00 % on average over 2 models on new articles, 95 %" in answer(replace(whole, judge_on="new"))
    one = replace(made_table(rows(HELPED)), judge_on="own")
    assert answer(one).startswith("More data helped m0 on articles of 8k: ")


def few(row: Row, df: float, cluster_df: float | None) -> Row:
    """The row without a verdict, for its degrees of freedom."""
    assert row.estimate
    estimate = replace(row.estimate, df=df, cluster_df=cluster_df)
    return replace(row, estimate=estimate, interval=None, verdict=verdict(estimate, seeds=2))


def test_the_reason_for_no_verdict_is_the_true_one() -> None:
    by_seeds = made_table([few(made_row("m0", 1.0), 2.9, 10.8)], seeds=2)
    assert answer(by_seeds) == "No verdict on m0: +1.00 %; too few seeds."
    assert caveats(by_seeds) == ("To judge m0: more seeds (--seeds).",), (
        "of an interval that is not shown no width is told"
    )
    by_clusters = made_table([few(made_row("m0", 1.0), 2.9, None)], seeds=2)
    assert answer(by_clusters) == "No verdict on m0: +1.00 %; too few held-out clusters."
    assert len(caveats(by_clusters)) == 1 and caveats(by_clusters)[0].startswith("There are few held-out articles")


def test_that_the_larger_arm_still_improved_is_a_doubt() -> None:
    done, rising = made_row("m0", 1.0), made_row("m1", 2.0)
    finding = Finding("still_improving", False, "still improving at the end: .0040")
    rising = replace(rising, expanded=replace(rising.expanded, findings=(replace(finding, seeds=rising.seeds),)))
    assert not any("still improving" in doubt for doubt in caveats(made_table([done])))
    assert (
        "m1 trained on 23k still improved at the end: longer training (--epochs, or the steps of your own trainer) "
        "may give other figures."
    ) in caveats(made_table([done, rising]))
    every = [replace(rising, model=f"m{n}", title=f"m{n}") for n in range(1, 5)]
    assert any(s.startswith("4 models trained on 23k still improved") for s in caveats(made_table(every)))
    every[3] = replace(every[3], expanded=replace(rising.expanded, findings=(finding,)))
    assert any("m3 and m4 trained on 23k (some seeds only) still" in s for s in caveats(made_table([*every, done])))


def test_retrieval_is_a_doubt_where_its_digits_and_intervals_show_it() -> None:
    def found(name: str, before: float, after: float, trivial: float) -> Retrieval:
        change, gain = (Estimate(value, 0.004, 30, 2000, 60, 40) for value in (after - before, after - trivial))
        return Retrieval(name, before, after, change, "recency_mean", trivial, gain)

    def doubts(hits: Sequence[float], after: float, trivial: float = 0.281) -> tuple[str, ...]:
        figures = ((found("hit_1", 0.295, hit, trivial), found("mrr", 0.384, after, 0.39)) for hit in hits)
        rows = [replace(made_row(m, 1.0), retrieval=of, fell=moves(of)[0]) for m, of in zip("ab", figures, strict=True)]
        return caveats(replace(made_table(rows), without_ids=("8k",)))

    assert "(at most .275; clear of zero for 1 of 2)" in doubts((0.266, 0.275), 0.370)[1]
    ids, said, joint = doubts((0.266, 0.27), 0.370)
    assert ids.startswith("The vectors of 8k name no articles"), "what makes every cosine too high comes first"
    assert said == (
        "hit@1 of the recency mean, which needs no network, is .281, above that of every model trained on 23k (at "
        "most .270; clear of zero for 2 of 2). hit@1 and MRR are lower with 23k for every model, although the cosine "
        "is higher."
    )
    assert "). hit@1 is lower with 23k " in doubts((0.266, 0.27), 0.380)[1], "the interval of the MRR holds zero"
    assert doubts((0.2906, 0.2908), 0.380, trivial=0.2909) == (ids, joint), "no interval, nor three digits, show it"
    for hit, told in ((0.27, [".270; clear of zero)."]), (0.279, [".279; not clear of zero)."]), (0.285, [])):
        one = made_table([replace(made_row("amn", -1.0), retrieval=(found("hit_1", 0.29, hit, 0.281),))])
        assert [words.partition("(at most ")[2] for words in caveats(one) if "hit@1" in words] == told


def test_of_a_model_that_failed_the_answer_names_the_ending_without_its_cause() -> None:
    unfair = Verdict(UNFAIR, reason="a: b failed: out of memory", ending="a: b failed")
    said = answer(made_table([replace(made_row("m0", 1.0, UNFAIR), verdict=unfair)]))
    assert said == "No answer: m0 allows no fair comparison (a: b failed)."


def test_an_interval_that_is_clear_of_zero_does_not_show_a_zero() -> None:
    near, far = (Retrieval("hit_1", 0.5, 0.48, Estimate(-0.021, error, 30, 2000, 60, 40)) for error in (0.0082, 0.001))
    assert moves((near,)) == (("hit_1",), ()), "its end is −.0002"
    assert figure_words(near, ALPHA) == "hit@1 .500 to .480, −.021 [−.0418, −.0002]"
    assert figure_words(far, ALPHA) == "hit@1 .500 to .480, −.021 [−.024, −.018]"


def test_a_model_whose_runs_were_all_cancelled_is_said_to_be() -> None:
    stopped = replace(made_row("m1", 1.0, UNFAIR), cancelled=True)
    assert "Left out: m1 was cancelled in part." in answer(made_table([made_row("m0", 1.0), stopped]))
    small, large = (replace(cell, status="cancelled") for cell in (stopped.baseline, stopped.expanded))
    whole = replace(stopped, baseline=small, expanded=large)
    assert "Left out: m1 was cancelled." in answer(made_table([made_row("m0", 1.0), whole]))


def test_caveats() -> None:
    assert caveats(made_table(rows(HELPED))) == ()
    joint = replace(made_table(rows(HELPED, HURT)), level=0.03)
    assert caveats(joint) == (
        "2 models are judged together: each verdict uses the model's 97.0 % interval, not the 95 % one that is shown, "
        "so that all 2 hold at once with 95 %.",
    )
    assert caveats(made_table(rows(LEANS, HELPED)))[0].startswith("Single seed (m0): the intervals do not cover")
    assert caveats(made_table(rows(LEANS, LEANS)))[0].startswith("Single seed: the intervals do not cover training")
    bare: Table = replace(made_table(rows(HELPED)), without_ids=("8k", "23k"))
    assert caveats(bare)[0].startswith("The vectors of 8k and 23k name no articles: a held-out window may stand beside")
    one, other = (caveats(replace(bare, without_ids=(label,)))[0] for label in ("8k", "23k"))
    assert one.endswith("run from one article into the next, and then the change is too high.") and "low" in other
    old: Table = replace(made_table(rows(HELPED)), uncapped=True)
    assert caveats(old)[0].startswith("This campaign was planned without a cap on articles")
    folds = [replace(made_table(rows(*(HELPED,) * n)), folds=True, tested=0) for n in (1, 2)]
    assert caveats(folds[0])[0].startswith("1 model with 3 folds says little about training noise") and not caveats(
        folds[1]
    )
    capped = replace(made_row("m0", 1.0), unweighted=Estimate(2.0, 0.4, 7, 2000, 60, 14))
    assert caveats(replace(made_table([capped]), cap=20))[0].startswith("An article counts for at most 20 windows")


# Forward --------------------------------------------------------------------------------------------------------------


def looking(last: float, following: float, shuffled: float) -> ArmCell:
    """An expanded arm whose predictions have these cosines, beside a recency mean with .8 and .5."""

    def scores(last: float, following: float, shuffled: float) -> ForwardScores:
        return ForwardScores(2048, (0.6, 0.6, 0.6, 0.7, last, following, 0.46, 0.44), shuffled, (following,) * 5)

    forward = Forward(scores(last, following, shuffled), "recency_mean", scores(0.8, 0.5, 0.48))
    return replace(made_row("amn", 1.0).expanded, forward=forward)


def test_a_model_that_predicts_raises_no_doubt() -> None:
    assert forward_doubts(looking(0.79, 0.512, 0.49)) == ()
    assert forward_doubts(looking(0.805, 0.512, 0.49)) == (), "it may come nearer to the last vector too"
    assert forward_doubts(made_row("amn", 1.0).expanded) == (), "nothing is said where nothing is known"


def test_a_model_that_only_comes_nearer_to_the_past_is_named() -> None:
    (said,) = forward_doubts(looking(0.83, 0.512, 0.49))
    assert said == (
        "with 23k, on windows followed by four more, the gain over the recency mean is about as large on the last "
        "context vector as on the next one, or larger, so that gain alone shows no better prediction than the recency "
        "mean's (next vector +.0120, last context vector +.0300)"
    )
    row = made_row("amn", 1.0)
    (small,) = forward_doubts_of(replace(row, baseline=looking(0.83, 0.512, 0.49)))
    assert small.startswith("with 23k, on windows followed by four more, the gain over the recency mean is about as")
    assert small.endswith(
        " as on the next one, or larger, so models trained on 23k are easily beaten: the change may show their "
        "weakness, not what more data brings"
    )
    (below,) = forward_doubts_of(replace(row, baseline=looking(0.83, 0.49, 0.49)))
    assert "four more, there is no gain over the recency mean on the next vector, only on the last context" in below
    assert not re.search(r"\.\d", small), "without figures, so that it stands once for all models"
    assert forward_doubts_of(replace(row, baseline=looking(0.7, 0.5005, 0.49))) == (), "a small arm may learn little"
    (said,) = forward_doubts(looking(0.7, 0.5, 0.49))
    assert said.startswith(
        "with 23k, on windows followed by four more, there is no gain over the recency mean on the next vector"
    )
    assert ", so no more of what comes next is predicted than by the recency mean (next vector " in said
    (said,) = forward_doubts(looking(0.7, 0.5005, 0.49))
    assert (
        "the gain over the recency mean on the next vector is less than .001, by which seeds differ on the bundled "
        "vectors, so hardly more of what comes next is predicted than by" in said
    )


def test_a_model_for_which_order_does_not_matter_is_named() -> None:
    (said,) = forward_doubts(looking(0.79, 0.512, 0.5115))
    assert said == "with 23k, the order of the context is ignored (cosine .5120, in random order .5115)"


def test_doubts_that_differ_only_in_model_and_figures_are_one() -> None:
    rows = [made_row(name, 1.0) for name in ("a", "b", "c")]
    told = [(row, f": it gains little (next vector +.000{n})") for n, row in enumerate(rows, 1)]
    first, second, third = (row.title for row in rows)
    assert of_rows(told, 3) == [
        f"{first} (next vector +.0001), {second} (next vector +.0002), {third} (next vector +.0003): it gains little."
    ]
    assert of_rows(told[:1], 3) == [f"{first}: it gains little (next vector +.0001)."]
    same = [(row, ": it is at it (all three).") for row in rows]
    assert of_rows(same, 3) == ["All: it is at it (all three)."]
    assert of_rows(same[:2], 3) == [f"{first}, {second}: it is at it (all three)."]


def test_what_is_open_is_averaged_over_all_models_that_have_a_figure() -> None:
    """Of one model a seed is compared, of another there is only an early change, of the third nothing."""
    compared, early, nothing = (
        made_row(name, change, OPEN) for name, change in (("amn", 0.9), ("gru", 0.7), ("lstm", 0))
    )
    early = replace(early, estimate=None, early=EarlyChange(0.7, 0.5))
    nothing = replace(nothing, estimate=None, change=None)
    assert headline(made_table([compared, early, nothing])) == (
        "No answer yet: +0.80 % so far for 2 of 3 models, not judged"
    )
