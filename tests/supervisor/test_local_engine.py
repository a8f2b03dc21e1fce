"""Runs as processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.state.status import GONE
from lvmtui.supervisor import memory_kills
from lvmtui.supervisor.engine import CannotStart, Occupied, Place, trainer_of
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.system.filesystem import is_locked, try_lock
from lvmtui.system.gpus import TorchBuild
from lvmtui.system.launch import our_command
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK
from lvmtui.system.processes import Sent
from tests.factory import make_campaign
from tests.waiting import wait_for

TELL = """
import json, os, sys, time
facts = {"argv": sys.argv[1:], "cwd": os.getcwd(), "environ": dict(os.environ), "stdin": os.readlink("/proc/self/fd/0")}
open(sys.argv[1] + "/facts.part", "w").write(json.dumps(facts))
os.rename(sys.argv[1] + "/facts.part", sys.argv[1] + "/facts.json")
print("words")
time.sleep(600)
"""


class Bench:
    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        campaign = make_campaign(self.workspace, models=("amn",), threads=3)
        self.folder: RunDir = self.workspace.run(campaign.runs[0])
        self.other: RunDir = self.workspace.run(campaign.runs[1])
        self.engine = LocalEngine((sys.executable, "-S", "-c", TELL))
        self.place = Place(self.folder)

    @property
    def spec(self) -> RunSpec:
        return read_spec(self.folder.spec)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for folder in (bench.folder, bench.other):
        bench.engine.insist([Place(folder)])
    bench.engine.look([])


def test_the_trainers_are_ours_whatever_lies_in_the_current_folder() -> None:
    (python, option, *_), place = our_command("trainers"), Place(RunDir(Path("/nowhere")))
    assert trainer_of(place) == our_command("trainers") and (python, option) == (sys.executable, "-P")


def test_a_trainer_gets_what_it_needs_and_nothing_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    begun = bench.engine.start(bench.place, bench.spec)
    wait_for((bench.folder.path / "facts.json").exists)
    facts = json.loads((bench.folder.path / "facts.json").read_text())
    environ = facts["environ"]
    assert facts["argv"] == [str(bench.folder.path)] and facts["cwd"] == str(bench.workspace.root)
    assert facts["stdin"] == os.devnull and environ[RUN_MARK] == str(bench.folder.path)
    assert environ[LAUNCH_MARK] == begun.launch != ""
    assert environ["OMP_NUM_THREADS"] == environ["MKL_NUM_THREADS"] == "3"
    assert (environ["OMP_WAIT_POLICY"], environ["KMP_BLOCKTIME"]) == ("PASSIVE", "0")
    assert environ["GOMP_SPINCOUNT"] == "1000", "it has three threads, which are soon needed again"
    assert environ["CUDA_VISIBLE_DEVICES"] == "4,7"  # the spec says cpu: there is nothing to choose
    wait_for(lambda: bench.folder.log.read_bytes() == b"" or b"words" in bench.folder.log.read_bytes())


def test_each_run_gets_a_gpu_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setattr("lvmtui.system.gpus.torch_build", lambda: TorchBuild("2.13.0", "cuda", "13.0"))
    spec = replace(bench.spec, device="auto")
    first, second = bench.engine.start(bench.place, spec), bench.engine.start(Place(bench.other), spec)
    assert {first.devices, second.devices} == {"4", "7"}
    # a new supervisor sees who has which
    bench.engine.insist([Place(bench.other)])
    wait_for(lambda: not second.process.alive())
    other = LocalEngine((sys.executable, "-S", "-c", TELL))
    other.look([bench.place])
    assert other._devices("auto") == second.devices


def test_a_process_is_seen_until_it_ends_and_how(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    probe = bench.engine.look([bench.place])[bench.folder.path]
    assert [m.identity for m in probe.members] == [begun.process] and probe.ended is None
    os.kill(begun.process.pid, signal.SIGSEGV)
    wait_for(lambda: not bench.engine.look([bench.place])[bench.folder.path].members)
    ended = bench.engine.look([bench.place])[bench.folder.path].ended
    assert ended and ended.process == begun.process and ended.words == "killed by signal 11"
    assert not os.path.exists(f"/proc/{begun.process.pid}")  # nothing is left in the process table either


def test_the_end_of_the_newest_process_is_told_whichever_was_born_first(bench: Bench) -> None:
    """One that stood by is older than the process that died before it."""
    ends = []
    for number in (signal.SIGSEGV, signal.SIGABRT):
        begun = bench.engine.start(bench.place, bench.spec)
        os.kill(begun.process.pid, number)
        wait_for(lambda: not bench.engine.look([bench.place])[bench.folder.path].members)
        ends.append((begun.process, f"killed by signal {int(number)}"))
    for named in (ends, ends[::-1]):
        place = Place(bench.folder, tuple(process for process, _ in named))
        ended = bench.engine.look([place])[bench.folder.path].ended
        assert ended and (ended.process, ended.words) == named[0]
        assert bench.engine.look([place])[bench.folder.path].ended == ended, "also when it is asked again"


def test_who_was_killed_for_memory_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    monkeypatch.setattr(memory_kills, "counter", lambda: 10_000)
    os.kill(begun.process.pid, signal.SIGKILL)
    wait_for(lambda: not bench.engine.look([bench.place])[bench.folder.path].members)
    ended = bench.engine.look([bench.place])[bench.folder.path].ended
    assert ended and ended.words == "killed for memory"


def test_who_was_killed_for_memory_while_nobody_looked_is_told_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    bench.engine.insist([bench.place])
    wait_for(lambda: not bench.engine.look([bench.place])[bench.folder.path].members)
    place = Place(bench.folder, (begun.process,))
    monkeypatch.setattr(memory_kills, "in_kernel_log", lambda process: process == begun.process)
    ended = LocalEngine().look([place])[bench.folder.path].ended
    assert ended and (ended.process, ended.words) == (begun.process, "killed for memory")


def test_another_engine_finds_it_and_can_end_it(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    other = LocalEngine()
    (member,) = other.look([bench.place])[bench.folder.path].members
    assert (member.identity, member.leader, member.launch) == (begun.process, True, begun.launch)
    os.kill(begun.process.pid, signal.SIGSTOP)
    wait_for(lambda: other.look([bench.place])[bench.folder.path].members[0].stopped)
    assert other.ask([bench.place]) == {bench.folder.path: Sent((begun.process.pid,))}
    wait_for(lambda: not other.look([bench.place])[bench.folder.path].members)
    ended = other.look([bench.place])[bench.folder.path].ended
    assert ended and ended.words == GONE  # not our child: nobody told how


def test_a_process_that_only_the_logs_name_is_the_runs(bench: Bench) -> None:
    import subprocess

    from lvmtui.system.process_id import identity_of

    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-S", "-c", hold, str(bench.folder.lock)])
    identity = identity_of(child.pid)
    assert identity is not None
    wait_for(lambda: bench.folder.lock.exists() and is_locked(bench.folder.lock))
    place = Place(bench.folder, (identity,))
    assert not bench.engine.look([Place(bench.other, (identity,))])[bench.other.path].members, "another's lock"
    assert [m.identity for m in bench.engine.look([place])[bench.folder.path].members] == [identity]
    assert bench.engine.insist([place]) == {bench.folder.path: Sent((child.pid,))}
    child.wait()


def test_a_locked_folder_and_a_missing_interpreter(bench: Bench) -> None:
    lock = try_lock(bench.folder.lock)
    with pytest.raises(Occupied):
        bench.engine.start(bench.place, bench.spec)
    assert lock is not None
    lock.close()
    bench.folder.log.mkdir()
    with pytest.raises(CannotStart, match="Is a directory"):
        bench.engine.start(bench.place, bench.spec)
    bench.folder.log.rmdir()
    with pytest.raises(CannotStart, match="No such file"):
        LocalEngine(("/no/such/interpreter",)).start(bench.place, bench.spec)


def test_a_workspace_under_another_name_is_the_same(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bench.workspace.models)
    begun = bench.engine.start(Place(RunDir(link / bench.folder.name)), bench.spec)
    (member,) = LocalEngine().look([bench.place])[bench.folder.path].members
    assert member.identity == begun.process


def test_the_processes_of_a_folder_that_is_gone_are_orphans(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    wait_for((bench.folder.path / "facts.json").exists)
    assert not bench.engine.orphans(bench.workspace.models)
    bench.folder.path.rename(bench.folder.path.with_name("renamed"))
    (orphan,) = bench.engine.orphans(bench.workspace.models)
    assert orphan.folder.path == bench.folder.path
    assert bench.engine.insist([orphan]) == {orphan.folder.path: Sent((begun.process.pid,))}
