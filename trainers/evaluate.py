"""How good a model is: on the validation windows while it trains, on the held-out windows at the end.

The metric is the cosine between a prediction and the vector that came next. Two more figures expose predictions that
score well without predicting: an echo (high cosine with the *last* context vector, margin far below zero) and a
collapse (every prediction the same vector, spread near zero).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.scores import TIE, Count, forward_scores
from lvmtui.formats.data_facts import ForwardScores
from trainers.data import TensorWindows
from trainers.fast import faster
from trainers.fast.operations import available, product
from trainers.models import unit
from trainers.user_code import Loss

BATCH = 512
"""Windows predicted at once: large enough to be fast, small enough that an order is obeyed at once."""
WARM_UP, QUERIES = 20, 200
"""Single predictions that are not timed, and that are, for the latency."""


@dataclass(frozen=True)
class Validation:
    """Means over the windows of a set, by their names in `Evaluated`."""

    loss: float
    cosine: float
    margin: float
    last_cosine: float
    spread: float


def loss_and_cosine(by: str | Loss, raw: Tensor, predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Training loss, with its graph, and mean cosine, without; both ().

    `raw` and `predicted` (B, D) are a model's output and the same at length 1, `target` (B, D) has length 1.
    """
    cosine = (predicted * target).sum(-1).mean()
    if not isinstance(by, str):
        loss = by(raw, target)
    else:
        loss = functional.mse_loss(raw, target) if by == "mse" else 1 - cosine
    return loss, cosine.detach()


@torch.no_grad()
def evaluate(model: nn.Module, windows: TensorWindows, loss: str | Loss, between: Callable[[], None]) -> Validation:
    """How good `model` is on `windows`. `between` is called between batches and may raise to stop."""
    forward = faster(model.eval())
    sums = torch.zeros(3, dtype=torch.float64)
    total = torch.zeros(windows.vectors.shape[1], dtype=torch.float64)
    windows.expect(slice(None))
    for start in range(0, len(windows), BATCH):
        between()
        context, target = windows.batch(slice(start, start + BATCH))
        raw = forward(context)
        predicted = unit(raw)
        batch_loss, batch_cosine = loss_and_cosine(loss, raw, predicted, target)
        batch_last = (predicted * context[:, -1]).sum(-1).mean()
        sums += torch.stack([batch_loss, batch_cosine, batch_last]).cpu().double() * len(target)
        total += predicted.sum(0).cpu().double()
    mean_loss, cosine, last = (sums / len(windows)).tolist()
    return Validation(mean_loss, cosine, cosine - last, last, 1 - float((total / len(windows)).norm()))


@torch.no_grad()
def predict(model: nn.Module, windows: TensorWindows, between: Callable[[], None]) -> np.ndarray:
    """Unit predictions for all windows, (W, D) float32 on the CPU."""
    forward = faster(model.eval())
    parts = []
    for start in range(0, len(windows), BATCH):
        between()
        context, _ = windows.batch(slice(start, start + BATCH))
        parts.append(unit(forward(context)).cpu())
    return torch.cat(parts).numpy()


@torch.no_grad()
def latency(model: nn.Module, context: Tensor) -> tuple[float, float]:
    """Milliseconds for one prediction of context (1, T, D): median and 95th percentile of five seconds at most.

    On a CPU it is the calling thread's processor time, which is the time that passes on an idle machine (measured with
    one thread and two). On a busy one a prediction of 2 ms waited 16 ms for a core, and one of .4 ms hardly ever.
    """
    model.eval()
    times: list[float] = []
    clock = time.thread_time if context.device.type == "cpu" else time.perf_counter
    began = time.perf_counter()
    while len(times) < WARM_UP + QUERIES and time.perf_counter() < began + 5.0:
        started = clock()
        model(context).cpu()  # the copy waits for the device; nothing is heard of the run meanwhile
        times.append(1e3 * (clock() - started))
    p50, p95 = np.percentile(times[WARM_UP:] or times, (50, 95))
    return float(p50), float(p95)


def counting(candidates: Floats, device: torch.device) -> Count:
    """`lvmtui.datasets.scores.counting` on a device: each of 20,000 windows is compared with as many others."""
    pool = torch.from_numpy(candidates).to(device)
    similar = product if device.type == "cpu" and available() else _whole_product

    def count(predicted: Floats, target: Integers, own: Integers) -> Integers:
        rows, target_B1, own_BT = (torch.from_numpy(a).to(device) for a in (predicted, target[:, None], own))
        cosines = similar(rows, pool)
        bar = cosines.gather(1, target_B1) + TIE
        own_nearer = ((own_BT >= 0) & (cosines.gather(1, own_BT.clamp(min=0)) > bar)).sum(1)
        nearer = (cosines > bar).sum(1, dtype=torch.int32)  # six times as fast as in torch's usual 64 bits
        return (nearer - own_nearer).cpu().numpy()

    return count


def _whole_product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b.T` in full float32, also where training uses TF32: ranks depend on differences that small."""
    usual = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return a @ b.T
    finally:
        torch.set_float32_matmul_precision(usual)


@torch.no_grad()
def forward_of(
    model: nn.Module, windows: TensorWindows, cluster: np.ndarray, between: Callable[[], None]
) -> ForwardScores | None:
    """`forward_scores` of a trained model on held-out windows of cluster (W,); None where none is followed by four
    more. `between` is called between batches and may raise to stop."""
    forward = faster(model.eval())
    vectors = windows.vectors

    def predict(contexts: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(contexts), BATCH):
            between()
            batch = torch.from_numpy(np.ascontiguousarray(contexts[start : start + BATCH])).to(vectors.device)
            parts.append(forward(batch).float().cpu().numpy())
        return np.concatenate(parts)

    return forward_scores(predict, vectors.cpu().numpy(), windows.starts.cpu().numpy(), windows.context, cluster)
