"""What is in a vector file, what is wrong with it, and what two files mean for each other: `lvmtui check`.

Also stored with each campaign and shown before it starts, because what goes wrong with such experiments goes wrong
here: windows that overlap across a random split, arms that share vectors, rows that are not what they seem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lvmtui.datasets.arm import Arm, bundled_arms, file_arm, refuse_unfit
from lvmtui.datasets.check_facts import CheckedFile, CheckedPair, DataCheck
from lvmtui.datasets.check_text import notes_on
from lvmtui.datasets.clusters import group_arms
from lvmtui.datasets.convert import Progress
from lvmtui.datasets.draw import draw_folds
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.spaces import compare_spaces
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import Mask, covered, touches
from lvmtui.formats.spec import ARMS, BUNDLED, USUAL_CONTEXT, Reading
from lvmtui.system.errors import UserError

RANDOM_SHARE = 0.10
"""Share of the windows held out by the random split that we warn of."""
SAMPLED = 1_024
"""Rows whose cosines with each other tell how alike any two are."""
FEW_NEIGHBOURS = 50
"""Neighbours in common that are too few to tell an order by."""
PART = 0.99
"""Share of the baseline's vectors in the expanded arm that makes it a part of it."""


def check_files(  # noqa: PLR0913 - each is an option of `lvmtui check`
    files: Sequence[Path],
    workspace: Path,
    *,
    readings: Sequence[Reading] = (Reading(), Reading()),
    normalise: bool = False,
    cross_articles: bool = False,
    same: float | None = None,
    context: int = USUAL_CONTEXT,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> DataCheck:
    """Check one file, or two as baseline and expanded; the word `bundled` means the bundled arms.

    What is wrong with a file becomes a fault of the result. A file's compact store is made in `cache`, or in the
    workspace, if it is not there yet, so that a run which follows does not have to. `same` overrides the cosine from
    which vectors are the same. Raises UserError for more than two files.
    """
    if [str(file) for file in files] == [BUNDLED]:
        bundled = bundled_arms(workspace, progress, cache)
        return check_arms(*bundled, cross_articles=cross_articles, same=same, context=context)
    if len(files) > 2:
        raise UserError(f"{len(files)} files given; one, or a baseline and an expanded one, can be checked")
    arms, faults = [], []
    for name, file, reading in zip(ARMS, files, readings, strict=False):
        try:
            arms.append(
                file_arm(name, file, workspace, reading=reading, normalise=normalise, progress=progress, cache=cache)
            )
        except UserError as error:
            faults.append(str(error))
    groups = group_arms(*arms, same=same) if len({arm.open().facts.dim for arm in arms}) == 1 else None
    checked = check_arms(*arms, cross_articles=cross_articles, same=same, faults=faults, groups=groups, context=context)
    if len(arms) == 2 and not checked.faults:
        try:
            draw_folds(*arms, seed=0, folds=None, cross_articles=cross_articles, groups=groups, context=context)
        except UserError as error:
            return replace(checked, faults=(str(error),))
    return checked


def check_arms(
    *arms: Arm,
    cross_articles: bool = False,
    same: float | None = None,
    faults: Sequence[str] = (),
    groups: Groups | None = None,
    context: int = USUAL_CONTEXT,
) -> DataCheck:
    """Check arms whose stores are made: one, baseline and expanded, or several from small to large.

    `groups`: what they have in common (`clusters.group_arms`), found here if it is not given.
    """
    dims = {arm.open().facts.dim for arm in arms}
    if groups is None and len(dims) == 1:
        groups = group_arms(*arms, same=same)
    of = groups.of if groups else tuple(group_arms(arm, same=same).of[0] for arm in arms)
    files = tuple(file_facts(arm, cross_articles, group, context) for arm, group in zip(arms, of, strict=True))
    lacks = [_no_windows(facts, arm, context) for facts, arm in zip(files, arms, strict=True) if not facts.windows]
    faults = (*faults, *lacks)
    pair = None
    if len(arms) > 1:  # of several sizes the smallest and the largest
        ends = Groups((groups.of[0], groups.of[-1]), groups.facts) if groups else None
        pair = pair_facts(arms[0], arms[-1], ends, context)
        try:
            refuse_unfit(arms[0], arms[-1])
            if pair.baseline_is_part and not pair.new_vectors:
                raise UserError(f"{arms[-1].title}: has no vector that {arms[0].title} lacks; name a larger file")
        except UserError as error:
            faults = (*faults, str(error))
    neighbours = groups.facts if groups else None
    # A fault makes a note about the same rows pointless: no windows, no order; other dimensions, nothing in common.
    notes = () if faults else tuple(notes_on(files, pair, neighbours))
    return DataCheck(files=files, pair=pair, faults=tuple(faults), notes=notes, neighbours=neighbours, context=context)


def _no_windows(facts: CheckedFile, arm: Arm, context: int) -> str:
    longest = (store := arm.open()).longest_context
    if store.facts.file_kind == "sequences":
        return f"{facts.file}: its contexts have {longest} vectors; --context {longest} or less can be taken from it"
    if store.article_of is None:
        fault = f"{facts.file}: {facts.vectors:,} vectors, a window takes {context + 1}"
        return f"{fault}; give a larger file, or --context {longest} or less"
    if longest < 1:
        return (
            f"{facts.file}: each of its {facts.articles:,} articles has one vector, as in a search set, so there is "
            "nothing that comes next to learn; embed the texts sentence by sentence instead (lvmtui embed), or name "
            "the ids that rows have in common with --article"
        )
    return (
        f"{facts.file}: no article has {context + 1} vectors that follow each other, the longest has {longest + 1}; "
        f"--context {longest} or less can be taken from it. Are the rows sorted by article and reading order?"
    )


def too_short(arms: Sequence[Arm], contexts: Sequence[int], cross_articles: bool) -> list[str]:
    """What the longest of the contexts (the shortest first) leaves out, a sentence for each arm where it is some."""
    shortest, longest = contexts[0], contexts[-1]
    notes = []
    for arm in arms:
        store = arm.open()
        if store.article_of is None or (cross_articles and store.facts.kind == "articles"):
            continue
        lengths = np.unique(store.article_of[slice(*arm.rows)], return_counts=True)[1]
        if not (few := int((lengths <= longest).sum())):
            continue
        what = "articles" if store.facts.kind == "articles" else "pieces"
        words = (
            f"{few:,} of the {len(lengths):,} {what} of {arm.label} have too few vectors for a context of {longest}: "
            f"{len(lengths) - few:,} are left to train on and to hold out"
        )
        if longest > USUAL_CONTEXT:
            usual = int((lengths > USUAL_CONTEXT).sum())
            lost = usual + few - len(lengths)
            words += f"; a context of {USUAL_CONTEXT} leaves {usual:,}, so this one loses {lost:,}"
        if longest > shortest:
            targets = [len(store.window_starts(context, arm.rows)) for context in (longest, shortest)]
            words += (
                f"; all contexts are trained and judged on the {targets[0]:,} of {targets[1]:,} targets that have "
                f"{longest} vectors before them"
            )
        notes.append(words)
    return notes


def file_facts(arm: Arm, cross_articles: bool, group: Integers, context: int) -> CheckedFile:
    """Look at all of an arm's vectors, in constant memory. `group` (n,): equal for rows that are the same."""
    store = arm.open()
    first, stop = arm.rows
    inside = store.window_starts(context, arm.rows)
    starts = store.window_starts(context, arm.rows, cross_articles=cross_articles) - first
    coherence, signal = _order(_neighbour_cosines(store, arm.rows), _together(store, arm.rows), starts, context)
    runs = arm.vectors - context
    chance, spread = chance_of(store.vectors, arm.rows)
    shuffled = np.random.default_rng(0).permutation(starts)  # the split we warn of: windows at random
    held_out, train = np.split(shuffled, [round(RANDOM_SHARE * len(starts))])
    leaks = touches(covered(train, arm.vectors, context), context)[held_out]
    return CheckedFile(
        file=arm.title,
        label=arm.label,
        vectors=arm.vectors,
        dim=store.facts.dim,
        windows=len(starts),
        kind=store.facts.kind,
        articles=1 if store.article_of is None else len(np.unique(store.article_of[first:stop])),
        bytes=store.facts.source.size,
        rows=store.facts.scan,
        duplicates=len(group) - len(np.unique(group)),
        coherence=coherence,
        forward_signal=signal,
        crossing=1 - len(inside) / runs if store.facts.kind == "articles" and runs > 0 else None,
        random_leak=float(leaks.mean()) if len(leaks) else 0.0,
        fingerprint=arm.fingerprint,
        reading=() if arm.file == BUNDLED else store.facts.notes,
        chance=chance,
        chance_spread=spread,
    )


def pair_facts(baseline: Arm, expanded: Arm, groups: Groups | None, context: int) -> CheckedPair:
    """What the two have in common. `groups` is None where their dimensions differ."""
    small, large = baseline.open(), expanded.open()
    ratio = expanded.vectors / baseline.vectors
    if groups is None:
        return CheckedPair(ratio=ratio, shared=0.0, baseline_is_part=False, same_space="no")
    base, full = groups.of
    starts = large.window_starts(context, expanded.rows) - expanded.rows[0]
    shared = float(np.isin(base, full).mean())
    new = ~np.isin(full, base)
    space = compare_spaces(baseline, expanded, new)
    new_starts = starts[~touches(~new, context)[starts]]
    together = _together(large, expanded.rows) & new[1:] & new[:-1]
    coherence, signal = _order(_neighbour_cosines(large, expanded.rows), together, new_starts, context)
    same_order = _same_order(base, _together(small, baseline.rows), full)
    small.release()
    return CheckedPair(
        ratio=ratio,
        shared=shared,
        baseline_is_part=shared >= PART,
        same_space="no" if space.elsewhere else "yes" if shared > 0 else "unknown",
        space=space,
        same_ids=0 if shared else _same_ids(small, large),
        new_vectors=int(new.sum()),
        new_windows=len(new_starts),
        new_coherence=coherence,
        new_forward_signal=signal,
        same_order=same_order,
    )


def _same_order(base: Integers, together: Mask, full: Integers) -> float | None:
    """Share of the baseline's neighbours (`together`: in one text) that come in the same order in the expanded arm, of
    those that it has. `base`, `full`: the group of each row. None where they are too few to tell."""
    ids, first = np.unique(full, return_index=True)
    at = np.where(np.isin(base, ids), first[np.searchsorted(ids, base).clip(max=len(ids) - 1)], -1)
    before, after = at[:-1][together], at[1:][together]
    known = (before >= 0) & (after >= 0) & (before != after)
    return float((after > before)[known].mean()) if known.sum() >= FEW_NEIGHBOURS else None


def _same_ids(small: Store, large: Store) -> int:
    """Articles whose id is a number that is in both files."""
    if not small.facts.kind == large.facts.kind == "articles" or (small.titles and large.titles):
        return 0
    assert small.article_of is not None and large.article_of is not None
    return len(np.intersect1d(small.article_of, large.article_of))


def _neighbour_cosines(store: Store, rows: tuple[int, int]) -> tuple[Floats, Floats]:
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


def _together(store: Store, rows: tuple[int, int]) -> Mask:
    """(n - 1,) Is each row of one text with the next?"""
    if store.article_of is None:
        return np.ones(rows[1] - rows[0] - 1, bool)
    article = store.article_of[slice(*rows)]
    return np.asarray(article[1:] == article[:-1])


def _order(
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
