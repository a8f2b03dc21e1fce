"""The only place that spells the name of a file in a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class RunDir:
    """A run folder; who writes which file is in `docs/formats.md`. Its paths are asked for many times a second."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def workspace(self) -> Path:
        """The workspace the folder lies in: `artifacts/lvm/models/` stands between."""
        return self.path.resolve().parents[3]

    @cached_property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @cached_property
    def intent(self) -> Path:
        return self.path / "intent.json"

    @cached_property
    def supervision(self) -> Path:
        return self.path / "supervision.jsonl"

    @cached_property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @cached_property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @cached_property
    def log(self) -> Path:
        return self.path / "train.log"

    @cached_property
    def lock(self) -> Path:
        """Held by the trainer as long as it lives."""
        return self.path / "run.lock"

    @cached_property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @cached_property
    def previous_checkpoint(self) -> Path:
        return self.path / "checkpoint.prev.pt"

    @cached_property
    def best_model(self) -> Path:
        return self.path / "best_model.pt"

    @cached_property
    def heldout(self) -> Path:
        return self.path / "heldout.npz"
