"""The live digits that a trainer writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Activity, Progress
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


def test_a_hang_is_no_pace_and_a_suspension_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer of one's own that hung and was suspended came back with a time left that nobody could explain."""
    now = 0.0
    monkeypatch.setattr("trainers.log_writer.time.monotonic", lambda: now)
    journal = Journal(RunDir(tmp_path), 0.0)
    journal.clock.enter("training")

    def shown(seconds: float, steps: int, activity: Activity | None = None) -> Progress:
        nonlocal now
        now += seconds
        journal.steps += steps
        if activity:
            journal.clock.enter(activity)
        journal.progress(journal.steps, 0.0, None, None, 0.1, 1)
        found = find_document(Progress, RunDir(tmp_path).progress)
        assert found is not None
        return found

    shown(1.0, 1)
    before = shown(1.0, 1)
    assert (before.train_steps, before.train_seconds, before.longest_gap) == (2, 2.0, 1.0)
    assert shown(300.0, 0, "suspended").longest_gap == 1.0, "it hung until it was suspended"
    assert shown(100.0, 0, "suspended").active == 302.0, "that is no work"
    after = shown(0.1, 0, "training")
    assert (after.train_steps, after.train_seconds) == (2, 2.0), "no step has come"
    assert shown(1.0, 1).train_seconds == 3.0, "nor afterwards is it counted as the pace of a step"
    assert journal.active == 303.0, "it was its work"
    assert shown(60.0, 1).train_seconds == 3.0, "stopped by a signal, and continued"
    assert shown(60.0, 1).train_seconds == 63.0, "one step a minute: that is its pace now"
    journal.close()
