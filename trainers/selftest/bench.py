"""Small made-up runs on a device: what the checks of the self-test are done with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lvmtui.formats.spec import ArmData, Recipe, RunSpec
from lvmtui.models import MODELS, recipe_for
from trainers.cuda_graph import Recorder
from trainers.data import Windows
from trainers.models import unit
from trainers.state import TrainState, build_forecaster
from trainers.steps import Steps

DIM, CONTEXT, WINDOWS = 64, 5, 512
FULL_DIM, FULL_WINDOWS, BATCH = 768, 20_000, 32


@dataclass
class Bench:
    """A device and how steps are recorded on it."""

    device: torch.device
    recorder_of: Callable[[torch.device], Recorder | None]
    """Makes a recorder; gives None where nothing is to be recorded."""
    models: tuple[str, ...] = MODELS
    plain: bool = False
    """Without the faster forward passes."""

    @property
    def records(self) -> bool:
        return self.recorder_of(self.device) is not None

    def steps(self, model: str, recipe: str = "tuned", *, recorded: bool = True, rate: float | None = None) -> Steps:
        """A run of the small size at its first step; the same for the same arguments."""
        changed = replace(recipe_for(recipe, model), batch_size=BATCH)
        changed = changed if rate is None else replace(changed, rate=rate)
        spec = spec_for(model, "small", DIM, changed, WINDOWS)
        return self._begin(spec, walk(WINDOWS, DIM, self.device), recorded)

    def full_size(self, model: str) -> Steps:
        """A run of the full size with the reference recipe. The weights are drawn on the device, which is faster."""
        spec = spec_for(model, "full", FULL_DIM, recipe_for("reference", model), FULL_WINDOWS)
        with self.device:
            return self._begin(spec, walk(FULL_WINDOWS, FULL_DIM, self.device), recorded=True)

    def _begin(self, spec: RunSpec, windows: Windows, recorded: bool) -> Steps:
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


def walk(windows: int, dim: int, device: torch.device) -> Windows:
    """Windows on a random walk on the unit sphere, the same each time."""
    random = torch.Generator().manual_seed(1)
    steps = torch.randn(windows + CONTEXT, dim, generator=random, device="cpu")
    vectors: Tensor = unit(steps + 0.5 * steps.roll(1, 0) + 0.25 * steps.roll(2, 0))
    return Windows(vectors.to(device), torch.arange(windows, device=device), CONTEXT)
