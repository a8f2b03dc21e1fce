"""Another program's finished run as the baseline of a campaign: its weights judged, or its history's word."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lvmtui.datasets.baselines import write_baselines
from lvmtui.datasets.proof import prove_campaign
from lvmtui.datasets.split import read_heldout
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.results import read_comparison
from lvmtui.formats.spec import ARMS, read_spec
from lvmtui.formats.trainer_log import Evaluated, Exit, Failed
from lvmtui.legacy.importer import import_folders
from lvmtui.planning.describe import doubts_of, plan_as_text
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.report.advice import against
from lvmtui.report.contents import Report
from lvmtui.report.make import read_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system.errors import UserError
from lvmtui.verdict.answer import answer
from lvmtui.verdict.compare import compare
from lvmtui.verdict.rows import HISTORY
from lvmtui.verdict.words import Word
from tests.legacy.originals import curve, write_training_history
from tests.trainers.originals import EPOCHS, train_original, write_weights
from tests.trainers.tiny import Interrupting, events_of, state_of, train_here, write_walk
from tests.verdict.scenes import read_table
from trainers.legacy_weights import mapped, read_weights
from trainers.models import build, unit
from trainers.state import load_forecaster

pytestmark = pytest.mark.usefixtures("weights_opened_here")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vectors of both sizes and a finished run of another program on the small one."""
    root = tmp_path_factory.mktemp("original")
    write_walk(root / "large.npz", 60)
    with np.load(root / "large.npz") as large:
        np.savez(root / "small.npz", vectors=large["vectors"][: 24 * 24], article_id=large["article_id"][: 24 * 24])
    train_original(root / "amn_20251016_133427", root / "small.npz", prefix="module.")
    return root


def imported(root: Path, original: Path) -> Path:
    """Import the folder into the workspace `root`; returns the run folder that can serve as a baseline."""
    folder, vectors = original / "amn_20251016_133427", original / "small.npz"
    lines = import_folders(Workspace(root), [folder], arm="0k", trained_on=vectors)
    weights = (folder / "best_model.pt").exists()
    next_step = "train the other arm: lvmtui run --arms expanded --models " if weights else "without weights that fit, "
    assert lines[-1].startswith(next_step)
    (run,) = [Path(line.removeprefix("run ")) for line in lines if line.startswith("run ")]
    return run


def options_of(run: Path, original: Path) -> Options:
    return Options(
        expanded=str(original / "large.npz"),
        size="small",
        models=("amn",),
        threads=1,
        device="cpu",
        arms="expanded",
        baseline_runs=(str(run),),
        split_seed=1,
    )


def planned(root: Path, original: Path) -> tuple[CampaignDir, RunDir, RunDir]:
    workspace = Workspace(root)
    campaign = write_plan(make_plan(options_of(imported(root, original), original), workspace), workspace)
    baseline, expanded = (workspace.run(run) for run in campaign.runs)
    return workspace.campaign(campaign.id), baseline, expanded


def copy_of(original: Path, root: Path) -> Path:
    """The same, with a folder that a test may spoil."""
    shutil.copytree(original, root)
    return root


