"""Orders: pause, resume, cancel, retry, and the queue. An order is a file; a supervisor carries it out.

Which runs a name means, and which orders a run allows, is decided here for the screen and the commands alike. An order
for many runs skips those that do not allow it and says so; for a single run that is an error.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import get_args

from lvmtui.formats.campaign import read_campaign, write_campaign_intent
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.started_with import StartedWith, differences, started_with_now
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView, supervisor_of
from lvmtui.state.status import ALIVE, FAILURES, PHASES, Order, Phase
from lvmtui.supervisor.engine import kind
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.files import replace_file
from lvmtui.system.permissions import first_unwritable, may_order, user_name, who

ALL = "all"
ALSO = {"baseline": "small", "expanded": "large"}
"""What people call the two arms of a pair, unless a size is labelled so."""
UNPROMISED = "has told of no checkpoint, and its [trainers.NAME] promises none (checkpoints = true)"


# Which runs -----------------------------------------------------------------------------------------------------------


def select(state: CampaignState, names: Sequence[str]) -> list[RunView]:
    """The runs that `names` mean, each once, in the order of the names; runs of one name in the campaign's order.

    A name is a model (`gru`, in one of several contexts `gru@20`), model and arm (`gru/23k`, `gru/expanded`,
    `gru/large`), model, arm and seed (`gru/23k/s2`), a run folder by its name or path, or `all`. Raises UserError for
    an unknown name and suggests the nearest one.
    """
    meaning = _names(state)
    chosen: dict[str, RunView] = {}
    for name in names:
        runs = meaning.get(name.strip().rstrip("/").lower())
        if runs is None:
            nothing = "nothing was changed: " if len(names) > 1 else ""
            raise unknown(f"{nothing}run", name, (n for n in meaning if n.count("/") < 2))
        chosen |= {view.planned.run: view for view in runs}
    return list(chosen.values())


def _names(state: CampaignState) -> dict[str, list[RunView]]:
    """Every name in lower case, and the runs it means, in the campaign's order; the same run may be there twice."""
    meaning: dict[str, list[RunView]] = {ALL: []}
    labels = {arm.label for arm in state.campaign.arms.values()}
    for view in state.runs:
        planned = view.planned
        arms = [planned.arm, state.campaign.arm(planned.arm).label]
        arms += [word for arm, word in ALSO.items() if arm == planned.arm and word not in labels]
        words = [ALL, planned.run, planned.folder, str(view.folder.path)]
        alone = planned.model.partition("@")[0]  # without the context: in all contexts
        named = [(name, title_of(name, state.campaign.titles)) for name in (planned.model, alone)]
        for model in chain.from_iterable(named):  # as in commands, and as on the screen
            words += [model, *(f"{model}/{arm}" for arm in arms)]
            words += [f"{model}/{arm}/{seed}" for arm in arms for seed in (planned.seed, f"s{planned.seed}")]
        for word in words:
            meaning.setdefault(word.lower(), []).append(view)
    return meaning


# Which orders a run allows --------------------------------------------------------------------------------------------


def allowed(view: RunView) -> tuple[Order, ...]:
    """The orders this run allows now, in a fixed order. The screen's key hints show exactly these."""
    return tuple(order for order in get_args(Order) if not why_not(order, view))


def why_not(order: Order, view: RunView) -> str:
    """Why this order cannot be given to this run, to be read after the run's name; empty if it can. Pure."""
    phase = view.status.phase
    if not view.planned.trained_here:
        imported = view.state is not None and view.state.spec.history
        return "was imported, not trained by lvmtui" if imported else "was trained before, in another campaign"
    if view.state is None:
        return f"cannot be read: {view.status.reason}"
    if order not in PHASES[phase].orders:
        return _why_not_in(order, view)
    wanted = view.state.intent.want
    if wanted == "cancel" and order in ("pause", "resume", "cancel") and not view.status.over:
        return _CANCELLING[order]
    if order == "restart" and phase in (Phase.QUEUED, Phase.PAUSED) and not view.state.trainer.attempts:
        return "has not begun"
    if order in ("pause", "suspend") and wanted == "pause":
        return "is to be paused already"
    if order == "resume" and wanted != "pause":
        return "is not paused"
    if order in ("pause", "suspend") and order != halting(view):
        return "writes checkpoints; pause it" if order == "suspend" else f"{UNPROMISED}; suspend it"
    return ""


