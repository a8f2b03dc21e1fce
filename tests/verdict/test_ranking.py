"""Order, ranks, ties; rows that wait and rows that cannot be compared."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.results import Comparison
from lvmtui.models import title_of
from lvmtui.report.make import write_report
from lvmtui.verdict.comparable import SAME, SAME_SCORES
from lvmtui.verdict.compare import compare
from lvmtui.verdict.comparison import trivial_by_run
from lvmtui.verdict.ranking import Judgement, ranked, table_of
from lvmtui.verdict.rows import SO_FAR
from lvmtui.verdict.table import ArmCell, Row, TrivialRow
from lvmtui.verdict.words import PUT_BACK, UNFINISHED, Verdict, Word
from tests.factory import State, bring_to, make_campaign, planned_run
from tests.history import Curve
from tests.verdict.scenes import by_own_trainer, finished, read_table, report_of, state_of
from tests.verdict.tables import made_row, made_table, two_contexts


def row(model: str, change: float | None, expanded: float | None, word: Word) -> Row:
    def cell(label: str, cosine: float | None) -> ArmCell:
        return ArmCell(label, "finished", cosine, cosine, None, ())

    return Row(
        model=model,
        title=title_of(model),
        rank=None,
        baseline=cell("8k", 0.5),
        expanded=cell("23k", expanded),
        change=change,
        estimate=None,
        interval=None,
        adjusted=None,
        strata=(),
        verdict=Verdict(word),
        seeds=3,
        history=word is Word.POINT_ESTIMATE,
        notes=(),
    )


figures = st.one_of(st.none(), st.floats(-5, 5), st.just(float("nan")))
rows = st.lists(
    st.builds(
        row,
        st.text("abc", min_size=1, max_size=3),
        figures,
        st.one_of(st.none(), st.floats(0, 1)),
        st.sampled_from(Word),
    ),
    max_size=30,
)


@given(rows)
def test_ranked_rows_come_first_in_falling_order(given_rows: list[Row]) -> None:
    table = ranked(given_rows)
    assert sorted(r.model for r in table) == sorted(r.model for r in given_rows)
    ranks = [r.rank for r in table]
    above = [r for r in table if r.rank is not None]
    assert ranks == [r.rank for r in above] + [None] * (len(table) - len(above))
    for earlier, later in pairwise(above):
        assert earlier.rank is not None and later.rank is not None
        first = (earlier.change, earlier.expanded.cosine or 0.0)
        second = (later.change, later.expanded.cosine or 0.0)
        assert first >= second
        assert (earlier.rank == later.rank) == (first == second)


@given(rows)
def test_no_rank_without_a_figure_or_a_fair_comparison(given_rows: list[Row]) -> None:
    only_histories = all(r.history for r in given_rows)
    for r in ranked(given_rows):
        if r.rank is not None:
            assert r.change is not None and r.change == r.change
            assert r.verdict.word not in (Word.NOT_COMPARABLE, Word.PROVISIONAL)
            assert r.verdict.word is not Word.POINT_ESTIMATE or only_histories


@given(rows, st.randoms())
def test_ranks_do_not_depend_on_the_order_of_the_models(given_rows: list[Row], random: object) -> None:
    named = [replace(r, model=f"{r.model}{i}") for i, r in enumerate(given_rows)]
    shuffled = list(named)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {r.model: r.rank for r in ranked(named)} == {r.model: r.rank for r in ranked(shuffled)}


def test_ties_go_to_the_higher_expanded_cosine_and_equal_rows_share_a_rank() -> None:
    table = ranked(
        [
            row("a", 1.0, 0.50, Word.IMPROVED),
            row("b", 1.0, 0.52, Word.IMPROVED),
            row("c", 1.0, 0.50, Word.IMPROVED),
            row("d", 0.5, 0.60, Word.IMPROVED),
        ]
    )
    assert [(r.model, r.rank, r.medal) for r in table] == [
        ("b", 1, "🥇"), ("a", 2, "🥈"), ("c", 2, "🥈"), ("d", 4, ""),
    ]  # fmt: skip


def test_a_campaign_that_has_just_begun(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"), total_steps=24)
    from lvmtui.formats.paths import Workspace

    table = read_table(state_of(Workspace(tmp_path), campaign))
    assert [(r.model, r.rank, r.verdict.words, r.change) for r in table.rows] == [
        ("amn", None, "provisional", None), ("gru", None, "provisional", None),
    ]  # fmt: skip
    assert table.average is None and not table.trivial


def test_a_plain_mean_does_not_stand_beside_means_with_capped_articles(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)}, seeds=(1,))
    write_report(workspace, campaign.id)
    known = Judgement(state_of(workspace, campaign))
    amn = {"amn": known.comparisons["amn"]}  # GRU is not compared yet

    def cosines(cap: int | None, compared: Mapping[str, Comparison]) -> list[bool]:
        state = replace(known.state, campaign=replace(known.state.campaign, cluster_cap=cap))
        rows = table_of(state, compared, known.trivial, known.health).rows
        return [row.expanded.cosine is not None for row in sorted(rows, key=lambda row: row.model)]

    assert cosines(20, amn) == [True, False] and cosines(20, known.comparisons) == [True, True]
    assert cosines(20, {}) == [True, True], "all are plain means"
    planned = replace(known.state, campaign=replace(known.state.campaign, cluster_cap=34))
    assert table_of(planned, {}, known.trivial, known.health).weights == (
        "plain means, as nothing is compared; in a comparison an article counts for at most 34 of them"
    )
    alone = replace(planned, runs=tuple(replace(view, state=None) for view in planned.runs))
    assert table_of(alone, {}, known.trivial, {}).plain, "trivial baselines stand there before any run"
    assert cosines(None, amn) == [True, True], "nothing is capped"
    gru = {"gru": replace(known.comparisons["gru"], baseline=None, expanded=None, change=None)}
    for cap in (20, None):
        assert cosines(cap, amn | gru) == [True, False], "its plain means are of other windows, or of lost scores"
    sizes = replace(known.state.campaign, cluster_cap=20, between=(known.state.campaign.expanded,))
    table = table_of(replace(known.state, campaign=sizes), {}, known.trivial, known.health)
    assert {row.expanded.cosine for row in table.rows} == {None} and not table.trivial, "the curve's are capped"
    assert table.weights == "an article counts for at most 20 of them"


def test_before_a_comparison_the_trivial_baselines_are_means_over_the_windows_of_every_fold(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.51, 0.52)}, seeds=(1, 2))
    known = Judgement(state_of(workspace, campaign))
    trivial, scored = dict(known.trivial), 0
    for run in (view.planned for view in known.state.runs if view.planned.arm == "expanded" and view.planned.seed == 2):
        one = trivial[run.run]
        assert one is not None
        other = {name: replace(score, cosine=score.cosine - 0.03) for name, score in one.scores.items()}
        trivial[run.run] = replace(one, fingerprint="fold 2", windows=2 * one.windows, scores=other)
        scored += 1
    recency = table_of(known.state, {}, trivial, known.health).trivial[0]
    assert scored == 1 and (recency.name, recency.baseline) == ("recency_mean", pytest.approx(0.5166))
    assert recency.expanded == pytest.approx(0.5171 - 0.02)


def test_what_is_known_so_far(tmp_path: Path) -> None:
    workspace, campaign = finished(
        tmp_path,
        {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52), "lstm": (0.51, 0.52)},
        seeds=(1,),
        states={("gru", "expanded"): "interrupted", ("lstm", "expanded"): "diverged"},
    )
    table = read_table(state_of(workspace, campaign))
    amn, gru, lstm = (table.row(m) for m in ("amn", "gru", "lstm"))
    assert amn and gru and lstm
    assert amn.verdict.sentence == "provisional: finished, not compared yet"
    against_recency = 100 * ((0.5269 / 0.5118) / (0.5189 / 0.5112) - 1)  # each arm on its own validation windows
    assert amn.change == pytest.approx(against_recency, abs=0.01)
    assert gru.verdict.sentence == "provisional: 23k interrupted"
    assert gru.expanded.cosine is None and gru.expanded.validation is not None and gru.change is not None
    assert lstm.verdict.sentence == "not comparable: 23k diverged: loss is not finite at step 12"
    assert lstm.change is None
    assert [r.model for r in table.rows] == ["amn", "gru", "lstm"]


def test_a_change_so_far_is_told_against_each_arms_own_windows(tmp_path: Path) -> None:
    """The bundled data's figures: the bare validation cosines fall, the windows of 23k are harder."""
    workspace, campaign = finished(
        tmp_path, {"amn": (0.5226, 0.5201)}, seeds=(1,), states={("amn", "expanded"): "interrupted"},
        curves={
            ("amn", "baseline"): Curve(0.5226, steepness=99, noise=0),
            ("amn", "expanded"): Curve(0.5201, steepness=99, noise=0),
        },
    )  # fmt: skip
    state = state_of(workspace, campaign)
    runs = {view.planned.arm: view.planned.run for view in state.runs}
    known = trivial_by_run(state)
    baseline, expanded = known[runs["baseline"]], known[runs["expanded"]]
    assert baseline and expanded
    own = {
        runs["baseline"]: replace(baseline, validation_cosines={"mean": 0.5, "recency_mean": 0.5091}),
        runs["expanded"]: replace(expanded, validation_cosines={"mean": 0.5, "recency_mean": 0.5031}),
    }
    (amn,) = table_of(state, {}, own, {}).rows
    assert amn.verdict.word is Word.PROVISIONAL and amn.change is not None
    assert amn.change == pytest.approx(100 * (0.5201 / 0.5031 / (0.5226 / 0.5091) - 1), abs=0.01)
    assert amn.change > 0 and amn.notes == (SO_FAR,) and amn.early
    for unknown in (
        {},
        {runs["baseline"]: own[runs["baseline"]]},
        own | {runs["expanded"]: replace(own[runs["expanded"]], fingerprint="another split")},
    ):
        (amn,) = table_of(state, {}, unknown, {}).rows
        assert (amn.change, amn.notes) == (None, ("too early to tell",))


