"""The windows a run trains on, validates on and is judged on, as index arithmetic on vectors."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lvmtui.datasets.arm import open_store_of
from lvmtui.datasets.centre import ZERO, Centre
from lvmtui.datasets.split import HeldOut, read_arm_windows, read_heldout
from lvmtui.datasets.windows import narrowed
from lvmtui.formats.spec import RunSpec
from lvmtui.system.errors import UserError
from trainers.device import refuse_too_large

LARGE = 256 << 20
"""Bytes of a file from which on rows are read ahead as they are needed; a smaller file is read as a whole."""


@dataclass(frozen=True)
class RowFile:
    """The file that rows are mapped from."""

    descriptor: int
    offset: int
    """Bytes before the first row."""
    row: int
    """Bytes of a row."""

    def expect(self, starts: np.ndarray, rows: int) -> None:
        """Have the kernel read `rows` rows from each of `starts` on, in that order, in the background. Otherwise rows
        in random order are read one after the other, each when it is first touched."""
        if not hasattr(os, "posix_fadvise"):  # macOS
            return
        gaps = np.diff(starts)
        first = np.concatenate([[True], (gaps < 0) | (gaps > rows)])  # where a stretch of neighbours begins
        last = np.concatenate([first[1:], [True]])
        for begin, end in zip(starts[first].tolist(), (starts[last] + rows).tolist(), strict=True):
            offset, length = self.offset + begin * self.row, (end - begin) * self.row
            os.posix_fadvise(self.descriptor, offset, length, os.POSIX_FADV_WILLNEED)


@dataclass(frozen=True)
class TensorWindows:
    """A set of windows on some vectors. Nothing is copied until a batch is asked for."""

    vectors: Tensor
    """(N, D), float32, unit rows."""
    starts: Tensor
    """(W,), int64: row of the first context vector; the next `context` rows belong to the window."""
    context: int
    file: RowFile | None = None
    """The file the vectors are mapped from, if it pays to read ahead."""
    centred: Callable[[Tensor], Tensor] | None = None
    """Centres rows (..., D); None: they are used as they are."""

    def __len__(self) -> int:
        return len(self.starts)

    def expect(self, which: np.ndarray | slice) -> None:
        """Announce that these windows are needed soon, in this order."""
        if self.file is not None:
            self.file.expect(self.starts.numpy()[which].ravel(), self.context + 1)

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Contexts (B, T, D) and targets (B, D) of some windows, each copied once and contiguous."""
        rows = self.starts[which, None] + torch.arange(self.context + 1, device=self.starts.device)
        # index_select copies whole rows, three times as fast as indexing with a tensor
        contexts = self.vectors.index_select(0, rows[:, :-1].flatten()).view(len(rows), self.context, -1)
        targets = self.vectors.index_select(0, rows[:, -1])
        return (contexts, targets) if self.centred is None else (self.centred(contexts), self.centred(targets))


@dataclass(frozen=True)
class RunData:
    train: TensorWindows
    validation: TensorWindows
    heldout: HeldOut
    """With the campaign's longest context: runs of all contexts are judged on the same targets and candidates."""
    judged: TensorWindows
    """The held-out windows as the model sees them."""


def open_data(spec: RunSpec, workspace: Path, device: torch.device) -> RunData:
    """Open the windows of a run. On the CPU the vectors stay mapped, shared with the runs beside it.

    Raises UserError naming the file if one is missing or not what the spec was made for.
    """
    split = workspace / spec.split
    open_store_of(spec.data, workspace)  # it is a cache that may have been deleted: then it is made again
    vectors, file = _vectors(workspace / spec.data.store / "vectors.npy", spec, device)
    arm, held = read_arm_windows(split, spec.arm), read_heldout(split, spec.split_fingerprint)
    found, planned = (len(arm.train), len(arm.validation)), (spec.train_windows, spec.validation_windows)
    if found != planned:
        raise UserError(f"{split}: holds {found} windows where {planned} were planned; start the campaign again")

    if spec.context > held.context:
        raise UserError(f"{split}: its windows have {held.context} vectors, the run needs {spec.context}; start again")

    centred = on_device(held.centre, device)

    def windows(starts: np.ndarray) -> TensorWindows:
        seen = narrowed(starts.astype(np.int64), held.context, spec.context)
        return TensorWindows(vectors, torch.from_numpy(seen).to(device), spec.context, file, centred)

    judged = replace(windows(held.starts), vectors=torch.from_numpy(held.judged).to(device), file=None, centred=None)
    return RunData(windows(arm.train), windows(arm.validation), held, judged)


def on_device(centre: Centre | None, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """`Centre.__call__` for tensors: rows (..., D) of the file's space at length 1 in the centred space."""
    if centre is None:
        return None
    shift, scale = (torch.from_numpy(part).to(device) for part in (centre.shift, centre.scale))
    return lambda rows: nn.functional.normalize((rows - shift) / scale, dim=-1, eps=ZERO)


def _vectors(path: Path, spec: RunSpec, device: torch.device) -> tuple[Tensor, RowFile | None]:
    try:
        # Copy-on-write, because torch warns about read-only memory. Nothing writes to it.
        mapped = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the vectors cannot be opened ({error}); start the campaign again") from None
    if mapped.dtype != np.float32 or mapped.ndim != 2 or mapped.shape[1] != spec.dim:
        raise UserError(f"{path}: {mapped.dtype} {mapped.shape} is not (N, {spec.dim}) float32; start again")
    file = RowFile(os.open(path, os.O_RDONLY), mapped.offset, mapped.strides[0])  # stays open as long as the process
    if device.type != "cpu" or mapped.nbytes < LARGE:
        refuse_too_large(str(path), mapped.nbytes, device)
        file.expect(np.zeros(1, np.int64), len(mapped))
        return torch.from_numpy(mapped).to(device), None
    if isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):
        mapped.base.madvise(mmap.MADV_RANDOM)  # touching a row must not read megabytes of its neighbours
    return torch.from_numpy(mapped), file
