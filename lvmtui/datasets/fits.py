"""Predictions without a network, and how they are fitted: the trivial baselines' recency weights, means and ridge.

Contexts are (B, T, D) of any length T. Only short worker processes import this module: it loads scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.scores import Predictor, unit
from lvmtui.datasets.spaces import main_directions
from lvmtui.datasets.split import ArmWindows
from lvmtui.datasets.store import Store

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Ridge penalties tried, per training window. Unit rows in D dimensions have a mean variance of 1/D along a direction,
.0013 for 768: the range goes from far below to far above."""
WIDEST_CONTEXT = 3_840
"""Numbers of a context, T D, that a ridge sees all of: five vectors of 768."""
MOST_FEATURES = 2_560
"""Features of a ridge where a context has more numbers. The cost grows with their cube: 5,120 took minutes."""
FITTED_DIRECTIONS = 8_192
"""Windows to whose next vectors the main directions are fitted."""
LEAST_SHARE = 5e-3
"""Each of T recency weights is at least this over T: no context vector counts for nothing, or against."""


def copy_last(contexts: Floats) -> Floats:
    return contexts[:, -1]


def context_mean(contexts: Floats) -> Floats:
    return np.asarray(contexts.mean(axis=1))


def weighted_mean(weights: npt.NDArray[np.float64]) -> Predictor:
    """The predictor that mixes the context with `weights` (T,)."""
    return lambda contexts: np.einsum("nad,a->nd", contexts, weights.astype(np.float32))


def constant(vector: Floats) -> Predictor:
    return lambda contexts: np.broadcast_to(vector, (len(contexts), len(vector)))


def recency_weights(store: Store, train: Integers, context: int) -> npt.NDArray[np.float64]:
    """Weights (T,), the oldest first, positive, adding up to 1: those of the weighted sum of the context that comes
    nearest to the next vector in the mean over the windows (non-negative least squares, Lawson and Hanson 1974,
    chapter 23), brought to a sum of 1.

    The length of a prediction does not matter to its cosine, so the sum is left free while fitting.
    """
    moments = _moments(store, train, context)
    weights = np.maximum(_non_negative(moments[:-1, :-1], moments[:-1, -1]), 0)
    weights = np.maximum(weights / weights.sum(), LEAST_SHARE / context) if weights.sum() > 0 else np.ones(context)
    return np.asarray(weights / weights.sum())


def _moments(store: Store, train: Integers, context: int) -> npt.NDArray[np.float64]:
    """(T + 1, T + 1) Mean product of any two vectors of a window.

    Windows overlap, so products are taken once a pair of rows, then added up by windows: T a row, not T^2 / 2 a window.
    """
    moments = np.zeros((context + 1, context + 1))
    for block, starts in store.window_blocks(train, context):
        for lag in range(context + 1):
            products = np.einsum("nd,nd->n", block[: len(block) - lag], block[lag:], dtype=np.float64)
            for place in range(context + 1 - lag):
                moments[place, place + lag] += products[starts + place].sum()
    moments /= len(train)
    return np.asarray(np.triu(moments) + np.triu(moments, 1).T)


