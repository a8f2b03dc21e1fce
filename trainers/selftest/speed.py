"""How fast a GPU steps: the five models at full size, and two processes at once."""

from __future__ import annotations

import subprocess
import sys
import time

import torch

from trainers.cuda_graph import WARM
from trainers.selftest.bench import Bench
from trainers.selftest.checks import taken

REPLAYS = 50
SHARED_MODEL = "transformer"
"""The model of which two processes step at once: neither the smallest nor the largest."""
SHARED_SECONDS = 0.7
SHARED_LIMIT = 60.0
"""Seconds after which two processes that do not answer are given up."""


def step_seconds(bench: Bench) -> dict[str, float]:
    """Seconds of a step of each model, over 50 replays after 10."""
    found = {}
    for model in bench.models:
        steps = bench.full_size(model)
        taken(steps, WARM + 10)
        found[model] = _timed(bench.device, lambda steps=steps: taken(steps, REPLAYS)) / REPLAYS
        del steps
        if bench.device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def side_by_side(device: torch.device, alone: float) -> float:
    """Steps a second of two processes at once, over those of one that takes `alone` seconds a step.

    Raises OSError, ValueError or subprocess.SubprocessError if they cannot be run.
    """
    command = [sys.executable, "-P", "-m", "trainers.selftest", "--device", str(device), "--pace", SHARED_MODEL]
    pair = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    try:
        for one in pair:
            assert one.stdout is not None
            one.stdout.readline()  # it has recorded its step
        for one in pair:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        answers = [one.communicate(timeout=SHARED_LIMIT)[0] for one in pair]
    finally:
        for one in pair:
            one.kill()
            one.wait()
    return sum(alone / float(answer) for answer in answers)


def pace(bench: Bench, model: str) -> None:
    """The other end of it: say that the step is recorded, wait for a line, print the seconds of a step."""
    steps = bench.full_size(model)
    taken(steps, WARM + 10)
    print("ready", flush=True)
    sys.stdin.readline()
    count, began = 0, time.monotonic()
    while time.monotonic() - began < SHARED_SECONDS:
        taken(steps, 20)
        steps.read()  # waits for the device
        count += 20
    print((time.monotonic() - began) / count, flush=True)


def _timed(device: torch.device, work: object) -> float:
    assert callable(work)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
