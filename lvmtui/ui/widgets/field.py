"""Fields of forms: Textual's, but for what does not do over a slow line or without colours."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Select, SelectionList


async def act_at_once(widget: Widget, event: events.Key) -> None:
    """Do what the widget binds to a key, in the order in which keys were typed.

    Textual looks a key such as ctrl+u up only after the keys that came with it over a slow line have been handled: it
    then deletes the letters that were typed after it, or acts on the field that has got the focus meanwhile.
    """
    for binding in widget._bindings.key_to_bindings.get(event.key, ()):
        event.stop()
        event.prevent_default()
        await widget.run_action(binding.action)


class Field(Input):
    def __init__(
        self, value: str = "", *, placeholder: str = "", id: str | None = None, suggester: Suggester | None = None
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, id=id, suggester=suggester, compact=True, select_on_focus=False
        )

    async def _on_key(self, event: events.Key) -> None:
        await act_at_once(self, event)


class OneOf(Select[str]):
    """One of a few words, of which the first is the default."""

    def __init__(self, words: Sequence[str], names: Sequence[str] = (), *, id: str | None = None) -> None:
        super().__init__(
            zip(names or words, words, strict=True), value=words[0], allow_blank=False, id=id, compact=True
        )

    async def _on_key(self, event: events.Key) -> None:
        if not self.expanded:  # keys of the open list pass through here too
            await act_at_once(self, event)


class Ticks(SelectionList[str]):
    """What is ticked of a list. Textual draws the same X in every box, and tells by its colour alone what is ticked."""

    async def _on_key(self, event: events.Key) -> None:
        await act_at_once(self, event)

    def action_select(self) -> None:
        """Textual's own ticks what is highlighted some keys later."""
        if self.highlighted is not None:
            self.toggle(self.get_option_at_index(self.highlighted).value)

    def render_line(self, y: int) -> Strip:
        strip, at = super().render_line(y), self.scroll_offset.y + y
        if at >= self.option_count:
            return strip
        ticked = self.get_option_at_index(at).value in self.selected
        _, _, _, blank, *name = strip
        return Strip([Segment("[x] " if ticked else "[ ] ", blank.style), *name], strip.cell_length)
