"""Where the report goes: a format and a path, both to be changed before it is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from textual import events

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.system.files import write_output
from lvmtui.ui.child import Child
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, wrapped
from lvmtui.ui.read.files import typed_path
from lvmtui.ui.widgets.dialogs import Dialog
from lvmtui.ui.widgets.textfield import TextField

FORMATS = {"md": "Markdown", "json": "JSON", "csv": "CSV"}


class Export(Dialog[str]):
    """Writes the report with `lvmtui report`; answers with what was written, with "" if nothing was.

    That command renews the reports of the workspace as well; `read_only` leaves those alone.
    """

    def __init__(self, workspace: Workspace, campaign: Campaign, *, read_only: bool = False) -> None:
        super().__init__()
        self._read_only = read_only
        self._campaign = campaign
        self._format = "md"
        self._field = TextField(self._proposed("md")).at_end()
        self._said = ""
        self._root = workspace.root
        self._child = Child()
        self._writing = False

    def _proposed(self, form: str) -> str:
        title = re.sub(r"[^A-Z0-9.]+", "_", self._campaign.title.upper()).strip("_.")[:60]
        return f"{title or 'REPORT'}_{re.sub(r'[^0-9_]', '', self._campaign.stamp)}.{form}"

    def heading(self) -> str:
        return "Export the report"

    def body(self, width: int, height: int) -> list[Line]:
        formats: list[Piece] = [("format  ", "dim")]
        for form, name in FORMATS.items():
            formats += [(f" {name} ", "cursor" if form == self._format else ""), ("  ", "")]
        path: list[Piece] = [("path    ", "dim"), *self._field.pieces(width - 8, focused=True)]
        where, style = _where(self._field.text)
        said, said_style = ("writing" + glyphs.ELLIPSIS, "dim") if self._writing else (self._said, "alarm")
        return [
            tuple(formats),
            tuple(path),
            *((("        " + one, style),) for one in wrapped(where, width - 8)[:3]),
            (),
            *(((one, said_style),) for one in wrapped(said, width)[:4]),
            (("enter", "key"), (" write    ", ""), ("tab", "key"), (" format    ", ""), ("esc", "key"), (" leave", "")),
        ]

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        match event.key:
            case "escape":
                self._child.stop()
                self.dismiss("")
                return
            case "enter":
                self._write()
            case "tab" | "shift+tab":
                names = list(FORMATS)
                before = self._format
                self._format = names[(names.index(before) + (1 if event.key == "tab" else -1)) % len(names)]
                stem = self._field.text.removesuffix(f".{before}")
                if stem != self._field.text:
                    self._field = TextField(f"{stem}.{self._format}").at_end()
            case _:
                self._field = self._field.typed(event.key, event.character) or self._field
                self._said = ""
        self.redraw()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._field = self._field.pasted(event.text)
        self.redraw()

    def _write(self) -> None:
        if self._writing or not self._field.text.strip():
            return
        target = typed_path(self._field.text)
        suffix = target.suffix.removeprefix(".").lower()
        form = suffix if suffix in FORMATS else self._format
        try:
            target.absolute().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._said = f"{target.absolute().parent}: cannot be made ({error.strerror}); name another folder"
            return
        self._writing = True
        output = "-" if self._read_only else os.fspath(target)
        arguments = ["report", "--campaign", self._campaign.id, "--format", form, "--output", output]

        def done(out: str, words: str, code: int) -> None:
            if self._read_only and code == 0:
                try:
                    write_output(target, out.encode())
                except OSError as error:
                    words, code = f"{target}: cannot be written ({error.strerror}); name another file", 2
            self.app.call_later(self._written, target, words, code)

        self._child.run(arguments, self._root, done)

    def _written(self, target: Path, words: str, code: int) -> None:
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
