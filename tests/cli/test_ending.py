"""The end of `lvmtui run`, and the list of campaigns: the answer first, then where to look and what to type next."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.cli import follow
from lvmtui.cli.campaigns import campaigns_as_json, campaigns_as_text
from lvmtui.cli.ending import CampaignOutcome, read_ending, result_rows
from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import ContextGain, Estimate
from lvmtui.formats.trainer_log import IN_THE_PLAN
from lvmtui.report.make import write_report
from lvmtui.state.status import Phase, Status
from lvmtui.system.text import aligned
from lvmtui.verdict.answer import answer
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.comparison import read_comparisons
from lvmtui.verdict.health import Finding
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.table import Forward, Table
from lvmtui.verdict.words import Verdict, Word
from tests.factory import bring_to, make_campaign
from tests.report.test_sizes import CURVE
from tests.ui.showcase import end, middle
from tests.verdict.scenes import finished, state_of
from tests.verdict.tables import made_row, made_table, two_contexts, with_skill


def ending(root: Path) -> list[str]:
    workspace, campaign = Workspace(root), end(root)
    return read_ending(workspace, state_of(workspace, campaign), "lvmtui", 100).splitlines()


def test_the_largest_doubt_comes_before_how_models_are_judged() -> None:
    forward = Forward(ForwardScores(9, (0.6,) * 8, 0.4, (0.6,) * 5), "mean", ForwardScores(9, (0.6,) * 8, 0.4, ()))
    rows = [made_row("amn", 1.0), made_row("gru", 1.2)]
    rows[0] = replace(rows[0], expanded=replace(rows[0].expanded, forward=forward))
    doubt, joint = caveats(made_table(rows))
    assert doubt.startswith("AMN: with 23k, on windows followed by four more, there is no gain over the mean")
    assert "judged together" in joint


def test_a_best_at_the_first_evaluation_of_both_arms_may_hide_a_change_either_way() -> None:
    early = (Finding("best_at_first", False, "had its best score at the first evaluation", seeds=3),)
    row = made_row("amn", 1.0)
    row = replace(row, baseline=replace(row.baseline, findings=early))
    doubt = next(one for one in caveats(made_table([row])) if "first evaluation" in one)
    assert doubt.startswith("AMN trained on 8k had") and "the true change may be lower. Fewer" in doubt
    row = replace(row, expanded=replace(row.expanded, findings=early))
    doubt = next(one for one in caveats(made_table([row])) if "first evaluation" in one)
    assert doubt.startswith("AMN trained on 8k and 23k had") and "may be lower or higher. Fewer" in doubt
    row = replace(row, seeds=3, expanded=replace(row.expanded, findings=(replace(early[0], seeds=2),)))
    doubt = next(one for one in caveats(made_table([row])) if "first evaluation" in one)
    assert doubt.startswith("AMN trained on 8k and 23k (some seeds only) had"), "of either arm"


def test_the_last_line_has_the_sign_of_a_change_near_zero() -> None:
    outcome = CampaignOutcome("8k_vs_23k", "negligible", "", -0.0047, (-0.0123, 0.0019), 2, 2, 3)
    assert outcome.line.startswith("VERDICT negligible -0.005 [-0.01,+0.002] models=2 planned=2 seeds=3 ")
    assert " +0.00 - " in replace(outcome, change_percent=0.0, interval=None).line


def test_the_answer_comes_first_and_the_next_step_last(tmp_path: Path) -> None:
    lines = ending(tmp_path)
    text = "\n".join(lines)
    assert lines[0].startswith("More data ") and lines[0].endswith((".", ";", ","))
    titles = next(line for line in lines if line.startswith("model"))
    assert titles.split()[:4] == ["model", "8k", "23k", "change"]
    assert all(any(line.startswith(title) for line in lines) for title in ("AMN", "GRU", "LSTM"))
    assert "GraphMERT-LVM: " in text, "why a row is not ranked is told below the table"
    assert "no network" in text
    assert f"report  {tmp_path}/artifacts/lvm/8K_VS_23K_FINAL_COMPARISON.md" in lines
    assert "next    lvmtui" in text and "lvmtui report --output -" in text
    assert len(lines) <= 24 and "\x1b" not in text, "it fits a small terminal"


def test_every_table_says_what_is_wrong_with_a_model() -> None:
    table = made_table([with_skill(made_row("amn", 0.8), -0.01, "ridge")])
    assert result_rows(table)[1][-1] == "improved; below ridge" == table.rows[0].verdict_words
    unfair = replace(table.rows[0], verdict=Verdict(Word.NOT_COMPARABLE))
    assert unfair.verdict_words == "not comparable", "its reason says it"


def test_the_last_column_is_wrapped_under_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal would break the line in the middle of a word."""
    workspace, campaign = Workspace(tmp_path), end(tmp_path)
    words = "too close to call; too few seeds to be sure"

    def with_words(table: Table) -> list[tuple[str, ...]]:
        title, *rows = result_rows(table)
        return [title, *((*row[:5], words) for row in rows)]

    monkeypatch.setattr("lvmtui.cli.ending.result_rows", with_words)
    for width in (200, 80):
        lines = read_ending(workspace, state_of(workspace, campaign), "lvmtui", width).splitlines()
        at = next(place for place, line in enumerate(lines) if line.startswith("model "))
        table = lines[at : lines.index("", at)]
        assert all(len(line) <= width for line in table) and " ".join("".join(table).split()).count("too close") == 6


