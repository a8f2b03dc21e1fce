"""What a plan says of doubts, and of the names of files, arrays and arms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lvmtui.formats.intent import write_intent
from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.paths import Workspace
from lvmtui.formats.supervisor_log import Stopped
from lvmtui.legacy.importer import import_folders
from lvmtui.planning.describe import doubts_of, plan_as_text
from lvmtui.planning.options import Options
from lvmtui.planning.own_tables import read_own
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.system.errors import UserError
from lvmtui.system.files import append_line
from tests.legacy.originals import curve, write_training_history
from tests.trainers.tiny import write_walk


def test_epochs_of_a_trainer_of_ones_own_are_no_updates_of_ours(tmp_path: Path, options: Options) -> None:
    tables = {name: {"command": "true", "pattern": "x (?P<cosine>.)", "epochs": 5} for name in ("mine", "yours")}
    own = read_own({"trainers": tables}, tmp_path / "campaign.toml")
    told = plan_as_text(make_plan(replace(options, models=("gru", "mine", "yours"), own=own), Workspace(tmp_path)))
    assert "models     GRU (small), mine, yours; 6 runs" in told, "programs come in no size"
    assert "windows, 5 " not in told and told.count("the word of the user's own program") == 1
    assert told.count("the same data may train both arms of mine, yours: the command names none of {data},") == 1
    told = plan_as_text(make_plan(replace(options, models=("mine",), own=own), Workspace(tmp_path)))
    assert "recipe     " not in told and "--recipe" not in told


def test_the_plan_counts_on_no_verdict_of_trainers_of_ones_own(tmp_path: Path, options: Options) -> None:
    tables = {"mine": {"command": "true", "pattern": "x (?P<cosine>.)"}, "kit": {"command": "true"}}
    own = read_own({"trainers": tables}, tmp_path / "campaign.toml")

    def planned(*models: str) -> tuple[str, str]:
        plan = make_plan(replace(options, own=own, models=models), Workspace(tmp_path))
        return plan_as_text(plan), " ".join(doubts_of(plan, Workspace(tmp_path)))

    told, doubt = planned("amn", "gru")
    assert "cosine, on average over the 2 models, on" in told and "power      each model can" in told and not doubt
    told, doubt = planned("amn", "mine", "kit")
    assert "cosine, on average over the models that are judged (1 of 3 for certain), on" in told and not doubt
    assert "power      each model that is judged can" in told
    told, doubt = planned("mine")
    assert "judged by  nothing unless a trainer predicts the held-out windows; then the change of the mean held" in told
    assert doubt.startswith("no verdict unless a trainer predicts the held-out windows (predictions.npy, or the kit)")
    assert planned("kit")[1] == "", "the kit hands predictions in"


def test_arrays_may_be_named_for_each_file(tmp_path: Path, options: Options) -> None:
    for file, mine in (("small", "emb"), ("large", "body")):
        with np.load(tmp_path / f"{file}.npz") as held:
            arrays = {mine: held["vectors"], "summaries": held["vectors"][::-1], "article_id": held["article_id"]}
        np.savez(tmp_path / f"{file}.npz", **arrays)
    plan = make_plan(replace(options, vectors=("emb", "body")), Workspace(tmp_path))
    assert [spec.data.reading.vectors for spec in plan.specs if spec.model == "amn"] == ["emb", "body"]
    with pytest.raises(UserError, match="--vectors: 3 names for 2 files; give one for all, or"):
        make_plan(replace(options, vectors=("emb", "body", "more")), Workspace(tmp_path))


def test_what_is_trained_already_is_not_trained_again_unasked(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    first = make_plan(options, workspace)
    assert not doubts_of(first, workspace)
    write_plan(first, workspace)
    again = make_plan(replace(options, jobs=1, threads=2), workspace)
    (doubt,) = doubts_of(again, workspace)
    assert f" is not over; 'lvmtui' shows it, 'lvmtui cancel all --campaign {first.campaign.id}' ends it" in doubt
    assert not doubts_of(make_plan(replace(options, epochs=2), workspace), workspace)
    for planned in first.campaign.runs:
        run = workspace.run(planned)
        write_intent(run.intent, "cancel", by="test")
        append_line(run.supervision, encode_line(Stopped(time=1.0, generation=1, killed=())))
    assert not doubts_of(again, workspace), "that one is over"


def test_a_trainer_of_which_nobody_knows_how_long_it_trains_is_named(tmp_path: Path, options: Options) -> None:
    line = "x (?P<cosine>.)"
    tables = {
        "open": {"command": "true", "pattern": line},
        "told": {"command": "true {epochs}", "pattern": line},
        "says": {"command": "true", "pattern": line, "epochs": 3},
        "kit": {"command": "true"},
    }
    own = read_own({"trainers": tables}, tmp_path / "campaign.toml")
    told = plan_as_text(make_plan(replace(options, own=own, models=tuple(tables)), Workspace(tmp_path)))
    (named,) = (line for line in told.splitlines() if "without epochs or steps" in line)
    assert named.startswith("trainer    open: ") and named.endswith("its progress and time left are guesses")


def test_the_plan_says_what_a_trainer_of_ones_own_needs_for_a_verdict(tmp_path: Path, options: Options) -> None:
    tables = {"mine": {"command": "true {data}", "pattern": "x (?P<cosine>.)", "epochs": 5}, "kit": {"command": "true"}}
    own = read_own({"trainers": tables}, tmp_path / "campaign.toml")
    told = plan_as_text(make_plan(replace(options, models=("mine", "kit"), own=own), Workspace(tmp_path)))
    needs = "judged only if it predicts the held-out windows: predictions.npy, or the kit (docs/your-own.md)"
    longer = "the same epochs are more updates on the larger arm"
    assert f"trainer    mine: true {{data}}, pattern 'x (?P<cosine>.)'; {needs}; {longer}\n" in told
    assert "both arms of" not in told, "one is told the arm, the kit asks"
    assert f"trainer    kit: true, told through the kit; {needs}\n" in told


def test_equal_labels_are_refused(tmp_path: Path, options: Options) -> None:
    write_walk(tmp_path / "large.npz", 40)  # 960 vectors: both arms would be 0k
    with pytest.raises(UserError, match="--labels"):
        make_plan(replace(options, labels=()), Workspace(tmp_path))


def test_a_name_that_does_not_fit_the_vectors_is_noted(tmp_path: Path) -> None:
    """An imported run called 80k whose file holds 576 vectors may have been trained on others."""
    write_walk(tmp_path / "large.npz", 60)
    write_walk(tmp_path / "small.npz", 24, seed=1)
    folder = write_training_history(tmp_path / "amn_80k", "amn", curve(0.5))
    workspace = Workspace(tmp_path)
    lines = import_folders(workspace, [folder], trained_on=tmp_path / "small.npz")
    options = Options(
        expanded=str(tmp_path / "large.npz"),
        models=("amn",),
        size="small",
        arms="expanded",
        baseline_runs=(lines[0].removeprefix("run "),),
    )
    plan = make_plan(options, workspace)
    assert "small.npz has 576 vectors, but the runs are labelled 80k" in plan.campaign.doubts[0]
    assert plan.campaign.doubts[0] in doubts_of(plan, workspace), "it asks before it trains"


def test_what_is_left_out_is_explained_and_files_that_cannot_be_kept_apart_are_a_doubt(
    tmp_path: Path, options: Options
) -> None:
    workspace = Workspace(tmp_path)
    plan = make_plan(options, workspace)
    assert ", 0 left out" in plan_as_text(plan) and "left out   " not in plan_as_text(plan)
    assert not any("names no articles" in doubt for doubt in doubts_of(plan, workspace))
    with np.load(options.baseline) as arrays:
        (name,) = (name for name in arrays if arrays[name].ndim == 2)
        np.savez(tmp_path / "bare.npz", **{name: arrays[name]})
    bare = make_plan(replace(options, baseline=str(tmp_path / "bare.npz")), workspace)
    assert "left out   windows that hold a copy of a held-out or validation vector" in plan_as_text(bare)
    (doubt,) = (doubt for doubt in doubts_of(bare, workspace) if "names no articles" in doubt)
    assert bare.campaign.doubts == (doubt,), "which the report repeats under What to doubt"
    assert doubt.startswith("one file, bare.npz, names no articles; the other")
    assert f"note       {doubt}" in plan_as_text(bare)
