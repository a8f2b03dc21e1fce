"""What coarser products cost: training with the numbers that enter each matrix product rounded as GPUs round them.

    python benchmarks/precision.py WORKSPACE [--recipe reference] [--models M ...] [--seeds N ...] [--arms A ...]

A GPU's tensor cores multiply numbers of 11 (TF32) or 8 (bf16) significant bits and add up in float32. The same is done
here on a CPU: whatever goes into a product, forward and backward, in training and evaluation, is rounded first. All
else stays float32, as it does on a GPU with TF32; bf16 by autocast also keeps results in bf16, so its cost here is the
least it can be. Size small, the bundled vectors, two runs at once; what was trained stays in WORKSPACE/precision.jsonl.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from trials import Trial, planned, train_one

from lvmtui.formats.spec import ARMS
from lvmtui.models import MODELS, recipe_for, title_of
from lvmtui.system.files import append_line

PRECISIONS = ("float32", "TF32", "bf16")
OTHER_PRODUCTS = ("linear", "matmul", "attention", "conv", "rnn", "dot", "einsum")
"""Parts of names of operators that multiply matrices too: none may be met, or it would escape the rounding."""
LEFT_ALONE = ("mkldnn_rnn_layer", "_scaled_dot_product_flash_attention_for_cpu")
"""Operators of the plain modules, from which only the correction's first length and the latency are taken."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--recipe", default="tuned")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--arms", nargs="+", default=ARMS)
    given = parser.parse_args()
    given.workspace.mkdir(parents=True, exist_ok=True)
    for precision in PRECISIONS:
        planned(given.workspace / precision, "bundled")
    log = given.workspace / "precision.jsonl"
    known = [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
    done = {tuple(row[name] for name in ("recipe", "precision", "model", "arm", "seed")) for row in known}
    wanted = [
        (given.recipe, precision, model, arm, seed)
        for model in given.models
        for arm in given.arms
        for seed in given.seeds
        for precision in PRECISIONS
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(trained, given.workspace, *w) for w in wanted if w not in done]):
            known.append(future.result())
            append_line(log, json.dumps(known[-1]).encode() + b"\n")
            print("{recipe} {model} {arm} {seed} {precision}: {heldout:.4f}".format(**known[-1]), flush=True)
    print_table([row for row in known if row["recipe"] == given.recipe], given.models, given.arms)
    return 0


def trained(workspace: Path, recipe: str, precision: str, model: str, arm: Any, seed: int) -> dict[str, Any]:
    """Train one run with products of one precision."""
    from trainers.process import keep_memory

    keep_memory()
    with rounded_products(precision):
        result = train_one(workspace / precision, Trial(model, arm, seed, recipe_for(recipe, model), "bundled"))
    row = {"recipe": recipe, "precision": precision, "model": model, "arm": arm, "seed": seed}
    assert result.heldout is not None, result.ending
    return row | {"validation": result.validation, "heldout": result.heldout}


@contextmanager
def rounded_products(precision: str) -> Iterator[None]:
    """Within it, all matrix products of torch take rounded numbers."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    rounding: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "float32": lambda x: x,
        "TF32": _to_tf32,
        "bf16": lambda x: x.bfloat16().float(),
    }
    round_one = rounding[precision]
    aten, onednn = torch.ops.aten, torch.ops.mkldnn
    factors = {
        aten.mm.default: (0, 1),
        aten.bmm.default: (0, 1),
        aten.mv.default: (0, 1),
        aten.addmm.default: (1, 2),
        aten.addmv.default: (1, 2),
        aten.baddbmm.default: (1, 2),
        onednn._linear_pointwise.default: (0, 1),
    }

    class Rounded(TorchDispatchMode):
        def __torch_dispatch__(self, op: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
            arguments = list(arguments)
            for place in factors.get(op, ()):
                if arguments[place].dtype is torch.float32:
                    arguments[place] = _in_its_layout(arguments[place], round_one)
            other = op not in factors and not any(name in str(op) for name in LEFT_ALONE)
            if other and any(part in str(op) for part in OTHER_PRODUCTS):
                raise RuntimeError(f"{op} multiplies without being rounded")
            return op(*arguments, **(named or {}))

    with Rounded():
        yield


def _in_its_layout(x: Any, change: Callable[[Any], Any]) -> Any:
    """`change(x)` with the strides of x: oneDNN takes transposed views for what they are, and copies anything else."""
    return change(x.t()).t() if x.dim() == 2 and not x.is_contiguous() else change(x)


def _to_tf32(x: Any) -> Any:
    """Round float32 to the 10 bits of mantissa that TF32 keeps, to the nearest, ties to even."""
    import torch

    bits = x.contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def print_table(rows: list[dict[str, Any]], models: list[str], arms: list[str]) -> None:
    """Held-out cosines by precision: means over seeds, and the deviation of a single run over seeds in float32."""
    names = {"baseline": "8k", "expanded": "23k"}
    print("\n| model, arm | float32 | deviation over seeds | TF32 | bf16 |\n|---|---:|---:|---:|---:|")
    changes: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for arm in arms:
        for model in models:
            cosines = {
                p: [r["heldout"] for r in rows if (r["precision"], r["model"], r["arm"]) == (p, model, arm)]
                for p in PRECISIONS
            }
            mean = {p: statistics.fmean(c) for p, c in cosines.items()}
            for p in PRECISIONS:
                changes[p].append(mean[p] - mean["float32"])
            spread = f"{statistics.stdev(cosines['float32']):.5f}" if len(cosines["float32"]) > 1 else ""
            moved = " | ".join(f"{mean[p] - mean['float32']:+.5f}" for p in PRECISIONS[1:])
            print(f"| {title_of(model)}, {names[arm]} | {mean['float32']:.5f} | {spread} | {moved} |")
    means = " | ".join(f"{statistics.fmean(changes[p]):+.5f}" for p in PRECISIONS[1:])
    print(f"| mean change | | | {means} |")


if __name__ == "__main__":
    sys.exit(main())
