"""The one widget that draws: it is given lines, and repaints only the cells that differ from those before.

A mounted widget costs far more than text does, so a view is one canvas however much it shows. Whatever a line
holds is made harmless here as well, once more, whichever way it came: this is the last door before the terminal.
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

GAP = 8
"""Equal cells that are sent again rather than jumped over: about what a cursor move costs."""
BLANK: Line = ()


class Canvas(Widget):
    """Lines of text, drawn as they are."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._given: Sequence[Line] = ()
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}

    @property
    def text(self) -> str:
        """What is shown, without its looks."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines)

    def draw(self, lines: Sequence[Line]) -> None:
        """Show `lines` from the top; what does not fit is cut."""
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
            if before != after:
                self._strips.pop(y, None)
                dirty.extend(Region(start, y, end - start, 1) for start, end in changed(before, after))
        if dirty:
            self.refresh(*dirty)

    def on_resize(self) -> None:
        """A size takes effect later than it is set: show what belongs there."""
        self.draw(self._given)

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else BLANK
            strip = Strip([Segment(text, style(name)) for text, name in fit(line, self.size.width)])
            self._strips[y] = strip
        return strip


def changed(before: Line, after: Line) -> list[tuple[int, int]]:
    """The spans of cells in which two lines of the same width differ, as (first, one after the last)."""
    old, new = _cells(before), _cells(after)
    spans: list[tuple[int, int]] = []
    for x in range(max(len(old), len(new))):
        if x < len(old) and x < len(new) and old[x] == new[x]:
            continue
        if spans and x - spans[-1][1] <= GAP:
            spans[-1] = (spans[-1][0], x + 1)
        else:
            spans.append((x, x + 1))
    return spans


def _cells(line: Line) -> list[tuple[str, str]]:
    """Character and style of each cell; a wide character's second cell repeats it."""
    cells: list[tuple[str, str]] = []
    for text, name in line:
        for character in text:
            cells.extend([(character, name)] * (1 if character.isascii() else cell_len(character)))
    return cells
