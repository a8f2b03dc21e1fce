"""What a user's own program says of its runs, where it hands in no predictions: a change without a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.spec import ArmName
from lvmtui.report.make import read_report
from lvmtui.verdict.answer import answer
from lvmtui.verdict.words import Word
from tests.factory import State, bring_to
from tests.history import Curve
from tests.verdict.scenes import NOW, by_own_trainer, finished, read_table, state_of


def test_a_point_estimate_needs_two_runs_that_ended_by_themselves_and_learned(tmp_path: Path) -> None:
    """What a cancelled, failed or diverged run of a user's own program reached before says nothing about its data."""
    models = ("whole", "cancelled", "failed", "diverged", "running")
    workspace, campaign = finished(
        tmp_path, dict.fromkeys(models, (0.45, 0.6)), seeds=(1,),
        states={
            ("cancelled", "baseline"): "cancelled", ("failed", "expanded"): "gave up",
            ("diverged", "expanded"): "diverged", ("running", "expanded"): "paused",
        },
    )  # fmt: skip
    state = state_of(workspace, campaign)
    for model in models:
        state = by_own_trainer(state, model)
    rows = {row.model: row for row in read_table(state).rows}
    assert rows["whole"].verdict.word is Word.POINT_ESTIMATE and rows["whole"].change == pytest.approx(33.3, abs=0.5)
    assert rows["cancelled"].verdict.sentence == "not comparable: 8k cancelled" and rows["cancelled"].cancelled
    assert rows["failed"].verdict.words == rows["diverged"].verdict.words == "not comparable"
    assert rows["running"].verdict.sentence == "provisional: 23k paused"
    assert {model for model, row in rows.items() if row.change is not None} == {"whole"}
    assert {model for model, row in rows.items() if row.no_change} == {"running"}
    assert rows["running"].no_change == "no verdict without its predictions", "it is said before the end"
    assert "cancelled was cancelled in part" in answer(read_table(state))


def test_the_cosines_beside_a_point_estimate_are_of_the_seeds_it_is_of(tmp_path: Path) -> None:
    """A seed that failed stood in the columns and not in the change: they may have gone apart."""
    workspace, campaign = finished(
        tmp_path, {"mine": (0.45, 0.4)}, seeds=(1, 2), states={("mine", "expanded"): "queued"}
    )
    bring_to(workspace, campaign, "mine", "expanded", 1, curve=Curve(0.4, seed=1))
    bring_to(workspace, campaign, "mine", "expanded", 2, state="gave up", curve=Curve(0.6, seed=2))
    (row,) = read_table(by_own_trainer(state_of(workspace, campaign), "mine")).rows
    before, after = row.baseline.cosine, row.expanded.cosine
    assert row.verdict.word is Word.POINT_ESTIMATE and before and after and row.change is not None
    assert row.change == pytest.approx(100 * (after / before - 1)) and row.change < 0


def test_no_retry_is_advised_where_it_brings_no_more_than_a_point_estimate(tmp_path: Path) -> None:
    models = {"mine": (0.45, 0.4), "amn": (0.51, 0.52), "gru": (0.51, 0.52)}
    to_come: dict[tuple[str, ArmName], State] = {("mine", "expanded"): "queued", ("gru", "expanded"): "cancelled"}
    workspace, campaign = finished(tmp_path, models, seeds=(1, 2), states=to_come)
    bring_to(workspace, campaign, "mine", "expanded", 1, curve=Curve(0.4, seed=1))
    bring_to(workspace, campaign, "mine", "expanded", 2, state="cancelled")
    advice = read_report(by_own_trainer(state_of(workspace, campaign), "mine"), now=NOW).next_steps
    (retry,) = (step for step in advice if "lvmtui retry" in step)
    assert retry.startswith(
        "To compare the other runs that failed or were cancelled, train them again: lvmtui retry gru_"
    )
    assert "mine" not in retry and "retry all" not in retry
