"""One run, from its folder to its ending."""

from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmtui.formats.intent import write_intent
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.formats.trainer_log import (
    IN_THE_PLAN,
    CheckpointSaved,
    Evaluated,
    Exit,
    Failed,
    Finished,
    Paused,
    Started,
    Trained,
    Unknown,
)
from lvmtui.models import MODELS, REFERENCE
from lvmtui.system.files import seal_archive, sealed_digest
from lvmtui.trainer_kit import POINTS
from tests.trainers.tiny import (
    Counting,
    Interrupting,
    copy_of,
    events_of,
    plan_campaign,
    state_of,
    train_here,
    write_walk,
)
from trainers.state import load_forecaster


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The expanded run of a tiny campaign; tests copy it."""
    _, runs = plan_campaign(tmp_path_factory.mktemp("campaign"))
    return runs[1]


@pytest.fixture
def run(planned: RunDir, request: pytest.FixtureRequest) -> RunDir:
    return copy_of(planned, f"run_{abs(hash(request.node.nodeid))}")


def finished_of(folder: RunDir) -> Finished:
    finished = state_of(folder).finished
    assert finished is not None
    return finished


def test_a_run_leaves_everything_a_verdict_needs(planned: RunDir) -> None:
    run = copy_of(planned, "patient", recipe=replace(read_spec(planned.spec).recipe, patience=None))
    assert train_here(run) is Exit.FINISHED
    spec, state = read_spec(run.spec), state_of(run)
    finished = finished_of(run)
    assert finished.step == spec.total_steps and state.unknown == 0
    assert [e.step for e in state.evaluations][-1] == spec.total_steps
    assert 0 < len(state.points) <= POINTS
    assert all(later.step > earlier.step for earlier, later in zip(state.points, state.points[1:], strict=False))
    assert state.best is not None and state.best.step == finished.best_step
    assert state.best.cosine == finished.best_cosine
    with np.load(run.heldout, allow_pickle=False) as heldout:
        assert str(heldout["fingerprint"]) == spec.split_fingerprint
        for name in ("window", "cluster", "stratum", "cosine", "last_cosine", "rank"):
            assert heldout[name].shape == (spec.heldout_windows,)
        assert finished.heldout.cosine == pytest.approx(heldout["cosine"].mean(), abs=1e-6)
        assert finished.heldout.hit_5 == pytest.approx((heldout["rank"] <= 5).mean())
    assert sealed_digest(run.heldout) == finished.heldout_digest
    assert sealed_digest(run.best_model) == finished.best_digest
    assert not run.checkpoint.exists() and not run.previous_checkpoint.exists()


def test_the_best_model_can_be_used_by_others(run: RunDir) -> None:
    train_here(run)
    kept = torch.load(run.best_model, weights_only=True)
    assert kept["model"] == "amn" and kept["size"] == "small" and kept["dim"] == 16
    assert kept["metrics"]["validation_cosine"] == finished_of(run).best_cosine
    model = load_forecaster(run.best_model)
    spec = read_spec(run.spec)
    with np.load(run.path.parents[3] / spec.split / "heldout_windows.npz") as held:
        contexts = held["vectors"][held["starts"][:, None] + np.arange(5)]
        targets = torch.from_numpy(held["vectors"][held["starts"] + 5])
    with torch.no_grad():
        predicted = torch.nn.functional.normalize(model(torch.from_numpy(contexts)), dim=-1)
    assert float((predicted * targets).sum(-1).mean()) == pytest.approx(finished_of(run).heldout.cosine, abs=1e-5)


def test_training_learns(run: RunDir) -> None:
    train_here(run)
    losses = [p.loss for p in state_of(run).points]
    assert losses[-1] is not None and losses[0] is not None and losses[-1] < losses[0]


def test_another_seed_gives_other_figures(planned: RunDir, run: RunDir) -> None:
    other = copy_of(planned, "other_seed", seed=2)
    train_here(run)
    train_here(other)
    assert finished_of(run).weights_digest != finished_of(other).weights_digest


SAME = {"train_seconds", "active", "time", "latency_p50_ms", "latency_p95_ms", "peak_memory_bytes", "seconds"}


def facts(folder: RunDir) -> list[dict[str, object]]:
    """What a run found out, times left out."""
    state = state_of(folder)
    records = [*state.evaluations, finished_of(folder)]
    found = [{k: v for k, v in vars(r).items() if k not in SAME} for r in records]
    for record in found:
        record.pop("best_digest", None)  # the file names its run
    points = [(p.step, p.loss, p.cosine, p.rate) for p in state.points]
    return [*found, {"points": points}]


@pytest.mark.parametrize("recipe", ["tuned", "reference"])
@pytest.mark.parametrize("model", MODELS)
def test_pausing_anywhere_changes_nothing(tmp_path: Path, model: str, recipe: str) -> None:
    """Straight through, and paused at looks spread over the run's life (steps, evaluations, held-out): equal to the
    bit, weights, history and held-out figures."""
    _, runs = plan_campaign(tmp_path, models=(model,), recipe=recipe, epochs=1.0)
    straight = runs[1]
    orders = Counting(straight.intent)
    assert train_here(straight, orders) is Exit.FINISHED
    paused = copy_of(straight, "paused")
    left, pauses = 0, 0
    while True:
        at = 3 + 7 * (pauses % 4)
        code = train_here(paused, Interrupting(paused.intent, at))
        pauses += 1
        if code is Exit.FINISHED:
            break
        assert code is Exit.PAUSED
        assert isinstance(events_of(paused)[-1], Paused)
        assert pauses < 200
        left += at
    assert pauses > 2
    assert facts(paused) == facts(straight)
    assert sealed_digest(paused.heldout) == sealed_digest(straight.heldout)


def test_a_killed_run_goes_on_from_its_checkpoint_and_ends_the_same(planned: RunDir, run: RunDir) -> None:
    straight = copy_of(planned, "straight")
    train_here(straight)
    train_here(run, Interrupting(run.intent, 20))
    checkpointed = state_of(run).checkpoint
    assert checkpointed is not None
    # Steps after the checkpoint, logged and then lost with the process: they no longer count.
    with run.events.open("ab") as log:
        log.write(b'{"v":1,"kind":"trained","time":1,"step":999,"loss":9,"cosine":0,"rate":1,')
    assert train_here(run) is Exit.FINISHED
    state = state_of(run)
    assert state.started is not None and state.started.resumed_from == checkpointed.step
    assert facts(run) == facts(straight)


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(run: RunDir, damage: str) -> None:
    train_here(run, Interrupting(run.intent, 10))
    train_here(run, Interrupting(run.intent, 10))
    saved = [e.step for e in events_of(run) if isinstance(e, CheckpointSaved)]
    content = bytearray(run.checkpoint.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 3] ^= 1
    run.checkpoint.write_bytes(content)
    assert train_here(run) is Exit.FINISHED
    started = [e for e in events_of(run) if isinstance(e, Started)][-1]
    assert started.passed_over == ("checkpoint.pt",) and started.checkpoint == "checkpoint.prev.pt"
    assert started.resumed_from == saved[0]


def test_with_both_checkpoints_damaged_it_starts_again(run: RunDir) -> None:
    train_here(run, Interrupting(run.intent, 10))
    run.checkpoint.write_bytes(b"rubbish")
    assert train_here(run) is Exit.FINISHED
    started = [e for e in events_of(run) if isinstance(e, Started)][-1]
    assert started.resumed_from == 0 and started.checkpoint is None and started.passed_over


def test_retry_from_the_start_forgets_and_does_so_once(run: RunDir) -> None:
    train_here(run, Interrupting(run.intent, 12))
    write_intent(run.intent, "run", by="test", from_start=True)
    train_here(run, Interrupting(run.intent, 12))
    train_here(run)
    resumed = [e.resumed_from for e in events_of(run) if isinstance(e, Started)]
    assert resumed[0] == resumed[1] == 0 and resumed[2] > 0


def test_a_loss_that_is_no_number_ends_the_run_as_diverged(planned: RunDir) -> None:
    spec = read_spec(planned.spec)
    wild = copy_of(planned, "wild", recipe=replace(REFERENCE, rate=1e38, warmup_steps=0, clip=1e38, batch_size=32))
    assert spec.total_steps > 5
    assert train_here(wild) is Exit.FAILED
    failed = events_of(wild)[-1]
    assert isinstance(failed, Failed) and failed.reason == "diverged" and 1 <= failed.step <= 10
    assert f"at step {failed.step}, with the seed and the learning rate (1e+38) {IN_THE_PLAN}" in failed.message
    assert "a lower --rate" in failed.message
    free = copy_of(planned, "free", recipe=read_spec(wild.spec).recipe, deterministic=False)
    assert train_here(free) is Exit.FAILED
    last = events_of(free)[-1]
    assert isinstance(last, Failed) and IN_THE_PLAN not in last.message, "another try may take other steps"


def test_a_full_disk_is_named_and_destroys_nothing(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    train_here(run, Interrupting(run.intent, 12))
    before = sealed_digest(run.checkpoint)

    def full(content: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    assert train_here(run, Interrupting(run.intent, 5)) is Exit.NO_SPACE
    failed = events_of(run)[-1]
    assert isinstance(failed, Failed) and failed.reason == "no_space" and (failed.needed_bytes or 0) > 1000
    assert before is not None and sealed_digest(run.checkpoint) == before
    assert not list(run.path.glob(".*.part"))
    monkeypatch.undo()
    assert train_here(run) is Exit.FINISHED


def test_data_that_changed_is_refused(planned: RunDir) -> None:
    other = copy_of(planned, "other_data", train_windows=7)
    assert train_here(other) is Exit.FAILED
    failed = events_of(other)[-1]
    assert isinstance(failed, Failed) and failed.reason == "data" and "windows" in failed.message


@pytest.mark.parametrize(
    ("file", "sealed"), [("heldout_windows.npz", True), ("heldout_windows.npz", False), ("expanded.npz", False)]
)
def test_a_split_that_changed_is_refused(tmp_path: Path, file: str, sealed: bool) -> None:
    """The same number of windows, but others: they must not be judged as if they were the campaign's."""
    workspace, (_, run) = plan_campaign(tmp_path)
    changed = workspace.root / read_spec(run.spec).split / file
    with np.load(changed) as arrays:
        content = {
            name: np.roll(arrays[name], 1, axis=0) if arrays[name].ndim else arrays[name] for name in arrays.files
        }
    np.savez(changed, allow_pickle=False, **content)
    if sealed:
        seal_archive(changed)
    assert train_here(run) is Exit.FAILED
    failed = events_of(run)[-1]
    assert isinstance(failed, Failed) and failed.reason == "data" and str(changed.parent) in failed.message


