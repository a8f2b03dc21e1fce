"""How many kernels a training step needs, a budget a model that may only fall.

At batch 32 a GPU needs 2 to 3 us for a kernel whatever it computes, so their number is the time of most steps. They
are counted without one: operations that torch dispatches on the path a GPU takes, views left out.
One operation on many tensors (`_foreach`, fused AdamW) counts once. What cuDNN does in a recurrent layer is left out.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from lvmtui.models import MODELS
from trainers.fast import operations
from trainers.selftest.bench import Bench, taken

BUDGET = {
    "amn": (70, 116),
    "lstm": (37, 84),
    "gru": (51, 97),
    "transformer": (228, 275),
    "graphmert_lvm": (158, 206),
}
"""Of the small size: with the reference recipe, with the tuned one."""
MEMORY_ONLY = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "lift_fresh")
DROPOUT = ("bernoulli_", "div_")
"""Before the product by which a CPU drops; a GPU has one kernel for all three."""


class Kernels(TorchDispatchMode):
    """Counts operations that compute or copy."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returned = [r.alias_info for r in func._schema.returns]
        is_view = any(alias is not None and not alias.is_write for alias in returned)
        name = func._schema.name.removeprefix("aten::")
        if not is_view and name not in MEMORY_ONLY + DROPOUT:
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


class Recurrent(torch.autograd.Function):
    """(B, T, I) -> (B, T, H) without any operation that is counted; the parameters only get gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hidden: int, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(x, *parameters)
        with _disable_current_modes():
            return torch.zeros(*x.shape[:2], hidden)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        with _disable_current_modes():
            return torch.zeros_like(x), None, *(torch.zeros_like(p) for p in parameters)


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(layer: nn.RNNBase, x: Tensor) -> tuple[Tensor, None]:
        states: Tensor = Recurrent.apply(x, layer.hidden_size, *layer.parameters())
        return states, None

    for kind in (nn.LSTM, nn.GRU):
        monkeypatch.setattr(kind, "forward", forward)
    monkeypatch.setattr(operations, "on_cpu", lambda x: False)


def kernels(model: str, recipe: str) -> Counter[str]:
    """Of one step after the first ones."""
    steps = Bench(torch.device("cpu"), lambda device: None).steps(model, recipe)
    taken(steps, 2)
    with Kernels() as counted:
        steps.take()
    return counted.counts


@pytest.mark.parametrize(("recipe", "column"), [("reference", 0), ("tuned", 1)])
@pytest.mark.parametrize("model", MODELS)
def test_a_step_needs_no_more_kernels_than_its_budget(model: str, recipe: str, column: int) -> None:
    counts, budget = kernels(model, recipe), BUDGET[model][column]
    assert sum(counts.values()) <= budget, counts.most_common()
    assert sum(counts.values()) > 0.9 * budget, "fewer than planned for: lower the budget"
