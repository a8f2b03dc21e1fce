"""Dialogs: a framed box of lines in the middle of the screen, and the question asked before an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from lvmtui.ui.draw.lines import Line, Piece, framed, wrapped
from lvmtui.ui.faults import fault_line
from lvmtui.ui.widgets.canvas import Canvas

Result = TypeVar("Result")


class Dialog(ModalScreen[Result], Generic[Result]):
    """A frame with a title. Subclasses provide `heading` and `body`."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog Canvas { width: auto; height: auto; }
    """
    AUTO_FOCUS = ""
    WIDEST = 76

    def compose(self) -> ComposeResult:
        yield Canvas()

    def body(self, width: int, height: int) -> list[Line]:
        """What is in the frame, in at most `width` x `height` cells."""
        raise NotImplementedError

    def heading(self) -> str:
        raise NotImplementedError

    def foot(self) -> str:
        """What is written in the lower edge. Asked after `body`."""
        return ""

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the box, as large as its content."""
        width = min(self.WIDEST, self.app.size.width)
        try:
            lines = self.body(width - 4, self.app.size.height - 2)
        except Exception as error:
            lines = [(fault_line(error),)]
        title: list[Piece] = [(self.heading(), "heading")]
        foot: list[Piece] = [(self.foot(), "note")] if self.foot() else []
        drawn = framed(title, [], lines[: self.app.size.height - 2], width, heavy=True, foot=foot)
        canvas = self.query_one(Canvas)
        canvas.styles.width, canvas.styles.height = width, len(drawn)
        canvas.draw(drawn)


Choice = tuple[str, str]
"""Key, and what it does."""


class Ask(Dialog[str]):
    """A question with choices. Its result is the key of the choice; "" if everything is to stay as it is.

    Enter keeps everything as it is, or takes the choice whose key is `enter`.
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
