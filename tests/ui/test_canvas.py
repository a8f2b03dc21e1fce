"""Only cells that differ are painted again, and painting them gives the new picture."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lvmtui.ui.draw.lines import Line, fit
from lvmtui.ui.widgets.canvas import GAP, _cells, changed

WIDTH = 30
LINES = st.lists(
    st.tuples(st.text(st.sampled_from("ab 漢✓"), max_size=12), st.sampled_from(["", "bold"])), max_size=5
).map(lambda pieces: fit(pieces, WIDTH))


@given(LINES, LINES)
def test_painting_the_spans_gives_the_new_line(before: Line, after: Line) -> None:
    old, new = _cells(before), _cells(after)
    spans = changed(before, after)
    for start, end in spans:
        old[start:end] = new[start:end]
    assert old == new
    assert all(start < end <= WIDTH for start, end in spans)
    assert all(b[0] - a[1] > GAP for a, b in pairwise(spans))


def test_a_counter_repaints_its_digits_only() -> None:
    assert changed((("loss .0012 of 5", ""), ("  " * 10, "")), (("loss .0013 of 5", ""), ("  " * 10, ""))) == [(9, 10)]
    assert changed((("same", "dim"),), (("same", "dim"),)) == []
