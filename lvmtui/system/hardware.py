"""The cores, GPUs and memory that runs may use here. A container or a job may use only a part of them."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lvmtui.system import gpus
from lvmtui.system.errors import UserError
from lvmtui.system.gpus import torch_build
from lvmtui.system.process_id import read_small

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files that show that there is a GPU: NVIDIA (also in containers), AMD (torch calls it `cuda` too), WSL."""

OPENBLAS_THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Hardware:
    """What runs may use."""

    cores: int
    gpus: int
    memory: float
    """Free memory in bytes."""
    side_by_side: float = 1.0
    """How many times as many steps per second two processes on one GPU make as one does; measured by the self-test."""
    busy: float = 0.0
    """How many of the cores other programs keep busy, as far as nothing that was measured here shows it."""


def hardware() -> Hardware:
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return Hardware(cores(), len(gpus.visible_gpus()) or int(apple), free_memory(), busy=busy_cores())


def busy_cores() -> float:
    """How many of the cores that this process may use were busy in the last minute; the others are taken first."""
    return max(0.0, os.getloadavg()[0] - max(0, (os.cpu_count() or 1) - cores()))


def refuse_missing(device: str, there: Hardware) -> None:
    """Raise UserError for a GPU that is certainly missing. In other cases only torch, in the trainer, can tell."""
    if device.partition(":")[0] == "cuda" and torch_build().kind == "cpu":
        fault = f"the torch of {sys.executable} is built for CPUs only"
        cure = "install a torch build for your GPU (https://pytorch.org/get-started)"
        raise UserError(f"--device {device}: {fault}; leave the option out, give --device cpu, or {cure}")
    if device.partition(":")[0] == "cuda" and not there.gpus and not any(map(os.path.exists, GPU_FILES)):
        raise UserError(f"--device {device}: no GPU can be used here; leave the option out, or give --device cpu")
    if device == "mps" and sys.platform != "darwin":
        raise UserError("--device mps: only on a Mac; leave the option out, or give --device cpu")


def cores(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Number of CPU cores this process may use, by its CPU affinity and by the limits of its control groups."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in control_groups("cpu", cgroups, own):
        words = _words(group / "cpu.max") or [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]
        if len(words) == 2 and (quota := _number(words[0])) and (period := _number(words[1])):
            found = min(found, math.ceil(quota / period))
    return max(1, found)


def load_numpy() -> None:
    """Import numpy with a thread for each core that is free.

    On busy cores the threads of a product wait for each other: beside two trainings a check took ten times its
    processor time. And OpenBLAS counts the cores of the machine, not those that a container leaves. What is set stays.
    """
    if "numpy" in sys.modules or os.environ.keys() & {OPENBLAS_THREADS, "OMP_NUM_THREADS"}:
        return
    os.environ[OPENBLAS_THREADS] = str(max(1, cores() - round(busy_cores())))
    import numpy  # noqa: F401  (it reads the variable now)

    del os.environ[OPENBLAS_THREADS]  # not for the processes that this one starts


def free_memory(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> float:
    """Bytes that can be used before the system swaps or kills processes; the limits of control groups count."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for group in control_groups("memory", cgroups, own):
        words = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
        if words and (most := _number(words[0])) is not None:
            stat = _words(group / "memory.stat")
            facts = dict(zip(stat[::2], stat[1::2], strict=False))
            used = _number(facts.get("anon", facts.get("total_rss", ""))) or 0.0  # not the cache, which is freed
            free = min(free, max(0.0, most - used))
    return free


def control_groups(controller: str, cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> Iterator[Path]:
    """The control group of this process (cgroup version 1 or 2), then its parents. Each may set limits."""
    for line in read_small(own).decode(errors="replace").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = cgroups / controller if controllers else cgroups
        group = root / path.lstrip("/")
        yield group
        yield from (outer for outer in group.parents if outer.is_relative_to(root))


def _number(word: str) -> float | None:
    """A limit as a number; None if there is no limit (`max` or -1) or if it cannot be read."""
    return float(word) if word.isascii() and word.isdecimal() else None


def _words(path: Path) -> list[str]:
    return read_small(path).decode(errors="replace").split()
