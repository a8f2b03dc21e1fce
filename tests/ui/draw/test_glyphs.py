"""Without UTF-8 nothing moves and nothing that is not ASCII leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lvmtui.state.status import PHASES, Phase
from lvmtui.ui.draw import glyphs


@given(st.text(st.characters(exclude_categories=("C", "M", "Lm")), max_size=60))
def test_ascii_is_as_wide_as_what_it_stands_for(text: str) -> None:
    plain = glyphs.to_ascii(text)
    assert plain.isascii()
    assert len(plain) == cell_len(text)


def test_what_we_draw_with_stays_apart() -> None:
    replaced = [phase for phase, facts in PHASES.items() if glyphs.to_ascii(facts.glyph) == "?"]
    assert replaced == [Phase.UNKNOWN]
    assert glyphs.to_ascii("━━╸───") == "##=---"
    assert glyphs.to_ascii("⠉⣀⠒⣿ ") == "'.-| "
    assert glyphs.to_ascii("+1.54 % – −0.3 … ×2") == "+1.54 % - -0.3 ~ x2"


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C.utf8"}, True),
        ({}, True),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
        ({"LANG": "C", "LVMTUI_GLYPHS": "unicode"}, True),
        ({"LANG": "en_US.UTF-8", "LVMTUI_GLYPHS": "ascii"}, False),
    ],
)
def test_where_there_is_utf8(environment: dict[str, str], utf8: bool) -> None:
    assert glyphs.has_utf8(environment) is utf8
