"""The learning rate as a function of the step. Pure."""

from __future__ import annotations

import math

from lvmtui.formats.spec import Recipe


def rate_at(recipe: Recipe, step: int, total_steps: int, factor: float) -> float:
    """AdamW's rate for the step after `step` steps: a linear warm-up, then the recipe's schedule.

    `factor` is what the plateau schedule has come to; it is 1 with the cosine schedule.
    """
    warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    if recipe.schedule == "plateau":
        return recipe.rate * warm * factor
    after = max(0, step - recipe.warmup_steps) / max(1, total_steps - recipe.warmup_steps)
    return recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, after)))
