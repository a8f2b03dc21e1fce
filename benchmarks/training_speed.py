"""How fast the trainers are on this CPU, beside the textbook loop and beside the machine's limit.

    python benchmarks/training_speed.py                               five models, full size, 1 and 2 threads
    python benchmarks/training_speed.py --models amn,lstm --threads 1 --turns 9
    python benchmarks/training_speed.py --size small --dim 384 --batch 128 --recipe tuned

Three processes a model take short turns, again and again: the textbook loop (a DataLoader over two float32 arrays,
default AdamW, clip_grad_norm_, `.item()` each step), the trainer's own loop (`trainers.train.Training.run`, from a run
folder, with all it does between two steps), and one that measures the limit. All have the environment a supervisor
gives its trainers. What is printed are medians over the turns, per step; ratios are medians of the turns' ratios, so
that a machine whose speed changes from turn to turn does not matter. CPU seconds count where others run beside.

The limit is the time of the least work there is, at the best rate seen in the same turns: matrix products of the
models' shapes by the better of torch's two libraries (the rate of `torch.mm`, which is MKL's, stands beside), and
AdamW's 28 bytes a parameter (weight, gradient and two moments read, all but the gradient written) at the rate of a
sum of two arrays. The work per sequence, forward and backward, is counted in `docs/performance.md`.
With `--recipe tuned` both loops train the tuned recipe; the limit is left out, because its work is not counted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from command_line import parser_of
from datasets_full_size import walk

from lvmtui.formats.json_codec import decode, encode
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import RunSpec, read_spec, write_spec
from lvmtui.models import MODELS
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.supervisor.engine import thread_environment

LEAST_MFLOP = {"amn": 7.9, "lstm": 116, "gru": 180, "transformer": 440, "graphmert_lvm": 1989}
"""Least Mflop of one sequence, forward and backward, size full, D = 768."""
ADAMW_BYTES = 28
HEAD = """\
model         ms a step, CPU (clock)             times as fast    share of the limit, CPU (clock)
              textbook          ours              CPU   clock     ours          textbook  by torch.mm"""
TURN_SECONDS = 0.6
WINDOWS = 6_000
STREAMED = 1 << 23
"""Numbers in each of the three arrays by which the memory's rate is taken: more than the caches hold."""


@dataclass(frozen=True)
class Turn:
    """Seconds of one step, or of one unit of work."""

    wall: float
    cpu: float


# -- the three who take turns, each in a process of its own -----------------------------------------------------------


def textbook(folder: RunDir) -> Callable[[int], None]:
    """The loop everybody writes first. Returns what takes some steps."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from trainers.data import open_data
    from trainers.state import build_forecaster

    spec = read_spec(folder.spec)
    recipe = spec.recipe
    torch.set_num_threads(spec.threads)
    windows = open_data(spec, folder.workspace.root, torch.device("cpu")).train
    contexts, targets = windows.batch(slice(None))
    arrays = TensorDataset(contexts.contiguous(), targets.contiguous())
    torch.manual_seed(spec.seed)
    model = build_forecaster(spec.model, spec.dim, spec.size, recipe, spec.context, windows)
    follow = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average or 0.99)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=follow)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)
    mse = torch.nn.MSELoss()
    model.train()

    def batches() -> Iterator[Any]:
        while True:
            yield from DataLoader(arrays, batch_size=recipe.batch_size, shuffle=True, drop_last=True)

    def steps(count: int) -> None:
        total = 0.0
        for _, (context, target) in zip(range(count), source, strict=False):
            optimizer.zero_grad()
            raw = model(context)
            loss = mse(raw, target)
            if recipe.loss == "cosine":
                loss = 1 - torch.nn.functional.cosine_similarity(raw, target, dim=-1).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            if recipe.average is not None:
                averaged.update_parameters(model)
            total += loss.item()
        assert math.isfinite(total)

    source = batches()
    return steps


def ours(folder: RunDir) -> Callable[[int], None]:
    """The trainer's loop, left after some steps as a pause would."""
    from trainers.process import keep_memory

    keep_memory()
    from lvmtui.formats.trainer_log import Exit
    from trainers.log_writer import Journal
    from trainers.orders import Leave, Orders
    from trainers.train import Training

    class Counted(Orders):
        left = 0

        def check(self) -> None:
            super().check()
            if not self.left:
                raise Leave(Exit.PAUSED)
            self.left -= 1

    orders = Counted(folder.intent)
    training = Training(folder, orders, Journal(folder, time.monotonic()))
    training.prepare()

    def steps(count: int) -> None:
        orders.left = count
        before = training.place.step
        try:
            training.run()
        except Leave:
            training.read_pending()  # the figures of these steps belong to them
        assert training.place.step == before + count

    return steps


