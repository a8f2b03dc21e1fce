"""Clusters of the union of both arms: what is held out as a whole.

A cluster is an article, or a block of 128 or more consecutive vectors where the file names no articles. The arms may
overlap in any way: what they have in common is found by content, whatever its order, title or number format in either
file, and is then the same cluster in both. Articles that are copies or near-copies of each other are one cluster, and
so is a chain of them. So are articles of one name in both files, where most names of articles that are in both by
content agree, or none is and names are titles: a text that was embedded in another way has other vectors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.near_copies import Groups, Part, components, find_groups
from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import Mask, crosses

BLOCK = 128
"""Consecutive vectors in a cluster where no articles are known."""
BLOCK_WINDOWS = 4
"""Such a cluster has room for at least this many windows, so with long contexts it has more vectors."""
GAP = 5
"""Vectors left out on each side of a cluster that is held out or validated on, where texts run on across its border."""
COMMON = 32
"""A vector that occurs in more clusters than this is a set phrase ("References"), and pairs only with the first."""


@dataclass(frozen=True)
class Side:
    """One arm, cut into the clusters of the union. All rows count from the arm's first."""

    store: Store
    first: int
    """The store's row that is row 0 here."""
    cluster_of: Integers
    """(n,) The same number is the same cluster in both arms."""
    group: Integers
    """(n,) The same number is the same vector, in both arms."""
    starts: Integers
    """Starts of all its windows."""
    inside: Mask
    """(windows,) all rows are of one cluster."""
    runs_on: bool
    """The text runs on across the borders of clusters, so a gap is left beside what is held out."""
    context: int
    """Vectors in the context of its windows."""

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


def group_arms(*arms: Arm, same: float | None = None, more: Floats | None = None) -> Groups:
    """Find what the arms, and `more` vectors, have in common. `same` overrides the threshold."""
    parts = []
    for arm in arms:
        store, rows = arm.open(), slice(*arm.rows)
        text_of = np.zeros(arm.vectors, np.int32) if store.article_of is None else store.article_of[rows]
        parts.append(Part(store.vectors[rows], store.release, text_of))
    return find_groups(parts if more is None else [*parts, Part(more)], same)


def block_of(context: int) -> int:
    """Consecutive vectors in a cluster where no articles are known, for windows of this context."""
    return max(BLOCK, BLOCK_WINDOWS * (context + 1))


def union_of(
    baseline: Arm, expanded: Arm, cross_articles: bool, groups: Groups, context: int
) -> tuple[Side, Side, Union]:
    """Cut both arms into clusters, the baseline into those of the expanded arm wherever it has their vectors.

    `groups`: of the baseline's rows and of the expanded arm's. Clusters most of whose vectors are in another one too
    (an article under two titles) become one with it.
    """
    small, large = baseline.open(), expanded.open()
    own_article, own_names = _clusters(small, baseline.rows, block_of(context))
    full_article, full_names = _clusters(large, expanded.rows, block_of(context))
    full = _copies_joined(full_article, groups.of[1])
    own = _copies_joined(own_article, groups.of[0])
    if small.folder == large.folder and expanded.rows[0] <= baseline.rows[0] <= baseline.rows[1] <= expanded.rows[1]:
        base = full[baseline.rows[0] - expanded.rows[0] :][: baseline.vectors]
    else:
        theirs = _cluster_in(groups.of[0], groups.of[1], full)
        if small.facts.kind == "articles":
            theirs = _whole_articles(own, theirs)
        if small.facts.kind == large.facts.kind == "articles":
            by_name = _named_in(own_names, full_names, full_article, full)[own_article]
            theirs = _or_by_name(theirs, by_name, titled=bool(small.titles and large.titles))
        base = np.where(theirs >= 0, theirs, own + len(full_names))

    sides = (
        _side(baseline, small, base, groups.of[0], cross_articles, context),
        _side(expanded, large, full, groups.of[1], cross_articles, context),
    )
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
                side.store.release()
    union = Union(
        windows=np.where(in_expanded, windows[1], windows[0]),
        in_expanded=in_expanded,
        own=2 * rows[0] >= rows[1],
        content=tuple(content),
        names=names,
    )
    return *sides, union


