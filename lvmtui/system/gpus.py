"""Which GPUs there are, without torch, and which one a run gets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from lvmtui.system.processes import output_of

DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs runs may be given, as CUDA_VISIBLE_DEVICES names them. What it says in their environment is kept to."""
    chosen = _chosen(environment)
    if chosen is not None:
        return chosen
    listed = output_of(["nvidia-smi", "-L"], seconds=20)
    count = sum(line.startswith("GPU ") for line in listed.splitlines())
    return tuple(map(str, range(count or _driven())))


def gpu_count() -> int:
    """How many there are, at once: the tool that lists them may take a second."""
    chosen = _chosen(os.environ)
    return _driven() if chosen is None else len(chosen)


def _chosen(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """What CUDA_VISIBLE_DEVICES leaves; None where it is not set."""
    variable = environment.get("CUDA_VISIBLE_DEVICES")
    if variable is None:
        return None
    named = [name.strip() for name in variable.split(",")]
    usable = named[: named.index("-1")] if "-1" in named else named  # CUDA stops reading at the first wrong one
    return tuple(name for name in usable if name)


def _driven() -> int:
    """GPUs the driver knows."""
    return len(list(DRIVER.iterdir())) if DRIVER.is_dir() else 0


def device_for(device: str, gpus: tuple[str, ...], in_use: Iterable[str]) -> str:
    """The GPU a new run gets: the one the fewest others have. Empty where there is nothing to choose.

    `device`: of the spec. `in_use`: CUDA_VISIBLE_DEVICES of the living runs.
    """
    if device not in ("auto", "cuda") or len(gpus) < 2:
        return ""
    users = Counter(in_use)
    return min(gpus, key=lambda gpu: (users[gpu], gpus.index(gpu)))
