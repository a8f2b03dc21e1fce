"""What is in a vector file, what is wrong with it, and what two files mean for each other: `lvmtui check`.

Also stored with each campaign and shown before it starts, because what goes wrong with such experiments goes wrong
here: windows that overlap across a random split, arms that share vectors, rows that are not what they seem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lvmtui.datasets.arm import BUNDLED, Arm, bundled_arms, file_arm, refuse_unfit
from lvmtui.datasets.duplicates import earlier_equal, equal_row
from lvmtui.datasets.formats import CONTEXT, Integers
from lvmtui.datasets.proof import prove_campaign
from lvmtui.datasets.store import Kind, Progress, RowScan, Store
from lvmtui.datasets.windows import covered, touches
from lvmtui.formats.json_codec import encode
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ARMS
from lvmtui.system.errors import UserError

RANDOM_SHARE = 0.10
"""Of the windows, that the random split we warn of would hold out."""
FEW_WINDOWS = 500
"""With fewer nobody can tell two models apart."""
NO_ORDER = 0.005
"""Forward signal of rows in any order: its standard error is below that from 500 windows on."""
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
    """Of five and the next, inside an article or piece unless they may cross."""
    kind: Kind
    articles: int
    """Articles, or pieces of a sequence; 1 where all vectors follow each other."""
    bytes: int
    """Of the file on disk."""
    rows: RowScan
    """Lengths, not-finite and zero rows, as they stand in the file."""
    duplicates: int
    """Vectors equal to an earlier one (cosine above .9999)."""
    coherence: float | None
    """Mean cosine of neighbours."""
    forward_signal: float | None
    """Mean over the windows of the cosine of the last context vector with the next one, less that of the one before
    the last: how much there is to gain from knowing the order."""
    crossing: float | None
    """Share of all runs of six vectors that would cross the border of an article; None where none are known."""
    random_leak: float
    """Share of the windows held out by a random split that have a vector in common with a training window."""


@dataclass(frozen=True)
class PairFacts:
    """The two data sets of a comparison."""

    ratio: float
    """Vectors of the expanded arm for each one of the baseline."""
    shared: float
    """Share of the baseline's vectors that are in the expanded arm by content."""
    baseline_is_part: bool
    same_space: Literal["yes", "no", "unknown"]
    """`yes`: they have vectors in common. `no`: their dimensions differ. Otherwise nothing in the files tells."""
    random_leak_across: float
    """Share of the baseline's windows held out by a random split that have a vector in common with a training window
    of the expanded arm, split at random too."""


@dataclass(frozen=True)
class Check:
    files: tuple[FileFacts, ...]
    pair: PairFacts | None
    faults: tuple[str, ...]
    """Each in one line: file, fault, cure. A campaign cannot start with any."""
    notes: tuple[str, ...]
    """What is well to know and stops nothing."""
    version: int = 1


def check_files(
    files: Sequence[Path],
    workspace: Path,
    *,
    normalise: bool = False,
    cross_articles: bool = False,
    progress: Progress | None = None,
) -> Check:
    """Check one file, or two as baseline and expanded; the word `bundled` means the bundled arms.

    What is wrong with a file becomes a fault of the result. A file's compact store is made in the workspace if it is
    not there yet, so that a run which follows does not have to. Raises UserError for more than two files.
    """
    if [str(file) for file in files] == [BUNDLED]:
        return check_arms(*bundled_arms(workspace, progress), cross_articles=cross_articles)
    if len(files) > 2:
        raise UserError(f"{len(files)} files given; one, or a baseline and an expanded one, can be checked")
    arms, faults = [], []
    for name, file in zip(ARMS, files, strict=False):
        try:
            arms.append(file_arm(name, file, workspace, normalise=normalise, progress=progress))
        except UserError as error:
            faults.append(str(error))
    return check_arms(*arms, cross_articles=cross_articles, faults=tuple(faults))


