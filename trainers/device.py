"""The device a run gets, how it is set up, and what is said about it."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lvmtui import __version__
from lvmtui.formats.selftest import Fallbacks, record_for
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import Event, Started
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import plural

WORKSPACE = ":16:8"
"""The workspace with which cuBLAS, and cuDNN's recurrent layers, repeat their results. torch's page "Reproducibility"
names `:4096:8` and `:16:8`, its page "LSTM" `:16:8` and `:4096:2`: this is the one on both, so that all models, the
self-test and several models in one process compute with the same. `:4096:8` may be faster for other models."""


def choose_device(spec: RunSpec, begun_on: str = "") -> torch.device:
    """The device of the spec, set up as the spec says.

    `begun_on`: type of the device the run was begun on (`cpu`, `cuda`, `mps`); `auto` keeps to it. Raises UserError if
    this machine, or this build of torch, has no such device.
    """
    torch.set_num_threads(spec.threads)
    if spec.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
        torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, which imports for a second
        # Writing all new memory once more is a debugging aid. torch makes it an attribute through a class of its own.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    device = _named(_automatic(begun_on) if spec.device == "auto" else spec.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    set_precision(device, tf32=True)
    return device


def set_precision(device: torch.device, *, tf32: bool) -> None:
    """Whether products and recurrent layers on a GPU take TF32, which costs no cosine: docs/performance.md."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32


def _automatic(begun_on: str) -> str:
    """The best device there is, or the kind the run was begun on."""
    missing = {"cuda": _why_no_cuda, "mps": _why_no_mps}
    if not begun_on:
        return next((name for name, why_not in missing.items() if not why_not()), "cpu")
    if begun_on in missing and (why := missing[begun_on]()):
        cure = "make it available again, or start the run from the beginning"
        raise UserError(f"device 'auto': the run was begun on {begun_on}, and {why}; {cure}")
    return begun_on


def _named(name: str) -> torch.device:
    """The device of that name, with its index. Raises UserError."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}': not known to torch; use cpu, cuda, cuda:N, mps or auto") from None
    if device.type == "mps" and (why := _why_no_mps()):
        raise UserError(f"device '{name}': {why}; use --device cpu")
    if device.type != "cuda":
        return device
    if why := _why_no_cuda(device.index or 0):
        raise UserError(f"device '{name}': {why}; use --device cpu, or install the torch build for this GPU")
    return torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)


def _why_no_mps() -> str:
    return "" if torch.backends.mps.is_available() else "there is no Apple GPU that torch can use"


def _why_no_cuda(index: int = 0) -> str:
    """Why GPU `index` cannot be used; empty if it can."""
    if not torch.cuda.is_available():
        return "torch finds no GPU here"
    if index >= torch.cuda.device_count():
        return f"torch finds {torch.cuda.device_count()} GPU(s) here, counted from 0"
    if torch.version.hip is not None:
        return ""
    (major, minor), built = torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()
    if has_kernels(built, (major, minor)):
        return ""
    lack = f"has no kernels for its architecture, sm_{major}{minor}"
    return f"torch {torch.__version__} {lack} (it is built for {' '.join(built)})"


def has_kernels(built: Sequence[str], capability: tuple[int, int]) -> bool:
    """Whether a build for these architectures (`sm_90`, `compute_90`...) runs on a GPU of this compute capability.

    Machine code (sm) runs on the same major version from its minor version on, with the suffix `a` only on exactly
    its own; intermediate code (compute) is compiled for anything newer. CUDA C++ programming guide, section 3.1.
    """
    for name in built:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", name)
        if found is None:
            continue
        kind, version, suffix = found[1], (int(found[2]), int(found[3])), found[4]
        if suffix == "a":
            runs = version == capability
        elif kind == "sm" or suffix == "f":
            runs = version[0] == capability[0] and version[1] <= capability[1]
        else:
            runs = version <= capability
        if runs:
            return True
    return not built


def begun_on(events: Iterable[Event]) -> str:
    """Type of the device of the newest attempt in a run's log; empty if it never started."""
    name = next((event.device for event in reversed(list(events)) if isinstance(event, Started)), "")
    if not name:
        return ""
    return "cpu" if name.startswith("CPU") else "mps" if name.startswith("Apple") else "cuda"


def device_name(device: torch.device) -> str:
    """`NVIDIA H200`, `Apple GPU`, `CPU, 2 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else f"CPU, {plural(torch.get_num_threads(), 'thread')}"


def random_state(device: torch.device) -> dict[str, Tensor]:
    """State of the generators that a run on `device` draws from, under their names in a checkpoint."""
    states = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        states["random_cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["random_mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(device: torch.device, states: Mapping[str, Tensor]) -> None:
    """Take up what `random_state` gave; a generator of another device is left as it is."""
    torch.set_rng_state(states["random"])
    if device.type == "cuda" and "random_cuda" in states:
        torch.cuda.set_rng_state(states["random_cuda"], device)
    elif device.type == "mps" and "random_mps" in states:
        torch.mps.set_rng_state(states["random_mps"])


def refuse_too_large(what: str, size: int, device: torch.device) -> None:
    """Raises UserError naming both sizes if `size` bytes do not fit into the free memory of a GPU."""
    if device.type != "cuda":
        return
    free, total = torch.cuda.mem_get_info(device)
    if size > free:
        room = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB"
        fault = f"{size / 1e9:.1f} GB of vectors do not fit into the GPU's free memory, {room}"
        raise UserError(f"{what}: {fault}; use a GPU with more, end what else uses it, or use --device cpu")


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


def uuid_of(device: torch.device) -> str:
    """The name under which a device's self-test is kept."""
    if device.type != "cuda":
        return device.type
    properties = torch.cuda.get_device_properties(device)
    return str(getattr(properties, "uuid", "")) or properties.name


def fallbacks_on(device: torch.device) -> Fallbacks:
    """What to do without on `device`; nothing where it was not tested with this code, torch and driver.

    A CPU is what every other device is tested against, and needs none.
    """
    record = record_for(uuid_of(device), torch.__version__) if device.type != "cpu" else None
    return record.fallbacks if record else Fallbacks()
