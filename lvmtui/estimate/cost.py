"""What a run costs, known before it starts: the work of a step, an evaluation and the end, in seconds of a reference
core. Once this machine has shown its own speed, only the proportions matter (`pace.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from lvmtui.formats.spec import USUAL_CONTEXT, RunSpec
from lvmtui.models import REGISTRY, ModelCost
from lvmtui.state.run_state import RunState

OTHER_USES = 5.0
"""`ModelCost.uses` of a model that is not in the registry and was not timed."""

GUESSED = {"small": 1_000_000, "full": 10_000_000}
"""Parameters of a model that is not in the registry and was not counted: between the smallest and the largest there."""

CORE = 150e9
"""float32 operations a second of the reference core in the matrix products of these models, measured."""
THREADS = 0.6
"""n threads are worth n ** 0.6 cores, since they wait for each other after each small product. Measured exponents with
two threads at full size: .3 (AMN) to .8 (GraphMERT-LVM)."""
GPU = 200.0
"""Reference cores that a GPU is worth in matrix products, from operations and bytes on an H100."""
STEP = 1e-3
"""Seconds of a step on a CPU that do not depend on the model: gathering the batch, clipping, logging."""
OTHER_GPU_STEP = 7.0e-4
"""`Model.gpu_step` of a model that is not in the registry."""
UPDATE = 1e-9
"""Seconds a parameter for AdamW, clipping and weight averaging: about 40 bytes moved at 36 GB/s."""
SAVE = 6e-9
"""Seconds a parameter for saving the best weights after every other evaluation: 4 bytes at 330 MB/s."""
FORWARD = 0.2
"""Cost of a window in an evaluation, as a share of that in training: a third of the work; measured .18 to .25."""
STARTUP = 1.5
"""Seconds from a process's start to its first step, mostly imports: 1.3 s alone, 2 to 4 s beside other runs."""
CLOSING = 0.2
"""Seconds at the end for files and checksums, besides the held-out windows and the single predictions."""
SINGLE, LATENCY = 220, 5.0
"""Single predictions at the end, by which the latency is measured, and the most seconds that they may take."""
ROLLED, ROLLS = 2048, 6
"""Most windows that tell whether a model predicts or repeats, and predictions of each; see `datasets.scores`."""


class RunKind(NamedTuple):
    """Runs of one kind differ only in their data, so the speed of one is the speed of the others."""

    model: str
    size: str
    dim: int
    device: str
    threads: int
    context: int = USUAL_CONTEXT


@dataclass(frozen=True)
class Work:
    """What decides how long a run takes."""

    model: str
    size: str
    dim: int
    """Numbers in a vector."""
    batch_size: int
    steps: int
    evaluate_every: int
    validation_windows: int
    heldout_windows: int
    device: str
    """As in the spec, or as the trainer named it: `cuda`, `CPU, 2 threads`, `NVIDIA H200`."""
    threads: int
    patience: int | None = None
    """Evaluations without a better loss after which the run ends early; None: it never does."""
    parameters: int | None = None
    """As the run has logged them, or as they were counted when it was planned; None: taken from the registry."""
    uses: float | None = None
    """`ModelCost.uses`, as a user's own model was timed; None: taken from the registry."""
    alone: float | None = None
    """Seconds of one prediction by itself, as a user's own model was timed; None: reckoned from its parameters."""
    context: int = USUAL_CONTEXT
    ours: bool = True
    """False: a trainer of the user's own. Its steps are all that it does; only the scores at the end are our work."""

    @property
    def evaluations(self) -> int:
        return math.ceil(self.steps / max(1, self.evaluate_every))

    @property
    def kind(self) -> RunKind:
        threads = self.threads if self.device_kind == "cpu" else 1  # they do nothing for a GPU
        return RunKind(self.model, self.size, self.dim, self.device_kind, threads, self.context)

    @property
    def device_kind(self) -> str:
        """`cpu` or `gpu`. A run whose device is `auto` counts as `cpu` until its trainer has chosen."""
        return "cpu" if self.device.lower().startswith(("cpu", "auto")) else "gpu"

    @property
    def known(self) -> bool:
        """False if the number of parameters is a guess."""
        return self.parameters is not None or _cost_of(self.model, self.size) is not None


