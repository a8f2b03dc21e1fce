"""What is recommended, and what is advised against."""

from __future__ import annotations

from dataclasses import replace

from lvmtui.formats.results import Estimate
from lvmtui.formats.spec import ARMS
from lvmtui.report.advice import RECIPE, deciding, next_steps, recommendations
from lvmtui.report.costs import priced_models
from lvmtui.report.questions import questions
from lvmtui.state.status import Phase
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.comparable import LONGER
from lvmtui.verdict.health import Finding
from lvmtui.verdict.words import Verdict, Word
from tests.report.rows import COSTS, answers, row, table, with_skill


def test_an_alarm_speaks_before_a_score() -> None:
    dead = Finding("collapsed", True, "collapsed at epoch 3: all predictions are one vector")
    one = table(row("a", 1, 0.50), row("e", 20, 0.55, Word.IMPROVED, dead))
    assert answers(questions(one, COSTS))["Is the largest model worth its cost?"] == (
        "No: e (16.0 k parameters) collapsed at epoch 3."
    )
    found = {r.what: r for r in recommendations(one, COSTS)}
    assert found["Highest accuracy"].models == ("a",)
    assert found["Do not use with 23k"].words == "e (collapsed at epoch 3)"


def test_the_best_scaler_is_named_with_those_not_told_apart() -> None:
    found = {r.what: r for r in recommendations(table(row("a", 1.0, 0.5), row("b", 1.1, 0.5), row("c", 5, 0.6)), COSTS)}
    assert (found["Gained most from 8k to 23k"].models, found["Gained most from 8k to 23k"].words) == (
        ("c",),
        "c, improved (+5.00 %)",
    )
    found = {r.what: r for r in recommendations(table(row("a", 1.0, 0.5001), row("b", 1.1, 0.5)), COSTS)}
    assert found["Gained most from 8k to 23k"].models == ("b", "a")
    assert found["Gained most from 8k to 23k"].words.endswith("; its interval overlaps that of a")
    assert found["Highest accuracy"].words.endswith("; b is less than 0.5 % below, which is negligible")
    alike = table(row("a", 3.0, 0.95609), row("b", 2.0, 0.9561), row("c", 1.0, 0.957))
    accurate = {r.what: r for r in recommendations(alike, COSTS)}["Highest accuracy"]
    assert "; a and b are less than 0.5 % below" in accurate.words, "in the order of the table, as in the questions"


def test_what_loses_to_ridge_is_recommended_nowhere() -> None:
    lost = table(
        with_skill(row("a", 1, 0.54), -0.01),
        with_skill(row("b", 2, 0.535), -0.015),
        with_skill(row("c", 3, 0.53), -0.02),
    )
    found = {r.what: r for r in recommendations(lost, COSTS)}
    assert found["Do not use with 23k"].models == ("c", "b", "a")
    assert (found["Highest accuracy"].models, found["Best balance"].models) == ((), ())
    assert found["Highest accuracy"].words == (
        "no model beats ridge (.5500); the best one is a trained on 23k, cosine .5400"
    )
    one_wins = table(with_skill(row("a", 1, 0.56), 0.01), with_skill(row("b", 2, 0.54), -0.01))
    found = {r.what: r for r in recommendations(one_wins, COSTS)}
    assert (found["Highest accuracy"].models, found["Best balance"].models) == (("a",), ("a",))
    unsure = table(with_skill(row("a", 1, 0.56), 0.01, df=1.5), with_skill(row("b", 2, 0.54), -0.01))
    assert {r.what: r.words for r in recommendations(unsure, COSTS)}["Best balance"] == (
        "none, since no sound model is known to have more than a negligible lead over the best trivial baseline"
    )
    dead = with_skill(row("c", 3, 0.545, Word.IMPROVED, Finding("collapsed", True, "collapsed")), -0.005)
    found = {r.what: r for r in recommendations(table(*lost.rows, dead), COSTS)}
    assert "the best one without an alarm is a trained on 23k" in found["Highest accuracy"].words