def limit(_: RunDir) -> Callable[[str], float]:
    """What the machine can do. Returns what does one kind of work and says how much: GFLOP, or GB."""
    import torch

    from trainers.fast.operations import available, product

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    a, b = torch.randn(160, 512), torch.randn(2048, 512)
    x, y, z = torch.randn(STREAMED), torch.randn(STREAMED), torch.empty(STREAMED)
    gflop, repeats = 2e-9 * a.numel() * len(b), 20

    def work(kind: str) -> float:
        if kind == "mm":
            for _ in range(repeats):
                torch.mm(a, b.t())
        elif kind == "product":
            for _ in range(repeats if available() else 0):
                product(a, b)
        else:
            torch.add(x, y, out=z)
            return 1e-9 * (x.nbytes + y.nbytes + z.nbytes)
        return gflop * repeats

    return work


def worker(kind: str, folder: str) -> None:
    """Answer each line of stdin by work and its duration, as JSON."""
    with redirect_stdout(sys.stderr):
        kinds: dict[str, Callable[[RunDir], Any]] = {"textbook": textbook, "ours": ours, "limit": limit}
        work = kinds[kind](RunDir(Path(folder)))
    for line in sys.stdin:
        order = json.loads(line)
        began, cpu_began = time.perf_counter(), time.process_time()
        with redirect_stdout(sys.stderr):
            amount = work(order)
        units = order if amount is None else amount
        cpu, wall = time.process_time() - cpu_began, time.perf_counter() - began
        print(json.dumps(encode(Turn(wall / max(units, 1e-12), cpu / max(units, 1e-12)))), flush=True)


