"""A question before something that cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from lvmtui.ui.line import Line, Piece, wrapped
from lvmtui.ui.modal import Dialog

Choice = tuple[str, str]
"""Key and what it means."""


class Ask(Dialog[str]):
    """Shows a few lines and the choices; answers with the key chosen, with "" for the harmless way out."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,n,q", "keep", "keep it", show=False)]

    def __init__(self, title: str, lines: Sequence[str], choices: Sequence[Choice], keep: str) -> None:
        super().__init__()
        self._title, self._body, self._choices, self._keep = title, lines, choices, keep

    def heading(self) -> str:
        return self._title

    def body(self, width: int, height: int) -> list[Line]:
        lines: list[Line] = [((part, ""),) for text in self._body for part in wrapped(text, width)]
        pieces: list[Piece] = []
        for key, does in self._choices:
            pieces += [(key, "key"), (f" {does}    ", "")]
        pieces += [("n", "key"), (f" {self._keep} (enter)", "")]
        return [*lines[: max(0, height - 2)], (), tuple(pieces)]

    def on_key(self, event: events.Key) -> None:
        for key, _ in self._choices:
            if event.character == key:
                event.stop()
                self.dismiss(key)

    def action_keep(self) -> None:
        self.dismiss("")
