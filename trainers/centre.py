"""The centred space on a device: the same as `lvmtui.datasets.centre`, for tensors and as a part of a model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lvmtui.datasets.centre import ZERO, Centre


def on_device(centre: Centre | None, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """A function from rows (..., D) of the file's space to rows of length 1 in the centred space."""
    if centre is None:
        return None
    shift, scale = (torch.from_numpy(part).to(device) for part in (centre.shift, centre.scale))
    return lambda rows: nn.functional.normalize((rows - shift) / scale, dim=-1, eps=ZERO)


class InFileSpace(nn.Module):
    """A model of the centred space, seen from the file's: contexts (B, T, D) in, unit predictions (B, D) out, both in
    the space of the file."""

    def __init__(self, model: nn.Module, centre: Centre) -> None:
        super().__init__()
        self.model = model
        self.centre = centre

    @torch.no_grad()
    def forward(self, context: Tensor) -> Tensor:
        centred = torch.from_numpy(self.centre(context.cpu().numpy())).to(context.device)
        predicted = self.model(centred)
        return torch.from_numpy(self.centre.back(predicted.float().cpu().numpy())).to(context.device)
