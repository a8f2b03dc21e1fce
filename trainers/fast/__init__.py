"""The same models, faster on a CPU: the modules in `trainers.models` say what is computed, these files how.

A faster forward shares the module's parameters, obeys its training flag and gives the same outputs and gradients up to
rounding; random masks differ in which numbers they hide, not in how many. What each file gains and why stands in
`docs/performance.md`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainers.correction import Correction
from trainers.fast import amn, correction, graphmert_lvm, gru, lstm, transformer
from trainers.fast.linear import available
from trainers.models.amn import AMN
from trainers.models.graphmert_lvm import GraphMERTLVM
from trainers.models.gru import GRU
from trainers.models.lstm import LSTM
from trainers.models.transformer import Transformer

Forward = Callable[[Tensor], Tensor]


def faster(module: nn.Module) -> Forward:
    """A forward (B, T, D) -> (B, D) that is equal to `module` and at least as fast; `module` itself where none is
    known: another architecture, a device that is not a CPU, a torch without oneDNN."""
    if not all(p.device.type == "cpu" for p in module.parameters()) or not available():
        return module
    match module:
        case Correction():
            inner = faster(module.model)
            return lambda context: correction.forward(module, inner, context)
        case AMN():
            return lambda context: amn.forward(module, context)
        case LSTM():
            return lambda context: lstm.forward(module, context)
        case GRU():
            return lambda context: gru.forward(module, context)
        case Transformer():
            return lambda context: transformer.forward(module, context)
        case GraphMERTLVM():
            return lambda context: graphmert_lvm.forward(module, context)
    return module
