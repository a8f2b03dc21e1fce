"""The tuned recipe's correction with cheap masks, and its mean as a small product for each window."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainers.correction import Correction
from trainers.fast import linear
from trainers.fast.dropout import keep_mask


def forward(module: Correction, model: Callable[[Tensor], Tensor], context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D); `model` is the inner model's forward."""
    batch, time, _ = context_BTD.shape
    mean_BD = torch.bmm(module.logits.softmax(0).expand(batch, 1, time), context_BTD)[:, 0]
    return mean_BD + module.log_scale.exp() * model(_drop(module, context_BTD))


def _drop(module: Correction, context_BTD: Tensor) -> Tensor:
    if not module.training or not linear.on_cpu(context_BTD):
        return module.drop(context_BTD)
    batch, _, dim = context_BTD.shape
    if module.input_dropout:
        context_BTD = context_BTD * keep_mask(tuple(context_BTD.shape), module.input_dropout)
    if module.feature_dropout:
        context_BTD = context_BTD * keep_mask((batch, 1, dim), module.feature_dropout)
    return context_BTD