def check_arms(*arms: Arm, cross_articles: bool = False, faults: tuple[str, ...] = ()) -> Check:
    """Check arms whose stores are made: one, or baseline and expanded."""
    files = tuple(file_facts(arm, cross_articles) for arm in arms)
    faults = (*faults, *(_no_windows(facts) for facts in files if not facts.windows))
    pair = None
    if len(arms) == 2:
        pair = pair_facts(*arms)
        try:
            refuse_unfit(*arms)
        except UserError as error:
            faults = (*faults, str(error))
    return Check(files, pair, faults, tuple(_notes(files, pair)))


def _no_windows(facts: FileFacts) -> str:
    return (
        f"{facts.file}: no six rows that follow each other are of one article; sort them by article and reading order, "
        "or leave article_id out"
    )


def file_facts(arm: Arm, cross_articles: bool = False) -> FileFacts:
    """Look at all of an arm's vectors, with flat memory."""
    store = arm.open()
    first, stop = arm.rows
    inside = store.window_starts(arm.rows)
    starts = store.window_starts(arm.rows, cross_articles=cross_articles) - first
    next_, after_next = _neighbour_cosines(store, arm.rows)
    together = np.ones(len(next_), bool)
    if store.article_of is not None:
        article = store.article_of[first:stop]
        together = article[1:] == article[:-1]
    runs = arm.vectors - CONTEXT
    repeated = int((earlier_equal(store.vectors[first:stop], release=store.release) >= 0).sum())
    store.release()
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
        duplicates=repeated,
        coherence=float(next_[together].mean()) if together.any() else None,
        forward_signal=float((next_[starts + 4] - after_next[starts + 3]).mean()) if len(starts) else None,
        crossing=1 - len(inside) / runs if store.facts.kind == "articles" and runs > 0 else None,
        random_leak=_random_leak(starts, arm.vectors),
    )


def pair_facts(baseline: Arm, expanded: Arm) -> PairFacts:
    """What the two have in common."""
    small, large = baseline.open(), expanded.open()
    ratio = expanded.vectors / baseline.vectors
    if small.facts.dim != large.facts.dim:
        return PairFacts(ratio, 0.0, False, "no", 0.0)

    def release() -> None:
        small.release()
        large.release()

    equal = equal_row(small.vectors[slice(*baseline.rows)], large.vectors[slice(*expanded.rows)], release=release)
    train, _ = _random_split(large.window_starts(expanded.rows) - expanded.rows[0])
    held_train = covered(train, expanded.vectors)
    _, held_out = _random_split(small.window_starts(baseline.rows) - baseline.rows[0])
    leaks = touches((equal >= 0) & held_train[equal])[held_out]
    release()
    shared = float((equal >= 0).mean())
    return PairFacts(
        ratio=ratio,
        shared=shared,
        baseline_is_part=shared >= PART,
        same_space="yes" if shared > 0 else "unknown",
        random_leak_across=float(leaks.mean()) if len(leaks) else 0.0,
    )


def check_split(folder: CampaignDir) -> tuple[str, bool]:
    """Prove a campaign's split: the outcome in one line, and whether the proof holds. Raises UserError."""
    proof = prove_campaign(folder)
    return str(proof), proof.holds


