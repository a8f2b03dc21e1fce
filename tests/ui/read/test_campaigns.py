"""Campaigns of the workspace that a new one would meet."""

from __future__ import annotations

import json
from pathlib import Path

from lvmtui.formats.paths import Workspace
from lvmtui.ui.read.campaigns import conflicts
from tests.factory import make_campaign
from tests.ui.showcase import end, middle


def test_one_that_goes_on(tmp_path: Path) -> None:
    campaign = middle(tmp_path)
    planned = json.loads(Workspace(tmp_path).campaign(campaign.id).campaign.read_text())
    (said,) = conflicts(Workspace(tmp_path), planned)
    assert said.startswith("8k vs 23k of 20") and "the same vectors and goes on; a new campaign starts when" in said
    planned["baseline"]["data"]["rows"] = [0, 1]
    (said,) = conflicts(Workspace(tmp_path), planned)
    assert "vs 23k of" in said and "same vectors" not in said


def test_one_that_is_over(tmp_path: Path) -> None:
    campaign = end(tmp_path)
    planned = json.loads(Workspace(tmp_path).campaign(campaign.id).campaign.read_text())
    (said,) = conflicts(Workspace(tmp_path), planned)
    assert said.endswith("has compared the same vectors already")
    planned["baseline"]["data"]["fingerprint"] = "another"
    assert conflicts(Workspace(tmp_path), planned) == []
    make_campaign(tmp_path / "other")
    assert conflicts(Workspace(tmp_path / "none"), planned) == []
