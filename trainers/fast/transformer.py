"""The decoder that computes in its last layer what is read: the last position.

Keys and values are needed of all positions, everything else of one in five there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.fast.dropout import add_dropped, dropout
from trainers.fast.linear import apply, linear
from trainers.models.transformer import Transformer


# B batch · Q positions that ask · T positions that answer · W inner width · H heads · K width of a head
def _heads(x_BTW: Tensor, parts: int, heads: int) -> Tensor:
    """(B, T, parts * W) -> (parts, B, H, T, K)."""
    return x_BTW.view(*x_BTW.shape[:2], parts, heads, -1).permute(2, 0, 3, 1, 4)


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
    scores_BHQT = (q * (width // heads) ** -0.5) @ k.transpose(-2, -1) + mask_QT
    weights_BHQT = dropout(scores_BHQT.softmax(dim=-1), attention.dropout, attention.training)
    return apply(attention.out_proj, (weights_BHQT @ v).transpose(1, 2).flatten(2))


def _layer(layer: nn.TransformerDecoderLayer, x_BTW: Tensor, input_BTW: Tensor, mask_TT: Tensor, last: bool) -> Tensor:
    """One decoder layer: (B, T, W) -> (B, T, W), or (B, 1, W) of the `last` position only."""
    training = layer.training
    asking, mask = (x_BTW[:, -1:], mask_TT[-1:]) if last else (x_BTW, mask_TT)
    x = add_dropped(asking, _attend(layer.self_attn, asking, x_BTW, mask), layer.dropout1.p, training)
    x = layer.norm1(x)
    x = add_dropped(x, _attend(layer.multihead_attn, x, input_BTW, mask), layer.dropout2.p, training)
    x = layer.norm2(x)
    inner = dropout(functional.relu(apply(layer.linear1, x)), layer.dropout.p, training)
    return layer.norm3(add_dropped(x, apply(layer.linear2, inner), layer.dropout3.p, training))


def forward(model: Transformer, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    input_BTW = apply(model.project, context_BTD) + model.positions_TW
    x = input_BTW
    for layer in model.layers:
        assert isinstance(layer, nn.TransformerDecoderLayer)
        x = _layer(layer, x, input_BTW, model.mask_TT, last=layer is model.layers[-1])
    first, _, norm, final = model.head
    return apply(final, norm(functional.gelu(apply(first, x[:, -1]))))
