"""All that a resumed run needs, in one object: the content of a checkpoint."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lvmtui.datasets.centre import Centre
from lvmtui.formats.json_codec import decode
from lvmtui.formats.spec import Recipe, RunSpec
from lvmtui.system.errors import UserError
from lvmtui.trainer_kit import Mean
from trainers.correction import Correction
from trainers.data import TensorWindows
from trainers.device import random_state, set_random_state
from trainers.fast import faster
from trainers.models import build
from trainers.optimizer import AdamW
from trainers.user_code import Loss, built, kept_source, load, load_kept

SAMPLE = 4096
"""Training windows to which the weights of a correction's mean are fitted: a few numbers need no more."""
SAMPLE_BYTES = 256 << 20
"""Bytes of these windows; with long contexts there are fewer of them."""


@dataclass
class TrainingPlace:
    """Where a run is: plain numbers."""

    step: int = 0
    evaluated_step: int = 0
    """Step of the last evaluation that was completed."""
    best_loss: float = math.inf
    best_cosine: float = math.nan
    best_step: int = 0
    best_digest: str = ""
    since_best: int = 0
    """Evaluations since the best one."""
    plateau: int = 0
    """Evaluations without a better loss since the rate was last halved."""
    factor: float = 1.0
    """On the rate, by the plateau schedule."""
    active: float = 0.0
    train_seconds: float = 0.0
    since_point: Mean = field(default_factory=Mean)
    since_evaluation: Mean = field(default_factory=Mean)

    def evaluated(self, loss: float, cosine: float, recipe: Recipe) -> bool:
        """Note the validation loss and cosine of this step; True if the loss is the lowest so far.

        With the plateau schedule the rate is halved after `plateau_patience` evaluations without a lower loss.
        """
        self.evaluated_step = self.step
        if loss < self.best_loss:
            self.best_loss, self.best_cosine, self.best_step = loss, cosine, self.step
            self.since_best = self.plateau = 0
            return True
        self.since_best += 1
        self.plateau += 1
        if recipe.schedule == "plateau" and self.plateau >= recipe.plateau_patience:
            self.factor, self.plateau = self.factor / 2, 0
        return False


class TrainState:
    """Model, optimizer, average, best weights, random state and place of a run."""

    def __init__(self, model: nn.Module, recipe: Recipe, *, plain: bool = False) -> None:
        """`plain`: train the module as it is, not its faster equal."""
        self.model = model
        self.forward = model if plain else faster(model)
        """The forward pass that is trained: `model`, or its faster equal on the same parameters."""
        self.averaged = _copy_of(model) if recipe.average is not None else model
        """The model that is evaluated and kept."""
        self.device = next(model.parameters()).device
        self.weights: list[Tensor] = list(model.parameters())
        self.averages: list[Tensor] = list(self.averaged.parameters())
        self.optimizer = AdamW(_groups(model, recipe))
        self.loss: str | Loss = recipe.loss
        """Its name, or a user's own."""
        self.place = TrainingPlace()
        self.best: dict[str, Tensor] = {}

    @torch.no_grad()
    def average(self, weight: Tensor) -> None:
        """Move the average by `weight` () of the way towards the weights."""
        if self.device.type == "cpu":
            torch._foreach_lerp_(self.averages, self.weights, [weight] * len(self.weights))
            return
        # With tensors for weights, lerp has no kernel for many parameters at once: one launch a parameter on a GPU.
        moves = torch._foreach_sub(self.weights, self.averages)
        torch._foreach_mul_(moves, weight)
        torch._foreach_add_(self.averages, moves)

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Give the averaged model the buffers of the trained one: batch statistics are no weights to be averaged."""
        if self.averaged is not self.model:
            for mine, trained in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
                mine.copy_(trained)

    def keep_best(self) -> None:
        self.best = {name: value.detach().cpu().clone() for name, value in self.averaged.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "place": asdict(self.place),
            **random_state(self.device),
        }
        if self.averaged is not self.model:
            state["averaged"] = self.averaged.state_dict()
        return state

    @property
    def nbytes(self) -> int:
        """About the size of a checkpoint: weights, their average and best, and AdamW's two moments."""
        return 5 * sum(p.nbytes for p in self.model.parameters())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not self.model:
            self.averaged.load_state_dict(state["averaged"])
        self.best = dict(state["best"])
        self.place = decode(TrainingPlace, state["place"])
        set_random_state(self.device, state)