def _clusters(store: Store, rows: tuple[int, int], block: int) -> tuple[Integers, tuple[str, ...]]:
    """The cluster of each row, from 0, and the clusters' names."""
    row = np.arange(*rows)
    if store.article_of is not None and store.facts.kind == "articles":
        ids, cluster_of = np.unique(store.article_of[slice(*rows)], return_inverse=True)
        titles = store.titles
        return cluster_of, tuple(titles[i] if i < len(titles) else f"article {i}" for i in ids.tolist())
    if store.article_of is not None:  # a piece shorter than a block stays whole
        _, begins, lengths = np.unique(store.article_of[slice(*rows)], return_index=True, return_counts=True)
        row = np.where(np.repeat(lengths, lengths) < block, np.repeat(rows[0] + begins, lengths), row)
    _, begins, cluster_of = np.unique(row // block, return_index=True, return_inverse=True)
    ends = np.append(begins[1:], len(row)) - 1
    return cluster_of, tuple(
        f"vectors {rows[0] + a:,} to {rows[0] + b:,}" for a, b in zip(begins.tolist(), ends.tolist(), strict=True)
    )


def _cluster_in(group: Integers, other: Integers, cluster_of: Integers) -> Integers:
    """For rows of these groups the cluster of the first row of the `other` rows (m,) in the same group, or -1."""
    known, first = np.unique(other, return_index=True)
    place = np.minimum(np.searchsorted(known, group), len(known) - 1)
    return np.where(known[place] == group, cluster_of[first[place]], -1)


def _named_in(names: Sequence[str], others: Sequence[str], article_of: Integers, cluster_of: Integers) -> Integers:
    """For each name the cluster of the article among `others` that has the same name, or -1. `article_of` (m,): the
    article of each of the other rows; `cluster_of` (m,): its cluster."""
    number_of = {name: number for number, name in enumerate(others) if name}
    numbers = np.array([number_of.get(name, -1) for name in names])
    clusters = cluster_of[np.unique(article_of, return_index=True)[1]]
    return np.where(numbers >= 0, clusters[numbers], -1)


def _or_by_name(theirs: Integers, by_name: Integers, *, titled: bool) -> Integers:
    """The clusters (n,) of rows by content, or by name where content finds none (-1) and a name means one article in
    both files: if most do of which content can tell, or it can tell of none and they are titles."""
    known = (theirs >= 0) & (by_name >= 0)
    agree = 2 * (theirs == by_name)[known].sum() > known.sum() or (titled and not known.any())
    return np.where((theirs < 0) & agree, by_name, theirs)


def _copies_joined(cluster_of: Integers, group: Integers) -> Integers:
    """Clusters at least half of whose vectors are in one other cluster too become one with it, and so do chains."""
    standing = np.unique(np.stack([group, cluster_of]), axis=1)  # (group, cluster), sorted by group
    clusters_of = standing[1]
    _, begins, counts = np.unique(standing[0], return_index=True, return_counts=True)
    where = np.searchsorted(standing[0][begins], group)  # of each row's group
    pairs = []
    for many in range(2, min(COMMON, int(counts.max())) + 1):
        rows = np.flatnonzero(counts[where] == many)
        others = clusters_of[begins[where[rows], None] + np.arange(many)]
        pairs.append(np.stack([np.repeat(cluster_of[rows], many), others.ravel()]))
    rows = np.flatnonzero(counts[where] > COMMON)
    pairs.append(np.stack([cluster_of[rows], clusters_of[begins[where[rows]]]]))
    found = np.concatenate(pairs, axis=1)
    own, other = _homes(cluster_of, found[:, found[0] != found[1]])
    return components(np.arange(int(cluster_of.max()) + 1), own, other)[cluster_of]


def _whole_articles(cluster_of: Integers, theirs: Integers) -> Integers:
    """Keep articles together: one that is mostly in a cluster of theirs is all of it, one mostly new is all new."""
    own, other = _homes(cluster_of, np.stack([cluster_of, theirs])[:, theirs >= 0])
    known = np.bincount(cluster_of, theirs >= 0) * 2 >= np.bincount(cluster_of)
    home = np.full(len(known), -1)
    home[own] = other
    return np.where(home[cluster_of] >= 0, home[cluster_of], np.where(known[cluster_of], theirs, -1))


def _homes(cluster_of: Integers, pairs: npt.NDArray[np.int64]) -> tuple[Integers, Integers]:
    """Clusters with half of their rows or more in another, and which. `pairs` (2, n): a row's cluster, and another."""
    (own, other), count = np.unique(pairs, axis=1, return_counts=True)
    most = 2 * count >= np.bincount(cluster_of)[own]
    return own[most], other[most]


def _side(arm: Arm, store: Store, cluster_of: Integers, group: Integers, cross_articles: bool, context: int) -> Side:
    starts = store.window_starts(context, arm.rows, cross_articles=cross_articles) - arm.rows[0]
    return Side(
        store=store,
        first=arm.rows[0],
        cluster_of=cluster_of,
        group=group,
        starts=starts,
        inside=~crosses(cluster_of, context)[starts],
        runs_on=cross_articles or store.facts.kind != "articles",
        context=context,
    )


def _members(cluster_of: Integers) -> Iterator[tuple[int, Integers]]:
    """Each cluster with its rows, in order."""
    order = np.argsort(cluster_of, kind="stable")
    borders = np.flatnonzero(np.diff(cluster_of[order])) + 1
    for rows in np.split(order, borders):
        yield int(cluster_of[rows[0]]), rows
