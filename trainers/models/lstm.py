"""LSTM: two recurrent layers read the context, their last step predicts the next vector."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class LSTMConfig:
    hidden: int
    layers: int = 2
    dropout: float = 0.2
    """Between the layers, not after the last."""


SIZES = {
    "full": LSTMConfig(hidden=512),
    "small": LSTMConfig(hidden=192),
}


# B batch · T context vectors · D vector width · H hidden width
class LSTM(nn.Module):
    """Context (B, T, D), T = 5 in reading order -> raw prediction (B, D).

    Parameters:  D = 768: full 5,120,768, small 1,183,488.  D = 384: full 4,137,344, small 814,464.

    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; dropout between the layers after
    Zaremba et al. 2014 (arXiv:1409.2329). It departs as torch does: two bias vectors a layer.
    Initialisation: torch's defaults.
    """

    def __init__(self, dim: int, config: LSTMConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, config.hidden, config.layers, dropout=config.dropout, batch_first=True)
        self.head = nn.Linear(config.hidden, dim)

    def forward(self, context_BTD: Tensor) -> Tensor:
        states_BTH, _ = self.lstm(context_BTD)
        return self.head(states_BTH[:, -1])


def create(dim: int, config: LSTMConfig) -> LSTM:
    return LSTM(dim, config)
