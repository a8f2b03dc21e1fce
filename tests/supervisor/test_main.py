"""The supervisor as a process: the lock, signals, its end, and being killed."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import Finished
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.state.status import Phase
from lvmtui.supervisor import lock as lock_module
from lvmtui.supervisor import supervisor as supervisor_module
from lvmtui.supervisor.lock import EXIT_SUPERVISED, ensure_supervisor, take_lock, who_supervises
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import try_lock
from lvmtui.system.logging import log_to
from tests.supervisor.fake_trainer import Behaviour, digest_after
from tests.supervisor.world import SUPERVISOR, World
from tests.waiting import wait_for

SLOW = Behaviour(step_seconds=0.02)


def whole(world: World) -> bool:
    for planned in world.campaign.runs:
        ending = world.state(planned.model, planned.arm).trainer.ending
        if not isinstance(ending, Finished) or ending.weights_digest != digest_after(planned.run, ending.step):
            return False
    return True


def ready(world: World, process: subprocess.Popen[bytes]) -> None:
    def introduced() -> bool:
        identity = supervisor_of(world.workspace)
        return identity is not None and identity.pid == process.pid

    wait_for(introduced)


def test_it_supervises_to_the_end_and_leaves(world: World) -> None:
    world.plan("amn", "gru")
    process = world.start_supervisor(linger=0.3)
    wait_for(lambda: process.poll() is not None)
    assert process.returncode == 0 and whole(world)
    campaign = world.workspace.campaign(world.campaign.id)
    assert campaign.report.exists() and campaign.comparison("gru").exists()
    assert not world.workspace.supervisor.exists()
    assert "nothing is left to do" in world.workspace.supervisor_log.read_text()


def test_of_two_started_together_one_wins_and_the_other_says_who(world: World) -> None:
    world.plan("amn", behaviour=SLOW, steps=10_000)
    both = [world.start_supervisor(), world.start_supervisor()]
    wait_for(lambda: any(process.poll() is not None for process in both))
    loser, winner = sorted(both, key=lambda process: process.poll() is None)
    assert winner.poll() is None and loser.returncode == EXIT_SUPERVISED
    assert f"supervised by process {winner.pid} on" in world.workspace.supervisor_log.read_text()
    wait_for(lambda: world.training() and world.training("amn", "expanded"))
    assert len([p for p in world.processes() if p.leader]) == 2


def test_killed_at_any_moment_the_next_one_goes_on(world: World) -> None:
    world.plan("amn", "gru", behaviour=Behaviour(step_seconds=0.01))
    for _ in range(4):
        process = world.start_supervisor()
        ready(world, process)
        process.kill()
        process.wait()
    last = world.start_supervisor(linger=0.2)
    wait_for(lambda: last.poll() is not None)
    assert whole(world)
    for planned in world.campaign.runs:
        state = world.state(planned.model, planned.arm)
        assert state.trainer.attempts == 1, "nobody was started twice"
        text = world.workspace.retrain_log(world.campaign, state.spec.label).read_text()
        lines = [line for line in text.splitlines() if planned.run in line]
        assert len(set(lines)) == len(lines) and sum("finished at step" in line for line in lines) == 1
        assert sum("  epoch " in line for line in lines) == len(state.trainer.evaluations), "none lost, none doubled"


def test_told_to_go_it_leaves_the_runs_going(world: World) -> None:
    world.plan("amn", behaviour=SLOW, steps=10_000)
    process = world.start_supervisor()
    wait_for(lambda: world.training() and world.training("amn", "expanded"))
    os.kill(process.pid, signal.SIGHUP)  # the terminal went: no reason to go
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(20) == 0
    assert world.training() and world.training("amn", "expanded")
    assert not world.workspace.supervisor.exists()
    assert world.state().supervision.signalled is None


def test_a_lost_terminal_and_children(world: World) -> None:
    """HUP ends neither the supervisor nor is it ignored in its children, who would inherit that."""
    world.plan("amn", behaviour=SLOW, steps=10_000)
    process = world.start_supervisor()
    wait_for(lambda: world.training())
    os.kill(process.pid, signal.SIGHUP)
    world.want("pause")
    wait_for(lambda: world.phase() is Phase.PAUSED)
    assert process.poll() is None


def test_orders_wake_it(world: World) -> None:
    world.plan("amn", behaviour=SLOW, steps=10_000)
    world.start_supervisor()
    wait_for(lambda: world.training())
    for arm in ARMS:
        world.want("cancel", "amn", arm)
    wait_for(lambda: all(world.phase("amn", arm) is Phase.CANCELLED for arm in ARMS))
    world.plan("gru", stamp="20261123_090000")  # a campaign planned while it supervises
    wait_for(lambda: world.phase("gru") is Phase.FINISHED)


def test_where_the_kernel_tells_nothing_orders_are_looked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVMTUI_SHARED", "1")
    world.plan("amn", behaviour=SLOW, steps=10_000)
    world.start_supervisor()
    wait_for(lambda: world.training())
    world.want("cancel")
    wait_for(lambda: world.phase() is Phase.CANCELLED)
    assert "looking for changes, as hosts share its file system" in world.workspace.supervisor_log.read_text()


def test_an_order_at_the_moment_of_leaving_is_not_lost(world: World) -> None:
    world.plan("amn")
    world.want("pause")
    world.want("pause", "amn", "expanded")
    world.to_the_end()
    world.want("run")
    lock = supervisor_module._taken_again(world.supervisor, world.workspace)
    assert lock is not None and take_lock(world.workspace, seconds=0) is None
    lock.close()
    world.to_the_end()
    assert supervisor_module._taken_again(world.supervisor, world.workspace) is None


def test_a_look_that_fails_is_said_and_tried_again(world: World) -> None:
    world.plan("amn")
    log_to(world.workspace.supervisor_log)
    observe = world.supervisor.observer.observe
    world.supervisor.observer.observe = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    said: set[str] = set()
    assert supervisor_module._tick(world.supervisor, said) is None
    assert supervisor_module._tick(world.supervisor, said) is None
    assert world.workspace.supervisor_log.read_text().count("ZeroDivisionError") == 1
    world.supervisor.observer.observe = observe  # type: ignore[method-assign]
    assert supervisor_module._tick(world.supervisor, said) is True


def test_where_the_lock_is_replaced_it_leaves_the_field(world: World) -> None:
    world.plan("amn", behaviour=SLOW, steps=10_000)
    process = world.start_supervisor()
    wait_for(lambda: world.training())
    world.workspace.supervisor_lock.unlink()
    lock = try_lock(world.workspace.supervisor_lock)
    assert process.wait(20) == 0 and lock is not None
    assert world.training()


# ensure_supervisor ----------------------------------------------------------------------------------------------------


def test_ensure_starts_one_and_only_one(world: World) -> None:
    world.plan("amn", behaviour=SLOW, steps=10_000)
    command = (*SUPERVISOR, str(world.root), "linger=60")
    words = ensure_supervisor(world.workspace, command=command)
    identity = supervisor_of(world.workspace)
    assert identity is not None and f"supervised by process {identity.pid} on {identity.host} since" in words
    try:
        assert ensure_supervisor(world.workspace, command=command) == words
        assert supervisor_of(world.workspace) == identity
        assert os.getsid(identity.pid) == identity.pid  # no terminal of ours can take it along
    finally:
        os.kill(identity.pid, signal.SIGKILL)


def test_ensure_starts_the_real_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    words = ensure_supervisor(workspace)
    identity = supervisor_of(workspace)
    assert identity is not None and str(identity.pid) in words
    os.kill(identity.pid, signal.SIGTERM)
    wait_for(lambda: not identity.alive())
    assert "told to go" in workspace.supervisor_log.read_text()


def test_ensure_says_why_it_does_not_come_up(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(UserError, match="did not come up: no licence"):
        ensure_supervisor(workspace, command=(sys.executable, "-c", "print('no licence'); raise SystemExit(1)"))
    with pytest.raises(UserError, match="cannot be started"):
        ensure_supervisor(workspace, command=("/no/such/interpreter",))


def test_a_workspace_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.write_text("not a folder")
    with pytest.raises(UserError, match=r"supervisor\.lock: cannot be written"):
        ensure_supervisor(Workspace(tmp_path))
    artifacts.unlink()

    def refused(path: Path, seconds: float) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(lock_module, "try_lock", refused)
    with pytest.raises(UserError, match="Read-only file system"):
        take_lock(Workspace(tmp_path))


def test_a_workspace_that_was_moved_away_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        ensure_supervisor(Workspace(tmp_path / "moved"))
    assert not (tmp_path / "moved").exists()


def test_another_hosts_supervisor_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.lvm.mkdir(parents=True)
    lock = try_lock(workspace.supervisor_lock)
    assert lock is not None
    assert "supervised by another process" in who_supervises(workspace)
    workspace.supervisor.write_text(
        '{"process": {"host": "node17", "boot_id": "b", "pid": 7, "start_ticks": 1}, "since": 1.0, "version": "0"}'
    )
    assert re.search(r"supervised by process 7 on node17 since \d{4}-", ensure_supervisor(workspace))
    lock.close()


def test_the_supervisor_stays_small() -> None:
    """No numpy, rich, textual, torch or psutil: it is to wait in 60 MB for days."""
    code = (
        "import sys, lvmtui.supervisor.supervisor, lvmtui.supervisor.lock\n"
        "print(sorted({'numpy', 'rich', 'textual', 'torch', 'psutil', 'trainers', 'asyncio'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
