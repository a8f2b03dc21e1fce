"""How alike neighbours in a file are, how alike any two vectors are, and how much their order tells."""

from __future__ import annotations

import numpy as np

from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import Mask

SAMPLED = 1_024
"""Rows whose cosines with each other tell how alike any two are."""


def neighbour_cosines(store: Store, rows: tuple[int, int]) -> tuple[Floats, Floats]:
    """Cosine of each row with the next (n - 1,) and with the one after that (n - 2,)."""
    first, stop = rows
    next_, after_next = np.empty(stop - first - 1, np.float32), np.empty(stop - first - 2, np.float32)
    for row, block in store.blocks(rows, overlap=2):
        at = row - first
        next_[at : at + len(block) - 1] = np.einsum("nd,nd->n", block[:-1], block[1:])
        after_next[at : at + max(0, len(block) - 2)] = np.einsum("nd,nd->n", block[:-2], block[2:])
    return next_, after_next


def chance_of(vectors: Floats, rows: tuple[int, int]) -> tuple[float, float]:
    """Mean and standard deviation of the cosine of any two of up to SAMPLED rows."""
    some = vectors[np.unique(np.linspace(rows[0], rows[1] - 1, SAMPLED).astype(np.int64))]
    cosines = (some @ some.T)[np.triu_indices(len(some), 1)]
    return float(cosines.mean(dtype=np.float64)), float(cosines.std(dtype=np.float64))


def together_in(store: Store, rows: tuple[int, int]) -> Mask:
    """(n - 1,) Is each row of one text with the next?"""
    if store.article_of is None:
        return np.ones(rows[1] - rows[0] - 1, bool)
    article = store.article_of[slice(*rows)]
    return np.asarray(article[1:] == article[:-1])


def order_of(
    cosines: tuple[Floats, Floats], together: Mask, starts: Integers, context: int
) -> tuple[float | None, float | None]:
    """Coherence of the neighbours that are `together`, and forward signal of the windows. With a context of one vector
    the signal is that of windows which begin where another ends: there is a vector before the last."""
    next_, after_next = cosines
    if context == 1:
        starts, context = np.intersect1d(starts, starts - 1), 2
    return (
        float(next_[together].mean()) if together.any() else None,
        float((next_[starts + context - 1] - after_next[starts + context - 2]).mean()) if len(starts) else None,
    )
