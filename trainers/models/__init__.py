"""The architectures, one file each. `build` finds them by the names in `lvmtui.models.REGISTRY`."""

from __future__ import annotations

from importlib import import_module

from torch import Tensor, nn
from torch.nn import functional

from lvmtui.formats.spec import USUAL_CONTEXT
from lvmtui.models import MODELS
from lvmtui.system.errors import unknown


def build(name: str, dim: int, size: str, context: int = USUAL_CONTEXT) -> nn.Module:
    """The model `name` for vectors of `dim` numbers, untrained: (B, T, D) context -> (B, D) raw prediction, with
    T = `context` vectors in reading order. Some models have positions for so many and refuse others (ValueError).

    A model's file has `SIZES`, its configurations by size, and `create(dim, context, config)`. The weights are drawn
    from torch's global generator: seed it first for the same weights again. Raises UserError for an unknown name or
    size, or a `dim` that the model cannot have.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    module = import_module(f"{__name__}.{name}")
    if size not in module.SIZES:
        raise unknown("size", size, module.SIZES)
    return module.create(dim, context, module.SIZES[size])


def expect_context(context_BTD: Tensor, context: int) -> None:
    """Raise ValueError for contexts of another length than a model has positions for. Those of one vector would
    otherwise be stretched to all positions without a word."""
    if context_BTD.shape[1] != context:
        raise ValueError(f"contexts of {context_BTD.shape[1]} vectors for a model made for {context}")


def unit(raw: Tensor) -> Tensor:
    """Raw predictions (B, D) at length 1: cosines are then dot products."""
    return functional.normalize(raw, dim=-1)
