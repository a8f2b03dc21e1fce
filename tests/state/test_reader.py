"""Folders read again and again: only what is new, nothing twice, whatever is done to the files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.formats.intent import write_intent
from lvmtui.formats.paths import Workspace
from lvmtui.formats.trainer_log import Trained
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.liveness import LEAST_STALL, UNKNOWN_STEP, life_of, stands_still
from lvmtui.state.run_reader import RunReader
from lvmtui.state.status import Life, Phase
from lvmtui.system.process_id import own_identity
from tests.factory import bring_to, make_campaign
from tests.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    campaign = make_campaign(tmp_path, models=("amn",))
    return bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.3)


def test_read_as_it_grows_or_at_once(history: History) -> None:
    reader = RunReader(history.folder)
    for step in range(400, 1201, 100):
        reader.refresh()
        history.train(step)
    history.finish()
    assert reader.refresh() == RunReader(history.folder).refresh()
    before = reader.state
    assert reader.refresh() is before  # nothing new: the same object


def test_without_curves_everything_else_is_the_same(history: History) -> None:
    whole, bare = RunReader(history.folder).refresh(), RunReader(history.folder, curves=False).refresh()
    assert whole is not None and bare is not None
    assert bare.trainer.points == () and any(isinstance(point, Trained) for point in whole.trainer.points)
    assert bare.trainer.evaluations == whole.trainer.evaluations and bare.trainer.started == whole.trainer.started


def test_digits_can_be_left_for_later(history: History) -> None:
    reader = RunReader(history.folder)
    state = reader.refresh(digits=False)
    assert state is not None and state.progress is None
    state = reader.refresh()
    assert state is not None and state.progress is not None


def test_a_log_that_is_replaced_is_folded_anew(history: History) -> None:
    reader = RunReader(history.folder)
    reader.refresh()
    content = history.folder.events.read_bytes()
    history.folder.events.unlink()
    history.folder.events.write_bytes(content)
    assert reader.refresh() == RunReader(history.folder).refresh()
    history.folder.events.write_bytes(content[: len(content) // 2])
    assert reader.refresh() == RunReader(history.folder).refresh()


def test_a_folder_that_goes_and_comes_back(history: History, tmp_path: Path) -> None:
    reader = RunReader(history.folder)
    before = reader.refresh()
    shutil.move(history.folder.path, tmp_path / "away")
    assert reader.refresh() is None and "spec.json" in reader.fault
    assert reader.refresh() is None
    shutil.move(tmp_path / "away", history.folder.path)
    assert reader.refresh() == before and reader.fault == ""


def test_a_damaged_spec_is_one_runs_fault(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    workspace.run(campaign.runs[0]).spec.write_bytes(b"{")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    assert [view.status.phase for view in state.runs] == [Phase.FAILED, Phase.QUEUED]
    assert "not a run's spec" in state.runs[0].fault


def test_an_order_is_seen_at_the_next_look(history: History) -> None:
    reader = RunReader(history.folder)
    reader.refresh()
    for want in ("pause", "run", "cancel", "pause"):
        write_intent(history.folder.intent, want, by="test")
        state = reader.refresh()
        assert state is not None and state.intent.want == want
    history.folder.intent.write_bytes(b"{")
    state = reader.refresh()
    assert state is not None and state.intent.want == "pause", "a damaged order changes nothing"
    history.folder.intent.unlink()
    state = reader.refresh()
    assert state is not None and state.intent.want == "run"


def test_who_lives(history: History) -> None:
    state = RunReader(history.folder).refresh()
    assert state is not None and state.supervision.process == own_identity()
    assert life_of(state) is Life.ALIVE and life_of(state, stalled=True) is Life.STALLED


def test_a_stall_is_measured_against_the_runs_own_pace(history: History) -> None:
    state = RunReader(history.folder).refresh()
    assert state is not None and state.live is not None
    assert not stands_still(state.live, LEAST_STALL) and stands_still(state.live, LEAST_STALL + 1)
    slow = replace(state.live, recent_step_seconds=10.0)
    assert not stands_still(slow, 300.0) and stands_still(slow, 301.0)
    new = replace(state.live, recent_step_seconds=None)
    assert not stands_still(new, 30 * UNKNOWN_STEP) and stands_still(new, 30 * UNKNOWN_STEP + 1)
    busy = replace(state.live, evaluation_seconds=50.0)
    assert not stands_still(busy, 150.0) and stands_still(busy, 151.0)
    assert not stands_still(None, 1e9)


@pytest.mark.parametrize("engine", ["local", "slurm"])
def test_what_is_left_is_ours_unless_another_host_does_it(tmp_path: Path, engine: str) -> None:
    """Where processes of another host train, a supervisor of this one can do nothing; jobs any host looks after."""
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), engine=engine)
    reader = CampaignReader(workspace, workspace.campaign(campaign.id))
    bring_to(workspace, campaign, "amn", "baseline", state="unknown")
    assert reader.refresh().ours  # the other run waits
    bring_to(workspace, campaign, "amn", "expanded", state="unknown")
    state = reader.refresh()
    assert state.needs_supervisor and state.ours is (engine == "slurm")