def work_of(spec: RunSpec, parameters: int | None = None, device: str | None = None) -> Work:
    """The work of a planned run. `parameters` and `device`: as its trainer logged them, if it has started."""
    own = spec.own_model
    return Work(
        model=spec.model,
        size=spec.size,
        dim=spec.dim,
        batch_size=max(1, spec.train_windows) if spec.unit == "epoch" else spec.recipe.batch_size,
        steps=max(1, spec.total_steps),
        evaluate_every=max(1, spec.evaluate_every),
        validation_windows=spec.validation_windows,
        heldout_windows=spec.heldout_windows,
        device=device or spec.device,
        threads=max(1, spec.threads),
        patience=None if spec.own_trainer else spec.recipe.patience,  # a trainer of the user's own decides itself
        parameters=parameters or (own.parameters if own else None),
        uses=own.uses or None if own else None,
        alone=own.alone or None if own else None,
        context=spec.context,
        ours=spec.own_trainer is None,
    )


def _cost_of(model: str, size: str) -> ModelCost | None:
    return REGISTRY[model].costs.get(size) if model in REGISTRY else None


def parameters_of(model: str, size: str, dim: int, context: int = USUAL_CONTEXT) -> int | None:
    """Trainable parameters of a model for vectors of width `dim`; None if it is not in the registry."""
    cost = _cost_of(model, size)
    if cost is None:
        return None
    a, b, c = cost.parameters
    positions = dim * (context - USUAL_CONTEXT) if REGISTRY[model].positions else 0
    return a + b * dim + c * dim * dim + positions


def parameters_of_run(run: RunState) -> int | None:
    """Trainable parameters as its trainer logged them, else as they are known beforehand; None: they are not."""
    spec, started = run.spec, run.trainer.started
    known = work_of(spec, started.parameters if started else None).parameters
    return known or (None if spec.foreign else parameters_of(spec.model, spec.size, spec.dim, spec.context))


def step_cost(work: Work) -> float:
    """Seconds of one training step on the reference core."""
    windows = work.batch_size * _window(work)
    entry = REGISTRY.get(work.model)
    fixed = STEP if work.device_kind == "cpu" else (entry.gpu_step if entry else OTHER_GPU_STEP)
    memory_speed = 200.0 if work.device_kind == "gpu" else 1.0  # over that of the reference, whatever the threads
    return fixed + UPDATE * parameters_in(work) / memory_speed + windows


def evaluation_cost(work: Work) -> float:
    """Seconds of one evaluation on the reference core, including saving the best weights."""
    return 0.02 + SAVE * parameters_in(work) + FORWARD * work.validation_windows * _window(work)


def closing_cost(work: Work, speed: float = 1.0) -> float:
    """Seconds from the last evaluation to the end: scores, ranks, latency. `speed`: seconds over the reference's."""
    ranks = 2 * work.heldout_windows**2 * work.dim / (CORE * _speed(work))
    predicted = work.heldout_windows + ROLLS * min(ROLLED, work.heldout_windows)
    single = SINGLE * (work.alone or _window(work)) if work.ours else 0.0
    return speed * (CLOSING + ranks + FORWARD * predicted * _window(work)) + min(LATENCY, speed * single)


def parameters_in(work: Work) -> int:
    """Trainable parameters, or a guess."""
    if work.parameters is not None:
        return work.parameters
    return parameters_of(work.model, work.size, work.dim, work.context) or GUESSED.get(work.size, GUESSED["full"])


def _window(work: Work) -> float:
    """Seconds for one window, forward (2 operations a parameter and use) and backward (4)."""
    cost = _cost_of(work.model, work.size)
    uses = cost.uses if cost else OTHER_USES
    uses = work.uses or 1 + (uses - 1) * work.context / USUAL_CONTEXT
    return 6 * parameters_in(work) * uses / (CORE * _speed(work))


def _speed(work: Work) -> float:
    """How many reference cores the run's device is worth."""
    return GPU if work.device_kind == "gpu" else work.threads**THREADS
