"""Tables made by hand, for the tests of sentences."""

from __future__ import annotations

from dataclasses import replace

from lvmtui.formats.results import ArmScores, Estimate, Retrieval, Skill
from lvmtui.report.costs import UseCost
from lvmtui.report.questions import Question
from lvmtui.verdict.cross_checks import moves
from lvmtui.verdict.health import Finding
from lvmtui.verdict.table import Row, Table
from lvmtui.verdict.words import Word
from tests.verdict.tables import made_row, made_table

MODELS = ("a", "b", "c", "d", "e")
COSTS = {model: UseCost(1000 * 2**i, 1.0 + i) for i, model in enumerate(MODELS)}


def row(model: str, change: float, expanded: float, word: Word = Word.IMPROVED, *findings: Finding) -> Row:
    made = made_row(model, change, word, expanded)
    return replace(made, expanded=replace(made.expanded, findings=findings))


def table(*rows: Row) -> Table:
    return made_table(rows)


def with_hits(one: Row, before: float, after: float) -> Row:
    """The row with hit@1 and hit@10 that moved clear of zero."""
    figures = tuple(
        Retrieval(
            f"hit_{k}", share * before, share * after, Estimate(share * (after - before), 0.001, 30, 2000, 60, 40)
        )
        for k, share in ((1, 1), (10, 3))
    )
    fell, rose = moves(figures)
    return replace(one, retrieval=figures, fell=fell, rose=rose)


def with_skill(one: Row, gain: float, error: float = 0.001, df: float = 30, cluster_df: float | None = None) -> Row:
    """The row with its expanded arm so much above ridge; `df` under 3 leaves that without an interval."""
    cosine = one.expanded.cosine or 0.0
    skill = Skill("ridge", cosine - gain, Estimate(gain, error, df, 2000, 60, 40, cluster_df))
    return replace(one, expanded=replace(one.expanded, scores=ArmScores(cosine, -0.2, 0.1, 0.2, 0.3, 0.5, None, skill)))


def answers(found: tuple[Question, ...]) -> dict[str, str]:
    return {question.question: question.answer for question in found}
