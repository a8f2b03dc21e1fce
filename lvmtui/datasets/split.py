"""The held-out windows of a comparison, and each arm's training and validation windows.

Whole clusters are held out: articles, or blocks of about 128 consecutive vectors where the file names none. The same
windows judge both arms, and no window of either arm that holds one of their vectors, in whatever copy, may be trained
or validated on. Clusters are drawn by a hash of their content and the seed, so data added at the end of a file moves
few of them. Validation clusters are drawn the same way from what remains, one draw for both arms.

A split is a folder that needs nothing else to be used:

    heldout_windows.npz     vectors float32 (M, D); starts int64 (W,), rows of `vectors`; cluster int32 (W,);
                            stratum uint8 (W,): 0 the baseline's own source, 1 the new source
    baseline.npz            train int64, validation int64: starts, rows of the arm's STORE
    expanded.npz            the same
    split.json              `SplitFacts`
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.clusters import BLOCK, Side, Union, union_of
from lvmtui.datasets.duplicates import equal_row
from lvmtui.datasets.formats import CONTEXT, WIDTH, Floats, Integers
from lvmtui.datasets.windows import Mask, covered, touches
from lvmtui.formats.json_codec import dump_document, encode, read_document
from lvmtui.formats.spec import ARMS
from lvmtui.formats.spec import Arm as ArmName
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file, written_beside
from lvmtui.system.sealed import seal_archive, sealed_digest

VERSION = 1
GAP = CONTEXT
"""Vectors left out on each side of such a cluster: the text on both sides of the border is one text."""
SHARES = (0.10, 0.15, 0.20)
"""Share of the windows that is held out: the first that gives enough clusters, or else the last. Few steps, so that
a little more data seldom changes it."""
ENOUGH_CLUSTERS = 40.0
"""Effective clusters. With fewer, resampling them no longer gives an interval that is as wide as it should be."""
VALIDATION_SHARE = 0.10
"""Of the clusters that are not held out."""
VALIDATION_WINDOWS = 5_000
"""An arm's runs look at no more; where there are more, so many, evenly spread, stand for all. Evaluations then cost a
large campaign half a percent of its time instead of three. The differences between runs, which choose the weights,
move by .0001 (`docs/performance.md`)."""


@dataclass(frozen=True)
class ArmCounts:
    """What became of an arm's windows; all but `windows` add up to it."""

    windows: int
    train: int
    validation: int
    held_out: int
    """They stand in a held-out cluster."""
    gap: int
    """They touch a held-out or validation cluster, or the vectors left out beside it, without standing in it."""
    equal_to_held_out: int
    """They hold a vector that is equal by content to a held-out one."""
    equal_to_validation: int
    """The same with a validation vector of this arm."""
    spare: int = 0
    """They stand in a validation cluster beside those that are looked at."""


@dataclass(frozen=True)
class SplitFacts:
    """`split.json`."""

    seed: int
    cross_articles: bool
    share: float
    """Of the windows, as aimed at."""
    fingerprint: str
    """sha256 of the held-out arrays; runs that have it in common are judged on the same windows."""
    windows: int
    """Held out."""
    windows_own: int
    """Of them in the baseline's own source; the others are in the new source."""
    clusters: int
    clusters_own: int
    effective_clusters: float
    """(sum of windows)^2 / sum of windows^2 over clusters (Kish 1965): how many equal ones would tell as much."""
    effective_clusters_own: float
    effective_clusters_new: float
    baseline: ArmCounts
    expanded: ArmCounts
    cluster_names: tuple[str, ...]
    """By the numbers in `cluster`, sanitised."""
    version: int = VERSION


@dataclass(frozen=True)
class HeldOut:
    """The windows that judge: W windows over M vectors."""

    vectors: Floats
    """(M, D) unit rows: those the windows need."""
    starts: Integers
    """(W,) rows of `vectors`."""
    cluster: npt.NDArray[np.int32]
    """(W,) from 0."""
    stratum: npt.NDArray[np.uint8]
    """(W,) 0: the baseline's own source; 1: the new source."""

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for array in (self.vectors, self.starts, self.cluster, self.stratum):
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class ArmWindows:
    """Starts (int64, ascending) of an arm's windows, rows of its store."""

    train: Integers
    validation: Integers


