"""What an import says of its figures, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lvmtui.cli.ending import CampaignOutcome, outcome_of
from lvmtui.cli.status import BARE, status_as_text
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import Imported
from lvmtui.legacy.history import WEIGHTS, read_history
from lvmtui.legacy.importer import import_folders
from lvmtui.report.advice import next_steps
from lvmtui.report.make import read_report
from lvmtui.state.campaign_reader import RunView
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import signed
from lvmtui.verdict.answer import answer, headline
from lvmtui.verdict.health import health_of
from lvmtui.verdict.words import Word
from tests.history import Curve
from tests.legacy.originals import curve, write_originals, write_training_history
from tests.legacy.test_importer import imported
from tests.verdict.scenes import NOW, finished, read_table, state_of
from trainers.models import build

pytestmark = pytest.mark.usefixtures("weights_opened_here")


def test_a_change_from_next_to_nothing_is_told_in_cosine(tmp_path: Path) -> None:
    """The percentage of a negative cosine has the wrong sign, that of a small one misleads."""
    for name, small in (("negative", -0.5), ("little", 0.1)):
        folders = [
            write_training_history(tmp_path / name / "amn_80k", "amn", [(small, small)] * 3),
            write_training_history(tmp_path / name / "amn_232k", "amn", [(0.5, 0.5)] * 3),
        ]
        state = imported(tmp_path / name, folders)
        report, moved = read_report(state, now=NOW), f"{signed(0.5 - small)} cosine"
        (row,) = report.table.rows
        assert (row.change, row.rank, row.figure) == (None, None, moved)
        assert f"own validation cosines more data raised the cosine of 1 of 1 model ({moved}). " in report.answer
        assert not [r for r in report.recommendations if r.what.startswith("Do not use")]
        md = state.dir.report.read_text()
        assert re.search(rf"\| {re.escape(moved)} +\|", md) and "%" not in md.split("How to read")[0]
        assert outcome_of("c", report.table).line == (
            "VERDICT none - - models=0 planned=1 seeds=1 campaign=c above-trivial=-"
        )


def test_the_cosine_of_a_history_is_that_at_the_epoch_of_lowest_loss_and_is_called_so(tmp_path: Path) -> None:
    """The curves' column showed another figure under the same name: the highest."""
    folders = []
    for size, late in (("80k", 0.58), ("232k", 0.592)):
        folder = write_training_history(tmp_path / f"gru_{size}", "gru", [(0.5, 0.5), (late - 0.01, 0.5), (late, 0.5)])
        document = json.loads((folder / "training_history.json").read_text())
        document["history"][1]["val_loss"] = 0.0
        (folder / "training_history.json").write_text(json.dumps(document))
        folders.append(folder)
    state = imported(tmp_path, folders)
    md, status = state.dir.report.read_text(), status_as_text(state, None).splitlines()
    assert "| .5700 | .5820 |" in md and "` .5000, .5820 |" in md and ".5920" not in md
    assert md.count("at the epoch of lowest loss (of highest cosine where") == 3 and "best cosine" not in md
    assert "as the runs themselves told them" in md and "Best validation" not in md
    assert BARE in status and "epoch of lowest loss" in BARE and " cosine " in status[3]


def test_an_epoch_of_lowest_loss_without_a_cosine_is_said_to_be_passed_over(tmp_path: Path) -> None:
    folders = []
    for size, last in (("80k", 0.5), ("232k", float("nan"))):
        folder = write_training_history(tmp_path / f"gru_{size}", "gru", [(0.48, 0.5), (0.49, 0.5), (0.5, 0.5)])
        document = json.loads((folder / "training_history.json").read_text())
        for number, entry in enumerate(document["history"]):
            entry["val_loss"] = 1.0 - number / 10
        document["history"][2]["val_cosine"] = last
        (folder / "training_history.json").write_text(json.dumps(document))
        folders.append(folder)
    md = imported(tmp_path, folders).dir.report.read_text()
    assert "GRU: 232k: epoch 3 has the lowest loss and tells no cosine; the cosine is that of epoch 2" in md
    assert "80k: epoch 3 has" not in md and "A window is taken to be 5 consecutive vectors" in md


def test_a_point_estimate_is_no_verdict_for_scripts(tmp_path: Path) -> None:
    folders = [write_training_history(tmp_path / f"amn_{k}k", "amn", curve(c)) for k, c in ((80, 0.5), (232, 0.45))]
    line = outcome_of("c", read_table(imported(tmp_path, folders))).line
    assert line == "VERDICT none -10.00 - models=1 planned=1 seeds=1 campaign=c above-trivial=-"
    nothing = CampaignOutcome("c", "negligible", "", -1e-9, (-0.004, 0.02), 1, 1, 2)
    assert nothing.line.startswith("VERDICT negligible +0.00 [-0.004,+0.02] "), "no minus before a zero"


