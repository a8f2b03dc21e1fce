"""A field to type into: Textual's, which takes keys in the order in which they were typed."""

from __future__ import annotations

from typing import cast

from textual import events
from textual.binding import Binding
from textual.suggester import Suggester
from textual.widgets import Input

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
