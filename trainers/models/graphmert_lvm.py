"""GraphMERT-LVM: an encoder whose attention fades with distance, by a decay of which it learns the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvmtui.system.errors import UserError
from trainers.models import expect_context


@dataclass(frozen=True)
class GraphMERTConfig:
    layers: int
    feed_forward: int
    heads: int = 8
    dropout: float = 0.1
    decay: float = 0.6
    """lambda of equation 7, in (0, 1)."""
    threshold: float = 1.0
    """p of equation 7 before training. At 1, neighbours keep their weight and what is further away loses some."""


SIZES = {"full": GraphMERTConfig(layers=12, feed_forward=2048), "small": GraphMERTConfig(layers=2, feed_forward=256)}


def decay_mask(distance_TT: Tensor, p: Tensor, decay: float) -> Tensor:
    """(T, T): decay ^ GELU(sqrt(distance) - p), GraphMERT equation 7; a little above 1 where sqrt(distance) < p."""
    return decay ** F.gelu(distance_TT.sqrt() - p)


# B batch · T context vectors · D vector width · H heads · K width of a head
class Layer(nn.Module):
    """(B, T, D) and the (T, T) mask -> (B, T, D): post-norm, dropout where `nn.TransformerEncoderLayer` has it."""

    def __init__(self, dim: int, config: GraphMERTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.scale = (dim // config.heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, dim),
        )
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def attend(self, x_BTD: Tensor, mask_TT: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D): equation 8, softmax first, mask second; the rows need not sum to one again."""
        q_BHTK, k_BHTK, v_BHTK = self.qkv(x_BTD).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores_BHTT = (q_BHTK * self.scale) @ k_BHTK.transpose(-2, -1)
        weights_BHTT = self.dropout(scores_BHTT.softmax(dim=-1) * mask_TT)
        return self.out((weights_BHTT @ v_BHTK).transpose(1, 2).flatten(2))

    def forward(self, x_BTD: Tensor, mask_TT: Tensor) -> Tensor:
        x_BTD = self.attention_norm(x_BTD + self.dropout(self.attend(x_BTD, mask_TT)))
        return self.feed_forward_norm(x_BTD + self.dropout(self.feed_forward(x_BTD)))


class GraphMERTLVM(nn.Module):
    """Context (B, T, D) in reading order, T = `context` -> raw prediction (B, D). UserError unless `heads` divides D.

    Parameters at T = 5:  D = 768: full 67,352,833, small 6,704,385.  D = 384: full 26,315,905, small 1,877,889. Each
    more context vector has a position of D numbers.

    Source: the attention decay of GraphMERT (Belova, Xiao, Tuli & Jha 2025, arXiv:2510.09580), section 4.2.1, equations
    7 and 8, one learnable p for all layers. It departs in what it is applied to: the paper's graph is a chain of tokens
    with the leaves of a knowledge graph; here it is the chain of context vectors alone, two of them |i - j| apart. The
    head (mean over the context, linear, GELU, dropout, linear) is the original experiment's own. Initialisation:

        weight                           start
        all linear weights, positions    normal(0, 0.02)
        all linear biases                0
        norms                            1 and 0 (torch's default)
        p                                1
    """

    distance_TT: Tensor

    def __init__(self, dim: int, context: int, config: GraphMERTConfig) -> None:
        super().__init__()
        if dim % config.heads:
            fault = f"graphmert_lvm cannot split vectors of {dim} numbers into its {config.heads} attention heads"
            raise UserError(f"{fault}; leave it out of --models")
        self.config = config
        self.positions_TD = nn.Parameter(torch.empty(context, dim))
        self.p = nn.Parameter(torch.empty(()))
        self.layers = nn.ModuleList(Layer(dim, config) for _ in range(config.layers))
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(dim, dim))
        place_T = torch.arange(context, dtype=torch.float32)
        self.register_buffer("distance_TT", (place_T[:, None] - place_T).abs(), persistent=False)
        nn.init.constant_(self.p, config.threshold)
        nn.init.normal_(self.positions_TD, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, context_BTD: Tensor) -> Tensor:
        expect_context(context_BTD, len(self.positions_TD))
        mask_TT = decay_mask(self.distance_TT, self.p, self.config.decay)
        x_BTD = context_BTD + self.positions_TD
        for layer in self.layers:
            x_BTD = layer(x_BTD, mask_TT)
        return self.head(x_BTD.mean(dim=1))


create = GraphMERTLVM
