"""What is in a vector file, what is wrong with it, and what two files mean for each other: `lvmtui check`.

Also stored with each campaign and shown before it starts, because what goes wrong with such experiments goes wrong
here: windows that overlap across a random split, arms that share vectors, rows that are not what they seem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lvmtui.datasets.arm import BUNDLED, Arm, bundled_arms, file_arm, refuse_unfit
from lvmtui.datasets.clusters import group_arms
from lvmtui.datasets.convert import Progress
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.order import chance_of, neighbour_cosines, order_of, together_in
from lvmtui.datasets.readers.source import Integers
from lvmtui.datasets.spaces import compare_spaces
from lvmtui.datasets.store import UNIT_TOLERANCE, Kind, RowScan
from lvmtui.datasets.windows import covered, touches
from lvmtui.formats.data_facts import Neighbours, SpaceFacts, unordered_words
from lvmtui.formats.spec import ARMS, USUAL_CONTEXT, Reading
from lvmtui.system.errors import UserError

RANDOM_SHARE = 0.10
"""Share of the windows held out by the random split that we warn of."""
FEW_WINDOWS = 500
"""With fewer nobody can tell two models apart."""
NO_ORDER = 0.005
"""Forward signal of rows in any order: its standard error is below that from 500 windows on."""
INCOHERENT = 0.5
"""Share of the baseline's coherence below which new rows are not text like it."""
PART = 0.99
"""Share of the baseline's vectors in the expanded arm that makes it a part of it."""


@dataclass(frozen=True)
class FileFacts:
    """One data set. Cosines are None where there are no neighbours to compare."""

    file: str
    label: str
    vectors: int
    dim: int
    windows: int
    """Windows of a context and the next vector, inside an article or piece unless they may cross."""
    kind: Kind
    articles: int
    """Articles, or pieces of a sequence; 1 where all vectors follow each other."""
    bytes: int
    """Size of the file on disk."""
    rows: RowScan
    """Lengths, not-finite and zero rows, as they stand in the file."""
    duplicates: int
    """Vectors that are the same as an earlier one: copies and near-copies."""
    coherence: float | None
    """Mean cosine of neighbours."""
    forward_signal: float | None
    """Mean over the windows of the cosine of the last context vector with the next one, less that of the one before
    the last: how much there is to gain from knowing the order."""
    crossing: float | None
    """Share of all runs as long as a window that would cross the border of an article; None where none are known."""
    random_leak: float
    """Share of the windows held out by a random split that have a vector in common with a training window."""
    reading: tuple[str, ...] = ()
    """What was taken for what in the file, what was done with its rows, and what was not read, sanitised."""
    chance: float | None = None
    """Mean cosine of any two vectors."""
    chance_spread: float | None = None
    """Its standard deviation over pairs."""

    @property
    def unordered(self) -> str:
        """What to know where the rows are in no order; else empty."""
        return unordered_words(self.file, self.coherence, self.chance, self.chance_spread)


@dataclass(frozen=True)
class PairFacts:
    """The two data sets of a comparison."""

    ratio: float
    """Vectors of the expanded arm for each one of the baseline."""
    shared: float
    """Share of the baseline's vectors that are in the expanded arm by content."""
    baseline_is_part: bool
    same_space: Literal["yes", "no", "unknown"]
    """`yes`: they have vectors in common. `no`: their dimensions differ, or rows are of another space. Otherwise
    nothing in the files tells."""
    random_leak_across: float
    """Share of the baseline's windows held out by a random split that have a vector in common with a training window
    of the expanded arm, split at random too."""
    space: SpaceFacts | None = None
    """None where the dimensions differ."""
    new_vectors: int = 0
    """Vectors of the expanded arm that the baseline does not have."""
    new_windows: int = 0
    """Windows of such vectors alone."""
    new_coherence: float | None = None
    new_forward_signal: float | None = None
    """The same figures as of a file, for the new vectors alone; None where there are no such neighbours or windows."""


@dataclass(frozen=True)
class Check:
    files: tuple[FileFacts, ...]
    pair: PairFacts | None
    faults: tuple[str, ...]
    """Each in one line: file, fault, cure. A campaign cannot start with any."""
    notes: tuple[str, ...]
    """What is well to know and stops nothing."""
    neighbours: Neighbours | None = None
    """None where no file could be read."""
    context: int = USUAL_CONTEXT
    """Vectors in a context of the windows that were looked at."""
    version: int = 1


