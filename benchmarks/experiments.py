"""Which runs each experiment of `recipe.py` trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from trials import Trial

from lvmtui.formats.spec import ArmName, Recipe
from lvmtui.models import recipe_for

SEEDS = (1, 2, 3)
MANY_SEEDS = tuple(range(1, 11))
RATES = (0.5, 1.0, 2.0)

VARIATIONS: dict[str, dict[str, Any]] = {
    "tuned": {},
    "no prior": {"prior_windows": 0},
    "a prior four times as strong": {"prior_windows": 16000},
    "dropout of numbers and features, .3 each": {"input_dropout": 0.3, "feature_dropout": 0.3},
    "the same, without the prior": {"input_dropout": 0.3, "feature_dropout": 0.3, "prior_windows": 0},
    "no average of the weights": {"average": None},
    "no warm-up": {"warmup_steps": 0},
    "rate not lowered": {"schedule": "plateau", "plateau_patience": 1000},
    "weight decay .01": {"weight_decay": 0.01},
    "batch 32": {"batch_size": 32},
    "batch 256": {"batch_size": 256},
    "mean squared error, without the prior": {"loss": "mse", "prior_windows": 0},
    "no correction: the network predicts alone": {"correction": None},
    "the recipe before": {
        "correction": 0.05,
        "epochs": 5,
        "rate": 0.5,
        "input_dropout": 0.3,
        "feature_dropout": 0.3,
        "average": 0.99,
        "evaluations": 20,
        "patience": 8,
        "prior_windows": 0,
    },
}
"""The recipe with one thing changed at a time; `rate` is a multiple of the model's own."""


@dataclass(frozen=True)
class Part:
    """What of an experiment was asked for."""

    models: tuple[str, ...]
    arms: tuple[ArmName, ...]
    seeds: tuple[int, ...] | None
    rates: tuple[float, ...]

    def grid(self, recipe: Callable[[str], Recipe], seeds: Sequence[int], data: str = "bundled") -> list[Trial]:
        """A trial for each seed, model and arm, with the recipe of the model."""
        return [
            Trial(model, arm, seed, recipe(model), data)
            for seed in self.seeds or seeds
            for model in self.models
            for arm in self.arms
        ]


def changed(changes: dict[str, Any]) -> Callable[[str], Recipe]:
    """The tuned recipe of a model with some values changed; `rate` is a multiple of the model's own."""

    def recipe(model: str) -> Recipe:
        plain = recipe_for("tuned", model)
        return replace(plain, **changes | {"rate": changes.get("rate", 1.0) * plain.rate})

    return recipe


def ablation(part: Part) -> list[Trial]:
    """All variations of a seed before the next seed, so that a broken off experiment is fair to all."""
    trials = [part.grid(changed(changes), SEEDS) for changes in VARIATIONS.values()]
    return sorted((t for found in trials for t in found), key=lambda t: t.seed)


def collapse(part: Part) -> list[Trial]:
    return [t for rate in part.rates for t in part.grid(changed({"rate": rate}), MANY_SEEDS)]


def against_reference(part: Part, data: str) -> list[Trial]:
    """Reference and tuned in turns, so that other work on the machine slows both."""
    reference = part.grid(lambda model: until_plateau(recipe_for("reference", model)), SEEDS[:1], data)
    return [t for pair in zip(reference, part.grid(changed({}), SEEDS[:1], data), strict=True) for t in pair]


def until_plateau(reference: Recipe) -> Recipe:
    """The reference recipe, left when the rate has been halved twice without a better loss: nothing is gained after
    that, and what went before is the same."""
    return replace(reference, patience=2 * reference.plateau_patience)


def reach(part: Part) -> list[Trial]:
    return part.grid(changed({}), SEEDS)


def twice(model: str) -> Recipe:
    """The tuned recipe as it is when every training window is there twice.

    Two copies add no data, and both arms make the same number of updates. All that differs is the prior, whose weight
    is `prior_windows` over the number of training windows.
    """
    plain = recipe_for("tuned", model)
    return replace(plain, prior_windows=plain.prior_windows / 2)


def copies(part: Part) -> list[Trial]:
    pairs = zip(part.grid(changed({}), SEEDS), part.grid(twice, SEEDS), strict=True)
    return sorted((trial for pair in pairs for trial in pair), key=lambda trial: trial.seed)


COMMANDS: dict[str, Callable[[Part], list[Trial]]] = {
    "reach": reach,
    "copies": copies,
    "ablate": ablation,
    "collapse": collapse,
    "quarter": partial(against_reference, data="bundled"),
    "wide": partial(against_reference, data="wide"),
    "full": partial(against_reference, data="full"),
}