def best_model(
    spec: RunSpec, place: TrainingPlace, weights: Mapping[str, Tensor], workspace: Path, centre: Centre | None = None
) -> dict[str, Any]:
    """The content of `best_model.pt`: the best weights so far, with all that is needed to use them."""
    own: dict[str, Any] = {}
    if mine := spec.own_model:
        code = {key: getattr(mine.code, key) for key in ("module", "name", "digest")}
        own = {"own": {**code, "options": dict(mine.options), "files": kept_source(mine.code, workspace)}}
    return {
        "format": 1,
        "run": spec.run,
        "model": spec.model,
        "size": spec.size,
        "dim": spec.dim,
        "context": spec.context,
        "step": place.best_step,
        "epoch": place.best_step / spec.steps_per_epoch,
        "metrics": {"validation_loss": place.best_loss, "validation_cosine": place.best_cosine},
        "recipe": asdict(spec.recipe),
        "trained_on": asdict(spec.data),
        "state_dict": dict(weights),
        **own,
        **({"centre": {name: torch.from_numpy(part) for name, part in vars(centre).items()}} if centre else {}),
    }


def own_model_of(spec: RunSpec, workspace: Path) -> nn.Module | None:
    """The user's own model, untrained; None for one of ours. Raises UserError."""
    own = spec.own_model
    return built(load(own.code, workspace), own.code.source, own.options, spec.dim, spec.context) if own else None


def load_forecaster(path: Path, *, run_its_code: bool = False) -> nn.Module:
    """The model in a `best_model.pt`, ready to predict: (B, T, D) contexts of unit vectors -> (B, D), any length.

    A model that was trained on centred vectors takes vectors of the file's space all the same and gives such. A user's
    own model brings its Python code along, which is run only with `run_its_code`: look at what you run. Raises
    UserError without it, OSError, or pickle.UnpicklingError for a file of more than tensors and plain values.
    """
    kept = torch.load(path, map_location="cpu", weights_only=True)
    recipe = decode(Recipe, kept["recipe"])
    if "own" in kept and not run_its_code:
        names = ", ".join(kept["own"]["files"])
        raise UserError(f"{path}: holds a model with code of its own ({names}); read it, then load with run_its_code")
    own = load_kept(kept) if "own" in kept else None
    model = build_forecaster(kept["model"], kept["dim"], kept["size"], recipe, kept["context"], None, own)
    model.load_state_dict(kept["state_dict"])
    if "centre" in kept:
        model = InFileSpace(model, Centre(kept["centre"]["shift"].numpy(), kept["centre"]["scale"].numpy()))
    return model.eval()


class InFileSpace(nn.Module):
    """A model of the centred space for vectors as in the file: contexts (B, T, D) in, unit predictions (B, D) out."""

    def __init__(self, model: nn.Module, centre: Centre) -> None:
        super().__init__()
        self.model = model
        self.centre = centre

    @torch.no_grad()
    def forward(self, context: Tensor) -> Tensor:
        centred = torch.from_numpy(self.centre(context.cpu().numpy())).to(context.device)
        return torch.from_numpy(self.centre.back(self.model(centred).float().cpu().numpy())).to(context.device)


def build_forecaster(
    name: str,
    dim: int,
    size: str,
    recipe: Recipe,
    context: int,
    train: TensorWindows | None,
    own: nn.Module | None = None,
) -> nn.Module:
    """The model as the recipe trains it: itself, or as the correction of a weighted context mean.

    `train` gives the start of the weights, None if they are loaded later. `own`: a user's own model in place of `name`.
    """
    model = own if own is not None else build(name, dim, size, context)
    if recipe.correction is None:
        return model
    forecaster = Correction(model, context, recipe.input_dropout, recipe.feature_dropout)
    if train is not None:
        most = max(1, SAMPLE_BYTES // (4 * dim * context))
        spread = torch.linspace(0, len(train) - 1, min(len(train), SAMPLE, most)).long()
        contexts, targets = train.batch(spread.to(train.starts.device))
        forecaster.start_from(contexts.cpu(), targets.cpu(), recipe.correction)
    return forecaster


def _copy_of(model: nn.Module) -> nn.Module:
    """A copy with parameters of its own. cuDNN wants a recurrent layer's weights in one piece, which a copy is not."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()
    return copied


def _groups(model: nn.Module, recipe: Recipe) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters and their weight decay: the mixing weights and the scale of a correction have none."""
    if not isinstance(model, Correction):
        return [(_trainable(model), recipe.weight_decay)]
    return [(_trainable(model.model), recipe.weight_decay), ([model.logits, model.log_scale], 0.0)]


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    """A user's own model may keep some of its parameters as they are."""
    return [p for p in model.parameters() if p.requires_grad]
