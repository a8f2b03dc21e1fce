"""How a model is trained: every number a run depends on besides its model, its data and its seed."""

from __future__ import annotations

from dataclasses import replace

from lvmtui.formats.spec import Recipe
from lvmtui.system.errors import unknown

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
    """The name of a model as people write it; in a campaign of several contexts with the context, `GRU@20`."""
    name, at, context = model.partition("@")
    return TITLES.get(name, name) + at + context


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
