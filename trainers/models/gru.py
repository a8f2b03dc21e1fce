"""GRU: a stack of residual GRU blocks reads the context, the last step predicts the next vector."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class GRUConfig:
    hidden: int
    blocks: int


SIZES = {"full": GRUConfig(hidden=512, blocks=4), "small": GRUConfig(hidden=192, blocks=3)}


# B batch · T context vectors · D vector width · H hidden width
class Block(nn.Module):
    """(B, T, H) -> (B, T, H): LayerNorm(x + GRU(x)), one layer, the norm after the sum."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x_BTH: Tensor) -> Tensor:
        states_BTH, _ = self.gru(x_BTH)
        return self.norm(x_BTH + states_BTH)


class GRU(nn.Module):
    """Context (B, T, D), any T, in reading order -> raw prediction (B, D).

    Parameters:  D = 768: full 7,095,552, small 964,032.  D = 384: full 6,701,952, small 816,192.

    Source: Cho et al. 2014 (arXiv:1406.1078), equations 5 to 8; the residual sum and its norm after Vaswani et al. 2017
    (arXiv:1706.03762), section 3.1. It departs as torch does: the reset gate acts after the recurrent matrix, and there
    are two bias vectors a layer. Initialisation: torch's defaults.
    """

    def __init__(self, dim: int, context: int, config: GRUConfig) -> None:
        super().__init__()
        self.project = nn.Linear(dim, config.hidden)
        self.blocks = nn.Sequential(*(Block(config.hidden) for _ in range(config.blocks)))
        self.head = nn.Linear(config.hidden, dim)

    def forward(self, context_BTD: Tensor) -> Tensor:
        return self.head(self.blocks(self.project(context_BTD))[:, -1])


create = GRU
