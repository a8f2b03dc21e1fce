"""Draw the held-out windows of a comparison, and sort each arm's other windows into training and validation.

Whole clusters are held out: articles, or blocks of about 128 consecutive vectors where the file names none. The same
windows judge both arms, and no window of either arm that holds one of their vectors, in whatever copy or near-copy, is
trained or validated on. Clusters are drawn by a hash of their content and the seed, so data added at the end of a file
moves few of them. Validation clusters are drawn the same way from what remains, one draw for both arms. Folds are
several such splits whose held-out clusters are disjoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.clusters import GAP, Side, Union, block_of, group_arms, union_of
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.readers.source import Integers
from lvmtui.datasets.sizes import Pool, Subsets, sized
from lvmtui.datasets.split import ArmCounts, ArmWindows, HeldOut, Split, SplitFacts
from lvmtui.datasets.weights import effective
from lvmtui.datasets.windows import Mask, covered, touches
from lvmtui.formats.spec import USUAL_CONTEXT, ArmName, arm_names
from lvmtui.system.errors import UserError

SHARES = (0.10, 0.15, 0.20)
"""Shares of the windows to hold out: the first with enough clusters, or the last; few, so that it seldom changes."""
MOST = 0.60
"""Share of the windows that all folds together hold out."""
ENOUGH_CLUSTERS = 40.0
"""Effective clusters. With fewer, an interval over them is wider than it could be."""
VALIDATION_SHARE = 0.10
"""Share of the clusters that are not held out."""
VALIDATION_WINDOWS = 5_000
"""Most that an arm's runs look at. Where there are more, this many, evenly spread, stand for all. Evaluations then
cost a large campaign half a percent of its time instead of three. The differences between runs, which choose the
weights, move by .0001 (`docs/performance.md`)."""
REPEATED = 0.3
"""Share of an arm's vectors that repeat earlier ones from which that is the likely reason for too few windows."""


@dataclass(frozen=True)
class _Ground:
    """What every fold of a comparison is drawn from."""

    arms: Sequence[Arm]
    """Smallest first."""
    sides: Sequence[Side]
    """Each arm, cut into the clusters of the union of the first and the last; higher numbers are the arm's alone."""
    union: Union
    same: float
    context: int
    cross_articles: bool
    baseline_used: bool
    """Another program has trained on the baseline, nobody knows on which of its windows."""


def draw_folds(
    baseline: Arm,
    *larger: Arm,
    seed: int,
    folds: int | None,
    cross_articles: bool = False,
    baseline_used: bool = False,
    groups: Groups | None = None,
    context: int = USUAL_CONTEXT,
) -> tuple[Split, ...]:
    """Draw the held-out and validation windows of a comparison: `folds` splits whose held-out clusters are disjoint, or
    one split (None). Raises UserError where the data are too few.

    `larger`: the expanded arm, or all arms above the baseline, smallest first, each of which contains those before.
    `context`: vectors in a context, where there are several in the longest. With `baseline_used` only clusters are held
    out of which the baseline has no vector, and all of its windows count as training windows.
    `groups`: what the arms have in common (`clusters.group_arms`), found here if it is not given.
    """
    ground = _ground((baseline, *larger), cross_articles, baseline_used, groups, context)
    return tuple(_draw_held_out(ground, seed, folds))


