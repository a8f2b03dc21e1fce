"""Order, ranks, ties; rows that wait and rows that cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.data_facts import read_trivial
from lvmtui.formats.spec import ARMS
from lvmtui.verdict.compare import compare
from lvmtui.verdict.ranking import SO_FAR, ArmCell, Row, ranked, table_of
from lvmtui.verdict.words import Verdict, Word
from tests.factory import Curve, make_campaign
from tests.verdict.scenes import finished, read_table, state_of


def row(model: str, change: float | None, expanded: float | None, word: Word) -> Row:
    def cell(label: str, cosine: float | None) -> ArmCell:
        return ArmCell(label, "finished", cosine, cosine, None, ())

    return Row(
        model=model,
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
        seeds_missing=0,
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
        assert first >= second  # type: ignore[operator]
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
    assert amn.change is not None and round(amn.change, 2) == 1.54
    assert gru.verdict.sentence == "provisional: 23k interrupted"
    assert gru.expanded.cosine is None and gru.expanded.validation is not None and gru.change is not None
    assert lstm.verdict.sentence == "not comparable: 23k diverged: loss is not finite at step 12"
    assert lstm.change is None
    assert [r.model for r in table.rows] == ["amn", "gru", "lstm"]


def test_a_change_so_far_is_told_against_each_arms_own_windows(tmp_path: Path) -> None:
    """The bundled data's figures: the bare validation cosines fall, the windows of 23k are harder."""
    workspace, campaign = finished(
        tmp_path, {"amn": (0.5226, 0.5201)}, seeds=(1,), states={("amn", "expanded"): "interrupted"},
        curves={("amn", "baseline"): Curve(0.5226, noise=0), ("amn", "expanded"): Curve(0.5201, steepness=99, noise=0)},
    )  # fmt: skip
    state = state_of(workspace, campaign)
    known = {arm: read_trivial(state.dir.baseline_scores(arm)) for arm in ARMS}
    assert known["baseline"] and known["expanded"]
    own = {
        "baseline": replace(known["baseline"], validation_mean=0.5091),
        "expanded": replace(known["expanded"], validation_mean=0.5031),
    }
    (amn,) = table_of(state, {}, own, {}).rows  # type: ignore[arg-type]
    assert amn.verdict.word is Word.PROVISIONAL and amn.change is not None
    assert amn.change == pytest.approx(100 * (0.5201 / 0.5031 / (0.5226 / 0.5091) - 1), abs=0.05)
    assert amn.change > 0 and amn.notes == (SO_FAR,)
    for unknown in (
        {},
        {"baseline": own["baseline"]},
        own | {"expanded": replace(own["expanded"], fingerprint="another split")},
    ):
        (amn,) = table_of(state, {}, unknown, {}).rows  # type: ignore[arg-type]
        assert (amn.change, amn.notes) == (None, ())


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
    table = table_of(state, {}, {"baseline": read_trivial(state.dir.baseline_scores("baseline"))}, {})
    assert [(r.title, r.baseline, r.expanded) for r in table.trivial] == [
        ("recency mean", 0.5166, None), ("mean of the context", 0.5064, None), ("ridge", 0.4549, None),
        ("copy-last", 0.412, None), ("constant mean", 0.2512, None),
    ]  # fmt: skip