class Worker:
    """The other end of it."""

    def __init__(self, kind: str, folder: RunDir, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", kind, str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **thread_environment(threads)},
            text=True,
        )

    def turn(self, order: int | str) -> Turn:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return decode(Turn, json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


# -- the comparison ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """One model's medians over the turns: seconds per step, of CPU and of the clock."""

    textbook: Turn
    ours: Turn
    speedup: Turn
    share: Turn | None
    """Share of the limit that our trainer reaches."""
    textbook_share: Turn | None
    share_of_mm: Turn | None
    """The same, had the machine nothing faster than torch.mm."""


def median(turns: list[Turn]) -> Turn:
    return Turn(statistics.median(t.wall for t in turns), statistics.median(t.cpu for t in turns))


def ratio(above: list[Turn], below: list[Turn]) -> Turn:
    return median([Turn(a.wall / b.wall, a.cpu / b.cpu) for a, b in zip(above, below, strict=True)])


def compare(folder: RunDir, spec: RunSpec, parameters: int, turns: int, counted: bool) -> Figures:
    workers = {kind: Worker(kind, folder, spec.threads) for kind in ("textbook", "ours", "limit")}
    try:
        count = {}
        for kind in ("textbook", "ours"):
            for _ in range(2):
                workers[kind].turn(2)  # lazy imports, first allocations
            count[kind] = max(1, round(TURN_SECONDS / workers[kind].turn(2).cpu))
        taken: dict[str, list[Turn]] = {kind: [] for kind in ("textbook", "ours", "mm", "product", "stream")}
        for _ in range(turns):
            for kind in ("textbook", "ours"):
                taken[kind].append(workers[kind].turn(count[kind]))
            for kind in ("mm", "product", "stream"):
                taken[kind].append(workers["limit"].turn(kind))
    finally:
        for one in workers.values():
            one.close()
    speedup = ratio(taken["textbook"], taken["ours"])
    if not counted:
        return Figures(median(taken["textbook"]), median(taken["ours"]), speedup, None, None, None)
    gflop = 1e-3 * LEAST_MFLOP[spec.model] * spec.recipe.batch_size
    gigabytes = 1e-9 * ADAMW_BYTES * parameters

    def limits(product: list[Turn]) -> list[Turn]:
        pairs = zip(product, taken["stream"], strict=True)
        return [Turn(gflop * p.wall + gigabytes * s.wall, gflop * p.cpu + gigabytes * s.cpu) for p, s in pairs]

    best = min(("mm", "product"), key=lambda kind: median(taken[kind]).cpu)
    product, stream = median(taken[best]), median(taken["stream"])
    print(
        f"  {spec.model}: {1 / product.cpu:.0f} GFLOP/s a core ({best}; torch.mm {1 / median(taken['mm']).cpu:.0f}), "
        f"{1 / stream.cpu:.0f} GB/s a core",
        file=sys.stderr,
    )
    return Figures(
        median(taken["textbook"]),
        median(taken["ours"]),
        speedup,
        ratio(limits(taken[best]), taken["ours"]),
        ratio(limits(taken[best]), taken["textbook"]),
        ratio(limits(taken["mm"]), taken["ours"]),
    )


def folders(root: Path, arguments: argparse.Namespace) -> dict[str, RunDir]:
    """A planned run for each model that neither ends nor evaluates within a benchmark."""
    vectors = walk(WINDOWS + 1200, arguments.dim)
    for name, rows in (("small", len(vectors) // 2), ("large", len(vectors))):
        np.savez(root / f"{name}.npz", vectors=vectors[:rows], article_id=np.arange(rows) // 100)
    options = Options(
        baseline=str(root / "small.npz"),
        expanded=str(root / "large.npz"),
        models=arguments.models,
        size=arguments.size,
        recipe=arguments.recipe,
        batch_size=arguments.batch,
        labels=("small", "large"),
        device="cpu",
        threads=1,
    )
    workspace = Workspace(root)
    campaign = write_plan(make_plan(options, workspace), workspace)
    found = {}
    for folder in map(workspace.run, campaign.runs):
        spec = read_spec(folder.spec)
        if spec.arm == "expanded":
            rewrite_spec(folder, replace(spec, total_steps=10**7, evaluate_every=10**7))
            found[spec.model] = folder
    return found


def rewrite_spec(folder: RunDir, spec: RunSpec) -> None:
    folder.spec.unlink()
    write_spec(folder.spec, spec)


def parameters_of(spec: RunSpec) -> int:
    from trainers.models import build

    return sum(p.numel() for p in build(spec.model, spec.dim, spec.size).parameters())


def arguments_of(given: list[str]) -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--models", type=lambda words: tuple(words.split(",")), default=MODELS)
    parser.add_argument("--size", default="full")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--recipe", default="reference")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=lambda words: [int(w) for w in words.split(",")], default=[1, 2])
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main() -> None:
    arguments = arguments_of(sys.argv[1:])
    if arguments.worker:
        return worker(*arguments.worker)
    counted = (arguments.size, arguments.dim, arguments.recipe) == ("full", 768, "reference")
    with tempfile.TemporaryDirectory() as root:
        runs = folders(Path(root).resolve(), arguments)
        for threads in arguments.threads:
            print(f"\nthreads {threads}, batch {arguments.batch}, load {os.getloadavg()[0]:.1f}")
            print(HEAD)
            speedups = []
            for model, folder in runs.items():
                spec = replace(read_spec(folder.spec), threads=threads)
                rewrite_spec(folder, spec)
                found = compare(folder, spec, parameters_of(spec), arguments.turns, counted)
                speedups.append(found.speedup)
                print(row(model, found), flush=True)
            means = [statistics.geometric_mean(getattr(s, clock) for s in speedups) for clock in ("cpu", "wall")]
            print(f"{'geometric mean':49} {means[0]:5.2f}  {means[1]:5.2f}")


def row(model: str, found: Figures) -> str:
    def milliseconds(turn: Turn) -> str:
        return f"{1e3 * turn.cpu:7.2f} ({1e3 * turn.wall:7.2f})"

    def percent(turn: Turn) -> str:
        return f"{100 * turn.cpu:3.0f} % ({100 * turn.wall:3.0f} %)"

    line = f"{model:14}{milliseconds(found.textbook)} {milliseconds(found.ours)}"
    line += f" {found.speedup.cpu:5.2f}  {found.speedup.wall:5.2f}"
    if found.share and found.textbook_share and found.share_of_mm:
        line += f"     {percent(found.share)}  {100 * found.textbook_share.cpu:3.0f} %      "
        line += f"{100 * found.share_of_mm.cpu:3.0f} %"
    return line


if __name__ == "__main__":
    main()
