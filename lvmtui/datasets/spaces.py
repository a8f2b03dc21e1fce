"""Are all vectors of one space? Rows embedded by another model, rotated or negated look fine one by one.

Text fills a space unevenly: a few directions hold most of it, whatever the topic. In blocks of up to 128 rows of the
bundled articles, 64 of 384 directions fitted to all of them hold .43 to .75 of the squared length, and those fitted to
some of them at least .29. The same rows in a rotated space have about K/D = 64/384 = .17 there, and at most .19. So a
block that has hardly more than K/D in the baseline's main directions is of another space. The space of the baseline,
or of most of it, is the one meant.

Where a space is filled evenly (whitened vectors, random walks) or has few directions (where each is a topic) there is
nothing to test, and nothing is said. `benchmarks/spaces.py` counts what is told and what is missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.store import Store
from lvmtui.formats.data_facts import SpaceFacts

BLOCK, LEAST = 128, 32
"""Most rows of a block; and from how many rows on it ends where a text ends."""
DIRECTIONS = 64
PART, NARROWEST = 6, 128
"""Directions are at most a sixth of all: with more, another space would have nearly as much there. In fewer than 128
numbers they are so few that far topics look like another space."""
SEEDS, SEED_DIRECTIONS, SEED_BLOCKS = 8, 16, 16
"""Blocks from which the baseline's space is looked for, directions of each, and blocks like it that are pooled."""
FITTED = 8192
"""Rows to which the directions are fitted."""
MOST_BLOCKS = 512
"""Blocks of the baseline in which its space is looked for."""
FEWEST_BLOCKS = 8
UNEVEN = 0.12
"""Least excess in typical blocks for a test."""
NEAR_CHANCE = 0.3
"""A block must exceed K/D by this share of it. Blocks of a rotated space exceed it by .15 at most: their energy is a
mean over 64 directions and some 15 independent rows, so its standard deviation is about sqrt(2 / (64 x 15)) = .05."""
CROWD, CLEAR_CROWD, ENOUGH = 0.5, 0.9, 256
"""Blocks of another space crowd at K/D; those of a far topic scatter around it. So of the blocks with at most 1.6 K/D
more than half must be within .7 to 1.3; below 256 numbers, where topics reach further down, nearly all."""
REVERSED = -0.2
"""Cosine of the mean vectors below which the new rows are negated. Parts of the bundled vectors have .33 and more, even
where articles are sorted along a main direction."""
SERIOUS = 0.02
"""Share of an arm's rows; single odd blocks (tables, another language) are no other space."""
WIDE = 1024
"""Numbers in a row above which all D directions cost too much, and only those wanted are computed."""
PASSES, SPARE = 4, 16
"""Rounds of the subspace iteration, and directions that it carries along beside those wanted."""
NAMED = 4
"""At most this many stretches of rows are named; more are only counted."""


