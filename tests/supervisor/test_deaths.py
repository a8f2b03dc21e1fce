"""The supervisor over real processes: deaths, stalls, other supervisors, folders that go."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from functools import partial

import pytest

from lvmtui.estimate.eta import campaign_eta
from lvmtui.formats.campaign import write_campaign
from lvmtui.formats.intent import write_intent
from lvmtui.formats.live import read_pulse
from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import Cancelled, Finished
from lvmtui.orders import retry
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.system.files import append_line
from lvmtui.system.filesystem import try_lock
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import World
from tests.waiting import wait_for

SLOW = Behaviour(step_seconds=0.02)


# Deaths ---------------------------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_goes_on_from_its_checkpoint(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="die", attempts=1))
    world.until(lambda: world.whole())
    state = world.state()
    lost = state.supervision.losses[-1]
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
    world.until(lambda: world.finished())


def test_the_count_of_deaths_starts_again_with_a_newer_checkpoint(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(checkpoint_every=10))

    def lost_at(step: int) -> bool:
        return any(lost.checkpoint_step == step for lost in world.state().supervision.losses[-1:])

    for at in (15, 25, 35, 45, 55):
        world.behave(at=at, does="die", checkpoint_every=10)
        world.until(partial(lost_at, at - 5))
    world.behave()
    world.until(lambda: world.whole())
    assert world.state().trainer.attempts > 5


@pytest.mark.parametrize("reason", ["error", "out_of_memory"])
def test_an_error_is_tried_again_as_a_death(world: World, reason: str) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does=reason, attempts=2))
    world.until(lambda: world.whole())
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
    world.until(lambda: world.finished())


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
    world.until(lambda: world.whole())
    assert not world.state().supervision.deaths


def test_a_child_that_outlives_its_trainer_is_not_left_behind(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(child=True))
    world.until(lambda: world.finished() and not world.processes())
    assert world.state().supervision.insisted


def test_a_trainer_that_does_not_leave_is_made_to(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(lingers=60, ignores_term=True))
    world.until(lambda: world.finished() and not world.processes())


# Stalls ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deaf", [True, False])
def test_a_run_that_hangs_is_started_again_where_that_is_asked_for_and_counts_as_dead(world: World, deaf: bool) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="hang", attempts=1, ignores_term=deaf), stall_timeout=0.5)
    world.until(lambda: world.whole())
    lost = world.state().supervision.losses[-1]
    assert lost and lost.counts and lost.reason.startswith("stalled for") and ("killed" in lost.reason) is deaf


def test_a_run_that_hangs_is_left_alone_otherwise(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=30, does="hang", ignores_term=True))
    world.until(lambda: world.state().step >= 20)
    world.ticks(100)
    assert world.training() and world.state().supervision.signalled is None


def test_who_looks_later_sees_at_once_that_a_run_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.state.liveness.LEAST_STALL", 0.3)
    monkeypatch.setattr("lvmtui.supervisor.observe.DIGITS_AFTER", 0.1)
    planned = world.plan("amn", behaviour=Behaviour(at=30, does="hang", ignores_term=True)).runs[0]
    world.until(lambda: (pulse := read_pulse(world.workspace.pulse)) is not None and planned.run in pulse.stalled)
    state = CampaignReader(world.workspace, world.workspace.campaign_dirs()[0]).refresh()
    view = state.view("amn", "baseline", 1)
    assert view is not None and view.status.phase is Phase.STALLED and "no step since" in view.status.reason
    eta = campaign_eta(state, time.time())
    assert planned.run not in eta.runs and planned.run in eta.left_out


def test_a_run_that_hangs_is_started_again_by_a_retry_and_not_by_a_resume(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended run keeps its process when it is resumed: that it stalls later is no reason to start it again."""
    monkeypatch.setattr("lvmtui.state.liveness.LEAST_STALL", 0.3)
    monkeypatch.setattr("lvmtui.supervisor.observe.DIGITS_AFTER", 0.1)
    planned = world.plan("amn", behaviour=Behaviour(at=30, does="hang", attempts=1)).runs[0]
    world.until(lambda: (pulse := read_pulse(world.workspace.pulse)) is not None and planned.run in pulse.stalled)
    hanging = world.training()
    write_intent(world.folder().intent, "run", by="test")
    world.ticks(100)
    assert world.training() == hanging and world.state().supervision.signalled is None
    view = CampaignReader(world.workspace, world.workspace.campaign_dirs()[0]).refresh().view("amn", "baseline", 1)
    assert view is not None
    retry([view])
    world.until(lambda: isinstance(world.state().trainer.ending, Finished))
    assert world.state().trainer.attempts == 2


def test_a_run_that_is_stopped_while_it_starts_has_no_time_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.state.liveness.LEAST_QUIET", 0.3)
    monkeypatch.setattr("lvmtui.supervisor.observe.DIGITS_AFTER", 0.1)
    planned = world.plan("amn", behaviour=Behaviour(start_seconds=60)).runs[0]
    world.until(lambda: bool(world.processes(world.folder())))
    os.kill(world.processes(world.folder())[0].identity.pid, signal.SIGSTOP)
    world.until(lambda: (pulse := read_pulse(world.workspace.pulse)) is not None and planned.run in pulse.no_step)
    state = CampaignReader(world.workspace, world.workspace.campaign_dirs()[0]).refresh()
    view = state.view("amn", "baseline", 1)
    assert view is not None and view.status.phase is Phase.STARTING and view.status.no_step is not None
    assert planned.run in campaign_eta(state, time.time()).left_out