def test_a_run_that_failed_to_learn_is_no_figure_beside_histories(tmp_path: Path) -> None:
    dead = {("amn", "expanded"): Curve(0.12, start=0.05, noise=0.0)}
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.12), "gru": (0.51, 0.52)}, seeds=(1,), curves=dead)
    state = state_of(workspace, campaign)

    def taken_in(view: RunView) -> RunView:
        if view.state is None or view.planned.arm == "expanded":
            return view
        spec = replace(view.state.spec, imported=Imported("/old", "h.json", "", ""), heldout_windows=0)
        return replace(view, state=replace(view.state, spec=spec))

    table = read_table(replace(state, runs=tuple(map(taken_in, state.runs))))
    amn, gru = table.row("amn"), table.row("gru")
    assert amn and gru and gru.rank == 1 and gru.verdict.word is Word.POINT_ESTIMATE
    assert (amn.rank, amn.change, amn.moved) == (None, None, None)
    assert amn.verdict.sentence.startswith("not comparable: 23k failed to learn")
    assert table.average == gru.change and "of 1 model" in headline(table)
    assert answer(table).endswith("Left out: AMN cannot be compared.")
    assert answer(table).startswith("By the runs' own validation cosines more data"), "one arm was trained here"
    (step,) = next_steps(table, {}, campaign="c", over=True)
    assert step == f"For a verdict, {gru.verdict.remedy}." and "again with weights that fit, or train both" in step


def test_what_was_taken_in_before_is_named(tmp_path: Path) -> None:
    folders = write_originals(tmp_path / "original")
    state = imported(tmp_path, folders[:6], arm="80k")
    lines = import_folders(Workspace(tmp_path / "ws"), folders[:6], "80k")
    assert f"taken in before as campaign {state.campaign.id}; this is another copy" in lines
    both = [line for line in import_folders(Workspace(tmp_path / "ws"), folders[4:], "80k") if line.startswith("taken")]
    names = ", ".join(folder.name for folder in folders[4:6])
    assert len(both) == 1 and both[0].endswith(f": {names}; the rest is new"), both


def test_other_weights_of_one_history_are_no_second_copy(tmp_path: Path) -> None:
    folders = [write_training_history(tmp_path / name, "gru", curve(0.5)) for name in ("gru_a", "gru_b", "gru_c")]
    weights = build("gru", 64, "small").state_dict()
    for folder, factor in zip(folders, (1.0, 1.0, 2.0), strict=True):
        scaled = {name: weight * factor for name, weight in weights.items()}
        torch.save({"state_dict": scaled}, folder / WEIGHTS[0])
    np.savez(tmp_path / "v.npz", vectors=np.ones((20, 64), np.float32))
    workspace = Workspace(tmp_path / "ws")
    told = [import_folders(workspace, [f], arm="1k", trained_on=tmp_path / "v.npz")[1] for f in folders]
    assert ["another copy" in said for said in told] == [False, True, False], told


def test_a_folder_that_is_named_twice_is_one_run(tmp_path: Path) -> None:
    folder = write_training_history(tmp_path / "gru_a", "gru", curve(0.5))
    np.savez(tmp_path / "v.npz", vectors=np.ones((20, 64), np.float32))
    (tmp_path / "x").mkdir()
    lines = import_folders(
        Workspace(tmp_path), [folder, tmp_path / "x/../gru_a"], arm="1k", trained_on=tmp_path / "v.npz"
    )
    assert sum(line.startswith("run ") for line in lines) == 1


def test_an_epoch_that_was_not_evaluated_is_no_failure(tmp_path: Path) -> None:
    """Exporters write null for it; it was called diverged."""
    folder = write_training_history(tmp_path / "gru_80k", "gru", curve(0.5, 6))
    history = json.loads((folder / "training_history.json").read_text())
    for entry in history["history"][1::2]:
        entry |= {"val_loss": None, "val_cosine": None}
    (folder / "training_history.json").write_text(json.dumps(history))
    assert [e.step for e in read_history(folder).evaluations] == [1, 3, 5]


def test_the_command_that_trains_the_other_arm_names_the_seeds(tmp_path: Path) -> None:
    weights = build("gru", 64, "small").state_dict()
    folders = [write_training_history(tmp_path / f"gru_{n}", "gru", curve(0.5 + n / 100)) for n in range(2)]
    for folder in folders:
        torch.save({"state_dict": weights}, folder / WEIGHTS[0])
    np.savez(tmp_path / "v.npz", vectors=np.ones((1500, 64), np.float32))
    lines = import_folders(Workspace(tmp_path / "ws"), folders, arm="1k", trained_on=tmp_path / "v.npz")
    assert lines[-1].endswith(" --seeds 1 2 --expanded FILE"), lines[-1]