def test_old_weights_are_judged_on_windows_they_cannot_have_seen(tmp_path: Path, original: Path) -> None:
    before = {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}
    campaign, baseline, expanded = planned(tmp_path, original)
    assert prove_campaign(campaign)[1]
    heldout = read_heldout(campaign.split)
    with np.load(original / "small.npz") as small:
        assert (heldout.vectors @ small["vectors"].T).max() < 0.9999
    assert (heldout.stratum == 1).all()
    assert train_here(baseline) is Exit.FINISHED
    assert train_here(expanded) is Exit.FINISHED

    told, state = json.loads((original / "amn_20251016_133427/training_history.json").read_text()), state_of(baseline)
    assert [e.cosine for e in state.evaluations] == [entry["val_cosine"] for entry in told["history"]]
    best = min(told["history"], key=lambda entry: entry["val_loss"])
    assert state.finished and state.started and state.started.resumed_from == 0
    assert (state.finished.best_epoch, state.finished.best_cosine) == (best["epoch"], best["val_cosine"])

    old = build("amn", 16, "small").eval()
    weights = read_weights(original / "amn_20251016_133427/best_model.pt")[0]
    old.load_state_dict({name.removeprefix("module."): weight for name, weight in weights.items()})
    rows = torch.from_numpy(heldout.vectors)[torch.from_numpy(heldout.starts[:, None] + np.arange(6))]
    with torch.no_grad():
        cosine = float((unit(old(rows[:, :5])) * rows[:, 5]).sum(-1).mean())
        kept = load_forecaster(baseline.best_model)(rows[:, :5])
    assert state.finished.heldout.cosine == pytest.approx(cosine, abs=1e-5)
    assert torch.allclose(kept, old(rows[:, :5]), atol=1e-5)

    for arm in ARMS:
        write_baselines(campaign, arm)
    assert compare(campaign, "amn")
    found = read_comparison(campaign.comparison("amn"))
    assert found and found.change and found.baseline and found.baseline.skill
    assert {check.name for check in found.failed} <= {"equal chance to learn"}  # a walk this short has no plateau
    words = " ".join(check.words for check in found.checks)
    assert "8 epochs (updates not known)" in words and "0k as far as the history tells" in words
    campaign_state = CampaignReader(Workspace(tmp_path), campaign).refresh()
    row = read_table(campaign_state).rows[0]
    assert not row.history and row.baseline.cosine == pytest.approx(cosine, abs=1e-5)
    report = read_report(campaign_state, now=0.0)
    assert any("updates those runs took" in note for note in report.campaign_facts.notes)
    _is_told_as_another_programs(report, original / "amn_20251016_133427/training_history.json")
    run = next(run for run in report.runs if run.arm == "baseline")
    assert run.imported_from and run.heldout and run.latency_p50_ms and run.best_digest and run.seconds is None
    assert before == {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}


def _is_told_as_another_programs(report: Report, history: Path) -> None:
    """Only the 1k run is said to be trained by our code; the 0k run leads back to where it was imported from."""
    md = markdown(page_of(report))
    digest = hashlib.sha256(history.read_bytes()).hexdigest()[:8]
    assert f"| AMN 0k | `{history}` | `{digest}` " in md and "all runs but those of 0k (another program's" in md
    assert re.search(r"\| training windows +\| +at most 571 \| +912 \|", md)
    assert "- Versions of AMN 1k: " in md and "- Device of AMN 1k: " in md and "(all runs)" not in md
    assert "both trained by 'reference', as far as the history of 0k tells" in md
    assert "training code" not in report.runs[0].versions and "training code" in report.runs[1].versions


def test_the_plan_says_what_is_not_known(tmp_path: Path, original: Path) -> None:
    asked = options_of(imported(tmp_path, original), original)
    plan = make_plan(asked, Workspace(tmp_path))
    base, full = plan.specs
    assert (base.arm, base.total_steps, base.steps_per_epoch, base.validation_windows) == ("baseline", EPOCHS, 1.0, 0)
    assert base.recipe == full.recipe  # trained as the original was
    assert (full.recipe.name, full.recipe.epochs, full.recipe.rate) == ("reference", EPOCHS, 0.002)
    assert base.train_windows == 24 * 24 - 5  # every window there is, across articles too
    assert len(plan.campaign.notes) == 1
    text = plan_as_text(plan)
    assert "1 only loads the weights of another program's" in text and "which windows they validated on" in text
    assert "; at most 571 windows to train, – to validate, 0 left out" in text
    crowded = make_plan(replace(asked, jobs=3), Workspace(tmp_path))
    assert crowded.campaign.jobs == 2 and "2 runs side by side" in plan_as_text(crowded), "both are processes"
    other = replace(asked, epochs=3.0)
    with pytest.raises(UserError, match=r"AMN would be trained differently from those runs \(epochs 8\.0 and 3\.0"):
        make_plan(other, Workspace(tmp_path))


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_run_that_leaves_is_taken_up_again(tmp_path: Path, original: Path, at: int) -> None:
    """While it proves the weights, before it judges them, and while it does."""
    _, baseline, _ = planned(tmp_path, original)
    assert train_here(baseline, Interrupting(baseline.intent, at)) is Exit.PAUSED
    assert train_here(baseline) is Exit.FINISHED
    state = state_of(baseline)
    assert state.finished and len(state.evaluations) == EPOCHS and state.attempts == 2


