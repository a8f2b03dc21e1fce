"""How good predictions are on the held-out windows: the same three numbers a window for models and baselines.

Does a model predict what comes next, or repeat what was? `forward_scores` tells by the figures of `ForwardScores`; what
they show: "Does it predict what comes next?" in `docs/judgement.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.split import HeldOut, write_arrays
from lvmtui.datasets.windows import gather
from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.trainer_log import HeldoutScores

VERSION = 1
"""Version of `heldout.npz`, from which the verdict is computed."""
TIE = 1e-6
"""Cosines this close are equal: a product of float32 vectors can differ by it with its place in a matrix."""
ROWS = 256
"""Windows that are compared with all candidates at a time."""

BEFORE, AFTER = 5, 3
"""Vectors before the next one, at most, and from it on, with which predictions are compared."""
STEPS = 5
"""Predictions in a roll-out."""
MOST_WINDOWS = 2048
"""Windows that are looked at, evenly spread: it takes six predictions of each."""
MOST_BYTES = 96 << 20
"""Bytes of these windows; with long contexts there are fewer of them."""

Predictor = Callable[[Floats], Floats]
"""Contexts (B, T, D) to predictions (B, D) of any length."""


@dataclass(frozen=True)
class Scores:
    """One entry per window, in the order of the windows."""

    cosine_next: Floats
    """Cosine of the prediction with the vector that follows."""
    cosine_last: Floats
    """Cosine of the prediction with the last context vector: near 1, the model echoes."""
    rank: npt.NDArray[np.int32]
    """Place of the true next vector among the candidates, from 1."""

    @property
    def cosine(self) -> float:
        return float(self.cosine_next.mean(dtype=np.float64))

    @property
    def margin(self) -> float:
        """How much nearer the prediction is to the next vector than to the last one."""
        return self.cosine - float(self.cosine_last.mean(dtype=np.float64))

    def hit(self, k: int) -> float:
        """Share of windows whose true next vector is among the first k."""
        return float((self.rank <= k).mean())


def unit(rows: Floats) -> Floats:
    """The rows at length 1; a row of zeros stays one, so that its cosine with anything is 0."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))[:, None]
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


Count = Callable[[Floats, Integers, Integers], Integers]
"""Counts (B,) the candidates that are nearer to each prediction than its target, by more than TIE.

Arguments: unit predictions (B, D), the index (B,) of each target among the candidates, and the indices (B, T) of its
own context vectors, which do not count; -1 where one is no candidate."""


def counting(candidates: Floats) -> Count:
    """A count among unit candidates (C, D)."""

    def count(predicted: Floats, target: Integers, own: Integers) -> Integers:
        cosines = predicted @ candidates.T
        row = np.arange(len(predicted))[:, None]
        bar = cosines[row, target[:, None]] + np.float32(TIE)
        own_nearer = ((own >= 0) & (cosines[row, own] > bar)).sum(axis=1)
        return np.asarray((cosines > bar).sum(axis=1) - own_nearer)

    return count


def score(
    predictions: Floats,
    vectors: Floats,
    starts: Integers,
    context: int,
    counting: Callable[[Floats], Count] = counting,
    group: Integers | None = None,
) -> Scores:
    """Score one prediction (W, D), of any length, a window; window w starts at row starts[w] of `vectors` (M, D, unit)
    and has a context of `context` vectors.

    The candidates of a rank are the vectors that follow some window, less those in the window's own context; the rank
    is 1 + the number of candidates nearer to the prediction than the true next vector is (by more than TIE), which is
    counted as `counting` does it. Rows with the same number in `group` (M,), copies and near-copies, are one candidate,
    for which the first of them stands; without it each row is one. Raises ValueError for predictions not finite.
    """
    if not np.isfinite(predictions).all():
        raise ValueError("predictions hold NaN or infinite numbers")
    targets = starts + context
    kind = np.arange(len(vectors)) if group is None else group
    kinds, first_of_kind = np.unique(kind[targets], return_index=True)
    known = np.searchsorted(kinds, kind).clip(max=len(kinds) - 1)
    place = np.where(kinds[known] == kind, known, -1)  # of each row's candidate; -1: it is none
    count = counting(vectors[targets[first_of_kind]])
    windows = len(starts)
    scores = Scores(np.empty(windows, np.float32), np.empty(windows, np.float32), np.empty(windows, np.int32))
    for first in range(0, windows, ROWS):
        block = slice(first, first + ROWS)
        predicted = unit(predictions[block])
        own = np.sort(place[starts[block, None] + np.arange(context)], axis=1)
        own[:, 1:][own[:, 1:] == own[:, :-1]] = -1  # no candidate is counted twice
        scores.rank[block] = 1 + count(predicted, place[targets[block]], own)
        for out, rows in ((scores.cosine_next, targets), (scores.cosine_last, targets - 1)):
            out[block] = np.einsum("nd,nd->n", predicted, vectors[rows[block]])
    return scores


