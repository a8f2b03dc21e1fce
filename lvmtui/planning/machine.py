"""What this machine has for runs: cores, GPUs, memory. A container or a job may use less of it than there is."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lvmtui.supervisor.gpus import gpu_count

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Hardware:
    """What runs may use."""

    cores: int
    gpus: int
    memory: float
    """Bytes that are free."""


def hardware() -> Hardware:
    return Hardware(cores(), gpu_count(), free_memory())


def cores(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """CPU cores this process may use: those it may run on, and no more than its share of time is worth."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups(cgroups, own):
        quota, _, period = _word(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            found = min(found, math.ceil(int(quota) / int(period)))
    return max(1, found)


def free_memory(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> float:
    """Bytes that could be used without anything being moved to disk or killed."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for group in _groups(cgroups, own):
        most = _word(group / "memory.max")
        taken = [line.split()[1] for line in _word(group / "memory.stat").splitlines() if line.startswith("anon ")]
        if most.isdigit() and taken:
            free = min(free, max(0.0, float(most) - float(taken[0])))
    return free


def _groups(cgroups: Path, own: Path) -> Iterator[Path]:
    """The control group (version 2) we are in, and those around it: each may set limits."""
    for line in _word(own).splitlines():
        if line.startswith("0::"):
            group = cgroups / line[3:].strip().lstrip("/")
            yield group
            yield from (outer for outer in group.parents if outer.is_relative_to(cgroups))


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
