"""Index arithmetic against the same said in loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.datasets.windows import covered, crosses, gather, touches, window_starts
from tests.datasets.making import walk

articles = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=8).map(
    lambda runs: np.array([a for a, n in runs for _ in range(n)], np.int32)
)


@given(articles, st.integers(0, 5), st.integers(0, 5))
def test_windows_stay_inside_one_stretch_of_an_article(article: np.ndarray, first: int, cut: int) -> None:
    stop = max(first, len(article) - cut)
    inside = [s for s in range(first, stop - 5) if len(set(article[s : s + 6].tolist())) == 1]
    assert window_starts(article, (first, stop)).tolist() == inside
    assert window_starts(None, (first, stop)).tolist() == list(range(first, stop - 5))


@given(st.lists(st.booleans(), max_size=40))
def test_touches_and_crosses_look_at_each_row_of_a_window(marks: list[bool]) -> None:
    marked = np.array(marks, bool)
    windows = range(len(marks) - 5)
    assert touches(marked).tolist() == [any(marks[s : s + 6]) for s in windows]
    assert crosses(marked.astype(int)).tolist() == [len(set(marks[s : s + 6])) > 1 for s in windows]


@given(st.sets(st.integers(0, 30)))
def test_covered_are_the_rows_of_some_window(chosen: set[int]) -> None:
    rows = {s + i for s in chosen for i in range(6)}
    assert set(np.flatnonzero(covered(np.array(sorted(chosen), np.int64), 36)).tolist()) == rows


def test_gather_copies_five_rows_and_the_next() -> None:
    vectors = walk(20)
    contexts, targets = gather(vectors, np.array([0, 14]))
    assert np.array_equal(contexts, [vectors[0:5], vectors[14:19]])
    assert np.array_equal(targets, [vectors[5], vectors[19]])
