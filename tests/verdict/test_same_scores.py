"""Runs that scored exactly alike: a program of the user's own that does not use its seed is no three trainings."""

from __future__ import annotations

import shutil
from pathlib import Path

from lvmtui.formats.campaign import PlannedRun
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.system.files import sealed_digest
from lvmtui.verdict.comparison import complete_pairs, repeated_seeds, same_scores
from lvmtui.verdict.words import Word
from tests.factory import planned_run
from tests.verdict.scenes import finished, read_table, report_of, state_of

COSINES = {"amn": (0.51, 0.53), "gru": (0.51, 0.53)}


def score_alike(workspace: Workspace, one: PlannedRun, other: PlannedRun) -> None:
    """Give `other` the scores of `one`, as if it had made the same predictions."""
    mine, theirs = (sealed_digest(workspace.run(run).heldout) for run in (one, other))
    assert mine and theirs
    shutil.copyfile(workspace.run(one).heldout, workspace.run(other).heldout)
    events = workspace.run(other).events
    events.write_text(events.read_text().replace(theirs, mine))


def test_a_seed_that_changes_nothing_counts_once(tmp_path: Path) -> None:
    """Three copies of one training were "improved", with training noise "covered by 3 seeds"."""
    workspace, campaign = finished(tmp_path, COSINES)
    for arm in ARMS:
        for seed in (2, 3):
            score_alike(workspace, planned_run(campaign, "amn", arm, 1), planned_run(campaign, "amn", arm, seed))
    state = state_of(workspace, campaign)
    assert repeated_seeds(state, "amn") == (2, 3) and not repeated_seeds(state, "gru")
    assert [seed for seed, *_ in complete_pairs(state, "amn")] == [1]
    report, page = report_of(workspace, campaign)
    rows = {row.model: row for row in report.table.rows}
    assert rows["amn"].seeds == 1 and rows["amn"].verdict.word is Word.LEANS_UP, "one seed only leans"
    assert rows["gru"].seeds == 3 and rows["gru"].verdict.word is Word.IMPROVED
    assert "AMN: seeds 2 and 3 scored exactly as an earlier one did, so they count as one" in page
    assert "Single seed (AMN)" in page and "by 1 to 3 seeds per arm (not for AMN, with one)" in page
    assert read_table(state).rows == report.table.rows, "the screen reads the same comparison"


def test_two_names_of_one_program_are_told(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, COSINES | {"lstm": (0.51, 0.53)}, seeds=(1,))
    for arm in ARMS:
        score_alike(workspace, planned_run(campaign, "amn", arm), planned_run(campaign, "gru", arm))
    state = state_of(workspace, campaign)
    assert same_scores(state, "amn") == ("gru",) and same_scores(state, "gru") == same_scores(state, "lstm") == ()
    _, page = report_of(workspace, campaign)
    assert "AMN: scored exactly as GRU: it may be the same program under two names" in page
