"""What `lvmtui status` says of a campaign: what is left to do, what waits for what, and what is said once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.cli.campaigns import campaigns_as_text
from lvmtui.cli.status import RunRow, run_lines, status_as_json, status_as_text
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.live import Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import MadeFrom
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.report.make import write_report
from lvmtui.state.campaign_reader import CampaignState
from lvmtui.state.status import Phase
from lvmtui.state.tasks import RunOutcome, due, run_outcome
from lvmtui.system.process_id import own_identity
from lvmtui.verdict.compare import compare
from tests.factory import State, bring_to, make_campaign
from tests.ui.draw.test_board import look
from tests.verdict.scenes import finished, state_of

UP = {"amn": (0.51, 0.52)}


def test_a_finished_pair_that_is_not_compared_is_left_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    states: dict[tuple[str, ArmName], State] = {("gru", arm): "paused" for arm in ARMS}
    workspace, campaign = finished(tmp_path, {**UP, "gru": (0.51, 0.52)}, seeds=(1,), states=states)
    folder = workspace.campaign(campaign.id)
    state = state_of(workspace, campaign)
    assert state.settled and state.needs_supervisor and not status_as_json(state, None)["settled"]
    undone = "no supervisor: finished pairs are not compared; 'lvmtui attach' starts one"
    assert status_as_text(state, None).splitlines()[-1] == undone
    (task,) = (t for t in due(campaign, outcomes(state), {}, lambda _: True, lambda _: False) if t.subject == "amn")
    write_document(folder.made, MadeFrom({task.key: task.made_from}))
    assert not status_as_json(state_of(workspace, campaign), None)["settled"], "noted, but its file is not there"
    compare(folder, "amn")
    over = state_of(workspace, campaign)
    assert status_as_json(over, None)["settled"] and "2 runs paused, nothing else is left" in status_as_text(over, None)
    first = next(view for view in over.runs if view.status.phase is Phase.PAUSED)
    rest = [view for view in over.runs if view is not first]
    stopped = replace(first, status=replace(first.status, phase=Phase.SUSPENDED))
    one_each = status_as_text(replace(over, runs=(stopped, *rest)), None)
    assert "1 run paused, 1 run suspended, nothing else is left" in one_each, "its process keeps its memory"
    for arm in ARMS:
        bring_to(workspace, campaign, "gru", arm, state="cancelled")
    ended = state_of(workspace, campaign)
    assert not status_as_json(ended, None)["settled"] and "the report is not written" in status_as_text(ended, None)
    write_report(workspace, campaign.id)
    assert status_as_json(state_of(workspace, campaign), None)["settled"]


def test_scores_that_are_gone_are_a_doubt(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,))
    compare(workspace.campaign(campaign.id), "amn")
    assert "doubt: " not in status_as_text(state_of(workspace, campaign), None)
    workspace.run(campaign.runs[0]).heldout.unlink()
    (line,) = (x for x in status_as_text(state_of(workspace, campaign), None, 400).splitlines() if "doubt: " in x)
    assert line.startswith(f"doubt: heldout.npz of {campaign.runs[0].run} was removed or changed")


def outcomes(state: CampaignState) -> list[RunOutcome]:
    return [run_outcome(view.planned, view.status, view.finished) for view in state.runs]


def test_a_campaign_names_the_one_it_waits_for(tmp_path: Path) -> None:
    """Its runs were `queued` and its time left `calibrating`, and no page said why."""
    workspace, campaign = Workspace(tmp_path), make_campaign(tmp_path, models=("amn",))
    write_live(workspace.pulse, Pulse(time.time(), 1, waits_for={campaign.id: "older_20261101"}))
    text = " ".join(status_as_text(state_of(workspace, campaign), own_identity()).split())
    assert "0 of 2 runs finished, 2 queued, waits for campaign older_20261101" in text
    assert "'lvmtui pause all --campaign older_20261101' lets this one go first" in text
    snapshot = look(tmp_path)
    assert any("older_20261101" in note for note in snapshot.notes)
    assert snapshot.eta.unknown == "waits for campaign older_20261101"


def test_what_is_said_of_a_run_alone_stands_in_its_row() -> None:
    """`as AMN 4k s1` hid that a run had ended early, and its alarm."""
    why, early = "left with exit code 1, " + "and nobody knows why, " * 4, "collapsed; ended early, best at epoch 0.6"
    for note, again in ((early, early), (why, "as AMN 4k s1")):
        first, second = run_lines([RunRow("AMN", "4k", f"s{i}", "failed", note=note) for i in (1, 2)], 160)
        assert " ".join(first).endswith(note.strip()) and second[0].endswith(f"failed  {again}")


def test_interruptions_are_counted_as_they_are_told(tmp_path: Path) -> None:
    workspace, campaign = Workspace(tmp_path), make_campaign(tmp_path, models=("amn",))
    bring_to(workspace, campaign, "amn", "baseline", state="killed")
    state = state_of(workspace, campaign)
    assert [run["interruptions"] for run in status_as_json(state, None)["runs"]] == [1, 0]
    assert "AMN" in campaigns_as_text(workspace) and "1 model" not in campaigns_as_text(workspace)
