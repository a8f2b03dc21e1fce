"""A trainer whose steps cannot be recorded replaces itself and goes on without: a real process, no GPU needed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from lvmtui.formats.trainer_log import Exit, Interrupted, Started
from tests.trainers.test_train import facts
from tests.trainers.tiny import copy_of, events_of, plan_campaign, train_here

FAILING = """
import os, signal, sys
import torch
import trainers.train
from trainers.__main__ import main

class Failing:
    def warm(self, work):
        work()

    def record(self, work):
        SIGNAL
        for parameter in steps[-1].state.weights:  # what a broken capture leaves behind
            parameter.data.fill_(torch.nan)
        try:
            raise RuntimeError("operation not permitted when stream is capturing")
        finally:
            raise torch.OutOfMemoryError("capture_end: an error of its own")

steps = []
usual = trainers.train.Steps

def noted(*given):
    steps.append(usual(*given))
    return steps[-1]

trainers.train.Steps = noted
trainers.train.recorder = lambda device: Failing()
code = main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""


def run_failing(root: Path, run: Path, action: str = "pass") -> subprocess.CompletedProcess[str]:
    script = root / "failing.py"
    script.write_text(FAILING.replace("SIGNAL", action))
    return subprocess.run([sys.executable, str(script), str(run)], capture_output=True, text=True, timeout=120)


def test_it_goes_on_from_what_was_saved_and_ends_as_a_run_that_records_nothing(tmp_path: Path) -> None:
    _, runs = plan_campaign(tmp_path, models=("lstm",))
    straight = copy_of(runs[1], "straight")
    assert train_here(straight) is Exit.FINISHED
    done = run_failing(tmp_path, runs[1].path)
    assert done.returncode == Exit.FINISHED, done.stderr
    assert facts(runs[1]) == facts(straight)
    starts = [event for event in events_of(runs[1]) if isinstance(event, Started)]
    assert len(starts) == 2 and starts[0].process == starts[1].process  # the supervisor sees one process
    assert all(start.code and start.code == starts[0].code for start in starts)
    told = [line for line in done.stdout.splitlines() if "could not be recorded" in line]
    assert len(told) == 1 and "not permitted when stream is capturing" in told[0]


def test_a_signal_that_comes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    _, runs = plan_campaign(tmp_path, models=("lstm",))
    done = run_failing(tmp_path, runs[1].path, "os.kill(os.getpid(), signal.SIGTERM)")
    assert done.returncode == Exit.INTERRUPTED, done.stdout + done.stderr
    last = events_of(runs[1])[-1]
    assert isinstance(last, Interrupted) and last.signal == signal.SIGTERM.name.removeprefix("SIG")
