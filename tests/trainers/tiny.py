"""A campaign small enough to train in a test: real files, real split, models of a few thousand numbers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec, write_spec
from lvmtui.formats.trainer_log import Event, Exit, decode_event
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.run_state import TrainerState, fold
from trainers.orders import Leave, Orders
from trainers.train import train

DIM = 16


def write_walk(path: Path, articles: int, length: int = 24, seed: int = 0, dim: int = DIM) -> Path:
    """A vector file of random walks on the sphere, one an article: neighbours are alike, so there is much to learn."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(articles):
        centre = random.normal(size=dim)
        steps = random.normal(size=(length, dim)) * 0.5
        rows.append(centre + np.cumsum(steps, axis=0) * 0.5)
    vectors = np.concatenate(rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.savez(path, vectors=vectors.astype(np.float32), article_id=np.repeat(np.arange(articles), length))
    return path


def tiny_options(root: Path, **changes: object) -> Options:
    """The options of a campaign on two small files, which are made if they are not there."""
    if not (root / "large.npz").exists():
        write_walk(root / "large.npz", 60)
        with np.load(root / "large.npz") as large:
            np.savez(root / "small.npz", vectors=large["vectors"][: 24 * 24], article_id=large["article_id"][: 24 * 24])
    options = Options(
        baseline=str(root / "small.npz"),
        expanded=str(root / "large.npz"),
        size="small",
        recipe="tuned",
        models=("amn",),
        epochs=2.0,
        batch_size=32,
        labels=("small", "large"),
        threads=1,
        device="cpu",
    )
    return replace(options, **changes)  # type: ignore[arg-type]


def plan_campaign(root: Path, **changes: object) -> tuple[Workspace, list[RunDir]]:
    """Plan a campaign on two small files; returns its run folders, baseline before expanded."""
    workspace = Workspace(root)
    campaign = write_plan(make_plan(tiny_options(root, **changes), workspace), workspace)
    return workspace, [workspace.run(planned) for planned in campaign.runs]


def copy_of(run: RunDir, name: str, **changes: object) -> RunDir:
    """Another folder for the same run, with a spec that may differ."""
    from lvmtui.formats.spec import read_spec

    folder = RunDir(run.path.parent / name)
    folder.path.mkdir()
    spec: RunSpec = replace(read_spec(run.spec), run=name, **changes)  # type: ignore[arg-type]
    write_spec(folder.spec, spec)
    return folder


class Interrupting(Orders):
    """Orders that tell the trainer to leave at the n-th look."""

    def __init__(self, path: Path, at: int, how: Exit = Exit.PAUSED) -> None:
        super().__init__(path)
        self.left = at
        self.how = how

    def check(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Leave(self.how, "TERM")


class Counting(Orders):
    """Orders that only count how often they are looked at."""

    looks = 0

    def check(self) -> None:
        self.looks += 1
        super().check()


def train_here(folder: RunDir, orders: Orders | None = None) -> Exit:
    """Train in this process: torch is imported once for all tests."""
    return train(folder, orders or Orders(folder.intent), time.monotonic())


def events_of(folder: RunDir) -> list[Event]:
    return [decode_event(line) for line in folder.events.read_bytes().splitlines()]


def state_of(folder: RunDir) -> TrainerState:
    return fold(events_of(folder))