def draw_sizes(  # noqa: PLR0913  what is drawn, from what, for whom
    whole: Arm,
    choose: Callable[[Pool], Sequence[int | None]],
    *,
    subsets: Subsets,
    seeds: Sequence[int],
    seed: int,
    folds: bool = False,
    cross_articles: bool = False,
    groups: Groups | None = None,
    context: int = USUAL_CONTEXT,
) -> tuple[Split, ...]:
    """Draw the held-out and validation windows of one file, and cut the rest into sizes.

    `choose` says which sizes (vectors, smallest first; None: all) when it sees what there is. One split, or one for
    each of `seeds` where they hold out (`folds`) or train on (random `subsets`) articles of their own. `groups` are of
    the arm alone. Raises UserError where the data are too few.
    """
    groups = groups or group_arms(whole)
    ground = _ground((whole, whole), cross_articles, False, Groups((groups.of[0],) * 2, groups.facts), context)
    splits = _draw_held_out(ground, seed, len(seeds) if folds else None)
    if not folds and subsets == "random":
        splits *= len(seeds)
    found: list[Split] = []
    sizes: Sequence[int | None] = ()
    for split, drawn_by in zip(splits, seeds, strict=False):
        pool = Pool(ground.sides[-1], ground.union, split.expanded.train, subsets, drawn_by)
        sizes = sizes or choose(pool)
        found.append(sized(split, [pool.size(vectors) for vectors in sizes]))
    return tuple(found)


def keep_held_out(
    earlier: Split, own: ArmName, baseline: Arm, expanded: Arm, *, seed: int, same: float | None = None
) -> Split:
    """The split for another expanded arm against runs that are trained already: their held-out windows stay.

    `own`: which arm of the `earlier` split those runs were trained on; `baseline` is that arm, opened here. Clusters of
    the expanded arm with a window's worth of held-out vectors are left out of it as a whole; where there are fewer (a
    sentence that stands in many articles) only the windows that hold them. `same` overrides the threshold. Raises
    UserError where too little stays.
    """
    groups = group_arms(baseline, expanded, more=earlier.heldout.vectors, same=same)
    context = earlier.heldout.context
    _, full, union = union_of(baseline, expanded, earlier.facts.cross_articles, groups, context)
    held = np.bincount(full.cluster_of[np.isin(full.group, groups.of[2])], minlength=len(union.windows)) > context
    left = np.where(held | ~union.in_expanded, 0, union.windows)
    validation = _draw(union, left, VALIDATION_SHARE, f"validation {seed}")
    windows, counts = _arm_windows(full, held, validation, groups.of[2])
    if not counts.train or not counts.validation:
        raise UserError(
            f"{expanded.title}: beside the held-out windows of the baseline runs {counts.train:,} training and "
            f"{counts.validation:,} validation windows are left; {_cure(expanded, full)}"
        )
    # The finished runs may hold near-copies that were not known as such when their split was made.
    same = max(groups.facts.same, earlier.facts.same)
    facts = replace(earlier.facts, same=same).with_counts((earlier.facts.arms[own], counts))
    return Split(earlier.heldout, {"baseline": earlier.arms[own], "expanded": windows}, facts)


# ------------------------------------------------------------------------------------------------------ drawing


def _ground(
    arms: Sequence[Arm], cross_articles: bool, baseline_used: bool, groups: Groups | None, context: int
) -> _Ground:
    """What the draw needs to know of the arms, given from small to large."""
    groups = groups or group_arms(*arms)
    cut = [
        union_of(arm, arms[-1], cross_articles, Groups((of, groups.of[-1]), groups.facts), context)
        for arm, of in zip(arms[:-1], groups.of, strict=False)
    ]
    _, full, union = cut[0]
    sides = [*(side for side, _, _ in cut), full]
    return _Ground(arms, sides, union, groups.facts.same, context, cross_articles, baseline_used)


def _free(ground: _Ground) -> Union:
    """The union with windows only where clusters may be held out.

    Where the baseline was used, that is where no vector of the cluster, in whatever copy, is one of the baseline's.
    """
    union, full = ground.union, ground.sides[-1]
    if not ground.baseline_used:
        return union
    used = _with_gap(np.isin(full.group, ground.sides[0].group), full.runs_on)
    touched = np.bincount(full.cluster_of[used], minlength=len(union.windows)) > 0
    return replace(union, windows=np.where(touched | ~union.in_expanded, 0, union.windows))


