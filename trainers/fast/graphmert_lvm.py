"""GraphMERT-LVM with oneDNN's products and cheap masks; there is nothing to leave out, every position is read."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from trainers.fast.dropout import add_dropped, dropout
from trainers.fast.linear import apply
from trainers.models.graphmert_lvm import GraphMERTLVM, Layer, decay_mask


# B batch · T context vectors · D vector width · H heads · K width of a head
def _layer(layer: Layer, x_BTD: Tensor, mask_TT: Tensor) -> Tensor:
    """(B, T, D) -> (B, T, D)."""
    p, training = layer.dropout.p, layer.training
    batch, time, _ = x_BTD.shape
    qkv = apply(layer.qkv, x_BTD).view(batch, time, 3, layer.heads, -1)
    q_BHTK, k_BHTK, v_BHTK = qkv.permute(2, 0, 3, 1, 4)
    scores_BHTT = (q_BHTK * layer.scale) @ k_BHTK.transpose(-2, -1)
    weights_BHTT = dropout(scores_BHTT.softmax(dim=-1) * mask_TT, p, training)
    attended_BTD = apply(layer.out, (weights_BHTT @ v_BHTK).transpose(1, 2).flatten(2))
    x_BTD = layer.attention_norm(add_dropped(x_BTD, attended_BTD, p, training))
    first, _, _, second = layer.feed_forward
    inner = dropout(functional.gelu(apply(first, x_BTD)), p, training)
    return layer.feed_forward_norm(add_dropped(x_BTD, apply(second, inner), p, training))


def forward(model: GraphMERTLVM, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    mask_TT = decay_mask(model.distance_TT, model.p, model.config.decay)
    x_BTD = context_BTD + model.positions_TD
    for layer in model.layers:
        assert isinstance(layer, Layer)
        x_BTD = _layer(layer, x_BTD, mask_TT)
    first, _, drop, last = model.head
    assert isinstance(drop, nn.Dropout)
    inner = dropout(functional.gelu(apply(first, x_BTD.mean(dim=1))), drop.p, model.training)
    return apply(last, inner)
