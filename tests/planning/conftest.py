"""Options of a small campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.planning.options import Options
from tests.trainers.tiny import write_walk


@pytest.fixture
def options(tmp_path: Path) -> Options:
    write_walk(tmp_path / "large.npz", 60)
    write_walk(tmp_path / "small.npz", 24)
    return Options(
        baseline=str(tmp_path / "small.npz"),
        expanded=str(tmp_path / "large.npz"),
        size="small",
        recipe="tuned",
        models=("amn", "gru"),
        batch_size=32,
        labels=("small", "large"),
    )