def test_a_run_that_did_not_finish_is_offered_again(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished", heldout=True)
    bring_to(tmp_path, campaign, "amn", "expanded", state="cancelled")
    text = read_ending(Workspace(tmp_path), state_of(Workspace(tmp_path), campaign), "bin/lvmtui", 100)
    assert text.startswith("No answer") and f"next    bin/lvmtui retry {campaign.runs[1].run} " in text
    bring_to(tmp_path, campaign, "amn", "baseline", state="cancelled")
    state = state_of(Workspace(tmp_path), campaign)
    assert "next    bin/lvmtui retry all " in read_ending(Workspace(tmp_path), state, "bin/lvmtui", 100), (
        "not one of two"
    )


def test_runs_that_failed_are_offered_before_one_that_was_cancelled(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    for model in ("amn", "gru"):
        bring_to(tmp_path, campaign, model, "baseline", state="cancelled" if model == "amn" else "failed")
        bring_to(tmp_path, campaign, model, "expanded", state="failed")
    state = state_of(Workspace(tmp_path), campaign)
    failed = [view.planned.run for view in state.runs if view.status.phase is Phase.FAILED]
    assert len(failed) == 3
    assert f"lvmtui retry {' '.join(failed)}  try again" in read_ending(Workspace(tmp_path), state, "lvmtui", 100)
    alike = replace(state, runs=tuple(view for view in state.runs if view.planned.run in failed))
    assert "lvmtui retry all " in read_ending(Workspace(tmp_path), alike, "lvmtui", 100)


def test_a_retry_that_would_end_the_same_way_is_not_offered(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished", heldout=True)
    bring_to(tmp_path, campaign, "amn", "expanded", state="failed")
    state = state_of(Workspace(tmp_path), campaign)
    assert "lvmtui retry" in read_ending(Workspace(tmp_path), state, "lvmtui", 100)
    view = state.runs[1]
    hopeless = replace(view, status=Status(Phase.FAILED, f"left in a setup line {IN_THE_PLAN}"))
    state = replace(state, runs=(state.runs[0], hopeless))
    assert "lvmtui retry" not in read_ending(Workspace(tmp_path), state, "lvmtui", 100)
    again = replace(view, status=Status(Phase.INTERRUPTED, f"mixer.py:3: ValueError: no, in the copy {IN_THE_PLAN}"))
    assert again.retry_helps, "it is tried again by itself"
    assert not replace(again, status=replace(again.status, phase=Phase.FAILED)).retry_helps


def test_campaigns_are_listed_with_what_they_say(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert "no campaign here" in campaigns_as_text(workspace) and campaigns_as_json(workspace)["campaigns"] == []
    campaign = middle(tmp_path)
    broken = workspace.campaign("0_broken")
    broken.path.mkdir()
    broken.campaign.write_text("{")
    lines = campaigns_as_text(workspace).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith(campaign.id))
    assert "5 models, 1 seed" in lines[place] and "of 10 runs finished, " in lines[place] and "paused" in lines[place]
    assert lines[place + 1].startswith("    ") and len(lines[place + 1]) > 20
    assert any(line.startswith("0_broken") and "cannot be read" in line for line in lines)
    listed = {one["campaign"]: one for one in campaigns_as_json(workspace)["campaigns"]}
    assert listed[campaign.id]["runs"]["finished"] == 4 and not listed[campaign.id]["settled"]
    assert "campaign.json" in listed["0_broken"]["fault"]


def test_columns_are_aligned() -> None:
    assert aligned([("a", "1", ""), ("long", "22", "x")], right=(1,)) == ["a      1", "long  22  x"]


def test_a_terminal_that_cannot_show_a_character_gets_another_one(tmp_path: Path) -> None:
    end(tmp_path)
    for encoding in ("ascii:strict", "iso-8859-1"):
        command = [sys.executable, "-P", "-m", "lvmtui", "report", "--output", "-", "--workspace", os.fspath(tmp_path)]
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, capture_output=True, env=environment)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
        assert b"?" in done.stdout and b"AMN" in done.stdout


def test_the_answer_is_that_of_the_judge(tmp_path: Path) -> None:
    workspace, campaign = Workspace(tmp_path), end(tmp_path)
    state = state_of(workspace, campaign)
    said = " ".join(read_ending(workspace, state, "lvmtui", 100).split())
    assert said.startswith(answer(Judgement(state).table))


def test_what_sizes_and_contexts_answer_follows_the_answer(tmp_path: Path) -> None:
    workspace, campaign = Workspace(tmp_path), end(tmp_path)
    folder = workspace.campaign(campaign.id)
    write_document(folder.learning_curve, CURVE)
    gain = ContextGain("expanded", 10, 5, 0.53, 0.518, Estimate(0.0115, 0.001, 30, 2000, 60, 40), (1,))
    amn = read_comparisons(state_of(workspace, campaign))["amn"]
    write_document(folder.comparison("amn"), replace(amn, contexts=(gain,)))
    said = " ".join(read_ending(workspace, state_of(workspace, campaign), "lvmtui", 100).split())
    table = said.index("model 8k 23k")
    assert 0 < said.index("At 4k, MLP mixer@5 and GRU@5 are still rising.") < table
    assert 0 < said.index("Do longer contexts pay? Yes: with 23k, 10 vectors instead of 5 raise the") < table


def test_every_context_has_a_row_of_its_best_trivial_baseline() -> None:
    rows = result_rows(two_contexts())
    assert [row[:3] for row in rows[3:]] == [
        ("recency mean@10", ".5247", ".5247"),
        ("recency mean@5", ".5068", ".5068"),
    ]


def test_of_a_campaign_that_is_over_only_the_ending_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.51, 0.52)}, seeds=(1,))
    write_report(workspace, campaign.id)
    assert follow.follow(workspace, workspace.campaign(campaign.id), headless=True) == 0
    out = capsys.readouterr().out
    assert (
        "validation cosine" not in out
        and f"report  {workspace.final_comparison(campaign)}" in out
        and "VERDICT " in out.splitlines()[-1]
    )
