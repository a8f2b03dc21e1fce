"""The last line: the keys that do something now. Textual's footer, in the order that the open view names."""

from __future__ import annotations

from typing import Protocol

from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from lvmtui.ui.session import Session


class HasKeys(Protocol):
    """What the footer asks of the open view."""

    KEYS: tuple[str, ...]
    ui: Session


class Keys(Footer):
    """Shows the actions named in the view's `KEYS` that can be done now. Each has its name as a class, so the style
    sheet says which give way where the terminal is narrow."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        view: HasKeys = self.screen  # type: ignore[assignment]
        found = {name_of(key.action): key for key in super().compose() if isinstance(key, FooterKey)}
        for name in view.KEYS:
            if name in found and (words := view.ui.key_words(name, found[name].description)):
                found[name].description = words
                found[name].add_class(f"-{name}")
                yield found[name]


def name_of(action: str) -> str:
    """`pane(1)` is the action `pane`, `app.help` is `help`."""
    return action.partition("(")[0].rpartition(".")[2]
