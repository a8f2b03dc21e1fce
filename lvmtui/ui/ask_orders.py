"""Orders from the keyboard: asks before what cannot be undone, writes in a thread, reports in a line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lvmtui import orders
from lvmtui.state.campaign_reader import RunView
from lvmtui.state.status import Order, Phase, processes_of
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.process_id import Identity
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.widgets.dialogs import AskDialog

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp

Write = Callable[[], Sequence[str]]
"""Writes an order and returns what was done, a line a run."""


class AskOrders:
    """Orders from the keyboard. Asks before what cannot be undone; the supervisor carries the order out."""

    def __init__(self, app: LvmApp) -> None:
        self._app = app

    # -- one run -----------------------------------------------------------------------------------------------------

    def pause_or_resume(self) -> None:
        run = self._app.run_selected
        if run is None:
            return
        resumes = not orders.why_not("resume", run.view)
        if not self._refused(run, "" if resumes else orders.why_not(orders.halting(run.view), run.view)):
            self._give_one(run, lambda: (orders.resume if resumes else orders.pause)([run.view]))

    def cancel(self, *, force: bool) -> None:
        order: Order = "kill" if force else "cancel"
        run = self._app.run_selected
        if run is None or self._refused(run, orders.why_not(order, run.view)):
            return

        def answered(answer: str | None) -> None:
            now = self._again(run)
            if answer == "y" and not self._refused(now, orders.why_not(order, now.view)):
                self._give_one(now, lambda: orders.cancel([now.view], force=force))

        title = f"Cancel {run.title} {run.label}" + (" at once?" if force else "?")
        how = "kill it now" if force and run.alive else "cancel it"
        self._app.push_screen(AskDialog(title, cancel_words(run, force), [("y", how)], "keep it"), answered)

    def retry(self) -> None:
        run = self._app.run_selected
        if run is None:
            return
        not_on, not_anew = orders.why_not("retry", run.view), orders.why_not("restart", run.view)
        if self._refused(run, not_on if not_anew else "") or run.state is None:
            return

        def answered(answer: str | None) -> None:
            now, anew = self._again(run), answer == "s"
            order: Order = "restart" if anew else "retry"
            if answer in ("c", "s") and not self._refused(now, orders.why_not(order, now.view)):
                self._give_one(now, lambda: orders.retry([now.view], from_start=anew))

        body, choices = [f"It is {run.word}."], []
        checkpoint = run.state.trainer.checkpoint
        if not not_on and checkpoint is not None:
            body.append(f"Its last checkpoint is of step {checkpoint.step:,} of {run.state.spec.total_steps:,}.")
            choices.append(("c", "from the checkpoint"))
        elif checkpoint is None:
            body.append("There is no checkpoint to go on from.")
        if not not_anew:
            if run.state.step:
                body.append("From the start, what it has learned does not count any more.")
            choices.append(("s", "from the start"))
        self._app.push_screen(AskDialog(f"Try {run.title} {run.label} again?", body, choices, "leave it"), answered)

    # -- many --------------------------------------------------------------------------------------------------------

    def pause_all(self) -> None:
        views = self._views(lambda run: not orders.why_not(orders.halting(run.view), run.view))
        self.give(lambda: orders.pause(views) or ["there is nothing to pause"])

    def resume_all(self) -> None:
        views = self._views(lambda run: not orders.why_not("resume", run.view))
        self.give(lambda: orders.resume(views) or ["nothing is paused"])

    def cancel_queued(self) -> None:
        views = self._views(lambda run: run.phase is Phase.QUEUED)

        def answered(answer: str | None) -> None:
            if answer == "y":
                self.give(lambda: orders.cancel(views, force=False))

        body = [f"{words.plural(len(views), 'queued run')} will not be trained; runs that have started go on."]
        self._app.push_screen(
            AskDialog("Cancel all that is queued?", body, [("y", "cancel them")], "keep them"), answered
        )

    def change_jobs(self, by: int) -> None:
        """Let this many more runs train at once."""
        if self._app.snapshot is not None:
            state = self._app.snapshot.state
            self.give(lambda: [orders.set_jobs(state, max(1, (state.intent.jobs or state.campaign.jobs) + by))])

    def start_next(self) -> None:
        snapshot, run = self._app.snapshot, self._app.run_selected
        if snapshot is not None and run is not None:
            self.give(lambda: [orders.set_order(snapshot.state, [run.view])])

    # -- how ---------------------------------------------------------------------------------------------------------

    def _again(self, run: RunFacts) -> RunFacts:
        """The run as it is now: it went on while the question was open."""
        snapshot = self._app.snapshot
        return (snapshot.run(run.name) if snapshot else None) or run

    def _give_one(self, run: RunFacts, write: Write) -> None:
        """An order for one run, reported with the name it has on the screen."""
        name = f"{run.title} {run.label}"
        self.give(lambda: [f"{name} {line.removeprefix(run.name + ':').strip()}" for line in write()])

    def give(self, write: Write) -> None:
        """Write the order, make sure a supervisor is there to carry it out, and say what came of it. In a thread, as it
        touches files and processes: the screen does not wait for it."""
        if self._app.read_only:
            self._app.say("read-only: this screen only looks")
            return

        def run() -> None:
            from lvmtui.supervisor.lock import ensure_supervisor

            try:
                said = write()
                ensure_supervisor(self._app.workspace)
            except UserError as error:
                said = [str(error)]
            except Exception as error:
                said = [f"that did not work: {type(error).__name__}: {error}"]
            self._app.source.look_now()
            if said:
                more = f"; and so for {len(said) - 2} more" if len(said) > 3 else ""
                self._app.call_later(self._app.say, "; ".join(said[:2] if more else said) + more)

        threading.Thread(target=run, name="lvmtui-order", daemon=True).start()

    def _refused(self, run: RunFacts, why: str) -> bool:
        """Say why the order cannot be given, before anything is asked. False: it can."""
        if self._app.read_only:
            why = "is only looked at: this screen is read-only"
        if why:
            self._app.say(f"{run.title} {run.label} {why}")
        return bool(why)

    def _views(self, which: Callable[[RunFacts], bool]) -> list[RunView]:
        snapshot = self._app.snapshot
        return [run.view for run in snapshot.runs if which(run)] if snapshot else []


def cancel_words(run: RunFacts, force: bool) -> list[str]:
    """What a cancel would cost: the work, what stays, the processes."""
    state = run.state
    assert state is not None
    lines = []
    if state.step:
        kept = state.trainer.checkpoint
        stays = f"the checkpoint of step {kept.step:,} stays" if kept else "no checkpoint"
        done = f"step {state.step:,} of {state.spec.total_steps:,}"
        lines.append(f"{done}, {words.duration(run.worked)} of work; {stays}")
    processes = [identity for identity in processes_of(state) if identity.alive() or not identity.here]
    if not state.step:
        lines.append("it has made no step yet" if processes else "it has not started")
    lines.extend(map(_process_words, processes))
    if force and processes:
        lines.append("it is killed without being asked to leave, and cannot close its files")
    return lines


def _process_words(identity: Identity) -> str:
    """`process 48213 and 2 children on this machine`."""
    if identity.is_job:
        return identity.words
    if not identity.here:
        return f"process {identity.pid} on {identity.host}"
    import psutil

    try:
        children = len(psutil.Process(identity.pid).children(recursive=True))
    except psutil.Error:
        children = 0
    others = f" and {words.plural(children, 'child').replace('childs', 'children')}" if children else ""
    return f"process {identity.pid}{others} on this machine ({identity.host})"
