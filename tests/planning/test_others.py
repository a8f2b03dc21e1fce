"""What is said of the other campaigns of a workspace before a new one starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.planning.describe import others
from lvmtui.planning.plan import shown_in
from tests.factory import make_campaign
from tests.ui.showcase import end, middle


def test_one_that_goes_on(tmp_path: Path) -> None:
    campaign, workspace = middle(tmp_path), Workspace(tmp_path)
    ((said, same_runs),) = others(campaign, [], workspace)
    assert said.startswith("8k vs 23k of 20") and "the same vectors and goes on; a new campaign starts when" in said
    data = replace(campaign.baseline.data, rows=(0, 1))
    ((said, _),) = others(replace(campaign, baseline=replace(campaign.baseline, data=data)), [], workspace)
    assert "vs 23k of" in said and "same vectors" not in said and not same_runs


def test_one_that_has_the_same_runs(tmp_path: Path) -> None:
    campaign, workspace = middle(tmp_path), Workspace(tmp_path)
    specs = [read_spec(workspace.run(planned).spec) for planned in campaign.runs]
    ((said, same_runs),) = others(campaign, [replace(spec, run="other", threads=9) for spec in specs], workspace)
    assert same_runs and said.endswith(f"'lvmtui' shows it, 'lvmtui cancel all --campaign {campaign.id}' ends it")
    for spec in (replace(specs[0], total_steps=1), replace(specs[0], split_fingerprint="another")):
        ((said, same_runs),) = others(campaign, [spec, *specs[1:]], workspace)
        assert "has the same runs" not in said and not same_runs


def test_one_that_is_over(tmp_path: Path) -> None:
    campaign, workspace = end(tmp_path), Workspace(tmp_path)
    ((said, _),) = others(campaign, [], workspace)
    assert said.endswith("has compared the same vectors already")
    data = replace(campaign.baseline.data, fingerprint="another")
    assert not list(others(replace(campaign, baseline=replace(campaign.baseline, data=data)), [], workspace))
    make_campaign(tmp_path / "other")
    assert not list(others(campaign, [], Workspace(tmp_path / "none")))


def test_one_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    campaign, workspace = end(tmp_path), Workspace(tmp_path)
    damaged = workspace.campaign("8k_vs_23k_20991231_000000").campaign
    damaged.parent.mkdir()
    damaged.write_text("{")
    assert len(list(others(campaign, [], workspace))) == 1
    assert shown_in(workspace).shown, "what the readable one has shown of the machine still counts"