def test_a_lead_that_is_negligible_is_none_over_a_baseline_that_costs_nothing() -> None:
    slight = table(with_skill(row("a", 1, 0.5502), 0.0002, error=1e-5), with_skill(row("b", 2, 0.54), -0.01))
    found = {r.what: r for r in recommendations(slight, COSTS)}
    assert found["Highest accuracy"].words.endswith("cosine .5502; ridge does about as well without a network")
    assert found["Best balance"].words.startswith("none, since no sound model is known to have more than a negligible")


def test_the_best_of_those_compared_is_called_that_where_another_run_has_ended() -> None:
    """LSTM 2k had a higher cosine, and its 6k run was cancelled."""
    alone = row("c", 3, 0.7, Word.NOT_COMPARABLE)
    ended = replace(alone.baseline, cosine=None)
    alone = replace(alone, baseline=ended, expanded=replace(ended, status="cancelled"))
    for other, words in ((alone, ", of the models compared"), (replace(alone, baseline=alone.expanded), "")):
        found = {r.what: r.words for r in recommendations(table(row("a", 1, 0.6), row("b", 2, 0.5), other), COSTS)}
        assert found["Highest accuracy"] == f"a trained on 23k, cosine .6000{words}"


def test_too_few_seeds_hide_no_model_that_is_below_the_best_trivial_baseline() -> None:
    """One that is known to be below, one without an interval, and one whose interval leaves it open."""
    few, known, open_ = row("a", 1, 0.5546), row("b", 2, 0.552), row("c", 3, 0.5555)
    lost = [with_skill(few, -0.036, df=2.1, cluster_df=11), with_skill(known, -0.01), with_skill(open_, -0.0005)]
    found = {r.what: r for r in recommendations(table(*lost), COSTS)}
    avoid = found.pop("Do not use with 23k")
    assert avoid.models == ("b", "a") and "a (below ridge, too few seeds to be sure)" in avoid.words
    assert not any(r.models for r in found.values())
    assert found["Highest accuracy"].words.startswith("no model beats ridge (.5560); the best one is c")
    assert (
        found["Gained most from 8k to 23k"].words
        == "no model with more than a negligible gain beats the best trivial baseline"
    )
    assert not any(r.medal for r in table(*lost).rows), "no medal stands beside 'do not use'"
    (gained,) = (r for r in recommendations(table(*lost, row("d", 1.5, 0.57)), COSTS) if "Gained" in r.what)
    assert gained.models[0] == "d"
    assert gained.words.endswith("; c and b gained more, but do not beat a trivial baseline"), gained.words
    best = recommendations(table(lost[0]), COSTS)[0].words
    assert best.endswith("cosine .5546; too few seeds to be sure")


def test_a_lead_is_about_as_well_only_within_what_is_negligible() -> None:
    """A lead of 1.3 % that chance explains was "about as well"; a lag of .02 % was "do not use"."""
    unsure = with_skill(row("a", 1, 0.565), 0.009, error=0.006)
    (accurate,) = recommendations(table(unsure), COSTS)
    assert accurate.words.endswith("cosine .5650; not known to be better than ridge")
    near = with_skill(row("a", 1, 0.5559), -0.0001, error=0.00002)
    assert near.fault == "below ridge", "the table says so"
    found = {one.what: one.words for one in recommendations(table(near, row("b", 1, 0.57)), COSTS)}
    assert not any("Do not use" in what for what in found), found


def test_a_model_that_is_advised_against_keeps_no_other_from_being_the_balanced_one() -> None:
    """The cheap one that regressed would be as good and cheaper; still it is not to be used."""
    found = {r.what: r for r in recommendations(table(row("a", -1, 0.520, Word.REGRESSED), row("b", 1, 0.519)), COSTS)}
    assert found["Best balance"].models == ("b",)
    assert found["Do not use with 23k"].models == ("a",)
    assert found["Highest accuracy"].words.startswith("a trained on 8k, cosine .5253")


def test_histories_are_not_set_side_by_side() -> None:
    """Each was judged on validation windows of its own."""
    fell, rose = (replace(row(m, c, 0.56, Word.POINT_ESTIMATE), moved=0.0056 * c) for m, c in (("a", -0.4), ("b", 0.3)))
    (found,) = recommendations(table(fell, rose), COSTS)
    assert (found.models, found.words) == ((), "no 23k model was judged on held-out windows")
    assert not any(choice.on_front for choice in priced_models(table(fell, rose), COSTS))


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
    assert found["Gained most from 8k to 23k"].models[0] == "d"


