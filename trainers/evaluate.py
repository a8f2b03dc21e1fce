"""What a model is worth: on the validation windows while it trains, on the held-out windows at the end.

The metric is the cosine between a prediction and the vector that really came next. Three more figures tell an honest
prediction from two dishonest ones: an echo (high cosine with the *last* context vector, margin far below zero) and a
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

from trainers.data import Windows
from trainers.fast import faster
from trainers.models import unit

BATCH = 512
"""Windows predicted at once: large enough to be fast, small enough that an order is obeyed at once."""


@dataclass(frozen=True)
class Scores:
    """Means over the windows of a set."""

    loss: float
    cosine: float
    margin: float
    last_cosine: float
    spread: float


def loss_and_cosine(name: str, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Of raw predictions (B, D) against unit targets (B, D): the training loss, with its graph, and the mean cosine,
    without; both ()."""
    if name == "mse":
        with torch.no_grad():
            cosine = (unit(raw) * target).sum(-1).mean()
        return functional.mse_loss(raw, target), cosine
    cosine = (unit(raw) * target).sum(-1).mean()
    return 1 - cosine, cosine.detach()


@torch.no_grad()
def evaluate(model: nn.Module, windows: Windows, loss: str, between: Callable[[], None]) -> Scores:
    """Scores of `model` on `windows`. `between` is called between batches and may raise to break off."""
    forward = faster(model.eval())
    sums = torch.zeros(3, dtype=torch.float64)
    total = torch.zeros(windows.vectors.shape[1], dtype=torch.float64)
    windows.expect(slice(None))
    for start in range(0, len(windows), BATCH):
        between()
        context, target = windows.batch(slice(start, start + BATCH))
        raw = forward(context)
        predicted = unit(raw)
        batch_loss, batch_cosine = loss_and_cosine(loss, raw, target)
        batch_last = (predicted * context[:, -1]).sum(-1).mean()
        sums += torch.stack([batch_loss, batch_cosine, batch_last]).cpu().double() * len(target)
        total += predicted.sum(0).cpu().double()
    mean_loss, cosine, last = (sums / len(windows)).tolist()
    return Scores(mean_loss, cosine, cosine - last, last, 1 - float((total / len(windows)).norm()))


@torch.no_grad()
def predict(model: nn.Module, windows: Windows, between: Callable[[], None]) -> np.ndarray:
    """Unit predictions for all windows, (W, D) float32 on the CPU."""
    forward = faster(model.eval())
    parts = []
    for start in range(0, len(windows), BATCH):
        between()
        context, _ = windows.batch(slice(start, start + BATCH))
        parts.append(unit(forward(context)).cpu())
    predicted: np.ndarray = torch.cat(parts).numpy()
    return predicted


@torch.no_grad()
def latency(model: nn.Module, context: Tensor, queries: int = 200) -> tuple[float, float]:
    """Milliseconds for one prediction of context (1, T, D): median and 95th percentile."""
    model.eval()
    times = []
    for query in range(queries + queries // 10):
        started = time.perf_counter()
        model(context).cpu()  # the copy waits for the device
        if query >= queries // 10:  # the first ones warm up
            times.append(1e3 * (time.perf_counter() - started))
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))