def _neighbour_cosines(store: Store, rows: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of each row with the next (n - 1,) and with the one after that (n - 2,)."""
    first, stop = rows
    next_, after_next = np.empty(stop - first - 1, np.float32), np.empty(stop - first - 2, np.float32)
    for row, block in store.blocks(rows, overlap=2):
        at = row - first
        next_[at : at + len(block) - 1] = np.einsum("nd,nd->n", block[:-1], block[1:])
        after_next[at : at + max(0, len(block) - 2)] = np.einsum("nd,nd->n", block[:-2], block[2:])
    return next_, after_next


def _random_split(starts: Integers) -> tuple[Integers, Integers]:
    """The split we warn of: windows at random, whatever they share."""
    shuffled = np.random.default_rng(0).permutation(starts)
    held_out = round(RANDOM_SHARE * len(starts))
    return shuffled[held_out:], shuffled[:held_out]


def _random_leak(starts: Integers, rows: int) -> float:
    train, held_out = _random_split(starts)
    return float(touches(covered(train, rows))[held_out].mean()) if len(held_out) else 0.0


# --------------------------------------------------------------------------------------------------- in words


def _notes(files: Sequence[FileFacts], pair: PairFacts | None) -> list[str]:
    notes = []
    for facts in files:
        if facts.rows.off_unit:
            notes.append(f"{facts.file}: {facts.rows.off_unit:,} vectors are scaled to length 1")
        if facts.kind == "pieces" and facts.windows < facts.vectors / 3:
            notes.append(
                f"{facts.file}: its windows hardly follow each other; windows that hold the same vectors in "
                "another order of rows are found by content and dropped from training"
            )
        if facts.windows < FEW_WINDOWS:
            notes.append(
                f"{facts.file}: only {facts.windows:,} windows; few can be held out, and intervals will be wide"
            )
        elif facts.forward_signal is not None and facts.forward_signal < NO_ORDER:
            notes.append(
                f"{facts.file}: the last vector of a context tells no more about the next one than the one before it "
                f"({facts.forward_signal:+.3f}); are the rows in reading order?"
            )
    if pair is not None and pair.same_space == "unknown":
        notes.append("the two have no vector in common: nothing in the files tells whether one encoder made both")
    return notes


def check_as_json(checked: Check) -> dict[str, Any]:
    """The check as `check.json` and `lvmtui check --json` have it."""
    document: dict[str, Any] = encode(checked)
    return document


def check_as_text(checked: Check) -> str:
    """The check as plain lines, without colour."""
    lines = []
    for facts in checked.files:
        lines += [f"{facts.label}  {facts.file}", *(f"  {name:<15}{text}" for name, text in _file_lines(facts)), ""]
    if checked.pair is not None:
        labels = [facts.label for facts in checked.files]
        lines += [
            " and ".join(labels),
            *(f"  {name:<15}{text}" for name, text in _pair_lines(checked.pair)),
            "",
        ]
    lines += [f"note: {note}" for note in checked.notes]
    lines += [f"fault: {fault}" for fault in checked.faults] or ["no faults"]
    return "\n".join(lines)


def _file_lines(facts: FileFacts) -> list[tuple[str, str]]:
    articles = {
        "articles": f"{facts.articles:,}",
        "sequence": "not named; all vectors follow each other",
        "pieces": f"not named; {facts.articles:,} pieces that do not follow each other",
    }
    crossing = "" if facts.crossing is None else f"; {facts.crossing:.1%} of all runs of six cross an article's border"
    rows = facts.rows
    lines = [
        ("vectors", f"{facts.vectors:,} of {facts.dim:,} numbers; the file has {facts.bytes / 1e6:,.1f} MB"),
        ("articles", articles[facts.kind]),
        ("windows", f"{facts.windows:,}{crossing}"),
        ("lengths", f"{rows.shortest:.4g} to {rows.longest:.4g}" if rows.shortest is not None else "none finite"),
        ("duplicates", f"{facts.duplicates:,} vectors equal an earlier one"),
    ]
    if facts.coherence is not None and facts.forward_signal is not None:
        lines += [
            ("coherence", f"{facts.coherence:.3f}, mean cosine of neighbours"),
            ("forward signal", f"{facts.forward_signal:+.3f}, what the last vector tells more than the one before it"),
        ]
    leak = f"{facts.random_leak:.1%} of its held-out windows would share a vector with a training window"
    return [*lines, ("random split", leak)]


def _pair_lines(pair: PairFacts) -> list[tuple[str, str]]:
    part = ", a part of it" if pair.baseline_is_part else ""
    return [
        ("ratio", f"{pair.ratio:.2f}"),
        ("in common", f"{pair.shared:.1%} of the baseline's vectors are in the expanded arm{part}"),
        ("vector space", {"yes": "the same", "no": "not the same", "unknown": "unknown"}[pair.same_space]),
        (
            "random split",
            f"{pair.random_leak_across:.1%} of the baseline's held-out windows would share a vector with a "
            "training window of the expanded arm",
        ),
    ]
