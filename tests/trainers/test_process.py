"""The trainer as a process: intents, signals, limits, a full disk."""

from __future__ import annotations

import math
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.formats.intent import write_intent
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import Exit, Interrupted, Paused
from lvmtui.state.status import left_words
from lvmtui.system.files import sealed_digest
from lvmtui.system.process_id import RUN_MARK
from tests.trainers.tiny import copy_of, events_of, plan_campaign, state_of
from tests.waiting import wait_for


def start(folder: RunDir) -> subprocess.Popen[bytes]:
    env = {**os.environ, RUN_MARK: str(folder.path), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "trainers", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=env,
        )


@pytest.fixture
def long_run(tmp_path: Path) -> RunDir:
    """A run that does not end within a test."""
    _, runs = plan_campaign(tmp_path)
    recipe = replace(read_spec(runs[1].spec).recipe, patience=None)
    return copy_of(runs[1], "long", recipe=recipe, total_steps=200_000, evaluate_every=50)


def test_the_process_obeys_intents_and_signals_and_holds_its_folder(long_run: RunDir) -> None:
    process = start(long_run)
    try:
        wait_for(lambda: long_run.events.exists() and state_of(long_run).evaluations)
        second = start(long_run)
        assert second.wait(60) == Exit.LOCKED
        write_intent(long_run.intent, "pause", by="test")
        assert process.wait(30) == Exit.PAUSED
        paused_at = state_of(long_run).step
        assert long_run.checkpoint.exists() and isinstance(events_of(long_run)[-1], Paused)

        write_intent(long_run.intent, "run", by="test")
        process = start(long_run)
        wait_for(lambda: state_of(long_run).step > paused_at + 50)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == Exit.INTERRUPTED

        process = start(long_run)
        wait_for(lambda: state_of(long_run).attempts == 3)
        stopped_at = state_of(long_run).step
        wait_for(lambda: state_of(long_run).step > stopped_at + 50)
        process.kill()
        process.wait(30)

        process = start(long_run)
        wait_for(lambda: state_of(long_run).attempts == 4)
        before = sealed_digest(long_run.checkpoint)
        write_intent(long_run.intent, "cancel", by="test")
        assert process.wait(30) == Exit.CANCELLED
        assert sealed_digest(long_run.checkpoint) == before
        assert math.isfinite(state_of(long_run).active)
    finally:
        process.kill()
        process.wait()


def test_a_cpu_time_limit_is_announced_and_ends_in_a_checkpoint(long_run: RunDir) -> None:
    process = start(long_run)
    try:
        wait_for(lambda: long_run.events.exists() and state_of(long_run).evaluations)
        with open(f"/proc/{process.pid}/stat") as stat:
            ticks = stat.read().rpartition(")")[2].split()[11:13]
        seconds = sum(map(int, ticks)) // os.sysconf("SC_CLK_TCK")
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds + 1, resource.RLIM_INFINITY))
        assert process.wait(60) == Exit.INTERRUPTED
    finally:
        process.kill()
        process.wait()
    ending = events_of(long_run)[-1]
    assert isinstance(ending, Interrupted) and ending.signal == "XCPU" and long_run.checkpoint.exists()
    assert left_words(ending) == "left on XCPU, its CPU time limit was reached"


@pytest.mark.parametrize("name", ["SIGUSR2", "SIGQUIT", "SIGPWR"])
def test_other_signals_that_announce_an_end_do_the_same(long_run: RunDir, name: str) -> None:
    process = start(long_run)
    try:
        wait_for(lambda: long_run.events.exists() and state_of(long_run).evaluations)
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == Exit.INTERRUPTED and long_run.checkpoint.exists()
    finally:
        process.kill()
        process.wait()


def test_rubbish_is_refused_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "trainers", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == Exit.USAGE and done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr


def test_on_a_full_disk_the_exit_code_says_it_where_nothing_else_can(tmp_path: Path) -> None:
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        _, folders = plan_campaign(tmp_path)
        with suppress(OSError), (tmp_path / "filling").open("wb", buffering=0) as filling:
            while filling.write(bytes(4096)):
                pass
        with folders[0].log.open("wb") as log:
            command = [sys.executable, "-P", "-m", "trainers", str(folders[0].path)]
            assert subprocess.run(command, stdout=log, stderr=log).returncode == Exit.NO_SPACE
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
