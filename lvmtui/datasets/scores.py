"""How good predictions are on the held-out windows: the same three numbers a window for models and baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.vector_files import CONTEXT, Floats, Integers

TIE = 1e-6
"""Cosines this close are equal: a product of float32 vectors can differ by it with its place in a matrix."""
ROWS = 256
"""Windows that are compared with all candidates at a time."""


@dataclass(frozen=True)
class Scores:
    """One entry a window, in the order of the windows."""

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
"""Of unit predictions (B, D), for each the place of its target among the candidates (B,), and those of its own context
(B, T), -1 where one is none: how many candidates are nearer than the target by more than TIE, the own ones not counted,
(B,)."""


def counting(candidates: Floats) -> Count:
    """A count among unit candidates (C, D)."""

    def count(predicted: Floats, target: Integers, own: Integers) -> Integers:
        cosines = predicted @ candidates.T
        row = np.arange(len(predicted))[:, None]
        bar = cosines[row, target[:, None]] + np.float32(TIE)
        own_nearer = ((own >= 0) & (cosines[row, own] > bar)).sum(axis=1)
        counted: Integers = (cosines > bar).sum(axis=1) - own_nearer
        return counted

    return count


def score(
    predictions: Floats,
    vectors: Floats,
    starts: Integers,
    counting: Callable[[Floats], Count] = counting,
    group: Integers | None = None,
) -> Scores:
    """Score one prediction (W, D), of any length, a window; window w starts at row starts[w] of `vectors` (M, D, unit).

    The candidates of a rank are the vectors that follow some window, less those in the window's own context; the rank
    is 1 + the number of candidates nearer to the prediction than the true next vector is (by more than TIE), which is
    counted as `counting` does it. Rows with the same number in `group` (M,), copies and near-copies, are one candidate,
    for which the first of them stands; without it each row is one. Raises ValueError for predictions that are not
    finite.
    """
    if not np.isfinite(predictions).all():
        raise ValueError("predictions hold NaN or infinite numbers")
    targets = starts + CONTEXT
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
        own = _each_once(place[starts[block, None] + np.arange(CONTEXT)])
        scores.rank[block] = 1 + count(predicted, place[targets[block]], own)
        for out, rows in ((scores.cosine_next, targets), (scores.cosine_last, targets - 1)):
            out[block] = np.einsum("nd,nd->n", predicted, vectors[rows[block]])
    return scores


def _each_once(own: Integers) -> Integers:
    """Candidates (B, T) of each row with repetitions replaced by -1, so that none is counted twice."""
    own = np.sort(own, axis=1)
    own[:, 1:][own[:, 1:] == own[:, :-1]] = -1
    return own
