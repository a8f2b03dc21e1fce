"""Orders: pause, resume, cancel, retry, and the queue. They write what is wanted; a supervisor makes it so.

Which runs are meant, and whether the order makes sense for them, is decided here for the screen and the commands
alike. An order that makes no sense for one run of many is passed over and said; for the only one it is an error.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from lvmtui.formats.campaign import write_campaign_intent
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.started_with import differences, read_started_with, started_with_now, write_started_with
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView, supervisor_of
from lvmtui.state.status import ALIVE, Phase
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.files import replace_file
from lvmtui.system.permissions import first_unwritable, may_order, name_of, who

ALL = "all"


# Which runs -----------------------------------------------------------------------------------------------------------


def select(state: CampaignState, names: Sequence[str]) -> list[RunView]:
    """The runs meant by `names`, each once, in the order of the names, and of the campaign where one means several.

    A name is a model (`gru`), model and arm (`gru/expanded`, `gru/23k`), those and a seed (`gru/23k/s2`), the name of
    a run folder, or `all`. Raises UserError for a name that means nothing, with the nearest one that does.
    """
    meaning = _names(state)
    chosen: dict[str, RunView] = {}
    for name in names:
        runs = meaning.get(name.strip().rstrip("/").lower())
        if runs is None:
            raise unknown("run", name, (n for n in meaning if n.count("/") < 2))
        for view in state.runs:
            if view.planned.run in runs:
                chosen.setdefault(view.planned.run, view)
    return list(chosen.values())


def _names(state: CampaignState) -> dict[str, set[str]]:
    """Every word that means runs, in lower case, and the runs it means."""
    meaning: dict[str, set[str]] = {ALL: set()}
    for view in state.runs:
        planned = view.planned
        arms = (planned.arm, state.campaign.arm(planned.arm).label)
        words = [ALL, planned.run]
        for model in (planned.model, title_of(planned.model)):  # as commands name it, and as it is shown
            words += [model, *(f"{model}/{arm}" for arm in arms)]
            words += [f"{model}/{arm}/{seed}" for arm in arms for seed in (planned.seed, f"s{planned.seed}")]
        for word in words:
            meaning.setdefault(word.lower(), set()).add(planned.run)
    return meaning


# What is ordered ------------------------------------------------------------------------------------------------------


def pause(views: Sequence[RunView]) -> list[str]:
    """Checkpoint, free the memory, leave; a run that waits is not started. Returns a line a run. Raises UserError."""
    return _order(views, "pause", "is to be paused", why_not_pause)


def resume(views: Sequence[RunView]) -> list[str]:
    """Go on where it was paused, when its turn comes. Returns a line a run. Raises UserError."""
    return _order(views, "run", "goes on when its turn comes", why_not_resume)


def cancel(views: Sequence[RunView], *, force: bool = False) -> list[str]:
    """End runs; `force`: without waiting for them to leave. Returns a line a run. Raises UserError."""
    words = "is killed" if force else "is to be cancelled"
    return _order(views, "cancel", words, lambda view: why_not_cancel(view, force=force), force=force)


def retry(views: Sequence[RunView], *, from_start: bool = False) -> list[str]:
    """Try runs again that are over without having finished. Returns a line a run. Raises UserError.

    From the last good checkpoint, or `from_start`: what was learned is forgotten.
    """

    def words(view: RunView) -> str:
        kept = view.state is not None and view.state.trainer.checkpoint is not None and not from_start
        return f"is tried again from {'its last checkpoint' if kept else 'the start'}"

    lines = _order(views, "run", words, lambda view: why_not_retry(view, from_start=from_start), from_start=from_start)
    return [*lines, *_use_this_shell(views)]


def _use_this_shell(views: Sequence[RunView]) -> list[str]:
    """Have the campaigns of these runs start them with this process's Python and variables. Returns what changes."""
    now = started_with_now(os.environ)
    lines = []
    for folder in {Workspace(v.folder.workspace).campaign(v.state.spec.campaign) for v in views if v.state}:
        before = read_started_with(folder.started_with)
        changed = differences(before, now)
        if changed and folder.campaign.exists():
            _write(folder.path, partial(write_started_with, folder.started_with, now))
            if before is not None:
                lines.append(f"{folder.id}: its runs are started with what this shell has from now on: {changed}")
    return lines


def why_not_pause(view: RunView) -> str:
    """Why pausing this run makes no sense; empty if it does. Pure, as those below."""
    if over := _why_over(view):
        return over
    if view.status.phase in (Phase.PAUSED, Phase.PAUSING):
        return f"is {view.status.phase.value} already"
    return ""


def why_not_resume(view: RunView) -> str:
    """Why it cannot be resumed."""
    if view.status.phase is not Phase.FINISHED and view.status.over and view.state is not None:
        return f"{_is(view)}; 'lvmtui retry' starts it again"
    if over := _why_over(view):
        return over
    if view.state is not None and view.state.intent.want == "run":
        return "is not paused"
    return ""


