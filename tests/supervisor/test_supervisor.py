"""The supervisor over real processes and real folders."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from functools import partial

import pytest

from lvmtui.formats.campaign import write_campaign_intent
from lvmtui.formats.intent import Intent
from lvmtui.formats.json_codec import encode
from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import Cancelled, Finished
from lvmtui.models import MODELS
from lvmtui.state.status import Phase
from lvmtui.supervisor.results import Workers
from lvmtui.system.files import append_line
from lvmtui.system.filesystem import try_lock
from tests.supervisor.fake_trainer import Behaviour, digest_after
from tests.supervisor.world import World
from tests.waiting import wait_for

SLOW = Behaviour(step_seconds=0.02)


def finished(world: World, model: str = "amn", arm: str = "baseline") -> bool:
    return world.phase(model, arm) is Phase.FINISHED


def whole(world: World) -> bool:
    """Every run has finished with the weights of one that nothing ever happened to."""
    for planned in world.campaign.runs:
        ending = world.state(planned.model, planned.arm).trainer.ending
        if not isinstance(ending, Finished) or ending.weights_digest != digest_after(planned.run, ending.step):
            return False
    return True


# Order and number -----------------------------------------------------------------------------------------------------


def test_all_runs_finish_in_their_order_and_never_more_side_by_side_than_allowed(world: World) -> None:
    campaign = world.plan(*MODELS, jobs=2)
    most = 0

    def over() -> bool:
        nonlocal most
        leaders = [p for p in world.processes() if p.leader]
        most = max(most, len(leaders))
        return all(finished(world, p.model, p.arm) for p in campaign.runs)

    world.until(over)
    assert most == 2 and whole(world)
    launched = [world.state(p.model, p.arm).supervision.launched for p in campaign.runs]
    times = [one.time for one in launched if one]
    assert len(times) == len(campaign.runs) and times == sorted(times)
    assert all(world.state(p.model, p.arm).supervision.launches == 1 for p in campaign.runs)


def test_order_and_number_can_be_changed_while_it_goes(world: World) -> None:
    campaign = world.plan("amn", "gru", behaviour=SLOW, jobs=1, steps=10_000)
    world.until(lambda: world.training())
    last = world.run("gru", "expanded")
    write_campaign_intent(world.workspace.campaign(campaign.id).intent, by="test", jobs=2, order=(last.run,))
    world.until(lambda: world.training("gru", "expanded"))
    assert world.phase("amn", "expanded") is Phase.QUEUED and world.phase("gru") is Phase.QUEUED
    write_campaign_intent(world.workspace.campaign(campaign.id).intent, by="test", jobs=1)
    world.ticks()
    assert world.training() and world.training("gru", "expanded")  # fewer jobs stop nobody


def test_campaigns_take_turns_the_oldest_first(world: World) -> None:
    older = world.plan("amn", jobs=2)
    newer = world.plan("amn", stamp="20261123_090000", created=older.created + 1000, jobs=2)
    world.until(lambda: all(finished(world, "amn", arm) for arm in ("baseline", "expanded")))
    starts = []
    for campaign in (older, newer):
        world.campaign = campaign
        starts += [world.state("amn", arm).supervision.launched.time for arm in ("baseline", "expanded")]  # type: ignore
    assert starts == sorted(starts)


def test_runs_of_an_earlier_campaign_are_never_touched(world: World) -> None:
    from dataclasses import replace

    from lvmtui.formats.campaign import write_campaign

    campaign = world.plan("amn")
    runs = tuple(replace(p, trained_here=p.arm == "expanded") for p in campaign.runs)
    path = world.workspace.campaign(campaign.id).campaign
    path.unlink()
    write_campaign(path, replace(campaign, runs=runs))
    world.want("cancel")
    world.to_the_end()
    assert finished(world, "amn", "expanded")
    assert not world.folder().supervision.exists() and not world.folder().events.exists()


# Pause and resume -----------------------------------------------------------------------------------------------------


def test_a_paused_run_gives_its_place_away_and_goes_on_where_it_was(world: World) -> None:
    world.plan("amn", behaviour=SLOW, jobs=1)
    world.until(lambda: world.training() and world.state().step >= 10)
    world.want("pause")
    world.until(lambda: world.phase() is Phase.PAUSED)
    assert not world.processes(world.folder())
    step = world.state().trainer.step
    world.until(lambda: finished(world, "amn", "expanded"))
    assert world.phase() is Phase.PAUSED
    world.want("run")
    world.until(lambda: whole(world))
    started = world.state().trainer.started
    assert started and started.resumed_from == step
    assert not world.state().supervision.deaths


def test_a_queued_run_can_be_paused(world: World) -> None:
    world.plan("amn", jobs=1)
    world.want("pause")
    world.until(lambda: finished(world, "amn", "expanded"))
    world.ticks()
    assert world.phase() is Phase.PAUSED and world.state().supervision.launches == 0


def test_a_stopped_process_is_woken_to_be_paused(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=5, does="stop", attempts=1))
    world.until(lambda: any(p.stopped for p in world.processes(world.folder())))
    world.want("pause")
    world.until(lambda: world.phase() is Phase.PAUSED)
    assert world.state().trainer.checkpoint is not None


def test_a_run_paused_while_it_starts_does_not_count_as_dead(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(start_seconds=0.4))
    world.until(lambda: world.processes(world.folder()))
    world.want("pause")
    world.until(lambda: world.state().supervision.last_lost)
    lost = world.state().supervision.last_lost
    assert world.phase() is Phase.PAUSED and lost and not lost.counts
    world.want("run")
    world.until(lambda: whole(world))


# Cancel ---------------------------------------------------------------------------------------------------------------


def test_a_cancelled_run_leaves_and_the_others_go_on(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    stopped = world.state().supervision.stopped
    assert stopped and stopped.killed == () and not world.processes(world.folder())
    world.until(lambda: finished(world, "amn", "expanded"))
    assert world.phase() is Phase.CANCELLED


def test_cancel_waits_then_kills_everything_that_carries_the_mark(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, ignores_term=True, child=True), steps=10_000)
    world.until(lambda: len(world.processes(world.folder())) == 2)
    pids = sorted(p.identity.pid for p in world.processes(world.folder()))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    state = world.state().supervision
    assert state.stopped and sorted(state.stopped.killed) == pids
    assert not world.processes(world.folder()) and state.last_lost is None


def test_force_does_not_wait(world: World) -> None:
    world.rules = world.supervisor.rules.__class__(cancel_wait=1000)
    world.new_supervisor()
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, ignores_term=True), steps=10_000)
    world.until(lambda: world.training())
    world.want("cancel", force=True)
    world.until(lambda: world.phase() is Phase.CANCELLED)
    signalled = world.state().supervision.signalled
    assert signalled and signalled.signal == "KILL"


def test_a_stopped_process_is_woken_to_be_cancelled(world: World) -> None:
    world.rules = world.supervisor.rules.__class__(cancel_wait=1000)
    world.new_supervisor()
    world.plan("amn", behaviour=Behaviour(at=5, does="stop", attempts=1))
    world.until(lambda: any(p.stopped for p in world.processes(world.folder())))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    assert world.state().supervision.insisted == ()


def test_a_queued_run_is_cancelled_without_a_process(world: World) -> None:
    world.plan("amn", jobs=1, behaviour=SLOW)
    world.until(lambda: world.training())
    world.want("cancel", "amn", "expanded")
    world.until(lambda: world.phase("amn", "expanded") is Phase.CANCELLED)
    assert world.state("amn", "expanded").supervision.launches == 0


def test_a_cancelled_run_that_is_retried_goes_on_from_its_checkpoint_or_from_the_start(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, checkpoint_every=5))
    world.until(lambda: world.state().trainer.checkpoint)
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    world.want("run")
    world.until(lambda: world.state().trainer.attempts == 2)
    started = world.state().trainer.started
    assert started and started.resumed_from > 0
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    world.want("run", from_start=True)
    world.until(lambda: world.state().trainer.attempts == 3)
    started = world.state().trainer.started
    assert started and started.resumed_from == 0
    world.until(lambda: whole(world))


# Deaths ---------------------------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_goes_on_from_its_checkpoint(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="die", attempts=1))
    world.until(lambda: whole(world))
    state = world.state()
    lost = state.supervision.last_lost
    assert lost and lost.reason == "killed by signal 9" and lost.counts and lost.checkpoint_step == 20
    assert state.trainer.attempts == 2 and state.trainer.started and state.trainer.started.resumed_from == 20


def test_a_run_that_dies_at_the_same_place_is_given_up_after_three_times(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="exit"))
    world.until(lambda: world.phase() is Phase.FAILED)
    state = world.state()
    assert state.trainer.attempts == 3
    assert "ImportError: no module of that name" in world.view().status.reason
    assert "exit code 1" in world.view().status.reason
    world.behave()
    world.ticks()
    assert world.phase() is Phase.FAILED  # not by itself
    world.want("run")
    world.until(lambda: finished(world))


def test_the_count_of_deaths_starts_again_with_a_newer_checkpoint(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(checkpoint_every=10))

    def lost_at(step: int) -> bool:
        lost = world.state().supervision.last_lost
        return lost is not None and lost.checkpoint_step == step

    for at in (15, 25, 35, 45, 55):
        world.behave(at=at, does="die", checkpoint_every=10)
        world.until(partial(lost_at, at - 5))
    world.behave()
    world.until(lambda: whole(world))
    assert world.state().trainer.attempts > 5


@pytest.mark.parametrize("reason", ["error", "out_of_memory"])
def test_an_error_is_tried_again_as_a_death(world: World, reason: str) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does=reason, attempts=2))
    world.until(lambda: whole(world))
    assert world.state().trainer.attempts == 3
    assert len(world.state().supervision.deaths) == 2


@pytest.mark.parametrize(("reason", "phase"), [("diverged", Phase.DIVERGED), ("data", Phase.FAILED)])
def test_what_would_end_the_same_way_is_not_tried_again_unless_asked(world: World, reason: str, phase: Phase) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does=reason))
    world.until(lambda: world.phase() is phase)
    world.ticks()
    assert world.state().trainer.attempts == 1
    world.behave()
    world.want("run")
    world.until(lambda: finished(world))


def test_a_run_that_finds_the_disk_full_waits_until_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = {"free": 10}
    monkeypatch.setattr("lvmtui.supervisor.observe.room_at", lambda folder: room["free"])
    world.plan("amn", behaviour=Behaviour(at=30, does="no_space", attempts=1))
    world.until(lambda: world.phase() is Phase.NO_SPACE)
    world.ticks(60)
    assert world.phase() is Phase.NO_SPACE and world.state().supervision.launches == 1
    assert world.supervisor.something_left
    room["free"] = 1 << 30
    world.until(lambda: whole(world))
    assert not world.state().supervision.deaths


def test_a_child_that_outlives_its_trainer_is_not_left_behind(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(child=True))
    world.until(lambda: finished(world) and not world.processes())
    assert world.state().supervision.insisted


def test_a_trainer_that_does_not_leave_is_made_to(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(lingers=60, ignores_term=True))
    world.until(lambda: finished(world) and not world.processes())


# Stalls ---------------------------------------------------------------------------------------------------------------


def test_a_run_that_hangs_is_started_again_where_that_is_asked_for(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="hang", attempts=1, ignores_term=True), stall_timeout=0.5)
    world.until(lambda: whole(world))
    lost = world.state().supervision.last_lost
    assert lost and lost.counts and lost.reason.startswith("stalled for") and "killed" in lost.reason


def test_a_run_that_hangs_is_left_alone_otherwise(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="hang", ignores_term=True))
    world.until(lambda: world.state().step >= 20)
    world.ticks(100)
    assert world.training() and world.state().supervision.signalled is None


# Another supervisor ---------------------------------------------------------------------------------------------------


def test_a_new_supervisor_takes_over_what_runs(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    world.new_supervisor()
    world.until(lambda: whole(world))
    assert all(world.state("amn", arm).supervision.launches == 1 for arm in ("baseline", "expanded"))


def test_a_process_that_was_started_and_not_written_down_is_found(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.02, start_seconds=0.5))
    world.supervisor.journal.write = lambda folder, record: None  # type: ignore[method-assign] # killed right there
    world.supervisor.tick()
    world.new_supervisor()
    world.until(lambda: world.state().supervision.process)
    assert world.state().supervision.launches == 0
    world.until(lambda: whole(world))
    assert world.state().trainer.attempts == 1 and not world.state().supervision.deaths


def test_a_start_that_was_half_written_down_is_found(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.supervisor.tick()
    for arm in ARMS:
        path = world.folder("amn", arm).supervision
        path.write_bytes(path.read_bytes()[:-40])  # killed in the middle of the line
    world.new_supervisor()
    world.until(lambda: whole(world))
    for arm in ARMS:
        state = world.state("amn", arm)
        assert state.trainer.attempts == 1 and state.supervision.unknown == 1 and not state.supervision.deaths


def test_a_cancel_goes_on_under_the_next_supervisor(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, ignores_term=True, child=True), steps=10_000)
    world.until(lambda: len(world.processes(world.folder())) == 2)
    world.want("cancel")
    world.until(lambda: world.state().supervision.signalled)
    world.new_supervisor()
    world.until(lambda: world.phase() is Phase.CANCELLED)
    stopped = world.state().supervision.stopped
    assert stopped and len(stopped.killed) == 2 and not world.processes(world.folder())


def test_children_of_a_trainer_that_died_unseen_are_not_taken_for_a_trainer(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="die", attempts=1, child=True), jobs=1)
    world.until(lambda: world.training())
    wait_for(lambda: not world.training())  # nobody supervises meanwhile
    assert len(world.processes(world.folder())) == 1
    world.new_supervisor()
    world.until(lambda: finished(world) and not world.processes(world.folder()))
    assert world.state().supervision.lost is None and world.state().trainer.attempts == 2


def test_a_run_of_before_the_machine_restarted_goes_on_and_is_not_blamed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvmtui.system import process_id as identity

    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.state().trainer.checkpoint)
    for process in world.processes():
        os.kill(process.identity.pid, signal.SIGKILL)
    identity.boot_id.cache_clear()
    monkeypatch.setenv("LVMTUI_BOOT_ID", "after-the-restart")
    try:
        world.new_supervisor()
        world.until(lambda: world.state().supervision.last_lost)
        lost = world.state().supervision.last_lost
        assert lost and lost.reason == "the machine restarted" and not lost.counts
        world.until(lambda: whole(world))
    finally:
        identity.boot_id.cache_clear()


def test_a_run_on_another_host_is_never_touched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from lvmtui.system import process_id as identity

    world.plan("amn", behaviour=Behaviour(step_seconds=0.01), steps=100_000)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    identity.host_name.cache_clear()
    monkeypatch.setenv("LVMTUI_HOST", "elsewhere")
    try:
        world.new_supervisor()
        world.supervisor.engines["local"]._find = list  # type: ignore[attr-defined] # its processes are not seen here
        world.ticks(20)
        assert world.phase() is Phase.UNKNOWN
        world.want("cancel")  # the order reaches it all the same: it reads its folder
        world.until(lambda: world.phase() is Phase.CANCELLED)
        assert isinstance(world.state().trainer.ending, Cancelled)
        assert world.state().supervision.signalled is None and world.state().supervision.launches == 1
    finally:
        identity.host_name.cache_clear()


def test_a_folder_that_is_locked_is_not_started_in(world: World) -> None:
    world.plan("amn")
    lock = try_lock(world.folder().lock)
    assert lock is not None
    world.until(lambda: finished(world, "amn", "expanded"))
    world.ticks()
    assert world.state().supervision.launches == 0 and "not started" in world.monitor()
    lock.close()
    world.until(lambda: finished(world))
    assert world.monitor().count("not started") == 1


def test_a_start_that_fails_counts_and_is_given_up(world: World) -> None:
    world.rules = world.supervisor.rules.__class__(insist_again=0.01)
    world.new_supervisor()
    world.supervisor.engines["local"]._command = ("/no/such/interpreter",)  # type: ignore[attr-defined]
    world.plan("amn")
    world.until(lambda: world.phase() is Phase.FAILED)
    assert "could not be started" in world.view().status.reason


# What happens to folders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("move", [False, True])
def test_a_folder_that_vanishes_takes_its_processes_along(world: World, move: bool) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, child=True), steps=10_000, jobs=1)
    world.until(lambda: len(world.processes(world.folder())) == 2)
    if move:
        world.folder().path.rename(world.root / "elsewhere")
    else:
        shutil.rmtree(world.folder().path)
    world.until(lambda: not world.processes(world.folder()))
    assert "TERM to process" in world.monitor() and "spec.json" in world.monitor()
    world.until(lambda: world.training("amn", "expanded"))


def test_when_everything_is_deleted_nobody_is_left(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True), steps=10_000)
    world.until(lambda: len(world.processes()) == 2)
    while world.workspace.lvm.exists():  # a trainer may write into a folder that is being emptied
        shutil.rmtree(world.workspace.lvm, ignore_errors=True)
    world.until(lambda: not world.processes())
    world.until(lambda: not world.supervisor.something_left)


def test_a_full_disk_loses_no_record_and_starts_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from lvmtui.supervisor import journal

    world.plan("amn", "gru", behaviour=SLOW, jobs=2)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    really = append_line

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "append_line", full)
    world.want("cancel")
    world.until(lambda: not world.processes(world.folder()))
    world.ticks(30)
    assert world.phase() is Phase.CANCELLING and world.state("gru").supervision.launches == 0
    monkeypatch.setattr(journal, "append_line", really)
    world.until(lambda: world.phase() is Phase.CANCELLED)
    records = world.folder().supervision.read_bytes().splitlines()
    assert sum(b'"stopped"' in record for record in records) == 1
    world.until(lambda: finished(world, "gru", "expanded"))


def test_a_run_interrupted_from_outside_goes_on_by_itself(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training())
    process = world.training()
    assert process is not None
    os.kill(process.pid, signal.SIGTERM)
    world.until(lambda: world.state().trainer.attempts == 2)
    assert b'"interrupted"' in world.folder().events.read_bytes()
    assert not world.state().supervision.deaths
    world.until(lambda: whole(world))


# Results --------------------------------------------------------------------------------------------------------------


def test_results_are_made_as_the_runs_end(world: World) -> None:
    campaign = world.plan("amn", "gru", jobs=1)
    folder = world.workspace.campaign(campaign.id)
    world.until(lambda: folder.comparison("amn").exists())
    assert folder.baseline_scores("baseline").exists() and folder.baseline_scores("expanded").exists()
    assert not finished(world, "gru", "expanded")
    world.to_the_end()
    assert folder.report.exists()
    order = [line[20:].split(" written")[0] for line in world.monitor().splitlines() if " written" in line]
    assert order == [
        "trivial baselines of the baseline arm",
        "trivial baselines of the expanded arm",
        "comparison of AMN",
        "comparison of GRU",
        "report",
    ]
    before = world.monitor()
    world.new_supervisor()
    world.to_the_end()
    assert world.monitor() == before  # nothing is made twice for nothing


def test_a_result_that_cannot_be_made_blocks_no_run_and_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.supervisor.results.PAUSE", 0.05)
    code = "print('no such module'); raise SystemExit(1)"
    world.supervisor.results.workers = Workers(command=lambda folder, task: (sys.executable, "-S", "-c", code))
    world.plan("amn")
    world.to_the_end()
    assert whole(world)
    failures = [line for line in world.monitor().splitlines() if "comparison of AMN failed: no such module" in line]
    assert len(failures) == 3 and "tried again" in failures[0] and "tried again" not in failures[2]


# Other people ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write as another user")
def test_a_strangers_order_is_not_followed_and_noted_once(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training())
    strange = world.root / "intent.json"
    strange.write_text(json.dumps(encode(Intent("cancel", 1))))
    os.chown(strange, 54321, 54321)
    strange.rename(world.folder().intent)
    world.until(lambda: "an order is not followed" in world.monitor())
    world.new_supervisor()
    world.until(lambda: whole(world))
    assert world.monitor().count("an order is not followed") == 1 and "54321" in world.monitor()
