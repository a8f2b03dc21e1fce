"""Where the report goes: a format and a path, both to be changed before it is written."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Select

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import FORMATS, Workspace
from lvmtui.ui.child import Child
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, wrapped
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.dialogs import Dialog
from lvmtui.ui.widgets.field import Field, OneOf
from lvmtui.ui.widgets.picker import typed_path


class Export(Dialog[str]):
    """Writes the report with `lvmtui report`; answers with what was written."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab,shift+tab", "turn", "format", priority=True, show=False)]

    def __init__(self, workspace: Workspace, campaign: Campaign) -> None:
        super().__init__("Export the report")
        self._campaign = campaign
        self._said = ""
        self._root = workspace.root
        self._writing = False

    def compose_box(self) -> ComposeResult:
        title = re.sub(r"[^A-Z0-9.]+", "_", self._campaign.title.upper()).strip("_.")[:60]
        yield OneOf(tuple(FORMATS), tuple(FORMATS.values()))
        yield Field(f"{title or 'REPORT'}_{re.sub(r'[^0-9_]', '', self._campaign.stamp)}.md")
        yield Canvas(id="text")

    def on_mount(self) -> None:
        self.query_one(Field).focus()

    def body(self, width: int) -> list[Line]:
        where, style = _where(self._path)
        return [
            *(((one, style),) for one in wrapped(where, width)[:3]),
            (),
            *(((one, "dim" if self._writing else "alarm"),) for one in wrapped(self._said, width)[:4]),
            (("enter", "key"), (" write    ", ""), ("tab", "key"), (" format    ", ""), ("esc", "key"), (" leave", "")),
        ]

    @property
    def _path(self) -> str:
        return self.query_one(Field).value

    def on_key(self, event: events.Key) -> None:
        """A key that was typed before the field had the focus."""
        if event.character is not None and event.is_printable:
            self.query_one(Field).insert_text_at_cursor(event.character)

    def on_input_changed(self) -> None:
        """Another ending: the format that it names."""
        if (suffix := typed_path(self._path).suffix[1:].lower()) in FORMATS:
            self.query_one(OneOf).value = suffix
        self._said = self._said if self._writing else ""
        self.redraw()

    def on_select_changed(self, event: Select.Changed) -> None:
        """Another format: the path ends as it does."""
        stem, dot, suffix = self._path.rpartition(".")
        if dot and suffix in FORMATS:
            field = self.query_one(Field)
            field.value = f"{stem}.{event.value}"
            field.action_end()

    def action_turn(self) -> None:
        names, chosen = list(FORMATS), self.query_one(OneOf)
        chosen.value = names[(names.index(str(chosen.value)) + 1) % len(names)]

    def action_leave(self) -> None:
        """Not before it is written: the file, or why there is none, would never be told."""
        if self._writing:
            self._said = f"still writing{glyphs.ELLIPSIS}"
            self.redraw()
        else:
            super().action_leave()

    def on_input_submitted(self) -> None:
        """Write the report."""
        if self._writing or not self._path.strip():
            return
        target, form = typed_path(self._path), str(self.query_one(OneOf).value)
        try:
            target.absolute().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._said = f"{target.absolute().parent}: cannot be made ({error.strerror}); name another folder"
            self.redraw()
            return
        self._writing, self._said = True, f"writing{glyphs.ELLIPSIS}"
        self.redraw()
        arguments = ["report", "--campaign", self._campaign.id, "--format", form, "--output", os.fspath(target)]
        Child().run(arguments, self._root, partial(self.app.call_later, self._written, target))

    def _written(self, target: Path, out: str, words: str, code: int) -> None:
        self._writing = False
        if code == 0:
            self.dismiss(f"report written to {target.absolute()}")
        else:
            self._said = words or f"lvmtui report ended with code {code}"
            self.redraw()


def _where(text: str) -> tuple[str, str]:
    """What writing to the path that was typed would mean, and the style of saying so."""
    if not text.strip():
        return "type a path", "note"
    target = typed_path(text).absolute()
    try:
        if target.is_dir():
            return "this is a folder; name a file in it", "note"
        if target.exists():
            return "this file is there already and will be replaced", "note"
        if not target.parent.is_dir():
            return f"the folder {target.parent} is not there yet and will be made", "note"
    except OSError:  # a name too long, a folder that may not be entered
        pass
    return f"in {target.parent}", "dim"
