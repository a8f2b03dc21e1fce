"""Whether the true next vector is found more often with more data: another question than the cosine's. Pure.

A prediction can come nearer to its target on average while others come nearer still, so hits may fall as the cosine
rises. Both arms are counted on the same held-out windows; the counts carry no interval, so what is smaller than the
error of a count is not called a move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from lvmtui.system.numbers import cosine, plural
from lvmtui.verdict.ranking import Table
from lvmtui.verdict.words import NEGLIGIBLE

SHOWN = 0.001
"""The last digit of a share that is shown: what does not change it is no move to a reader."""


@dataclass(frozen=True)
class Hits:
    """hit@k of all models that were compared."""

    k: int
    baseline: float
    """Mean over models of the share of windows whose true next vector is among the k nearest held-out targets."""
    expanded: float
    rose: int
    """Models; see `move`."""
    fell: int
    models: int
    windows: int
    """The fewest that a model was judged on."""

    @property
    def move(self) -> int:
        """Of the means: 1 they rose, -1 they fell, 0 not to speak of."""
        return move(self.baseline, self.expanded, self.windows)

    @property
    def words(self) -> str:
        """`hit@1 fell for 5 of 5 models (on average from .123 to .116)`."""
        moves = [f"{verb} for {n}" for verb, n in (("rose", self.rose), ("fell", self.fell)) if n]
        moved = f"{' and '.join(moves) or 'rose or fell for none'} of {plural(self.models, 'model')}"
        mean = "from" if self.models == 1 else "on average from"
        return f"hit@{self.k} {moved} ({mean} {cosine(self.baseline, 3)} to {cosine(self.expanded, 3)})"


def hits_of(table: Table) -> tuple[Hits, ...]:
    """hit@1 and hit@10 over the ranked models; empty where none has scores on the held-out windows."""
    cells = [(r.baseline.scores, r.expanded.scores, r.estimate) for r in table.ranked]
    known = [(before, after, e.windows) for before, after, e in cells if before and after and e]
    if not known:
        return ()
    found = []
    for k, name in ((1, "hit_1"), (10, "hit_10")):
        values = [(getattr(before, name), getattr(after, name), windows) for before, after, windows in known]
        means = (fmean(before for before, _, _ in values), fmean(after for _, after, _ in values))
        moves = [move(*value) for value in values]
        fewest = min(windows for _, _, windows in values)
        found.append(Hits(k, *means, moves.count(1), moves.count(-1), len(values), fewest))
    return tuple(found)


def move(before: float, after: float, windows: int) -> int:
    """1 if a share of so many windows rose, -1 if it fell, 0 if by less than what is shown or than its error.

    The error is sqrt(p (1 - p) / W), of one share and as if windows were independent. That windows of one article are
    not makes the true one larger, that both arms saw the same windows makes it smaller.
    """
    p = (before + after) / 2
    least = max(SHOWN, math.sqrt(max(0.0, p * (1 - p)) / max(1, windows)))
    return 0 if abs(after - before) < least else 1 if after > before else -1


def against_the_cosine(table: Table) -> tuple[Hits, ...]:
    """The hits whose mean moved the other way than the mean cosine did; none where that moved too little to matter."""
    if table.average is None or abs(table.average) < NEGLIGIBLE:
        return ()
    return tuple(hits for hits in hits_of(table) if hits.move * table.average < 0)