def test_weights_that_refute_their_history_leave_nothing_to_compare(tmp_path: Path, original: Path) -> None:
    spoiled = copy_of(original, tmp_path / "original")
    folder = spoiled / "amn_20251016_133427"
    weights, cosine = read_weights(folder / "best_model.pt")
    assert cosine is not None
    write_weights(folder, {name: weight * 1.5 - 0.3 for name, weight in weights.items()}, 8, cosine)
    campaign, baseline, expanded = planned(tmp_path / "ws", spoiled)
    assert train_here(baseline) is Exit.FAILED
    failed = events_of(baseline)[-1]
    assert isinstance(failed, Failed) and failed.reason == "data" and "its history says" in failed.message
    table = read_table(CampaignReader(Workspace(tmp_path / "ws"), campaign).refresh())
    assert table.rows[0].verdict.word is Word.PROVISIONAL and "1k queued" in table.rows[0].verdict.reason
    assert train_here(expanded) is Exit.FINISHED
    table = read_table(CampaignReader(Workspace(tmp_path / "ws"), campaign).refresh())
    (row,) = table.rows
    assert row.history and row.verdict.word is Word.NOT_COMPARABLE and (row.change, row.moved) == (None, None)
    assert row.verdict.reason == failed.message and row.baseline.cosine is None
    assert answer(table) == f"No answer: AMN allows no fair comparison ({failed.message})." and not against(row, table)


def test_without_weights_there_is_the_history_only(tmp_path: Path, original: Path) -> None:
    bare = copy_of(original, tmp_path / "original")
    (bare / "amn_20251016_133427/best_model.pt").unlink()
    campaign, baseline, expanded = planned(tmp_path / "ws", bare)
    told, trained = read_spec(baseline.spec), read_spec(expanded.spec)
    assert told.history and (told.size, trained.size, told.dim) == ("small", "small", 16), "it has that many parameters"
    assert train_here(expanded) is Exit.FINISHED
    assert compare(campaign, "amn")
    state = CampaignReader(Workspace(tmp_path / "ws"), campaign).refresh()
    row = read_table(state).rows[0]
    assert row.verdict.word is Word.POINT_ESTIMATE and row.verdict.reason == HISTORY
    page = markdown(page_of(read_report(state, now=0.0)))
    (found,) = (line for line in page.splitlines() if line.startswith("- Fair comparison"))
    assert found.startswith(
        "- Fair comparison, found for AMN when compared: 0k: a history, of which nothing was judged "
    )
    assert "both trained by 'reference', as far as the history of 0k tells" in found and "Recipes differ" not in page
    assert not any(words in found for words in ("both judged", "both scored", "held-out vectors", "different"))


def test_beside_runs_that_are_judged_a_history_has_no_held_out_cosine(tmp_path: Path, original: Path) -> None:
    bare = write_training_history(tmp_path / "lstm_20251016_133500", "lstm", curve(0.9))
    workspace = Workspace(tmp_path)
    folders = [original / "amn_20251016_133427", bare]
    lines = import_folders(workspace, folders, arm="0k", trained_on=original / "small.npz")
    runs = tuple(line.removeprefix("run ") for line in lines[::-1] if line.startswith("run "))
    options = replace(options_of(Path(runs[0]), original), models=("amn", "lstm"), baseline_runs=runs, size="auto")
    *_, bare_note, network = (campaign := write_plan(make_plan(options, workspace), workspace)).notes
    assert "history of LSTM" in bare_note and "parameters than that of LSTM (5,120,768, not " in network
    assert [(run.model, run.arm, run.trained_here) for run in campaign.runs] == [
        ("amn", "baseline", True),
        ("amn", "expanded", True),
        ("lstm", "baseline", False),
        ("lstm", "expanded", True),
    ]
    assert train_here(workspace.run(campaign.runs[0])) is Exit.FINISHED
    table = read_table(CampaignReader(workspace, workspace.campaign(campaign.id)).refresh())
    judged, history = table.row("amn"), table.row("lstm")
    assert judged and history and history.history and not judged.history and not table.histories
    assert judged.baseline.cosine is not None and judged.baseline.cosine != judged.baseline.validation
    assert (history.baseline.cosine, history.baseline.validation) == (None, 0.9)