def test_a_larger_gain_that_is_known_is_not_passed_over_as_negligible() -> None:
    """It was measured so precisely that it lies within the bounds of negligible."""
    first = replace(row("a", 0.30, 0.5, Word.NEGLIGIBLE), interval=(0.15, 0.45), adjusted=(0.12, 0.48))
    found = {r.what: r for r in recommendations(table(first, row("b", 0.29, 0.5)), COSTS)}
    assert found["Gained most from 8k to 23k"].models[0] == "a"
    unsure = replace(first, adjusted=(-0.1, 0.48))
    found = {r.what: r for r in recommendations(table(unsure, row("b", 0.29, 0.5)), COSTS)}
    assert found["Gained most from 8k to 23k"].models[0] == "b"
    for word in (Word.TOO_CLOSE, Word.NEGLIGIBLE):
        found = {r.what: r for r in recommendations(table(first, row("b", 0.4, 0.5, word)), COSTS)}
        assert found["Gained most from 8k to 23k"].words == "no known gain is more than negligible"
    found = {r.what: r for r in recommendations(table(*(row(m, 0.4, 0.5, Word.TOO_CLOSE) for m in "ab")), COSTS)}
    assert found["Gained most from 8k to 23k"].words == "no model has a gain clear of zero"


def test_balance_is_the_cheapest_of_nearly_the_best() -> None:
    found = {
        r.what: r for r in recommendations(table(row("a", 1, 0.517), row("c", 1, 0.520), row("b", 1, 0.49)), COSTS)
    }
    assert found["Best balance"].models == ("a",)
    assert found["Best balance"].words == (
        "a, cosine .5170 with 1000 parameters and 1.00 ms a prediction, within 1 % of the best "
        "with 23k (c, .5200 with 4000 parameters and 3.00 ms a prediction)"
    )


def test_nothing_is_recommended_while_models_wait_for_their_runs() -> None:
    dead = Finding("collapsed", True, "collapsed at epoch 3")
    going = table(row("a", 1, 0.52), row("b", 1, 0.51, Word.PROVISIONAL), row("c", 1, 0.5, Word.IMPROVED, dead))
    assert [r.what for r in recommendations(going, COSTS)] == ["Do not use with 23k"]


def test_with_folds_only_models_of_the_same_seeds_are_set_side_by_side() -> None:
    """Each seed holds out other articles, which may be easier."""
    rows = [replace(row("a", 1, 0.52), compared=(1, 2, 3)), replace(row("b", 1, 0.51), compared=(1, 2, 3))]
    easier = replace(row("e", 1, 0.6), compared=(1, 2))
    for folds, best in ((True, "a"), (False, "e")):
        made = replace(table(*rows, easier), folds=folds)
        found = {r.what: r for r in recommendations(made, COSTS)}
        assert found["Highest accuracy"].models == (best,)
        assert answers(questions(made, COSTS))["Is the largest model worth its cost?"].count("e has .6000") == (
            not folds
        )
        assert [c.model for c in priced_models(made, COSTS) if c.on_front][:1] == [best]
        assert any("the cosines of e cannot be set beside" in words for words in caveats(made)) == folds
        others = [one for one in made.rows if one.model != "e"]
        going = replace(made, rows=(*others, replace(easier, verdict=Verdict(Word.PROVISIONAL))))
        assert any("the cosines of e cannot be set beside" in words for words in caveats(going)) == folds


def test_a_row_that_is_not_comparable_is_set_beside_no_other() -> None:
    """Its cosine may be of other windows, or it may have seen the held-out ones."""
    one = table(row("a", 1, 0.52), row("b", 1, 0.51), row("e", 1, 0.6, Word.NOT_COMPARABLE))
    found = recommendations(one, COSTS)
    assert found[0].models == ("a",) and not any("e" in r.models for r in found)
    assert [c.model for c in priced_models(one, COSTS) if c.on_front] == ["a"]
    assert answers(questions(one, COSTS))["Is the largest model worth its cost?"] == (
        "Unknown: e, the largest, has no 23k cosine that may be compared."
    )
    unfair = table(row("d", 1, 0.6, Word.NOT_COMPARABLE), row("e", 1, 0.6, Word.NOT_COMPARABLE))
    assert [r.models for r in recommendations(unfair, COSTS)] == [()]


