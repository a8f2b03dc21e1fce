"""Everything about GPUs that only a GPU can show, in one call of about eight minutes.

    python benchmarks/gpu.py [--stages selftest speed share campaign] [--folder DIR] [--jobs 5] [--models M ...]

`selftest`: the self-test, as `lvmtui doctor` runs it. `speed`: milliseconds of a step of the five models at full size,
recorded and operation by operation. `share`: one process, two, and the five models at once, as they are and under
NVIDIA's MPS where its control program is there. `campaign`: the expanded arm of the original's job, 232,600 sequences,
reference recipe, `--jobs` runs at once, longest first, each a trainer's own process; wall seconds of each and of all.
The tests that need a GPU are in `tests/trainers/test_gpu.py`. Needs no screen and no supervisor.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from command_line import parser_of
from datasets_full_size import write_arrays

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import Finished, decode_event
from lvmtui.models import MODELS, REFERENCE
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan

STAGES = ("selftest", "speed", "share", "campaign")
STEPS = 100


def speed() -> None:
    """Print milliseconds of a step, recorded and not."""
    import torch

    from trainers.cuda_graph import recorder
    from trainers.device import choose_device
    from trainers.selftest.bench import Bench, spec_for, taken

    device = choose_device(replace(spec_for("amn", "small", 64, REFERENCE, 1), device="cuda"))
    print(torch.cuda.get_device_name(device), "torch", torch.__version__)
    for name, recorders in (("recorded", recorder), ("one by one", lambda device: None)):
        for model in MODELS:
            steps = Bench(device, recorders).full_size(model)
            taken(steps, 20)
            torch.cuda.synchronize()
            began = time.perf_counter()
            taken(steps, STEPS)
            torch.cuda.synchronize()
            print(f"{name:12} {model:14} {1e3 * (time.perf_counter() - began) / STEPS:8.3f} ms a step", flush=True)
            del steps
            torch.cuda.empty_cache()


def share() -> None:
    """Print milliseconds of a step of processes at once, without MPS and with it."""
    at_once("gru")
    at_once("gru", "gru")
    at_once(*MODELS)
    if shutil.which("nvidia-cuda-mps-control") is None:
        print("nvidia-cuda-mps-control is not on the path: nothing is measured under MPS")
        return
    with tempfile.TemporaryDirectory() as pipes:
        os.environ |= {"CUDA_MPS_PIPE_DIRECTORY": pipes, "CUDA_MPS_LOG_DIRECTORY": pipes}
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
        try:
            print("under MPS:")
            at_once("gru")
            at_once("gru", "gru")
            at_once(*MODELS)
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", timeout=30)
            del os.environ["CUDA_MPS_PIPE_DIRECTORY"], os.environ["CUDA_MPS_LOG_DIRECTORY"]


def at_once(*models: str) -> None:
    import torch

    from trainers.selftest.bench import paces

    answers = paces(torch.device("cuda"), models)
    print(", ".join(f"{m} {1e3 * s:.3f}" for m, s in zip(models, answers, strict=True)), "ms a step", flush=True)


def campaign(root: Path, jobs: int, models: tuple[str, ...], epochs: float | None) -> None:
    """Train the expanded arm's runs and print what they took."""
    small, large = write_arrays(root)
    options = Options(
        baseline=str(small),
        expanded=str(large),
        models=models,
        size="full",
        recipe="reference",
        device="cuda",
        jobs=jobs,
        threads=1,
        epochs=epochs,
    )
    workspace = Workspace(root)
    planned = write_plan(make_plan(options, workspace, print), workspace)
    runs = [workspace.run(run) for run in planned.runs if run.arm == "expanded"]
    longest_first = sorted(runs, key=lambda run: -MODELS.index(read_spec(run.spec).model))
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        for run, seconds in zip(longest_first, pool.map(train, longest_first), strict=True):
            print(f"{run.name:40} {seconds:7.1f} s  {ending(run)}", flush=True)
    print(f"all {len(runs)} runs, {jobs} at once: {time.monotonic() - began:.1f} s")


def train(run: RunDir) -> float:
    began = time.monotonic()
    with run.log.open("ab") as log:
        subprocess.run([sys.executable, "-m", "trainers", str(run.path)], stdout=log, stderr=log)
    return time.monotonic() - began


def ending(run: RunDir) -> str:
    last = decode_event(run.events.read_bytes().splitlines()[-1])
    if not isinstance(last, Finished):
        return str(last)
    return f"{1e3 * last.train_seconds / last.step:.3f} ms a step, held-out cosine {last.heldout.cosine:.4f}"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--jobs", type=int, default=len(MODELS))
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--epochs", type=float, help="fewer, for a first look")
    given = parser.parse_args()
    for stage in given.stages:
        began = time.monotonic()
        print(f"== {stage}", flush=True)
        if stage == "selftest":
            subprocess.run([sys.executable, "-m", "trainers.selftest", "--device", "cuda"])
        elif stage == "speed":
            speed()
        elif stage == "share":
            share()
        else:
            with tempfile.TemporaryDirectory() as folder:
                campaign(given.folder or Path(folder), given.jobs, tuple(given.models), given.epochs)
        print(f"== {stage}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
