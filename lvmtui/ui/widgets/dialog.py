"""What dialogs have in common: a box of lines in the middle of the screen, drawn by one canvas."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from lvmtui.ui.draw.lines import Line, Piece, framed
from lvmtui.ui.screens.view import trouble
from lvmtui.ui.widgets.canvas import Canvas

Result = TypeVar("Result")


class Dialog(ModalScreen[Result], Generic[Result]):
    """A frame with a title. Subclasses say what is in it in `body`."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog Canvas { width: auto; height: auto; }
    """
    AUTO_FOCUS = ""
    WIDEST = 76

    def compose(self) -> ComposeResult:
        yield Canvas()

    def body(self, width: int, height: int) -> list[Line]:
        """What stands in the frame, in at most `width` x `height` cells."""
        raise NotImplementedError

    def heading(self) -> str:
        raise NotImplementedError

    def foot(self) -> str:
        """What stands in the lower edge, once the body is known."""
        return ""

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the box, as large as it must be."""
        width = min(self.WIDEST, self.app.size.width)
        try:
            lines = self.body(width - 4, self.app.size.height - 2)
        except Exception as error:
            lines = [(trouble(error),)]
        title: list[Piece] = [(self.heading(), "heading")]
        foot: list[Piece] = [(self.foot(), "note")] if self.foot() else []
        drawn = framed(title, [], lines[: self.app.size.height - 2], width, heavy=True, foot=foot)
        canvas = self.query_one(Canvas)
        canvas.styles.width, canvas.styles.height = width, len(drawn)
        canvas.draw(drawn)
