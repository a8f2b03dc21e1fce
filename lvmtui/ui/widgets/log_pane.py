"""A window onto a log: where it stands, whether it follows, wraps, and what was searched for. No terminal needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, cut
from lvmtui.ui.read.logfile import LogFile, LogLine

Top = tuple[int, int]
"""Offset of the first line shown, and which of its rows comes first."""


@dataclass
class LogPane:
    """The part of a log that is shown. Everything is asked of the file anew: it may have grown or been replaced."""

    file: LogFile
    follow: bool = True
    wrap: bool = False
    needle: str = ""
    empty: str = "nothing logged yet"
    """What is said of a log without a line."""
    hit: int | None = None
    """Offset of the line found last, until one scrolls away from it."""
    count: str = ""
    """Which it is of how many: `2 of 7`."""
    _top: Top = (0, 0)

    def lines(self, width: int, height: int) -> list[Line]:
        """What is shown in `width` x `height` cells, each row behind a cell that marks the line found last."""
        if self.file.size() == 0:
            self._leave()
            return [((" ", ""), (f"  {self.empty}", "dim"))]
        return [
            ((glyphs.SELECTED if top == (self.hit, 0) else " ", "selected"), *self._marked(text, width))
            for top, text in self._shown(width, height)
        ]

    def _shown(self, width: int, height: int) -> list[tuple[Top, str]]:
        """The rows that are shown."""
        size = self.file.size()
        if self.follow or self._top[0] >= size:
            rows = self._rows(self.file.before(size, height), width)[-height:]
            if rows:
                self._top = rows[0][0]
        else:
            rows = self._rows(self.file.after(self._top[0], height + 1), width)[self._top[1] :][:height]
        return rows

    @property
    def place(self) -> str:
        """Where the window stands: `following`, `40 %`; what was found last is `2 of 7, 40 %`."""
        size = self.file.size()
        where = "following" if self.follow else f"{100 * self._top[0] / size:.0f} %" if size else ""
        return ", ".join(filter(None, (self.count, where)))

    # -- moving ------------------------------------------------------------------------------------------------------

    def scroll(self, by: int, width: int, height: int) -> None:
        """Move by so many rows, down where `by` is positive; at the end it follows again."""
        self._leave()
        self._shown(width, height)  # where it stands now, if it followed
        if by < 0:
            self.follow = False
            offset, row = self._top
            above = self._rows(self.file.before(offset, -by), width)
            rows = [*above, *self._rows(self.file.after(offset, 1), width)[:row]]
            if rows:
                self._top = rows[max(0, len(rows) + by)][0]
            return
        ahead = self._rows(self.file.after(self._top[0], by + height + 1), width)[self._top[1] :]
        if len(ahead) <= by + height:
            self.follow = True
        else:
            self._top = ahead[by][0]

    def to_start(self) -> None:
        self._leave()
        self.follow, self._top = False, (0, 0)

    def to_end(self) -> None:
        self._leave()
        self.follow = True

    def _leave(self) -> None:
        """A search begins where one has scrolled to, no longer at what was found."""
        self.hit, self.count = None, ""

    # -- searching ---------------------------------------------------------------------------------------------------

    def go_to(self, offset: int, count: tuple[int, int] | None, width: int, height: int) -> None:
        """Show the line that begins at `offset`, `count` of those found; scrolls only if it is not on the screen, and
        leaves no part of the screen empty that the log could fill."""
        shown = [top for top, _ in self._shown(width, height)]
        self.follow, self.hit = False, offset
        self.count = f"{count[0]} of {count[1]}" if count else ""
        own = [top for top, _ in self._rows(self.file.after(offset, 1), width)]
        if own and set(own) <= set(shown):
            return
        last = self._rows(self.file.before(self.file.size(), height), width)[-height:]
        self._top = min((offset, 0), last[0][0]) if last else (0, 0)

    def search(self, forwards: bool, going: Callable[[float], bool]) -> int | None:
        """Where the next line begins that holds the needle, below or above the one found last, else from the first one
        shown on; from the other end of the log if there is none on this side. Takes its time."""
        start = self._top[0] if self.hit is None else self.hit
        if forwards and self.hit is not None:
            here = self.file.after(start, 1)
            start = here[0].end if here else 0
        found = self.file.search(self.needle, start, forwards=forwards, going=going)
        if found is None and going(0.0):
            found = self.file.search(self.needle, 0 if forwards else self.file.size(), forwards=forwards, going=going)
        return found

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _rows(self, lines: list[LogLine], width: int) -> list[tuple[Top, str]]:
        """Lines as rows of the screen, each with its place."""
        rows: list[tuple[Top, str]] = []
        for line in lines:
            if not self.wrap or cell_len(line.text) <= width:
                rows.append(((line.offset, 0), line.text))
            else:
                rows.extend(((line.offset, i), part) for i, part in enumerate(chop_cells(line.text, width)))
        return rows

    def _marked(self, text: str, width: int) -> Line:
        """A row with what was searched for set off."""
        if not self.needle:
            return ((cut(text, width), ""),)
        if (first := self._found(text, 0)) >= 0 and cell_len(text[: first + len(self.needle)]) >= width:
            text = f"{glyphs.ELLIPSIS}{text[max(0, first - width // 2) :]}"  # it would stand beyond the right edge
        text = cut(text, width)
        pieces: list[Piece] = []
        at = 0
        while (found := self._found(text, at)) >= 0:
            end = found + len(self.needle)
            pieces += [(text[at:found], ""), (text[found:end], "match")]
            at = end
        return (*pieces, (text[at:], ""))

    def _found(self, text: str, at: int) -> int:
        """Where in a row what was searched for stands next, -1 if nowhere."""
        hay = text.lower() if self.needle == self.needle.lower() else text
        return hay.find(self.needle, at) if len(hay) == len(text) else -1
