"""A line to type into, at the bottom of a view. Pure.

It is no widget: keys that are typed faster than a widget is mounted would be taken for orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lvmtui.ui.draw.lines import Line
from lvmtui.ui.widgets.textfield import TextField


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
        return ((asked, "key"), *self.field.pieces(max(8, width - len(asked) - 1), focused=True))
