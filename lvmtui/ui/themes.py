"""What the styles look like in each of Textual's themes.

By default they are the terminal's own sixteen colours, as `draw/styles.py` says. In the other themes, which the palette
offers, each is a colour of the theme, moved towards black or white until it can be read on the theme's background.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from lvmtui.ui.draw.styles import STYLES

DARK, LIGHT = "ansi-dark", "ansi-light"
"""The terminal's own colours: for a dark terminal, and for a light one."""
READABLE = 4.5
"""Least contrast of text and background, as WCAG 2.1 reckons it."""
ARMS = {"baseline": "#56B4E9", "expanded": "#E69F00"}
"""Sky blue and orange, of the colours that Okabe and Ito chose so that no kind of colour blindness confuses them."""
FROM_THEME = {"cyan": "accent", "green": "success", "red": "error", "yellow": "warning"}

_made: dict[str, Mapping[str, Style]] = {}


def styles_of(theme: Theme) -> Mapping[str, Style]:
    """The look of each style name in a theme."""
    if theme.ansi:
        return STYLES
    if theme.name not in _made:
        _made[theme.name] = _made_from(theme)
    return _made[theme.name]


def css_variables(theme: Theme) -> dict[str, str]:
    """Colours that the style sheet uses: of frames, of what is selected, of what matters less; and of the footer."""
    if theme.ansi:
        return {"frame": "ansi_bright_black", "strong": "ansi_cyan", "quiet": "ansi_default"}
    styles = styles_of(theme)
    strong, quiet, usual = (Color.from_rich_color(styles[name].color).hex for name in ("selected", "dim", ""))
    footer = {"footer-key-foreground": strong, "footer-description-foreground": usual, "footer-foreground": usual}
    return {"frame": quiet, "strong": strong, "quiet": quiet, **footer}


def _made_from(theme: Theme) -> Mapping[str, Style]:
    generated = theme.to_color_system().generate().items()
    # only colours that stand for themselves, without `auto` or a share
    colours = {name: Color.parse(v) for name, v in generated if v.startswith("#") and len(v) in (4, 7)}
    background, foreground = colours["background"], colours["foreground"]
    found = {}
    for name, look in STYLES.items():
        wanted = look.color.name if look.color else ""
        if name in ARMS:
            colour = Color.parse(ARMS[name])
        elif wanted in FROM_THEME:
            colour = colours[FROM_THEME[wanted]]
        else:
            colour = foreground.blend(background, 0.35) if look.dim else foreground
        found[name] = Style(color=readable(colour, background).rich_color, bold=look.bold, reverse=look.reverse)
    return found


def readable(colour: Color, background: Color) -> Color:
    """The colour, moved away from the background until it can be read on it."""
    end = Color.parse("white" if background.brightness < 0.5 else "black")
    steps = (colour.blend(end, share / 20) for share in range(21))
    return next((step for step in steps if contrast(step, background) >= READABLE), end)


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Color) -> float:
    parts = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