@dataclass(frozen=True)
class _Blocks:
    """Rows of an arm, cut into blocks."""

    store: Store
    starts: Integers
    """(B,) rows of the store."""
    stops: Integers

    @property
    def sizes(self) -> Integers:
        return self.stops - self.starts

    def rows(self, which: Integers, most: int = FITTED) -> Floats:
        """The rows of some blocks, up to `most`."""
        index = np.concatenate([np.arange(self.starts[b], self.stops[b]) for b in which])
        return np.asarray(self.store.vectors[index[:: -(-len(index) // most)]])

    def some(self, which: Integers) -> _Blocks:
        return _Blocks(self.store, self.starts[which], self.stops[which])

    def only(self, wanted: npt.NDArray[np.bool_], first: int) -> _Blocks:
        """The stretches of rows that are wanted (n,), counted from the row `first`."""
        edges = first + np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        cuts = np.union1d(edges, np.append(self.starts, self.stops[-1]))
        kept = wanted[cuts[:-1] - first]
        return _Blocks(self.store, cuts[:-1][kept], cuts[1:][kept])

    def excess(self, directions: Floats) -> npt.NDArray[np.float64]:
        """(B,) Mean share of the squared length in the directions (D, K), less K/D."""
        energies = [
            float(np.square(self.store.vectors[a:b] @ directions).sum()) / (b - a)
            for a, b in zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        ]
        self.store.release()
        return np.array(energies, np.float64) - float(directions.shape[1] / directions.shape[0])

    def mean(self) -> Floats:
        """(D,) The mean vector at length 1."""
        total = np.zeros(self.store.vectors.shape[1])
        for a, b in zip(self.starts.tolist(), self.stops.tolist(), strict=True):
            total += self.store.vectors[a:b].sum(axis=0, dtype=np.float64)
        self.store.release()
        return np.asarray(total / max(1e-12, float(np.linalg.norm(total))), np.float32)


def compare_spaces(baseline: Arm, expanded: Arm, new: npt.NDArray[np.bool_]) -> SpaceFacts:
    """Look for rows of either arm that are not of the baseline's space. `new`: which of the expanded arm's rows (n,)
    the baseline does not have."""
    own, full = _blocks(baseline), _blocks(expanded)
    if len(own.starts) < FEWEST_BLOCKS or not len(full.starts):
        return SpaceFacts(tested=False)
    directions = _main_directions(own)
    if directions is None:
        return SpaceFacts(tested=False)
    excess = [blocks.excess(directions) for blocks in (own, full)]
    chance = directions.shape[1] / directions.shape[0]
    elsewhere: list[str] = []
    for arm, blocks, of_arm in zip((baseline, expanded), (own, full), excess, strict=True):
        if _crowd_at_chance(of_arm / chance, directions.shape[0]):
            elsewhere += _stretches(arm, blocks, of_arm < NEAR_CHANCE * chance)
    only_new = full.only(new, expanded.rows[0])
    energy_new = mean_cosine = None
    if only_new.sizes.sum() >= LEAST:
        energy_new = chance + float(np.average(only_new.excess(directions), weights=only_new.sizes))
        mean_cosine = float(only_new.mean() @ own.mean())
        if mean_cosine < REVERSED and not elsewhere:
            elsewhere.append(f"{expanded.name}: the new rows, which look negated")
    return SpaceFacts(
        tested=True,
        energy_baseline=chance + float(np.average(excess[0], weights=own.sizes)),
        energy_new=energy_new,
        mean_cosine=mean_cosine,
        elsewhere=tuple(elsewhere),
    )


def _crowd_at_chance(excess: npt.NDArray[np.float64], dim: int) -> bool:
    """Are low blocks at K/D, as in another space, or is this the tail of topics? `excess`: shares of K/D."""
    low = excess[excess < 2 * NEAR_CHANCE]
    return bool((np.abs(low) < NEAR_CHANCE).sum() > (CROWD if dim >= ENOUGH else CLEAR_CROWD) * len(low))


def _main_directions(own: _Blocks) -> Floats | None:
    """Directions (D, K) that hold most of the baseline, or of its larger part if of two spaces; None: filled evenly."""
    dim = own.store.vectors.shape[1]
    if dim < NARROWEST:
        return None
    count = min(DIRECTIONS, dim // PART)
    some = own.some(np.unique(np.linspace(0, len(own.starts) - 1, MOST_BLOCKS).astype(np.int64)))
    best: tuple[int, Integers] | None = None
    for seed in np.unique(np.linspace(0, len(some.starts) - 1, SEEDS).astype(np.int64)).tolist():
        start = main_directions(some.rows(np.array([seed])), min(SEED_DIRECTIONS, count))
        alike = np.argsort(-some.excess(start))[: max(2, min(SEED_BLOCKS, len(some.starts) // 4))]
        excess = some.excess(main_directions(some.rows(alike), count))
        usual = float(np.quantile(np.delete(excess, alike), 0.75))
        inside = np.flatnonzero(excess >= NEAR_CHANCE * count / dim)
        if usual >= UNEVEN and (best is None or len(inside) > best[0]):
            best = len(inside), inside
    return None if best is None else main_directions(some.rows(best[1]), count)


def _blocks(arm: Arm) -> _Blocks:
    """Cut an arm; a block ends with its text unless it would be short."""
    store = arm.open()
    first, stop = arm.rows
    ends = np.array([], np.int64)
    if store.article_of is not None:
        article = store.article_of[first:stop]
        ends = first + 1 + np.flatnonzero(article[1:] != article[:-1])
    starts = [first]
    while starts[-1] + BLOCK < stop:
        at = starts[-1]
        place = int(np.searchsorted(ends, at + LEAST))
        starts.append(int(min(ends[place], at + BLOCK)) if place < len(ends) else at + BLOCK)
    if len(starts) > 1 and stop - starts[-1] < LEAST:
        starts.pop()
    return _Blocks(store, np.array(starts), np.array([*starts[1:], stop]))


def _stretches(arm: Arm, blocks: _Blocks, marked: npt.NDArray[np.bool_]) -> list[str]:
    """The marked blocks in words, those that touch taken together; none where they are few."""
    if blocks.sizes[marked].sum() < SERIOUS * arm.vectors:
        return []
    edges = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    first = arm.rows[0]
    words = [
        f"{arm.name}: rows {blocks.starts[a] - first:,} to {blocks.stops[b - 1] - first - 1:,}"
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    return [*words[:NAMED], *([f"{arm.name}: {len(words) - NAMED} more stretches"] if len(words) > NAMED else [])]


def main_directions(rows: Floats, count: int) -> Floats:
    """(D, K) orthonormal: the `count` directions with the most of the squared length of rows (n, D), the largest first.

    K is smaller than `count` where there are fewer rows. Up to WIDE numbers by the eigenvectors of the Gram matrix,
    above nearly so: subspace iteration from a fixed start (Halko, Martinsson and Tropp 2011, algorithm 4.4), whose
    directions hold over .995 of the squared length that the best ones hold, of bundled vectors.
    """
    if rows.shape[1] <= WIDE:
        wide = rows.astype(np.float64)
        return np.ascontiguousarray(np.linalg.eigh(wide.T @ wide)[1][:, ::-1][:, :count], dtype=np.float32)
    width = min(count + SPARE, *rows.shape)
    basis = np.random.default_rng(0).standard_normal((rows.shape[1], width), dtype=np.float32)
    for _ in range(PASSES):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    turned = np.linalg.svd(rows @ basis, full_matrices=False)[2].T
    return np.ascontiguousarray((basis @ turned)[:, :count], dtype=np.float32)