def check_files(  # noqa: PLR0913 - each is an option of `lvmtui check`
    files: Sequence[Path],
    workspace: Path,
    *,
    reading: Reading | None = None,
    normalise: bool = False,
    cross_articles: bool = False,
    same: float | None = None,
    context: int = USUAL_CONTEXT,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Check:
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
    for name, file in zip(ARMS, files, strict=False):
        try:
            arms.append(
                file_arm(name, file, workspace, reading=reading, normalise=normalise, progress=progress, cache=cache)
            )
        except UserError as error:
            faults.append(str(error))
    return check_arms(*arms, cross_articles=cross_articles, same=same, faults=tuple(faults), context=context)


def check_arms(
    *arms: Arm,
    cross_articles: bool = False,
    same: float | None = None,
    faults: tuple[str, ...] = (),
    groups: Groups | None = None,
    context: int = USUAL_CONTEXT,
) -> Check:
    """Check arms whose stores are made: one, baseline and expanded, or several from small to large.

    `groups`: what they have in common (`clusters.group_arms`), found here if it is not given.
    """
    dims = {arm.open().facts.dim for arm in arms}
    if groups is None and len(dims) == 1:
        groups = group_arms(*arms, same=same)
    of = groups.of if groups else tuple(group_arms(arm, same=same).of[0] for arm in arms)
    files = tuple(file_facts(arm, cross_articles, group, context) for arm, group in zip(arms, of, strict=True))
    faults = (
        *faults,
        *(_no_windows(facts, arm, context) for facts, arm in zip(files, arms, strict=True) if not facts.windows),
    )
    pair = None
    if len(arms) > 1:  # of several sizes the smallest and the largest
        ends = Groups((groups.of[0], groups.of[-1]), groups.facts) if groups else None
        pair = pair_facts(arms[0], arms[-1], ends, context)
        try:
            refuse_unfit(arms[0], arms[-1])
        except UserError as error:
            faults = (*faults, str(error))
    neighbours = groups.facts if groups else None
    # A fault makes a note about the same rows pointless: no windows, no order; other dimensions, nothing in common.
    return Check(files, pair, faults, () if faults else tuple(notes_on(files, pair, neighbours)), neighbours, context)


def _no_windows(facts: FileFacts, arm: Arm, context: int) -> str:
    longest = (store := arm.open()).longest_context
    if store.facts.file_kind == "sequences":
        return f"{facts.file}: its contexts have {longest} vectors; --context {longest} or less can be taken from it"
    if store.article_of is None:
        return (
            f"{facts.file}: {facts.vectors:,} vectors, a window takes {context + 1}; "
            f"give a larger file, or --context {longest} or less"
        )
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
        words = f"{few:,} of the {len(lengths):,} {what} of {arm.label} have too few vectors for a context of {longest}"
        if longest > shortest:
            targets = [len(store.window_starts(context, arm.rows)) for context in (longest, shortest)]
            words += (
                f"; all contexts are trained and judged on the {targets[0]:,} of {targets[1]:,} targets that have "
                f"{longest} vectors before them"
            )
        notes.append(words)
    return notes


def file_facts(arm: Arm, cross_articles: bool, group: Integers, context: int) -> FileFacts:
    """Look at all of an arm's vectors, with flat memory. `group` (n,): equal for rows that are the same."""
    store = arm.open()
    first, stop = arm.rows
    inside = store.window_starts(context, arm.rows)
    starts = store.window_starts(context, arm.rows, cross_articles=cross_articles) - first
    cosines = neighbour_cosines(store, arm.rows)
    coherence, signal = order_of(cosines, together_in(store, arm.rows), starts, context)
    runs = arm.vectors - context
    chance, spread = chance_of(store.vectors, arm.rows)
    return FileFacts(
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
        random_leak=_random_leak(starts, arm.vectors, context),
        reading=() if arm.file == BUNDLED else store.facts.notes,
        chance=chance,
        chance_spread=spread,
    )


def pair_facts(baseline: Arm, expanded: Arm, groups: Groups | None, context: int) -> PairFacts:
    """What the two have in common. `groups` is None where their dimensions differ."""
    small, large = baseline.open(), expanded.open()
    ratio = expanded.vectors / baseline.vectors
    if groups is None:
        return PairFacts(ratio, 0.0, False, "no", 0.0)
    base, full = groups.of
    starts = large.window_starts(context, expanded.rows) - expanded.rows[0]
    train, _ = _random_split(starts)
    trained = full[covered(train, expanded.vectors, context)]
    _, held_out = _random_split(small.window_starts(context, baseline.rows) - baseline.rows[0])
    leaks = touches(np.isin(base, trained), context)[held_out]
    shared = float(np.isin(base, full).mean())
    new = ~np.isin(full, base)
    space = compare_spaces(baseline, expanded, new)
    new_starts = starts[~touches(~new, context)[starts]]
    together = together_in(large, expanded.rows) & new[1:] & new[:-1]
    coherence, signal = order_of(neighbour_cosines(large, expanded.rows), together, new_starts, context)
    small.release()
    return PairFacts(
        ratio=ratio,
        shared=shared,
        baseline_is_part=shared >= PART,
        same_space="no" if space.elsewhere else "yes" if shared > 0 else "unknown",
        random_leak_across=float(leaks.mean()) if len(leaks) else 0.0,
        space=space,
        new_vectors=int(new.sum()),
        new_windows=len(new_starts),
        new_coherence=coherence,
        new_forward_signal=signal,
    )


def _random_split(starts: Integers) -> tuple[Integers, Integers]:
    """The split we warn of: windows at random, whatever they share."""
    shuffled = np.random.default_rng(0).permutation(starts)
    held_out = round(RANDOM_SHARE * len(starts))
    return shuffled[held_out:], shuffled[:held_out]


def _random_leak(starts: Integers, rows: int, context: int) -> float:
    train, held_out = _random_split(starts)
    return float(touches(covered(train, rows, context), context)[held_out].mean()) if len(held_out) else 0.0


# ------------------------------------------------------------------------------------------------------- notes


def notes_on(files: Sequence[FileFacts], pair: PairFacts | None, neighbours: Neighbours | None) -> list[str]:
    """What a person should know before starting, one sentence each."""
    notes = [note for facts in files for note in _file_notes(facts)]
    if pair is not None:
        notes += _pair_notes(files, pair)
    if neighbours is not None:
        notes += _neighbour_notes(neighbours)
    return notes


def _file_notes(facts: FileFacts) -> list[str]:
    notes = []
    notes += [f"{facts.file}: {note}" for note in facts.reading]
    if facts.rows.off_unit:
        shortest, longest = facts.rows.shortest or 0.0, facts.rows.longest or 0.0
        same = " were of one length and" if longest - shortest < UNIT_TOLERANCE * longest else ""
        back = "" if same else f"; lengths from {shortest:.3g} to {longest:.3g} are lost to a decoder that needs them"
        notes.append(f"{facts.file}: {facts.rows.off_unit:,} vectors{same} are scaled to length 1{back}")
    if facts.kind == "pieces" and facts.windows < facts.vectors / 3:
        notes.append(
            f"{facts.file}: its windows hardly follow each other; windows that hold the same vectors in "
            "another order of rows are found by content and dropped from training"
        )
    if facts.windows < FEW_WINDOWS:
        notes.append(f"{facts.file}: only {facts.windows:,} windows; few can be held out, and intervals will be wide")
    elif facts.unordered:
        notes.append(facts.unordered)
    elif facts.forward_signal is not None and facts.forward_signal < NO_ORDER:
        notes.append(
            f"{facts.file}: the last vector of a context tells no more about the next one than the one before it "
            f"({facts.forward_signal:+.3f}); are the rows in reading order?"
        )
    return notes


def _pair_notes(files: Sequence[FileFacts], pair: PairFacts) -> list[str]:
    notes = []
    if pair.same_space == "unknown":
        notes.append("the two have no vector in common: nothing in the files tells whether one encoder made both")
    if pair.space is not None and pair.space.elsewhere:
        notes.append(
            f"vectors of another space than the baseline's: {'; '.join(pair.space.elsewhere)}. The arms cannot be "
            "compared; embed all rows with the same encoder and settings"
        )
    whole = files[1].forward_signal
    if pair.new_windows < FEW_WINDOWS or pair.new_forward_signal is None or pair.new_coherence is None:
        return notes
    if pair.new_coherence < INCOHERENT * (files[0].coherence or 0.0):
        notes.append(
            f"the new vectors of {files[1].file} hardly resemble their neighbours (mean cosine "
            f"{pair.new_coherence:.3f}, in the baseline {files[0].coherence:.3f}); are they text in reading order?"
        )
    elif pair.new_forward_signal < NO_ORDER and (whole is None or whole >= NO_ORDER):
        notes.append(
            f"the new vectors of {files[1].file} have no order: the last vector of a context tells no more about the "
            f"next one than the one before it ({pair.new_forward_signal:+.3f}); are they in reading order?"
        )
    return notes


def _neighbour_notes(neighbours: Neighbours) -> list[str]:
    notes = []
    if neighbours.near_copies:
        notes.append(
            f"{neighbours.near_copies:,} vectors are copies or near-copies that are not equal (cosine "
            f"{neighbours.same:.4g} and more); they count as one vector, see --same"
        )
    if neighbours.negated:
        notes.append(
            f"the negative of {neighbours.negated:,} of {neighbours.sampled:,} sampled vectors is there too; "
            "one of the files was probably saved with the wrong sign"
        )
    return notes
