"""AMN without keys: the query is carried to the context, not the context vectors to the keys.

`query . (K c_t + b) = (K' query) . c_t + query . b`, and the softmax over t does not see the last term. That is a
fifth of the work of the keys, and the reason why the gradient of `key.bias` is an exact zero here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainers.fast.operations import apply, product
from trainers.models.amn import AMN


# B batch · T context vectors · D vector width · A attention width
class _Mixture(torch.autograd.Function):
    """Context (B, T, D), its mean (B, D), both without gradient, and query and key parameters -> mixture (B, D)."""

    @staticmethod
    def forward(
        ctx: Any, context_BTD: Tensor, mean_BD: Tensor, w_query: Tensor, b_query: Tensor, w_key: Tensor, b_key: Tensor
    ) -> Tensor:
        query_BA = product(mean_BD, w_query, b_query).mul_(len(w_key) ** -0.5)
        asked_BD = product(query_BA, w_key.t())
        weights_BT = (context_BTD * asked_BD[:, None]).sum(-1).softmax(-1)
        ctx.save_for_backward(context_BTD, mean_BD, w_key, b_key, query_BA, weights_BT)
        return torch.bmm(weights_BT[:, None], context_BTD)[:, 0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        context_BTD, mean_BD, w_key, b_key, query_BA, weights_BT = ctx.saved_tensors
        scale = len(w_key) ** -0.5
        d_weights_BT = (context_BTD * gradients[0][:, None]).sum(-1)
        d_weights_BT -= (weights_BT * d_weights_BT).sum(-1, keepdim=True)
        d_asked_BD = torch.bmm((weights_BT * d_weights_BT)[:, None], context_BTD)[:, 0]
        d_query_BA = product(d_asked_BD, w_key).mul_(scale)
        d_w_query = product(d_query_BA.t(), mean_BD.t())
        d_w_key = product(query_BA.t(), d_asked_BD.t())
        return None, None, d_w_query, d_query_BA.sum(0), d_w_key, torch.zeros_like(b_key)


def amn(model: AMN, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    query, key = model.query, model.key
    mean_BD = context_BTD.mean(dim=1)
    mixture_BD = _Mixture.apply(context_BTD, mean_BD, query.weight, query.bias, key.weight, key.bias)
    wide, _, wide_norm, narrow, _, narrow_norm, last = model.correct
    x = wide_norm(functional.gelu(apply(wide, torch.cat([mean_BD, mixture_BD], dim=-1))))
    x = narrow_norm(functional.gelu(apply(narrow, x)))
    return mean_BD + apply(last, x)
