"""Made-up runs on a device: what the self-test checks and times."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from lvmtui.formats.spec import ArmData, Recipe, RunSpec
from lvmtui.models import MODELS, recipe_for
from trainers.cuda_graph import WARM, Recorder
from trainers.data import TensorWindows
from trainers.models import unit
from trainers.state import TrainState, build_forecaster
from trainers.steps import Steps

DIM, CONTEXT, WINDOWS = 64, 5, 512
FULL_DIM, FULL_WINDOWS, BATCH = 768, 20_000, 32
REPLAYS = 50
SHARED_MODEL = "transformer"
"""The model of which two processes step at once: neither the smallest nor the largest."""
SHARED_SECONDS = 0.7
SHARED_LIMIT = 60.0
"""Seconds after which two processes that do not answer are given up."""


@dataclass
class Bench:
    """A device and how steps are recorded on it."""

    device: torch.device
    recorder_of: Callable[[torch.device], Recorder | None]
    """Makes a recorder; gives None where nothing is to be recorded."""
    models: tuple[str, ...] = MODELS
    plain: bool = False
    """Without the faster forward passes."""
    straight: dict[tuple[object, ...], dict[str, Tensor]] = field(default_factory=dict)
    """Weights of runs that nothing came between: two checks compare with the same ones."""

    @property
    def records(self) -> bool:
        return self.recorder_of(self.device) is not None

    def steps(self, model: str, recipe: str = "tuned", *, recorded: bool = True, rate: float | None = None) -> Steps:
        """A run of the small size at its first step; the same for the same arguments."""
        changed = replace(recipe_for(recipe, model), batch_size=BATCH)
        changed = changed if rate is None else replace(changed, rate=rate)
        return self._begin(spec_for(model, "small", DIM, changed, WINDOWS), walk(WINDOWS, DIM, self.device), recorded)

    def full_size(self, model: str) -> Steps:
        """A run of the full size with the reference recipe. The weights are drawn on the device, which is faster."""
        spec = spec_for(model, "full", FULL_DIM, recipe_for("reference", model), FULL_WINDOWS)
        with self.device:
            return self._begin(spec, walk(FULL_WINDOWS, FULL_DIM, self.device), recorded=True)

    def _begin(self, spec: RunSpec, windows: TensorWindows, recorded: bool) -> Steps:
        torch.manual_seed(spec.seed)
        model = build_forecaster(spec.model, spec.dim, spec.size, spec.recipe, spec.context, windows)
        state = TrainState(model.train().to(self.device), spec.recipe, plain=self.plain)
        return Steps(spec, state, windows, self.recorder_of(self.device) if recorded else None)


def spec_for(model: str, size: str, dim: int, recipe: Recipe, windows: int) -> RunSpec:
    """A run of no campaign: only what `Steps` reads is meant."""
    return RunSpec(
        run="selftest",
        campaign="",
        model=model,
        size="small" if size == "small" else "full",
        arm="expanded",
        label="",
        seed=7,
        dim=dim,
        context=CONTEXT,
        recipe=recipe,
        data=ArmData("", "", (0, 0), ""),
        split="",
        split_fingerprint="",
        train_windows=windows,
        validation_windows=0,
        heldout_windows=0,
        total_steps=1_000_000,
        evaluate_every=1_000_000,
        device="",
        threads=1,
        deterministic=True,
    )


def walk(windows: int, dim: int, device: torch.device) -> TensorWindows:
    """Windows on a random walk on the unit sphere, the same each time."""
    steps = torch.randn(windows + CONTEXT, dim, generator=torch.Generator().manual_seed(1), device="cpu")
    vectors: Tensor = unit(steps + 0.5 * steps.roll(1, 0) + 0.25 * steps.roll(2, 0))
    return TensorWindows(vectors.to(device), torch.arange(windows, device=device), CONTEXT)


def taken(steps: Steps, count: int) -> None:
    for _ in range(count):
        steps.take()


# How fast a GPU steps: the five models at full size, and two processes at once ----------------------------------------


def step_seconds(bench: Bench) -> dict[str, float]:
    """Seconds of a step of each model, over 50 replays after 10."""
    found = {}
    for model in bench.models:
        steps = bench.full_size(model)
        taken(steps, WARM + 10)
        steps.read()  # waits for the device
        began = time.perf_counter()
        taken(steps, REPLAYS)
        steps.read()
        found[model] = (time.perf_counter() - began) / REPLAYS
        del steps
        if bench.device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def paces(device: torch.device, models: Sequence[str]) -> list[float]:
    """Seconds of a step of each model, all stepping at once in processes of their own.

    Raises OSError, ValueError or subprocess.SubprocessError if they cannot be run.
    """
    command = [sys.executable, "-P", "-m", "trainers.selftest", "--device", str(device), "--pace"]
    started = [
        subprocess.Popen(
            [*command, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for model in models
    ]
    try:
        for one in started:
            assert one.stdout is not None
            one.stdout.readline()  # it has recorded its step
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        return [float(one.communicate(timeout=SHARED_LIMIT)[0]) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


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
