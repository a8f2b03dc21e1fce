"""A question before something that cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from lvmtui.ui.draw.lines import Line, Piece, wrapped
from lvmtui.ui.widgets.dialog import Dialog

Choice = tuple[str, str]
"""Key and what it means."""


class Ask(Dialog[str]):
    """Shows a few lines and the choices; answers with the key chosen, with "" for the harmless way out.

    Enter takes the harmless way, or the choice whose key is `enter`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "keep", "keep it", show=False),
        Binding("enter", "enter", "as offered", show=False),
    ]

    def __init__(
        self, title: str, lines: Sequence[str], choices: Sequence[Choice], keep: str, *, enter: str = ""
    ) -> None:
        super().__init__()
        self._title, self._body, self._choices, self._keep, self._enter = title, lines, choices, keep, enter

    def heading(self) -> str:
        return self._title

    def body(self, width: int, height: int) -> list[Line]:
        lines: list[Line] = [((part, ""),) for text in self._body for part in wrapped(text, width)]
        pieces: list[Piece] = []
        for key, does in self._choices:
            pieces += [(key, "key"), (f" {does}{' (enter)' if key == self._enter else ''}    ", "")]
        pieces += [("n", "key"), (f" {self._keep} ({'esc' if self._enter else 'enter'})", "")]
        return [*lines[: max(0, height - 2)], (), tuple(pieces)]

    def on_key(self, event: events.Key) -> None:
        for key, _ in self._choices:
            if event.character == key:
                event.stop()
                self.dismiss(key)

    def action_enter(self) -> None:
        self.dismiss(self._enter)

    def action_keep(self) -> None:
        self.dismiss("")
