"""Several sizes as a person compares them: one command, real runs on centred vectors, a learning curve; then one
size more."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.learning_curve import LearningCurve, read_learning_curve
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.planning.extend import read_extension
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign
from lvmtui.state.status import Phase
from lvmtui.system.errors import UserError
from tests.test_end_to_end import kill_all, lvmtui
from tests.trainers.tiny import write_walk

SMALL = ("--models", "amn", "--size", "small", "--recipe", "tuned", "--epochs", "1", "--batch-size", "32")
QUICK = ("--device", "cpu", "--jobs", "2", "--threads", "1", "--headless")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    write_walk(tmp_path / "large.npz", 90)
    workspace = Workspace(tmp_path)
    yield workspace
    kill_all(workspace)


def curve_of(workspace: Workspace) -> LearningCurve:
    found = read_learning_curve(newest_campaign(workspace).learning_curve)
    assert found is not None
    return found


def test_sizes_of_one_file_end_in_a_curve_and_can_be_extended(workspace: Workspace) -> None:
    file = str(workspace.root / "large.npz")
    with np.load(file) as whole:
        np.savez(file, one=whole["vectors"], two=-whole["vectors"], article_id=whole["article_id"])
    given = ("--centre", "mean", "--vectors", "one", "--on-event", "true", "--stall-timeout", "90")
    done = lvmtui(workspace, "run", "--data", file, "--sizes", "250", "500", "all", *given, *SMALL, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "size 1     250:" in done.stdout and "a run" in done.stdout and "the same for all sizes" in done.stdout
    first = newest_campaign(workspace)
    campaign = read_campaign(first.campaign)
    labels = [arm.label for arm in campaign.arms.values()]
    (model,) = curve_of(workspace).models
    assert [p.label for p in model.points] == labels and labels[:2] == ["250", "500"]
    assert model.word and model.fit and model.rest and "not carried farther" in model.rest.refused
    assert all(p.trivial is not None for p in model.points)
    windows = [p.windows for p in model.points]
    assert windows == sorted(windows) and windows[0] < 300
    report = workspace.final_comparison(campaign).read_text()
    assert "## Learning curve" in report and "Which models would gain most from twice the data?" in report
    assert "windows in" in report and "in new ones" not in report, "no size holds a held-out article"
    assert (first.path / "curves" / "learning_curves.svg").exists()
    with (first.path / "learning_curve.csv").open() as file_:
        assert [row["size"] for row in csv.DictReader(file_)] == labels
    assert json.loads((first.path / "report.json").read_text())["learning_curve"]["models"][0]["word"] == model.word
    proof = lvmtui(workspace, "check", "--split")
    assert proof.returncode == 0 and "no leak" in proof.stdout

    for word in ("abc", "6x", "6,000", "0", "nan"):
        refused = lvmtui(workspace, "run", "--add-sizes", word)
        assert refused.returncode == 2 and f"--add-sizes: '{word}' is no size" in refused.stderr
    refused = lvmtui(workspace, "run", "--add-sizes", "500")
    assert refused.returncode == 2 and "has this size already" in refused.stderr
    a_model_that_is_not_finished_can_be_left_out(workspace, first)
    Path(file).rename(workspace.root / "moved.npz")  # the compact store is enough
    done = lvmtui(workspace, "run", "--add-sizes", "1k", "--models", "amn", *QUICK[2:])
    assert done.returncode == 0, done.stderr
    extended = newest_campaign(workspace)
    state = CampaignReader(workspace, extended).refresh()
    assert [view.planned.trained_here for view in state.runs] == [False, False, True, False]
    assert all(view.status.phase is Phase.FINISHED for view in state.runs)
    assert state.campaign.split_fingerprint == campaign.split_fingerprint, "the same windows in the same space"
    assert (state.campaign.on_event, state.campaign.stall_timeout) == (("true",), 90.0), (
        "nobody is told of its end else"
    )
    assert all(view.state and view.state.spec.centre == "mean" for view in state.runs)
    assert "epochs of the largest data set of the first campaign, equal updates" in (extended.report.read_text())
    (longer,) = curve_of(workspace).models
    assert len(longer.points) == 4 and next(p for p in longer.points if p.label != "1k").cosine == pytest.approx(
        model.points[0].cosine
    )


def a_model_that_is_not_finished_can_be_left_out(workspace: Workspace, folder: CampaignDir) -> None:
    written = folder.campaign.read_text()
    document = json.loads(written)
    runs = document["runs"]
    folder.campaign.write_text(
        json.dumps(document | {"runs": [*runs, runs[0] | {"run": "gru_250", "folder": "gru_250", "model": "gru"}]})
    )
    with pytest.raises(UserError, match=r"gru_250 of .* is not finished; .* with --models"):
        read_extension(workspace, folder)
    with pytest.raises(UserError, match="'lstm' is not known; known: amn, gru"):
        read_extension(workspace, folder, ["lstm"])
    assert {spec.model for spec in read_extension(workspace, folder, ["amn"]).specs} == {"amn"}
    folder.campaign.write_text(written)


def test_a_size_that_is_cancelled_is_left_out_and_said(workspace: Workspace) -> None:
    file = str(workspace.root / "large.npz")
    sizes = ("--sizes", "250", "500", "1k", "all")
    one_by_one = ("--device", "cpu", "--jobs", "1", "--threads", "1", "--detach")
    done = lvmtui(workspace, "run", "--data", file, *sizes, "--subsets", "file", *SMALL, *one_by_one)
    assert done.returncode == 0, done.stderr
    assert lvmtui(workspace, "cancel", "amn/1k").returncode == 0  # the third, which waits for the first two
    done = lvmtui(workspace, "attach", "--headless")
    (model,) = curve_of(workspace).models
    assert [p.label for p in model.points] == ["250", "500", model.points[-1].label]
    assert model.missing == ("1k: cancelled",)
    assert model.fit, "three sizes are left"


def test_files_that_are_not_nested_are_refused(workspace: Workspace) -> None:
    names = []
    for number, articles in enumerate((30, 60)):
        name = workspace.root / f"other{number}.npz"
        write_walk(name, articles)
        vectors = np.load(name)
        np.savez(name, **{**vectors, "vectors": np.roll(vectors["vectors"], number + 3, axis=1)})
        names.append(str(name))
    done = lvmtui(workspace, "run", "--data", *names, str(workspace.root / "large.npz"), *SMALL, "--plan")
    assert done.returncode == 2 and "each must contain the smaller ones" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
