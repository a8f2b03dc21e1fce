"""A finished run's model, for those who want to use it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lvmtui.formats.json_codec import decode
from lvmtui.formats.spec import Recipe
from lvmtui.system.errors import UserError
from trainers.state import build_forecaster
from trainers.user_code import load_kept


def load_forecaster(path: Path, *, run_its_code: bool = False) -> nn.Module:
    """The model in a `best_model.pt`, ready to predict: (B, T, D) contexts of unit vectors -> (B, D), any length.

    A user's own model brings its Python code along, which is run only with `run_its_code`: look at what you run.
    Raises UserError without it, OSError, or pickle.UnpicklingError for a file that holds more than tensors and plain
    values.
    """
    kept = torch.load(path, map_location="cpu", weights_only=True)
    recipe = decode(Recipe, kept["recipe"])
    if "own" in kept and not run_its_code:
        names = ", ".join(kept["own"]["files"])
        raise UserError(f"{path}: holds a model with code of its own ({names}); read it, then load with run_its_code")
    own = load_kept(kept) if "own" in kept else None
    model = build_forecaster(kept["model"], kept["dim"], kept["size"], recipe, kept["context"], None, own)
    model.load_state_dict(kept["state_dict"])
    return model.eval()
