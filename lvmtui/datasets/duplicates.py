"""Which vectors are equal by content: their cosine is above .9999, so that float16 and int8 copies count as equal.

Exact, and still cheap enough to compare every held-out vector with every training vector. For unit rows a cosine above
.9999 means a distance below sqrt(2e-4) = .0141, and projecting on orthonormal directions never makes a distance larger.
So vectors that are farther apart than that in a projection cannot be equal:

1. the projected rows are cut into boxes, and only boxes within .0141 of each other are compared;
2. in those, pairs of rows are compared in 16 directions;
3. the few that are close there are compared in all D, and that alone decides.

The directions are the principal ones of a sample: any orthonormal set gives the same answer, these give it soonest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from lvmtui.datasets.formats import Floats, Integers

COSINE = 0.9999
"""Above it two vectors are the same. int8 copies of 384-d sentence embeddings stay above .99993."""
CLOSE = 2 * (1 - COSINE) + 2e-6
"""The squared distance of unit rows that belongs to COSINE, and what float32 may add to it."""
DIRECTIONS = 16
SPLIT_BY = 3
"""Directions by which boxes are cut: a box has to become narrow in some of them to be far from others."""
BOX_ROWS = 256
COLUMNS = 4096
"""Rows a box is compared with at a time: 4 MB of distances, which stay in the cache."""
SAMPLE = 4096

Release = Callable[[], None]


def _keep() -> None:
    """Nothing has to be released: the vectors are in memory."""


def equal_row(vectors: Floats, among: Floats, *, only: Integers | None = None, release: Release = _keep) -> Integers:
    """For each of `vectors` (N, D) the index of a row of `among` (M, D) that is equal to it, or -1. Unit rows.

    Where several are equal, which one is named is arbitrary but repeatable. With `only` the other rows are not looked
    at, and have -1. `release` is called between pieces of a pass over all rows: a mapped file can then be let go.
    """
    return _search(vectors, among, np.arange(len(vectors)) if only is None else only, release, earlier=False)


def earlier_equal(vectors: Floats, *, release: Release = _keep) -> Integers:
    """For each of the unit rows (N, D) the index of an earlier row that is equal to it, or -1."""
    return _search(vectors, vectors, np.arange(len(vectors)), release, earlier=True)


def _search(vectors: Floats, among: Floats, only: Integers, release: Release, earlier: bool) -> Integers:
    """`equal_row`; with `earlier`, where both are the same array, only rows of a smaller index count."""
    found = np.full(len(vectors), -1, np.int64)
    if not len(only) or not len(among):
        return found
    directions = _directions(vectors, among)
    release()
    others = _Boxes(among, np.arange(len(among)), directions, release)
    mine = others if earlier else _Boxes(vectors, only, directions, release)
    for box in range(len(mine.stops)):
        slots = mine.slots(box)
        # |a - b|^2 as one product of (-2a, |a|^2, 1) and (b, 1, |b|^2)
        a = mine.points[slots]
        a = np.column_stack([-2 * a, np.einsum("nd,nd->n", a, a), np.ones(len(a), np.float32)])
        for columns in others.near(mine.low[box], mine.high[box]):
            waiting = np.flatnonzero(found[mine.index[slots]] < 0)
            if not len(waiting):
                break
            b = others.points[columns]
            b = np.column_stack([b, np.ones(len(b), np.float32), np.einsum("nd,nd->n", b, b)])
            distances = a[waiting] @ b.T
            if earlier:  # a row is always near to itself
                place = np.minimum(np.searchsorted(columns, slots.start + waiting), len(columns) - 1)
                self_ = np.flatnonzero(columns[place] == slots.start + waiting)
                distances[self_, place[self_]] = np.inf
            hit = np.flatnonzero(distances.min(axis=1) <= CLOSE)
            if len(hit):
                which = mine.index[slots][waiting[hit]]
                found[which] = _decide(vectors, which, among, others.index[columns], distances[hit], earlier)
        release()
    return found


def _decide(
    rows: Floats, which: Integers, among: Floats, candidates: Integers, distances: Floats, earlier: bool
) -> Integers:
    """For rows `which`, whose projected distances to `candidates` are given, an equal candidate or -1."""
    if earlier:
        distances = np.where(candidates < which[:, None], distances, np.inf)
    answer = np.full(len(which), -1, np.int64)
    best = candidates[distances.argmin(axis=1)]
    sure = (distances.min(axis=1) <= CLOSE) & (np.einsum("nd,nd->n", rows[which], among[best]) > COSINE)
    answer[sure] = best[sure]
    left = np.flatnonzero(~sure & ((distances <= CLOSE).sum(axis=1) > 1))
    if len(left):
        close = distances[left] <= CLOSE
        some = np.flatnonzero(close.any(axis=0))
        equal = (rows[which[left]] @ among[candidates[some]].T > COSINE) & close[:, some]
        answer[left] = np.where(equal.any(axis=1), candidates[some[equal.argmax(axis=1)]], -1)
    return answer


class _Boxes:
    """Some rows (n, D), projected and reordered so that those of a box stand together; `index` is where they stood."""

    def __init__(self, vectors: Floats, only: Integers, directions: Floats, release: Release) -> None:
        points = np.empty((len(only), directions.shape[1]), np.float32)
        for i in range(0, len(only), COLUMNS):
            points[i : i + COLUMNS] = vectors[only[i : i + COLUMNS]] @ directions
            release()
        waiting, leaves = [np.arange(len(points))], []
        while waiting:
            index = waiting.pop()
            if len(index) <= BOX_ROWS:
                leaves.append(index)
                continue
            inside = points[index, :SPLIT_BY]
            half = len(index) // 2
            order = np.argpartition(inside[:, np.ptp(inside, axis=0).argmax()], half)
            waiting += [index[order[half:]], index[order[:half]]]
        places = np.concatenate(leaves)
        self.index: Integers = only[places]
        self.points: Floats = points[places]
        self.stops = np.cumsum([len(leaf) for leaf in leaves])
        self.starts = np.concatenate([[0], self.stops[:-1]])
        self.low: Floats = np.minimum.reduceat(self.points, self.starts)
        self.high: Floats = np.maximum.reduceat(self.points, self.starts)

    def slots(self, box: int) -> slice:
        return slice(int(self.starts[box]), int(self.stops[box]))

    def near(self, low: Floats, high: Floats) -> Iterator[Integers]:
        """Slots of all rows in boxes that come close to the box from `low` to `high`, some at a time."""
        gap = np.maximum(0, np.maximum(self.low - high, low - self.high))
        close = np.flatnonzero(np.einsum("nd,nd->n", gap, gap) <= CLOSE)
        for first in range(0, len(close), COLUMNS // BOX_ROWS):
            some = close[first : first + COLUMNS // BOX_ROWS]
            yield np.concatenate([np.arange(self.starts[box], self.stops[box]) for box in some])


def _directions(rows: Floats, among: Floats) -> Floats:
    """(D, K) orthonormal: the directions in which a sample of both varies most."""
    sample = np.concatenate([_spread(rows), _spread(among)]).astype(np.float64)
    sample -= sample.mean(axis=0)
    vectors = np.linalg.eigh(sample.T @ sample)[1]
    return np.ascontiguousarray(vectors[:, ::-1][:, :DIRECTIONS], dtype=np.float32)


def _spread(rows: Floats) -> Floats:
    """SAMPLE of the rows in 64 stretches: single rows would draw all of a mapped file into memory."""
    if len(rows) <= SAMPLE:
        return rows
    stretches = np.linspace(0, len(rows) - SAMPLE // 64, 64).astype(int)
    return np.concatenate([rows[first : first + SAMPLE // 64] for first in stretches.tolist()])
