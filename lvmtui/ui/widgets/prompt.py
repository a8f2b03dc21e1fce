"""A line of text that is being typed, and the question it answers at the bottom of a view. Pure.

These are no widgets: keys that are typed faster than a widget is mounted would be taken for orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lvmtui.ui.draw.lines import Line, Piece, plain


@dataclass(frozen=True)
class TextField:
    """A value and a cursor."""

    text: str = ""
    cursor: int = 0
    """Characters before it."""

    def typed(self, key: str, character: str | None) -> TextField | None:
        """The field after a key; None if the key means nothing here."""
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        match key:
            case "backspace":
                return TextField(before[:-1] + after, max(0, self.cursor - 1))
            case "delete":
                return replace(self, text=before + after[1:])
            case "left":
                return replace(self, cursor=max(0, self.cursor - 1))
            case "right":
                return replace(self, cursor=min(len(self.text), self.cursor + 1))
            case "home" | "ctrl+a":
                return replace(self, cursor=0)
            case "end" | "ctrl+e":
                return replace(self, cursor=len(self.text))
            case "ctrl+u":
                return TextField(after, 0)
            case "ctrl+w":
                kept = before.rstrip("/ ")
                kept = kept[: max(kept.rfind("/"), kept.rfind(" ")) + 1]
                return TextField(kept + after, len(kept))
        return self.pasted(character) if character and character.isprintable() else None

    def pasted(self, text: str) -> TextField:
        """The field after `text` was put in at the cursor."""
        text = plain(text.strip("\r\n"))
        return TextField(self.text[: self.cursor] + text + self.text[self.cursor :], self.cursor + len(text))

    def pieces(self, width: int) -> list[Piece]:
        """The field in `width` cells, the cursor in sight."""
        before = self.text[max(0, self.cursor - width + 1) : self.cursor]
        under = self.text[self.cursor : self.cursor + 1]
        return [(before, ""), (under or " ", "cursor"), (self.text[self.cursor + 1 :][: width - len(before) - 1], "")]


@dataclass(frozen=True)
class Prompt:
    """A question, what was typed so far, and who is told."""

    question: str
    answer: Callable[[str], None]
    field: TextField = TextField()

    def typed(self, key: str, character: str | None) -> Prompt | None:
        """The prompt after a key; None once it is answered or left."""
        if key == "escape" or (key == "backspace" and not self.field.text):
            return None
        if key == "enter":
            self.answer(self.field.text)
            return None
        return replace(self, field=self.field.typed(key, character) or self.field)

    def pasted(self, text: str) -> Prompt:
        return replace(self, field=self.field.pasted(text))

    def line(self, width: int) -> Line:
        asked = f" {self.question}: "
        return ((asked, "key"), *self.field.pieces(max(8, width - len(asked) - 1)))
