"""What a run costs, known before it starts: the work of a step, an evaluation and the end, in seconds of a reference
core. Once this machine has shown its own speed, only the proportions matter (`pace.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from lvmtui.formats.spec import USUAL_CONTEXT, RunSpec

PARAMETERS: dict[tuple[str, str], tuple[int, int, int]] = {
    ("amn", "small"): (100_480, 1_281, 0),
    ("amn", "full"): (133_888, 1_793, 0),
    ("lstm", "small"): (445_440, 961, 0),
    ("lstm", "full"): (3_153_920, 2_561, 0),
    ("gru", "small"): (668_352, 385, 0),
    ("gru", "full"): (6_308_352, 1_025, 0),
    ("transformer", "small"): (546_048, 257, 0),
    ("transformer", "full"): (17_080_320, 1_025, 0),
    ("graphmert_lvm", "small"): (513, 1_049, 10),
    ("graphmert_lvm", "full"): (24_577, 49_267, 50),
}
"""(a, b, c): a model has a + b D + c D^2 trainable parameters for vectors of width D and contexts of five. A test
builds the models and counts."""
POSITIONS = frozenset({"graphmert_lvm"})
"""Models with D more parameters for each vector of a context."""

USES = {
    ("amn", "small"): 1.8,
    ("amn", "full"): 1.7,
    ("lstm", "small"): 4.2,
    ("lstm", "full"): 4.6,
    ("gru", "small"): 4.9,
    ("gru", "full"): 4.6,
    ("transformer", "small"): 7.5,
    ("transformer", "full"): 4.6,
    ("graphmert_lvm", "small"): 5.6,
    ("graphmert_lvm", "full"): 5.0,
}
"""How often one window of five vectors uses a parameter: five times if it is applied to each context vector, less if
it is applied once (most of AMN), more if much work is not in matrix products (attention in small models). From
`benchmarks/training_speed.py`. One use is of the head, which is applied once; the others grow with the context."""
OTHER_USES = 5.0
"""The same for a model that is not in the table."""

GUESSED = {"small": 1_000_000, "full": 10_000_000}
"""Parameters of a model that is not in the table and has not started: between the smallest and the largest in it."""

CORE = 150e9
"""float32 operations a second of the reference core in the matrix products of these models, measured."""
THREADS = 0.6
"""n threads are worth n ** 0.6 cores, since they wait for each other after each small product. Measured exponents with
two threads at full size: .3 (AMN) to .8 (GraphMERT-LVM)."""
GPU = 200.0
"""Reference cores that a GPU is worth in matrix products, from operations and bytes on an H100."""
STEP = 1e-3
"""Seconds of a step on a CPU that do not depend on the model: gathering the batch, clipping, logging."""
GPU_STEP = {"amn": 2.3e-4, "lstm": 3.5e-4, "gru": 7.0e-4, "transformer": 1.21e-3, "graphmert_lvm": 1.31e-3}
"""The same on a GPU, where it is the time of the model's many small kernels, replayed as one graph. Measured on an H200
(`benchmarks/gpu.py`, size full, batch 32), less what the products and the update are reckoned to take."""
OTHER_GPU_STEP = 7.0e-4
"""The same for a model that is not in the table."""
UPDATE = 1e-9
"""Seconds a parameter for AdamW, clipping and weight averaging: about 40 bytes moved at 36 GB/s."""
SAVE = 6e-9
"""Seconds a parameter for saving the best weights after every other evaluation: 4 bytes at 330 MB/s."""
FORWARD = 0.2
"""Cost of a window in an evaluation as a share of its cost in training: a third of the operations, in larger products.
Measured: .18 to .25."""
STARTUP = 1.5
"""Seconds from the start of the process to its first step, nearly all of it imports: 1.3 s alone, 2 to 4 s beside other
runs."""
CLOSING = 0.2
"""Seconds at the end for files and checksums, besides the held-out windows and 220 single predictions."""


class Kind(NamedTuple):
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
    """As the run has logged them; None: taken from the table."""
    context: int = USUAL_CONTEXT

    @property
    def evaluations(self) -> int:
        return math.ceil(self.steps / max(1, self.evaluate_every))

    @property
    def kind(self) -> Kind:
        threads = self.threads if self.device_kind == "cpu" else 1  # they do nothing for a GPU
        return Kind(self.model, self.size, self.dim, self.device_kind, threads, self.context)

    @property
    def device_kind(self) -> str:
        """`cpu` or `gpu`. A run whose device is `auto` counts as `cpu` until its trainer has chosen."""
        return "cpu" if self.device.lower().startswith(("cpu", "auto")) else "gpu"

    @property
    def known(self) -> bool:
        """False if the number of parameters is a guess."""
        return self.parameters is not None or (self.model, self.size) in PARAMETERS


def work_of(spec: RunSpec, parameters: int | None = None, device: str | None = None) -> Work:
    """The work of a planned run. `parameters` and `device`: as its trainer logged them, if it has started."""
    return Work(
        model=spec.model,
        size=spec.size,
        dim=spec.dim,
        batch_size=spec.recipe.batch_size,
        steps=max(1, spec.total_steps),
        evaluate_every=max(1, spec.evaluate_every),
        validation_windows=spec.validation_windows,
        heldout_windows=spec.heldout_windows,
        device=device or spec.device,
        threads=max(1, spec.threads),
        patience=spec.recipe.patience,
        parameters=parameters,
        context=spec.context,
    )


def parameters_of(model: str, size: str, dim: int, context: int = USUAL_CONTEXT) -> int | None:
    """Trainable parameters of a model for vectors of width `dim`; None if the model is not in the table."""
    row = PARAMETERS.get((model, size))
    if row is None:
        return None
    positions = dim * (context - USUAL_CONTEXT) if model in POSITIONS else 0
    return row[0] + row[1] * dim + row[2] * dim * dim + positions


def step_cost(work: Work) -> float:
    """Seconds of one training step on the reference core."""
    windows = work.batch_size * _window(work)
    fixed = STEP if work.device_kind == "cpu" else GPU_STEP.get(work.model, OTHER_GPU_STEP)
    return fixed + UPDATE * _parameters(work) / _memory_speed(work) + windows


def evaluation_cost(work: Work) -> float:
    """Seconds of one evaluation on the reference core, including saving the best weights."""
    return 0.02 + SAVE * _parameters(work) + FORWARD * work.validation_windows * _window(work)


def closing_cost(work: Work) -> float:
    """Seconds from the last evaluation to the end of the run on the reference core: held-out scores, ranks, latency."""
    ranks = 2 * work.heldout_windows**2 * work.dim / (CORE * _speed(work))
    return CLOSING + ranks + (220 + FORWARD * work.heldout_windows) * _window(work)


def _parameters(work: Work) -> int:
    if work.parameters is not None:
        return work.parameters
    return parameters_of(work.model, work.size, work.dim, work.context) or GUESSED.get(work.size, GUESSED["full"])


def _window(work: Work) -> float:
    """Seconds for one window, forward (2 operations a parameter and use) and backward (4)."""
    uses = USES.get((work.model, work.size), OTHER_USES)
    uses = 1 + (uses - 1) * work.context / USUAL_CONTEXT
    return 6 * _parameters(work) * uses / (CORE * _speed(work))


def _speed(work: Work) -> float:
    """How many reference cores the run's device is worth."""
    return GPU if work.device_kind == "gpu" else work.threads**THREADS


def _memory_speed(work: Work) -> float:
    """Memory speed over that of the reference: the same for any number of threads, about 200 times higher on a GPU."""
    return 200.0 if work.device_kind == "gpu" else 1.0
