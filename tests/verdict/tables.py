"""Rows and tables made by hand, for the tests of words and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lvmtui.formats.results import ArmScores, Estimate, Retrieval, Skill
from lvmtui.models import title_of
from lvmtui.verdict.cross_checks import moves
from lvmtui.verdict.ranking import ranked
from lvmtui.verdict.table import ArmCell, Average, Row, Table, TrivialRow
from lvmtui.verdict.words import Verdict, Word, chances, verdict

LABELS = ("8k", "23k")


def made_row(model: str, change: float, word: Word = Word.IMPROVED, expanded: float = 0.5, seeds: int = 3) -> Row:
    """A row whose change has a standard error of .1 %."""
    found = Estimate(change, 0.1, 30, 2000, 60, 40)
    return Row(
        model=model,
        title=title_of(model),
        rank=None,
        baseline=ArmCell(LABELS[0], "finished", expanded / (1 + change / 100), None, None, ()),
        expanded=ArmCell(LABELS[1], "finished", expanded, None, None, ()),
        change=change,
        estimate=found,
        interval=found.interval(),
        adjusted=None,
        strata=(),
        verdict=Verdict(word),
        seeds=seeds,
        history=word is Word.POINT_ESTIMATE,
        notes=(),
    )


def with_skill(row: Row, gain: float, against: str = "recency_mean", bar: float = 0.5166) -> Row:
    """The row with an expanded arm that gains so much over a trivial baseline."""
    skill = Skill(against, bar, Estimate(gain, 0.001, 30, 2000, 60, 40))
    scores = ArmScores(bar + gain, -0.2, 0.1, 0.2, 0.3, 0.5, None, skill, trivial={against: bar})
    return replace(row, expanded=replace(row.expanded, cosine=bar + gain, scores=scores))


def with_hits(row: Row, before: float, after: float) -> Row:
    """The row with a hit@10 that has a standard error of .001."""
    figure = Retrieval("hit_10", before, after, Estimate(after - before, 0.001, 30, 2000, 60, 40), "copy_last", 0.143)
    fell, rose = moves((figure,))
    return replace(row, retrieval=(figure,), fell=fell, rose=rose)


def made_table(rows: Sequence[Row], average: float | None = None, error: float = 0.1, seeds: int = 3) -> Table:
    """The table of these rows. `average`: of the primary figure, whose standard error is `error`."""
    placed = ranked(rows)
    judged = [row for row in placed if row.rank is not None]
    primary = None
    if average is not None:
        found = Estimate(average, error, 30, 2000, 60, 40)
        primary = Average(found, verdict(found, seeds=seeds), tuple(row.model for row in judged), chances(found))
    changes = [row.change for row in judged if row.change is not None]
    mean = average if average is not None else sum(changes) / len(changes) if changes else None
    return Table(LABELS, tuple(placed), (), mean, seeds, len(judged), primary)


def two_contexts() -> Table:
    """A table of a model with contexts of 5 and 10 vectors, each better than the trivial baseline of its context."""
    rows = [
        with_skill(made_row(f"amn@{context}", change), gain, bar=bar)
        for context, change, gain, bar in ((5, 1.7, 0.0113, 0.5068), (10, 0.8, 0.0049, 0.5247))
    ]
    trivial = (
        TrivialRow("recency_mean@10", 0.5247, 0.5247),
        TrivialRow("recency_mean@5", 0.5068, 0.5068),
        TrivialRow("mean@10", 0.5005, 0.5005),
        TrivialRow("copy_last", 0.41, 0.41),
    )
    return replace(made_table(rows), trivial=trivial)
