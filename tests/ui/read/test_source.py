"""The reading thread: sees what changes, whatever way it changes, and never waits for the screen."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lvmtui.formats.intent import write_intent
from lvmtui.formats.live import Job, Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.report.make import write_report
from lvmtui.state.campaign_reader import newest_campaign
from lvmtui.state.status import Phase
from lvmtui.system.files import append_line
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.read.source import SnapshotSource
from lvmtui.ui.read.watch import Hints, Places
from tests.factory import bring_to, make_campaign, planned_run
from tests.verdict.scenes import finished
from tests.waiting import IdleTrainer

PATIENCE = 60.0


class Screen:
    """Takes what is delivered."""

    def __init__(self) -> None:
        self.last: Snapshot | None = None
        self.all: list[Snapshot] = []

    def take(self, snapshot: Snapshot | None) -> None:
        self.last = snapshot
        self.all += [snapshot] if snapshot else []

    @property
    def count(self) -> int:
        return len(self.all)

    def word(self, model: str, arm: str) -> str:
        runs = self.last.runs if self.last else ()
        return next((run.word for run in runs if (run.view.planned.model, run.arm) == (model, arm)), "")


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture(params=["watched", "polled"])
def source(tmp_path: Path, screen: Screen, request: pytest.FixtureRequest) -> Iterator[SnapshotSource]:
    source = SnapshotSource(
        Workspace(tmp_path), poll=request.param == "polled", deliver=screen.take, machine=lambda: None
    )
    yield source
    source.stop()


def test_a_change_of_state_arrives(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    assert source.look() is not None
    source.start()
    bring_to(tmp_path, campaign, "gru", "baseline", state="finished")
    until(lambda: screen.word("gru", "baseline") == "finished")
    assert screen.word("gru", "expanded") == "queued"


def test_a_campaign_that_begins_is_seen(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    assert source.look() is None
    source.start()
    make_campaign(tmp_path, models=("amn",))
    until(lambda: screen.last is not None)
    later = make_campaign(tmp_path, models=("gru",), stamp="20261123_080000")
    until(lambda: screen.last and screen.last.state.campaign.id == later.id)


def test_a_folder_that_goes_and_comes_back(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    assert source.look() is not None
    source.start()
    folder = Workspace(tmp_path).run(planned_run(campaign, "amn", "baseline")).path
    shutil.copytree(folder, tmp_path / "kept")
    shutil.rmtree(folder)
    source.look_now()
    until(lambda: screen.word("amn", "baseline") == "missing")
    shutil.copytree(tmp_path / "kept", folder)
    source.look_now()
    until(lambda: screen.word("amn", "baseline") == "queued")


def test_a_workspace_that_goes_and_comes_back(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    assert source.look() is not None
    source.start()
    until(lambda: screen.count > 2)
    (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
    source.look_now()
    until(lambda: screen.last is None)
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "artifacts")
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
    until(lambda: screen.word("amn", "baseline") == "finished")


def test_the_selected_log_comes_along(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    assert source.look() is not None
    source.start()
    source.set_visible(run.folder.name)
    append_line(run.folder.log, b"hello \x1b]0;title\x07there\n")
    until(lambda: screen.last and screen.last.log == ("hello there",))


def test_a_broken_campaign_is_a_note_and_not_the_end(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    assert source.look() is not None
    source.start()
    Workspace(tmp_path).campaign(campaign.id).baselines.mkdir()
    (Workspace(tmp_path).campaign(campaign.id).baseline_scores("baseline")).write_text("[1, 2")
    bring_to(tmp_path, campaign, "amn", "expanded", state="cancelled")
    until(lambda: screen.word("amn", "expanded") == "cancelled")


def test_a_stopped_source_says_no_more(tmp_path: Path, screen: Screen) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    source = SnapshotSource(Workspace(tmp_path), deliver=screen.take, machine=lambda: None)
    assert source.look() is not None
    others = set(threading.enumerate())
    source.start()
    own = set(threading.enumerate()) - others
    until(lambda: screen.count > 0)
    source.stop()
    until(lambda: own and not any(thread.is_alive() for thread in own))
    count = screen.count
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
    source.look_now()
    assert screen.count == count, "nobody is left who could say more"


def test_a_run_whose_process_dies_without_a_word_is_noticed(tmp_path: Path, screen: Screen) -> None:
    from lvmtui.system.process_id import identity_of

    child = IdleTrainer()
    campaign = make_campaign(tmp_path, models=("amn",))
    child.hold(Workspace(tmp_path).run(campaign.runs[0]).lock)
    bring_to(tmp_path, campaign, "amn", "baseline", state="running", process=identity_of(child.pid))
    source = SnapshotSource(Workspace(tmp_path), deliver=screen.take, machine=lambda: None)
    try:
        first = source.look()
        assert first is not None and first.runs[0].phase is Phase.RUNNING
        source.start()
        child.kill()
        child.wait()
        until(lambda: screen.word("amn", "baseline") == "interrupted")
    finally:
        source.stop()
        child.kill()
        child.communicate()


def test_that_all_jobs_wait_is_shown_at_once(tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the supervisor's pulse says so. Where a node had died, the board went on to show when all would end."""
    monkeypatch.setattr("lvmtui.ui.read.source.SWEEP", 1000.0)
    monkeypatch.setattr("lvmtui.ui.read.source.IDLE_SWEEP", 1000.0)
    campaign = make_campaign(tmp_path, models=("amn",), engine="slurm")
    workspace = Workspace(tmp_path)

    def told(beat: int, *, new: bool) -> None:
        jobs = {run.run: Job("slurm", 1, True, new=new) for run in campaign.runs}
        write_live(workspace.pulse, Pulse(time.time(), beat, jobs=jobs, changed=dict.fromkeys(jobs, beat)))

    told(1, new=True)
    source = SnapshotSource(workspace, deliver=screen.take, machine=lambda: None)
    try:
        shown = source.look()
        assert shown is not None and shown.eta.unknown == "calibrating", "just submitted"
        source.start()
        until(lambda: screen.count > 2)
        told(2, new=False)
        until(lambda: screen.last and screen.last.eta.unknown == "waits for the cluster")
    finally:
        source.stop()


