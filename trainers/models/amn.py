"""AMN, the Attention Mixture Network: the mean of the context plus a learned correction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AMNConfig:
    attention: int
    """Width in which the mean is compared with the context vectors."""
    wide: int
    """Width of the correction's first hidden layer."""
    narrow: int
    """Width of its second."""


SIZES = {
    "full": AMNConfig(attention=256, wide=512, narrow=256),
    "small": AMNConfig(attention=128, wide=384, narrow=256),
}


# B batch · T context vectors · D vector width · A attention width
class AMN(nn.Module):
    """Context (B, T, D), any T, in reading order -> raw prediction (B, D).

    The mean of the context asks, the context vectors answer: one scaled dot-product attention, one head, mixes them,
    and an MLP turns [mean, mixture] into a correction of the mean.

    Parameters:  D = 768: full 1,510,912, small 1,084,288.  D = 384: full 822,400, small 592,384.

    Source: no paper, it is the original experiment's own. The attention is Vaswani et al. 2017 (arXiv:1706.03762),
    equation 1, and departs in one thing: the values are the context vectors themselves, not projected, so that the
    mixture stays among them. Initialisation: torch's defaults.
    """

    def __init__(self, dim: int, context: int, config: AMNConfig) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(config.attention)
        self.query = nn.Linear(dim, config.attention)
        self.key = nn.Linear(dim, config.attention)
        self.correct = nn.Sequential(
            nn.Linear(2 * dim, config.wide),
            nn.GELU(),
            nn.LayerNorm(config.wide),
            nn.Linear(config.wide, config.narrow),
            nn.GELU(),
            nn.LayerNorm(config.narrow),
            nn.Linear(config.narrow, dim),
        )

    def forward(self, context_BTD: Tensor) -> Tensor:
        mean_BD = context_BTD.mean(dim=1)
        scores_BT = torch.einsum("ba,bta->bt", self.query(mean_BD), self.key(context_BTD)) * self.scale
        mixture_BD = torch.einsum("bt,btd->bd", scores_BT.softmax(dim=-1), context_BTD)
        return mean_BD + self.correct(torch.cat([mean_BD, mixture_BD], dim=-1))


create = AMN
