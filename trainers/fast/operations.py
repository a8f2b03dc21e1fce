"""Matrix products and dropout masks: on a CPU oneDNN's and ours, elsewhere torch's own.

torch sends float32 products on a CPU to MKL, which on the AMD processor we measured is half as fast as oneDNN. torch
reaches oneDNN for float32 only by the operator that its compiler emits, called here by its private name if it is there.

Sixteen random bits decide about a number, where torch draws a number of its own: a mask takes a tenth of the time. The
bits come from numpy's SFC64, seeded by torch's generator each time: a run that resumes draws the same masks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 1 << 16
"""Steps in which the probability of a mask can be set."""


def available() -> bool:
    """True if this torch has oneDNN and the operator."""
    return bool(torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


def on_cpu(x: Tensor) -> bool:
    """True if products with x are oneDNN's and its masks are drawn on the host."""
    return x.device.type == "cpu"


def product(a_MK: Tensor, b_NK: Tensor, bias_N: Tensor | None = None) -> Tensor:
    """(M, K), (N, K) -> (M, N): `a @ b.T + bias`, outside of autograd.

    Either may be a transposed view of a contiguous matrix; with any other stride oneDNN is a hundred times slower.
    """
    if not on_cpu(a_MK) or not a_MK.shape[1]:  # oneDNN has no empty sums: a context of one vector has no step before
        return functional.linear(a_MK, b_NK, bias_N)
    return torch.ops.mkldnn._linear_pointwise(a_MK, b_NK, bias_N, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_MK: Tensor, weight_NK: Tensor, bias_N: Tensor) -> Tensor:
        ctx.save_for_backward(x_MK, weight_NK)
        return product(x_MK, weight_NK, bias_N)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_MK, weight_NK = ctx.saved_tensors
        d_MN = gradients[0].contiguous()
        d_x = product(d_MN, weight_NK.t()) if ctx.needs_input_grad[0] else None
        return d_x, product(d_MN.t(), x_MK.t()), d_MN.sum(0)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(..., K), (N, K), (N,) -> (..., N): `torch.nn.functional.linear`."""
    if not on_cpu(x):
        return functional.linear(x, weight, bias)
    out: Tensor = _Linear.apply(x.reshape(-1, x.shape[-1]).contiguous(), weight, bias)
    return out.view(*x.shape[:-1], -1)


def apply(layer: nn.Module, x: Tensor) -> Tensor:
    """`layer(x)` of a linear layer."""
    assert isinstance(layer, nn.Linear)
    return linear(x, layer.weight, layer.bias)


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
    if not on_cpu(x):
        return functional.dropout(x, probability, training)
    return x * keep_mask(tuple(x.shape), probability) if training and probability else x


def add_dropped(x: Tensor, y: Tensor, probability: float, training: bool) -> Tensor:
    """x + dropout(y), in one pass."""
    if not (training and probability and on_cpu(x)):
        return x + dropout(y, probability, training)
    return torch.addcmul(x, y, keep_mask(tuple(y.shape), probability))
