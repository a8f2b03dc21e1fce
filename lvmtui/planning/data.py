"""The data of a campaign: files opened and checked, sizes chosen, held-out windows drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from lvmtui.datasets.arm import Arm, arm_again, bundled_arms, file_arm, refuse_unfit
from lvmtui.datasets.centring import centred
from lvmtui.datasets.check import PART, check_arms, too_short
from lvmtui.datasets.check_facts import DataCheck
from lvmtui.datasets.clusters import group_arms
from lvmtui.datasets.draw import draw_folds, draw_sizes
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.sizes import LEAST_BATCHES, LEAST_SPAN, Pool, Subsets, asked_sizes, geometric
from lvmtui.datasets.split import Split
from lvmtui.datasets.windows import covered
from lvmtui.formats.campaign import ArmFacts
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, BUNDLED, USUAL_CONTEXT, ArmName, Reading, arm_names
from lvmtui.legacy.earlier_runs import Earlier
from lvmtui.planning.extend import Extension
from lvmtui.planning.judged_on import folds_by_default
from lvmtui.planning.options import Options, count_of_sizes, vectors_of
from lvmtui.planning.own_code import Say
from lvmtui.system.errors import UserError


@dataclass(frozen=True)
class CampaignData:
    """The data of a campaign, opened, checked and split."""

    arms: Mapping[ArmName, Arm]
    """Smallest first. Sizes that are cut from one file all have its rows; their windows stand in the splits."""
    labels: tuple[str, ...]
    check: DataCheck
    splits: tuple[Split, ...]
    """One, or one for each seed."""
    notes: tuple[str, ...]
    contexts: tuple[int, ...]
    """The shortest first."""

    def facts(self, workspace: Workspace, *, cut: bool) -> dict[ArmName, ArmFacts]:
        """The arms as the plan shows them. `cut`: they are sizes of one file."""
        found = {}
        for (name, arm), label in zip(self.arms.items(), self.labels, strict=True):
            first, *others = (_arm_facts(arm, label, split, name, workspace, cut) for split in self.splits)
            if any(other != first for other in others):
                counts = [key for key, value in vars(first).items() if isinstance(value, int)]
                first = replace(first, by_seed={c: tuple(getattr(o, c) for o in (first, *others)) for c in counts})
            found[name] = first
        return found


def open_campaign_data(
    options: Options, earlier: Earlier | None, extended: Extension | None, workspace: Workspace, batch: int, say: Say
) -> tuple[Options, CampaignData]:
    """Open and check the files and draw the split, or one for each seed. Also returns the options with folds decided:
    unless asked for, there are none where articles are too few or the sizes of one file are compared. Raises UserError.

    `batch`: windows of an update, which the smallest size must have.
    """
    if options.folds and len(options.seeds) < 2:
        raise UserError("--folds: needs several seeds, one for each fold; add --seeds 1 2 3")
    single = replace(options, folds=bool(options.folds))
    if options.sizes:
        return single, _cut(single, extended, workspace, batch, say)
    if options.folds is None and folds_by_default(options):
        folded = replace(options, folds=True)
        with suppress(UserError):  # of folds, or of the data: the second is raised again
            return folded, _open_files(folded, earlier, workspace, say)
    return single, _open_files(single, earlier, workspace, say)


def _open_files(options: Options, earlier: Earlier | None, workspace: Workspace, say: Say) -> CampaignData:
    """Each arm is a file, or what runs of an earlier campaign were trained on. Raises UserError."""
    arms = open_arms(options, earlier, workspace, say)
    groups, check, contexts = _checked(arms, options, earlier, say)
    longest, cross = contexts[-1], options.cross_articles
    notes: tuple[str, ...] = ()
    seed = options.split_seed
    if earlier is not None:
        if options.folds:
            raise UserError("--folds: finished runs keep their own held-out windows; leave it out")
        split, notes = earlier.split(arms[0], arms[1], seed, cross, groups)
        _refuse_other_centre(options, earlier, split)
        splits: tuple[Split, ...] = (split,)
    else:
        folds = len(options.seeds) if options.folds else None
        splits = draw_folds(*arms, seed=seed, folds=folds, cross_articles=cross, groups=groups, context=longest)
        if options.centre != Options.centre:
            splits = centred(splits, arms, groups, options.centre)
    if contexts != (USUAL_CONTEXT,):
        notes = (*notes, *too_short(arms, contexts, cross))
    labels = options.labels or (earlier.spec.label if earlier else arms[0].label, *(arm.label for arm in arms[1:]))
    if options.data:
        labels = tuple(label_of(arm.vectors) for arm in arms)
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        both = "both arms" if len(labels) == 2 else "two arms"
        counts = [str(arm.vectors) for arm in arms]
        names = counts if len(set(counts)) == len(counts) else list("abcdefghijkl"[: len(arms)])
        raise UserError(f"{both} would be called {twice}; tell them apart, as in --labels {' '.join(names)}")
    return CampaignData(dict(zip(arm_names(len(arms)), arms, strict=True)), labels, check, splits, notes, contexts)


def _refuse_other_centre(options: Options, earlier: Earlier, split: Split) -> None:
    """Raise UserError for another space than the one the baseline runs were trained in, or if that is gone."""
    own = earlier.spec.centre or Options.centre
    if earlier.spec.centre and split.facts.centre is None:
        raise UserError("--baseline-runs: the centre of their vectors is gone with their held-out windows; restore it")
    if options.centre not in (Options.centre, own):
        how = f"with --centre {own}" if own != Options.centre else "on vectors that are not centred"
        raise UserError(f"--centre {options.centre}: the baseline runs were trained {how}; leave it out")


def _checked(
    arms: Sequence[Arm], options: Options, earlier: Earlier | None, say: Say
) -> tuple[Groups, DataCheck, tuple[int, ...]]:
    """What the arms, smallest first, have in common, what was found in them, and the contexts that are trained, the
    shortest first. Raises UserError for arms that cannot be compared and for contexts that baseline runs lack.

    With three or more files each must contain the smaller ones: others tell nothing about size.
    """
    say("checking the vectors")
    for smaller, larger in pairwise(arms):
        refuse_unfit(smaller, larger)
    groups = group_arms(*arms, same=options.same)
    for number, (smaller, larger) in enumerate(pairwise(arms)):
        shared = float(np.isin(groups.of[number], groups.of[number + 1]).mean())
        if len(arms) > 2 and shared < PART:
            fault = f"{larger.title} has only {shared:.0%} of the vectors of {smaller.title}"
            cure = "of several files each must contain the smaller ones. Or name the largest alone and add --sizes"
            raise UserError(f"--data: {fault}; {cure}")
    contexts = (earlier.spec.context,) if earlier else tuple(sorted(options.context)) or (USUAL_CONTEXT,)
    if earlier and options.context not in ((), contexts):
        raise UserError(
            f"--context: the baseline runs were trained with contexts of {contexts[0]} vectors; leave it out"
        )
    check = check_arms(*arms, cross_articles=options.cross_articles, groups=groups, context=contexts[-1])
    if check.faults:
        raise UserError(check.faults[0])
    say("drawing the held-out windows")
    return groups, check, contexts


def open_arms(options: Options, earlier: Earlier | None, workspace: Workspace, say: Say) -> tuple[Arm, ...]:
    """The files as arms, smallest first; compact stores that are not there yet are made. Raises UserError."""

    def shown(name: str) -> Callable[[int, int], None]:
        return lambda done, total: say(f"reading {name}: {100 * done // max(total, 1)} %")

    def opened(name: ArmName, file: str, reading: Reading) -> Arm:
        if file == BUNDLED:
            return bundled_arms(workspace.root, shown("the bundled vectors"), workspace.cache)[ARMS.index(name)]
        return file_arm(
            name,
            Path(file).expanduser(),
            workspace.root,
            reading=reading,
            normalise=options.normalise,
            progress=shown(file),
            cache=workspace.cache,
        )

    files = options.data or (options.baseline, options.expanded)[bool(earlier or options.sizes) :]
    names = arm_names(len(files))[-len(files) :]  # a file alone is the expanded arm
    arms = tuple(map(opened, names, files, options.readings(len(files))))
    return (earlier.arm(workspace, options.normalise), *arms) if earlier else arms


def _cut(options: Options, extended: Extension | None, workspace: Workspace, batch: int, say: Say) -> CampaignData:
    """Sizes of one file. Raises UserError."""
    if extended:
        whole = arm_again("expanded", extended.specs[0].data, workspace.root)
    else:
        whole = open_arms(options, None, workspace, say)[0]
    groups, check, contexts = _checked((whole,), options, None, say)
    sizes: tuple[int | None, ...] = ()
    there = 0

    def chosen(pool: Pool) -> tuple[int | None, ...]:
        nonlocal sizes, there
        there = pool.vectors
        if count := count_of_sizes(options.sizes):
            one = batch * pool.vectors / max(1, pool.windows)  # vectors for a batch
            least = round(max(one, min(LEAST_BATCHES * one, there / LEAST_SPAN)))
            sizes = geometric(count, there, least, of=whole.vectors, context=contexts[-1])
        else:
            sizes = asked_sizes([vectors_of(word) for word in options.sizes], there)
        return sizes

    subsets: Subsets = "random" if options.subsets == "random" else "file"
    splits = draw_sizes(
        whole,
        chosen,
        subsets=subsets,
        seeds=options.seeds,
        seed=options.split_seed,
        folds=bool(options.folds),
        cross_articles=options.cross_articles,
        groups=groups,
        context=contexts[-1],
    )
    notes = too_short((whole,), contexts, options.cross_articles) if contexts != (USUAL_CONTEXT,) else ()
    labels = tuple(label_of(there if size is None else size) for size in sizes)
    if extended is None and options.centre != Options.centre:
        splits = centred(splits, [whole] * len(sizes), Groups(groups.of * len(sizes), groups.facts), options.centre)
    if extended is not None:
        labels = tuple(extended.label(size or there) or label for size, label in zip(sizes, labels, strict=True))
        splits, check = extended.with_its_windows(splits, labels), extended.as_chosen(check)
    notes = (*notes, f"{', '.join(labels)} vectors are aimed at; whole articles come as near as they can")
    return CampaignData(dict.fromkeys(arm_names(len(sizes)), whole), labels, check, splits, notes, contexts)


def label_of(vectors: int) -> str:
    """`800`, `2.5k`, `18k`; rounded down, as the label of a file is."""
    if vectors < 1000:
        return str(vectors)
    return f"{vectors // 1000}k" if vectors >= 10_000 else f"{vectors // 100 / 10:g}k"


def fingerprint_of(splits: Sequence[str]) -> str:
    """The fingerprint of a campaign's held-out windows: the split's, or one made of those of all folds."""
    different = list(dict.fromkeys(splits))
    return different[0] if len(different) == 1 else hashlib.sha256(" ".join(different).encode()).hexdigest()


def judging(splits: Sequence[Split]) -> tuple[Split, ...]:
    """The splits whose held-out windows differ: one, or the folds. Sizes drawn by the seed share their windows."""
    return tuple({split.facts.fingerprint: split for split in splits}.values())


def _arm_facts(arm: Arm, label: str, split: Split, name: ArmName, workspace: Workspace, cut: bool) -> ArmFacts:
    store = arm.open()
    windows, counts = split.arms[name], split.facts.arms[name]
    vectors, rows = arm.vectors, np.arange(*arm.rows)
    if cut:
        rows = np.flatnonzero(covered(windows.train, store.facts.rows, split.heldout.context))
        vectors = len(rows)
    articles = longest = None
    if store.facts.kind == "articles" and store.article_of is not None:
        lengths = np.unique(store.article_of[rows], return_counts=True)[1]
        articles, longest = len(lengths), int(lengths.max(initial=0)) if cut else None
    return ArmFacts(
        label=label,
        data=arm.data(workspace.root),
        vectors=vectors,
        articles=articles,
        train_windows=len(windows.train),
        validation_windows=len(windows.validation),
        dropped_windows=counts.gap + counts.equal_to_held_out + counts.equal_to_validation,
        spare_windows=counts.spare,
        longest=longest,
    )
