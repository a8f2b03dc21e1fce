"""Colours: every theme can be read, and the two arms are told apart by every eye."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from lvmtui.ui.draw.styles import STYLES
from lvmtui.ui.themes import READABLE, contrast, styles_of
from tests.ui.conftest import MakeApp
from tests.ui.showcase import middle

EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
"""What eyes without one kind of cone see of red, green and blue (Machado, Oliveira and Fernandes 2009)."""
APART = 0.25
"""Distance of two colours, of the largest there is, that is seen at a glance."""
COLOURED = [name for name, theme in BUILTIN_THEMES.items() if not theme.ansi]


def seen(colour: Color, eye: str) -> tuple[float, ...]:
    return tuple(sum(w * c for w, c in zip(row, colour.normalized, strict=True)) for row in EYES[eye])


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("eye", EYES)
def test_the_arms_are_told_apart_by_every_eye(name: str, eye: str) -> None:
    styles = styles_of(BUILTIN_THEMES[name])
    arms = [styles[arm].color for arm in ("baseline", "expanded")]
    (one, other) = (seen(Color.from_rich_color(colour), eye) for colour in arms)
    assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 / 3**0.5 > APART


@pytest.mark.parametrize("name", COLOURED)
async def test_a_picture_of_each_theme_can_be_read(tmp_path: Path, make_app: MakeApp, name: str) -> None:
    """Each cell of the board as it reaches the terminal."""
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.theme = name
        await pilot.pause()
        await pilot.pause()
        poor = set()
        for strip in app.screen._compositor.render_strips():
            for text, style, _ in strip:
                if style is None or not any(character.isalnum() for character in text):
                    continue
                assert style.color is not None and style.bgcolor is not None, text
                pair = (Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))
                if contrast(*pair) < READABLE - 0.1:  # colours are rounded
                    poor.add((text, *(colour.hex for colour in pair)))
        assert not poor


def test_the_terminals_own_colours_are_the_default(tmp_path: Path, make_app: MakeApp) -> None:
    app = make_app(tmp_path)
    assert app.current_theme.ansi and styles_of(app.current_theme) is STYLES
    assert all(style.color is None or style.color.number is not None for style in STYLES.values())


def test_styles_that_mean_different_things_look_different() -> None:
    for name in COLOURED:
        styles = styles_of(BUILTIN_THEMES[name])
        for one, other in combinations(("done", "failed", "waiting", "dim"), 2):
            assert styles[one] != styles[other], name
