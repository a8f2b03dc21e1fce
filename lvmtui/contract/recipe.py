"""How a model is trained: every number a run depends on besides its model, its data and its seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lvmtui.contract.errors import unknown

TITLES = {
    "amn": "AMN",
    "lstm": "LSTM",
    "gru": "GRU",
    "transformer": "Transformer",
    "graphmert_lvm": "GraphMERT-LVM",
}
"""The models and how people write them, in the order they are trained. A new one is a line here and a file of the
same name in `trainers/models/`."""

MODELS = tuple(TITLES)


def title_of(model: str) -> str:
    """The name of a model as people write it."""
    return TITLES.get(model, model)


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one run, complete: the trainer adds no default of its own."""

    name: str
    loss: Literal["mse", "cosine"]
    """`mse`: of the raw output against the target. `cosine`: 1 - cosine."""
    correction: float | None
    """None: the model's output is the prediction. Otherwise the prediction is a softmax-weighted mean of the context
    plus the model's output times a learned scale that starts here."""
    epochs: float
    """Passes over the training windows; with `equal_updates` of the arm that has more of them."""
    equal_updates: bool
    """Both arms take the same number of steps, so that a difference is one of data and not of training."""
    batch_size: int
    rate: float
    """AdamW's learning rate at its peak."""
    weight_decay: float
    clip: float
    """Largest norm of the gradient."""
    warmup_steps: int
    schedule: Literal["plateau", "cosine"]
    """After the warm-up. `plateau`: halved after `plateau_patience` evaluations without a better validation loss.
    `cosine`: down to zero at the last step."""
    plateau_patience: int
    input_dropout: float
    """Share of the context's numbers set to zero while training."""
    feature_dropout: float
    """Share of the vector's features set to zero in all five context vectors of a window at once."""
    average: float | None
    """Decay of the exponential average of the weights that is evaluated and kept; None: the weights themselves."""
    evaluations: int
    """Evaluations on the validation windows, evenly spread, the last one at the last step."""
    patience: int | None
    """Evaluations without a better validation loss after which the run ends early; None: never."""
    prior_windows: float = 0.0
    """With a correction: training windows that the weighted mean of the context counts for. What is minimised is the
    loss plus `prior_windows / training windows` times 1 - cosine of the prediction with that mean, so that a
    correction has to gain more than it departs, and the less so the more data there is. The loss that is shown is
    without it."""


REFERENCE = Recipe(
    name="reference",
    loss="mse",
    correction=None,
    epochs=20,
    equal_updates=False,
    batch_size=32,
    rate=5e-4,
    weight_decay=0.01,
    clip=1.0,
    warmup_steps=100,
    schedule="plateau",
    plateau_patience=3,
    input_dropout=0.0,
    feature_dropout=0.0,
    average=None,
    evaluations=20,
    patience=None,
)
"""The original experiment's recipe, one evaluation an epoch."""

TUNED = Recipe(
    name="tuned",
    loss="cosine",
    correction=0.1,
    epochs=3,
    equal_updates=True,
    batch_size=128,
    rate=4e-3,
    weight_decay=0.1,
    clip=1.0,
    warmup_steps=60,
    schedule="cosine",
    plateau_patience=3,
    input_dropout=0.0,
    feature_dropout=0.0,
    average=0.98,
    evaluations=8,
    patience=3,
    prior_windows=4000,
)
"""For data too small for the reference recipe, which stays below the context mean there. What each part is worth stands
in docs/recipe.md."""


def recipe_for(name: str, model: str) -> Recipe:
    """The named recipe with what differs for `model`. Raises UserError for an unknown name."""
    if name == "reference":
        return replace(REFERENCE, rate=1e-4, epochs=12, evaluations=12) if model == "graphmert_lvm" else REFERENCE
    if name == "tuned":
        return replace(TUNED, rate=2e-3) if model == "graphmert_lvm" else TUNED
    raise unknown("recipe", name, ("reference", "tuned"))
