"""Folders read again and again: only what is new, nothing twice, whatever is done to the files."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.intent import write_intent
from lvmtui.formats.live import LEAST_QUIET, STALE, Activity, Job, Progress, Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.supervisor_log import Launched
from lvmtui.formats.trainer_log import Trained
from lvmtui.state import campaign_reader
from lvmtui.state.campaign_reader import CampaignReader, RunView
from lvmtui.state.liveness import LEAST_STALL, UNKNOWN_STEP, lacks_steps, life_of, stands_still
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


def test_a_log_that_goes_on_shows_a_job_that_trains_before_the_cluster_is_asked_again(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",), engine="slurm")
    history = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.3)
    workspace, name = Workspace(tmp_path), history.spec.run
    state = RunReader(history.folder).refresh()
    assert state and state.trainer.started
    job = Job("slurm", 1, True, "job 1: waits for nodes", last_start=state.trainer.started.time)
    write_live(workspace.pulse, Pulse(time.time(), 1, jobs={name: job}))
    planned = next(run for run in campaign.runs if run.run == name)

    def view() -> RunView:
        """As one `lvmtui status` sees it."""
        return CampaignReader(workspace, workspace.campaign(campaign.id)).view(planned)

    assert view().status.phase is Phase.QUEUED, "back in the queue: its start is old"
    history.train(400)
    assert view().status.phase is Phase.QUEUED
    history.start(400)
    history.train(500)
    assert view().status.phase is Phase.RUNNING
    told = view().job
    assert told and not told.waiting and told.words == "job 1"
    write_live(workspace.pulse, Pulse(time.time() - STALE - 1, 2, jobs={name: job}))
    assert view().job is None, "nobody asks the cluster: nothing is known to wait in its queue"


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
    assert reader.refresh() is None and " is gone: put it back, " in reader.fault
    assert reader.refresh() is None
    shutil.move(tmp_path / "away", history.folder.path)
    assert reader.refresh() == before and reader.fault == ""


def test_a_damaged_spec_is_one_runs_fault(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    workspace.run(campaign.runs[0]).spec.write_bytes(b"{")
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    assert [view.status.phase for view in state.runs] == [Phase.MISSING, Phase.QUEUED]
    assert "not a run's spec" in state.runs[0].status.reason


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
    rare = replace(state.live, longest_gap=100.0)  # a trainer that prints a line every hundred seconds
    assert not stands_still(rare, 300.0) and stands_still(rare, 301.0)
    first = replace(state.live, longest_gap=None)
    assert not stands_still(first, 30 * UNKNOWN_STEP), "its first line does not show when the next comes"
    busy = replace(state.live, evaluation_seconds=50.0)
    assert not stands_still(busy, 150.0) and stands_still(busy, 151.0)
    assert not stands_still(None, 1e9)


def test_a_run_lacks_steps_long_before_it_stalls(history: History) -> None:
    state = RunReader(history.folder).refresh()
    assert state is not None and state.live is not None
    quick = replace(state.live, longest_gap=0.3)
    assert not lacks_steps(quick, LEAST_QUIET) and lacks_steps(quick, LEAST_QUIET + 1)
    slow = replace(quick, longest_gap=15.0)
    assert not lacks_steps(slow, 45.0) and lacks_steps(slow, 46.0)
    firsts = (
        replace(quick, activity="evaluating", evaluations=2),  # one before the first step, and the one that goes on
        replace(quick, activity="saving", checkpoints=1),
        replace(quick, longest_gap=None),
    )
    for first in firsts:
        assert not lacks_steps(first, 3 * UNKNOWN_STEP) and lacks_steps(first, 3 * UNKNOWN_STEP + 1)
    for often in (replace(firsts[0], evaluations=3), replace(firsts[1], checkpoints=2)):
        assert lacks_steps(often, LEAST_QUIET + 1)
    for starts in (replace(quick, activity="starting"), None):
        assert not lacks_steps(starts, 3 * UNKNOWN_STEP) and lacks_steps(starts, 3 * UNKNOWN_STEP + 1)
    activities: tuple[Activity, ...] = ("heldout", "suspended")
    assert not any(lacks_steps(replace(quick, activity=activity), 1e9) for activity in activities)
    for stopped in (None, replace(quick, activity="heldout"), slow):
        assert not lacks_steps(stopped, LEAST_QUIET, stopped=True)
        assert lacks_steps(stopped, LEAST_QUIET + 1, stopped=True), "a stopped process makes no step, whatever it did"


@given(st.lists(st.floats(0.0, 300.0), min_size=2, max_size=50), st.floats(0.0, 2.99))
def test_uneven_steps_are_no_lack_of_steps_and_a_hang_is(gaps: list[float], factor: float) -> None:
    """As a trainer records its gaps: whatever they were, one that is three times as long as any of them is none."""
    digits = Progress(
        0.0, "training", 1, 5, 0.1, None, None, 0.01, None, 9.0, 1.0, 5, 1.0, 0.1, 3, 1.0, 2, 1.0, max(gaps)
    )
    assert not lacks_steps(digits, factor * max(gaps)) and not lacks_steps(digits, LEAST_QUIET)
    assert lacks_steps(digits, max(LEAST_QUIET, 3 * max(gaps)) + 0.1)
    if max(gaps) < LEAST_STALL / 3 - 1:
        assert lacks_steps(digits, LEAST_STALL - 1), "a person sees it before it counts as stalled"


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


def test_the_work_of_a_process_that_lives_goes_on_with_the_clock(tmp_path: Path) -> None:
    """What a stalled run had worked stood still beside "so far"."""
    campaign = make_campaign(tmp_path, models=("amn",))
    stalled = bring_to(tmp_path, campaign, "amn", "baseline", state="stalled")
    bring_to(tmp_path, campaign, "amn", "expanded", state="paused")
    state = CampaignReader(Workspace(tmp_path), Workspace(tmp_path).campaign(campaign.id)).refresh()
    hangs, paused = state.runs
    assert hangs.status.phase is Phase.STALLED and hangs.worked(stalled.time + 100) >= 100
    assert hangs.worked(stalled.time + 100) - hangs.worked(stalled.time + 40) == pytest.approx(60)
    assert paused.state is not None and paused.worked(stalled.time + 100) == paused.state.trainer.active > 0
    for phase in (Phase.PAUSING, Phase.CANCELLING, Phase.RUNNING):
        asked = replace(hangs, status=replace(hangs.status, phase=phase))
        assert asked.worked(stalled.time + 100) == hangs.worked(stalled.time + 100), "it stood still"


def test_what_lies_between_two_attempts_is_no_work(tmp_path: Path) -> None:
    """A node that was down for a night was told as hours of work while the next job began."""
    campaign = make_campaign(tmp_path, models=("amn",))
    stalled = bring_to(tmp_path, campaign, "amn", "baseline", state="stalled")
    reader = CampaignReader(Workspace(tmp_path), Workspace(tmp_path).campaign(campaign.id))
    view = reader.refresh().runs[0]
    assert view.state and view.state.live
    before = view.state.trainer.wasted + view.state.live.active
    later = replace(stalled.process, start_ticks=stalled.process.start_ticks + 360_000)
    launched = replace(view.state.supervision, launched=Launched(0.0, 0, later, "local", ""), process=later)
    silent = replace(view.state, supervision=launched)
    assert replace(view, state=silent).worked(stalled.time + 3610) == before, "it has not said that it started"
    begun = view.state.trainer.starts
    begun = (*begun, replace(begun[-1], time=stalled.time + 3605))
    spoken = replace(view.state, trainer=replace(view.state.trainer, starts=begun))
    assert replace(view, state=spoken).worked(stalled.time + 3610) == pytest.approx(before + 5)


def test_a_pause_without_an_answer_says_what_helps(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    history = bring_to(tmp_path, campaign, "amn", "baseline", state="pausing", fraction=0.3)
    reader = CampaignReader(Workspace(tmp_path), Workspace(tmp_path).campaign(campaign.id))
    status = reader.refresh().runs[0].status
    assert status.phase is Phase.PAUSING and status.reason.startswith("has not answered the pause for ")
    assert status.reason.endswith(f"; cancel ends it, and its checkpoint of step {history.checkpoint:,} stays")
    write_intent(history.folder.intent, "pause", by="test")
    assert reader.refresh().runs[0].status.reason == "", "it was only asked a moment ago"


def test_a_run_that_was_never_started_is_not_looked_through_for_old_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen reads hundreds that wait, again and again, perhaps over a network."""
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    bring_to(tmp_path, campaign, "gru", "baseline", state="interrupted")
    asked: list[str] = []
    monkeypatch.setattr(
        campaign_reader, "finished_before", lambda folder, steps, intent: asked.append(folder.path.name)
    )
    workspace = Workspace(tmp_path)
    CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    assert asked == [run.run for run in campaign.runs if (run.model, run.arm) == ("gru", "baseline")]


