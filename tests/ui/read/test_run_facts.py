"""Every state has its own word, and alarms speak louder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.cli.status import rows_of
from lvmtui.formats.campaign import write_campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import read_spec, write_spec
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.state.status import Phase, Status
from lvmtui.ui.draw.curves import x_unit
from lvmtui.ui.read.run_facts import why_it_stands
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.read.source import SnapshotSource
from lvmtui.verdict.ranking import Judgement
from tests.factory import bring_to, make_campaign, write_trivial
from tests.ui.showcase import NOW, every_state

WORDS = {
    "queued": ("○", "queued"),
    "starting": ("▸", "starting"),
    "running": ("▸", "epoch"),
    "evaluating": ("▸", "epoch"),
    "pausing": ("◌", "pausing"),
    "paused": ("‖", "paused"),
    "cancelling": ("◌", "cancelling"),
    "cancelled": ("✗", "cancelled"),
    "interrupted": ("◌", "interrupted"),
    "killed": ("◌", "interrupted"),
    "no_space": ("!", "no space"),
    "failed": ("✗", "failed"),
    "gave_up": ("✗", "failed"),
    "diverged": ("✗", "diverged"),
    "collapsed": ("✗", "collapsed"),
    "finished": ("✓", "finished"),
    "unknown": ("?", "unknown"),
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = tmp_path_factory.mktemp("states")
    every_state(root)
    found = SnapshotSource(Workspace(root), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None
    return found


@pytest.mark.parametrize("state", WORDS)
def test_a_state_is_told_by_word_and_glyph(snapshot: Snapshot, state: str) -> None:
    run = next(run for run in snapshot.runs if run.view.planned.model == state and run.arm == "baseline")
    glyph, word = WORDS[state]
    assert (run.glyph, run.word.split(" ")[0] if state in ("running", "evaluating") else run.word) == (
        glyph,
        word if state not in ("paused", "pausing") else f"{word} {100 * run.share:.0f} %",
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("failed", "changed since the run was planned"),
        ("gave_up", "Segmentation fault"),
        ("diverged", "not finite"),
        ("no_space", "disk is full"),
        ("killed", "killed for memory"),
        ("finished", ""),
        ("running", ""),
    ],
)
def test_last_words_of_what_went_wrong(snapshot: Snapshot, state: str, words: str) -> None:
    run = next(run for run in snapshot.runs if run.view.planned.model == state and run.arm == "baseline")
    said = why_it_stands(run)
    assert words in said if words else said == ""


def test_a_run_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline")
    run.folder.spec.write_text("{")
    snapshot = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert snapshot is not None
    assert snapshot.runs[0].word == "missing" and "spec" in why_it_stands(snapshot.runs[0])
    assert snapshot.runs[0].trouble.startswith("spec.json: "), "where the file is would fill the line"
    assert snapshot.runs[1].word == "queued"


def test_a_run_that_waits_says_what_for(tmp_path: Path) -> None:
    make_campaign(tmp_path, models=("amn",))
    snapshot = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert snapshot is not None
    run = snapshot.runs[0]
    assert run.word == "queued" and run.trouble == why_it_stands(run) == ""
    told = replace(run, view=replace(run.view, status=Status(Phase.QUEUED, "in the queue: \x1b[2JResources")))
    assert told.trouble == why_it_stands(told) == "in the queue: Resources"
    assert told.trouble_style == "note"


def test_a_snapshot_reuses_what_has_not_changed(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    write_trivial(tmp_path, campaign, "baseline")
    for model in campaign.models:
        bring_to(tmp_path, campaign, model, "baseline", state="paused")
    source = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None)
    first, again = source.look(), source.look()
    assert first is not None and again is not None
    assert all(a.state is b.state for a, b in zip(first.runs, again.runs, strict=True))
    bring_to(tmp_path, campaign, "gru", "expanded", state="finished")
    third = source.look()
    assert third is not None
    assert third.run(first.runs[3].name).word == "finished"  # type: ignore[union-attr]
    assert third.runs[0].state is first.runs[0].state


def test_a_run_of_ones_own_model_is_called_by_title_and_context(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("mine@5", "mine@10"))
    path = Workspace(tmp_path).campaign(campaign.id).campaign
    path.unlink()
    write_campaign(path, replace(campaign, titles={"mine": "Mixer"}))
    found = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None
    assert [run.title for run in found.runs] == ["Mixer@5", "Mixer@5", "Mixer@10", "Mixer@10"]


@pytest.mark.parametrize(
    ("own", "known", "word"),
    [
        (OwnTrainer("kit", "true", "/"), False, "step 600"),
        (OwnTrainer("lines", "true", "/", (r"step (?P<step>\d+)",)), False, "step 600"),
        (OwnTrainer("lines", "true", "/", (r"epoch (?P<epoch>\d+)",)), True, "epoch 13/24"),
    ],
)
def test_epochs_are_shown_only_where_they_are_known(tmp_path: Path, own: OwnTrainer, known: bool, word: str) -> None:
    """A script chooses its own batch size, so steps over that of the recipe are no epochs."""
    campaign = make_campaign(tmp_path, models=("mine",))
    run = bring_to(tmp_path, campaign, "mine", "baseline", state="running", fraction=0.5)
    spec = replace(run.spec, own_trainer=own)
    run.folder.spec.unlink()
    write_spec(run.folder.spec, spec)
    found = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None and found.runs[0].word == word and (found.runs[0].epoch_words != "") is known
    row = rows_of(found.state, found.eta, Judgement(found.state))[0]
    assert row.epoch.startswith("step 600/1200") is not known
    assert (spec.epoch_of(600) > 0) is known


def test_a_trainer_that_tells_epochs_is_drawn_over_epochs(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("mine",))
    found = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None and x_unit(found.runs) == "step"
    for planned in campaign.runs:
        path = Workspace(tmp_path).run(planned).spec
        spec = replace(read_spec(path), own_trainer=OwnTrainer("mine", "true", "/", unit="epoch"))
        path.unlink()
        write_spec(path, spec)
    found = SnapshotSource(Workspace(tmp_path), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None and x_unit(found.runs) == "epoch"
