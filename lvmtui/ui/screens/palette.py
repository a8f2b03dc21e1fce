"""Every action by its name, for the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen

from lvmtui.ui.draw.lines import plain
from lvmtui.ui.screens.view import View

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp


@dataclass(frozen=True)
class Action:
    """Something that can be done now."""

    name: str
    hint: str
    """Its key, or a word more."""
    do: Callable[[], object]


class Actions(Provider):
    """Offers the actions. Names hold words from files, so they are passed on as Text: as strings they were markup."""

    async def discover(self) -> Hits:
        for action in actions(cast("LvmApp", self.app), self.screen):
            yield DiscoveryHit(Text(action.name), action.do, action.name, action.hint)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in actions(cast("LvmApp", self.app), self.screen):
            if (score := matcher.match(action.name)) > 0:
                yield Hit(score, Text(action.name), action.do, action.name, action.hint)


def actions(app: LvmApp, screen: Screen[Any]) -> Iterator[Action]:
    """What can be done now, from `screen`."""
    snapshot, orders = app.snapshot, app.orders
    yield Action("Help: all keys", "?", app.action_help)
    if isinstance(screen, View):
        yield from _actions_of(screen)
    if snapshot is not None:
        yield Action("Verdict: the ranked table", "v", app.action_verdict)
        yield Action("Export the report", "e", app.action_export)
        run = snapshot.run(app.selected)
        if run is not None:
            name = plain(f"{run.title} {run.label}")
            yield Action(f"Open {name}", "enter: curves, log, facts, events", app.open_run)
            if not app.read_only:
                yield Action(f"Pause or resume {name}", "p", app.action_pause)
                yield Action(f"Cancel {name}", "x, asks first", app.action_cancel)
                yield Action(f"Cancel {name} at once", "X, asks first", app.action_force)
                yield Action(f"Try {name} again", "r, from its checkpoint or the start", app.action_retry)
                yield Action(f"Start {name} next", "before all others that wait", orders.start_next)
        if not app.read_only:
            yield Action("Pause all", "each writes a checkpoint and leaves", orders.pause_all)
            yield Action("Resume all", "all that were paused", orders.resume_all)
            yield Action("Cancel queued", "all that wait, asks first", orders.cancel_queued)
            yield Action("One more run side by side", "jobs + 1", partial(orders.change_jobs, 1))
            yield Action("One run less side by side", "jobs - 1", partial(orders.change_jobs, -1))
    if not app.read_only:
        yield Action("New campaign", "n", app.action_new)
    for folder in reversed(app.workspace.campaign_dirs()[-20:]):
        if snapshot is None or folder.id != snapshot.state.campaign.id:
            yield Action(f"Open campaign {plain(folder.id)}", "another one here", partial(app.open_campaign, folder.id))
    yield Action("Leave", "q, the runs go on", app.action_leave)


def _actions_of(view: View) -> Iterator[Action]:
    """What the open view does on keys of its own, moving about left out."""
    if view.QUESTION:
        yield Action(view.QUESTION.capitalize(), "/", view.action_ask)
    for binding in view.BINDINGS:
        if isinstance(binding, Binding) and binding.show:
            yield Action(binding.description.capitalize(), binding.key, partial(view.run_action, binding.action))