def test_no_word_and_no_medal_before_all_seeds_that_were_planned(tmp_path: Path) -> None:
    models = {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)}
    workspace, campaign = finished(tmp_path, models, states={("amn", "expanded"): "queued"})
    for count, seed in enumerate(campaign.seeds, 1):
        bring_to(workspace, campaign, "amn", "expanded", seed, state="finished", curve=Curve(0.5269), heldout=True)
        for model in campaign.models:
            compare(workspace.campaign(campaign.id), model)
        table = read_table(state_of(workspace, campaign))
        amn = table.row("amn")
        assert amn and amn.change is not None
        if count < len(campaign.seeds):
            assert amn.verdict.sentence == f"provisional: {count} of 3 seeds compared"
            assert (amn.medal, amn.rank, amn.interval, amn.estimate) == ("", None, None, None)
            assert table.primary is None and table.tested == 1
        else:
            assert amn.verdict.word is Word.IMPROVED and amn.medal and table.tested == 2 and table.primary


def test_seeds_that_will_never_come_are_counted_and_not_waited_for(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269)}, states={("amn", "expanded"): "queued"})
    states: tuple[State, ...] = ("finished", "cancelled", "cancelled")
    for seed, state in zip(campaign.seeds, states, strict=True):
        bring_to(
            workspace, campaign, "amn", "expanded", seed, state=state, curve=Curve(0.5269), heldout=state == "finished"
        )
    compare(workspace.campaign(campaign.id), "amn")
    (amn,) = read_table(state_of(workspace, campaign)).rows
    assert amn.verdict.word is Word.LEANS_UP and not amn.cancelled
    assert "1 of 3 seeds compared; the others: cancelled" in amn.notes


