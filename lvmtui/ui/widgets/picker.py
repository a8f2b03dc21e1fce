"""Picking a vector file from folders."""

from __future__ import annotations

import os
from pathlib import Path

from textual import events

from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, cut, left, right
from lvmtui.ui.read.files import Entry, entries
from lvmtui.ui.widgets.dialogs import Dialog


class Picker(Dialog[str]):
    """Shows a folder's vector files and folders; answers with the path picked, with "" if none was."""

    def __init__(self, folder: Path) -> None:
        super().__init__("Pick a file")
        self._folder = folder if folder.is_dir() else Path.cwd()
        self._at = 0
        self._filter = ""

    def body(self, width: int) -> list[Line]:
        shown = self._shown()
        self._at = max(0, min(self._at, len(shown) - 1))
        rows = max(1, min(14, self.app.size.height - 6))
        first = max(0, self._at - rows + 1)
        lines: list[Line] = [((cut(os.fspath(self._folder), width), "heading"),)]
        for i, entry in enumerate(shown[first : first + rows], first):
            text = left(entry.name, width - 14) + right(entry.facts, 10)
            mark = glyphs.SELECTED + " " if i == self._at else "  "
            lines.append(((mark, "selected"), (text, "" if entry.folder else "bold")))
        if not shown:
            lines.append((("  no vector files (.npz, .npy) here", "dim"),))
        lines += [(), ((f"{self._filter or 'type to narrow'}", "key" if self._filter else "dim"),)]
        pieces: list[Piece] = [("enter", "key"), (" take    ", ""), ("←", "key"), (" up a folder    ", "")]
        lines.append((*pieces, ("esc", "key"), (" leave", "")))
        return lines

    def _shown(self) -> list[Entry]:
        wanted = self._filter.lower()
        return [entry for entry in entries(self._folder) if wanted in entry.path.name.lower()]

    def on_key(self, event: events.Key) -> None:  # noqa: C901, PLR0912  one case for each key
        event.stop()
        event.prevent_default()
        shown = self._shown()
        match event.key:
            case "escape":
                self.dismiss("")
                return
            case "down" | "tab":
                self._at += 1
            case "up" | "shift+tab":
                self._at -= 1
            case "pagedown":
                self._at += 10
            case "pageup":
                self._at -= 10
            case "left":
                self._enter(self._folder.parent)
            case "backspace":
                if self._filter:
                    self._filter = self._filter[:-1]
                else:
                    self._enter(self._folder.parent)
            case "enter" | "right":
                if shown:
                    entry = shown[max(0, min(self._at, len(shown) - 1))]
                    if entry.folder:
                        self._enter(entry.path)
                    elif event.key == "enter":
                        self.dismiss(os.fspath(entry.path))
                        return
            case _:
                if event.character and event.character.isprintable():
                    self._filter, self._at = self._filter + event.character, 0
        self.redraw()

    def _enter(self, folder: Path) -> None:
        self._folder, self._filter, self._at = folder.absolute(), "", 0
