"""What happened to others: a TMPDIR that vanishes, a package of our name, a group's workspace, the first process."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from lvmtui import orders
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.started_with import StartedWith, differences, started_with_now
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase
from lvmtui.state.tasks import Task
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.supervisor.results import PAUSE, Workers, idle_cores
from lvmtui.system.files import append_line, create_file, replace_file
from lvmtui.system.launch import our_command
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import TRAINER, World
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
SLOW = Behaviour(step_seconds=0.05, checkpoint_every=10)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


# TMPDIR ---------------------------------------------------------------------------------------------------------------


def test_results_are_made_although_tmpdir_has_vanished(world: World) -> None:
    temporary = world.root / "tmp"
    temporary.mkdir()
    world.plan()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("run_supervisor.py")), str(world.root), "linger=0.2"],
        env=environment,
    )
    world.started.append(process)
    wait_for(world.workspace.supervisor.exists)
    shutil.rmtree(temporary)
    assert process.wait(60) == 0
    folder = world.workspace.campaign(world.campaign.id)
    assert folder.report.exists() and folder.comparison("amn").exists()
    assert not folder.task_output.exists()


def test_workers_take_the_cores_that_runs_leave(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plan("amn", "gru", jobs=3)
    monkeypatch.setattr("lvmtui.supervisor.results.cores", lambda: 16)
    observer = world.supervisor.observer
    observer.observe()
    assert idle_cores([]) == 16 and idle_cores(observer.campaigns) == 16 - 3 * world.campaign.threads
    world.to_the_end()
    assert idle_cores(observer.campaigns) == 16


def test_a_worker_that_cannot_start_is_told_and_tried_after_longer_and_longer_pauses(world: World) -> None:
    now, tried = [0.0], []

    def command(*arguments: object) -> tuple[str, ...]:
        tried.append(now[0])
        return ("/no/such/interpreter",)

    world.plan()
    world.supervisor.results.workers = workers = Workers(command=command, clock=lambda: now[0])
    folder = world.workspace.campaign(world.campaign.id)
    task = Task(folder.id, "report", "", "now", "report")
    for _ in range(5000):
        workers.begin(folder, [task])
        now[0] += 1.0
    pauses = [b - a for a, b in pairwise(tried)]
    assert pauses[:4] == [PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE] and max(pauses) == pauses[-1] == 600
    now[0] += 1000
    reader = CampaignReader(world.workspace, folder)
    world.until(lambda: reader.refresh().trouble)
    trouble = reader.refresh().trouble
    assert "could not be started (/no/such/interpreter: No such file or directory); it is tried again" in trouble


# A package of our name ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["trainers", "lvmtui"])
def test_no_other_package_of_our_name_is_run_in_our_place(tmp_path: Path, module: str) -> None:
    for name in ("trainers", "lvmtui"):
        (tmp_path / name).mkdir()
        for file in ("__init__.py", "__main__.py"):
            (tmp_path / name / file).write_text(f"print('stolen by {tmp_path}')")
    argument = str(tmp_path) if module == "trainers" else "--version"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(our_command(module, argument), capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert "stolen" not in done.stdout
    if module == "trainers":
        assert "spec.json: no such file" in done.stderr
    else:
        assert done.stdout.startswith("lvmtui ")


# A group's workspace --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_new_files_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "replaced", b"")
        create_file(tmp_path / "created", b"")
        append_line(tmp_path / "appended", b"x\n")
    finally:
        os.umask(before)
    for name in ("replaced", "created", "appended"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


ALICE, BOB, GROUP = 61001, 61002, 62000

AS_A_COLLEAGUE = """
import os, sys
from pathlib import Path
from lvmtui import orders
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign
os.umask(0o002)
workspace = Workspace(Path(sys.argv[1]))
state = CampaignReader(workspace, newest_campaign(workspace)).refresh()
for line in getattr(orders, sys.argv[2])(orders.select(state, ["amn/8k"])):
    print(line)
"""


def _as(uid: int, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What Python makes of the code as another user."""
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={GROUP}", "--clear-groups", sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, cwd="/", env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


def _orders(uid: int, root: Path, order: str) -> subprocess.CompletedProcess[str]:
    return _as(uid, AS_A_COLLEAGUE, str(root), order)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="lvmtui-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_in_a_groups_workspace_a_colleague_orders_and_what_cannot_be_written_is_said_then(open_folder: Path) -> None:
    if _as(BOB, "import lvmtui.orders").returncode:
        pytest.skip("this Python, or the program, lies where other users cannot read it")
    place = open_folder / "shared"
    place.mkdir()
    before = os.umask(0o002)
    try:
        os.chown(place, ALICE, GROUP)
        place.chmod(0o2775)
        world = World(place)
        world.plan(behaviour=SLOW)
        folder = world.folder()
        append_line(folder.events, b"")
        append_line(folder.supervision, b"")
    finally:
        os.umask(before)
    for path in (place, *place.rglob("*")):
        assert path.stat().st_gid == GROUP, "the folder's group"
        os.chown(path, ALICE, GROUP)
    paused = _orders(BOB, place, "pause")
    assert paused.returncode == 0, paused.stderr
    assert folder.intent.stat().st_uid == BOB and stat.S_IMODE(folder.intent.stat().st_mode) == 0o664
    assert "cannot be written" not in _orders(BOB, place, "resume").stdout
    folder.events.chmod(0o644)  # as versions before this one left it
    assert _orders(BOB, place, "pause").returncode == 0
    said = _orders(BOB, place, "resume").stdout
    assert f"but {folder.events}: cannot be written (Permission denied); it belongs to {ALICE} with mode 644" in said
    world.clean()