def halting(view: RunView) -> Order:
    """What halts this run for a while: `pause` frees its memory; what cannot write a checkpoint is suspended."""
    return "pause" if view.state is None or view.state.can_pause or view.status.phase not in ALIVE else "suspend"


_CANCELLING: Mapping[Order, str] = {
    "pause": "is being cancelled; once it has ended, 'lvmtui retry' starts it again",
    "resume": "is being cancelled; once it has ended, 'lvmtui retry' starts it again",
    "cancel": "is being cancelled already; --force does not wait for it",
}


def _why_not_in(order: Order, view: RunView) -> str:
    """Why the run's phase does not allow the order."""
    phase = view.status.phase
    again = order in ("retry", "restart")
    if phase is Phase.CANCELLING and order in _CANCELLING:
        return _CANCELLING[order]
    if phase is Phase.UNKNOWN and again:
        return f"{view.status.reason}, which cannot be inspected from here; cancel or pause it, or retry it there"
    if phase in ALIVE and again:
        leave = "pause or cancel" if halting(view) == "pause" else "cancel"
        wait = f", or wait until it is called stalled ({said})" if (said := view.status.no_step_words) else ""
        return f"is {'suspended' if phase is Phase.SUSPENDED else 'alive'}; {leave} it first{wait}"
    if view.status.over:
        if phase is Phase.FINISHED:
            return "has finished" + ("; a new campaign trains it again" if again else "")
        return _is(phase) + ("; 'lvmtui retry' starts it again" if order == "resume" else "")
    if order in ("pause", "suspend"):
        return f"is {phase.value} already"
    if order == "resume":
        return "is not paused"
    return f"is {phase.value}" + ("; 'lvmtui resume' goes on with it" if phase is Phase.PAUSED else "")


def _is(phase: Phase) -> str:
    """`has failed`, `is cancelled`."""
    return f"has {phase.value}" if phase in {*FAILURES, Phase.FINISHED} else f"is {phase.value}"


# Giving orders --------------------------------------------------------------------------------------------------------


def pause(views: Sequence[RunView]) -> list[str]:
    """Write a checkpoint, free the memory, leave; a queued run is not started. A line a run, and one a reason for those
    that do not allow it. Raises UserError.

    What cannot write a checkpoint is suspended instead, and its line says so.
    """

    def words(view: RunView) -> str:
        if halting(view) == "pause":
            return "is to be paused"
        return f"is to be suspended: it {UNPROMISED}, so its processes are stopped and keep their memory"

    return _give(halting, views, "pause", words)


def resume(views: Sequence[RunView]) -> list[str]:
    """Continue paused runs when their turn comes. Returns a line a run. Raises UserError."""
    return _give("resume", views, "run", "goes on when its turn comes")


def cancel(views: Sequence[RunView], *, force: bool = False) -> list[str]:
    """End runs. `force`: kill them without waiting for them to leave. Returns a line a run. Raises UserError."""

    def words(view: RunView) -> str:
        return "is killed" if view.status.phase in ALIVE | {Phase.UNKNOWN} else "is cancelled"

    if force:
        return _give("kill", views, "cancel", words, force=True)
    return _give("cancel", views, "cancel", "is to be cancelled", force=False)


def retry(views: Sequence[RunView], *, from_start: bool = False) -> list[str]:
    """Try runs again that did not finish. Returns a line a run. Raises UserError.

    They continue from the last good checkpoint. `from_start`: from the first step, and what was learned is dropped.
    """

    def words(view: RunView) -> str:
        kept = view.state is not None and view.state.trainer.checkpoint is not None and not from_start
        own = view.state.spec.own_model if view.state else None
        copied = f", with the {own.code.source} that was copied; a new one needs a new campaign" if own else ""
        return f"is tried again from {'its last checkpoint' if kept else 'the start'}{copied}"

    order: Order = "restart" if from_start else "retry"
    lines = _give(order, views, "run", words, again=True, from_start=from_start)
    return [*lines, *_use_this_shell([view for view in views if not why_not(order, view)])]


def _use_this_shell(views: Sequence[RunView]) -> list[str]:
    """Have the campaigns of these runs start them with this process's Python and variables. Returns what changes."""
    lines = []
    for folder in {v.folder.workspace.campaign(v.state.spec.campaign) for v in views if v.state}:
        if not folder.campaign.exists():
            continue
        before, now = find_document(StartedWith, folder.started_with), started_with_now(os.environ)
        program = kind(read_campaign(folder.campaign).engine).program
        if before is not None and _finds(before, program) and not _finds(now, program):
            now = replace(now, variables={**now.variables, "PATH": before.variables["PATH"]})
            lines.append(f"{folder.id}: PATH stays as it was, as this shell's has no {program}")
        if changed := differences(before, now):
            _write(folder.path, partial(write_document, folder.started_with, now))
            if before is not None:
                lines.append(f"{folder.id}: its runs are started with what this shell has from now on: {changed}")
    return lines


