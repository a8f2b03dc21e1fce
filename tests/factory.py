"""Campaigns and run folders as planner, trainer and supervisor would have left them, without training anything.

    campaign = make_campaign(tmp_path, models=("amn", "gru"), seeds=(1,))
    bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
    bring_to(tmp_path, campaign, "amn", "expanded", state="running", fraction=0.4)

`bring_to` knows the states a person tells apart; `History` (`tests/history.py`) is underneath, for anything else.
Everything is repeatable: no clock, no chance.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.campaign import ArmFacts, Campaign, PlannedRun, write_campaign
from lvmtui.formats.data_facts import TrivialBaselines, TrivialScore
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.live import Pulse, read_pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, ArmData, ArmName, Recipe, RunSpec, write_spec
from lvmtui.formats.supervisor_log import Stopped
from lvmtui.formats.trainer_log import (
    Cancelled,
    Failed,
    Interrupted,
    Paused,
)
from lvmtui.models import MODELS, recipe_for
from lvmtui.system.process_id import Identity, boot_id, host_name, own_identity
from tests.history import START, VERSIONS, Curve, History, forward_scores

STAMP = "20261122_134500"
FINGERPRINT = "5b1f" * 16
"""Of the held-out windows of every campaign made here."""
NOBODY = (1 << 22) + 1
"""A process number no Linux kernel gives out."""

State = Literal[
    "queued", "starting", "running", "evaluating", "stalled", "pausing", "paused", "resumed", "cancelling", "cancelled",
    "interrupted", "restarted", "killed", "no space", "failed", "gave up", "diverged", "collapsed", "finished",
    "unknown",
]  # fmt: skip


# Campaigns ------------------------------------------------------------------------------------------------------------


def shown_recipe(name: str, model: str) -> Recipe:
    """The recipe, with figures of `tuned` that stay: pictures of scenes are not to change whenever it gets better."""
    recipe = recipe_for(name, model)
    if name != "tuned":
        return recipe
    rate = 1e-3 if model == "graphmert_lvm" else 2e-3
    recipe = replace(recipe, input_dropout=0.3, feature_dropout=0.3, evaluations=20, patience=8)
    return replace(recipe, correction=0.05, epochs=5, rate=rate, average=0.99)


def make_campaign(  # noqa: PLR0913  any field of a campaign may matter to a test
    workspace: Workspace | Path,
    *,
    models: Iterable[str] = MODELS,
    seeds: Iterable[int] = (1,),
    labels: tuple[str, str] = ("8k", "23k"),
    stamp: str = STAMP,
    created: float = START,
    total_steps: int = 1200,
    jobs: int = 2,
    threads: int = 1,
    recipe: str = "tuned",
    stall_timeout: float | None = None,
    on_event: tuple[str, ...] = (),
    heldout_windows: int = 2292,
    heldout_clusters: int = 91,
    notes: tuple[str, ...] = (),
    fingerprint: str = FINGERPRINT,
    engine: str = "local",
    engine_settings: Mapping[str, tuple[str, ...]] = {},
) -> Campaign:
    """Write `campaign.json` and a run folder with its spec for every model, arm and seed; all runs are queued."""
    workspace = _workspace(workspace)
    models, seeds = tuple(models), tuple(seeds)
    id_ = f"{labels[0]}_vs_{labels[1]}_{stamp}"
    folder = workspace.campaign(id_)
    folder.path.mkdir(parents=True)
    workspace.models.mkdir(parents=True, exist_ok=True)
    workspace.logs.mkdir(parents=True, exist_ok=True)
    facts = {
        "baseline": _arm_facts(labels[0], "baseline", 8280, 41, 6394, 911, 138),
        "expanded": _arm_facts(labels[1], "expanded", 23264, 890, 17204, 1862, 412),
    }
    runs: list[PlannedRun] = []
    for seed in seeds:
        for model in models:
            for arm in ARMS:
                many = f"_s{seed}" if len(seeds) > 1 else ""
                name = f"{model}_{facts[arm].label}{many}_{stamp}"
                planned = PlannedRun(name, f"artifacts/lvm/models/{name}", model, arm, seed)
                workspace.run(planned).path.mkdir()
                spec = RunSpec(
                    run=name,
                    campaign=id_,
                    model=model,
                    size="small",
                    arm=arm,
                    label=facts[arm].label,
                    seed=seed,
                    dim=384,
                    context=5,
                    recipe=(trained := shown_recipe(recipe, model)),
                    data=facts[arm].data,
                    split=f"artifacts/lvm/campaigns/{id_}/split",
                    split_fingerprint=fingerprint,
                    train_windows=facts[arm].train_windows,
                    validation_windows=facts[arm].validation_windows,
                    heldout_windows=heldout_windows,
                    total_steps=total_steps,
                    evaluate_every=max(1, total_steps // trained.evaluations),
                    device="cpu",
                    threads=threads,
                    deterministic=True,
                )
                write_spec(workspace.run(planned).spec, spec)
                runs.append(planned)
    campaign = Campaign(
        id=id_,
        created=created,
        baseline=facts["baseline"],
        expanded=facts["expanded"],
        dim=384,
        context=5,
        models=models,
        size="small",
        recipe=recipe,
        seeds=seeds,
        heldout_windows=heldout_windows,
        heldout_clusters=heldout_clusters,
        split_fingerprint=fingerprint,
        jobs=jobs,
        threads=threads,
        device="cpu",
        runs=tuple(runs),
        by="ada@analytical",
        versions=VERSIONS,
        stall_timeout=stall_timeout,
        on_event=on_event,
        notes=notes,
        engine=engine,
        engine_settings=dict(engine_settings),
    )
    write_campaign(folder.campaign, campaign)
    return campaign


def planned_run(campaign: Campaign, model: str, arm: ArmName, seed: int | None = None) -> PlannedRun:
    """A run of the campaign; `seed` None: of its first seed."""
    seed = campaign.seeds[0] if seed is None else seed
    return next(p for p in campaign.runs if (p.model, p.arm, p.seed) == (model, arm, seed))


def write_trivial(workspace: Workspace | Path, campaign: Campaign, arm: ArmName) -> TrivialBaselines:
    """Leave the trivial baselines' scores of an arm, near those of the bundled vectors."""
    folder = _workspace(workspace).campaign(campaign.id)
    ridge, recency = (0.4549, 0.5166) if arm == "baseline" else (0.5003, 0.5171)
    figures = {"copy_last": 0.412, "mean": 0.5064, "recency_mean": recency, "constant_mean": 0.2512, "ridge": ridge}
    margins = {"copy_last": -0.588, "mean": -0.164, "recency_mean": -0.191, "constant_mean": 0.0, "ridge": 0.031}
    trivial = TrivialBaselines(
        arm=arm,
        fingerprint=campaign.split_fingerprint,
        windows=campaign.heldout_windows,
        scores={
            name: TrivialScore(value, margins[name], *(round(h * value / 0.5064, 4) for h in (0.041, 0.131, 0.204)))
            for name, value in figures.items()
        },
        validation_mean=0.5071,
        validation_cosines={**figures, "mean": 0.5071, "recency_mean": 0.5112 if arm == "baseline" else 0.5118},
        recency_weights=(0.121, 0.146, 0.178, 0.231, 0.324),
        seconds=3.2,
        spread_mean=0.61,
        echo_margin=-0.586,
        mean_margin=-0.163,
        forward={name: forward_scores(value, margins[name]) for name, value in figures.items()},
    )
    folder.baselines.mkdir(exist_ok=True)
    write_document(folder.baseline_scores(arm), trivial)
    return trivial