def _draw_held_out(ground: _Ground, seed: int, folds: int | None) -> list[Split]:
    """The split of each fold, or one (None), with the smallest share that gives enough clusters in all together."""
    union, count = _free(ground), folds or 1
    total = float(union.windows.sum())
    for share in sorted({min(share, MOST / count) for share in SHARES}):
        left, drawn = union.windows, []
        for _ in range(count):
            held = _draw(union, left, share * total / max(1.0, float(left.sum())), f"held-out {seed}")
            left = np.where(held, 0, left)
            drawn.append(held)
        if sum(effective(union.windows[held]) for held in drawn) >= ENOUGH_CLUSTERS:
            break
    return [_split(ground, held, share, seed, fold if folds else None) for fold, held in enumerate(drawn, 1)]


def _draw(union: Union, windows: Integers, share: float, salt: str) -> Mask:
    """Draw clusters that hold about `share` of the `windows`, of each size and of both sources in proportion.

    Within a stratum (source, and size by powers of two) they are taken in the order of their hash. What one stratum
    takes too much or too little is made up for in the next, so that the total comes out right.
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


def _split(ground: _Ground, held: Mask, share: float, seed: int, fold: int | None) -> Split:
    """The split with these clusters held out. Raises UserError where too little is left."""
    union = ground.union
    if held.sum() < 2:
        raise UserError(_too_few(ground, fold))
    salt = f"validation {seed}" if fold is None else f"validation {seed} fold {fold}"
    validation = _draw(union, np.where(held, 0, union.windows), VALIDATION_SHARE, salt)
    heldout = _held_out_windows(ground.sides[0], ground.sides[-1], union, held)
    assert heldout.group is not None
    windows, counts = [], []
    for number, (arm, side) in enumerate(zip(ground.arms, ground.sides, strict=True)):
        used = ground.baseline_used and number == 0
        if used:  # every window trains, those too that run from one article into the next
            starts = side.store.window_starts(side.context, arm.rows, cross_articles=True)
            own, count = ArmWindows(starts, starts[:0]), ArmCounts(len(starts), len(starts), 0, 0, 0, 0, 0)
        else:
            alone = np.zeros(max(0, int(side.cluster_of.max()) + 1 - len(held)), bool)
            own, count = _arm_windows(side, np.append(held, alone), np.append(validation, alone), heldout.group)
        if not count.train or not (count.validation or used):
            raise UserError(
                f"{arm.title}: of {count.windows:,} windows "
                f"{'none stand in an article drawn for validation' if count.train else 'no training ones are left'} "
                f"({count.held_out:,} are held out, {count.equal_to_held_out:,} repeat a held-out vector, "
                f"{count.gap:,} reach into what is held out or validated on); {_cure(arm, side)}"
            )
        windows.append(own)
        counts.append(count)
    numbers, heldout_cluster = np.unique(heldout.cluster, return_inverse=True)
    heldout = replace(heldout, cluster=heldout_cluster.astype(np.int32))
    of_baseline = heldout.stratum == 0
    facts = SplitFacts(
        seed=seed,
        cross_articles=ground.cross_articles,
        share=share,
        fingerprint=heldout.fingerprint,
        windows=len(heldout.starts),
        windows_own=int(of_baseline.sum()),
        clusters=len(numbers),
        clusters_own=len(np.unique(heldout.cluster[of_baseline])),
        baseline=counts[0],
        expanded=counts[-1],
        cluster_names=tuple(union.names[n] for n in numbers.tolist()),
        same=ground.same,
        fold=fold,
        context=ground.context,
        between=tuple(counts[1:-1]),
    )
    return Split(heldout, dict(zip(arm_names(len(windows)), windows, strict=True)), facts)


def _too_few(ground: _Ground, fold: int | None) -> str:
    """Why nothing can be held out, and what to do."""
    clusters = int((_free(ground).windows > 0).sum())
    small, large = ground.arms[0].title, ground.arms[-1].title
    apart = f" that have no vector in common with {small}" if ground.baseline_used else ""
    enough = "ten or more are needed" if fold is None else "ten or more for each seed are needed with --folds"
    return (
        f"{small} and {large}: only {clusters} articles that have {ground.context + 1} vectors, or blocks of "
        f"{block_of(ground.context)} vectors, to hold out from{apart}; {enough}, "
        f"{_cure(ground.arms[-1], ground.sides[-1], 'give larger files')}"
    )


def _cure(arm: Arm, side: Side, otherwise: str = "give a larger file") -> str:
    """What helps where an arm has too few windows to use."""
    repeated = 1 - len(np.unique(side.group)) / len(side.group)
    facts = side.store.facts
    if facts.kind == "pieces" and facts.rows < 2 * (facts.file_context + 1) * facts.articles:  # most are single windows
        return f"the windows of {arm.title} do not follow each other, save them in reading order"
    if 2 * side.inside.sum() < len(side.inside):
        return (
            f"vectors that follow each other in {arm.title} stand apart in the larger file: name the articles of each "
            "file with --article, or save both in reading order"
        )
    if repeated >= REPEATED:
        return f"{repeated:.0%} of the vectors of {arm.title} repeat others, leave the copies out"
    return otherwise


# ------------------------------------------------------------------------------------------------------ windows


def _held_out_windows(base: Side, full: Side, union: Union, held: Mask) -> HeldOut:
    """The windows inside held-out clusters, with the vectors they need. Clusters keep the union's numbers."""
    vectors, groups, starts, clusters = [], [], [], []
    before = 0
    for side, taken in ((full, held & union.in_expanded), (base, held & ~union.in_expanded)):
        mine = side.starts[side.inside & taken[side.cluster_of[side.starts]]]
        needed = covered(mine, len(side.vectors), side.context)
        vectors.append(side.vectors[needed])
        groups.append(side.group[needed])
        starts.append(before + np.cumsum(needed)[mine] - 1)
        clusters.append(side.cluster_of[mine])
        before += int(needed.sum())
    cluster = np.concatenate(clusters).astype(np.int32)
    stratum = np.where(union.own[cluster], 0, 1).astype(np.uint8)
    return HeldOut(
        np.concatenate(vectors), np.concatenate(starts), cluster, stratum, np.concatenate(groups), full.context
    )


