"""The live digits that a trainer writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Progress
from lvmtui.formats.paths import RunDir
from trainers.log_writer import Journal


def test_the_longest_gap_is_of_late_and_not_of_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("trainers.log_writer.time.monotonic", lambda: now)
    monkeypatch.setattr("trainers.log_writer.LATELY", 3)
    folder = RunDir(tmp_path)
    journal = Journal(folder, 0.0)

    def gap_after(seconds: float, steps: int = 1) -> float | None:
        nonlocal now
        now += seconds
        journal.steps += steps
        journal.progress(journal.steps, 0.0, None, None, 0.1, 1)
        found = find_document(Progress, folder.progress)
        assert found is not None
        return found.longest_gap

    assert gap_after(5.0, steps=0) is None, "imports"
    assert gap_after(60.0) is None, "the first step may have to compile first"
    assert gap_after(0.3) == pytest.approx(0.3)
    assert gap_after(20.0) == pytest.approx(20.0), "a checkpoint"
    assert gap_after(0.3) == pytest.approx(20.0)
    assert gap_after(0.3) == pytest.approx(20.0)
    assert gap_after(0.3) == pytest.approx(0.3), "it is forgotten"
    journal.close()
