"""The tuned recipe's forecast: a softmax-weighted mean of the context, and a model that corrects it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainers.models import unit

LEAST_SHARE = 5e-3
"""Each of T weights begins at this over T or more: its logarithm must be finite."""
SAMPLE = 256
"""Windows from which the length of a model's first outputs is taken; a large model needs seconds for thousands."""


# B batch · T context vectors · D vector width
class Correction(nn.Module):
    """(B, T, D) -> raw (B, D): `sum_t softmax(logits)_t context_t + scale * model(dropped context)`.

    A weight for each context vector predicts better than most networks on data this small; the network learns what is
    left. `logits` (T,) and `scale` () are learned, on top of the model's own parameters.
    """

    def __init__(self, model: nn.Module, context: int, input_dropout: float, feature_dropout: float) -> None:
        super().__init__()
        self.model = model
        self.logits = nn.Parameter(torch.zeros(context))
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.input_dropout = input_dropout
        self.feature_dropout = feature_dropout

    @torch.no_grad()
    def start_from(self, contexts: Tensor, targets: Tensor, share: float) -> None:
        """Begin with the recency weights of training windows (N, T, D), (N, D), and with a correction whose length is
        `share` of the weighted mean's. Networks of different kinds begin with outputs of very different lengths."""
        weights = recency_weights(contexts, targets)
        self.logits.copy_(weights.log())
        mean = torch.einsum("t,ntd->nd", weights, contexts)
        self.model.eval()
        raw = self.model(contexts[:: math.ceil(len(contexts) / SAMPLE)])
        self.model.train()
        self.log_scale.copy_((share * mean.norm(dim=-1).mean() / raw.norm(dim=-1).mean().clamp(min=1e-6)).log())

    def forward(self, context_BTD: Tensor) -> Tensor:
        return self.mean(context_BTD) + self.log_scale.exp() * self.model(self.drop(context_BTD))

    def mean(self, context_BTD: Tensor) -> Tensor:
        """The prediction without the correction, (B, D)."""
        return torch.einsum("t,btd->bd", self.logits.softmax(0), context_BTD)

    def departure(self, predicted_BD: Tensor, context_BTD: Tensor) -> Tensor:
        """How far unit predictions are turned away from the weighted mean: 1 - cosine, mean over the batch, (). The
        mean is taken as given, so that a penalty on this shortens the correction and does not move the mean."""
        with torch.no_grad():
            mean_BD = unit(self.mean(context_BTD))
        return 1 - (predicted_BD * mean_BD).sum(-1).mean()

    def drop(self, context_BTD: Tensor) -> Tensor:
        """While training, hide numbers of the context and whole features of it; what stays is scaled up."""
        if not self.training:
            return context_BTD
        batch, _, dim = context_BTD.shape
        if self.feature_dropout:
            keep_B1D = torch.rand(batch, 1, dim, device=context_BTD.device) >= self.feature_dropout
            context_BTD = context_BTD * keep_B1D / (1 - self.feature_dropout)
        return nn.functional.dropout(context_BTD, self.input_dropout)


def recency_weights(contexts: Tensor, targets: Tensor) -> Tensor:
    """(N, T, D), (N, D) -> (T,): least squares of the target on the context vectors, made positive, summing to one."""
    by_place = contexts.transpose(0, 1).flatten(1)  # two plain products: einsum would do N small ones
    gram, cross = by_place @ by_place.T, by_place @ targets.flatten()
    solved = torch.linalg.solve(gram + 1e-6 * gram.trace() * torch.eye(len(gram)), cross)
    weights = solved.clamp(min=LEAST_SHARE / len(gram))
    return weights / weights.sum()