def test_a_deleted_compact_store_is_made_again(tmp_path: Path) -> None:
    workspace, (first, second) = plan_campaign(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / read_spec(first.spec).data.store).iterdir()}
    shutil.rmtree(workspace.datasets)
    assert train_here(first) is Exit.FINISHED
    after = {path.name: path.read_bytes() for path in (tmp_path / read_spec(first.spec).data.store).iterdir()}
    assert after["vectors.npy"] == before["vectors.npy"] and after.keys() == before.keys()
    shutil.rmtree(workspace.datasets)
    write_walk(tmp_path / "large.npz", 60, seed=1)
    assert train_here(second) is Exit.FAILED
    failed = events_of(second)[-1]
    assert isinstance(failed, Failed) and failed.reason == "data"
    assert "large.npz: changed since the campaign was planned" in failed.message


def test_early_stopping_ends_a_run_that_gains_nothing(planned: RunDir) -> None:
    spec = read_spec(planned.spec)
    recipe = replace(spec.recipe, rate=1e-12, patience=2, correction=None, input_dropout=0, feature_dropout=0)
    still = copy_of(planned, "still", recipe=recipe, total_steps=400, evaluate_every=5)
    assert train_here(still) is Exit.FINISHED
    finished = finished_of(still)
    assert finished.stopped_early and finished.step < 400


