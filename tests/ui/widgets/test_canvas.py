"""Of a row, what is sent again reaches from the first changed cell to the last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvmtui.ui.draw.lines import Line, fit
from lvmtui.ui.widgets.canvas import _cells, changed

WIDTH = 30
LINES = st.lists(
    st.tuples(st.text(st.sampled_from("ab 漢✓"), max_size=12), st.sampled_from(["", "bold"])), max_size=5
).map(lambda pieces: fit(pieces, WIDTH))


@given(LINES, LINES)
def test_painting_the_span_gives_the_new_line(before: Line, after: Line) -> None:
    old, new = _cells(before), _cells(after)
    span = changed(before, after)
    if span is None:
        assert old == new
        return
    start, end = span
    assert 0 <= start < end <= WIDTH
    assert old[start] != new[start] and old[end - 1] != new[end - 1], "no cell more than needed"
    old[start:end] = new[start:end]
    assert old == new


def test_a_row_is_one_span_from_the_first_change_to_the_last() -> None:
    assert changed((("loss .0012 of 5", ""), ("  " * 10, "")), (("loss .0013 of 5", ""), ("  " * 10, ""))) == (9, 10)
    assert changed((("a" * 30, ""),), (("b" + "a" * 28 + "b", ""),)) == (0, 30)
    assert changed((("same", "dim"),), (("same", "dim"),)) is None
