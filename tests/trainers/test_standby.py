"""A trainer that was started before its run was known is, from its turn on, like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.formats.exit_codes import Exit
from lvmtui.formats.turn import READY, ROOM, Turn, decode_turn, encode_turn, standing_by
from lvmtui.supervisor.engines.local import TRAINER
from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK
from lvmtui.system.processes import marked_processes
from tests.trainers.tiny import copy_of, plan_campaign, state_of


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command, environment = standing_by(TRAINER, {**os.environ, "OMP_NUM_THREADS": "1"}, tmp_path)
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_it_becomes_the_run_it_is_given(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    _, (run, _) = plan_campaign(tmp_path, epochs=200.0)
    assert waiting.stdin is not None and waiting.stdout is not None
    assert waiting.stdout.readline() == READY
    assert waiting.pid not in {p.identity.pid for p in marked_processes()}, "it belongs to nobody yet"
    turn = Turn(str(run.path), str(run.log), {RUN_MARK: str(run.path), LAUNCH_MARK: "abc", "CUDA_VISIBLE_DEVICES": "5"})
    waiting.stdin.write(encode_turn(turn))
    waiting.stdin.flush()
    assert waiting.stdout.read() == b"", "from now on it speaks to the run's log"
    (process,) = (p for p in marked_processes() if p.identity.pid == waiting.pid)
    assert (process.mark, process.launch, process.devices) == (str(run.path), "abc", "5")
    arguments = Path(f"/proc/{waiting.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert arguments == [os.fsencode(a) for a in (*TRAINER, run.path)]
    assert os.readlink(f"/proc/{waiting.pid}/fd/0") == os.devnull
    while not run.events.exists():
        assert waiting.poll() is None
    waiting.terminate()
    assert waiting.wait(60) == Exit.INTERRUPTED
    started = state_of(run).started
    assert started is not None and started.launch == "abc" and started.process == process.identity
    assert b"interrupted at step" in run.log.read_bytes()


def test_what_it_trains_is_equal_to_the_bit(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    workspace, (run, _) = plan_campaign(tmp_path)
    other = copy_of(run, "other")
    subprocess.run([*TRAINER, str(other.path)], check=True, cwd=workspace.root, env={**os.environ, **MARKS})
    assert waiting.stdin is not None
    waiting.stdin.write(encode_turn(Turn(str(run.path), str(run.log), MARKS)))
    waiting.stdin.flush()
    assert waiting.wait(60) == Exit.FINISHED
    ours, theirs = state_of(run).finished, state_of(other).finished
    assert ours is not None and theirs is not None and ours.weights_digest == theirs.weights_digest
    assert ours.heldout == theirs.heldout


MARKS = {"OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("words", [b"", b'{"folder":"/tmp'], ids=["nothing", "a word broken off"])
def test_it_leaves_with_whoever_it_listens_to(waiting: subprocess.Popen[bytes], words: bytes) -> None:
    assert waiting.stdin is not None
    waiting.stdin.write(words)
    waiting.stdin.close()
    assert waiting.wait(60) == 0


def test_a_turn_is_given_in_a_line() -> None:
    turn = Turn("/r\udcff", "/r/log", {"A": "ä=\n", "B": ""})
    assert decode_turn(encode_turn(turn)) == turn and encode_turn(turn).count(b"\n") == 1
    for line in (b"", b"{}\n", b"[1]\n", b"{", encode_turn(turn)[:-1]):
        assert decode_turn(line) is None


def test_where_the_kernel_does_not_tell_it_never_says_that_it_is_ready(tmp_path: Path) -> None:
    """As under gVisor, which shows zeros. Later it would be a death of the run's."""
    code = (
        "import pathlib, sys; read = pathlib.Path.read_bytes;"
        "pathlib.Path.read_bytes = lambda p: read(p) if p.name != 'stat' else b'1 (python) ' + b'0 ' * 50;"
        "from trainers.standby import stand_by; stand_by()"
    )
    command, environment = standing_by((sys.executable, "-P", "-c", code), os.environ, tmp_path)
    done = subprocess.run(command, env=environment, input=b"", capture_output=True)
    assert done.returncode == 1 and READY not in done.stdout and b"the kernel does not tell" in done.stderr


def test_what_there_is_no_room_for_is_known_before(tmp_path: Path) -> None:
    turn = Turn(str(tmp_path / "run"), "/l", {RUN_MARK: str(tmp_path / "run")})
    assert turn.fits(tmp_path)
    assert not replace(turn, folder=str(tmp_path / ("r" * 5000))).fits(tmp_path)
    assert not replace(turn, environment={RUN_MARK: "x" * 20_000}).fits(tmp_path)
    deep = Path("/" + "\udcff" * 3000)
    assert not Turn(str(deep / "run"), str(deep / "log"), {RUN_MARK: str(deep / "run")}).fits(deep), (
        "a pipe would stick"
    )


def test_the_room_comes_last() -> None:
    command, environment = standing_by((sys.executable,), {ROOM: "", "CUDA_VISIBLE_DEVICES": "1"}, Path("/w"))
    assert list(environment) == ["CUDA_VISIBLE_DEVICES", ROOM] and len(command) == 2
