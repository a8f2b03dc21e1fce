"""How many runs side by side, and on how many threads, where the person does not say."""

from __future__ import annotations

import os
from pathlib import Path

from lvmtui.planning.options import Options


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(options: Options, gpus: int, processors: int) -> int:
    """A run a GPU; without one, small models side by side on a core each, full ones one after the other.

    Two small runs with a thread each are 1.7 times as fast as one after the other with two (measured on two cores):
    their matrices are too small to share.
    """
    if gpus and options.device in ("auto", "cuda"):
        return gpus
    runs = len(options.models) * len(options.seeds) * (2 if options.arms == "both" else 1)
    return max(1, min(processors, runs, 8)) if options.size == "small" else 1


def default_threads(jobs: int, processors: int) -> int:
    """The cores, shared by the runs that are side by side."""
    return max(1, min(processors // jobs, 16))


def gpu_count() -> int:
    """GPUs a run could get; what CUDA_VISIBLE_DEVICES hides does not count. torch is not asked: it takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    try:
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    except OSError:
        return 0