@pytest.mark.parametrize("cut", [40, 2000, 10**9])
def test_a_finished_run_whose_log_was_cut_is_not_trained_over(run: RunDir, cut: int) -> None:
    train_here(run)
    log, weights, scores = run.events.read_bytes(), run.best_model.read_bytes(), run.heldout.read_bytes()
    run.events.write_bytes(log[: max(0, len(log) - cut)])
    for _ in range(2):
        assert train_here(run) is Exit.FAILED
        assert (run.best_model.read_bytes(), run.heldout.read_bytes()) == (weights, scores)
    failed = state_of(run).ending
    assert isinstance(failed, Failed) and failed.reason == "data" and "heldout.npz beside it" in failed.message
    write_intent(run.intent, "run", by="test", again=True, from_start=cut == 40)
    assert train_here(run) is Exit.FINISHED and run.heldout.exists(), "it was ordered since"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0))
def test_a_log_cut_at_any_byte_folds(planned: RunDir, cut: int) -> None:
    folder = RunDir(planned.path.parent / "folded")
    if not folder.path.exists():
        copy_of(planned, "folded")
        train_here(folder)
    log = folder.events.read_bytes()
    whole = log[: cut % (len(log) + 1)].split(b"\n")[:-1]
    from lvmtui.formats.trainer_log import decode_event

    events = [decode_event(line) for line in whole]
    assert not any(isinstance(e, Unknown) for e in events)
    assert all(isinstance(e, (Started, Trained, Evaluated, CheckpointSaved, Finished)) for e in events)