def _non_negative(gram: npt.NDArray[np.float64], cross: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Minimise w'Gw - 2c'w over w >= 0. With G = A'A, A of full rank, that is |Aw - b|^2 for A'b = c."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-10 * values[-1]
    roots = np.sqrt(values[kept])
    return np.asarray(nnls(roots[:, None] * vectors[:, kept].T, vectors[:, kept].T @ cross / roots)[0])


def mean_target(store: Store, train: Integers, context: int) -> Floats:
    """Mean (D,) of the vectors that follow the training windows."""
    total = sum(targets.sum(axis=0, dtype=np.float64) for _, targets in store.windows(train, context))
    return np.asarray(total / len(train), np.float32)


@dataclass(frozen=True)
class Features:
    """What a ridge sees of a context: all T D numbers or, where these are too many, each vector in some main directions
    and, where there is room for it, the recency mean in full."""

    recency: npt.NDArray[np.float64]
    """(T,) weights of the recency mean."""
    directions: Floats | None = None
    """(D, K); None: all numbers."""
    with_mean: bool = False

    def __call__(self, contexts: Floats) -> Floats:
        """(B, T, D) -> (B, F)."""
        if self.directions is None:
            return contexts.reshape(len(contexts), -1)
        rows = contexts.reshape(-1, contexts.shape[2])  # as one product; of three axes numpy makes one a context
        projected = (rows @ self.directions).reshape(len(contexts), -1)
        if not self.with_mean:
            return projected
        return np.concatenate([weighted_mean(self.recency)(contexts), projected], axis=1)


def features_of(store: Store, train: Integers, recency: npt.NDArray[np.float64]) -> Features:
    """The features of a ridge. Main directions hold the most of the squared length of the training windows' targets."""
    context, dim = len(recency), store.facts.dim
    if context * dim <= WIDEST_CONTEXT:
        return Features(recency)
    with_mean = 2 * dim <= MOST_FEATURES
    count = max(1, min(dim, (MOST_FEATURES - dim * with_mean) // context))
    some = train[:: -(-len(train) // FITTED_DIRECTIONS)]
    targets = np.concatenate([targets for _, targets in store.windows(some, context)])
    return Features(recency, main_directions(targets, count), with_mean)


@dataclass(frozen=True)
class Ridge:
    """The next vector as `offset + features @ weights`."""

    features: Features
    weights: Floats
    """(F, D)"""
    offset: Floats
    """(D,)"""
    strength: float

    @property
    def directions(self) -> int | None:
        """Main directions of each vector that it sees; None: all."""
        return None if self.features.directions is None else self.features.directions.shape[1]

    def __call__(self, contexts: Floats) -> Floats:
        return self.features(contexts) @ self.weights + self.offset


def fit_ridge(
    store: Store,
    train: Integers,
    validation: Integers,
    recency: npt.NDArray[np.float64],
    strengths: Sequence[float] = STRENGTHS,
) -> Ridge:
    """Fit on the training windows by streamed normal equations; of the strengths the one with the best mean cosine on
    the validation windows wins. `recency`: weights (T,) of the recency mean, T vectors a context.

    The offset is not penalised (features and targets are centred). Products: float32 in a block, added up in float64.
    """
    context, dim = len(recency), store.facts.dim
    features_in = features_of(store, train, recency)
    width = features_in(np.zeros((1, context, dim), np.float32)).shape[1]
    gram, cross = np.zeros((width, width)), np.zeros((width, dim))
    feature_sum, target_sum = np.zeros(width), np.zeros(dim)
    for contexts, targets in store.windows(train, context):
        features = features_in(contexts)
        gram += features.T @ features
        cross += features.T @ targets
        feature_sum += features.sum(axis=0, dtype=np.float64)
        target_sum += targets.sum(axis=0, dtype=np.float64)
    feature_mean, target_mean = feature_sum / len(train), target_sum / len(train)
    gram -= np.outer(feature_sum, feature_mean)
    cross -= np.outer(feature_sum, target_mean)
    diagonal = gram.diagonal().copy()

    def fitted(strength: float) -> tuple[float, Ridge]:
        """The ridge with a penalty, and its mean cosine on the validation windows."""
        gram.flat[:: width + 1] = diagonal + strength * len(train)
        weights = cho_solve(cho_factor(gram, check_finite=False), cross, check_finite=False)
        offset = (target_mean - feature_mean @ weights).astype(np.float32)
        ridge = Ridge(features_in, weights.astype(np.float32), offset, strength)
        return means(store, validation, context, ridge).cosine, ridge

    return _uphill(fitted, strengths)


def _uphill(fitted: Callable[[float], tuple[float, Ridge]], strengths: Sequence[float]) -> Ridge:
    """The best of the strengths, tried from the middle one on in the direction in which the cosine rises: too weak and
    too strong a penalty are both bad, so it has one top."""
    middle = len(strengths) // 2
    start = best = fitted(strengths[middle])
    for direction in (strengths[middle + 1 :], strengths[:middle][::-1]):
        for strength in direction:
            found = fitted(strength)
            if found[0] <= best[0]:
                break
            best = found
        if best is not start:
            break
    return best[1]


@dataclass(frozen=True)
class Means:
    """A predictor on windows of a store."""

    cosine: float
    """Mean cosine with the next vector."""
    margin: float
    """That less the mean cosine with the last context vector."""
    spread: float
    """1 - length of the mean unit prediction: 0 if all are the same."""


def means(store: Store, starts: Integers, context: int, predict: Predictor) -> Means:
    """Judge a predictor on windows in ascending order, in constant memory."""
    next_, last, total = 0.0, 0.0, np.zeros(store.facts.dim)
    for contexts, targets in store.windows(starts, context):
        predicted = unit(predict(contexts))
        next_ += float(np.einsum("nd,nd->", predicted, targets, dtype=np.float64))
        last += float(np.einsum("nd,nd->", predicted, contexts[:, -1], dtype=np.float64))
        total += predicted.sum(axis=0, dtype=np.float64)
    windows = len(starts)
    return Means(next_ / windows, (next_ - last) / windows, 1 - float(np.linalg.norm(total)) / windows)


def fit(store: Store, windows: ArmWindows, context: int) -> tuple[dict[str, Predictor], Ridge]:
    """The baselines by name, in the order of `verdict.words.TRIVIAL_TITLES`, with what they learn from an arm's
    training windows; and the last of them, which knows how it was fitted."""
    recency = recency_weights(store, windows.train, context)
    ridge = fit_ridge(store, windows.train, windows.validation, recency)
    predictors: dict[str, Predictor] = {
        "copy_last": copy_last,
        "mean": context_mean,
        "recency_mean": weighted_mean(recency),
        "constant_mean": constant(mean_target(store, windows.train, context)),
        "ridge": ridge,
    }
    return predictors, ridge