def test_the_balanced_choice_is_better_than_the_best_trivial_baseline() -> None:
    """What needs no training is cheaper still."""
    ahead, equal = with_skill(row("b", 1, 0.52), 0.01), with_skill(row("a", 1, 0.519), 0.0001)
    found = {r.what: r for r in recommendations(table(ahead, equal), COSTS)}
    assert found["Best balance"].models == ("b",) and "would be" not in found["Best balance"].words


def test_a_cheaper_model_that_may_beat_the_trivial_baselines_is_named_beside_the_balanced_choice() -> None:
    """It has the highest cosine and costs least; its gain has no interval."""
    cheap, sure = with_skill(row("a", 1, 0.52), 0.01, df=1.5), with_skill(row("b", 1, 0.5199), 0.01)
    found = {r.what: r for r in recommendations(table(sure, cheap), COSTS)}
    assert found["Best balance"].models == ("b",)
    assert found["Best balance"].words.endswith(
        "; a (.5200 with 1000 parameters and 1.00 ms a prediction) would be if it were known to beat the best trivial "
        "baseline"
    )
    accurate = found["Highest accuracy"]
    assert accurate.models == ("a",)
    assert accurate.words.endswith("; too few held-out clusters to tell whether it is better than ridge"), (
        accurate.words
    )


def test_longer_training_is_advised_only_where_a_run_was_still_improving() -> None:
    low = with_skill(row("a", 1, 0.52), -0.01)
    assert next_steps(table(low), {}, over=True, campaign="c")[-1].startswith(f"Train {RECIPE} before asking about")
    rising = Finding("still_improving", False, "still improving at the end")
    low = replace(low, expanded=replace(low.expanded, findings=(rising,)))
    assert next_steps(table(low), {}, over=True, campaign="c")[-1].startswith(f"Train longer or {RECIPE} before asking")


def test_nothing_is_recommended_of_nothing() -> None:
    empty = table()
    assert [r.words for r in recommendations(empty, {})] == ["no 23k model is finished, comparable and free of alarms"]
    assert (
        answers(questions(empty, {}))["Did larger models gain more?"]
        == "Unknown: no model is ranked by held-out windows."
    )


def change(
    value: float, error: float, from_training: float = 0.0, df: float = 30, cluster_df: float | None = None
) -> Estimate:
    return Estimate(value, error, df, 2000, 60, 40, cluster_df, from_training)


def test_what_would_decide_a_change_that_is_too_close_to_call() -> None:
    said = deciding(change(0.3, 0.3), 3, folds=False)
    assert said == (
        "To decide it, the interval must be 2.8 times narrower: about 7.8 times as many held-out articles (a larger "
        "file, or --folds with several seeds); more seeds on the same articles would gain little."
    )
    assert "(a larger file or more folds)" in deciding(change(0.3, 0.3), 3, folds=True)
    assert deciding(change(0.3, 0.1), 3, folds=False).startswith(
        "To decide it, repeat the campaign with other articles"
    )


def test_where_training_is_the_noise_seeds_decide() -> None:
    said = deciding(change(0.4, 0.2, from_training=0.9), 3, folds=False)
    assert said.startswith("To decide it, the interval must be 1.4 times narrower: about 11 seeds (training makes 90 %")
    assert "articles" not in said


def test_the_figures_that_are_named_would_decide() -> None:
    """With so many times as many articles an equal change is 2.8 standard errors from zero."""
    value, error = 0.6, 0.4
    times = 0.4**2 / (0.6 / 2.8) ** 2
    assert f"about {times:.1f} times as many held-out articles" in deciding(change(value, error), 3, folds=False)


def test_without_a_verdict_what_is_missing_is_named() -> None:
    assert deciding(change(1, 0.1, df=2), 3, folds=False).startswith("For a verdict more articles must be held out")
    assert deciding(change(1, 0.1, df=2, cluster_df=30), 3, folds=False) == "For a verdict train more seeds."


