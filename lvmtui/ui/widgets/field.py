"""Fields of forms: Textual's, but for what does not do over a slow line or without colours."""

from __future__ import annotations

from typing import cast

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import Input, SelectionList

EDITING = {
    key: binding.action
    for binding in cast("list[Binding]", Input.BINDINGS)
    for key in binding.key.split(",")
    if binding.action != "submit"
}


class Field(Input):
    """Textual looks a key such as ctrl+u up only after the letters that came with it over a slow line are inserted, and
    then deletes them. Here such keys act at once."""

    def __init__(
        self, value: str = "", *, placeholder: str = "", id: str | None = None, suggester: Suggester | None = None
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, id=id, suggester=suggester, compact=True, select_on_focus=False
        )

    async def _on_key(self, event: events.Key) -> None:
        action = EDITING.get(event.key)
        if action is None:
            await super()._on_key(event)
        else:
            event.stop()
            event.prevent_default()
            await self.run_action(action)


class Ticks(SelectionList[str]):
    """Textual draws the same X in every box, and tells by its colour alone what is ticked."""

    def render_line(self, y: int) -> Strip:
        strip, at = super().render_line(y), self.scroll_offset.y + y
        if at >= self.option_count:
            return strip
        ticked = self.get_option_at_index(at).value in self.selected
        box = zip(("[", "x" if ticked else " ", "]"), strip, strict=False)
        return Strip([*(Segment(text, segment.style) for text, segment in box), *list(strip)[3:]], strip.cell_length)