def test_planned_seeds_that_failed_are_to_be_retried_before_there_are_more(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.51, 0.52)}, states={("amn", "expanded"): "queued"})
    ends: tuple[State, ...] = ("finished", "finished", "failed")
    for seed, state, best in zip(campaign.seeds, ends, (0.52, 0.56, 0.5), strict=True):
        scored = state == "finished"
        bring_to(workspace, campaign, "amn", "expanded", seed, state=state, curve=Curve(best), heldout=scored)
    report, md = report_of(workspace, campaign)
    assert report.table.rows[0].verdict.remedy == UNFINISHED and "more seeds" not in md
    assert "To judge AMN: the planned seeds that did not finish (lvmtui retry)." in report.caveats
    assert ["lvmtui retry all" in step for step in report.next_steps] == [True]
    shutil.rmtree(workspace.run(planned_run(campaign, "amn", "expanded", campaign.seeds[-1])).path)
    assert read_table(state_of(workspace, campaign)).rows[0].verdict.remedy == PUT_BACK, "nothing can be tried again"


def test_a_run_folder_that_was_removed_is_missing_and_not_a_run_that_failed(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)})
    for model, seeds in (("amn", (2,)), ("gru", (1, 2, 3))):
        for seed in seeds:
            shutil.rmtree(workspace.run(planned_run(campaign, model, "expanded", seed)).path)
        compare(workspace.campaign(campaign.id), model)
    amn, gru = read_table(state_of(workspace, campaign)).rows
    assert "2 of 3 seeds compared; the others: missing" in amn.notes
    assert gru.verdict.word is Word.NOT_COMPARABLE and gru.verdict.reason.startswith("23k missing: ")
    _, page = report_of(workspace, campaign)
    assert "**8 of 12 runs finished, 4 missing.**" in page
    doubts = page.split("## What to doubt")[1].split("##")[0]
    assert "the others: missing" in doubts and "23k missing" in doubts
    assert "failed" not in page.split("## Evidence")[0]


