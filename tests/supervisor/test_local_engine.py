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
from lvmtui.supervisor.engines import CannotStart, Occupied, Place
from lvmtui.supervisor.engines import local as local_module
from lvmtui.supervisor.engines.local import TRAINER, LocalEngine
from lvmtui.system.files import try_lock
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK
from lvmtui.system.torch_build import TorchBuild
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


STAND_BY = """
import json, os, sys, time
os.write(1, b"ready\\n")
line = sys.stdin.readline()
turn = json.loads(line)
open(turn["folder"] + "/turn.part", "w").write(line)
os.rename(turn["folder"] + "/turn.part", turn["folder"] + "/turn.json")
time.sleep(600)
"""


class Bench:
    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        campaign = make_campaign(self.workspace, models=("amn",), threads=3)
        self.folder: RunDir = self.workspace.run(campaign.runs[0])
        self.other: RunDir = self.workspace.run(campaign.runs[1])
        self.engine = LocalEngine((sys.executable, "-S", "-c", TELL), stands_by=False)
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
    assert (sys.executable, "-P", "-m", "trainers") == TRAINER


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


def test_the_next_run_is_given_to_one_that_stands_by(bench: Bench) -> None:
    free = 0.2
    engine = LocalEngine((sys.executable, "-S", "-c", STAND_BY), idle_cores=lambda: free)
    assert engine._standby is not None
    engine.expect([(bench.place, bench.spec)], 1)
    assert not engine._standby._waiting, "what computes is not disturbed"
    free = 0.9
    engine.expect([(bench.place, bench.spec)], 1)
    free = 0.0
    engine.expect([(bench.place, bench.spec)], 1)
    (waiting,) = engine._standby._waiting
    wait_for(lambda: waiting.is_ready)
    begun = engine.start(bench.place, bench.spec)
    assert begun.process.pid == waiting.process.pid
    wait_for((bench.folder.path / "turn.json").exists)
    turn = json.loads((bench.folder.path / "turn.json").read_text())
    assert (turn["folder"], turn["output"]) == (str(bench.folder.path), str(bench.folder.log))
    assert turn["environment"] == {RUN_MARK: str(bench.folder.path), LAUNCH_MARK: begun.launch}
    assert [m.identity for m in engine.look([bench.place])[bench.folder.path].members] == [begun.process]
    os.kill(begun.process.pid, signal.SIGUSR1)
    wait_for(lambda: not engine.look([bench.place])[bench.folder.path].members)
    ended = engine.look([bench.place])[bench.folder.path].ended
    assert ended and ended.words == "killed by signal 10", "it is a child like any other"
    engine.expect([], 0)


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
    other = LocalEngine((sys.executable, "-S", "-c", TELL), stands_by=False)
    other.look([bench.place])
    assert other._devices("auto") == second.devices


def test_a_process_is_seen_until_it_ends_and_how(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    sight = bench.engine.look([bench.place])[bench.folder.path]
    assert [m.identity for m in sight.members] == [begun.process] and sight.ended is None
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
    monkeypatch.setattr(local_module.memory_kills, "counter", lambda: 10_000)
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
    monkeypatch.setattr(local_module.memory_kills, "in_kernel_log", lambda process: process == begun.process)
    ended = LocalEngine().look([place])[bench.folder.path].ended
    assert ended and (ended.process, ended.words) == (begun.process, "killed for memory")


def test_another_engine_finds_it_and_can_end_it(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    other = LocalEngine()
    (member,) = other.look([bench.place])[bench.folder.path].members
    assert (member.identity, member.leader, member.launch) == (begun.process, True, begun.launch)
    os.kill(begun.process.pid, signal.SIGSTOP)
    wait_for(lambda: other.look([bench.place])[bench.folder.path].members[0].stopped)
    assert other.ask([bench.place]) == {bench.folder.path: (begun.process.pid,)}
    wait_for(lambda: not other.look([bench.place])[bench.folder.path].members)
    ended = other.look([bench.place])[bench.folder.path].ended
    assert ended and ended.words == "its process is gone"  # not our child: nobody told how


def test_a_process_that_only_the_logs_name_is_the_runs(bench: Bench) -> None:
    import subprocess

    from lvmtui.system.process_id import identity_of

    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    identity = identity_of(child.pid)
    assert identity is not None
    place = Place(bench.folder, (identity,))
    assert [m.identity for m in bench.engine.look([place])[bench.folder.path].members] == [identity]
    assert bench.engine.insist([place]) == {bench.folder.path: (child.pid,)}
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
        LocalEngine(("/no/such/interpreter",), stands_by=False).start(bench.place, bench.spec)


def test_a_workspace_under_another_name_is_the_same(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bench.workspace.models)
    begun = bench.engine.start(Place(RunDir(link / bench.folder.name)), bench.spec)
    (member,) = LocalEngine().look([bench.place])[bench.folder.path].members
    assert member.identity == begun.process


def test_the_processes_of_a_folder_that_is_gone_are_strays(bench: Bench) -> None:
    begun = bench.engine.start(bench.place, bench.spec)
    wait_for((bench.folder.path / "facts.json").exists)
    assert not bench.engine.strays(bench.workspace.models)
    bench.folder.path.rename(bench.folder.path.with_name("renamed"))
    (stray,) = bench.engine.strays(bench.workspace.models)
    assert stray.folder.path == bench.folder.path
    assert bench.engine.insist([stray]) == {stray.folder.path: (begun.process.pid,)}
