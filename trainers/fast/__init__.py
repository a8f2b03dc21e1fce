"""The same models, faster: the modules in `trainers.models` say what is computed, these files how.

A faster forward shares the module's parameters, obeys its training flag and gives the same outputs and gradients up to
rounding; random masks differ in which numbers they hide, not in how many. What each file gains on a CPU, and why, is in
`docs/performance.md`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainers.correction import Correction
from trainers.fast import amn, correction, graphmert_lvm, gru, linear, lstm, transformer
from trainers.models.amn import AMN
from trainers.models.graphmert_lvm import GraphMERTLVM
from trainers.models.gru import GRU
from trainers.models.lstm import LSTM
from trainers.models.transformer import Transformer

Forward = Callable[[Tensor], Tensor]


def faster(module: nn.Module) -> Forward:
    """A forward (B, T, D) -> (B, D) that is equal to `module` and at least as fast.

    `module` itself where none is known: another architecture, or a CPU whose torch has no oneDNN. On a GPU only the
    transformer has one: it takes fewer kernels, and no attention kernel whose backward pass is not deterministic.
    """
    on_cpu = all(linear.on_cpu(p) for p in module.parameters())
    if on_cpu and not linear.available():
        return module
    match module:
        case Correction():
            inner = faster(module.model)
            if on_cpu or inner is not module.model:
                return lambda context: correction.forward(module, inner, context)
        case Transformer():
            return lambda context: transformer.forward(module, context)
        case AMN() if on_cpu:
            return lambda context: amn.forward(module, context)
        case LSTM() if on_cpu:
            return lambda context: lstm.forward(module, context)
        case GRU() if on_cpu:
            return lambda context: gru.forward(module, context)
        case GraphMERTLVM() if on_cpu:
            return lambda context: graphmert_lvm.forward(module, context)
    return module
