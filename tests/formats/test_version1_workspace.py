"""A workspace of an early version still opens: in status, report, screen and notebook, and as a baseline."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import lvmtui
from lvmtui.cli.commands import main
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import ReportedRuns
from lvmtui.legacy.earlier_runs import read_earlier
from lvmtui.report.make import ReportForm, render_report
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.ui.read.source import SnapshotSource
from tests.ui.terminal import Terminal

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
        assert view.state is not None and view.status.phase is not Phase.MISSING
        assert view.state.trainer.unknown == 0 and view.state.supervision.unknown == 0


def test_status(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--workspace", str(workspace.root)]) == 0
    assert "4 of 4 runs finished" in capsys.readouterr().out


def test_the_report_has_the_same_scores_and_changes(workspace: Workspace) -> None:
    before = json.loads(workspace.campaign(CAMPAIGN).report_json.read_text())["table"]["rows"]
    now = json.loads(render_report(workspace, CAMPAIGN, ReportForm("json")))["table"]["rows"]
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
    snapshot = SnapshotSource(workspace, machine=lambda: None).look()
    assert snapshot is not None
    assert [run.phase for run in snapshot.runs] == [Phase.FINISHED] * 4
    assert {row.model for row in snapshot.table.rows} == {"amn", "gru"}
    with Terminal(["--workspace", str(workspace.root)]) as terminal:
        terminal.wait_for("4 of 4")
        assert "AMN" in terminal.text and "GRU" in terminal.text
        terminal.press("q")
        assert terminal.wait_end() == 0


def test_a_notebook(workspace: Workspace) -> None:
    campaign = lvmtui.open(workspace.root).newest
    assert campaign.id == CAMPAIGN and campaign.finished and campaign.answer
    assert [(run.model, run.arm, run.status) for run in campaign.runs] == [
        (model, arm, "finished") for model in ("amn", "gru") for arm in ("baseline", "expanded")
    ]
    assert {point.run for point in campaign.curves} == {run.run for run in campaign.runs}
    for scores, run in zip(campaign.heldout, campaign.runs, strict=True):
        assert scores.run == run.run and float(scores.cosine.mean()) == pytest.approx(run.heldout_cosine, abs=1e-5)
    assert {row.model for row in campaign.comparisons} == {"amn", "gru"}


def test_its_runs_serve_as_a_baseline(workspace: Workspace) -> None:
    folders = sorted(str(path) for path in workspace.models.iterdir() if "_8k_" in path.name)
    earlier = read_earlier(folders, ("amn", "gru"), (1,))
    assert [(p.model, p.arm, p.trained_here) for p in earlier.planned(workspace)] == [
        (model, "baseline", False) for model in ("amn", "gru")
    ]
    arm = earlier.arm(workspace, normalise=False)
    assert (arm.name, arm.vectors, arm.fingerprint) == ("baseline", 8280, earlier.spec.data.fingerprint)
    assert earlier.recipe("gru", 1).epochs == 2


def test_its_runs_need_no_import(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run = next(workspace.models.iterdir())
    assert main(["import", str(run), "--workspace", str(workspace.root)]) == 2
    assert f"lvmtui: {run}: a run of lvmtui itself" in capsys.readouterr().err
