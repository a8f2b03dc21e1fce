"""Weights of the original trainers, loaded into our model: they are judged on our held-out windows, not trained.

`python -P -m trainers.legacy_weights SIZE DIM RUN...` says of imported runs whether theirs fit, before any training.

Their parameter names may differ from ours, and so may their architecture, even where all shapes agree. So names are
mapped only where there is exactly one way to do it (`mapped`), and the model must then reach, on the vectors it was
trained on, the cosine in its history (`check_weights`). Otherwise the run fails with one line: its history is
then a point estimate, or, where its own weights refute it, nothing.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lvmtui.datasets.arm import open_store_of
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.trainer_log import IN_THE_PLAN, REFUTED, Evaluated, events_in
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise
from trainers.data import TensorWindows
from trainers.evaluate import evaluate
from trainers.log_writer import Journal
from trainers.models import build
from trainers.state import TrainState

PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that wrappers put before every name: DataParallel, torch.compile, and a trainer's own class."""
WEIGHTS = ("model_state_dict", "state_dict")
SAME_COSINE = 1e-3
"""Largest difference between the cosine in a file and in the history for the same evaluation: rounding."""
SHORTFALL = 0.02
"""How far the cosine may stay below the history's, which was measured on other windows of the same vectors. Weights in
the wrong place, or in another architecture, cost tenths."""
SAMPLE = 8192
"""Windows on which that is measured; the mean cosine of so many has a standard error of .002."""
PLANNED = f"these weights are those {IN_THE_PLAN}"
NUMPY_SCALARS: list[Any] = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)),
]
"""Many checkpoints hold a mean computed by numpy. These types make numbers and can do nothing else."""


def take_over(spec: RunSpec, workspace: Path, state: TrainState, journal: Journal, between: Callable[[], None]) -> None:
    """Log the imported evaluations as this run's own, then load the weights and prove that they are the right ones.

    Afterwards the run is at its last step and these are its best weights. `between` is called between batches and may
    raise to stop. Raises UserError naming the file.
    """
    assert spec.imported is not None
    history = history_of(RunDir(Path(spec.imported.run)))
    for evaluation in history:
        journal.event(replace(evaluation, time=time.time()))
    path = spec.imported.weights_file
    try:
        weights, best = fitting(state.model, path, history)
    except UserError as error:
        raise UserError(f"{error}; {PLANNED}") from None
    state.model.load_state_dict(weights)
    state.averaged.load_state_dict(weights)
    check_weights(state.averaged, spec, workspace, best, between)
    place = state.place
    place.step = place.evaluated_step = spec.total_steps
    place.best_step, place.best_cosine = best.step, _known(best.cosine, math.nan)
    place.best_loss = _known(best.loss, math.inf)
    state.keep_best()
    journal.active_before = history[-1].active
    journal.say(f"the weights of {path} are judged as they are, without training")


def history_of(run: RunDir) -> tuple[Evaluated, ...]:
    """The evaluations of an imported run. Raises UserError."""
    history = tuple(event for event in events_in(run.events) if isinstance(event, Evaluated))
    if not history:
        raise UserError(f"{run.events}: is missing or holds no evaluation; import the run again")
    return history


def fitting(model: nn.Module, path: Path, history: tuple[Evaluated, ...]) -> tuple[dict[str, Tensor], Evaluated]:
    """The weights in the file under the names of `model`, and the evaluation they were saved at. Raises UserError."""
    found, cosine = read_weights(path)
    try:
        return mapped(model, found), evaluation_of(history, cosine)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def size_that_fits(run: RunDir, asked: str, dim: int) -> tuple[str, str]:
    """The size of our model that the weights of an imported run fit, `asked` before others, and "". Where there is
    none: "", and why the size with as many parameters as its history tells, else full size, is not."""
    spec, faults = read_spec(run.spec), {}
    assert spec.imported is not None
    for size in sorted(("full", "small"), key=lambda one: one != asked):
        try:
            fitting(build(spec.model, dim, size, spec.context), spec.imported.weights_file, history_of(run))
            return size, ""
        except UserError as error:
            faults[size] = str(error)
    return "", f"{faults[spec.size]} (for vectors of {dim} numbers)"


def evaluation_of(history: tuple[Evaluated, ...], cosine: float | None) -> Evaluated:
    """The evaluation at which the weights were saved: the one with their `cosine`, or the best if that is None.

    Raises UserError if the history has no such evaluation: the weights are of another run.
    """
    known = [evaluation for evaluation in history if evaluation.cosine is not None]
    best = next((evaluation for evaluation in reversed(known) if evaluation.best), None)
    if not known:
        raise UserError("the history tells no validation cosine, so nothing shows that they are its weights")
    if cosine is not None:
        best = min(known, key=lambda e: abs(_known(e.cosine, math.inf) - cosine), default=None)
    if best is None or (cosine is not None and abs(_known(best.cosine, math.inf) - cosine) > SAME_COSINE):
        raise UserError(f"its validation cosine {cosine} is at no epoch of the history; both must be of one run")
    return best