def test_a_pair_that_was_compared_before_a_run_was_damaged_is_doubted(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269)}, seeds=(1,))
    compare(workspace.campaign(campaign.id), "amn")
    workspace.run(planned_run(campaign, "amn", "expanded", 1)).spec.write_text("{")
    _, page = report_of(workspace, campaign)
    doubts = page.split("## What to doubt")[1].split("##")[0]
    assert re.search(r"- AMN: compared before its run on 23k was missing: .*spec\.json: not a run's spec", doubts)
    assert "seeds compared; the others" not in doubts


def test_a_cancelled_model_is_cancelled(tmp_path: Path) -> None:
    models = {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)}
    workspace, campaign = finished(tmp_path, models, states={("gru", "expanded"): "cancelled"})
    compare(workspace.campaign(campaign.id), "amn")
    gru = read_table(state_of(workspace, campaign)).row("gru")
    assert gru and gru.cancelled and gru.verdict.sentence == "not comparable: 23k cancelled"


def test_a_baseline_that_failed_to_learn_wins_no_medal(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269), "gru": (0.05, 0.52)})
    for model in campaign.models:
        compare(workspace.campaign(campaign.id), model)
    table = read_table(state_of(workspace, campaign))
    gru = table.row("gru")
    assert gru and (gru.rank, gru.medal, gru.change) == (None, "", None)
    assert gru.verdict.sentence.startswith("not comparable: 8k failed to learn")
    assert table.average == pytest.approx(1.54, abs=0.1)
    folders = [workspace.run(run).path for run in campaign.runs if run.model == "gru"]
    for gone in folders:  # a run less is no reason for a verdict
        gone.rename(tmp_path / "gone")
        gru = read_table(state_of(workspace, campaign)).row("gru")
        assert gru and gru.verdict.sentence.startswith("not comparable: 8k failed to learn"), gone.name
        (tmp_path / "gone").rename(gone)


def test_the_average_is_that_of_the_windows(tmp_path: Path) -> None:
    models = {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52), "lstm": (0.5142, 0.5190)}
    workspace, campaign = finished(tmp_path, models)
    for model in campaign.models:
        compare(workspace.campaign(campaign.id), model)
    table = read_table(state_of(workspace, campaign))
    changes = [row.change for row in table.rows if row.change is not None]
    assert table.primary and table.primary.models == campaign.models
    assert table.primary.estimate.value == table.average == pytest.approx(sum(changes) / 3)
    assert table.primary.verdict.word is Word.IMPROVED and table.primary.chances
    assert 0.05 / 3 < table.level < 0.05 and table.uncapped


