"""Changes found by looking, at a cost that does not grow with the runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lvmtui.formats.live import Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.state.polling import AT_ONCE, Polling
from lvmtui.system import filesystem
from lvmtui.system.filesystem import signature
from tests.factory import bring_to, make_campaign


def test_what_changed_is_named_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    polling = Polling(workspace)
    assert polling.changes() == set()
    run = bring_to(workspace, campaign, "amn", "baseline", state="finished")
    changed = polling.changes()
    assert str(run.folder.events) in changed and str(run.folder.supervision) in changed
    assert polling.changes() == set()


def test_a_new_campaign_and_a_result(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    polling = Polling(workspace)
    campaign = make_campaign(workspace, models=("amn",))
    folder = workspace.campaign(campaign.id)
    assert str(folder.campaign) in polling.changes()
    folder.comparisons.mkdir()
    assert str(folder.comparisons) in polling.changes()
    folder.report.write_text("x")
    assert str(folder.report) in polling.changes()


def test_the_pulse_names_what_would_be_found_late(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    make_campaign(workspace, models=("amn",))
    write_live(workspace.pulse, Pulse(time.time(), 1, changed={"other": 1}))
    polling = Polling(workspace)
    write_live(workspace.pulse, Pulse(time.time(), 3, changed={"other": 1, "amn_8k_20261122_134500": 3}))
    (path,) = polling.changes()
    assert path.endswith("amn_8k_20261122_134500/events.jsonl")


def test_a_look_costs_the_same_whatever_the_number_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def looks(seeds: int) -> int:
        workspace = Workspace(tmp_path / str(seeds))
        campaign = make_campaign(workspace, models=("amn", "gru"), seeds=range(seeds))
        polling, counted = Polling(workspace), 0
        real = signature

        def counting(path: Path, *, asked: bool = False) -> tuple[int, int, int]:
            nonlocal counted
            counted += 1
            return real(path, asked=asked)

        monkeypatch.setattr(filesystem, "signature", counting)
        polling.changes()
        monkeypatch.setattr(filesystem, "signature", real)
        os.utime(workspace.run(campaign.runs[-1]).spec)
        found = [polling.changes() for _ in range(len(campaign.runs) // AT_ONCE + 1)]
        assert any(found), "what is looked at in turn is found in the end"
        return counted

    assert looks(20) <= 4 * AT_ONCE + 10 and looks(60) == looks(120)


def test_a_workspace_that_goes(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    make_campaign(workspace, models=("amn",))
    polling = Polling(workspace)
    workspace.models.rename(tmp_path / "away")
    assert polling.changes()
    assert polling.changes() == set()
