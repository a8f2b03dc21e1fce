"""Plans are made beside the workspace: nothing is left there, and nothing it has is made twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.ui.read.conflicts import others
from lvmtui.ui.scratch import Scratch
from tests.factory import make_campaign
from tests.ui.showcase import end, middle


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(folder))
    return folder


def plan_in(workspace: Workspace) -> dict[str, object]:
    command = [sys.executable, "-P", "-m", "lvmtui", "demo", "--plan", "--json", "--workspace", str(workspace.root)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def test_a_plan_leaves_nothing_until_it_starts(tmp_path: Path, temporary: Path) -> None:
    real = Workspace(tmp_path / "real")
    real.root.mkdir()
    scratch = Scratch(real)
    assert plan_in(scratch.workspace())["runs"]
    assert not list(real.root.iterdir()) and list(temporary.iterdir())
    scratch.keep()
    scratch.close()
    (store,) = [folder for folder in real.datasets.iterdir() if folder.name != "seen"]
    vectors = (store / "vectors.npy").stat()
    assert not list(temporary.iterdir())

    again = Scratch(real)
    assert plan_in(again.workspace())["runs"], "what is there is seen, and not made once more"
    again.keep()
    again.close()
    assert (store / "vectors.npy").stat() == vectors and not (store / "vectors.npy").is_symlink()
    assert not list(temporary.iterdir())


def test_without_a_temporary_folder_the_workspace_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path / "none"))
    scratch = Scratch(Workspace(tmp_path))
    assert scratch.workspace().root == tmp_path
    scratch.keep()
    scratch.close()


def test_campaigns_that_a_new_one_would_meet(tmp_path: Path) -> None:
    campaign = middle(tmp_path)
    planned = json.loads(Workspace(tmp_path).campaign(campaign.id).campaign.read_text())
    (said,) = others(Workspace(tmp_path), planned)
    assert said.startswith("8k vs 23k of 20") and "the same vectors and goes on; a new campaign starts when" in said
    (said,) = others(Workspace(tmp_path), {"baseline": None})
    assert "vs 23k of" in said and "same vectors" not in said


def test_campaigns_that_are_over(tmp_path: Path) -> None:
    campaign = end(tmp_path)
    planned = json.loads(Workspace(tmp_path).campaign(campaign.id).campaign.read_text())
    (said,) = others(Workspace(tmp_path), planned)
    assert said.endswith("has compared the same vectors already")
    assert others(Workspace(tmp_path), {}) == []
    make_campaign(tmp_path / "other")
    assert others(Workspace(tmp_path / "none"), planned) == []
