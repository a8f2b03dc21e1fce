"""Earlier runs: the table the original experiment published comes out of its own histories, with what it missed."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lvmtui
from lvmtui.cli.commands import main
from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import Finished
from lvmtui.legacy.history import WEIGHTS, ImportedHistory, read_history
from lvmtui.legacy.importer import events_of, import_folders, size_of, with_arms
from lvmtui.report.make import read_report
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, newest_campaign
from lvmtui.state.status import Phase
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import percent
from lvmtui.ui.read.source import SnapshotSource
from lvmtui.verdict.rows import HISTORY
from tests.legacy.originals import BEST, curve, write_benchmark, write_originals, write_training_history
from tests.verdict.scenes import NOW, read_table
from trainers.models import build


def imported(root: Path, folders: list[Path], **options: object) -> CampaignState:
    workspace = Workspace(root / "ws")
    import_folders(workspace, folders, **options)  # type: ignore[arg-type]
    return CampaignReader(workspace, newest_campaign(workspace)).refresh()


def digest_of(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        digest.update(f"{path} {path.stat().st_mtime_ns}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def test_the_original_table_comes_out_as_published(tmp_path: Path) -> None:
    folders = write_originals(tmp_path / "original")
    before = digest_of(tmp_path / "original")
    state = imported(tmp_path, folders)
    assert digest_of(tmp_path / "original") == before
    table = read_table(state)
    assert table.labels == ("80k", "232k")
    assert [(row.rank, row.model, percent(row.change)) for row in table.rows] == [
        (1, "gru", "+0.29 %"),
        (2, "amn", "−0.35 %"),
        (3, "transformer", "−0.57 %"),
        (4, "lstm", "−1.10 %"),
        (5, "graphmert_lvm", "−3.14 %"),
    ]
    assert percent(table.average) == "−0.97 %"
    for row in table.rows:
        assert (row.baseline.cosine, row.expanded.cosine) == pytest.approx(BEST[row.model])
        assert row.interval is None and row.verdict.sentence == f"point estimate: {HISTORY}"


def test_it_says_what_was_missed(tmp_path: Path) -> None:
    state = imported(tmp_path, write_originals(tmp_path / "original"))
    report = read_report(state, now=NOW)
    row = report.table.row("graphmert_lvm")
    assert row
    assert [f.kind for f in row.expanded.findings] == ["collapsed"]
    assert row.expanded.findings[0].words.startswith("collapsed at epoch 3:")
    assert "overfitting" in [f.kind for f in row.baseline.findings]
    overfit = next(f.words for f in row.baseline.findings if f.kind == "overfitting")
    assert ".5783 at its peak, epoch 8" in overfit
    others = [f for r in report.table.rows if r is not row for c in (r.baseline, r.expanded) for f in c.findings]
    assert not [f for f in others if f.alarm]
    md = state.dir.report.read_text()
    assert "Alarm: GraphMERT-LVM 232k collapsed at epoch 3" in md
    assert "By the runs' own validation cosines more data raised the cosine of 1 and lowered that of 4 of 5" in md
    assert "−0.97 %" in md
    assert not any(row.medal for row in report.table.rows) and "🥇" not in md
    assert "No medals: these figures prove nothing." in md
    assert "No common held-out windows judged them, so there is no interval and no verdict" in md
    assert "GraphMERT-LVM (collapsed at epoch 3" in md.split("Do not use with 232k")[1]
    assert "What the interval covers" not in md


def test_imported_runs_are_runs_like_others(tmp_path: Path) -> None:
    state = imported(tmp_path, write_originals(tmp_path / "original"))
    assert state.settled
    assert {view.status.phase for view in state.runs} == {Phase.FINISHED}
    assert not any(view.planned.trained_here for view in state.runs)
    view = state.view("graphmert_lvm", "baseline", 1)
    assert view and view.state and view.state.trainer.finished and view.state.spec.imported
    assert (view.state.trainer.finished.best_epoch, len(view.state.trainer.evaluations)) == (8, 25)
    assert (view.state.spec.dim, view.state.spec.train_windows) == (768, 72_570)
    assert view.state.trainer.active == pytest.approx(3600)
    gru = state.view("gru", "baseline", 1)
    assert gru and gru.state and gru.state.spec.imported and gru.state.spec.imported.weights == "best_model.pt"
    assert "1 of 10 folders hold weights. They were not evaluated" in state.dir.report.read_text()


def test_from_the_command_to_status_report_screen_and_notebook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "ws")
    workspace.root.mkdir()

    def lvmtui_says(*arguments: str) -> str:
        assert main([*arguments, "--workspace", str(workspace.root)]) == 0
        return capsys.readouterr().out

    lines = lvmtui_says("import", *map(str, write_originals(tmp_path / "original"))).splitlines()
    campaign_id = lines[-2].removeprefix("campaign ")
    assert campaign_id.startswith("80k_vs_232k_")
    assert Path(lines[-1].removeprefix("report ")) == workspace.root / "artifacts/lvm/80K_VS_232K_FINAL_COMPARISON.md"

    status = lvmtui_says("status")
    assert "10 of 10 runs finished" in status and "nothing is left to do" in status
    assert campaign_id in lvmtui_says("campaigns")
    assert "10 runs: skipped, each was imported, not trained by lvmtui" in lvmtui_says("retry", "all")
    assert main(["check", "--split", "--workspace", str(workspace.root)]) == 2
    assert "there is no split to prove: its runs were imported without vectors" in capsys.readouterr().err
    assert "Alarm: GraphMERT-LVM 232k collapsed at epoch 3" in lvmtui_says("report", "--output", "-")

    assert "took 1 h 00 m" in status and "took 0 s" not in status, "most histories have no times"
    snapshot = SnapshotSource(workspace, machine=lambda: None).look()
    assert snapshot is not None and [run.phase for run in snapshot.runs] == [Phase.FINISHED] * 10
    assert {run.when(wide=True) for run in snapshot.runs} == {""}

    campaign = lvmtui.open(workspace.root).campaign(campaign_id)
    assert {run.model: run.validation_cosine for run in campaign.runs if run.arm == "expanded"} == pytest.approx(
        {model: expanded for model, (_, expanded) in BEST.items()}
    )
    (gru,) = (row for row in campaign.comparisons if row.model == "gru")
    assert gru.change_percent == pytest.approx(0.294, abs=1e-3) and gru.low_percent is None
    assert len(campaign.heldout) == 0 and len(campaign.curves) > 100


def test_a_second_import_is_a_campaign_of_its_own(tmp_path: Path) -> None:
    folders = write_originals(tmp_path / "original")
    first, second = imported(tmp_path, folders), imported(tmp_path, folders)
    assert first.dir.id != second.dir.id
    assert read_campaign(first.dir.campaign).models == read_campaign(second.dir.campaign).models


def best_of(history: ImportedHistory) -> Finished:
    ending = events_of(history)[-1]
    assert isinstance(ending, Finished)
    return ending


def test_lowest_loss_decides_except_for_graphmert(tmp_path: Path) -> None:
    folder = write_training_history(tmp_path / "amn_80k", "amn", [(0.5, 0.5), (0.52, 0.5), (0.53, 0.5)])
    document = json.loads((folder / "training_history.json").read_text())
    document["history"][1]["val_loss"] = 0.0
    (folder / "training_history.json").write_text(json.dumps(document))
    best = best_of(read_history(folder))
    assert (best.best_epoch, best.best_cosine) == (2, 0.52)
    folder = write_benchmark(tmp_path / "graphmert_lvm_80k_full", 80_634, [(0.5, 0.5), (0.53, 0.5)])
    best = best_of(read_history(folder))
    assert best.best_cosine == 0.53


@pytest.mark.parametrize(
    ("name", "size", "label"),
    [
        ("gru_232k_20251017_090129", None, "232k"),
        ("graphmert_lvm_80k_full", 80_634, "80k"),
        ("amn_20251016_133427", None, None),
        ("amn_20251016_133427", 80_634, "80k"),
        ("lstm_1.2M_x", None, "1.2m"),
        ("gru_k232_x", None, None),
    ],
)
def test_the_arm_a_folder_tells(tmp_path: Path, name: str, size: int | None, label: str | None) -> None:
    more = {"dataset_size": size} if size else {}
    assert read_history(write_training_history(tmp_path / name, name, curve(0.5), **more)).label == label


def test_the_arm_is_asked_for_where_nothing_tells(tmp_path: Path) -> None:
    folders = [
        write_training_history(tmp_path / "amn_20251016_133427", "amn", curve(0.5)),
        write_training_history(tmp_path / "amn_232k_20251017_090129", "amn", curve(0.51)),
    ]
    with pytest.raises(UserError, match=r"amn_20251016_133427: does not say what size.*--arm 80k"):
        import_folders(Workspace(tmp_path / "ws"), folders)
    state = imported(tmp_path, folders, arm="80k")
    assert [view.planned.run.rsplit("_", 2)[0] for view in state.runs] == ["amn_80k", "amn_232k"]
    assert (state.campaign.baseline.vectors, state.campaign.expanded.label) == (80_000, "232k")


@pytest.mark.parametrize(
    ("names", "arm", "words"),
    [
        (("amn_80k", "gru_80k"), None, "all folders are of 80k; name folders of the other size too"),
        (("amn_80k", "gru_90k", "lstm_100k"), None, "folders of 3 sizes"),
        (("amn_80k", "gru_90k"), "big", "--arm big: is not a size"),
    ],
)
def test_two_sizes_are_needed(tmp_path: Path, names: tuple[str, ...], arm: str | None, words: str) -> None:
    folders = [write_training_history(tmp_path / name, name, curve(0.5)) for name in names]
    with pytest.raises(UserError, match=words):
        import_folders(Workspace(tmp_path / "ws"), folders, arm)
    assert not (tmp_path / "ws").exists()


def test_an_arm_that_is_no_size_is_refused_beside_a_file_too(tmp_path: Path) -> None:
    folder = write_training_history(tmp_path / "amn_80k", "amn", curve(0.5))
    np.savez(tmp_path / "v.npz", vectors=np.ones((20, 64), np.float32))
    with pytest.raises(UserError, match="--arm big: is not a size"):
        import_folders(Workspace(tmp_path / "ws"), [folder], "big", tmp_path / "v.npz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "neither training_history.json nor benchmark_results.json is in it"),
        ("{", "not a training history, because it is not JSON; docs/judgement.md describes the format"),
        ("[1]", "not a training history, because it is not a JSON object"),
        ('{"epochs": [3]}', "not a training history, because the key 'history' is missing"),
        ('{"history": [3]}', "not a training history, because 'history' is not a list with an object for each epoch"),
        ('{"history": []}', "its history has no epochs"),
        ('{"history": [{"val_cosine": 1.7}]}', "val_cosine 1.7 is no cosine, which lies between -1 and 1; correct it"),
        ('{"history": [{"train_cosine": -2}]}', "train_cosine -2 is no cosine, which lies between -1 and 1"),
        ('{"history": [{}], "trained_at": "2999-01-01"}', "trained_at 2999-01-01 is not a time from 1970 to now"),
        ('{"history": [{"val_cosine": 0.5}]}', "neither the history nor the folder names a model"),
    ],
)
def test_what_is_no_history_is_refused_in_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    folder = tmp_path / "__"
    folder.mkdir()
    if content is not None:
        (folder / "training_history.json").write_text(content)
    with pytest.raises(UserError, match=words) as caught:
        read_history(folder)
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["history", "model_type", "epoch", "val_cosine", "val_loss", "trained_at", "dataset_size"]
                ),
                inner,
                max_size=7,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    folder = tmp_path_factory.mktemp("x") / "amn_80k"
    folder.mkdir()
    (folder / "training_history.json").write_text(json.dumps(document))
    try:
        history = read_history(folder)
    except UserError:
        return
    assert history.evaluations
    assert all(e.cosine is None or math.isfinite(e.cosine) for e in history.evaluations)


def test_a_history_without_figures_is_a_run_that_diverged(tmp_path: Path) -> None:
    nan = float("nan")
    folders = [
        write_training_history(tmp_path / "amn_80k", "amn", curve(0.5)),
        write_training_history(tmp_path / "amn_232k", "amn", [(nan, nan)] * 3),
    ]
    state = imported(tmp_path, folders)
    table = read_table(state)
    assert table.rows[0].verdict.sentence == "not comparable: no validation cosine of 232k"
    assert table.rows[0].rank is None
    assert state.view("amn", "expanded", 1).status.phase is Phase.DIVERGED  # type: ignore[union-attr]


def test_a_model_with_one_folder_only_is_unranked(tmp_path: Path) -> None:
    folders = [
        write_training_history(tmp_path / "amn_80k", "amn", curve(0.5)),
        write_training_history(tmp_path / "amn_232k", "amn", curve(0.51)),
        write_training_history(tmp_path / "gru_80k", "gru", curve(0.5)),
    ]
    table = read_table(imported(tmp_path, folders))
    assert [(row.model, row.rank) for row in table.rows] == [("amn", 1), ("gru", None)]
    assert table.rows[1].verdict.sentence == "not comparable: no validation cosine of 232k"


def test_two_folders_of_one_model_and_size_are_seeds(tmp_path: Path) -> None:
    folders = [
        write_training_history(tmp_path / "amn_80k_a", "amn", curve(0.50), trained_at="2025-01-01T00:00:00"),
        write_training_history(tmp_path / "amn_80k_b", "amn", curve(0.52), trained_at="2025-01-02T00:00:00"),
        write_training_history(tmp_path / "amn_232k", "amn", curve(0.51)),
    ]
    state = imported(tmp_path, folders)
    assert state.campaign.seeds == (1, 2)
    row = read_table(state).rows[0]
    assert row.baseline.cosine == pytest.approx(0.51) and row.change == pytest.approx(0)


def test_a_sixth_model_keeps_its_own_name(tmp_path: Path) -> None:
    folders = [
        write_training_history(tmp_path / "mamba2_80k", "Mamba 2 | <x>", curve(0.5)),
        write_training_history(tmp_path / "mamba2_232k", "Mamba 2 | <x>", curve(0.5)),
    ]
    assert imported(tmp_path, folders).campaign.models == ("mamba_2_x",)


def test_folders_of_one_size_with_their_vectors_can_serve_as_a_baseline(tmp_path: Path) -> None:
    folders = [
        write_training_history(tmp_path / "amn_20251016_133427", "amn", curve(0.5)),
        write_training_history(tmp_path / "gru_20251016_140000", "gru", curve(0.5), batch_size=64),
    ]
    np.savez(tmp_path / "v.npz", vectors=np.ones((20, 64), np.float32))
    workspace = Workspace(tmp_path / "ws")
    with pytest.raises(UserError, match=r"does not say what size.*--arm"):
        import_folders(workspace, folders, trained_on=tmp_path / "v.npz")
    assert not (tmp_path / "ws").exists()
    runs: list[Path] = []
    for again in (False, True):  # a second import takes other names
        first = runs[0].name if again else ""
        lines = import_folders(workspace, folders, arm="80k", trained_on=tmp_path / "v.npz")
        runs = [Path(line.removeprefix("run ")) for line in lines if line.startswith("run ")]
        specs = [read_spec(run / "spec.json") for run in runs]
        assert [(s.model, s.label, s.arm, s.campaign, s.history) for s in specs] == [
            ("amn", "80k", "baseline", "", True),
            ("gru", "80k", "baseline", "", True),
        ]
        assert [(s.recipe.epochs, s.recipe.batch_size, s.recipe.rate) for s in specs] == [
            (20, 32, 0.0005),
            (20, 64, 0.0005),
        ]
        command = "--arms expanded --models amn gru --baseline-runs"
        if again:
            assert str(runs[0]) in lines[-1] and command in lines[-1], "one can be judged"
        else:
            assert lines[-1].startswith("without weights that fit, training the other arm")
            assert command not in "".join(lines)
        torch.save({"state_dict": build("gru", 64, "small").state_dict()}, folders[1] / WEIGHTS[0])
        assert (f"taken in before as run {first}, run gru_80k" in lines[2]) is again
        other, told = lines[2 + again : 4 + again]
        assert other.startswith("v.npz has 20 vectors, but the runs are labelled 80k")
        assert told.startswith(
            f"{folders[0]}: no weights beside its history; it gets only a point estimate, no verdict"
        )
    assert len(list(workspace.models.iterdir())) == 4 and not list(workspace.campaign_dirs())


def test_weights_are_held_against_the_size_that_the_history_tells(tmp_path: Path) -> None:
    """Full size has other shapes: the message sent people to look for layers that their network never had."""
    small = build("gru", 64, "small")
    count = sum(parameter.numel() for parameter in small.parameters())
    weights = dict(small.state_dict())
    folder = write_training_history(tmp_path / "gru_a", "gru", curve(0.5), final_params=count)
    np.savez(tmp_path / "v.npz", vectors=np.ones((20, 64), np.float32))
    torch.save({"state_dict": {name: weights[name] for name in list(weights)[:-1]}}, folder / WEIGHTS[0])
    lines = import_folders(Workspace(tmp_path / "ws"), [folder], arm="1k", trained_on=tmp_path / "v.npz")
    assert f"{len(weights) - 1} weights where our model has {len(weights)}, " in "".join(lines)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder given"):
        import_folders(Workspace(tmp_path), [])


def test_all_broken_folders_are_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("gru_80k", "amn_80k"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError) as caught:
        import_folders(Workspace(tmp_path / "new"), [tmp_path / "gru_80k", tmp_path / "amn_80k"])
    assert "gru_80k: neither" in str(caught.value) and "; " in str(caught.value)
    assert "amn_80k: neither" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_sizes() -> None:
    assert [size_of(label) for label in ("80k", "1.2M", "8", "k", "")] == [80_000, 1_200_000, None, None, None]


def test_labels_decide_before_anything_is_written(tmp_path: Path) -> None:
    found = [read_history(folder) for folder in write_originals(tmp_path / "o")]
    labelled: tuple[ImportedHistory, ...] = with_arms(found)
    assert sorted({h.label for h in labelled if h.label}) == ["232k", "80k"]
    assert {h.folder.name: h.label for h in labelled}["amn_20251016_133427"] == "80k"
