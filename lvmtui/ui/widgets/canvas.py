"""The widget that draws: a pure function gives it lines for its size, and it sends the rows that have changed.

A mounted widget costs far more than text, so a view is a few of these however much it shows. Control characters are
removed here once more, because this is the last place before the terminal. An error while drawing is one line in the
place of what could not be drawn; the next snapshot may draw well again.

A row is refreshed as one region. Textual's compositor cuts a region only at its right end and sends the row from the
widget's left edge, so a second region in a row sends its beginning twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from lvmtui.system.logging import Faults
from lvmtui.system.text import sanitise
from lvmtui.ui.draw.lines import Drawing, Line, Piece, fit, plain
from lvmtui.ui.themes import styles_of

Painter = Callable[[int, int], Drawing | Sequence[Line]]
"""What to show in so many columns and lines."""


class Canvas(Widget):
    """Lines of styled text. With `height: auto` it is as high as it has lines, up to its `max-height`."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"

    class Pressed(Message):
        """A part of the drawing was clicked."""

        def __init__(self, target: str) -> None:
            super().__init__()
            self.target = target

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painter: Painter = lambda width, height: ()
        self._shows: object = None
        self._names = ("", "")
        self._drawing = Drawing(())
        self._lines: list[Line] = []
        self._drawn = Size(0, 0)
        """The size for which it is drawn."""
        self._strips: dict[int, Strip] = {}

    @property
    def text(self) -> str:
        """What is shown, without styles."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines)

    def paint(self, painter: Painter, shows: object = None) -> None:
        """Show what `painter` gives, now and after each change of size; it is not asked again for the same `shows`."""
        if shows is not None and shows == self._shows:
            return
        self._painter, self._shows = painter, shows
        self._draw()

    def name_frame(self, title: str, subtitle: str = "") -> None:
        """Write into the frame. Textual sends a whole widget again whenever its title is set, changed or not."""
        if (title, subtitle) != self._names:
            self._names = title, subtitle
            self.border_title, self.border_subtitle = Content(plain(title)), Content(plain(subtitle))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._painted(width).lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of a region. The first time they are asked for comes before the news of the size."""
        if self.size != self._drawn:
            self._draw()
        return super().render_lines(crop)

    def on_resize(self) -> None:
        if self.size != self._drawn:
            self._draw()

    def _painted(self, width: int) -> Drawing:
        """The painter's drawing in this width. With `height: auto` it may be as high as `max-height` allows."""
        height, most = self.size.height, self.styles.max_height
        if self.styles.is_auto_height:
            height = int(most.value) if most is not None else self.app.size.height
        try:
            found = self._painter(width, height)
        except Exception as error:
            found = [(fault_line(error),)]
        return found if isinstance(found, Drawing) else Drawing(tuple(found))

    def _draw(self) -> None:
        width, height = self._drawn = self.size
        if not width:
            return
        self._drawing = self._painted(width)
        if self.styles.is_auto_height and len(self._drawing.lines) != height:
            self.refresh(layout=True)  # and it is drawn again with its new size
        new = [fit([(plain(text), name) for text, name in line], width) for line in self._drawing.lines[:height]]
        new.extend([fit((), width)] * (height - len(new)))
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

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else ()
            look, base = styles_of(self.app.current_theme), self.visual_style.rich_style
            strip = Strip([Segment(text, base + look.get(name, base)) for text, name in fit(line, self.size.width)])
            self._strips[y] = strip
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            return self._selected(strip, *span)
        return strip

    def notify_style_update(self) -> None:
        """Another theme, or a class that changes colours."""
        self._strips.clear()
        super().notify_style_update()

    # -- the mouse ---------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        target = self._drawing.target(*event.get_content_offset_capture(self))
        if target is not None:
            event.stop()
            self.post_message(self.Pressed(target))

    def _selected(self, strip: Strip, start: int, end: int) -> Strip:
        """The row with the cells from `start` to `end` (-1: to its end) set off."""
        end = strip.cell_length if end == -1 else min(end, strip.cell_length)
        before, chosen, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
        look = self.screen.get_component_rich_style("screen--selection")
        return Strip.join([before, Strip([Segment(s.text, (s.style or look) + look) for s in chosen]), after])

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        """The text that was selected, without the blanks that fill its lines."""
        found = []
        for y, line in enumerate(self._lines):
            if (span := selection.get_span(y)) is not None:
                text = Strip([Segment(piece) for piece, _ in line])
                found.append(text.crop(span[0], text.cell_length if span[1] == -1 else span[1]).text.rstrip())
        return "\n".join(found), "\n"


def changed(before: Line, after: Line) -> tuple[int, int] | None:
    """The first cell in which two lines of the same width differ, and one after the last; None if they are equal."""
    differ = [x for x, (old, new) in enumerate(zip_longest(_cells(before), _cells(after))) if old != new]
    return (differ[0], differ[-1] + 1) if differ else None


def _cells(line: Line) -> list[tuple[str, str]]:
    """Character and style of each cell; a wide character's second cell repeats it."""
    cells: list[tuple[str, str]] = []
    for text, name in line:
        for character in text:
            cells.extend([(character, name)] * (1 if character.isascii() else cell_len(character)))
    return cells


_FAULTS = Faults()


def fault_line(error: Exception) -> Piece:
    """Log the error and return the line that stands for what could not be drawn."""
    _FAULTS.log("drawing failed", error)
    return f" this cannot be shown: {type(error).__name__}: {sanitise(str(error), 200)}", "alarm"