@pytest.mark.parametrize(("checkpoint", "from_start"), [(True, False), (True, True), (False, False)])
def test_a_run_that_is_tried_again_is_where_it_goes_on(tmp_path: Path, checkpoint: bool, from_start: bool) -> None:
    """`status` showed the last epoch of the attempt before, its gain, and 2 s left."""
    campaign = make_campaign(tmp_path, models=("amn",))
    history = bring_to(tmp_path, campaign, "amn", "baseline", state="cancelled", fraction=0.68)
    if not checkpoint:
        lines = history.folder.events.read_bytes().splitlines(keepends=True)
        history.folder.events.write_bytes(b"".join(line for line in lines if b"checkpoint_saved" not in line))
    workspace, planned = Workspace(tmp_path), next(run for run in campaign.runs if run.arm == "baseline")

    def view() -> RunView:
        return CampaignReader(workspace, workspace.campaign(campaign.id)).view(planned)

    before = view()
    assert before.status.phase is Phase.CANCELLED and before.step == history.step and before.best
    write_intent(history.folder.intent, "run", by="me", from_start=from_start)
    again = view()
    assert again.state and again.status.phase is Phase.QUEUED and again.step < before.step
    assert again.step == (again.state.checkpoint_step if checkpoint and not from_start else 0)
    assert (again.best is not None) == (again.step > 0)
    history.launch()
    assert view().step == again.step, "it starts, and has not said so"
