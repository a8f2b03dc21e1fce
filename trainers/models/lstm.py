"""LSTM: two recurrent layers read the context, the last step of the second predicts the next vector."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class LSTMConfig:
    hidden: int
    layers: int = 2
    dropout: float = 0.2
    """Between the layers, not after the last."""


SIZES = {"full": LSTMConfig(hidden=512), "small": LSTMConfig(hidden=192)}


# B batch · T context vectors · D vector width · H hidden width
class LSTM(nn.Module):
    """Context (B, T, D), any T, in reading order -> raw prediction (B, D).

    Parameters:  D = 768: full 5,120,768, small 1,183,488.  D = 384: full 4,137,344, small 814,464.

    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; dropout between the layers after
    Zaremba et al. 2014 (arXiv:1409.2329). It departs as torch does: two bias vectors a layer.
    Initialisation: torch's defaults.

    Each layer is an `nn.LSTM` of its own with our dropout between them. The dropout inside `nn.LSTM` draws from a
    cuDNN state that no checkpoint can hold, so a resumed run would differ. In files the weights keep the names they
    have in one `nn.LSTM` of two layers.
    """

    def __init__(self, dim: int, context: int, config: LSTMConfig) -> None:
        super().__init__()
        widths = [dim] + [config.hidden] * (config.layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(width, config.hidden, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, dim)
        self._register_state_dict_hook(_to_file_names)
        self._register_load_state_dict_pre_hook(_from_file_names)

    def forward(self, context_BTD: Tensor) -> Tensor:
        x_BTH = context_BTD
        for index, layer in enumerate(self.layers):
            x_BTH, _ = layer(self.dropout(x_BTH) if index else x_BTH)
        return self.head(x_BTH[:, -1])


def _to_file_names(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """`layers.1.bias_hh_l0` -> `lstm.bias_hh_l1`."""
    _rename(state, rf"{re.escape(prefix)}layers\.(\d+)\.(\w+)_l0", rf"{prefix}lstm.\2_l\1")


def _from_file_names(state: dict[str, Any], prefix: str, *_: Any) -> None:
    """`lstm.bias_hh_l1` -> `layers.1.bias_hh_l0`."""
    _rename(state, rf"{re.escape(prefix)}lstm\.(\w+)_l(\d+)", rf"{prefix}layers.\2.\1_l0")


def _rename(state: dict[str, Any], pattern: str, name: str) -> None:
    """Rename keys in place; the order of all keys stays."""
    items = [(re.sub(f"^{pattern}$", name, key), value) for key, value in state.items()]
    state.clear()
    state.update(items)


create = LSTM
