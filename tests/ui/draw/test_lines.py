"""Lines are as wide as they say, whatever is in them."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lvmtui.ui.draw.lines import Drawing, Hit, beside, cut, fit, left, plain, right, spread, width_of, wrapped

TEXT = st.text(st.sampled_from("ab ü漢字e\u0301✓ "), max_size=40)
PIECES = st.lists(st.tuples(TEXT, st.sampled_from(["", "bold"])), max_size=6)


@given(TEXT, st.integers(0, 50))
def test_texts_fit_exactly(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) <= max(width, 0)
    assert cell_len(left(text, width)) == width
    assert cell_len(right(text, width)) == width
    if cell_len(text) <= width > 0:
        assert cut(text, width) == text


@given(PIECES, st.integers(0, 60))
def test_lines_fit_exactly(pieces: list[tuple[str, str]], width: int) -> None:
    assert width_of(fit(pieces, width)) == width


@given(PIECES, PIECES, st.integers(1, 60))
def test_the_end_of_a_spread_line_is_kept(start: list[tuple[str, str]], end: list[tuple[str, str]], width: int) -> None:
    line = spread(start, end, width)
    assert width_of(line) == width
    if width_of(end) < width:
        assert "".join(text for text, _ in line).endswith("".join(text for text, _ in end))


@given(TEXT, st.integers(4, 40))
def test_wrapping_loses_no_word(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(max_size=60))
def test_plain_text_cannot_command_a_terminal(text: str) -> None:
    assert not any(unicodedata.category(character)[0] == "C" for character in plain(text))


def test_blocks_stand_beside_each_other() -> None:
    rows = beside(([(("a", ""),)], [(("b", ""),), (("c", ""),)]), (3, 2), gap=1)
    assert ["".join(text for text, _ in row) for row in rows] == ["a   b ", "    c "]


def test_the_mouse_meets_what_was_drawn_last() -> None:
    drawing = Drawing((), (Hit(0, 0, 10, 5, "panel"), Hit(0, 1, 10, 1, "run")))
    assert drawing.target(3, 0) == "panel"
    assert drawing.target(3, 1) == "run"
    assert drawing.target(10, 1) is None
