"""Several sizes of one file: nested subsets, made of whole clusters.

Held-out and validation windows are drawn once, from the whole file, and are the same for every size. What is left to
train on is cut into sizes: the clusters (articles, or blocks of about 128 vectors) stand in one order, and a size takes
the first of them. So each size contains the smaller ones, and none holds a part of an article that another has whole.
The order is that of the file, or it is drawn by the seed ("Draws" in `docs/judgement.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from lvmtui.datasets.clusters import Side, Union
from lvmtui.datasets.readers.source import Integers
from lvmtui.datasets.split import ArmCounts, ArmWindows, Split
from lvmtui.datasets.windows import Mask, covered, touches
from lvmtui.formats.campaign import ArmFacts
from lvmtui.formats.spec import arm_names
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import spread

Subsets = Literal["random", "file"]
APART = 1.2
"""Each size is at least this many times the next smaller one: closer ones cost as much and tell nothing."""
LEAST_BATCHES = 8
"""Updates in a pass over the smallest size that is chosen by the program."""
LEAST_SPAN = 4.0
"""All is at least so many times the smallest size chosen, where that gives a batch, or no doubling could be told."""
UNEVEN = 1.25
"""Seeds whose smallest sizes differ by so many times are told."""


@dataclass(frozen=True)
class Size:
    """One size of a file."""

    starts: Integers
    """Starts of its training windows, ascending, as rows of the store."""
    vectors: int
    """Rows that stand in one of them."""


class Pool:
    """The clusters a file has to train on, in the order in which sizes take them."""

    def __init__(self, side: Side, union: Union, train: Integers, subsets: Subsets, seed: int) -> None:
        """`train`: starts of all training windows, rows of the store; `seed` counts for random subsets only."""
        self._side, self._train = side, train - side.first
        used = covered(self._train, len(side.cluster_of), side.context)
        rows = np.bincount(side.cluster_of[used], minlength=len(union.names))
        if subsets == "file":
            order = [cluster for cluster in dict.fromkeys(side.cluster_of.tolist()) if rows[cluster]]
        else:
            salt = f"sizes {seed}".encode()
            clusters = np.flatnonzero(rows).tolist()
            order = sorted(clusters, key=lambda c: hashlib.sha256(salt + union.content[c]).digest())
        self._order = np.array(order, np.int64)
        self._vectors = np.cumsum(rows[self._order])
        self.windows, self.vectors = len(train), int(rows.sum())
        """Of the largest size, which is all there is to train on."""

    def size(self, vectors: int | None) -> Size:
        """The size whose number of vectors comes nearest to `vectors`; None: all. Never empty of clusters."""
        count = len(self._order)
        if vectors is not None:  # of two that are equally near the larger one
            count -= int(np.abs(self._vectors[::-1] - vectors).argmin())
        chosen = np.isin(self._side.cluster_of, self._order[:count])
        inside: Mask = ~touches(~chosen, self._side.context)[self._train]
        starts = self._train[inside]
        return Size(starts + self._side.first, int(covered(starts, len(chosen), self._side.context).sum()))


def sized(split: Split, sizes: Sequence[Size]) -> Split:
    """The split of a file with the training windows of these sizes; they share its validation windows."""
    for smaller_one, larger_one in pairwise(sizes):
        if len(larger_one.starts) <= len(smaller_one.starts):
            raise UserError(
                f"--sizes: whole articles make {smaller_one.vectors:,} vectors, and then {larger_one.vectors:,} again; "
                "the sizes are too small or too close for articles this long, ask for larger ones"
            )
    validation = split.expanded.validation
    windows = [ArmWindows(size.starts, validation) for size in sizes]
    whole = split.facts.expanded
    counts = [  # a size is cut from the training windows, so none of its windows is dropped for another reason
        ArmCounts(len(one.train) + len(validation), len(one.train), whole.validation, 0, 0, 0, 0)
        if len(one.train) < whole.train
        else whole
        for one in windows
    ]
    arms = dict(zip(arm_names(len(windows)), windows, strict=True))
    return replace(split, arms=arms, facts=split.facts.with_counts(counts))


def asked_sizes(sizes: Sequence[int | None], there: int) -> tuple[int | None, ...]:
    """Sizes as they are asked for (None: all), smallest first. Raises UserError for those that cannot be made. `there`:
    vectors to train on."""
    ordered = sorted(sizes, key=lambda size: there + 1 if size is None else size)
    for size in ordered:
        if size is not None and size > there:
            fault = f"only {there:,} vectors are left to train on beside the held-out and validation articles"
            raise UserError(f"--sizes {size:,}: {fault}; ask for less, or write all")
    numbers = [there if size is None else size for size in ordered]
    for smaller, larger in pairwise(numbers):
        if larger < APART * smaller:
            fault = f"{smaller:,} and {larger:,} vectors are too close to tell apart"
            raise UserError(f"--sizes: {fault}; leave one out (each must be {APART:g} times the one before)")
    return tuple(ordered)


def uneven(smallest: ArmFacts) -> str:
    """What to doubt where the seeds train the smallest size on very different numbers of windows; else empty."""
    windows = smallest.each("train_windows")
    if max(windows) < UNEVEN * min(windows):
        return ""
    return (
        f"at the smallest size, {smallest.label}, the seeds train on {spread(windows)} windows, as whole "
        "articles are drawn; the curve has one point for them, at the mean; larger sizes differ less"
    )


def geometric(count: int, there: int, least: int, *, of: int, context: int) -> tuple[int | None, ...]:
    """`count` sizes, each the same number of times the one before, from about `least` vectors to all of `there`.
    Raises UserError where they would lie too close. `of`: all vectors of the file."""
    if least >= there:
        raise UserError(
            f"--sizes {count}: of {of:,} vectors {there:,} are left to train on (the others are held out, validate, or "
            f"stand in articles too short for a context of {context}), and the smallest size that can be trained has "
            f"{least:,}; give a larger file, longer articles, a shorter --context or a smaller --batch-size, or list "
            "the sizes"
        )
    if (there / least) ** (1 / (count - 1)) < APART:
        fewest = f"{least:,}, the fewest vectors that can be trained"
        fault = f"between {fewest}, and {there:,}, all there are, {count} sizes lie too close"
        raise UserError(f"--sizes {count}: {fault}; ask for fewer, or give a larger file")
    return (*(round(n) for n in np.geomspace(least, there, count)[:-1]), None)
