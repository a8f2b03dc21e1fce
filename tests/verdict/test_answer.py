"""The answer in a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.verdict.answer import answer, caveats
from lvmtui.verdict.ranking import Row, Table, ranked
from lvmtui.verdict.words import Word, verdict
from tests.report.rows import row

HELPED, HURT, UP, DOWN = Word.IMPROVED, Word.REGRESSED, Word.LEANS_UP, Word.LEANS_DOWN
CLOSE, SMALL, UNFAIR, OPEN = Word.TOO_CLOSE, Word.NEGLIGIBLE, Word.NOT_COMPARABLE, Word.PROVISIONAL


def table(words: list[Word], seeds: int = 3) -> Table:
    rows = ranked([row(f"m{i}", 1.0, 0.5, word) for i, word in enumerate(words)])
    changes = [r.change for r in rows if r.rank is not None and r.change is not None]
    return Table(("8k", "23k"), tuple(rows), (), sum(changes) / len(changes) if changes else None, seeds, len(words))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([HELPED, HELPED, HELPED], "More data helped 3 of 3 models (average +1.00 %)."),
        ([HURT, HURT], "More data hurt 2 of 2 models (average +1.00 %)."),
        (
            [HELPED, HURT, CLOSE],
            "More data helped 1 and hurt 1 of 3 models (average +1.00 %); too close to call for one.",
        ),
        (
            [HELPED, HELPED, HELPED, CLOSE, UNFAIR],
            "More data helped 3 of 5 models (average +1.00 %); too close to call for one; one is not a fair "
            "comparison.",
        ),
        ([UP, DOWN], "More data seems to help 1 and to hurt 1 of 2 models (average +1.00 %)."),
        ([HELPED, UP, CLOSE], "More data seems to help 2 of 3 models (average +1.00 %); too close to call for one."),
        ([DOWN, CLOSE], "More data seems to hurt 1 of 2 models (average +1.00 %); too close to call for one."),
        ([Word.NO_VERDICT], "No verdict on m0 (+1.00 %): there are too few held-out clusters."),
        ([HELPED], "More data helped m0 (+1.00 %)."),
        ([DOWN], "More data seems to hurt m0 (+1.00 %)."),
        ([CLOSE], "Whether more data helps m0 (+1.00 %) is too close to call."),
        ([SMALL], "More data makes a negligible difference to m0 (+1.00 %)."),
        (
            [SMALL, SMALL],
            "More data is not known to help or to hurt any of 2 models (average +1.00 %); for all the difference is "
            "negligible.",
        ),
        ([OPEN, OPEN], "No answer yet: none of 2 models is compared yet."),
        ([OPEN, UNFAIR, UNFAIR], "No answer yet: none of 3 models is compared yet; two cannot be compared."),
        ([UNFAIR, UNFAIR], "No answer: none of 2 models allows a fair comparison."),
        ([HELPED, OPEN, OPEN], "More data helped 1 of 3 models; two are not finished."),
    ],
)
def test_sentences(words: list[Word], expected: str) -> None:
    assert answer(table(words)) == expected


@given(st.lists(st.sampled_from(Word), max_size=31))
def test_any_table_has_an_answer_of_one_sentence(words: list[Word]) -> None:
    said = answer(table(words))
    assert said.endswith(".") and "\n" not in said and "None" not in said and said[0].isupper()


def few(row: Row, df: float, cluster_df: float | None) -> Row:
    """The row without a verdict, for its degrees of freedom."""
    assert row.estimate
    estimate = replace(row.estimate, df=df, cluster_df=cluster_df)
    return replace(row, estimate=estimate, verdict=verdict(estimate, seeds=2))


def test_the_reason_for_no_verdict_is_the_true_one() -> None:
    one = table([Word.NO_VERDICT], seeds=2)
    by_seeds = replace(one, rows=(few(one.rows[0], 2.9, 10.8),))
    assert answer(by_seeds) == "No verdict on m0 (+1.00 %): there are too few seeds."
    assert caveats(by_seeds) == (
        "To judge m0: one more seed (--seeds).",
        "The seeds of m0 lie apart, and so few tell little of how far others would: the intervals are wide for it "
        "(from 2.9 degrees of freedom), and more seeds would narrow them.",
    )
    by_clusters = replace(one, rows=(few(one.rows[0], 2.9, None),))
    assert answer(by_clusters) == "No verdict on m0 (+1.00 %): there are too few held-out clusters."
    assert len(caveats(by_clusters)) == 1 and caveats(by_clusters)[0].startswith("A few large articles make up much")
    several = table([HELPED, HELPED, HELPED], seeds=2)
    mixed = replace(several, rows=(few(several.rows[0], 2.9, 10.8), few(several.rows[1], 2.1, 2.0), several.rows[2]))
    assert answer(mixed).endswith("; for one there are too few seeds; for one there are too few held-out clusters.")
    assert any("wide for it (from 2.0 degrees of freedom)" in said for said in caveats(mixed))


def test_caveats() -> None:
    assert caveats(table([HELPED])) == ()
    assert caveats(table([HELPED, HURT]))[0].startswith("2 models are judged together")
    single = table([UP, HELPED])
    one = replace(single, rows=(replace(single.rows[0], seeds=1), *single.rows[1:]))
    assert caveats(one)[0].startswith("Single seed (m0): the intervals do not cover training noise.")
    every = replace(single, rows=tuple(replace(r, seeds=1) for r in single.rows))
    assert caveats(every)[0].startswith("Single seed: the intervals do not cover training noise.")
