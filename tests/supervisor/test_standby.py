"""Trainers that stand by: how many there are, what becomes of them, and that a run never depends on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.turn import Turn
from lvmtui.supervisor.standby import MOST, TRIES, Kind, Standby
from tests.waiting import wait_for

WAIT = """
import pathlib, sys
print("ready", flush=True)
line = sys.stdin.readline()
if line:
    pathlib.Path("given").write_text(line)
"""


@pytest.fixture
def standby() -> Iterator[Standby]:
    standby = Standby((sys.executable, "-S", "-c", WAIT))
    yield standby
    standby.keep([], 0)


def pids(standby: Standby) -> list[int]:
    return [waiting.process.pid for waiting in standby._waiting]


def given(standby: Standby, kind: Kind, turn: Turn) -> subprocess.Popen[bytes]:
    """The process that took the turn, as soon as one was ready."""
    taken: list[subprocess.Popen[bytes]] = []
    wait_for(lambda: taken.extend(filter(None, [standby.give(kind, turn)])) or taken)
    return taken[0]


def test_as_many_as_are_worth_it_and_no_more_than_runs_wait(standby: Standby, tmp_path: Path) -> None:
    kind = Kind(1, tmp_path)
    standby.keep([kind] * 5, 0)
    assert not pids(standby)
    standby.keep([kind] * 5, 2)
    first = pids(standby)
    standby.keep([kind] * 5, 2)
    assert len(first) == 2 and pids(standby) == first
    standby.keep([kind], 0)
    assert pids(standby) == first[:1], "one is kept while a run may need it, also if it would not be started now"
    wait_for(lambda: standby.keep([kind], 0) or not os.path.exists(f"/proc/{first[1]}"))
    standby.keep([kind] * 99, 99)
    assert len(pids(standby)) == MOST
    standby.keep([], 0)
    assert not pids(standby)


def test_one_started_for_other_threads_is_of_no_use(standby: Standby, tmp_path: Path) -> None:
    standby.keep([Kind(1, tmp_path)], 1)
    turn = Turn(str(tmp_path), "log")
    wait_for(lambda: os.path.exists(f"/proc/{pids(standby)[0]}/exe"))
    assert standby.give(Kind(2, tmp_path), turn) is None
    before = pids(standby)
    standby.keep([Kind(2, tmp_path)], 1)
    assert len(pids(standby)) == 1 and pids(standby) != before
    taken = given(standby, Kind(2, tmp_path), turn)
    assert taken.wait(20) == 0 and str(tmp_path) in (tmp_path / "given").read_text()
    assert not pids(standby)


def test_a_turn_that_does_not_fit_is_not_given(standby: Standby, tmp_path: Path) -> None:
    kind = Kind(1, tmp_path)
    standby.keep([kind], 1)
    assert standby.give(kind, Turn("/" * 9000, "log")) is None
    given(standby, kind, Turn("/", "log")).wait(20)


def test_one_that_dies_is_not_used_and_another_takes_its_place(standby: Standby, tmp_path: Path) -> None:
    kind = Kind(1, tmp_path)
    for _ in range(5):
        standby.keep([kind], 1)
        (pid,) = pids(standby)
        wait_for(lambda: standby._waiting[0].is_ready)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not standby._waiting[0].is_ready)
        assert standby.give(kind, Turn("/", "log")) is None
        standby.keep([], 0)
        assert not pids(standby) and not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("command", [(sys.executable, "-S", "-c", "import nosuch"), ("/no/such/interpreter",)])
def test_where_none_gets_ready_none_is_started_any_more(command: tuple[str, ...], tmp_path: Path) -> None:
    """Without torch each would end at once, and one a tick would be started for ever."""
    kind, started = Kind(1, tmp_path), set()
    standby = Standby(command)

    def given_up() -> bool:
        standby.keep([kind], 1)
        started.update(pids(standby))
        return standby._tries == 0 and not pids(standby)

    wait_for(given_up)
    for _ in range(5):
        assert given_up() and len(started) <= TRIES


def test_one_that_is_stopped_is_passed_over_and_ended_without_waiting(standby: Standby, tmp_path: Path) -> None:
    kind = Kind(1, tmp_path)
    standby.keep([kind], 1)
    wait_for(lambda: standby._waiting[0].is_ready)
    (pid,) = pids(standby)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: not standby._waiting[0].is_ready)
    assert standby.give(kind, Turn("/", "log")) is None
    standby.keep([], 0)
    wait_for(lambda: standby.keep([], 0) or not os.path.exists(f"/proc/{pid}"))


def test_what_else_is_printed_first_does_not_matter(tmp_path: Path) -> None:
    chatty = Standby((sys.executable, "-S", "-c", "print('welcome to this Python', flush=True)\n" + WAIT))
    kind = Kind(1, tmp_path)
    chatty.keep([kind], 1)
    given(chatty, kind, Turn("/", "log")).wait(20)


def test_they_end_with_whoever_keeps_them(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from lvmtui.supervisor.standby import Kind, Standby
standby = Standby((sys.executable, "-S", "-c", {WAIT!r}))
standby.keep([Kind(1, pathlib.Path({str(tmp_path)!r}))], 1)
print(standby._waiting[0].process.pid, flush=True)
time.sleep(600)
"""
    keeper = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    pid = int(keeper.stdout.readline())
    keeper.kill()
    keeper.wait()
    keeper.stdout.close()
    wait_for(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def test_one_that_is_not_ready_is_not_waited_for(tmp_path: Path) -> None:
    silent = Standby((sys.executable, "-S", "-c", "import time; time.sleep(600)"))
    kind = Kind(1, tmp_path)
    silent.keep([kind], 1)
    assert all(silent.give(kind, Turn("/", "log")) is None for _ in range(20)) and len(pids(silent)) == 1
    silent.keep([], 0)