@dataclass(frozen=True)
class Split:
    heldout: HeldOut
    baseline: ArmWindows
    expanded: ArmWindows
    facts: SplitFacts

    def arm(self, name: ArmName) -> ArmWindows:
        return self.baseline if name == "baseline" else self.expanded

    def write(self, folder: Path) -> None:
        """Write the folder; split.json comes last, and with it the split exists. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        h = self.heldout
        _write_arrays(
            folder / "heldout_windows.npz", vectors=h.vectors, starts=h.starts, cluster=h.cluster, stratum=h.stratum
        )
        for name in ARMS:
            windows = self.arm(name)
            _write_arrays(folder / f"{name}.npz", train=windows.train, validation=windows.validation)
        replace_file(folder / "split.json", dump_document(encode(self.facts)))


def draw_split(
    baseline: Arm, expanded: Arm, *, seed: int, cross_articles: bool = False, baseline_used: bool = False
) -> Split:
    """Draw the held-out and validation windows of a comparison. Raises UserError where the data are too few.

    `baseline_used`: another program has trained on the baseline, nobody knows on which of its windows. Then only
    clusters are held out of which it has no vector, and all of its windows count as training windows.
    """
    base, full, union = union_of(baseline, expanded, cross_articles)
    free = _unused(base, full, union) if baseline_used else union
    share, held = _draw_held_out(free, seed)
    if held.sum() < 2:
        apart = f" that have no vector in common with {baseline.title}" if baseline_used else ""
        raise UserError(
            f"{baseline.title} and {expanded.title}: only {int((free.windows > 0).sum())} articles, or blocks of "
            f"{BLOCK} vectors, to hold out from{apart}; ten or more are needed, give larger files"
        )
    validation = _draw(union, np.where(held, 0, union.windows), VALIDATION_SHARE, f"validation {seed}")
    heldout = _held_out_windows(base, full, union, held)
    full_windows, full_counts = _arm_windows(full, held, validation, heldout.vectors)
    if baseline_used:
        base_windows, base_counts = _all_windows(base, baseline.rows)
    else:
        base_windows, base_counts = _arm_windows(base, held, validation, heldout.vectors)
    for arm, counts in ((baseline, base_counts), (expanded, full_counts)):
        if not counts.train or not (counts.validation or (baseline_used and arm is baseline)):
            raise UserError(
                f"{arm.title}: of {counts.windows:,} windows no {'validation' if counts.train else 'training'} ones "
                f"are left ({counts.held_out:,} are held out, {counts.equal_to_held_out:,} repeat a held-out vector); "
                "give a larger file"
            )
    numbers, heldout_cluster = np.unique(heldout.cluster, return_inverse=True)
    heldout = replace(heldout, cluster=heldout_cluster.astype(np.int32))
    own = heldout.stratum == 0
    facts = SplitFacts(
        seed=seed,
        cross_articles=cross_articles,
        share=share,
        fingerprint=heldout.fingerprint,
        windows=len(heldout.starts),
        windows_own=int(own.sum()),
        clusters=len(numbers),
        clusters_own=len(np.unique(heldout.cluster[own])),
        effective_clusters=effective_clusters(heldout.cluster),
        effective_clusters_own=effective_clusters(heldout.cluster[own]),
        effective_clusters_new=effective_clusters(heldout.cluster[~own]),
        baseline=base_counts,
        expanded=full_counts,
        cluster_names=tuple(union.names[n] for n in numbers.tolist()),
    )
    return Split(heldout, base_windows, full_windows, facts)


def keep_held_out(earlier: Split, own: ArmName, baseline: Arm, expanded: Arm, *, seed: int) -> Split:
    """The split for another expanded arm against runs that are trained already: their held-out windows stay.

    `own`: which arm of the `earlier` split those runs were trained on; `baseline` is that arm, opened here. Clusters of
    the expanded arm with a window's worth of held-out vectors are left out of it as a whole; where there are fewer (a
    sentence that stands in many articles) only the windows that hold them. Raises UserError where too little stays.
    """
    _, full, union = union_of(baseline, expanded, earlier.facts.cross_articles)
    known = _equal(full, earlier.heldout.vectors, np.ones(len(full.cluster_of), bool))
    held = np.bincount(full.cluster_of[known], minlength=len(union.windows)) >= WIDTH
    left = np.where(held | ~union.in_expanded, 0, union.windows)
    validation = _draw(union, left, VALIDATION_SHARE, f"validation {seed}")
    windows, counts = _arm_windows(full, held, validation, earlier.heldout.vectors)
    if not counts.train or not counts.validation:
        raise UserError(
            f"{expanded.title}: beside the held-out windows of the baseline runs {counts.train:,} training and "
            f"{counts.validation:,} validation windows are left; give a larger file"
        )
    own_counts = earlier.facts.baseline if own == "baseline" else earlier.facts.expanded
    facts = replace(earlier.facts, baseline=own_counts, expanded=counts)
    return Split(earlier.heldout, earlier.arm(own), windows, facts)


def effective_clusters(cluster: npt.NDArray[np.integer]) -> float:
    """Kish's effective number of clusters, from the cluster of each window."""
    return _effective(np.unique(cluster, return_counts=True)[1])


