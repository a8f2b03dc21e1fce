"""Does a model predict what comes next, or does it repeat what was? Three figures on held-out windows.

- The cosine of the prediction with each vector from five before it to three after. A model that predicts gains at the
  next vector; one that echoes gains at the last.
- What is lost when the five context vectors are put in random order. A model for which order does not matter has
  learned a mean.
- A roll-out: the prediction becomes the newest context vector, five times over.

Figures of trivial baselines on the same windows say how much of this needs no model.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.scores import unit
from lvmtui.datasets.vector_files import CONTEXT, Floats, Integers
from lvmtui.datasets.windows import gather
from lvmtui.formats.data_facts import ForwardScores

AFTER = 3
"""Vectors from the next one on with which predictions are compared."""
STEPS = 5
"""Predictions in a roll-out."""
MOST_WINDOWS = 2048
"""Windows that are looked at, evenly spread: it takes six predictions of each."""

Predictor = Callable[[Floats], Floats]
"""Contexts (B, 5, D) to predictions (B, D) of any length."""


def forward_scores(
    predict: Predictor, vectors: Floats, starts: Integers, cluster: npt.NDArray[np.integer]
) -> ForwardScores | None:
    """The figures of a predictor; None where no window is followed by four more in its cluster.

    Window w of cluster[w] starts at row starts[w] of `vectors` (M, D, unit).
    """
    begins = followed(starts, cluster)
    if not len(begins):
        return None
    begins = begins[np.linspace(0, len(begins) - 1, min(len(begins), MOST_WINDOWS)).astype(np.int64)]
    contexts, _ = gather(vectors, begins)
    predicted = unit(predict(contexts))
    shuffled = np.random.default_rng(0).permuted(np.tile(np.arange(CONTEXT), (len(begins), 1)), axis=1)
    in_random_order = unit(predict(contexts[np.arange(len(begins))[:, None], shuffled]))

    def cosine(predictions: Floats, offset: int) -> float:
        """Mean with the vectors `offset` rows after the start of each window."""
        return float(np.einsum("nd,nd->n", predictions, vectors[begins + offset]).mean(dtype=np.float64))

    rollout = [cosine(predicted, CONTEXT)]
    latest = predicted
    for step in range(1, STEPS):
        contexts = np.concatenate([contexts[:, 1:], latest[:, None]], axis=1)
        latest = unit(predict(contexts))
        rollout.append(cosine(latest, CONTEXT + step))
    return ForwardScores(
        windows=len(begins),
        cosines=tuple(cosine(predicted, offset) for offset in range(CONTEXT + AFTER)),
        shuffled=cosine(in_random_order, CONTEXT),
        rollout=tuple(rollout),
    )


def followed(starts: Integers, cluster: npt.NDArray[np.integer]) -> Integers:
    """Starts of windows after which four more begin, each one row later, in the same cluster."""
    order = np.argsort(starts)
    ordered, of = starts[order], cluster[order]
    count = len(ordered) - STEPS + 1
    if count <= 0:
        return starts[:0]
    last = STEPS - 1
    run = (ordered[last:] == ordered[:count] + last) & (of[last:] == of[:count])
    return np.asarray(ordered[:count][run])