def test_without_the_vectors_nothing_can_be_held_out(tmp_path: Path, original: Path) -> None:
    import_folders(
        Workspace(tmp_path),
        [original / "amn_20251016_133427", copy_of(original / "amn_20251016_133427", tmp_path / "amn_1k")],
        arm="0k",
    )
    (run,) = (tmp_path / "artifacts/lvm/models").glob("amn_0k_*")
    with pytest.raises(UserError, match="import it again with --trained-on"):
        make_plan(options_of(run, original), Workspace(tmp_path))


def test_weights_that_do_not_fit_are_told_when_they_are_imported_and_refused_by_the_plan(
    tmp_path: Path, original: Path
) -> None:
    """Nothing is trained beside them: imported, they are a history; changed since, the plan opens them again."""
    spoiled, workspace = copy_of(original, tmp_path / "original"), Workspace(tmp_path / "ws")
    folder = spoiled / "amn_20251016_133427"
    run = imported(workspace.root, spoiled)
    assert read_spec(run / "spec.json").size == "small", "of the two sizes the one that they fit"
    options = options_of(run, spoiled)
    with pytest.raises(UserError, match=r"^--baseline-runs .*its weights are those of --size small, not full; give"):
        make_plan(replace(options, size="full"), workspace)
    weights = read_weights(folder / "best_model.pt")[0]
    write_weights(folder, {**weights, "extra": torch.zeros(2, 9)}, 8, 0.5)
    with pytest.raises(
        UserError, match=r" of our reference recipe \(for vectors of 16 numbers\); import its folder again"
    ):
        make_plan(options, workspace)
    lines = import_folders(workspace, [folder], arm="0k", trained_on=spoiled / "small.npz")
    assert lines[-1].startswith("without weights that fit, training the other arm gives no verdict")
    assert f"{folder / 'best_model.pt'}: " in lines[-2] and "numbers); it gets only a point estimate" in lines[-2]
    plan = make_plan(replace(options, baseline_runs=(lines[0].removeprefix("run "),)), workspace)
    assert "so it gets only a point estimate" in " ".join(plan.campaign.notes)
    assert doubts_of(plan, workspace)[-1].startswith("no verdict: the --baseline-runs are histories without weights")
    with_weights = make_plan(options_of(imported(workspace.root, original), original), workspace)
    assert not any("histories" in doubt for doubt in doubts_of(with_weights, workspace))


def test_weights_of_another_run_are_refused(tmp_path: Path, original: Path) -> None:
    spoiled = copy_of(original, tmp_path / "original")
    folder = spoiled / "amn_20251016_133427"
    campaign, baseline, expanded = planned(tmp_path / "ws", spoiled)
    write_weights(folder, read_weights(folder / "best_model.pt")[0], 8, 0.123)
    assert train_here(baseline) is Exit.FAILED and train_here(expanded) is Exit.FINISHED
    failed = events_of(baseline)[-1]
    assert isinstance(failed, Failed) and "at no epoch of the history" in failed.message
    state = CampaignReader(Workspace(tmp_path / "ws"), campaign).refresh()
    row, steps = read_table(state).rows[0], read_report(state, now=0.0).next_steps
    assert not state.runs[0].retry_helps and any("A retry of AMN alone would fail again" in step for step in steps)
    assert "For a verdict, train both arms here (lvmtui run --baseline SMALL --expanded LARGE)." in steps, steps
    assert row.history and row.verdict.word is Word.POINT_ESTIMATE and row.interval is None
    assert row.verdict.reason == f"{HISTORY}; {failed.message}"
    best = min((e for e in events_of(baseline) if isinstance(e, Evaluated)), key=lambda e: e.loss or 9)
    assert row.baseline.cosine == best.cosine


