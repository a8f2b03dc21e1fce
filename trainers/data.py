"""The windows a run trains on, validates on and is judged on, as index arithmetic on vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lvmtui.contract.errors import UserError
from lvmtui.contract.spec import RunSpec


@dataclass(frozen=True)
class Windows:
    """A set of windows on some vectors. Nothing is copied until a batch is asked for."""

    vectors: Tensor
    """(N, D), float32, unit rows."""
    starts: Tensor
    """(W,), int64: row of the first context vector; the next `context` rows belong to the window."""
    context: int

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Contexts (B, T, D) and targets (B, D) of some windows, each copied once and contiguous."""
        rows = self.starts[which, None] + torch.arange(self.context + 1, device=self.starts.device)
        # index_select copies whole rows, three times as fast as indexing with a tensor
        contexts = self.vectors.index_select(0, rows[:, :-1].flatten())
        return contexts.view(len(rows), self.context, -1), self.vectors.index_select(0, rows[:, -1])


@dataclass(frozen=True)
class Heldout:
    """The windows that judge, with what the scores need to know of each."""

    windows: Windows
    cluster: np.ndarray  # (W,) int32
    stratum: np.ndarray  # (W,) uint8


@dataclass(frozen=True)
class RunData:
    train: Windows
    validation: Windows
    heldout: Heldout


def open_data(spec: RunSpec, workspace: Path, device: torch.device) -> RunData:
    """Open the windows of a run. On the CPU the vectors stay mapped, shared with the runs beside it.

    Raises UserError naming the file if one is missing or not what the spec was made for.
    """
    split = workspace / spec.split
    vectors = _vectors(workspace / spec.data.store / "vectors.npy", spec, device)
    arm = _arrays(split / f"{spec.arm}.npz", ("train", "validation"))
    held = _arrays(split / "heldout_windows.npz", ("vectors", "starts", "cluster", "stratum"))

    def windows(vectors: Tensor, starts: np.ndarray) -> Windows:
        return Windows(vectors, torch.from_numpy(starts.astype(np.int64)).to(device), spec.context)

    found = (len(arm["train"]), len(arm["validation"]), len(held["starts"]))
    planned = (spec.train_windows, spec.validation_windows, spec.heldout_windows)
    if found != planned:
        raise UserError(f"{split}: holds {found} windows where {planned} were planned; start the campaign again")
    return RunData(
        windows(vectors, arm["train"]),
        windows(vectors, arm["validation"]),
        Heldout(
            windows(torch.from_numpy(held["vectors"]).to(device), held["starts"]), held["cluster"], held["stratum"]
        ),
    )


def order_of(epoch: int, windows: int, seed: int) -> np.ndarray:
    """The order of an epoch's windows, (windows,) int64: depends on nothing but its arguments."""
    return np.random.default_rng((seed, epoch)).permutation(windows)


def _vectors(path: Path, spec: RunSpec, device: torch.device) -> Tensor:
    try:
        # Copy-on-write: torch refuses to warn about read-only memory only if it may write. Nothing does.
        mapped = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the vectors cannot be opened ({error}); start the campaign again") from None
    if mapped.dtype != np.float32 or mapped.ndim != 2 or mapped.shape[1] != spec.dim:
        raise UserError(f"{path}: {mapped.dtype} {mapped.shape} is not (N, {spec.dim}) float32; start again")
    return torch.from_numpy(mapped).to(device)


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}); start the campaign again") from None