def test_a_run_that_makes_no_step_is_told_of_until_it_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.state.liveness.LEAST_QUIET", 0.3)
    monkeypatch.setattr("lvmtui.supervisor.observe.DIGITS_AFTER", 0.1)
    planned = world.plan("amn", behaviour=Behaviour(at=30, does="stop", step_seconds=0.02)).runs[0]
    world.until(lambda: any(p.stopped for p in world.processes(world.folder())))  # a slow machine is silent before
    world.until(lambda: (pulse := read_pulse(world.workspace.pulse)) is not None and planned.run in pulse.no_step)
    reader = CampaignReader(world.workspace, world.workspace.campaign_dirs()[0])
    state = reader.refresh()
    view = state.view("amn", "baseline", 1)
    assert view is not None and view.status.phase is Phase.RUNNING and view.status.no_step is not None
    assert 0.3 <= view.status.no_step < 30 and view.status.no_step_words.startswith("no step for ")
    eta = campaign_eta(state, time.time())
    assert planned.run not in eta.runs and planned.run in eta.left_out, "its time left would stand still"
    trainer = world.training()
    assert trainer is not None
    os.kill(trainer.pid, signal.SIGCONT)
    world.until(lambda: (pulse := read_pulse(world.workspace.pulse)) is not None and planned.run not in pulse.no_step)
    view = reader.refresh().view("amn", "baseline", 1)
    assert view is not None and view.status.no_step is None and view.status.no_step_words == ""


# Another supervisor ---------------------------------------------------------------------------------------------------


def test_a_new_supervisor_takes_over_what_runs(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    world.new_supervisor()
    world.until(lambda: world.whole())
    assert all(world.state("amn", arm).supervision.launches == 1 for arm in ("baseline", "expanded"))


def test_a_process_that_was_started_and_not_written_down_is_found(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.02, start_seconds=0.5))
    world.supervisor.journal.write = lambda folder, record: None  # type: ignore[method-assign] # killed right there
    world.supervisor.tick()
    world.new_supervisor()
    world.until(lambda: world.state().supervision.process)
    assert world.state().supervision.launches == 0
    world.until(lambda: world.whole())
    assert world.state().trainer.attempts == 1 and not world.state().supervision.deaths


def test_a_start_that_was_half_written_down_is_found(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.supervisor.tick()
    for arm in ARMS:
        path = world.folder("amn", arm).supervision
        path.write_bytes(path.read_bytes()[:-40])  # killed in the middle of the line
    world.new_supervisor()
    world.until(lambda: world.whole())
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
    world.until(lambda: world.finished() and not world.processes(world.folder()))
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
        world.until(lambda: bool(world.state().supervision.losses))
        lost = world.state().supervision.losses[-1]
        assert lost and lost.reason == "the machine restarted" and not lost.counts
        world.until(lambda: world.whole())
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
        monkeypatch.setattr("lvmtui.supervisor.engines.local.marked_processes", list)  # its own are not seen here
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
    world.until(lambda: world.finished("amn", "expanded"))
    world.ticks()
    assert world.state().supervision.launches == 0 and "not started" in world.monitor()
    lock.close()
    world.until(lambda: world.finished())
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
        while world.folder().path.exists():  # the trainer writes into the folder that is being emptied
            shutil.rmtree(world.folder().path, ignore_errors=True)
    world.until(lambda: not world.processes(world.folder()))
    assert "TERM to process" in world.monitor() and " is gone: put it back" in world.monitor()
    world.until(lambda: world.training("amn", "expanded"))


def test_a_run_stays_under_control_when_a_campaign_that_borrowed_it_vanishes(world: World) -> None:
    lender = world.plan("amn", behaviour=Behaviour(step_seconds=0.01), steps=10_000)
    borrower = replace(
        lender, id=lender.id + "_2", runs=tuple(replace(planned, trained_here=False) for planned in lender.runs)
    )
    folder = world.workspace.campaign(borrower.id)
    folder.path.mkdir()
    write_campaign(folder.campaign, borrower)
    world.until(lambda: world.training() and len(world.supervisor.observer.campaigns) == 2)
    while folder.path.exists():  # a process that makes its result may write into it
        shutil.rmtree(folder.path, ignore_errors=True)
    world.until(lambda: len(world.supervisor.observer.campaigns) == 1)
    world.ticks()
    assert world.training()
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED and not world.processes(world.folder()))


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
    world.until(lambda: world.finished("gru", "expanded"))


def test_a_run_interrupted_from_outside_goes_on_by_itself(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training())
    process = world.training()
    assert process is not None
    os.kill(process.pid, signal.SIGTERM)
    world.until(lambda: world.state().trainer.attempts == 2)
    assert b'"interrupted"' in world.folder().events.read_bytes()
    assert not world.state().supervision.deaths
    world.until(lambda: world.whole())
