"""A finished run's model, for those who want to use it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lvmtui.formats.json_codec import decode
from lvmtui.formats.spec import Recipe
from trainers.state import build_forecaster


def load_forecaster(path: Path) -> nn.Module:
    """The model in a `best_model.pt`, ready to predict: (B, T, D) contexts of unit vectors -> (B, D), any length.

    Raises OSError, or pickle.UnpicklingError for a file that holds more than tensors and plain values.
    """
    kept = torch.load(path, map_location="cpu", weights_only=True)
    recipe = decode(Recipe, kept["recipe"])
    model = build_forecaster(kept["model"], kept["dim"], kept["size"], recipe, kept["context"], None)
    model.load_state_dict(kept["state_dict"])
    return model.eval()
