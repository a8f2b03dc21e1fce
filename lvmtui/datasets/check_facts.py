"""What a check finds out about one vector file, and about two: `check.json`, facts only.

What verdict and report read of it stands in `lvmtui/formats/data_facts.py`; here is the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lvmtui.datasets.clusters import GAP
from lvmtui.datasets.store import Kind, RowScan
from lvmtui.formats.data_facts import DataFacts, FileFacts, PairFacts
from lvmtui.formats.spec import USUAL_CONTEXT

FEW_WINDOWS = 500
"""With fewer nobody can tell two models apart."""
NO_ORDER = 0.005
"""Forward signal of rows in any order: its standard error is below that from 500 windows on."""
SAME_ORDER = 0.75
"""Share of neighbours in one file that come in the same order in the other, below which one of them has another order.
Rows in any order have about half, those of one text left out here and there nearly all."""


@dataclass(frozen=True, kw_only=True)
class CheckedFile(FileFacts):
    """One data set. Cosines are None where there are no neighbours to compare."""

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
    forward_signal: float | None
    """Mean over the windows of the cosine of the last context vector with the next one, less that of the one before
    the last: how much there is to gain from knowing the order."""
    crossing: float | None
    """Share of all runs as long as a window that would cross the border of an article; None where none are known."""
    random_leak: float
    """Share of the windows held out by a random split that have a vector in common with a training window."""
    fingerprint: str = ""
    """As shown in the report: 64 hex digits that change when the content, or what is read of it, does."""
    reading: tuple[str, ...] = ()
    """What was taken for what in the file, what was done with its rows, and what was not read, sanitised."""


@dataclass(frozen=True, kw_only=True)
class CheckedPair(PairFacts):
    """The two data sets of a comparison. `space` is None where their dimensions differ."""

    same_space: Literal["yes", "no", "unknown"]
    ratio: float
    """Vectors of the expanded arm for each one of the baseline."""
    new_vectors: int = 0
    """Vectors of the expanded arm that the baseline does not have."""
    new_windows: int = 0
    """Windows of such vectors alone."""
    same_ids: int = 0
    """Articles of one id in both, counted where ids are numbers and nothing shows whether they mean the same text."""
    new_coherence: float | None = None
    new_forward_signal: float | None = None
    """The figures of a file, for the new vectors alone; None where these have no neighbours or windows."""
    same_order: float | None = None
    """Share of the baseline's neighbours, where the expanded arm has both vectors, that come in the same order there.
    None where they are too few, and in checks of earlier versions."""


def _two_orders(baseline: CheckedFile, expanded: CheckedFile, same_order: float | None) -> str:
    """That the rows of one file are in reading order and those of the other are not; empty where nothing shows it."""
    less, more = sorted((baseline, expanded), key=lambda facts: facts.forward_signal or 0.0)
    if same_order is not None:
        share = f"of the vectors that follow each other in {baseline.file}, {same_order:.0%} come in that order in"
        out = f"{less.file} seems" if (more.forward_signal or 0.0) >= NO_ORDER else "both files seem"
        found = f"{share} {expanded.file}, which has them too, and {out} to be out of reading order"
        return found if same_order < SAME_ORDER else ""
    none, some = less.forward_signal, more.forward_signal
    if none is None or some is None or min(less.windows, more.windows) < FEW_WINDOWS:
        return ""
    found = f"the rows of {less.file} seem to be in no order ({none:+.3f}), those of {more.file} in one ({some:+.3f})"
    return found if none < NO_ORDER and some >= 2 * NO_ORDER else ""


@dataclass(frozen=True, kw_only=True)
class DataCheck(DataFacts):
    """`check.json`. `neighbours` is None where no file could be read."""

    files: tuple[CheckedFile, ...]
    pair: CheckedPair | None
    faults: tuple[str, ...]
    """Each in one line: file, fault, cure. A campaign cannot start with any."""
    context: int = USUAL_CONTEXT
    """Vectors in a context of the windows that were looked at."""
    version: int = 1

    @property
    def warning(self) -> str:
        """Why the two files can give no verdict, or what of them cannot be kept apart; empty where all is well."""
        pair = self.pair
        if self.faults or pair is None:
            return ""
        if pair.space and pair.space.elsewhere:
            fault = f"vectors of another space than the baseline's: {'; '.join(pair.space.elsewhere)}"
            return f"{fault}. No verdict will come of it; embed all rows with the same encoder and settings"
        if pair.same_ids:
            return (
                f"{pair.same_ids:,} article ids are in both files, which have no vector in common. If an id means "
                "the same text in both, embedded in another way, that text may be held out in one file and trained on "
                "in the other. Then give titles, by which texts are held out together, or else give each its own id"
            )
        if order := _two_orders(self.files[0], self.files[-1], pair.same_order):
            return (
                f"{order}: a change would come from the order of the rows. Sort each text's rows in reading order, or "
                "name the column that tells their place (--order)"
            )
        unnamed = [facts.file for facts in (*self.files[:1], *self.files[-1:]) if facts.kind != "articles"]
        if not pair.shared or len(unnamed) != 1:
            return ""
        too = "high" if unnamed[0] == self.files[0].file else "low"
        return (
            f"one file, {unnamed[0]}, names no articles; the other, which has vectors in common with it, does. What is "
            f"held out is found in it by equal and nearly equal vectors, and {GAP} rows on each side of them are left "
            "out; that no other part of the same text is trained on cannot be proved. Its windows may also run from "
            f"one article into the next, and then the change is too {too}. Name its ids with --article, or save them "
            "beside the vectors as article_id"
        )
