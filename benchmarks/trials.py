"""Runs trained by the trainer itself, outside of campaigns, each known by what it is made of.

A trial is a line of WORKSPACE/recipe.jsonl once it was trained: what is there is not trained again, so whoever wants a
set of trials and is broken off goes on where it was. It is known by its model, arm, seed, data and complete recipe, not
by the code: after a change to `trainers/` take another workspace.

    python benchmarks/trials.py WORKSPACE     a trial a line on standard input, a result a line on standard output
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.baselines import write_baselines
from lvmtui.datasets.store import open_store
from lvmtui.formats.json_codec import decode, encode
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import ARMS, ArmName, Recipe, RunSpec, read_spec, write_spec
from lvmtui.formats.trainer_log import decode_event
from lvmtui.planning.options import Options, demo
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.run_state import fold
from lvmtui.system.files import append_line

WIDE = 768

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One run to train."""

    model: str
    arm: ArmName
    seed: int
    recipe: Recipe
    data: str
    """Folder of the data's workspace, under the benchmark's: `bundled`, `wide` (the same in 768 dimensions) or `full`
    (that for models of size full)."""

    @property
    def key(self) -> str:
        whole = decode(Trial, encode(self))  # 5 epochs and 5.0 are the same
        return hashlib.sha256(json.dumps(encode(whole), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Look:
    """An evaluation on the validation windows."""

    step: int
    cosine: float | None
    cpu: float
    """CPU seconds since the run began, torch's import not counted."""


@dataclass(frozen=True)
class Result:
    """A line of recipe.jsonl. The held-out cosines, window by window, are in heldout/<key>.npy."""

    trial: Trial
    looks: tuple[Look, ...]
    ending: str
    """`finished`, or why the run failed."""
    validation: float | None
    """Mean cosine of the best model on the validation windows: what choices are made by."""
    heldout: float | None
    spread: float | None
    """Spread of the predictions for the held-out windows."""
    best_step: int
    steps: int
    cpu: float
    """CPU seconds of the whole run, torch's import not counted."""


# Data ----------------------------------------------------------------------------------------------------------------


def planned(workspace: Path, data: str) -> tuple[Workspace, dict[tuple[str, ArmName], RunSpec]]:
    """The campaign of the data, planned where it is not yet, and its runs' specs: trials are copies of them."""
    place = Workspace(workspace / data)
    if not place.campaign_dirs():
        place.root.mkdir(parents=True, exist_ok=True)
        options = replace(demo(), device="cpu", threads=1, jobs=1)
        if data != "bundled":
            options = replace(turned(place, options), size="full" if data == "full" else "small")
        write_plan(make_plan(options, place), place)
    campaign = CampaignReader(place, place.campaign_dirs()[-1]).campaign
    return place, {(p.model, p.arm): read_spec(place.run(p).spec) for p in campaign.runs}


def turned(place: Workspace, options: Options) -> Options:
    """The bundled vectors in 768 dimensions: turned by a fixed matrix with orthonormal rows, so that every cosine
    stays and no axis means anything."""
    specs = planned(place.root.parent, "bundled")[1]
    some = next(iter(specs.values()))
    store = open_store(place.root.parent / "bundled" / some.data.store)
    random = np.random.default_rng(768).normal(size=(WIDE, store.facts.dim))
    axes = np.linalg.qr(random)[0].T.astype(np.float32)
    files = []
    for arm in ARMS:
        rows = slice(*next(s for (_, a), s in specs.items() if a == arm).data.rows)
        files.append(place.root / f"{arm}_{WIDE}.npz")
        articles = store.article_of
        assert articles is not None, "the bundled vectors name their articles"
        np.savez(files[-1], vectors=np.asarray(store.vectors[rows]) @ axes, article_id=articles[rows])
    return replace(options, baseline=str(files[0]), expanded=str(files[1]), labels=("8k", "23k"))


def recency_mean(workspace: Path, data: str, arm: ArmName) -> tuple[float, Floats, npt.NDArray[np.integer]]:
    """The recency mean's cosine on the validation windows, its held-out cosines (W,), and the windows' clusters."""
    place, _ = planned(workspace, data)
    folder = place.campaign(place.campaign_dirs()[-1].path.name)
    found = write_baselines(folder, arm)
    with np.load(folder.baseline_scores(arm).with_suffix(".npz")) as arrays:
        cosines = arrays["recency_mean_cosine"].astype(np.float64)
        return found.validation_cosines["recency_mean"], cosines, arrays["cluster"]


# Training ------------------------------------------------------------------------------------------------------------


def train_all(workspace: Path, trials: Iterable[Trial], jobs: int, until: float) -> None:
    """Train the trials that have no result yet, `jobs` at once, in their order; none begins after `until`."""
    done = {result.trial.key for result in results(workspace)}
    waiting = deque({t.key: t for t in trials if t.key not in done}.values())
    total, lock = len(waiting), threading.Lock()
    for data in {trial.data for trial in waiting}:
        planned(workspace, data)

    def serve() -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, __file__, str(workspace)]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
            assert worker.stdin is not None and worker.stdout is not None
            while waiting and time.monotonic() < until:
                with lock:
                    trial = waiting.popleft()
                worker.stdin.write(json.dumps(asdict(trial)).encode() + b"\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    raise RuntimeError(f"the worker died over {trial}")
                with lock:
                    append_line(workspace / "recipe.jsonl", line)
                    print(f"{total - len(waiting)}/{total} {told(decode(Result, json.loads(line)))}", flush=True)

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def told(result: Result) -> str:
    """A run in a line."""
    trial = result.trial
    return (
        f"{trial.model} {trial.arm} {trial.seed}: {result.ending}, validation {figure(result.validation)}, "
        f"held-out {figure(result.heldout)}, best {result.best_step}/{result.steps}, {result.cpu:.1f} s"
    )


def work(workspace: Path, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Train one trial a line of `requests` in this process, which imports torch once; a result a line of `answers`."""
    from trainers.process import keep_memory

    keep_memory()
    for line in requests:
        result = train_one(workspace, decode(Trial, json.loads(line)))
        answers.write(json.dumps(encode(result)).encode() + b"\n")
        answers.flush()


def train_one(workspace: Path, trial: Trial) -> Result:
    """Train a trial as any run is trained, in a run folder of its own that is removed afterwards."""
    from trainers.log_writer import Journal
    from trainers.orders import Orders
    from trainers.train import Training

    place, specs = planned(workspace, trial.data)
    folder = RunDir(place.models / f"trial_{trial.key}")
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)
    write_spec(folder.spec, spec_of(trial, specs))
    seconds: list[float] = []
    began = time.process_time()

    class Timed(Training):
        """Notes the CPU time after each evaluation."""

        def evaluate(self) -> None:
            super().evaluate()
            seconds.append(time.process_time() - began)

    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the answers stand on stdout
        journal = Journal(folder, time.monotonic())
        training = Timed(folder, Orders(folder.intent), journal)
        try:
            training.prepare()
            training.run()
            training.finish()
        except Exception as error:
            training.fail(error)
        finally:
            journal.close()
    cpu = time.process_time() - began
    state = fold(decode_event(line) for line in folder.events.read_bytes().splitlines())
    finished = state.finished
    if finished is not None:
        with np.load(folder.heldout) as arrays:
            (workspace / "heldout").mkdir(exist_ok=True)
            np.save(workspace / "heldout" / f"{trial.key}.npy", arrays["cosine"])
    shutil.rmtree(folder.path)
    return Result(
        trial=trial,
        looks=tuple(Look(e.step, e.cosine, cpu) for e, cpu in zip(state.evaluations, seconds, strict=True)),
        ending="finished" if finished else str(state.ending),
        validation=finished.best_cosine if finished else None,
        heldout=finished.heldout.cosine if finished else None,
        spread=finished.heldout.spread if finished else None,
        best_step=finished.best_step if finished else 0,
        steps=finished.step if finished else 0,
        cpu=cpu,
    )


def spec_of(trial: Trial, specs: dict[tuple[str, ArmName], RunSpec]) -> RunSpec:
    """The planned spec with the trial's seed and recipe, its steps counted as planning counts them."""
    spec, recipe = specs[trial.model, trial.arm], trial.recipe
    own = spec.train_windows
    counted = max(s.train_windows for s in specs.values()) if recipe.equal_updates else own
    steps = max(1, round(recipe.epochs * (counted // recipe.batch_size)))
    return replace(
        spec,
        run=f"trial_{trial.key}",
        seed=trial.seed,
        recipe=recipe,
        total_steps=steps,
        evaluate_every=math.ceil(steps / recipe.evaluations),
        threads=1,
    )


# Results -------------------------------------------------------------------------------------------------------------


def results(workspace: Path) -> list[Result]:
    """All runs trained so far."""
    path = workspace / "recipe.jsonl"
    return [decode(Result, json.loads(line)) for line in path.read_bytes().splitlines()] if path.exists() else []


def figure(cosine: float | None) -> str:
    """A cosine with the four digits that mean something."""
    return "-" if cosine is None else f"{cosine:.4f}".replace("0.", ".", 1)


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
