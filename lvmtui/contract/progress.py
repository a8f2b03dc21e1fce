"""`progress.json`: the live digits of a run, replaced at most four times a second. Losing it loses nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.contract.codec import dump_line, encode
from lvmtui.contract.document import find_document
from lvmtui.contract.files import replace_file

Activity = Literal["starting", "training", "evaluating", "saving", "heldout"]
INTERVAL = 0.25
"""Seconds between two writings, at least."""


@dataclass(frozen=True)
class Progress:
    """Where a run is now, and what this process's life has cost so far, apart for what an ETA must keep apart."""

    time: float
    activity: Activity
    pid: int
    step: int
    epoch: float
    loss: float | None
    """Mean over the last steps, as `cosine`."""
    cosine: float | None
    rate: float
    windows_per_second: float | None
    active: float
    """Seconds of work in all attempts."""
    startup_seconds: float
    """From the process's start to its first step."""
    train_steps: int
    """Steps of this process; those of earlier attempts ran under conditions that are over."""
    train_seconds: float
    recent_step_seconds: float | None
    """Median duration of the last steps of this process."""
    evaluations: int
    evaluation_seconds: float
    checkpoints: int
    checkpoint_seconds: float
    version: int = 1


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the live digits. Raises OSError."""
    replace_file(path, dump_line(encode(progress)), durable=False)


def read_progress(path: Path) -> Progress | None:
    """The live digits, None if there are none that can be read."""
    return find_document(Progress, path)
