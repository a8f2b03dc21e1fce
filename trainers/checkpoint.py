"""Checkpoints: two are kept, each with its own checksum, and none is ever half-written under its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lvmtui.formats.paths import RunDir
from lvmtui.system.files import sync_folder, written_beside
from lvmtui.system.sealed import seal_archive, sealed_digest


@dataclass(frozen=True)
class Found:
    """What a resuming run takes up."""

    state: dict[str, Any] | None
    """None: from the start."""
    file: str | None
    passed_over: tuple[str, ...]
    """Files that were there but damaged."""


def save_archive(path: Path, content: Mapping[str, Any]) -> str:
    """Put `content` at `path` in one step, sealed and synced; return the checksum. Raises OSError."""
    with written_beside(path) as beside:
        _torch_save(content, beside)
        digest = seal_archive(beside)
    return digest


def save_checkpoint(folder: RunDir, state: Mapping[str, Any]) -> tuple[str, int]:
    """Make `state` the newest checkpoint and the newest so far the one before. Returns checksum and bytes.

    At every moment at least one of the two names holds a whole checkpoint. Raises OSError.
    """
    with written_beside(folder.checkpoint) as beside:
        _torch_save(state, beside)
        digest = seal_archive(beside)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        if folder.checkpoint.exists():
            os.replace(folder.checkpoint, folder.previous_checkpoint)
    return digest, folder.checkpoint.stat().st_size


def find_checkpoint(folder: RunDir) -> Found:
    """The newest checkpoint that is whole."""
    passed_over: list[str] = []
    for path in (folder.checkpoint, folder.previous_checkpoint):
        if not path.exists():
            continue
        if sealed_digest(path) is not None:
            state = torch.load(path, map_location="cpu", weights_only=True)
            return Found(state, path.name, tuple(passed_over))
        passed_over.append(path.name)
    return Found(None, None, tuple(passed_over))


def remove_checkpoints(folder: RunDir) -> None:
    """Both: a finished run's optimizer state is of no use, and is most of its size."""
    folder.checkpoint.unlink(missing_ok=True)
    folder.previous_checkpoint.unlink(missing_ok=True)
    sync_folder(folder.path)


def remove_leftovers(folder: RunDir) -> None:
    """What a kill in the middle of a writing left. Only for who holds the folder's lock."""
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


def _torch_save(content: Mapping[str, Any], path: Path) -> None:
    """torch.save to a file object: a full disk is then an OSError with its number, not a RuntimeError."""
    with path.open("wb") as file:
        torch.save(dict(content), file)