# Names ----------------------------------------------------------------------------------------------------------------


def same(model: torch.nn.Module, found: dict[str, Tensor]) -> bool:
    """Mapped, they are the model's own weights again."""
    own, given = model.state_dict(), mapped(model, found)
    return set(own) == set(given) and all(torch.equal(own[name], given[name]) for name in own)


@pytest.mark.parametrize("model", ["amn", "lstm", "gru", "transformer", "graphmert_lvm"])
def test_names_that_are_ours_or_wrapped_or_in_our_order(model: str) -> None:
    network = build(model, 16, "small")
    own = network.state_dict()
    assert same(network, dict(reversed(own.items())))
    assert same(network, {f"module._orig_mod.{name}": weight for name, weight in own.items()})
    assert same(network, {f"part_{i}": weight for i, weight in enumerate(own.values())})


def test_shapes_that_occur_once_need_no_order() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 7, bias=False))
    own = network.state_dict()
    assert same(network, {f"x{i}": weight for i, weight in enumerate(reversed(own.values()))})


def test_constants_and_leading_ones_are_no_weights() -> None:
    network = build("transformer", 16, "small")
    table = torch.cat([network.positions_TW, torch.zeros(3, 128)])[None]  # type: ignore[list-item]
    found: dict[str, Tensor] = {f"t.{name}": weight for name, weight in network.state_dict().items()}
    assert same(network, {"t.pe": table, **found})
    with pytest.raises(UserError, match="our model has"):
        mapped(network, {"t.pe": table + 1, **found})


def test_another_order_of_equal_shapes_is_refused() -> None:
    network = build("lstm", 16, "small")
    own = list(network.state_dict().values())
    with pytest.raises(UserError, match="ambiguous"):
        mapped(network, {f"x{i}": weight for i, weight in enumerate([*own[1:], own[0]])})


def test_names_that_contradict_their_places_are_refused() -> None:
    """Queries and keys have one shape; whose code makes the keys first has them in each other's places."""
    network = build("amn", 16, "small")
    names = {"query": "key_proj", "key": "query_proj", "correct": "mlp"}
    found = {f"{names[n.split('.')[0]]}.{n.partition('.')[2]}": w for n, w in network.state_dict().items()}
    with pytest.raises(UserError, match=r"key_proj\.weight stands where our model has query\.weight.*ambiguous"):
        mapped(network, found)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda w: {k: v for k, v in w.items() if "key" not in k}, "not the architecture of our reference recipe"),
        (lambda w: {**w, "extra": torch.zeros(2, 9)}, "not the architecture of our reference recipe"),
        (lambda w: {**w, "key.weight": w["key.weight"].T}, "not the architecture of our reference recipe"),
        (lambda w: {**w, "key.bias": w["key.bias"] / 0}, "not finite"),
    ],
)
def test_weights_that_are_not_ours_are_refused(spoil: Any, words: str) -> None:
    network = build("amn", 16, "small")
    with pytest.raises(UserError, match=words) as caught:
        mapped(network, spoil(network.state_dict()))
    assert "\n" not in str(caught.value)


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("how", ["torch", "pickle", "text", "nothing"])
def test_a_file_that_holds_more_than_weights_is_refused(tmp_path: Path, how: str) -> None:
    trap, path = tmp_path / "trap", tmp_path / "best_model.pt"
    match how:
        case "torch":
            torch.save({"model_state_dict": {"x": torch.zeros(2)}, "model_config": Hostile(str(trap))}, path)
        case "pickle":
            path.write_bytes(pickle.dumps(Hostile(str(trap))))
        case "text":
            path.write_text("weights\x1b[2J")
        case _:
            torch.save({"epoch": 3}, path)
    with pytest.raises(UserError, match=r"best_model\.pt: ") as caught:
        read_weights(path)
    assert not trap.exists() and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_numbers_of_numpy_are_read(tmp_path: Path) -> None:
    write_weights(tmp_path, {"x": torch.zeros(2)}, 3, 0.5)
    assert read_weights(tmp_path / "best_model.pt")[1] == 0.5
