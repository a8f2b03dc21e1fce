"""Whether the true next vector is found more often with more data: another question than the cosine's. Pure.

A prediction can come nearer to its target on average while others come nearer still, so hits may fall as the cosine
rises. Both arms are counted on the same held-out windows; the counts carry no interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from lvmtui.format import cosine, plural
from lvmtui.judge.ranking import Table


@dataclass(frozen=True)
class Hits:
    """hit@k of all models that were compared."""

    k: int
    baseline: float
    """Mean over models of the share of windows whose true next vector is among the k nearest held-out targets."""
    expanded: float
    rose: int
    """Models."""
    fell: int
    models: int

    @property
    def words(self) -> str:
        """`hit@1 fell for 5 of 5 models (on average from .123 to .116)`."""
        moves = [f"{verb} for {n}" for verb, n in (("rose", self.rose), ("fell", self.fell)) if n]
        moved = f"{' and '.join(moves) or 'rose or fell for none'} of {plural(self.models, 'model')}"
        mean = "from" if self.models == 1 else "on average from"
        return f"hit@{self.k} {moved} ({mean} {cosine(self.baseline, 3)} to {cosine(self.expanded, 3)})"


def hits_of(table: Table) -> tuple[Hits, ...]:
    """hit@1 and hit@10 over the ranked models; empty where none has scores on the held-out windows."""
    pairs = [(r.baseline.scores, r.expanded.scores) for r in table.ranked]
    known = [(before, after) for before, after in pairs if before and after]
    found = []
    for k, name in ((1, "hit_1"), (10, "hit_10")):
        values = [(getattr(before, name), getattr(after, name)) for before, after in known]
        if values:
            means = (fmean(before for before, _ in values), fmean(after for _, after in values))
            rose, fell = sum(b < a for b, a in values), sum(b > a for b, a in values)
            found.append(Hits(k, *means, rose, fell, len(values)))
    return tuple(found)


def against_the_cosine(table: Table) -> tuple[Hits, ...]:
    """The hits whose mean moved the other way than the mean cosine did."""
    if not table.average:
        return ()
    return tuple(hits for hits in hits_of(table) if (hits.expanded - hits.baseline) * table.average < 0)
