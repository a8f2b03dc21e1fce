"""Dropout masks in a tenth of the time on a CPU: sixteen random bits decide about a number, not a draw of its own.

The bits come from numpy's SFC64, which is seeded by torch's generator each time: a run that resumes with torch's
random state draws the same masks.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainers.fast import linear

LEVELS = 1 << 16


def keep_mask(shape: tuple[int, ...], probability: float) -> Tensor:
    """float32 of `shape`: 0 with `probability` rounded to 1/65536, otherwise what keeps the mean at 1."""
    dropped = round(probability * LEVELS)
    numbers = math.prod(shape)
    seed = int(torch.empty((), dtype=torch.int64).random_())
    bits = np.random.SFC64(seed).random_raw(-(-numbers // 4)).view(np.int16)[:numbers]
    kept = torch.from_numpy(bits).float().ge_(dropped - LEVELS // 2)
    return kept.mul_(LEVELS / (LEVELS - dropped)).view(shape)


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """`torch.nn.functional.dropout`."""
    if not linear.on_cpu(x):
        return functional.dropout(x, probability, training)
    return x * keep_mask(tuple(x.shape), probability) if training and probability else x


def add_dropped(x: Tensor, y: Tensor, probability: float, training: bool) -> Tensor:
    """x + dropout(y), in one pass."""
    if not (training and probability and linear.on_cpu(x)):
        return x + dropout(y, probability, training)
    return torch.addcmul(x, y, keep_mask(tuple(y.shape), probability))