# Runs in every state --------------------------------------------------------------------------------------------------


def bring_to(  # noqa: C901, PLR0912, PLR0913, PLR0915  a story with one step for each state
    workspace: Workspace | Path,
    campaign: Campaign,
    model: str,
    arm: ArmName,
    seed: int | None = None,
    *,
    state: State = "finished",
    fraction: float = 0.5,
    began: float = START + 30,
    seconds_per_step: float = 0.05,
    curve: Curve | None = None,
    best: float | None = None,
    process: Identity | None = None,
    heldout: bool = False,
) -> History:
    """Write a queued run's folder on until `status_of` says `state`.

    `fraction`: how far a run that is not over has come. `best`: its best cosine. `process`: who runs it; the states
    that need a living process take the calling one. `heldout`: a finished run gets its `heldout.npz` (needs numpy).
    """
    workspace = _workspace(workspace)
    planned = planned_run(campaign, model, arm, seed)
    alive = state in ("starting", "running", "evaluating", "stalled", "pausing", "cancelling")
    if process is None:
        process = own_identity() if alive else Identity(host_name(), boot_id(), NOBODY, 1)
    if state == "unknown":
        process = replace(process, host="node17", boot_id="c0ffee")
    if curve is None:
        curve = Curve(usual_best(model, arm) if best is None else best, seed=planned.seed)
    if state == "collapsed":
        curve = replace(curve, collapses_at=0.3)
    run = History(workspace.run(planned), began, process, curve, seconds_per_step)
    if state == "queued":
        return run
    run.launch()
    if state == "gave up":
        for _ in range(3):
            run.die("killed by signal 11")
            run.launch()
        run.give_up("died 3 times at the same place; last words: Segmentation fault")
        return run
    run.start()
    if state == "starting":
        run.digits("starting")
        return run
    run.train(round(run.spec.total_steps * (1.0 if state in ("finished", "collapsed") else fraction)))
    match state:
        case "evaluating":
            run.digits("evaluating")
        case "stalled":  # the supervisor says so in its pulse
            known = read_pulse(workspace.pulse)
            stalled = (*(known.stalled if known else ()), planned.run)
            write_live(workspace.pulse, Pulse(time.time(), 1, stalled=stalled))
        case "pausing":
            run.want("pause")
        case "paused" | "resumed":
            run.want("pause")
            run.end(Paused(run.time, run.step, run.active))
            if state == "resumed":
                run.want("run")
        case "cancelling":
            run.want("cancel")
        case "cancelled":
            run.want("cancel")
            run.end(Cancelled(run.time, run.step, run.active))
            run.record(Stopped(run.time, run.generation, ()))
        case "interrupted":
            run.end(Interrupted(run.time, run.step, "TERM", run.active))
        case "restarted":
            run.die("the machine restarted", counts=False)
        case "killed":
            run.die("killed for memory")
        case "no space":
            message = "the disk is full: 8.4 MB are needed for a checkpoint"
            run.end(Failed(run.time, run.step, "no_space", message, run.active, 8_400_000))
        case "failed":
            message = f"{run.spec.data.file}: changed since the run was planned; restore it or plan again"
            run.end(Failed(run.time, run.step, "data", message, run.active))
        case "diverged":
            message = f"loss is not finite at step {run.step}"
            run.end(Failed(run.time, run.step, "diverged", message, run.active))
        case "finished" | "collapsed":
            run.finish(heldout=heldout)
        case _:
            pass
    return run


def usual_best(model: str, arm: str) -> float:
    """Best cosine of a model on an arm of the bundled vectors, about."""
    usual = {
        "amn": (0.5189, 0.5269),
        "lstm": (0.5142, 0.5190),
        "gru": (0.5176, 0.5243),
        "transformer": (0.5161, 0.5236),
    }
    return usual.get(model, (0.5168, 0.5251))[ARMS.index(arm)]


def _arm_facts(label: str, arm: str, vectors: int, articles: int, train: int, valid: int, dropped: int) -> ArmFacts:
    fingerprint = hashlib.sha256(f"{arm} {vectors}".encode()).hexdigest()
    data = ArmData("bundled", "artifacts/lvm/datasets/5b1f0c3e", (0, vectors), fingerprint)
    return ArmFacts(label, data, vectors, articles, train, valid, dropped)


def _workspace(workspace: Workspace | Path) -> Workspace:
    return workspace if isinstance(workspace, Workspace) else Workspace(workspace)
