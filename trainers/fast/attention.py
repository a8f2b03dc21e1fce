"""Transformer and GraphMERT-LVM with faster products and masks.

The transformer's last layer computes what is read, the last position: it needs keys and values of all positions, but
everything else of one. GraphMERT-LVM reads every position, so nothing can be left out there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.fast.operations import add_dropped, apply, dropout, linear
from trainers.models import expect_context
from trainers.models.graphmert_lvm import GraphMERTLVM, Layer, decay_mask
from trainers.models.transformer import Transformer


# N heads of all windows, B * H
class _Scores(torch.autograd.Function):
    """Queries (N, Q, K), keys (N, T, K) -> scale * queries @ keys.T, (N, Q, T). The scale is part of the product."""

    @staticmethod
    def forward(ctx: Any, q_NQK: Tensor, k_NTK: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(q_NQK, k_NTK)
        ctx.scale = scale
        return _scaled(q_NQK, k_NTK.mT, scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q_NQK, k_NTK = ctx.saved_tensors
        (d_NQT,) = gradients
        return _scaled(d_NQT, k_NTK, ctx.scale), _scaled(d_NQT.mT, q_NQK, ctx.scale), None


def _scaled(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """scale * a @ b of batches of matrices."""
    return torch.baddbmm(a.new_empty(()), a, b, beta=0, alpha=scale)


# B batch · Q positions that ask · T positions that answer · W inner width · H heads · K width of a head
def _heads(x_BTW: Tensor, parts: int, heads: int) -> Tensor:
    """(B, T, parts * W) -> (parts, B, H, T, K), copied once; a product would copy each part by itself."""
    return x_BTW.view(*x_BTW.shape[:2], parts, heads, -1).permute(2, 0, 3, 1, 4).contiguous()


def _scores(q_BHQK: Tensor, k_BHTK: Tensor) -> Tensor:
    """Scaled by the root of K: (B, H, Q, T)."""
    scores: Tensor = _Scores.apply(q_BHQK.flatten(0, 1), k_BHTK.flatten(0, 1), q_BHQK.shape[-1] ** -0.5)
    return scores.view(*q_BHQK.shape[:3], -1)


def _attend(attention: nn.MultiheadAttention, x_BQW: Tensor, y_BTW: Tensor, mask_QT: Tensor) -> Tensor:
    """Attention of x to y, before dropout and residual: (B, Q, W)."""
    width, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if x_BQW is y_BTW:
        q, k, v = _heads(linear(x_BQW, weight, bias), 3, heads)
    else:
        weight_q, weight_kv = torch.split(weight, [width, 2 * width])
        bias_q, bias_kv = torch.split(bias, [width, 2 * width])
        (q,) = _heads(linear(x_BQW, weight_q, bias_q), 1, heads)
        k, v = _heads(linear(y_BTW, weight_kv, bias_kv), 2, heads)
    weights_BHQT = dropout((_scores(q, k) + mask_QT).softmax(dim=-1), attention.dropout, attention.training)
    return apply(attention.out_proj, (weights_BHQT @ v).transpose(1, 2).flatten(2))


def _decoder_layer(
    layer: nn.TransformerDecoderLayer, x_BTW: Tensor, input_BTW: Tensor, mask_TT: Tensor, last: bool
) -> Tensor:
    """One decoder layer: (B, T, W) -> (B, T, W), or (B, 1, W) of the `last` position only."""
    training = layer.training
    asking, mask = (x_BTW[:, -1:], mask_TT[-1:]) if last else (x_BTW, mask_TT)
    x = add_dropped(asking, _attend(layer.self_attn, asking, x_BTW, mask), layer.dropout1.p, training)
    x = layer.norm1(x)
    x = add_dropped(x, _attend(layer.multihead_attn, x, input_BTW, mask), layer.dropout2.p, training)
    x = layer.norm2(x)
    inner = dropout(functional.relu(apply(layer.linear1, x)), layer.dropout.p, training)
    return layer.norm3(add_dropped(x, apply(layer.linear2, inner), layer.dropout3.p, training))


def transformer(model: Transformer, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    expect_context(context_BTD, len(model.positions_TW))
    input_BTW = apply(model.project, context_BTD) + model.positions_TW
    x = input_BTW
    for layer in model.layers:
        assert isinstance(layer, nn.TransformerDecoderLayer)
        x = _decoder_layer(layer, x, input_BTW, model.mask_TT, last=layer is model.layers[-1])
    first, _, norm, final = model.head
    return apply(final, norm(functional.gelu(apply(first, x[:, -1]))))


# B batch · T context vectors · D vector width · H heads · K width of a head
def _graphmert_layer(layer: Layer, x_BTD: Tensor, mask_TT: Tensor) -> Tensor:
    """(B, T, D) -> (B, T, D)."""
    p, training = layer.dropout.p, layer.training
    q_BHTK, k_BHTK, v_BHTK = _heads(apply(layer.qkv, x_BTD), 3, layer.heads)
    weights_BHTT = dropout(_scores(q_BHTK, k_BHTK).softmax(dim=-1) * mask_TT, p, training)
    attended_BTD = apply(layer.out, (weights_BHTT @ v_BHTK).transpose(1, 2).flatten(2))
    x_BTD = layer.attention_norm(add_dropped(x_BTD, attended_BTD, p, training))
    first, _, _, second = layer.feed_forward
    inner = dropout(functional.gelu(apply(first, x_BTD)), p, training)
    return layer.feed_forward_norm(add_dropped(x_BTD, apply(second, inner), p, training))


def graphmert_lvm(model: GraphMERTLVM, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    expect_context(context_BTD, len(model.positions_TD))
    mask_TT = decay_mask(model.distance_TT, model.p, model.config.decay)
    x_BTD = context_BTD + model.positions_TD
    for layer in model.layers:
        assert isinstance(layer, Layer)
        x_BTD = _graphmert_layer(layer, x_BTD, mask_TT)
    first, _, drop, last = model.head
    assert isinstance(drop, nn.Dropout)
    return apply(last, dropout(functional.gelu(apply(first, x_BTD.mean(dim=1))), drop.p, model.training))