def test_an_alarm_of_a_history_stands_beside_its_figure_on_either_arm(tmp_path: Path) -> None:
    for arm, labels in enumerate(("80k", "232k")):
        folders = []
        for number, label in enumerate(("80k", "232k")):
            folder = write_training_history(tmp_path / labels / f"gru_{label}", "gru", curve(0.5))
            history = json.loads((folder / "training_history.json").read_text())
            if number == arm:
                history["history"][-1] |= {"val_loss": float("nan"), "val_cosine": float("nan")}
            (folder / "training_history.json").write_text(json.dumps(history))
            folders.append(folder)
        state = imported(tmp_path / labels, folders)
        (row,) = read_table(state).rows
        assert "diverged" in row.remark and (("80k" in row.remark) is (arm == 0)), row.remark
        assert not any("lvmtui retry" in step for step in read_report(state, now=NOW).next_steps)


def test_the_vectors_must_be_those_of_every_folder(tmp_path: Path) -> None:
    folders = write_originals(tmp_path / "original")
    vectors = tmp_path / "v.npz"
    with pytest.raises(UserError, match=r"--trained-on .*no such file"):
        import_folders(Workspace(tmp_path / "ws"), folders, trained_on=vectors)
    np.savez(vectors, vectors=np.ones((20, 64), np.float32))
    with pytest.raises(UserError, match=r"the folders are of 2 sizes \(232k, 80k\), and a file has the vectors of one"):
        import_folders(Workspace(tmp_path / "ws"), folders, trained_on=vectors)
    (told,) = [f for f in folders if (f / "benchmark_results.json").exists() and "80k" in f.name]
    with pytest.raises(UserError, match=r"its vectors have 64 numbers, those of .* had 768; name"):
        import_folders(Workspace(tmp_path / "ws"), [told], trained_on=vectors)
    assert not (tmp_path / "ws").exists()


def without(folder: Path, keys: Mapping[int, Sequence[str]]) -> Path:
    """The history without these keys of these epochs, counted from 1."""
    path = folder / "training_history.json"
    document = json.loads(path.read_text())
    for epoch, names in keys.items():
        for name in names:
            del document["history"][epoch - 1][name]
    path.write_text(json.dumps(document))
    return folder


def test_an_epoch_without_a_loss_is_not_the_best_and_one_without_figures_was_not_evaluated(tmp_path: Path) -> None:
    """The first won with its cosine held against losses; the second raised an alarm."""
    rising = [(0.51 + 0.01 * epoch, 0.5) for epoch in range(5)]
    folders = [write_training_history(tmp_path / f"amn_{size}", "amn", rising) for size in ("80k", "232k")]
    without(folders[0], {1: ["val_loss"], 2: ["val_loss", "val_cosine"], 4: ["val_loss", "val_cosine"]})
    state = imported(tmp_path, folders)
    (row,) = read_table(state).rows
    assert (row.baseline.cosine, row.expanded.cosine, row.change) == (0.55, 0.55, 0.0)
    baseline = state.view("amn", "baseline", 1)
    assert baseline and baseline.state and [e.epoch for e in baseline.state.trainer.evaluations] == [1, 3, 5]
    assert baseline.state.spec.total_steps == 5 and not [f for f in health_of(baseline.state, None) if f.alarm]
    no_losses = write_training_history(tmp_path / "gru_80k", "gru", rising[:3])
    history = read_history(without(no_losses, {epoch: ["val_loss"] for epoch in (1, 2, 3)}))
    assert [e.best for e in history.evaluations] == [True, True, True], "without any loss the cosine decides"


def test_what_the_history_calls_its_model_goes_before_the_name_of_the_folder(tmp_path: Path) -> None:
    named = write_training_history(tmp_path / "gru_80k_e", "Mamba", curve(0.5))
    assert read_history(named).model == "mamba"
    unnamed = write_training_history(tmp_path / "gru_80k_f", "gru", curve(0.5), model_type="", model_name="")
    assert read_history(unnamed).model == "gru"


def test_every_folder_that_names_no_size_is_told_at_once(tmp_path: Path) -> None:
    folders = [write_training_history(tmp_path / name, "gru", curve(0.5)) for name in ("gru_80k", "gru_a", "gru_b")]
    with pytest.raises(UserError, match=r"gru_a: does not say what size.*; .*gru_b: does not say what size"):
        import_folders(Workspace(tmp_path / "ws"), folders)
