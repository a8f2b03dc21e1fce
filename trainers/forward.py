"""The figures of `lvmtui.datasets.scores` for a trained model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from lvmtui.datasets.scores import forward_scores
from lvmtui.formats.data_facts import ForwardScores
from trainers.data import Heldout
from trainers.evaluate import BATCH
from trainers.fast import faster


@torch.no_grad()
def forward_of(model: nn.Module, heldout: Heldout, between: Callable[[], None]) -> ForwardScores | None:
    """`between` is called between batches and may raise to stop."""
    forward = faster(model.eval())
    vectors = heldout.windows.vectors

    def predict(contexts: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(contexts), BATCH):
            between()
            batch = torch.from_numpy(np.ascontiguousarray(contexts[start : start + BATCH])).to(vectors.device)
            parts.append(forward(batch).float().cpu().numpy())
        return np.concatenate(parts)

    return forward_scores(
        predict, vectors.cpu().numpy(), heldout.windows.starts.cpu().numpy(), heldout.windows.context, heldout.cluster
    )
