"""Clusters of the union of both arms: what is held out as a whole.

A cluster is an article, or a block of 128 consecutive vectors where the file names no articles. The arms may overlap
in any way: what they have in common is found by content, whatever order, title or number format it has in either
file, and is then the same cluster in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.duplicates import earlier_equal, equal_row
from lvmtui.datasets.formats import Floats, Integers
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import Mask, crosses

BLOCK = 128
"""Consecutive vectors in a cluster where no articles are known."""


@dataclass(frozen=True)
class Side:
    """One arm, cut into the clusters of the union. All rows count from the arm's first."""

    store: Store
    first: int
    """The store's row that is row 0 here."""
    cluster_of: Integers
    """(n,) The same number is the same cluster in both arms."""
    starts: Integers
    """Of all its windows."""
    inside: Mask
    """(windows,) all six rows are of one cluster."""
    runs_on: bool
    """The text runs on across the borders of clusters, so a gap is left beside what is held out."""

    @property
    def vectors(self) -> Floats:
        return self.store.vectors[self.first : self.first + len(self.cluster_of)]


@dataclass(frozen=True)
class Union:
    """The clusters of both arms; arrays over their numbers."""

    windows: Integers
    """Windows that are held out with the cluster."""
    in_expanded: Mask
    """The expanded arm has vectors of it; then its windows are taken from there, otherwise from the baseline."""
    own: Mask
    """The baseline has at least half of it: the baseline's own source."""
    content: tuple[bytes, ...]
    """Digest of its vectors."""
    names: tuple[str, ...]


def union_of(baseline: Arm, expanded: Arm, cross_articles: bool) -> tuple[Side, Side, Union]:
    """Cut both arms into clusters, the baseline into those of the expanded arm wherever it has their vectors.

    Clusters most of whose vectors are copies of another's (an article under two titles) become one.
    """
    small, large = baseline.open(), expanded.open()
    small_vectors, large_vectors = small.vectors[slice(*baseline.rows)], large.vectors[slice(*expanded.rows)]

    def release() -> None:
        small.release()
        large.release()

    full, full_names = _clusters(large, expanded.rows)
    full = _copies_joined(full, earlier_equal(large_vectors, release=release))
    own, own_names = _clusters(small, baseline.rows)
    if small.folder == large.folder and expanded.rows[0] <= baseline.rows[0] <= baseline.rows[1] <= expanded.rows[1]:
        base = full[baseline.rows[0] - expanded.rows[0] :][: baseline.vectors]
    else:
        equal = equal_row(small_vectors, large_vectors, release=release)
        theirs = np.where(equal >= 0, full[equal], -1)
        if small.facts.kind == "articles":
            theirs = _whole_articles(own, theirs)
        base = np.where(theirs >= 0, theirs, own + len(full_names))

    sides = [
        _side(arm, store, cluster_of, cross_articles)
        for arm, store, cluster_of in ((baseline, small, base), (expanded, large, full))
    ]
    names = full_names + own_names
    rows, windows = (
        [np.bincount(c, minlength=len(names)) for c in group]
        for group in ((base, full), [s.cluster_of[s.starts[s.inside]] for s in sides])
    )
    in_expanded = rows[1] > 0
    content = [b""] * len(names)
    for side, here in zip(sides, (~in_expanded, in_expanded), strict=True):
        for cluster, members in _members(side.cluster_of):
            if here[cluster]:
                content[cluster] = hashlib.sha256(side.vectors[members].data).digest()
                release()
    union = Union(
        windows=np.where(in_expanded, windows[1], windows[0]),
        in_expanded=in_expanded,
        own=2 * rows[0] >= rows[1],
        content=tuple(content),
        names=names,
    )
    return sides[0], sides[1], union


def _clusters(store: Store, rows: tuple[int, int]) -> tuple[Integers, tuple[str, ...]]:
    """The cluster of each row, from 0, and the clusters' names."""
    row = np.arange(*rows)
    if store.article_of is not None and store.facts.kind == "articles":
        ids, cluster_of = np.unique(store.article_of[slice(*rows)], return_inverse=True)
        titles = store.titles
        return cluster_of, tuple(titles[i] if i < len(titles) else f"article {i}" for i in ids.tolist())
    if store.article_of is not None:  # a piece shorter than a block stays whole
        article = store.article_of[slice(*rows)]
        _, begins, lengths = np.unique(article, return_index=True, return_counts=True)
        row = np.where(np.repeat(lengths, lengths) < BLOCK, np.repeat(rows[0] + begins, lengths), row)
    _, begins, cluster_of = np.unique(row // BLOCK, return_index=True, return_inverse=True)
    ends = np.append(begins[1:], len(row)) - 1
    return cluster_of, tuple(
        f"vectors {rows[0] + a:,} to {rows[0] + b:,}" for a, b in zip(begins.tolist(), ends.tolist(), strict=True)
    )


def _copies_joined(cluster_of: Integers, earlier: Integers) -> Integers:
    """Clusters most of whose vectors are copies of one other cluster's become one with it."""
    root = np.arange(int(cluster_of.max()) + 1)
    other_of = np.where(earlier >= 0, cluster_of[earlier], -1)
    other_of[other_of == cluster_of] = -1
    for cluster, other in _homes(cluster_of, other_of).items():
        root[root == root[cluster]] = root[other]
    joined: Integers = root[cluster_of]
    return joined


def _whole_articles(cluster_of: Integers, theirs: Integers) -> Integers:
    """Keep articles together: one that is mostly in a cluster of theirs is all of it, one mostly new is all new."""
    homes = _homes(cluster_of, theirs)
    known = np.bincount(cluster_of, theirs >= 0) * 2 >= np.bincount(cluster_of)
    home = np.full(len(known), -1)
    home[list(homes)] = list(homes.values())
    kept: Integers = np.where(home[cluster_of] >= 0, home[cluster_of], np.where(known[cluster_of], theirs, -1))
    return kept


def _homes(cluster_of: Integers, other_of: Integers) -> dict[int, int]:
    """Which clusters have at least half of their rows in one of the others, and in which (-1 in `other_of`: none)."""
    size = np.bincount(cluster_of)
    pairs, count = np.unique(np.stack([cluster_of, other_of])[:, other_of >= 0], axis=1, return_counts=True)
    most = 2 * count >= size[pairs[0]]
    return dict(zip(pairs[0, most].tolist(), pairs[1, most].tolist(), strict=True))


def _side(arm: Arm, store: Store, cluster_of: Integers, cross_articles: bool) -> Side:
    starts = store.window_starts(arm.rows, cross_articles=cross_articles) - arm.rows[0]
    return Side(
        store=store,
        first=arm.rows[0],
        cluster_of=cluster_of,
        starts=starts,
        inside=~crosses(cluster_of)[starts],
        runs_on=cross_articles or store.facts.kind != "articles",
    )


def _members(cluster_of: Integers) -> Iterator[tuple[int, Integers]]:
    """Each cluster with its rows, in order."""
    order = np.argsort(cluster_of, kind="stable")
    borders = np.flatnonzero(np.diff(cluster_of[order])) + 1
    for rows in np.split(order, borders):
        yield int(cluster_of[rows[0]]), rows
