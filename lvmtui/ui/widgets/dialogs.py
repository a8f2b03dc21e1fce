"""Dialogs: a framed box in the middle of the screen, and the question asked before an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from lvmtui.ui.draw.lines import Line, Piece, plain, wrapped
from lvmtui.ui.widgets.canvas import Canvas

Result = TypeVar("Result")


class Dialog(ModalScreen[Result], Generic[Result]):
    """A box with a title. Subclasses fill it in `compose_box`, or draw its text in `body`. Esc leaves it: no result."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(plain(self._title))
            yield from self.compose_box()

    def compose_box(self) -> ComposeResult:
        yield Canvas(id="text")

    def body(self, width: int) -> list[Line]:
        raise NotImplementedError

    def on_mount(self) -> None:
        self.redraw()

    def action_leave(self) -> None:
        self.dismiss(None)

    def redraw(self) -> None:
        for text in self.query("#text").results(Canvas):
            text.paint(lambda width, height: self.body(width))


class AskDialog(Dialog[str]):
    """A question with choices, each a key and what it does. Its result is that key; none if all is to stay as it is.

    Enter keeps everything as it is, or takes the choice whose key is `enter`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,q", "leave", "keep it", show=False),
        Binding("enter", "enter", "as offered", show=False),
    ]

    def __init__(
        self, title: str, lines: Sequence[str], choices: Sequence[tuple[str, str]], keep: str, *, enter: str = ""
    ) -> None:
        super().__init__(title)
        self._body, self._choices, self._keep, self._enter = lines, choices, keep, enter

    def compose_box(self) -> ComposeResult:
        yield Canvas(id="text")
        yield Canvas(id="choices")

    def on_mount(self) -> None:
        self.query_one("#choices", Canvas).paint(lambda width, height: [(), self._choice_line()])

    def body(self, width: int) -> list[Line]:
        return [((part, ""),) for text in self._body for part in wrapped(text, width)]

    def _choice_line(self) -> Line:
        pieces: list[Piece] = []
        for key, does in self._choices:
            pieces += [(key, "key"), (f" {does}{' (enter)' if key == self._enter else ''}    ", "")]
        return (*pieces, ("n", "key"), (f" {self._keep} ({'esc' if self._enter else 'enter'})", ""))

    def on_key(self, event: events.Key) -> None:
        for key, _ in self._choices:
            if event.character == key:
                event.stop()
                self.dismiss(key)

    def action_enter(self) -> None:
        self.dismiss(self._enter)
