"""Checkpoints: the newest two are kept, each with a checksum, and each appears under its name only when it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lvmtui.formats.paths import RunDir
from lvmtui.system.files import sealed_digest, sync_folder, write_sealed

SHORTEST, LONGEST = 10.0, 900.0
"""Seconds between two checkpoints."""
SHARE = 100
"""The time between two checkpoints is at least this many times what one takes. So they cost one percent at most, and a
kill loses at most a hundred times what a checkpoint costs."""


@dataclass(frozen=True)
class FoundCheckpoint:
    """The checkpoint from which a run resumes."""

    state: dict[str, Any] | None
    """None to begin at the start."""
    file: str | None
    passed_over: tuple[str, ...]
    """Names of newer checkpoints that are damaged."""


def until_next(seconds: float) -> float:
    """Seconds to the next checkpoint when the last one took `seconds` to write."""
    return min(max(SHORTEST, SHARE * seconds), LONGEST)


def save_archive(path: Path, content: Mapping[str, Any], before: Path | None = None) -> str:
    """Write `content` to `path`, which is replaced in one step, and sync it. Returns the checksum. Raises OSError.
    `before`: the name that what `path` held is kept under."""
    return write_sealed(path, lambda file: torch.save(dict(content), file), before)


def save_checkpoint(folder: RunDir, state: Mapping[str, Any]) -> tuple[str, int]:
    """Write `state` as the newest checkpoint and keep the one before it. Returns checksum and size in bytes.

    A kill at any moment leaves at least one whole checkpoint. Raises OSError.
    """
    digest = save_archive(folder.checkpoint, state, folder.previous_checkpoint)
    return digest, folder.checkpoint.stat().st_size


def find_checkpoint(folder: RunDir) -> FoundCheckpoint:
    """The newest checkpoint whose checksum is right, loaded to the CPU."""
    passed_over: list[str] = []
    for path in (folder.checkpoint, folder.previous_checkpoint):
        if not path.exists():
            continue
        if sealed_digest(path) is not None:
            state = torch.load(path, map_location="cpu", weights_only=True)
            return FoundCheckpoint(state, path.name, tuple(passed_over))
        passed_over.append(path.name)
    return FoundCheckpoint(None, None, tuple(passed_over))


def remove_checkpoints(folder: RunDir) -> None:
    """Remove both checkpoints. A finished run does not need its optimizer state, which is most of the folder."""
    folder.checkpoint.unlink(missing_ok=True)
    folder.previous_checkpoint.unlink(missing_ok=True)
    sync_folder(folder.path)


def remove_leftovers(folder: RunDir) -> None:
    """Remove the partly written files of a killed process. The caller must hold the folder's lock."""
    for name in ("checkpoint", "best_model", "heldout", "progress"):
        for path in folder.path.glob(f".{name}*.part"):
            path.unlink(missing_ok=True)


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes of the weights, in hex."""
    hashed = hashlib.sha256()
    for name in sorted(weights):
        hashed.update(name.encode())
        hashed.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