# The first process of a container -------------------------------------------------------------------------------------

CONTAINER = """
import os, sys, threading
from pathlib import Path
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.supervisor import Supervisor, main
from tests.supervisor.world import World
assert os.getpid() == 1
world = World(Path(sys.argv[1]))
main(world.workspace, supervisor=world.supervisor, linger=60)
"""


@needs_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_the_first_process_a_supervisor_takes_its_runs_along(world: World, number: signal.Signals) -> None:
    world.plan(behaviour=replace(SLOW, checkpoint_every=100_000), steps=5000, jobs=2)
    container = subprocess.Popen(
        [
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            sys.executable,
            "-c",
            CONTAINER,
            str(world.root),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    runs = [world.folder(), world.folder(arm="expanded")]
    wait_for(lambda: all(run.events.exists() and b"started" in run.events.read_bytes() for run in runs))
    (first,) = _children(container.pid)
    os.kill(first, number)
    container.communicate(timeout=60)
    log = world.workspace.supervisor_log.read_text()
    assert "the runs left with a checkpoint, as the container ends with this process" in log
    for run in runs:
        assert run.checkpoint.exists() and b"interrupted" in run.events.read_bytes()
    assert world.phase() is Phase.INTERRUPTED
    assert not world.state().supervision.deaths


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# What a run is started with -------------------------------------------------------------------------------------------


def test_what_matters_is_written_down_and_secrets_are_not() -> None:
    environment = {
        "CUDA_VISIBLE_DEVICES": "3",
        "OMP_PROC_BIND": "true",
        "NVIDIA_API_KEY": "x",
        "TORCH_AUTH_TOKEN": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "HOME": "/home/me",
        "PATH": "/usr/bin",
    }
    found = started_with_now(environment)
    assert found.python == sys.executable
    assert set(found.variables) == {"CUDA_VISIBLE_DEVICES", "OMP_PROC_BIND", "PATH"}
    assert found.words == f"{sys.executable}; CUDA_VISIBLE_DEVICES=3; OMP_PROC_BIND=true; PATH as in this shell"
    ours = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_LAUNCH_BLOCKING": "1", "HOME": "/root"}
    assert found.environment(ours) == {**found.variables, "HOME": "/root"}
    later = started_with_now({**environment, "CUDA_VISIBLE_DEVICES": "1", "PATH": "/bin"})
    assert differences(found, later) == "CUDA_VISIBLE_DEVICES=1, PATH" and not differences(found, found)


def test_each_campaign_is_started_with_what_its_own_shell_had(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plan(behaviour=SLOW, jobs=2)
    folder = world.workspace.campaign(world.campaign.id)
    write_document(folder.started_with, StartedWith(sys.executable, {"OMP_PROC_BIND": "true"}))
    monkeypatch.setenv("OMP_PROC_BIND", "false")
    monkeypatch.setenv("CUDA_CACHE_DISABLE", "1")
    world.until(world.training)
    environment = _environment_of(world)
    assert environment["OMP_PROC_BIND"] == "true" and "CUDA_CACHE_DISABLE" not in environment
    world.want("cancel", force=True)
    world.until(lambda: world.phase() is Phase.CANCELLED)
    *_, said = orders.retry([world.view()])
    assert "started with what this shell has from now on: " in said
    assert "OMP_PROC_BIND=false" in said and "CUDA_CACHE_DISABLE=1" in said
    world.until(world.training)
    assert _environment_of(world)["OMP_PROC_BIND"] == "false"
    stored = find_document(StartedWith, folder.started_with)
    assert stored is not None and stored.variables["CUDA_CACHE_DISABLE"] == "1"


def _environment_of(world: World) -> dict[str, str]:
    process = world.training()
    assert process is not None
    entries = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return {name: value for name, _, value in (os.fsdecode(entry).partition("=") for entry in entries)}


def test_the_interpreter_is_the_campaigns(world: World, tmp_path: Path) -> None:
    world.plan(jobs=1)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 3\nexec {" ".join(TRAINER)} "$@"\n')
    python.chmod(0o755)
    write_document(world.workspace.campaign(world.campaign.id).started_with, StartedWith(str(python), dict(os.environ)))
    world.supervisor.engines["local"] = LocalEngine()
    world.until(lambda: world.phase() is Phase.FINISHED)


# Logs -----------------------------------------------------------------------------------------------------------------


def test_a_log_that_cannot_be_written_is_told(world: World) -> None:
    world.plan(behaviour=SLOW, jobs=1)
    world.folder().supervision.mkdir()
    folder = world.workspace.campaign(world.campaign.id)
    reader = CampaignReader(world.workspace, folder)
    world.until(lambda: reader.refresh().trouble)
    assert "supervision.jsonl: cannot be written (Is a directory)" in reader.refresh().trouble
