"""The same models, faster: the modules in `trainers.models` say what is computed, these files how.

A faster forward shares the module's parameters, obeys its training flag and gives the same outputs and gradients up to
rounding; random masks hide other numbers, but as many. What each file gains on a CPU, and why: `docs/performance.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from trainers.correction import Correction
from trainers.fast import operations
from trainers.fast.amn import amn
from trainers.fast.attention import graphmert_lvm, transformer
from trainers.fast.recurrent import gru, lstm
from trainers.models.amn import AMN
from trainers.models.graphmert_lvm import GraphMERTLVM
from trainers.models.gru import GRU
from trainers.models.lstm import LSTM
from trainers.models.transformer import Transformer

Forward = Callable[[Tensor], Tensor]
EVERYWHERE: dict[type[nn.Module], Callable[..., Tensor]] = {Transformer: transformer, GraphMERTLVM: graphmert_lvm}
ON_CPU: dict[type[nn.Module], Callable[..., Tensor]] = {AMN: amn, LSTM: lstm, GRU: gru}


def faster(module: nn.Module) -> Forward:
    """A forward (B, T, D) -> (B, D) that is equal to `module` and at least as fast.

    `module` itself where none is known: another architecture, or a CPU whose torch has no oneDNN. On a GPU only
    the models with attention have one: it takes fewer kernels, and none whose backward pass is not deterministic.
    """
    on_cpu = all(operations.on_cpu(p) for p in module.parameters())
    if on_cpu and not operations.available():
        return module
    if isinstance(module, Correction):
        inner = faster(module.model)
        return partial(corrected, module, inner) if on_cpu or inner is not module.model else module
    for kind, forward in (EVERYWHERE | ON_CPU if on_cpu else EVERYWHERE).items():
        if isinstance(module, kind):
            return partial(forward, module)
    return module


def corrected(module: Correction, model: Callable[[Tensor], Tensor], context_BTD: Tensor) -> Tensor:
    """The tuned recipe's correction, (B, T, D) -> (B, D); `model` is the inner model's forward.

    The masks are the cheap ones, and the mean is a small product for each window.
    """
    batch, time, dim = context_BTD.shape
    mean_BD = torch.bmm(module.logits.softmax(0).expand(batch, 1, time), context_BTD)[:, 0]
    if module.training and operations.on_cpu(context_BTD):
        dropped_BTD = operations.dropout(context_BTD, module.input_dropout, training=True)
        if module.feature_dropout:
            dropped_BTD = dropped_BTD * operations.keep_mask((batch, 1, dim), module.feature_dropout)
    else:
        dropped_BTD = module.drop(context_BTD)
    return mean_BD + module.log_scale.exp() * model(dropped_BTD)
