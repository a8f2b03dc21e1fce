"""A workspace that an early version of the program wrote still opens: status, report, the screen's source."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from lvmtui.cli.commands import main
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import ReportedRuns
from lvmtui.report.make import Form, render_report
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.ui.read.source import Source

CAMPAIGN = "8k_vs_23k_20261128_083414"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """`lvmtui demo --models amn gru --epochs 2` by the code of commit 417e43a, on two busy cores.

    Removed to keep it small: weights, vectors, split and baseline arrays, pictures, `train.log`, locks.
    """
    zipfile.ZipFile(Path(__file__).parent / "version1.zip").extractall(tmp_path)
    return Workspace(tmp_path)


def test_every_line_of_the_logs_is_known(workspace: Workspace) -> None:
    state = CampaignReader(workspace, workspace.campaign(CAMPAIGN)).refresh()
    assert len(state.runs) == 4
    for view in state.runs:
        assert view.status.phase is Phase.FINISHED
        assert view.state is not None and view.fault == ""
        assert view.state.trainer.unknown == 0 and view.state.supervision.unknown == 0


def test_status(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--workspace", str(workspace.root)]) == 0
    assert "4 of 4 runs finished" in capsys.readouterr().out


def test_the_report_has_the_same_scores_and_changes(workspace: Workspace) -> None:
    before = json.loads(workspace.campaign(CAMPAIGN).report_json.read_text())["table"]["rows"]
    now = json.loads(render_report(workspace, CAMPAIGN, Form("json")))["table"]["rows"]
    assert [row["model"] for row in now] == [row["model"] for row in before]
    for new, old in zip(now, before, strict=True):
        assert new["change"] == pytest.approx(old["change"], abs=1e-9)
        for arm in ("baseline", "expanded"):
            assert new[arm]["cosine"] == pytest.approx(old[arm]["cosine"], abs=1e-9)
    assert "does the larger data set help?" in render_report(workspace, CAMPAIGN)


def test_its_report_tells_the_phases_of_its_runs(workspace: Workspace) -> None:
    found = find_document(ReportedRuns, workspace.campaign(CAMPAIGN).report_json)
    assert found is not None and [run.status for run in found.runs] == ["finished"] * 4


def test_the_screen(workspace: Workspace) -> None:
    snapshot = Source(workspace, machine=lambda: None).look()
    assert snapshot is not None
    assert [run.phase for run in snapshot.runs] == [Phase.FINISHED] * 4
    assert {row.model for row in snapshot.table.rows} == {"amn", "gru"}
