"""Which vectors are the same by content, although their numbers differ.

Two rows are the same when their cosine is at least a threshold, and so is a chain of such rows: they form one group.
All else is arithmetic on group numbers (`docs/decisions/0040-near-copies-and-spaces.md`).

The search is exact. For unit rows, split each vector x into its projection Px on K orthonormal directions and the rest.
By Cauchy-Schwarz x.y <= Px.Py + |x - Px| |y - Py|, so the signature (Px, |x - Px|) of K + 1 numbers has a cosine at
least as high as the vector. Only pairs whose signatures reach the threshold are compared in all D numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.spaces import main_directions
from lvmtui.formats.data_facts import SAME, Nearly, Neighbours

EQUAL = 0.9999
"""Above it two rows are equal but for rounding. Float16 copies and int8 copies with a scale a row are."""
LOWEST, HIGHEST = 0.96, 0.999
"""The range in which the threshold is chosen where .98 is not in a gap."""
STEP = 0.005
DENSE = 0.01
"""Share of all rows just below a threshold above which natural neighbours reach it, so that it cannot tell copies."""
PILE = 10
"""Rows that make a pile of copies rather than a few unlucky sentences."""
PILED = 4.0
"""Times more rows in a pile than in a step just below it. The number of natural neighbours falls with the cosine."""
LIKE_A_COPY, NO_NEIGHBOURS, SPARSER = 0.85, 0.03, 3.0
"""Lowest cosine of what may be a copy below the threshold; the width of a gap that tells a pile of them from natural
neighbours; and how many times wider it is than those just below it lie apart. In 84 walks of 60 to 4,000 vectors, none
was found without copies, and 10 % of copies at .90 to .955 in all."""
BESIDE = 5
"""Rows this close in the text are neighbours by nature; only equal ones among them are the same."""
SAMPLE, PAIRS = 2048, 1 << 26
"""To choose the threshold, the nearest neighbours of SAMPLE rows are looked at, or of as many as make PAIRS pairs with
all rows (2 s on two cores). Files of up to 8,192 rows are looked at whole, as a copied passage may be short."""
DIRECTIONS = 64
ROWS, COLUMNS = 512, 2048
"""Tile of a product of signatures: 4 MB of cosines, which stay in the cache."""
ROUNDING = 2e-6
"""What float32 may take from a cosine."""
MOST_EDGES = 1 << 21
"""Pairs that are kept before they are merged into groups."""

Release = Callable[[], None]


@dataclass(frozen=True)
class Part:
    """Unit rows (N, D) that follow each other, in memory or mapped from a file."""

    vectors: Floats
    release: Release = lambda: None
    """Gives back the memory that a pass over mapped rows took; nothing where they are in memory."""
    text_of: npt.NDArray[np.integer] | None = None
    """(N,) Number, from 0, of the text each row stands in; None where rows beside each other are not of one text."""


@dataclass(frozen=True)
class Groups:
    """The group of each row of each part; the same number in any part is the same vector."""

    of: tuple[Integers, ...]
    facts: Neighbours


def find_groups(parts: Sequence[Part], same: float | None = None) -> Groups:
    """Group the rows of all parts. `same` overrides the threshold."""
    rows = _Rows(parts)
    representative, which = rows.distinct()
    nearest, opposite = _nearest_of_sample(rows, representative)
    chosen = choose_threshold(nearest) if same is None else same
    groups, equal = _search(rows, representative, chosen)
    rows.release()
    natural = nearest[nearest < chosen]
    versions = np.bincount(groups[np.unique(equal)], minlength=len(representative))
    facts = Neighbours(
        same=chosen,
        chosen_by_hand=same is not None,
        sampled=len(nearest),
        median=float(np.median(nearest)),
        natural=float(natural.max()) if len(natural) else None,
        repeated=int(len(which) - len(np.unique(groups))),
        near_copies=int(versions[versions > 1].sum()),
        negated=int((opposite <= -chosen).sum()),
        nearly=nearly_copies(natural),
    )
    _, first, group = np.unique(groups[which], return_index=True, return_inverse=True)
    return Groups(tuple(np.split(first[group], np.cumsum([len(part.vectors) for part in parts])[:-1])), facts)


def choose_threshold(nearest: npt.NDArray[np.floating]) -> float:
    """The threshold for these cosines of rows with their nearest neighbours: .98 if it lies in a gap.

    Natural neighbours become fewer towards 1. Where they are still many at .98 (more than 1 % of all rows in the step
    below), the threshold moves up until they are few. Where a pile of rows lies just below .98 and far fewer below
    that, the pile are copies and the threshold moves down below it.
    """

    def between(low: float, high: float) -> int:
        return int(((nearest >= low) & (nearest < high)).sum())

    def few(at: float) -> bool:
        return between(at - STEP, at) <= max(PILE, DENSE * len(nearest))

    for at in (SAME - STEP, SAME - 2 * STEP, SAME - 3 * STEP, LOWEST):
        above, below = between(at, SAME), between(at - STEP, at)
        if above >= PILE and above >= PILED * max(1, below) * (SAME - at) / STEP:
            return round(at, 3)
    at = SAME
    while at < HIGHEST - STEP and not few(at):
        at += STEP
    return round(at, 3) if few(at) else HIGHEST


def nearly_copies(nearest: npt.NDArray[np.floating]) -> Nearly | None:
    """The rows above the highest wide gap in `nearest`, cosines below the threshold, if they are a pile. Natural
    neighbours thin out towards 1, so no such gap lies below many of them."""
    ordered = np.sort(nearest)
    for above in range(len(ordered) - PILE, max(PILE, int(np.searchsorted(ordered, LIKE_A_COPY)) - 1), -1):
        lowest, highest = ordered[above], ordered[above - 1]
        thin = (highest - ordered[above - PILE]) / PILE
        if lowest - highest >= max(NO_NEIGHBOURS, SPARSER * thin):
            return Nearly(len(ordered) - above, float(lowest), float(highest))
    return None


def any_near(vectors: Floats, only: Integers, among: Floats, same: float, release: Release = lambda: None) -> Integers:
    """Which of the rows `only` of `vectors` (N, D) have a row of `among` (M, D) at a cosine of `same` or more."""
    if not len(only) or not len(among):
        return only[:0]
    sample = np.concatenate([vectors[_spread(len(vectors))], among[_spread(len(among))]])
    directions = main_directions(sample, DIRECTIONS)
    pool = _signatures(among, directions)
    near = np.zeros(len(only), bool)
    for first in range(0, len(only), ROWS):
        mine = only[first : first + ROWS]
        signatures = _signatures(vectors[mine], directions)
        for start in range(0, len(among), COLUMNS):
            bounds = signatures @ pool[start : start + COLUMNS].T
            rows = np.flatnonzero((bounds.max(axis=1) >= same - ROUNDING) & ~near[first : first + len(mine)])
            if len(rows):
                columns = np.flatnonzero(bounds[rows].max(axis=0) >= same - ROUNDING)
                near[first + rows] = (vectors[mine[rows]] @ among[start + columns].T >= same).any(axis=1)
        release()
    return only[near]


# ------------------------------------------------------------------------------------------------------ rows


class _Rows:
    """The rows of all parts under one numbering."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.stops = np.cumsum([len(part.vectors) for part in parts])
        self.starts = self.stops - np.array([len(part.vectors) for part in parts])
        texts = [np.full(len(p.vectors), -1) if p.text_of is None else p.text_of.astype(np.int64) for p in parts]
        self._text = np.concatenate(texts)

    def __len__(self) -> int:
        return int(self.stops[-1])

    def take(self, index: Integers) -> Floats:
        """Rows (n, D) by their numbers."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0].vectors[index])
        out = np.empty((len(index), self.parts[0].vectors.shape[1]), np.float32)
        part_of = np.searchsorted(self.stops, index, side="right")
        for number in np.unique(part_of).tolist():
            here = part_of == number
            out[here] = self.parts[number].vectors[index[here] - self.starts[number]]
        return out

    def release(self) -> None:
        for part in self.parts:
            part.release()

    def beside(self, one: Integers, other: Integers) -> npt.NDArray[np.bool_]:
        """Are the rows close to each other in one text? Shapes are broadcast."""
        part = [np.searchsorted(self.stops, index, side="right") for index in (one, other)]
        text = [self._text[index] for index in (one, other)]
        return np.asarray(
            (part[0] == part[1]) & (text[0] == text[1]) & (text[0] >= 0) & (np.abs(one - other) <= BESIDE)
        )

    def distinct(self) -> tuple[Integers, Integers]:
        """Rows that differ in some bit: the first row of each (M,), and for every row which of these it is (N,)."""
        hashes = np.empty(len(self), np.uint64)
        dim = self.parts[0].vectors.shape[1]
        factors = np.random.default_rng(0).integers(1 << 63, size=dim, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        for first in range(0, len(self), ROWS):
            index = np.arange(first, min(first + ROWS, len(self)))
            bits = np.ascontiguousarray(self.take(index)).view(np.uint32).astype(np.uint64)
            hashes[index] = (bits * factors).sum(axis=1, dtype=np.uint64)
            if first // ROWS % 16 == 0:
                self.release()
        _, representative, which = np.unique(hashes, return_index=True, return_inverse=True)
        order = np.argsort(representative)  # neighbours in the text stay neighbours
        return representative[order], np.argsort(order)[which]


def _spread(rows: int, most: int = SAMPLE) -> Integers:
    """Up to `most` rows in 64 stretches: single rows would draw all of a mapped file into memory."""
    if rows <= most:
        return np.arange(rows)
    stretch = most // 64
    return np.unique(np.linspace(0, rows - stretch, 64).astype(np.int64)[:, None] + np.arange(stretch))


def _signatures(rows: Floats, directions: Floats) -> Floats:
    """(n, K + 1): the projections of rows and the length of the rest."""
    projected = rows @ directions
    return np.column_stack([projected, np.sqrt(np.maximum(0, 1 - np.einsum("nk,nk->n", projected, projected)))])


# ---------------------------------------------------------------------------------------------------- search


def _nearest_of_sample(rows: _Rows, distinct: Integers) -> tuple[Floats, Floats]:
    """Highest and lowest cosine of a sample of the distinct rows with any other that is not beside it in the text."""
    sample = distinct[_spread(len(distinct), max(SAMPLE, PAIRS // len(distinct)))]
    vectors = rows.take(sample)
    nearest, opposite = np.full(len(sample), -1, np.float32), np.ones(len(sample), np.float32)
    for first in range(0, len(distinct), ROWS):
        index = distinct[first : first + ROWS]
        cosines = vectors @ rows.take(index).T
        np.minimum(opposite, cosines.min(axis=1), out=opposite)
        close = np.flatnonzero((sample >= index[0] - BESIDE) & (sample <= index[-1] + BESIDE))
        itself = sample[close, None] == index[None]
        cosines[close] = np.where(itself | rows.beside(sample[close, None], index[None]), -1, cosines[close])
        np.maximum(nearest, cosines.max(axis=1), out=nearest)
        if first // ROWS % 16 == 0:
            rows.release()
    rows.release()
    return nearest, opposite


def _search(rows: _Rows, distinct: Integers, same: float) -> tuple[Integers, Integers]:
    """For each distinct row (M,) its group (its smallest member), and the same where rounding counts as nothing."""
    # Any directions would do; these need the fewest full products.
    directions = main_directions(rows.take(distinct[_spread(len(distinct))]), DIRECTIONS)
    signatures = np.empty((len(distinct), directions.shape[1] + 1), np.float32)
    for first in range(0, len(distinct), COLUMNS):
        some = slice(first, first + COLUMNS)
        signatures[some] = _signatures(rows.take(distinct[some]), directions)
        rows.release()
    near, equal = _Joined(len(distinct)), _Joined(len(distinct))
    for first in range(0, len(distinct), ROWS):
        for start in range(first, len(distinct), COLUMNS):
            bounds = signatures[first : first + ROWS] @ signatures[start : start + COLUMNS].T
            if start == first:
                np.fill_diagonal(bounds, -1)
            found = np.flatnonzero(bounds.max(axis=1) >= same - ROUNDING)
            if not len(found):
                continue
            columns = np.flatnonzero(bounds[found].max(axis=0) >= same - ROUNDING)
            one, other = first + found, start + columns
            cosines = rows.take(distinct[one]) @ rows.take(distinct[other]).T
            bar = np.where(rows.beside(distinct[one, None], distinct[None, other]), max(EQUAL, same), same)
            a, b = np.nonzero((cosines >= bar) & (one[:, None] < other[None]))
            near.join(one[a], other[b])
            exact = cosines[a, b] > EQUAL
            equal.join(one[a[exact]], other[b[exact]])
        if first // ROWS % 4 == 0:
            rows.release()
    return near.groups(), equal.groups()


class _Joined:
    """Groups of numbers below n, from pairs that belong together."""

    def __init__(self, n: int) -> None:
        self._group = np.arange(n)
        self._pairs: list[tuple[Integers, Integers]] = []
        self._waiting = 0

    def join(self, one: Integers, other: Integers) -> None:
        if len(one):
            self._pairs.append((one, other))
            self._waiting += len(one)
            if self._waiting > MOST_EDGES:
                self.groups()

    def groups(self) -> Integers:
        """For each number the smallest of its group."""
        if self._pairs:
            one, other = (np.concatenate(side) for side in zip(*self._pairs, strict=True))
            self._group = components(self._group, one, other)
            self._pairs, self._waiting = [], 0
        return self._group


def components(group: Integers, one: Integers, other: Integers) -> Integers:
    """Merge groups of numbers (`group` names the smallest member of each) by pairs; returns the new `group`."""
    group = group.copy()
    while True:
        low = np.minimum(group[one], group[other])
        high = np.maximum(group[one], group[other])
        apart = low < high
        if not apart.any():
            return group
        np.minimum.at(group, high[apart], low[apart])
        while ((jumped := group[group]) != group).any():
            group = jumped
