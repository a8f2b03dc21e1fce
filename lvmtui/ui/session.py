"""What views, dialogs and orders may know of the program around them. `app.LvmApp` is the one that provides it.

Views get a `Session` when they are made. So they can be read and tested without the app, and nothing imports in a
circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from textual.screen import Screen
from textual.theme import Theme

from lvmtui.formats.paths import Workspace
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot

Result = TypeVar("Result")


class RunOrders(Protocol):
    """Orders that the palette offers and that have no key."""

    def start_next(self) -> None: ...
    def pause_all(self) -> None: ...
    def resume_all(self) -> None: ...
    def cancel_queued(self) -> None: ...
    def change_jobs(self, by: int) -> None: ...


class Session(Protocol):
    """One screen over one workspace."""

    selected: str
    """Name of the selected run; the same one in every view."""

    @property
    def workspace(self) -> Workspace: ...

    @property
    def read_only(self) -> bool: ...

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest picture of the campaign; None: there is no campaign."""

    @property
    def reading(self) -> bool:
        """True until there is a first snapshot of a campaign that takes a while to read."""

    @property
    def words(self) -> str:
        """What the last line says for a moment."""

    @property
    def available_themes(self) -> Mapping[str, Theme]:
        """Colours that can be taken, by name."""

    def use_theme(self, name: str) -> None: ...

    @property
    def run_orders(self) -> RunOrders: ...

    @property
    def offered(self) -> tuple[str, ...]:
        """The orders that make sense for the selected run now."""

    @property
    def parting(self) -> str:
        """What happens to the runs when the screen is left."""

    def key_words(self, action: str, words: str) -> str:
        """What the key of an action does now; empty where it does nothing."""

    # -- words on the last line ----------------------------------------------------------------------------------------

    def say(self, words: str) -> None: ...
    def hush(self) -> None: ...
    def hush_read(self) -> None: ...

    # -- what is shown -------------------------------------------------------------------------------------------------

    def set_visible(self, selected: str, visible: Iterable[str] = ()) -> None:
        """The run whose log is shown, and the runs that are on the screen."""

    def select_model(self, model: ModelFacts) -> None: ...
    def open_run(self) -> None: ...
    def open_campaign(self, campaign: str | None) -> None: ...
    def look_soon(self) -> None:
        """Have everything read again, from any thread."""

    def push_screen(self, screen: Screen[Result], callback: Callable[[Result | None], Any] | None = None) -> Any: ...
    def call_later(self, callback: Callable[..., Any], *arguments: Any) -> Any: ...

    # -- actions, also offered by the palette --------------------------------------------------------------------------

    def action_help(self) -> None: ...
    def action_verdict(self) -> None: ...
    def action_export(self) -> None: ...
    def action_new(self) -> None: ...
    def action_campaigns(self) -> None: ...
    def action_pause(self) -> None: ...
    def action_cancel(self) -> None: ...
    def action_force(self) -> None: ...
    def action_retry(self) -> None: ...
    def action_trouble(self) -> None: ...
    def action_colours(self) -> None: ...
    def action_leave(self) -> None: ...
