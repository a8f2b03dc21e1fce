"""Why a run cannot go on, and what is said and returned about it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import IN_THE_PLAN, Exit, Reason
from lvmtui.system.errors import UserError
from lvmtui.system.files import DISK_FULL

OUT_OF_MEMORY = re.compile(
    "out of memory|not enough memory|alloc_failed|cannot allocate memory|memoryallocation", re.IGNORECASE
)
"""In messages of CUDA, cuBLAS, cuDNN, HIP, Metal and the CPU's allocator. Making a context or a library's handle needs
memory too, and fails with an error that is no `torch.OutOfMemoryError`."""


class Diverged(Exception):
    """The loss is not finite. Equal seeds take equal steps, so a retry would get here again."""

    def __init__(self, step: int, loss: float, spec: RunSpec) -> None:
        of = f"({spec.recipe.rate:g})" + (f" {IN_THE_PLAN}" if spec.deterministic else "")
        own = "".join(f", or a {code.source} whose result stays finite" for code in spec.own_code)
        super().__init__(
            f"the loss became {loss} at step {step}, with the seed and the learning rate {of}; "
            f"start a new campaign with a lower --rate, another --recipe, a lower clip in a recipe of your own{own}"
        )
        self.step = step


@dataclass(frozen=True)
class Failure:
    """What `events.jsonl` and the exit code say about an error."""

    reason: Reason
    message: str
    code: Exit = Exit.FAILED
    needed_bytes: int | None = None
    """With `no_space`: bytes that writing a checkpoint takes."""


def failure_of(error: Exception, folder: Path, checkpoint_bytes: int) -> Failure:
    """Sort an error of a run in `folder`; `checkpoint_bytes` is about the size of its checkpoint."""
    message = str(error) or type(error).__name__
    if isinstance(error, Diverged):
        return Failure("diverged", message)
    if isinstance(error, UserError):
        return Failure("data", message)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        needed = 2 * checkpoint_bytes
        message = f"the disk of {folder} is full; {needed / 1e6:.0f} MB are needed"
        return Failure("no_space", message, Exit.NO_SPACE, needed)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or OUT_OF_MEMORY.search(str(error)):
        return Failure("out_of_memory", message)
    return Failure("error", message)
