"""Every action by its name, for the command palette (ctrl+p)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from rich.text import Text
from textual.app import SystemCommand as Action
from textual.binding import Binding
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.css.query import NoMatches

from lvmtui.state.status import Phase
from lvmtui.ui.draw.lines import plain
from lvmtui.ui.screens.view import View

IN_HELP = 0.5
"""Weight of a match in the help, against one in the name."""


class ActionPalette(CommandPalette):
    """Textual's palette, which ends the program if it is left while it searches (Textual 8.2.8)."""

    def _watch__list_visible(self) -> None:
        with suppress(NoMatches):
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        with suppress(NoMatches):
            await super()._watch__show_busy()


class Actions(Provider):
    """Offers the actions. Names hold text from files, so they are passed as Text: a string would be read as markup."""

    async def discover(self) -> Hits:
        for action in self._actions():
            yield DiscoveryHit(Text(action.title), action.callback, action.title, action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in self._actions():
            score = max(matcher.match(action.title), IN_HELP * matcher.match(action.help))
            if score > 0:
                yield Hit(score, Text(action.title), action.callback, action.title, action.help)

    def _actions(self) -> Iterator[Action]:
        """The palette opens over views only: dialogs keep their keys to themselves."""
        return actions(self.screen) if isinstance(self.screen, View) else iter(())


def actions(view: View) -> Iterator[Action]:
    """What can be done now, from `view`. The help of each is its key and a few words; the search looks there too."""
    session, snapshot = view.ui, view.snapshot
    yield Action("Help: all keys", "?", session.action_help)
    yield from _actions_of(view)
    if snapshot is not None:
        yield Action("Verdict: the ranked table", "v: answer, ranking, caveats", session.action_verdict)
        yield Action("Export the report", "e: write Markdown, HTML, JSON or CSV to a file", session.action_export)
        yield Action("Select what is wrong", "!: next run with an alarm, failed or stalled", session.action_trouble)
        run = snapshot.run(session.selected)
        if run is not None:
            name = plain(f"{run.title} {run.label}")
            yield Action(f"Open {name}", "enter: curves, log, facts, events", session.open_run)
            can = set(session.offered)
            of_run = (
                ({"pause", "suspend", "resume"}, f"Pause or resume {name}", "p", session.action_pause),
                ({"cancel"}, f"Cancel {name}", "x: stop it, asks first", session.action_cancel),
                ({"kill"}, f"Cancel {name} at once", "X: kill it, asks first", session.action_force),
                ({"retry", "restart"}, f"Try {name} again", "r: from its checkpoint or anew", session.action_retry),
            )
            yield from (Action(words, hint, do) for needed, words, hint, do in of_run if needed & can)
            if run.phase is Phase.QUEUED and can:
                yield Action(f"Start {name} next", "first in the queue of waiting runs", session.run_orders.start_next)
        if not session.read_only:
            orders = session.run_orders
            yield Action("Pause all", "each run writes a checkpoint and leaves", orders.pause_all)
            yield Action("Resume all", "all paused runs go on", orders.resume_all)
            yield Action("Cancel queued", "all runs that wait in the queue, asks first", orders.cancel_queued)
            more, less = partial(orders.change_jobs, 1), partial(orders.change_jobs, -1)
            yield Action("One more run at once", "jobs + 1: parallel runs side by side", more)
            yield Action("One run less at once", "jobs - 1: parallel runs side by side", less)
    if not session.read_only:
        yield Action("New campaign", "n: choose data and models, see the plan, start", session.action_new)
    yield Action("Campaigns", "c: list and open another of the campaigns in this workspace", session.action_campaigns)
    hint = "theme: the terminal's own colours, for a light or a dark terminal"
    yield Action("Colours: light or dark", hint, session.action_colours)
    for name in session.available_themes:
        yield Action(f"Theme {name}", "colours of the screen", partial(setattr, session, "theme", name))
    yield Action("Leave", f"q: quit the screen, the {session.parting}", session.action_leave)


def _actions_of(view: View) -> Iterator[Action]:
    """What the open view does on its own keys, except for moving about."""
    if view.QUESTION:
        yield Action(view.QUESTION.capitalize(), "/", view.action_ask)
    for binding in view.BINDINGS:
        if isinstance(binding, Binding) and binding.show and binding.action not in ("ask", "open"):
            name = (binding.tooltip or binding.description).capitalize()
            yield Action(name, binding.key, partial(view.run_action, binding.action))
