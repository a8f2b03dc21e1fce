"""Finding and signalling processes: real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.supervisor.memory_kills import counter, in_kernel_log
from lvmtui.system import process_id
from lvmtui.system import processes as process_module
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK, Identity, identity_of
from lvmtui.system.processes import Sent, ask_to_leave, kill_all, marked_processes, send
from lvmtui.system.programs import Done, done_by, ending_words, spawn
from tests.waiting import wait_for

SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(600)")


class Family:
    """Processes of a test, all of which are gone after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, code: str = "import time; time.sleep(600)", mark: str = "run", **environment: str) -> Identity:
        child = spawn(
            (sys.executable, "-S", "-c", code),
            output=self.folder / "log",
            folder=self.folder,
            environment={**os.environ, RUN_MARK: str(self.folder / mark), LAUNCH_MARK: "one", **environment},
        )
        self.children.append(child)
        identity = identity_of(child.pid)
        assert identity is not None
        return identity

    def marked(self, mark: str = "run") -> list[process_module.Process]:
        return [p for p in marked_processes() if p.mark == str(self.folder / mark)]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path)
    yield family
    kill_all(lambda: [p for p in marked_processes() if p.mark.startswith(str(tmp_path))])
    for child in family.children:
        child.wait()


def test_a_marked_process_is_found_with_what_it_is(family: Family) -> None:
    identity = family.start(CUDA_VISIBLE_DEVICES="1")
    (found,) = family.marked()
    assert (found.identity, found.leader, found.launch, found.devices) == (identity, True, "one", "1")
    assert not found.stopped
    assert not family.marked("another run")


@pytest.mark.parametrize("cleared", [False, True])
def test_children_are_found_in_sessions_of_their_own_and_without_a_mark(family: Family, cleared: bool) -> None:
    environment = "env={}, " if cleared else ""
    family.start(
        "import subprocess, time, sys\n"
        f"subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'], {environment}"
        "start_new_session=True)\n"
        "time.sleep(600)"
    )
    # a child that has not yet become another program still carries what its parent does
    wait_for(lambda: sorted(p.leader for p in family.marked()) == [not cleared, True])


def test_a_zombie_has_ended(family: Family) -> None:
    identity = family.start("pass")
    wait_for(lambda: identity.state() is None)
    assert not family.marked() and not identity.alive()
    assert send(identity, signal.SIGKILL) == ""


def test_a_number_that_belongs_to_another_is_never_touched(family: Family) -> None:
    identity = family.start()
    for other in (
        replace(identity, start_ticks=identity.start_ticks - 1),
        replace(identity, boot_id="before the restart"),
        replace(identity, host="elsewhere"),
    ):
        assert send(other, signal.SIGKILL) == "" and other.state() is None
    assert identity.alive() and send(identity, signal.SIGKILL) is None
    wait_for(lambda: not identity.alive())


def test_the_stopped_hear_that_they_are_asked(family: Family) -> None:
    identity = family.start()
    os.kill(identity.pid, signal.SIGSTOP)
    wait_for(lambda: family.marked()[0].stopped)
    assert ask_to_leave(family.marked()) == Sent((identity.pid,))
    wait_for(lambda: not identity.alive())


def test_who_starts_children_while_being_killed_is_killed_with_them(family: Family) -> None:
    family.start(
        "import os, time\n"
        "for i in range(200):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid(); time.sleep(600); os._exit(0)\n"
        "    time.sleep(0.002)\n"
    )
    wait_for(lambda: len(family.marked()) > 5)
    killed = kill_all(family.marked, rounds=50)
    assert len(killed.reached) > 5 and not killed.refused
    wait_for(lambda: not family.marked())


def test_a_child_holds_none_of_our_descriptors_and_no_terminal(family: Family) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    identity = family.start()
    wait_for(lambda: os.readlink(f"/proc/{identity.pid}/exe") == os.path.realpath(sys.executable))
    wait_for(lambda: len(os.listdir(f"/proc/{identity.pid}/fd")) == 3)
    assert os.readlink(f"/proc/{identity.pid}/fd/0") == os.devnull
    assert os.getsid(identity.pid) == identity.pid
    os.close(read)
    os.close(write)


def test_the_table_of_psutil_says_the_same(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = family.start()
    wait_for(family.marked)
    (ours,) = family.marked()
    monkeypatch.setattr(process_id, "HAS_PROC", False)
    (other,) = family.marked()
    assert other == replace(ours, identity=replace(identity, start_ticks=0))


def test_how_a_child_ended_in_words() -> None:
    assert ending_words(-9) == "killed by signal 9"
    assert ending_words(1) == "left with exit code 1"


def test_a_short_command_is_run_to_its_end() -> None:
    assert done_by(["/no/such/command"], seconds=5) == Done(127, "", "/no/such/command: No such file or directory")
    code = "print('x', input()); raise SystemExit(3)"
    assert done_by([sys.executable, "-c", code], seconds=20, given="y\n") == Done(3, "x y\n", "")
    assert done_by(["sleep", "9"], seconds=0.1) == Done(124, "", "no answer from sleep in 0 s")


def test_the_kernels_log_names_who_was_killed_for_memory(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    late = 50_000_000
    log.write_text(f"3,1,{late},-;Out of memory: Killed process 4242 (python) total-vm:1kB, anon-rss:1kB\n")
    ticks = os.sysconf("SC_CLK_TCK")
    killed = Identity("here", "boot", 4242, 40 * ticks)
    assert in_kernel_log(killed, str(log))
    assert not in_kernel_log(replace(killed, pid=424), str(log))
    assert not in_kernel_log(replace(killed, start_ticks=60 * ticks), str(log))  # another with that number, before
    assert not in_kernel_log(killed, str(tmp_path / "missing"))
    group = "3,2,60000000,-;oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/a,task=python,pid=77,uid=0\n"
    log.write_text(group)
    assert in_kernel_log(Identity("here", "boot", 77, 0), str(log))


def test_the_counter_is_a_number_or_unknown() -> None:
    value = counter()
    assert value is None or value >= 0
