"""The one widget that draws: it is given lines and repaints the rows that differ, up to their last changed cell.

A mounted widget costs far more than text, so a view is one canvas however much it shows. Control characters are removed
here once more, because this is the last place before the terminal.

A row is refreshed as one region. Textual's compositor cuts a region only at its right end and sends the row from the
widget's left edge, so a second region in a row sends its beginning twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lvmtui.ui.draw.lines import Line, fit, plain
from lvmtui.ui.draw.styles import style

BLANK: Line = ()


class Canvas(Widget):
    """Lines of styled text."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._given: Sequence[Line] = ()
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}

    @property
    def text(self) -> str:
        """What is shown, without styles."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines)

    def draw(self, lines: Sequence[Line]) -> None:
        """Show `lines` from the top, cut to the widget's size."""
        self._given = lines
        width, height = self.size
        new = [fit([(plain(text), name) for text, name in line], width) for line in lines[:height]]
        new.extend([fit(BLANK, width)] * (height - len(new)))
        old, self._lines = self._lines, new
        if len(old) != len(new):
            self._strips.clear()
            self.refresh()
            return
        dirty: list[Region] = []
        for y, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after and (span := changed(before, after)) is not None:
                self._strips.pop(y, None)
                dirty.append(Region(span[0], y, span[1] - span[0], 1))
        if dirty:
            self.refresh(*dirty)

    def on_resize(self) -> None:
        """A new size takes effect after it was set: draw the lines again."""
        self.draw(self._given)

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else BLANK
            strip = Strip([Segment(text, style(name)) for text, name in fit(line, self.size.width)])
            self._strips[y] = strip
        return strip


def changed(before: Line, after: Line) -> tuple[int, int] | None:
    """The first cell in which two lines of the same width differ, and one after the last; None if they are equal."""
    old, new = _cells(before), _cells(after)
    if old == new:
        return None
    least = min(len(old), len(new))
    first = next((x for x in range(least) if old[x] != new[x]), least)
    if len(old) != len(new):
        return first, max(len(old), len(new))
    return first, next(x for x in range(least, 0, -1) if old[x - 1] != new[x - 1])


def _cells(line: Line) -> list[tuple[str, str]]:
    """Character and style of each cell; a wide character's second cell repeats it."""
    cells: list[tuple[str, str]] = []
    for text, name in line:
        for character in text:
            cells.extend([(character, name)] * (1 if character.isascii() else cell_len(character)))
    return cells