def _arm_windows(side: Side, held: Mask, validation: Mask, held_out: Integers) -> tuple[ArmWindows, ArmCounts]:
    """Sort an arm's windows: into training, validation, and those that must not be used.

    `held`, `validation`: over clusters. `held_out`: groups of the held-out vectors.
    """
    left = np.ones(len(side.starts), bool)

    def take(windows: Mask) -> Integers:
        """Take from what is left."""
        nonlocal left
        taken = side.starts[left & windows]
        left &= ~windows
        return taken

    def touching(rows: Mask) -> Mask:
        return touches(rows, side.context)[side.starts]

    in_held, in_validation = held[side.cluster_of], validation[side.cluster_of]
    standing = take(side.inside & in_held[side.starts])
    # Where no text runs on, what an article has of a held-out cluster are copies of its vectors.
    equal = take(touching(np.isin(side.group, held_out) & ~(in_held & side.runs_on)))
    gap = take(touching(_with_gap(in_held, side.runs_on)))
    chosen = take(side.inside & in_validation[side.starts])
    gap_too = take(touching(_with_gap(in_validation, side.runs_on)))
    validated = side.group[covered(chosen, len(side.group), side.context)]
    equal_too = take(touching(np.isin(side.group, validated) & ~(in_held | in_validation)))
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


def _with_gap(rows: Mask, runs_on: bool) -> Mask:
    """The rows and, where the text runs on, GAP more on each side."""
    return touches(np.pad(rows, GAP), 2 * GAP) if runs_on else rows
