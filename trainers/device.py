"""The device a run gets, and what is said about it."""

from __future__ import annotations

import os
import platform
import resource
import sys

import numpy as np
import torch

from lvmtui import __version__
from lvmtui.formats.spec import RunSpec
from lvmtui.system.errors import UserError


def choose_device(spec: RunSpec) -> torch.device:
    """The device of the spec, set up as it says. Raises UserError if the machine has none of that kind."""
    torch.set_num_threads(spec.threads)
    if spec.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may not be repeatable
        torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, which imports for a second
        # A help for debugging that writes all new memory once more. torch makes it an attribute by a class of its own.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    name = spec.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device 'cuda': torch finds no GPU here; use --device cpu, or install the torch build for it")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError("device 'mps': not on this machine; use --device cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}': not known to torch; use cpu, cuda, mps or auto") from None
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, many times as fast; costs no cosine: docs/performance.md
    return device


def device_name(device: torch.device) -> str:
    """`NVIDIA H200`, `Apple GPU`, `CPU, 2 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return (
        "Apple GPU"
        if device.type == "mps"
        else f"CPU, {torch.get_num_threads()} thread" + ("s" if torch.get_num_threads() > 1 else "")
    )


def versions() -> dict[str, str]:
    """What the figures depend on besides the spec."""
    return {
        "lvmtui": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def peak_memory(device: torch.device) -> int:
    """Bytes: of the GPU where there is one, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
