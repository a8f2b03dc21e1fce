"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lvmtui.cli.commands import main
from lvmtui.formats.paths import Workspace
from lvmtui.report.event_files import EventFiles
from tests.factory import bring_to, make_campaign, planned_run
from tests.report.made_campaigns import UP
from tests.verdict.scenes import finished, state_of


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All scalars by tag, as (step, value)."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {tag: [(one.step, one.value) for one in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def test_a_past_campaign_is_written_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1, 2))
    for _ in range(2):  # a second time replaces the first
        assert main(["tensorboard", "--workspace", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"tensorboard --logdir {tmp_path}/logs/tensorboard" in out
    for view in state_of(workspace, campaign).runs:
        assert view.state and view.finished
        found = read(tmp_path / "logs" / "tensorboard" / campaign.id / view.planned.run)
        expected = [(one.step, pytest.approx(one.cosine)) for one in view.state.trainer.evaluations]
        assert found["validation/cosine"] == expected and len(found["validation/loss"]) == len(expected)
        ((step, cosine),) = found["heldout/cosine"]
        assert step == view.finished.step
        assert cosine == pytest.approx(view.finished.heldout.cosine)


def test_a_run_that_goes_on_is_followed_and_one_that_begins_anew_is_written_anew(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    workspace = Workspace(tmp_path)
    folder = tmp_path / "tb" / planned_run(campaign, "amn", "baseline").run
    folder.mkdir(parents=True)
    other = folder / "events.out.tfevents.1.somebody"
    other.touch()
    files = EventFiles(folder.parent)

    def cosines() -> list[tuple[int, float]]:
        """After what is new was written; checked against the run's own log."""
        now = state_of(workspace, campaign)
        files.write(now)
        view = now.view("amn", "baseline", 1)
        assert view and view.state
        found = read(folder)["validation/cosine"]
        assert found == [(one.step, pytest.approx(one.cosine)) for one in view.state.trainer.evaluations]
        return found

    half = cosines()
    run.train(run.spec.total_steps - 1)
    most = cosines()
    assert most[: len(half)] == half and len(most) > len(half)
    run.die("killed")
    run.launch()
    run.start()  # from the first step
    run.train(run.spec.total_steps // 2)
    assert cosines()[-1][0] < most[-1][0]
    assert files.write(state_of(workspace, campaign)) == 0
    files.close()
    assert other.exists(), "only our own files are replaced"


def test_without_tensorboard_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    assert main(["tensorboard", "--workspace", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "lvmtui: tensorboard: not installed; pip install 'lvmtui[tensorboard]'\n"
