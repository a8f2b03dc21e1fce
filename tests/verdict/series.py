"""Runs made of nothing but their evaluations, for the judges of health and trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lvmtui.formats.data_facts import TrivialBaselines, TrivialScore
from lvmtui.formats.spec import ArmData, RunSpec
from lvmtui.formats.trainer_log import Evaluated, Failed, Finished, HeldoutScores, Started
from lvmtui.models import recipe_for
from lvmtui.state.run_state import RunState, TrainerState
from lvmtui.system.process_id import own_identity

SPEC = RunSpec(
    run="gru_8k", campaign="c", model="gru", size="small", arm="baseline", label="8k", seed=1, dim=384, context=5,
    recipe=recipe_for("tuned", "gru"), data=ArmData("bundled", "", (0, 8280), ""), split="", split_fingerprint="f",
    train_windows=6400, validation_windows=900, heldout_windows=2200, total_steps=1200, evaluate_every=100,
    device="cpu", threads=1, deterministic=True,
)  # fmt: skip

BEGAN = Started(0.0, own_identity(), 0, 0, None, (), 0.0, 1, "cpu", {})

TRIVIAL = TrivialBaselines(
    arm="baseline", fingerprint="f", windows=2200,
    scores={
        "copy_last": TrivialScore(0.428, -0.572, 0, 0, 0),
        "mean": TrivialScore(0.506, -0.163, 0, 0, 0),
        "recency_mean": TrivialScore(0.517, -0.19, 0, 0, 0),
    },
    validation_mean=0.507, recency_weights=(0.15, 0.14, 0.16, 0.21, 0.34), seconds=1.0,
    spread_mean=0.65, echo_margin=-0.58, mean_margin=-0.16,
)  # fmt: skip


def evaluated(
    place: int,
    cosine: float | None,
    train: float | None = None,
    *,
    spread: float | None = 0.5,
    margin: float | None = -0.1,
    last_cosine: float | None = None,
    best: bool = True,
    loss: float | None = None,
) -> Evaluated:
    """The evaluation number `place` (from 1) of twelve."""
    if cosine is not None:
        loss = 1 - cosine if loss is None else loss
        last_cosine = cosine - margin if last_cosine is None and margin is not None else last_cosine
    train_loss = None if train is None else 1 - train
    return Evaluated(
        1e9 + place, 100 * place, float(place), loss, cosine, margin, last_cosine, spread, train_loss, train,
        1e-3, best, 0.5, 10.0 * place,
    )  # fmt: skip


def run_of(evaluations: Sequence[Evaluated], *, over: bool | None = None, heldout: float | None = None) -> RunState:
    """A run with these evaluations; `over` None: if they reach its last step. `heldout`: its cosine there."""
    known = [e for e in evaluations if e.cosine is not None]
    over = bool(evaluations) and evaluations[-1].step >= SPEC.total_steps if over is None else over
    ending = None
    if over and known:
        best = max(known, key=lambda e: e.cosine or 0)
        cosine = best.cosine if heldout is None else heldout
        assert cosine is not None
        scores = HeldoutScores(2200, cosine, -0.1, 0.6, 0.5, 0.05, 0.1, 0.2)
        last = evaluations[-1]
        ending = Finished(
            last.time + 2, last.step, last.step < SPEC.total_steps, best.step, best.epoch, best.cosine or 0, scores,
            1.0, 2.0, 100.0, 0, "", "", "", last.active + 2,
        )  # fmt: skip
    return RunState(SPEC, trainer=TrainerState(starts=(BEGAN,), ending=ending, evaluations=tuple(evaluations)))


def diverged(run: RunState, step: int) -> RunState:
    """The same run after its loss stopped being a number."""
    failed = Failed(1e9, step, "diverged", f"the loss became nan at step {step}", 10.0)
    return replace(run, trainer=replace(run.trainer, ending=failed))
