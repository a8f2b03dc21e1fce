"""A line at the bottom of a view to type into."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input


class Prompt(Input):
    """Enter answers, Esc leaves; it goes either way."""

    DEFAULT_CSS = "Prompt { dock: bottom; height: 1; border: none; padding: 0 1; background: ansi_default; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def __init__(self, question: str, answer: Callable[[str], None]) -> None:
        super().__init__(placeholder=question, compact=True, select_on_focus=False)
        self._answer = answer
        self.cursor_blink = False

    def on_mount(self) -> None:
        self.focus()

    def on_blur(self, event: events.Blur) -> None:
        self.remove()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.remove()
        self._answer(event.value)

    def action_leave(self) -> None:
        self.remove()