def _finds(shell: StartedWith, program: str) -> bool:
    """True if the shell has the program on its PATH, or none is needed."""
    return not program or shutil.which(program, path=shell.variables.get("PATH", "")) is not None


def _give(
    order: Order | Callable[[RunView], Order],
    views: Sequence[RunView],
    want: Want,
    words: str | Callable[[RunView], str],
    **options: bool,
) -> list[str]:
    lines: list[str] = []
    skipped: dict[str, list[str]] = {}
    # those without a process first: a queued run would take the place of one that leaves before its own order comes
    for view in sorted(views, key=lambda view: view.status.phase in ALIVE):
        if reason := why_not(order if isinstance(order, str) else order(view), view):
            if len(views) == 1:
                raise UserError(f"{view.planned.run}: {reason}")
            skipped.setdefault(reason, []).append(view.planned.run)
            continue
        _write(view.folder.path, partial(write_intent, view.folder.intent, want, by=who(), **options))
        lines.append(f"{view.planned.run}: {words if isinstance(words, str) else words(view)}")
        if want == "run" and (fault := _unwritable(view.folder)):
            lines.append(f"{view.planned.run}: but {fault}")
    for workspace in {view.folder.workspace for view in views}:
        ring(workspace)
    for reason, runs in skipped.items():
        named = runs[0] if len(runs) == 1 else f"{len(runs)} runs"
        lines.append(f"{named}: skipped, {'it' if len(runs) == 1 else 'each'} {reason}")
    return lines


def _unwritable(folder: RunDir) -> str:
    """Why our trainer and supervisor could not write the run's logs; empty: they could, or another supervises."""
    supervisor = supervisor_of(folder.workspace)
    with suppress(OSError):
        if supervisor is not None and os.stat(f"/proc/{supervisor.pid}").st_uid != os.geteuid():
            return ""
    return first_unwritable(folder.logs)


# The queue ------------------------------------------------------------------------------------------------------------


def set_jobs(state: CampaignState, jobs: int) -> str:
    """Change how many runs train at once; those that run now go on. Raises UserError."""
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least 1 run must be allowed; 'lvmtui pause all' stops them all")
    _write(state.dir.path, partial(write_campaign_intent, state.dir.intent, by=who(), jobs=jobs))
    at_work = sum(view.status.phase in ALIVE for view in state.runs)
    goes_on = f"; the {at_work} at work go on, the next starts when {at_work - jobs + 1} of them have ended"
    return f"{state.campaign.id}: up to {jobs} side by side{goes_on if at_work > jobs else ''}"


def set_order(state: CampaignState, first: Iterable[RunView]) -> str:
    """Put runs first in the queue; the others follow as they did. Raises UserError."""
    over = {
        view.planned.run: _is(view.status.phase) if view.status.over and view.state else why_not("kill", view)
        for view in first
    }
    names = tuple(name for name, reason in over.items() if not reason)
    if not names:
        reasons = "; ".join(f"{name} {reason}" for name, reason in over.items())
        raise UserError(f"--first: {reasons}; only runs that are not over have a place in the queue")
    order = tuple(dict.fromkeys((*names, *state.intent.order)))
    _write(state.dir.path, partial(write_campaign_intent, state.dir.intent, by=who(), order=order))
    return f"{state.campaign.id}: {', '.join(names)} first"


def ring(workspace: Workspace) -> None:
    """Tell the supervisor, on any host, that there are orders: it watches this one file instead of one a run."""
    with suppress(OSError):  # it also reads every run's orders now and then
        replace_file(workspace.bell, secrets.token_hex(8).encode() + b"\n", durable=False)


def _write(folder: Path, write: Callable[[], object]) -> None:
    """Write an order if this user's orders are obeyed in `folder`. Raises UserError."""
    try:
        allowed = may_order(os.geteuid(), folder)
        if allowed:
            write()
    except OSError as error:
        raise UserError(f"{folder}: the order cannot be written ({error.strerror or error})") from None
    if not allowed:
        whose = f"from {user_name(folder.stat().st_uid)}, and from the folder's group if its mode lets the group write"
        raise UserError(f"{folder}: orders are taken {whose}")