def read_facts(folder: Path) -> SplitFacts:
    """Read `split.json`. Raises UserError."""
    cure, place = "restore the file or start a new campaign", "a campaign's split folder"
    return read_document(SplitFacts, folder / "split.json", what="a split", place=place, cure=cure)


def read_heldout(folder: Path) -> HeldOut:
    """Read the held-out windows. Raises UserError if they are not those that were written."""
    arrays = _read_arrays(folder / "heldout_windows.npz", ("vectors", "starts", "cluster", "stratum"))
    return HeldOut(**arrays)


def read_arm_windows(folder: Path, name: ArmName) -> ArmWindows:
    """Read an arm's windows. Raises UserError."""
    return ArmWindows(**_read_arrays(folder / f"{name}.npz", ("train", "validation")))


def read_split(folder: Path) -> Split:
    """Read all of a split's folder. Raises UserError."""
    baseline, expanded = (read_arm_windows(folder, name) for name in ARMS)
    return Split(read_heldout(folder), baseline, expanded, read_facts(folder))


# ------------------------------------------------------------------------------------------------------ drawing


def _draw_held_out(union: Union, seed: int) -> tuple[float, Mask]:
    """The smallest share that gives enough clusters, and the clusters drawn with it."""
    for share in SHARES:
        held = _draw(union, union.windows, share, f"held-out {seed}")
        if _effective(union.windows[held]) >= ENOUGH_CLUSTERS:
            break
    return share, held


def _unused(base: Side, full: Side, union: Union) -> Union:
    """The union with windows only where no vector of the cluster, in whatever copy, is one of the baseline's."""
    used = _with_gap(_equal(full, base.vectors, np.ones(len(full.cluster_of), bool)), full.runs_on)
    touched = np.bincount(full.cluster_of[used], minlength=len(union.windows)) > 0
    return replace(union, windows=np.where(touched | ~union.in_expanded, 0, union.windows))


def _draw(union: Union, windows: Integers, share: float, salt: str) -> Mask:
    """Draw clusters that hold about `share` of the `windows`, of each size and of both sources in proportion.

    Within a stratum (source, and size by powers of two) they are taken in the order of their hash; what a stratum has
    too much or too little is made up in the next, so that the sum comes out.
    """
    drawn = np.zeros(len(windows), bool)
    hashes = [hashlib.sha256(salt.encode() + content).digest() for content in union.content]
    for own in (True, False):
        candidates = np.flatnonzero((windows > 0) & (union.own == own)).tolist()
        strata = [int(windows[c]).bit_length() for c in candidates]
        goal = taken = 0.0
        for stratum in sorted(set(strata), reverse=True):
            some = [c for c, s in zip(candidates, strata, strict=True) if s == stratum]
            goal += share * float(windows[some].sum())
            for cluster in sorted(some, key=lambda c: hashes[c]):
                if taken + windows[cluster] / 2 > goal:
                    break
                drawn[cluster] = True
                taken += float(windows[cluster])
        if not taken and len(candidates) > 1:
            drawn[min(candidates, key=lambda c: hashes[c])] = True
    return drawn


def _effective(windows: npt.NDArray[np.integer]) -> float:
    """Kish's effective number of clusters of these sizes."""
    sizes = windows.astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


