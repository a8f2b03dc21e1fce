"""Whose process is it? Copied and moved workspaces, other PID namespaces, kernels without pidfds."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, supervisor_of
from lvmtui.state.status import Phase
from lvmtui.supervisor.lock import introduce, take_lock
from lvmtui.supervisor.observation import Track
from tests.seccomp import PIDFD_OPEN, PIDFD_SEND_SIGNAL
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import World
from tests.waiting import wait_for

SLOW = Behaviour(step_seconds=0.05, checkpoint_every=10)
ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes PID namespaces")


@pytest.fixture
def original(tmp_path: Path) -> World:
    place = tmp_path / "original"
    place.mkdir()
    return World(place)


def copy_of(world: World, place: Path) -> World:
    """A copy of the whole workspace, as `cp -r` and `rsync -a` make it, with a supervisor of its own."""
    shutil.copytree(world.root, place)
    return _seen_as(world, place)


def _seen_as(world: World, place: Path) -> World:
    copy = World(place)
    copy.campaign = world.campaign
    return copy


def test_a_copied_workspace_leaves_the_original_alone(original: World, tmp_path: Path) -> None:
    original.plan(behaviour=SLOW, jobs=1, steps=2000, stall_timeout=0.2)
    original.until(original.training)
    process = original.training()
    assert process is not None
    copy = copy_of(original, tmp_path / "copy")
    try:
        assert copy.phase() is not Phase.RUNNING, "the process of the original is not shown as the copy's"
        copy.behave(step_seconds=0.002)
        copy.want("cancel", force=True)
        copy.until(lambda: copy.phase() is Phase.CANCELLED)
        copy.ticks(20)
        assert process.alive() and original.phase() is Phase.RUNNING
        assert not copy.state().supervision.insisted
    finally:
        copy.clean()
        original.clean()


def test_a_copied_workspace_goes_on_by_itself(original: World, tmp_path: Path) -> None:
    original.plan(behaviour=SLOW, jobs=1, steps=200)
    original.until(lambda: original.state().trainer.checkpoint)
    process = original.training()
    copy = copy_of(original, tmp_path / "copy")
    try:
        for arm in ("baseline", "expanded"):
            copy.behave(arm=arm)
        copy.to_the_end()
        assert copy.phase() is Phase.FINISHED
        lost = copy.state().supervision.losses[-1]
        assert lost is not None and "copied from" in lost.reason and not lost.counts
        assert process is not None and process.alive()
    finally:
        copy.clean()
        original.clean()


def test_the_supervisor_of_the_original_does_not_supervise_a_copy(original: World, tmp_path: Path) -> None:
    original.plan()
    lock = take_lock(original.workspace)
    assert lock is not None
    introduce(original.workspace)
    shutil.copytree(original.root, tmp_path / "copy")
    assert supervisor_of(original.workspace) is not None
    assert supervisor_of(Workspace(tmp_path / "copy")) is None
    lock.close()


def test_a_moved_workspace_keeps_its_processes_and_its_place_is_not_trained_in_twice(
    original: World, tmp_path: Path
) -> None:
    original.plan(behaviour=SLOW, jobs=1, steps=5000)
    original.until(original.training)
    process = original.training()
    assert process is not None
    copy_place = tmp_path / "copy"
    shutil.copytree(original.root, copy_place)
    moved_to = tmp_path / "moved"
    original.root.rename(moved_to)
    copy_place.rename(original.root)  # another in its place
    moved, replacement = _seen_as(original, moved_to), _seen_as(original, original.root)
    try:
        replacement.ticks(20)
        assert process.alive() and len(replacement.processes()) <= 1
        probe = replacement.supervisor.observer.tracks[replacement.run().run].seen.probe
        assert not probe.known and f"process {process.pid} writes here" in probe.detail
        moved.want("cancel", force=True)
        moved.until(lambda: not process.alive())
        assert moved.state().supervision.insisted == (process.pid,)
    finally:
        moved.clean()
        replacement.clean()


# PID namespaces -------------------------------------------------------------------------------------------------------

LOOK = """
import sys
from pathlib import Path
from tests.supervisor.test_elsewhere import looked_at_from_here
looked_at_from_here(Path(sys.argv[1]))
"""


def looked_at_from_here(root: Path) -> None:
    """Print what a supervisor and a reader make of a workspace, after some looks."""
    world = World(root)
    (folder,) = world.workspace.campaign_dirs()
    reader = CampaignReader(world.workspace, folder)
    world.ticks(20)
    for view in reader.refresh().runs:
        seen = world.supervisor.observer.tracks[view.planned.run].seen
        print(view.planned.arm, view.status.phase.value, view.status.reason, "|", seen.status.phase.value, sep=",")
        print(len(view.state.supervision.deaths) if view.state else None)


def _from_another_namespace(root: Path) -> list[str]:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LOOK, str(root)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_root
def test_from_another_pid_namespace_of_this_host_a_run_is_unknown_and_nothing_is_started_in_its_place(
    world: World,
) -> None:
    world.plan(behaviour=SLOW, jobs=1, steps=5000)
    world.until(world.training)
    process = world.training()
    lines = _from_another_namespace(world.root)
    assert lines[0] == "baseline,unknown,runs on another container of this host,|,unknown"
    assert lines[1] == "0" and lines[2].startswith("expanded,queued"), "the place of the run is not given away"
    assert process is not None and process.alive() and world.phase() is Phase.RUNNING


@needs_root
def test_a_run_whose_namespace_is_gone_goes_on_in_the_next_one(world: World) -> None:
    """A container that is started again has the same name, and its processes are gone: the folder is not locked."""
    world.plan(behaviour=SLOW, jobs=1, steps=5000)
    world.until(world.training)
    world.supervisor.engines["local"].insist([world.supervisor.observer.place_of(_track(world))])
    wait_for(lambda: not world.training())
    lines = _from_another_namespace(world.root)
    assert lines[0].startswith(("baseline,running", "baseline,starting")), lines


def _track(world: World) -> Track:
    return world.supervisor.observer.tracks[world.run().run]


@needs_root
def test_a_proc_of_another_namespace_is_refused_in_words() -> None:
    code = "from lvmtui.system.process_id import own_identity; own_identity()"
    done = subprocess.run(
        ["unshare", "--pid", "--fork", sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert "UserError: /proc shows another PID namespace" in done.stderr


# Kernels without pidfds -----------------------------------------------------------------------------------------------

SEND = """
import signal, sys
from lvmtui.supervisor.observation import Track
from tests.seccomp import refuse
refuse(*map(int, sys.argv[2].split(",")), errno=int(sys.argv[3]))
from lvmtui.system.process_id import identity_of
from lvmtui.system.processes import send
print(send(identity_of(int(sys.argv[1])), signal.SIGTERM))
"""


@pytest.mark.parametrize("calls", [(PIDFD_OPEN,), (PIDFD_SEND_SIGNAL,), (PIDFD_OPEN, PIDFD_SEND_SIGNAL)])
@pytest.mark.parametrize("refusal", [errno.ENOSYS, errno.EPERM])
def test_without_pidfds_signals_are_sent_by_number(calls: tuple[int, ...], refusal: int) -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    arguments = [str(child.pid), ",".join(map(str, calls)), str(refusal)]
    done = subprocess.run([sys.executable, "-c", SEND, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "None\n", done.stderr
    assert child.wait(60) == -15


def test_what_cannot_be_sent_is_said_on_the_row_and_in_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:

    world.plan(behaviour=replace(SLOW, deaf=True), jobs=1, steps=5000)
    world.until(world.training)

    def refused(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(signal, "pidfd_send_signal", refused)
        patched.setattr(os, "kill", refused)
        world.want("cancel")
        world.until(lambda: world.state().supervision.signalled)
        world.ticks(30)
    process = world.training()
    assert process is not None
    words = f"process {process.pid}: Operation not permitted"
    assert world.view().status.reason == f"no signal sent to {words}"
    log = world.workspace.retrain_log(world.campaign, "8k").read_text()
    assert log.count(words) <= 2, "once for TERM and once for KILL, not with every try"
    assert f"TERM could not be sent to {words}" in log
    world.until(lambda: world.phase() is Phase.CANCELLED)