def test_what_overfitted_is_not_told_to_train_longer() -> None:
    failed, overfit = (Finding(kind, kind == "failed_to_learn", "") for kind in ("failed_to_learn", "overfitting"))
    one = row("a", 0.1, 0.5, Word.NOT_COMPARABLE, failed, overfit)
    both = replace(one, baseline=replace(one.baseline, findings=(overfit,)))
    assert next_steps(table(one), {}, over=True, campaign="c") == (), "the other arm may need them all"
    said = next_steps(table(both), {}, over=True, campaign="c")
    assert any(step.startswith("Train fewer epochs (--epochs)") for step in said)
    assert not any(
        "longer" in step or "fewer" in step
        for step in next_steps(table(row("a", 0.1, 0.5)), {}, over=True, campaign="c")
    )


def test_one_run_that_overfitted_changes_no_advice_for_the_others() -> None:
    """Nor is anything told to train longer and shorter."""
    overfit = Finding("overfitting", False, "")
    low = [with_skill(row(model, 1, 0.52), -0.01) for model in "abc"]
    cells = [[replace(r.cell(arm), findings=(overfit,)) for arm in ARMS] for r in low]
    bad = [replace(r, baseline=base, expanded=large) for r, (base, large) in zip(low, cells, strict=True)]
    recipe = (f"Train {RECIPE} before asking about data: a trivial baseline does better.",)
    unclear = table(with_skill(row("a", 1, 0.52), -0.0001))
    assert next_steps(unclear, {}, over=True, campaign="c")[-1].endswith("a trivial baseline does as well.")
    assert next_steps(table(bad[0], *low[1:]), {}, over=True, campaign="c") == recipe
    assert next_steps(table(*bad), {}, over=True, campaign="c") == recipe, "the best weights are judged all the same"
    (said,) = next_steps(table(*bad), {}, over=True, campaign="c", earlier=True)
    assert said.endswith("Train all runs anew for that: earlier ones are compared with their like only.")
    fell_apart = replace(bad[0].baseline, findings=(overfit, Finding("failed_to_learn", True, "", "fell apart")))
    bad[0] = replace(bad[0], baseline=fell_apart)
    (said,) = next_steps(table(*bad), {}, over=True, campaign="c")
    assert said.startswith(f"Train fewer epochs (--epochs) or {RECIPE}: all arms overfitted: ")
    rises = replace(bad[0].baseline, findings=(Finding("still_improving", False, ""),))
    assert next_steps(table(replace(bad[0], baseline=rises), *bad[1:]), {}, over=True, campaign="c") == recipe
    longer = replace(bad[0], verdict=replace(bad[0].verdict, remedy=LONGER))
    assert next_steps(table(longer, *bad[1:]), {}, over=True, campaign="c") == recipe


def test_what_would_fail_again_is_not_told_to_be_retried() -> None:
    failed = table(row("a", 0.1, 0.5, Word.NOT_COMPARABLE), row("b", 0.1, 0.5, Word.NOT_COMPARABLE))
    (said,) = next_steps(failed, {}, over=True, campaign="c", doomed=("a", "b"))
    assert said.startswith(
        "A retry of a and b alone would fail again: their status names what to fix. Own code and opt"
    )
    phases = {"b_8k": Phase.FAILED, "b_23k": Phase.CANCELLED, "b_4k": Phase.FINISHED}
    said, again = next_steps(failed, phases, over=True, campaign="c", doomed=("a",))
    assert said.startswith("To compare the other runs that failed") and said.endswith(": lvmtui retry b_8k b_23k.")
    assert again.startswith("A retry of a alone would fail again")
    assert next_steps(failed, phases, over=True, campaign="c")[0].endswith("lvmtui retry all --campaign c.")
    assert (
        "its status names" in next_steps(failed, {}, over=True, campaign="c", doomed=("a",))[0]
        and "retry all" not in said
    )


def test_only_an_open_question_has_such_a_step() -> None:
    open_, told = (table(row("a", 0.1, 0.5, word)) for word in (Word.TOO_CLOSE, Word.IMPROVED))
    assert any(step.startswith("To decide it") for step in next_steps(open_, {}, over=True, campaign="c"))
    assert next_steps(told, {}, over=True, campaign="c") == ()
