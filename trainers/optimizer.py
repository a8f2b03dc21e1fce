"""AdamW with gradient clipping folded in: one pass over the parameters. And its learning rate.

The arithmetic is torch's own fused kernel. `torch.optim.AdamW` around it looks up every parameter again at every step,
which is a tenth of a small model's step, and clipping beforehand reads and writes each gradient once more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lvmtui.formats.spec import Recipe

BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""torch's defaults, as in algorithm 2 of Loshchilov & Hutter 2019 (arXiv:1711.05101)."""


@dataclass(frozen=True)
class Group:
    """Parameters that share a weight decay, with their moments."""

    parameters: list[Tensor]
    weight_decay: float
    first: list[Tensor]
    second: list[Tensor]


class AdamW:
    """Updates parameters by their gradients; every parameter must have one."""

    def __init__(self, groups: Sequence[tuple[Sequence[nn.Parameter], float]]) -> None:
        """`groups`: parameters and their weight decay."""
        self.groups = [
            Group(list(found), decay, [torch.zeros_like(p) for p in found], [torch.zeros_like(p) for p in found])
            for found, decay in groups
        ]
        self.parameters = [p for group in self.groups for p in group.parameters]
        self.steps = torch.zeros((), device=self.parameters[0].device)

    @torch.no_grad()
    def update(self, rate: Tensor, clip: float) -> None:
        """One step at `rate` () with the norm of the whole gradient clipped to `clip`. Frees the gradients."""
        gradients = [[gradient_of(p) for p in group.parameters] for group in self.groups]
        norms = torch._foreach_norm([gradient for found in gradients for gradient in found])
        excess = (torch.linalg.vector_norm(torch.stack(norms)) + 1e-6) / clip
        scale = self._divisor(excess, [gradient for found in gradients for gradient in found])
        self.steps += 1
        for group, found in zip(self.groups, gradients, strict=True):
            torch._fused_adamw_(
                group.parameters,
                found,
                group.first,
                group.second,
                [],
                [self.steps] * len(group.parameters),
                lr=rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group.weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
                grad_scale=scale,
            )
        for p in self.parameters:
            p.grad = None

    def _divisor(self, excess: Tensor, gradients: list[Tensor]) -> Tensor | None:
        """What the fused kernel is to divide the gradients by; None if they are right already."""
        kind = excess.device.type
        if kind == "cpu":  # where looking at a number costs nothing; mostly no clipping is needed
            return excess.clamp(min=1) if excess > 1 else None
        if kind == "cuda":
            return excess.clamp(min=1)
        # Metal's kernel ignored the divisor in some versions of torch, and clipping was off without a word.
        torch._foreach_div_(gradients, excess.clamp(min=1))
        return None

    def state_dict(self) -> dict[str, Any]:
        """The moments of all parameters in order, and the steps taken."""
        return {
            "steps": self.steps,
            "first": [moment for group in self.groups for moment in group.first],
            "second": [moment for group in self.groups for moment in group.second],
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        own = self.state_dict()
        own["steps"].copy_(state["steps"])
        for name in ("first", "second"):
            for moment, saved in zip(own[name], state[name], strict=True):
                moment.copy_(saved)


def gradient_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "a parameter that the loss does not depend on"
    return parameter.grad


def rate_at(recipe: Recipe, step: int, total_steps: int, factor: float) -> float:
    """AdamW's rate for the step after `step` steps: a linear warm-up, then the recipe's schedule.

    `factor` is what the plateau schedule has come to; it is 1 with the cosine schedule.
    """
    warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    if recipe.schedule == "plateau":
        return recipe.rate * warm * factor
    after = max(0, step - recipe.warmup_steps) / max(1, total_steps - recipe.warmup_steps)
    return recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, after)))
