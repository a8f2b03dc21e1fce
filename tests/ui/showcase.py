"""Campaigns as the screens are tested, measured and pictured with: every state at once, the end, many models."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.system.files import append_line, replace_file
from lvmtui.system.process_id import Identity, own_identity
from lvmtui.verdict.compare import compare
from tests.factory import State, bring_to, make_campaign, planned_run, write_trivial
from tests.history import START, Curve, hold

NOW = START + 260.0
"""The frozen clock of the pictures: four minutes after the campaign began."""


def middle(root: Path, process: Identity | None = None) -> Campaign:
    """A campaign half way: two models done, one paused, one running, one collapsed, the rest queued."""
    campaign = _copied(root, _half_way, process)
    for lock in (Workspace(root).run(run).lock for run in campaign.runs):
        if lock.exists():
            hold(lock)
    return campaign


def _half_way(root: Path, process: Identity | None) -> Campaign:
    workspace = Workspace(root)
    campaign = make_campaign(workspace)
    for arm in ARMS:
        write_trivial(workspace, campaign, arm)
    for model in ("amn", "lstm"):
        bring_to(workspace, campaign, model, "baseline", heldout=True)
    bring_to(workspace, campaign, "amn", "expanded", heldout=True)
    compare(workspace.campaign(campaign.id), "amn")
    bring_to(workspace, campaign, "lstm", "expanded", state="paused", fraction=0.6)
    bring_to(workspace, campaign, "gru", "baseline", state="running", fraction=0.5, process=process)
    bring_to(workspace, campaign, "graphmert_lvm", "baseline", state="collapsed", heldout=True)
    bring_to(workspace, campaign, "graphmert_lvm", "expanded", state="running", fraction=0.2, process=process)
    log_lines(workspace, campaign, "gru", "baseline")
    return campaign


def end(root: Path, seeds: Iterable[int] = (1,)) -> Campaign:
    """A campaign that is over: four fair comparisons, one model collapsed on the small arm."""
    return _copied(root, _ended, tuple(seeds))


def _ended(root: Path, seeds: tuple[int, ...]) -> Campaign:
    workspace = Workspace(root)
    campaign = make_campaign(workspace, seeds=seeds)
    for arm in ARMS:
        write_trivial(workspace, campaign, arm)
    for seed in campaign.seeds:
        for model in campaign.models:
            for arm in ARMS:
                broken = model == "graphmert_lvm" and arm == "baseline"
                state: State = "collapsed" if broken else "finished"
                bring_to(workspace, campaign, model, arm, seed, state=state, heldout=True)
    for model in campaign.models:
        compare(workspace.campaign(campaign.id), model)
    return campaign


def _copied(root: Path, make: Callable[..., Campaign], how: object) -> Campaign:
    """What `make` makes, as a copy: it is made once for each host that a test plays, as nothing in its files names a
    folder or the real time."""
    made, campaign = _made(make, how, own_identity())
    shutil.copytree(made.name, root, copy_function=shutil.copy, dirs_exist_ok=True)
    return campaign


@cache
def _made(
    make: Callable[..., Campaign], how: object, trainer: Identity
) -> tuple[tempfile.TemporaryDirectory[str], Campaign]:
    folder = tempfile.TemporaryDirectory()
    return folder, make(Path(folder.name), how)


def many(root: Path, models: int, state: str = "running") -> Campaign:
    """A campaign of so many models, all their baseline runs in one state."""
    workspace = Workspace(root)
    campaign = make_campaign(workspace, models=[f"model_{i:03d}" for i in range(models)], recipe="tuned")
    for model in campaign.models:
        bring_to(workspace, campaign, model, "baseline", state=state, fraction=0.4)  # type: ignore[arg-type]
    return campaign


def every_state(root: Path) -> Campaign:
    """A run in each state a person tells apart."""
    workspace = Workspace(root)
    states = (
        "queued", "starting", "running", "evaluating", "pausing", "paused", "cancelling", "cancelled", "interrupted",
        "killed", "no space", "failed", "gave up", "diverged", "collapsed", "finished", "unknown",
    )  # fmt: skip
    campaign = make_campaign(workspace, models=[state.replace(" ", "_") for state in states])
    for model, state in zip(campaign.models, states, strict=True):
        bring_to(workspace, campaign, model, "baseline", state=state, curve=Curve(0.52))  # type: ignore[arg-type]
    return campaign


def log_lines(workspace: Workspace, campaign: Campaign, model: str, arm: str, count: int = 60) -> Path:
    """A training log as the trainer would have left it."""
    path = workspace.run(planned_run(campaign, model, arm)).log
    for i in range(1, count + 1):
        clock = f"13:{45 + i // 60:02d}:{i % 60:02d}"
        text = f"{clock} step {10 * i}/1200  loss {1 / (i + 3):.5f}  cosine {0.52 - 0.2 / (i + 1):.4f}  412 windows/s"
        append_line(path, text.encode() + b"\n")
    return path


def supervise(root: Path) -> None:
    """As if the calling process supervised the workspace."""
    workspace = Workspace(root)
    replace_file(workspace.supervisor, dump_document({"version": 1, "process": encode(own_identity())}))
