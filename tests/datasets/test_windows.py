"""Index arithmetic against the same said in loops, for contexts of any length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.datasets.windows import covered, crosses, gather, narrowed, touches, window_starts
from tests.datasets.making import walk

articles = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=8).map(
    lambda runs: np.array([a for a, n in runs for _ in range(n)], np.int32)
)
contexts = st.integers(1, 14)


@given(articles, st.integers(0, 5), st.integers(0, 5), contexts)
def test_windows_stay_inside_one_stretch_of_an_article(article: np.ndarray, first: int, cut: int, context: int) -> None:
    stop = max(first, len(article) - cut)
    whole = range(first, stop - context)
    inside = [s for s in whole if len(set(article[s : s + context + 1].tolist())) == 1]
    assert window_starts(article, (first, stop), context).tolist() == inside
    assert window_starts(None, (first, stop), context).tolist() == list(whole)


@given(st.lists(st.booleans(), max_size=40), contexts)
def test_touches_and_crosses_look_at_each_row_of_a_window(marks: list[bool], context: int) -> None:
    marked = np.array(marks, bool)
    rows = [marks[s : s + context + 1] for s in range(len(marks) - context)]
    assert touches(marked, context).tolist() == [any(window) for window in rows]
    assert crosses(marked.astype(int), context).tolist() == [len(set(window)) > 1 for window in rows]


@given(st.sets(st.integers(0, 30)), contexts)
def test_covered_are_the_rows_of_some_window(chosen: set[int], context: int) -> None:
    rows = {s + i for s in chosen for i in range(context + 1)}
    starts = np.array(sorted(chosen), np.int64)
    assert set(np.flatnonzero(covered(starts, 31 + context, context)).tolist()) == rows


@given(contexts)
def test_gather_copies_a_context_and_the_next(context: int) -> None:
    vectors = walk(30)
    seen, targets = gather(vectors, np.array([0, 14]), context)
    assert np.array_equal(seen, [vectors[:context], vectors[14 : 14 + context]])
    assert np.array_equal(targets, [vectors[context], vectors[14 + context]])


@given(contexts, st.data())
def test_a_shorter_context_is_the_end_of_the_same_window(context: int, data: st.DataObject) -> None:
    shorter = data.draw(st.integers(1, context))
    vectors, starts = walk(30), np.array([0, 9, 15])
    long, target = gather(vectors, starts, context)
    short, same_target = gather(vectors, narrowed(starts, context, shorter), shorter)
    assert np.array_equal(short, long[:, context - shorter :]) and np.array_equal(target, same_target)
