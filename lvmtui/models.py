"""The registry: the built-in models, what each costs, and how it is trained. Nothing else in lvmtui names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lvmtui.formats.spec import Recipe
from lvmtui.system.errors import unknown


@dataclass(frozen=True)
class ModelCost:
    parameters: tuple[int, int, int]
    """(a, b, c): it has a + b D + c D^2 trainable parameters for vectors of width D and contexts of five, as tested."""
    uses: float
    """How often one window of five vectors uses a parameter: five times if it is applied to each context vector, less
    if it is applied once (most of AMN), more if much work is not in matrix products (attention in small models). From
    `benchmarks/training_speed.py`. One use is of the head, which is applied once; the others grow with the context."""


@dataclass(frozen=True)
class Model:
    """A built-in model: its architecture is the file of the same name in `trainers/models/`."""

    title: str
    """How people write it."""
    costs: Mapping[str, ModelCost]
    """By size."""
    gpu_step: float = 0.0
    """Seconds of a step on a GPU that are the time of its many small kernels, replayed as one graph. Measured on an
    H200 (`benchmarks/gpu.py`, size full, batch 32), less what the products and the update are reckoned to take."""
    positions: bool = False
    """It has D more parameters for each vector of a context beyond five."""
    reference: Mapping[str, Any] = field(default_factory=dict)
    """What differs for it in the reference recipe."""
    tuned: Mapping[str, Any] = field(default_factory=dict)
    """The same of the tuned recipe."""


REGISTRY: Mapping[str, Model] = {
    "amn": Model(
        "AMN", {"small": ModelCost((100_480, 1_281, 0), 1.8), "full": ModelCost((133_888, 1_793, 0), 1.7)}, 2.3e-4
    ),
    "lstm": Model(
        "LSTM", {"small": ModelCost((445_440, 961, 0), 4.2), "full": ModelCost((3_153_920, 2_561, 0), 4.6)}, 3.5e-4
    ),
    "gru": Model(
        "GRU", {"small": ModelCost((668_352, 385, 0), 4.9), "full": ModelCost((6_308_352, 1_025, 0), 4.6)}, 7.0e-4
    ),
    "transformer": Model(
        "Transformer",
        {"small": ModelCost((546_048, 257, 0), 7.5), "full": ModelCost((17_080_320, 1_025, 0), 4.6)},
        1.21e-3,
    ),
    "graphmert_lvm": Model(
        "GraphMERT-LVM",
        {"small": ModelCost((513, 1_049, 10), 5.6), "full": ModelCost((24_577, 49_267, 50), 5.0)},
        1.31e-3,
        positions=True,
        reference={"rate": 1e-4, "epochs": 12, "evaluations": 12},
        tuned={"rate": 2e-3},
    ),
}
"""The built-in models, in the order they are trained. A new one is an entry here and a file in `trainers/models/`.
Models of a user's own are in the specs of their runs (`lvmtui.formats.user_code.OwnModel`)."""

MODELS = tuple(REGISTRY)


def title_of(model: str, own: Mapping[str, str] = {}) -> str:
    """The name of a model as people write it; in a campaign of several contexts with the context, `GRU@20`. `own`:
    titles of a campaign's own models and trainers."""
    name, at, context = model.partition("@")
    return (own.get(name) or (REGISTRY[name].title if name in REGISTRY else name)) + at + context


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

TUNED = replace(
    REFERENCE,
    name="tuned",
    loss="cosine",
    correction=0.1,
    epochs=3,
    equal_updates=True,
    batch_size=128,
    rate=4e-3,
    weight_decay=0.1,
    warmup_steps=60,
    schedule="cosine",
    average=0.98,
    evaluations=8,
    patience=3,
    prior_windows=4000,
    least_updates=300,
)
"""For data too small for the reference recipe, which stays below the context mean there (docs/recipe.md)."""


def size_of(size: str, models: Iterable[str]) -> str:
    """The size, where it says something: the user's own models and trainers come in none. Else empty."""
    return size if any(model.partition("@")[0] in REGISTRY for model in models) else ""


RECIPES = ("tuned", "reference")


def recipe_for(name: str, model: str) -> Recipe:
    """The named recipe with what differs for `model`. Raises UserError for an unknown name."""
    entry = REGISTRY.get(model, Model(model, {}))
    if name == "reference":
        return replace(REFERENCE, **entry.reference)
    if name == "tuned":
        return replace(TUNED, **entry.tuned)
    raise unknown("recipe", name, RECIPES)
