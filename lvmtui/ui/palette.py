"""Every action by its name, for the command palette."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.app import SystemCommand

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp


def commands(app: LvmApp) -> Iterable[SystemCommand]:
    """What can be done now."""
    snapshot = app.snapshot
    yield SystemCommand("Help: all keys", "?", app.action_help)
    if snapshot is not None:
        yield SystemCommand("Verdict: the ranked table", "v", app.action_verdict)
        yield SystemCommand("Export the report", "e", app.action_export)
        run = snapshot.run(app.selected)
        if run is not None:
            name = f"{run.title} {run.label}"
            yield SystemCommand(f"Open {name}", "enter: curves, log, facts, events", app.open_run)
            if not app.read_only:
                yield SystemCommand(f"Pause or resume {name}", "p", app.action_pause)
                yield SystemCommand(f"Cancel {name}", "x, asks first", app.action_cancel)
                yield SystemCommand(f"Cancel {name} at once", "X, asks first", app.action_force)
                yield SystemCommand(f"Try {name} again", "r, from its checkpoint or the start", app.action_retry)
                yield SystemCommand(f"Start {name} next", "before all others that wait", app.orders.start_next)
        if not app.read_only:
            yield SystemCommand("Pause all", "each writes a checkpoint and leaves", app.orders.pause_all)
            yield SystemCommand("Resume all", "all that were paused", app.orders.resume_all)
            yield SystemCommand("Cancel queued", "all that wait, asks first", app.orders.cancel_queued)
            yield SystemCommand("One more run side by side", "jobs + 1", lambda: app.orders.change_jobs(1))
            yield SystemCommand("One run less side by side", "jobs - 1", lambda: app.orders.change_jobs(-1))
    if not app.read_only:
        yield SystemCommand("New campaign", "n", app.action_new)
    for folder in reversed(app.workspace.campaign_dirs()[-20:]):
        if snapshot is None or folder.id != snapshot.state.campaign.id:
            yield SystemCommand(f"Open campaign {folder.id}", "another one of this workspace", app.opener(folder.id))
    yield SystemCommand("Leave", "q, the runs go on", app.action_leave)
