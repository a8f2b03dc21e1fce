"""A workspace that an early version of the program wrote still opens: status, report, the screen's source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lvmtui.cli.commands import main
from lvmtui.formats.campaign import read_campaign_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import ReportedRuns
from lvmtui.report.make import render_report
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.ui.read.source import Source

CAMPAIGN = "8k_vs_23k_20261122_134500"
PHASES = [*[Phase.FINISHED] * 5, Phase.PAUSED]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    shutil.copytree(Path(__file__).parent / "version1", tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path)


def test_every_line_of_the_logs_is_known(workspace: Workspace) -> None:
    state = CampaignReader(workspace, workspace.campaign(CAMPAIGN)).refresh()
    assert [view.status.phase for view in state.runs] == PHASES
    for view in state.runs:
        assert view.state is not None and view.fault == ""
        assert view.state.trainer.unknown == 0 and view.state.supervision.unknown == 0
    assert read_campaign_intent(state.dir.intent).jobs == 2


def test_status(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--workspace", str(workspace.root)]) == 0
    told = capsys.readouterr().out
    assert "5 of 6 runs finished" in told and "AMN    8k         finished  0.5/0.5  .5187" in told


def test_the_report_has_the_same_scores(workspace: Workspace) -> None:
    before = json.loads(workspace.campaign(CAMPAIGN).report_json.read_text())
    now = json.loads(render_report(workspace, CAMPAIGN, "json"))
    assert [row["model"] for row in now["table"]["rows"]] == [row["model"] for row in before["table"]["rows"]]
    for arm in ("baseline", "expanded"):
        assert [row[arm]["cosine"] for row in now["table"]["rows"]] == pytest.approx(
            [row[arm]["cosine"] for row in before["table"]["rows"]], abs=1e-9
        )
    assert "does the larger data set help?" in render_report(workspace, CAMPAIGN)


def test_its_report_tells_the_phases_of_its_runs(workspace: Workspace) -> None:
    found = find_document(ReportedRuns, workspace.campaign(CAMPAIGN).report_json)
    assert found is not None and sorted(run.status for run in found.runs) == ["finished"] * 5 + ["paused"]


def test_the_screen(workspace: Workspace) -> None:
    snapshot = Source(workspace, machine=lambda: None).look()
    assert snapshot is not None
    assert [run.phase for run in snapshot.runs] == PHASES
    assert snapshot.answer.startswith("So far: ")