def read_weights(path: Path) -> tuple[dict[str, Tensor], float | None]:
    """The named weights in a file of the original trainers, and their validation cosine if the file has it.

    Raises UserError for a file that holds no weights, or anything but tensors and plain values.
    """
    try:
        with torch.serialization.safe_globals(NUMPY_SCALARS):
            kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file can make torch raise anything
        first = sanitise(str(error), 200).partition("\n")[0]
        raise UserError(f"{path}: cannot be loaded as weights ({type(error).__name__}: {first})") from None
    weights = next((kept[key] for key in WEIGHTS if key in kept), None) if isinstance(kept, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()) or not weights:
        raise UserError(f"{path}: holds no {WEIGHTS[0]}; name a checkpoint of the original trainers")
    named = {str(name): weight for name, weight in weights.items()}
    cosine = kept.get("val_cosine")
    return named, float(cosine) if isinstance(cosine, (int, float)) and math.isfinite(cosine) else None


# Names ----------------------------------------------------------------------------------------------------------------


def mapped(model: nn.Module, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`found` under the names of `model`: by name, else by name without a wrapper's prefix, else by shape.

    By shape, in any order where every shape occurs once; otherwise only if the shapes come in the model's own order and
    no name says that two weights of one shape changed places. Constants that the model computes itself (positions,
    masks) are left out. Raises UserError if there is no way, or more than one.
    """
    own = model.state_dict()
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in found) and not all(name.startswith(prefix) for name in own):
            found = {name.removeprefix(prefix): weight for name, weight in found.items()}
    buffers = [buffer.cpu() for buffer in model.buffers()]
    found = {name: w for name, w in found.items() if name in own or not any(_holds(w, b) for b in buffers)}
    if set(found) == set(own):
        pairs = {name: name for name in own}
    else:
        pairs = _by_shape({n: _shape(w) for n, w in own.items()}, {n: _shape(w) for n, w in found.items()})
    for name, other in pairs.items():
        if _shape(own[name]) != _shape(found[other]):
            shapes = f"{tuple(found[other].shape)} where our model has {tuple(own[name].shape)}"
            raise UserError(f"{sanitise(other, 80)} is {shapes}; not the architecture of our reference recipe")
        if not bool(found[other].isfinite().all()):
            raise UserError(f"{sanitise(other, 80)} has values that are not finite; its run diverged")
    return {name: found[other].reshape(own[name].shape).to(own[name].dtype) for name, other in pairs.items()}


Shapes = Mapping[str, tuple[int, ...]]


def _by_shape(own: Shapes, found: Shapes) -> dict[str, str]:
    """Our names -> theirs. Raises UserError."""
    if sorted(own.values()) != sorted(found.values()):
        lacking = [shape for shape in own.values() if shape not in found.values()]
        what = f"none of shape {lacking[0]}" if lacking else "another number of some shape"
        count = f"{len(found)} weights where our model has {len(own)}"
        raise UserError(f"{count}, {what}; not the architecture of our reference recipe")
    if len(set(own.values())) == len(own):
        by_shape = {shape: name for name, shape in found.items()}
        return {name: by_shape[shape] for name, shape in own.items()}
    if list(own.values()) != list(found.values()):
        raise UserError("its names are not ours, and several weights of one shape come in another order; ambiguous")
    pairs = dict(zip(own, found, strict=True))
    for name, other in pairs.items():
        for rival, shape in own.items():
            if shape == own[name] and (_words(rival) - _words(name)) & (_words(other) - _words(name)):
                raise UserError(
                    f"{sanitise(other, 80)} stands where our model has {name}, and its name says {rival}; ambiguous"
                )
    return pairs


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z]+", name.lower()))


def _shape(weight: Tensor) -> tuple[int, ...]:
    """The shape without dimensions of 1: a leading batch dimension, or a scalar kept as a vector, changes nothing."""
    return tuple(size for size in weight.shape if size != 1)


def _holds(weight: Tensor, buffer: Tensor) -> bool:
    """True if `weight` is our constant `buffer`, or a longer table that begins with it."""
    table = weight.squeeze()
    if not buffer.dim() or table.dim() != buffer.dim():
        return False
    part = table[tuple(slice(size) for size in buffer.shape)]
    return part.shape == buffer.shape and bool(torch.allclose(part.to(buffer.dtype), buffer, atol=1e-5))


# Proof ----------------------------------------------------------------------------------------------------------------


def check_weights(
    model: nn.Module, spec: RunSpec, workspace: Path, claimed: Evaluated, between: Callable[[], None]
) -> None:
    """Check that the model reaches the claimed cosine on the vectors it was trained on. Raises UserError if not."""
    store = open_store_of(spec.data, workspace)
    starts = store.window_starts(spec.context, spec.data.rows)
    chosen = starts[np.linspace(0, len(starts) - 1, min(SAMPLE, len(starts))).astype(np.int64)]
    rows = chosen[:, None] + np.arange(spec.context + 1)
    vectors = torch.from_numpy(np.ascontiguousarray(store.vectors[rows.ravel()]))
    device = next(model.parameters()).device
    firsts = torch.arange(len(chosen), device=device) * (spec.context + 1)
    windows = TensorWindows(vectors.to(device), firsts, spec.context)
    reached, bar = evaluate(model, windows, spec.recipe.loss, between).cosine, _known(claimed.cosine, math.nan)
    if not reached >= bar - SHORTFALL:
        raise UserError(
            f"{spec.imported.folder if spec.imported else ''}: its weights reach cosine {reached:.4f} in our "
            f"{spec.model} on the vectors they were trained on, {REFUTED} {bar:.4f}; not our architecture, "
            f"or not these vectors; {PLANNED}"
        )


def _known(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


if __name__ == "__main__":
    asked, dim, *runs = sys.argv[1:]
    print(json.dumps([size_that_fits(RunDir(Path(run)), asked, int(dim)) for run in runs]))