def test_how_much_there_is_to_read_is_asked_of_the_campaign_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = make_campaign(tmp_path, models=("amn", "gru", "lstm"))
    short = make_campaign(tmp_path, models=("amn",), stamp="20261123_080000")
    sizes = [Workspace(tmp_path).campaign(one.id).campaign.stat().st_size for one in (short, long)]
    monkeypatch.setattr("lvmtui.ui.read.source.LARGE", sum(sizes) / 2)
    assert SnapshotSource(Workspace(tmp_path), long.id).large
    assert not SnapshotSource(Workspace(tmp_path), short.id).large and not SnapshotSource(Workspace(tmp_path)).large
    assert not SnapshotSource(Workspace(tmp_path), "none").large


def test_what_a_path_means() -> None:
    workspace = Workspace(Path("/w"))
    run, campaign = workspace.models / "amn_8k", workspace.campaigns / "8k_vs_23k"
    places = Places(workspace, campaign, {str(run): "amn_8k", "/other/gru_8k": "gru_8k"})
    assert places.roots == [workspace.lvm, Path("/other/gru_8k")]

    def hints(*paths: object) -> Hints:
        found = Hints()
        places.sort(map(str, paths), found)
        return found

    assert hints(run / "events.jsonl", "/other/gru_8k/intent.json").runs == {"amn_8k", "gru_8k"}
    assert not hints(run / "progress.json", run / ".progress.json.x.part", run / "checkpoint.pt").urgent
    assert hints(run / "progress.json").digits and not hints(run / "train.log").urgent
    assert hints(campaign / "comparisons" / "amn.json").campaign
    assert hints(workspace.supervisor).campaign
    assert hints(workspace.campaigns / "new").campaigns and hints(workspace.models / "new").campaigns
    assert not hints(workspace.datasets / "x" / "vectors.npy", workspace.models / "other" / "events.jsonl").urgent


def test_a_campaign_that_goes_on_is_not_left_for_a_newer_one(
    tmp_path: Path, source: SnapshotSource, screen: Screen
) -> None:
    first = make_campaign(tmp_path, models=("amn",), stamp="20261122_100000")
    bring_to(tmp_path, first, "amn", "baseline", state="running")
    assert source.look() is not None
    source.start()
    until(lambda: screen.last and screen.last.state.campaign.id == first.id)
    second = make_campaign(tmp_path, models=("gru",), stamp="20261122_110000")
    until(lambda: screen.last and any(second.id in note and "ctrl+p" in note for note in screen.last.notes))
    assert screen.last and screen.last.state.campaign.id == first.id
    source.open(None)
    until(lambda: screen.last and screen.last.state.campaign.id == second.id)
    source.open(first.id)
    until(lambda: screen.last and screen.last.state.campaign.id == first.id)


def test_another_campaign_has_its_verdict_at_once(tmp_path: Path, source: SnapshotSource, screen: Screen) -> None:
    workspace, over = finished(tmp_path, {"amn": (0.51, 0.52)}, seeds=(1,), stamp="20261122_100000")
    write_report(workspace, over.id)
    make_campaign(tmp_path, models=("gru",), stamp="20261122_110000")
    assert source.look() is not None
    source.start()
    source.open(over.id)
    until(lambda: screen.last and screen.last.state.campaign.id == over.id)
    (first, *_) = (one for one in screen.all if one.state.campaign.id == over.id)
    assert first.answer.startswith("More data seems to help AMN") and first.table.rows[0].rank == 1


def test_a_campaign_that_is_over_gives_way_to_a_newer_one(
    tmp_path: Path, source: SnapshotSource, screen: Screen
) -> None:
    first = make_campaign(tmp_path, models=("amn",), stamp="20261122_100000")
    for arm in ARMS:
        bring_to(tmp_path, first, "amn", arm, state="finished")
    assert source.look() is not None
    source.start()
    second = make_campaign(tmp_path, models=("gru",), stamp="20261122_110000")
    until(lambda: screen.last and screen.last.state.campaign.id == second.id)


def test_one_that_was_taken_back_takes_the_place_of_none(tmp_path: Path, source: SnapshotSource) -> None:
    """A campaign started twice, the second cancelled at once, hid the answer of the first when that was there."""
    workspace, first = finished(tmp_path, {"amn": (0.51, 0.52)}, seeds=(1,), stamp="20261122_100000")
    final = write_report(workspace, first.id)
    second = make_campaign(tmp_path, models=("amn",), stamp="20261122_110000")
    assert newest_campaign(workspace).id == second.id
    shown = source.look()
    assert shown and shown.state.campaign.id == second.id
    for planned in second.runs:
        write_intent(workspace.run(planned).intent, "cancel", by="a person")
    assert newest_campaign(workspace).id == first.id
    shown = source.look()
    assert shown and shown.state.campaign.id == second.id, "who takes it back still sees it"
    source.open(first.id)
    source.look()
    source.open(None)
    shown = source.look()
    assert shown and shown.state.campaign.id == first.id
    assert write_report(workspace, second.id).name == "8K_VS_23K_FINAL_COMPARISON_20261122_110000.md"
    assert first.id in final.read_text().splitlines()[0]
