"""What only a GPU can show. Everything else about GPUs is tested without one, in the files beside this."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lvmtui.formats.trainer_log import Exit, Started
from lvmtui.models import MODELS
from lvmtui.system.files import sealed_digest
from tests.trainers.test_train import facts
from tests.trainers.tiny import Interrupting, copy_of, events_of, plan_campaign, train_here
from trainers.cuda_graph import recorder
from trainers.selftest.bench import Bench, taken
from trainers.selftest.checks import difference, weights_of
from trainers.selftest.examine import examine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize("recipe", ["tuned", "reference"])
@pytest.mark.parametrize("model", MODELS)
def test_pausing_anywhere_changes_nothing(tmp_path: Path, model: str, recipe: str) -> None:
    """Equal to the bit, as on the CPU: weights, history and held-out figures."""
    _, runs = plan_campaign(tmp_path, models=(model,), recipe=recipe, epochs=1.0, device="cuda")
    straight, paused = runs[1], copy_of(runs[1], "paused")
    assert train_here(straight) is Exit.FINISHED
    pauses = 0
    while train_here(paused, Interrupting(paused.intent, 5 + 7 * (pauses % 4))) is not Exit.FINISHED:
        pauses += 1
        assert pauses < 100
    assert pauses > 2 and facts(paused) == facts(straight)
    assert sealed_digest(paused.heldout) == sealed_digest(straight.heldout)


def test_a_capture_that_fails_starts_the_process_over_and_ends_as_without_graphs(tmp_path: Path) -> None:
    _, runs = plan_campaign(tmp_path, models=("lstm",), recipe="reference", epochs=1.0, device="cuda")
    failing, plain = runs[1], copy_of(runs[1], "plain")
    script = tmp_path / "failing.py"
    script.write_text(
        """
import os, sys
import torch
import trainers.train
from trainers.__main__ import main
from trainers.cuda_graph import CudaGraphs

class Failing(CudaGraphs):
    def record(self, work):
        def looking():
            work()
            torch.ones(1, device=self.device).item()  # not permitted while capturing
        return super().record(looking)

trainers.train.recorder = Failing
code = main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""
    )
    done = subprocess.run([sys.executable, str(script), str(failing.path)], capture_output=True, text=True)
    assert done.returncode == Exit.FINISHED, done.stderr
    assert "could not be recorded" in done.stdout and "capturing" in done.stdout
    command = [sys.executable, "-m", "trainers", str(plain.path)]
    subprocess.run(command, env={**os.environ, "LVMTUI_NO_GRAPH": "for comparison"}, check=True, capture_output=True)
    assert facts(failing) == facts(plain)
    starts = [event for event in events_of(failing) if isinstance(event, Started)]
    assert len(starts) == 2 and starts[0].process == starts[1].process


def test_the_self_test_passes() -> None:
    found = examine(Bench(torch.device("cuda", 0), recorder))
    assert found.ok, [result for result in found.results if result.ok is False]
    assert set(found.step_seconds) == set(MODELS) and found.side_by_side


def test_a_second_gpu_trains_as_the_first(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU here")
    ends = []
    for index in range(2):
        torch.cuda.set_device(index)
        steps = Bench(torch.device("cuda", index), recorder).steps("lstm")
        taken(steps, 8)
        ends.append(weights_of(steps))
    assert difference(*ends) == 0
    _, runs = plan_campaign(tmp_path, device="cuda:1")
    assert train_here(runs[1]) is Exit.FINISHED