# -- prediction or repetition ------------------------------------------------------------------------------------------


def forward_scores(
    predict: Predictor, vectors: Floats, starts: Integers, context: int, cluster: npt.NDArray[np.integer]
) -> ForwardScores | None:
    """The figures of a predictor; None where no window is followed by four more in its cluster.

    Window w of cluster[w] starts at row starts[w] of `vectors` (M, D, unit).
    """
    begins = followed(starts, cluster)
    if not len(begins):
        return None
    most = max(1, min(len(begins), MOST_WINDOWS, MOST_BYTES // (4 * vectors.shape[1] * (context + 1))))
    begins = begins[np.linspace(0, len(begins) - 1, most).astype(np.int64)]
    contexts, _ = gather(vectors, begins, context)
    predicted = unit(predict(contexts))
    shuffled = np.random.default_rng(0).permuted(np.tile(np.arange(context), (len(begins), 1)), axis=1)
    in_random_order = unit(predict(contexts[np.arange(len(begins))[:, None], shuffled]))

    def cosine(predictions: Floats, offset: int) -> float:
        """Mean with the vectors `offset` rows after the start of each window."""
        return float(np.einsum("nd,nd->n", predictions, vectors[begins + offset]).mean(dtype=np.float64))

    rollout = [cosine(predicted, context)]
    latest = predicted
    for step in range(1, STEPS):
        contexts = np.concatenate([contexts[:, 1:], latest[:, None]], axis=1)
        latest = unit(predict(contexts))
        rollout.append(cosine(latest, context + step))
    return ForwardScores(
        windows=len(begins),
        cosines=tuple(cosine(predicted, offset) for offset in range(max(0, context - BEFORE), context + AFTER)),
        shuffled=cosine(in_random_order, context),
        rollout=tuple(rollout),
    )


def followed(starts: Integers, cluster: npt.NDArray[np.integer]) -> Integers:
    """Starts of windows after which four more begin, each one row later, in the same cluster."""
    order, last = np.argsort(starts), STEPS - 1
    ordered, of = starts[order], cluster[order]
    run = (ordered[last:] == ordered[:-last] + last) & (of[last:] == of[:-last])
    return np.asarray(ordered[:-last][run])


def score_and_write(
    path: Path,
    held: HeldOut,
    fingerprint: str,
    predicted: Floats,
    counting: Callable[[Floats], Count] = counting,
    forward: ForwardScores | None = None,
) -> tuple[HeldoutScores, str]:
    """Score unit predictions (W, D) and write one row per window to `path`. Returns the means and the file's checksum.

    Raises OSError, and ValueError for predictions that are not finite.
    """
    scores = score(predicted, held.judged, held.starts, held.context, counting, held.group)
    digest = write_arrays(
        path,
        version=np.int64(VERSION),
        fingerprint=np.str_(fingerprint),
        window=np.arange(len(held.starts), dtype=np.int64),
        cluster=held.cluster.astype(np.int32),
        stratum=held.stratum.astype(np.uint8),
        cosine=scores.cosine_next,
        last_cosine=scores.cosine_last,
        rank=scores.rank,
    )
    means = HeldoutScores(
        windows=len(held.starts),
        cosine=scores.cosine,
        margin=scores.margin,
        last_cosine=float(scores.cosine_last.mean(dtype=np.float64)),
        spread=1 - float(np.linalg.norm(predicted.mean(axis=0, dtype=np.float64))),
        hit_1=scores.hit(1),
        hit_5=scores.hit(5),
        hit_10=scores.hit(10),
        forward=forward,
    )
    return means, digest