def why_not_cancel(view: RunView, *, force: bool = False) -> str:
    """Why it cannot be cancelled."""
    if over := _why_over(view):
        return over
    if view.status.phase is Phase.CANCELLING and not force:
        return "is being cancelled already; --force does not wait for it"
    return ""


def why_not_retry(view: RunView, *, from_start: bool = False) -> str:
    """Why it cannot be tried again."""
    phase = view.status.phase
    if view.state is None or not view.planned.trained_here or phase is Phase.FINISHED:
        return _why_over(view)
    if phase is Phase.UNKNOWN:
        return f"{view.status.reason}, which cannot be looked at from here; cancel or pause it, or retry it there"
    if phase is Phase.CANCELLING or (phase in ALIVE and phase is not Phase.STALLED):
        return "runs; pause or cancel it first"
    if phase in (Phase.PAUSED, Phase.QUEUED) and not from_start:
        return f"is {phase.value}" + ("; 'lvmtui resume' goes on with it" if phase is Phase.PAUSED else "")
    return ""


def _why_over(view: RunView) -> str:
    if not view.planned.trained_here:
        return "was trained before, in another campaign"
    if view.state is None:
        return f"cannot be read: {view.fault}"
    return _is(view) if view.status.over else ""


def _is(view: RunView) -> str:
    phase = view.status.phase
    return {Phase.FAILED: "has failed", Phase.DIVERGED: "has diverged", Phase.FINISHED: "has finished"}.get(
        phase, f"is {phase.value}"
    )


def _order(
    views: Sequence[RunView],
    want: Want,
    words: str | Callable[[RunView], str],
    why_not: Callable[[RunView], str],
    **options: bool,
) -> list[str]:
    lines = []
    for view in views:
        if reason := why_not(view):
            if len(views) == 1:
                raise UserError(f"{view.planned.run}: {reason}")
            lines.append(f"{view.planned.run}: passed over, it {reason}")
            continue
        _write(view.folder.path, partial(write_intent, view.folder.intent, want, by=who(), **options))
        lines.append(f"{view.planned.run}: {words if isinstance(words, str) else words(view)}")
        if want == "run" and (fault := _unwritable(view.folder)):
            lines.append(f"{view.planned.run}: but {fault}")
    for workspace in {Workspace(view.folder.workspace) for view in views}:
        ring(workspace)
    return lines


def _unwritable(folder: RunDir) -> str:
    """Why the trainer and the supervisor that we start could not write the run's logs; empty: they could, or somebody
    else's supervisor starts it."""
    supervisor = supervisor_of(Workspace(folder.workspace))
    with suppress(OSError):
        if supervisor is not None and os.stat(f"/proc/{supervisor.pid}").st_uid != os.geteuid():
            return ""
    return first_unwritable(folder.logs)


# The queue ------------------------------------------------------------------------------------------------------------


def set_jobs(state: CampaignState, jobs: int) -> str:
    """Change how many runs go side by side; those that run now go on. Raises UserError."""
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least 1 run must be allowed; 'lvmtui pause all' stops them all")
    _write(state.dir.path, partial(write_campaign_intent, state.dir.intent, by=who(), jobs=jobs))
    return f"{state.campaign.id}: up to {jobs} side by side"


def set_order(state: CampaignState, first: Iterable[RunView]) -> str:
    """Put runs first in the queue; the others follow as they did. Raises UserError."""
    over = {view.planned.run: _why_over(view) for view in first}
    names = tuple(name for name, reason in over.items() if not reason)
    if not names:
        told = "; ".join(f"{name} {reason}" for name, reason in over.items())
        raise UserError(f"--first: {told}; only what is still to run has a place in the queue")
    later = tuple(name for name in state.intent.order if name not in names)
    order = (*names, *later)
    _write(state.dir.path, partial(write_campaign_intent, state.dir.intent, by=who(), order=order))
    return f"{state.campaign.id}: {', '.join(names)} first"


def ring(workspace: Workspace) -> None:
    """Tell the supervisor, on whatever host, that there are orders: it looks at one file instead of one a run."""
    with suppress(OSError):  # it looks at every run now and then all the same
        replace_file(workspace.bell, secrets.token_hex(8).encode() + b"\n", durable=False)


def _write(folder: Path, write: Callable[[], object]) -> None:
    """Write an order, if it would be followed. Raises UserError."""
    try:
        allowed = may_order(os.geteuid(), folder)
        if allowed:
            write()
    except OSError as error:
        raise UserError(f"{folder}: the order cannot be written ({error.strerror or error})") from None
    if not allowed:
        owner = name_of(folder.stat().st_uid)
        raise UserError(
            f"{folder}: orders are taken from {owner}, or from its group if the folder's mode lets it write"
        )