def test_a_collapsed_run_is_no_evidence_about_data(tmp_path: Path) -> None:
    workspace, campaign = finished(
        tmp_path,
        {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)},
        curves={("gru", "expanded"): Curve(0.52, collapses_at=0.3)},
    )
    for model in campaign.models:
        compare(workspace.campaign(campaign.id), model)
    table = read_table(state_of(workspace, campaign))
    amn, gru = table.rows
    assert (amn.model, amn.rank) == ("amn", 1)
    assert (gru.model, gru.rank, gru.change) == ("gru", None, None)
    assert gru.verdict.sentence.startswith("not comparable: 23k predicts the mean vector since epoch")
    assert table.tested == 1


def test_trivial_baselines_stand_beside_the_best_first(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269)}, seeds=(1,))
    state = state_of(workspace, campaign)
    known = {run: t for run, t in trivial_by_run(state).items() if t and t.arm == "baseline"}
    table = table_of(state, {}, known, {})
    assert [(r.title, round(r.baseline or 0, 12), r.expanded) for r in table.trivial] == [
        ("recency mean", 0.5166, None), ("mean of the context", 0.5064, None), ("ridge", 0.4549, None),
        ("copy-last", 0.412, None), ("constant mean", 0.2512, None),
    ]  # fmt: skip


def test_arms_that_told_the_same_are_doubted(tmp_path: Path) -> None:
    """A program of the user's own may ignore which arm it is given."""
    state = state_of(*finished(tmp_path, {"same": (0.5, 0.5), "other": (0.45, 0.6)}, seeds=(1,)))
    for one, said in ((state, SAME_SCORES), (by_own_trainer(by_own_trainer(state, "same"), "other"), SAME)):
        rows = {row.model: row for row in read_table(one).rows}
        assert said in rows["same"].notes and said not in rows["other"].notes


def test_a_point_estimate_of_a_run_with_an_alarm_is_none(tmp_path: Path) -> None:
    workspace, campaign = finished(
        tmp_path, {"mine": (0.45, 0.6)}, seeds=(1,), states={("mine", "baseline"): "collapsed"}
    )
    (row,) = read_table(by_own_trainer(state_of(workspace, campaign), "mine")).rows
    assert row.verdict.sentence.startswith("not comparable: 8k predicts the mean vector") and row.change is None


def test_every_context_has_its_best_trivial_baseline() -> None:
    table = two_contexts()
    assert [row.title for row in table.best_trivial] == ["recency mean@10", "recency mean@5"]
    copying = replace(table, trivial=(TrivialRow("copy_last", 0.53, 0.53), *table.trivial))
    assert [row.title for row in copying.best_trivial] == ["copy-last"], "it is the same with every context"
    apart = (TrivialRow("ridge", 0.45, 0.6), TrivialRow("mean", 0.5, 0.5), TrivialRow("copy_last", 0.4, 0.4))
    one = made_table([made_row("amn", 1.0)])
    assert replace(one, trivial=apart).best_trivial == apart[:2], "the best with little data is another one"
    assert replace(one, trivial=(TrivialRow("ridge", 0.5, 0.5), TrivialRow("mean", 0.4, 0.4))).best_trivial == (
        TrivialRow("ridge", 0.5, 0.5),
    )


def test_a_finding_of_several_seeds_stands_once_in_a_cell_with_its_seeds(tmp_path: Path) -> None:
    dead = {("amn", "expanded"): Curve(0.52, collapses_at=0.3)}
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269)}, seeds=(1, 2, 3), curves=dead)
    row = read_table(state_of(workspace, campaign)).row("amn")
    assert row is not None and len(row.expanded.alarms) == 1
    assert row.expanded.alarms[0].endswith(" (seed 1; also seeds 2, 3)")
