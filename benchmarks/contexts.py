"""What a longer context costs: a training step of each model, and the trivial baselines of an arm, in time and memory.

    python benchmarks/contexts.py [--size small|full] [--contexts 5 20 100]

Each line is a process of its own with one thread; memory is the most it had. Models step on the bundled vectors (384
numbers) in batches of 128 by the tuned recipe; baselines are those of the larger bundled arm. The goal: every model and
every baseline works at 128, the baselines stay under 2 GB, and no step costs more than in proportion to the context.
The recency mean's cosine is that on the arm's own held-out windows, so it is of other targets for each context.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from command_line import parser_of

from lvmtui.models import MODELS

STEP = """
import resource, sys, time
from pathlib import Path
import torch
from lvmtui.datasets.arm import bundled_arms
from lvmtui.models import recipe_for
from trainers.data import TensorWindows
from trainers.evaluate import loss_and_cosine
from trainers.fast import faster
from trainers.models import unit
from trainers.state import build_forecaster

workspace, model, size, context = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
torch.set_num_threads(1)
torch.manual_seed(0)
store = bundled_arms(workspace)[1].open()
starts = torch.from_numpy(store.window_starts(context, cross_articles=True))
windows = TensorWindows(torch.tensor(store.vectors), starts, context)
network = build_forecaster(model, store.facts.dim, size, recipe_for("tuned", model), context, windows).train()
forward, times = faster(network), []
for step in range(12):
    seen, target = windows.batch(torch.randint(len(windows), (128,)))
    began = time.perf_counter()
    raw = forward(seen)
    loss_and_cosine("cosine", raw, unit(raw), target)[0].backward()
    times.append(time.perf_counter() - began)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(f"{1e3 * sorted(times)[len(times) // 2]:8.1f} ms a step, at most {peak:.2f} GB")
"""
BASELINES = """
import resource, sys, time
from pathlib import Path
from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.baselines import measure
from lvmtui.datasets.draw import draw_folds

workspace, context = Path(sys.argv[1]), int(sys.argv[2])
baseline, expanded = bundled_arms(workspace)
(split,) = draw_folds(baseline, expanded, seed=0, folds=None, context=context)
began = time.perf_counter()
found, _ = measure("expanded", expanded.open(), split.expanded, split.heldout)
seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
cosines = ", ".join(f"{name} {score.cosine:.4f}" for name, score in found.scores.items())
print(f"{seconds:8.1f} s, at most {peak:.2f} GB, {found.train_windows:,} windows; {cosines}")
"""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--size", default="small", choices=("small", "full"))
    parser.add_argument("--contexts", nargs="+", default=["5", "20", "100"], metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        for context in given.contexts:
            print(f"context {context}")
            for model in MODELS:
                print(f"  {model:<14}", run(STEP, workspace, model, given.size, context), flush=True)
            print(f"  {'baselines':<14}", run(BASELINES, workspace, context), flush=True)


def run(code: str, *arguments: str) -> str:
    """What a fresh process says."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    return done.stdout.rstrip() if done.returncode == 0 else f"FAILED: {done.stderr.strip().splitlines()[-1]}"


if __name__ == "__main__":
    main()
