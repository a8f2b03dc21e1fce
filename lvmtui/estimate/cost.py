"""What a run costs before anything of it ran: the work in a step, an evaluation and the end, in seconds of a
reference core. Only the proportions matter once this machine has shown its own speed (`eta.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from lvmtui.formats.spec import RunSpec

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
"""(a, b, c): a model has a + b D + c D^2 trainable parameters for vectors of width D. A test builds them and counts."""

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
"""How often a window uses a parameter: five times where it meets each vector, less where it meets one (most of AMN),
and more where there is much besides products (attention in small models). From `benchmarks/training_speed.py`."""
OTHERS_USES = 5.0

GUESSED = {"small": 1_000_000, "full": 10_000_000}
"""Parameters of a model that is not in the table and has not started: between the smallest and the largest here."""

CORE = 150e9
"""float32 operations a second of the reference core in these models' matrix products, measured."""
THREADS = 0.6
"""n threads are n ** 0.6 cores: they wait for each other at the end of each small product. Measured for two at full
size: .3 (AMN) to .8 (GraphMERT-LVM)."""
GPU = 200.0
"""Cores of the reference that a GPU is worth in matrix products. Not measured: from operations and bytes on an H100."""
STEP = {"cpu": 1e-3, "gpu": 4e-4}
"""Seconds of a step that do not depend on the model: gathering, clipping, logging, and on a GPU the start of its
kernels. The figure for a GPU is not measured: some hundred kernels of 2 to 3 us that are replayed as one graph."""
UPDATE = 1e-9
"""Seconds a parameter for AdamW, the clip and the average: about 40 bytes moved at 36 GB/s."""
SAVE = 6e-9
"""Seconds a parameter for the best weights, written after every other evaluation: 4 bytes at 330 MB/s."""
FORWARD = 0.2
"""A window's share of the same in an evaluation: a third of the operations, in larger products. Measured: .18-.25."""
STARTUP = 1.5
"""Seconds from the process's start to its first step, nearly all of it imports: 1.3 s, 2 to 4 s beside others."""
CLOSING = 0.2
"""Seconds at the end besides the held-out windows and 220 single predictions: files and digests."""


class Kind(NamedTuple):
    """Runs of one kind differ in their data only: what one shows of its speed holds for the others."""

    model: str
    size: str
    dim: int
    device: str
    threads: int


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
    """Evaluations without a better loss that end the run early; None: it never ends early."""
    parameters: int | None = None
    """Where the run has told them; else they come from the table."""

    @property
    def evaluations(self) -> int:
        return math.ceil(self.steps / max(1, self.evaluate_every))

    @property
    def kind(self) -> Kind:
        threads = self.threads if self.device_kind == "cpu" else 1  # they do nothing for a GPU
        return Kind(self.model, self.size, self.dim, self.device_kind, threads)

    @property
    def device_kind(self) -> str:
        """`cpu`, also where the spec leaves the choice to a trainer that has not started; else `gpu`."""
        return "cpu" if self.device.lower().startswith(("cpu", "auto")) else "gpu"

    @property
    def known(self) -> bool:
        """False if the number of parameters is a guess."""
        return self.parameters is not None or (self.model, self.size) in PARAMETERS


def work_of(spec: RunSpec, parameters: int | None = None, device: str | None = None) -> Work:
    """The work of a planned run; `parameters` and `device` as its trainer told them, where it did."""
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
    )


def parameters_of(model: str, size: str, dim: int) -> int | None:
    """Trainable parameters of a bundled model for vectors of width `dim`; None for a model that is not in the table."""
    row = PARAMETERS.get((model, size))
    return None if row is None else row[0] + row[1] * dim + row[2] * dim * dim


def step_cost(work: Work) -> float:
    """Seconds of one training step on the reference."""
    windows = work.batch_size * _window(work)
    return STEP[work.device_kind] + UPDATE * _parameters(work) / _moving(work) + windows


def evaluation_cost(work: Work) -> float:
    """Seconds of one evaluation on the validation windows, on the reference; saving the best weights included."""
    return 0.02 + SAVE * _parameters(work) + FORWARD * work.validation_windows * _window(work)


def closing_cost(work: Work) -> float:
    """Seconds from the last evaluation to the run's end on the reference: held-out scores, ranks and latency."""
    ranks = 2 * work.heldout_windows**2 * work.dim / (CORE * _speed(work))
    return CLOSING + ranks + (220 + FORWARD * work.heldout_windows) * _window(work)


def _parameters(work: Work) -> int:
    if work.parameters is not None:
        return work.parameters
    return parameters_of(work.model, work.size, work.dim) or GUESSED.get(work.size, GUESSED["full"])


def _window(work: Work) -> float:
    """Seconds for one window, forward and backward: 2 + 4 operations a parameter and use."""
    uses = USES.get((work.model, work.size), OTHERS_USES)
    return 6 * _parameters(work) * uses / (CORE * _speed(work))


def _speed(work: Work) -> float:
    """In cores of the reference."""
    return GPU if work.device_kind == "gpu" else work.threads**THREADS


def _moving(work: Work) -> float:
    """Memory is no faster with more threads on the machines we know; a GPU's is about 200 times a core's."""
    return 200.0 if work.device_kind == "gpu" else 1.0
