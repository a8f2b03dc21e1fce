"""AMN without keys: the query is carried to the context, not the five context vectors to the keys.

`query . (K c_t + b) = (K' query) . c_t + query . b`, and the softmax over t does not see the last term. That is a
fifth of the work of the keys, and the reason why the gradient of `key.bias` is an exact zero here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainers.fast.linear import apply, product
from trainers.models.amn import AMN


# B batch · T context vectors · D vector width · A attention width
class _Carry(torch.autograd.Function):
    """(B, A), (A, D), (A,) -> (B, D): `query @ key.weight`. The bias is an input so that it gets its zero gradient."""

    @staticmethod
    def forward(ctx: Any, query_BA: Tensor, weight_AD: Tensor, bias_A: Tensor) -> Tensor:
        ctx.save_for_backward(query_BA, weight_AD, bias_A)
        return product(query_BA, weight_AD.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        (d_BD,) = gradients
        query_BA, weight_AD, bias_A = ctx.saved_tensors
        return product(d_BD, weight_AD), product(query_BA.t(), d_BD.t()), torch.zeros_like(bias_A)


def forward(model: AMN, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    mean_BD = context_BTD.mean(dim=1)
    query_BA = apply(model.query, mean_BD) * model.scale
    asked_BD = _Carry.apply(query_BA, model.key.weight, model.key.bias)
    scores_BT1 = torch.bmm(context_BTD, asked_BD[:, :, None])
    mixture_BD = torch.bmm(scores_BT1.softmax(dim=1).transpose(1, 2), context_BTD)[:, 0]
    wide, _, wide_norm, narrow, _, narrow_norm, last = model.correct
    x = wide_norm(functional.gelu(apply(wide, torch.cat([mean_BD, mixture_BD], dim=-1))))
    x = narrow_norm(functional.gelu(apply(narrow, x)))
    return mean_BD + apply(last, x)