# ------------------------------------------------------------------------------------------------------ windows


def _held_out_windows(base: Side, full: Side, union: Union, held: Mask) -> HeldOut:
    """The windows inside held-out clusters, with the vectors they need. Clusters keep the union's numbers."""
    vectors, starts, clusters = [], [], []
    before = 0
    for side, taken in ((full, held & union.in_expanded), (base, held & ~union.in_expanded)):
        mine = side.starts[side.inside & taken[side.cluster_of[side.starts]]]
        needed = covered(mine, len(side.vectors))
        vectors.append(side.vectors[needed])
        starts.append(before + np.cumsum(needed)[mine] - 1)
        clusters.append(side.cluster_of[mine])
        before += int(needed.sum())
    cluster = np.concatenate(clusters).astype(np.int32)
    stratum = np.where(union.own[cluster], 0, 1).astype(np.uint8)
    return HeldOut(np.concatenate(vectors), np.concatenate(starts), cluster, stratum)


def _arm_windows(side: Side, held: Mask, validation: Mask, held_out: Floats) -> tuple[ArmWindows, ArmCounts]:
    """Sort an arm's windows: into training, validation, and those that must not be used."""
    left = np.ones(len(side.starts), bool)

    def take(windows: Mask) -> Integers:
        """Take from what is left."""
        nonlocal left
        taken = side.starts[left & windows]
        left &= ~windows
        return taken

    def touching(rows: Mask) -> Mask:
        marked: Mask = touches(rows)[side.starts]
        return marked

    in_held, in_validation = held[side.cluster_of], validation[side.cluster_of]
    standing = take(side.inside & in_held[side.starts])
    gap = take(touching(_with_gap(in_held, side.runs_on)))
    equal = take(touching(_equal(side, held_out, ~in_held)))
    chosen = take(side.inside & in_validation[side.starts])
    gap_too = take(touching(_with_gap(in_validation, side.runs_on)))
    chosen_vectors = side.vectors[covered(chosen, len(side.vectors))]
    equal_too = take(touching(_equal(side, chosen_vectors, ~(in_held | in_validation))))
    train = side.starts[left]
    count = min(len(chosen), VALIDATION_WINDOWS)
    looked_at = chosen[np.arange(count) * len(chosen) // max(1, count)]
    counts = ArmCounts(
        windows=len(side.starts),
        train=len(train),
        validation=len(looked_at),
        held_out=len(standing),
        gap=len(gap) + len(gap_too),
        equal_to_held_out=len(equal),
        equal_to_validation=len(equal_too),
        spare=len(chosen) - len(looked_at),
    )
    return ArmWindows(train + side.first, looked_at + side.first), counts


def _all_windows(side: Side, rows: tuple[int, int]) -> tuple[ArmWindows, ArmCounts]:
    """Every window of an arm as a training window, those too that run from one article into the next."""
    starts = side.store.window_starts(rows, cross_articles=True)
    return ArmWindows(starts, starts[:0]), ArmCounts(len(starts), len(starts), 0, 0, 0, 0, 0)


def _equal(side: Side, among: Floats, rows: Mask) -> Mask:
    """Which of the marked rows are equal to one of `among`."""
    found = equal_row(side.vectors, among, only=np.flatnonzero(rows), release=side.store.release)
    return np.asarray(found >= 0)


def _with_gap(rows: Mask, runs_on: bool) -> Mask:
    """The rows and, where the text runs on, GAP more on each side."""
    if not runs_on:
        return rows
    wider = rows.copy()
    for step in range(1, GAP + 1):
        wider[step:] |= rows[:-step]
        wider[:-step] |= rows[step:]
    return wider


# -------------------------------------------------------------------------------------------------------- files


def _write_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    with written_beside(path) as beside:
        with beside.open("wb") as out:
            np.savez(out, allow_pickle=False, **arrays)
        seal_archive(beside)


def _read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    if not path.exists():
        raise UserError(f"{path}: no such file; is this a campaign's split folder?")
    if sealed_digest(path) is None:
        raise UserError(f"{path}: not what was written; restore the file or start a new campaign")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: not a split's arrays ({error}); start a new campaign") from None
