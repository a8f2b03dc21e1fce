"""What a person wants of the selected run: asked where it cannot be undone, written by a thread, said in a line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lvmtui.state.campaign_reader import RunView
from lvmtui.state.status import Phase, processes_of
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.process_id import Identity
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.widgets.ask import Ask

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp

Order = Callable[[], Sequence[str]]
"""Writes what is wanted, and says it."""


class Orders:
    """Orders from the keyboard. The supervisor carries them out; nothing here touches a process."""

    def __init__(self, app: LvmApp) -> None:
        self._app = app

    # -- one run -----------------------------------------------------------------------------------------------------

    def pause_or_resume(self) -> None:
        from lvmtui import orders

        run = self._selected()
        if run is None or run.state is None:
            return
        if run.state.intent.want == "pause" and not orders.why_not_resume(run.view):
            self._give_one(run, lambda: orders.resume([run.view]))
        elif not self._refused(run, orders.why_not_pause(run.view)):
            self._give_one(run, lambda: orders.pause([run.view]))

    def cancel(self, *, force: bool) -> None:
        from lvmtui import orders

        run = self._selected()
        if run is None or run.state is None:
            return
        if self._refused(run, orders.why_not_cancel(run.view, force=force)):
            return

        def answered(answer: str | None) -> None:
            now = self._again(run)
            if answer == "y" and not self._refused(now, orders.why_not_cancel(now.view, force=force)):
                self._give_one(now, lambda: orders.cancel([now.view], force=force))

        title = f"Cancel {run.title} {run.label}" + (" at once?" if force else "?")
        how = "kill it now" if force and run.alive else "cancel it"
        self._app.push_screen(Ask(title, cancel_words(run, force), [("y", how)], "keep it"), answered)

    def retry(self) -> None:
        from lvmtui import orders

        run = self._selected()
        if run is None:
            return
        not_on, not_anew = orders.why_not_retry(run.view), orders.why_not_retry(run.view, from_start=True)
        if self._refused(run, not_on if not_anew else "") or run.state is None:
            return

        def answered(answer: str | None) -> None:
            now, anew = self._again(run), answer == "s"
            if answer in ("c", "s") and not self._refused(now, orders.why_not_retry(now.view, from_start=anew)):
                self._give_one(now, lambda: orders.retry([now.view], from_start=anew))

        body, choices = [f"It is {run.word}."], []
        checkpoint = run.state.trainer.checkpoint
        if not not_on and checkpoint is not None:
            epoch = checkpoint.step / run.state.spec.steps_per_epoch
            body.append(f"Its last checkpoint is of step {checkpoint.step:,}, epoch {epoch:.1f}.")
            choices.append(("c", "from the checkpoint"))
        elif checkpoint is None:
            body.append("There is no checkpoint to go on from.")
        if not not_anew:
            if run.state.step:
                body.append("From the start, what it has learned does not count any more.")
            choices.append(("s", "from the start"))
        self._app.push_screen(Ask(f"Try {run.title} {run.label} again?", body, choices, "leave it"), answered)

    # -- many --------------------------------------------------------------------------------------------------------

    def pause_all(self) -> None:
        from lvmtui import orders

        views = self._views(lambda run: not run.view.status.over and run.phase is not Phase.PAUSED)
        self.give(lambda: orders.pause(views))

    def resume_all(self) -> None:
        from lvmtui import orders

        views = self._views(lambda run: run.state is not None and run.state.intent.want == "pause")
        self.give(lambda: orders.resume(views))

    def cancel_queued(self) -> None:
        from lvmtui import orders

        views = self._views(lambda run: run.phase is Phase.QUEUED)

        def answered(answer: str | None) -> None:
            if answer == "y":
                self.give(lambda: orders.cancel(views, force=False))

        body = [f"{words.plural(len(views), 'run')} that wait will not be trained; what runs goes on."]
        self._app.push_screen(Ask("Cancel all that is queued?", body, [("y", "cancel them")], "keep them"), answered)

    def change_jobs(self, by: int) -> None:
        """So many more runs side by side."""
        from lvmtui import orders

        snapshot = self._app.snapshot
        if snapshot is None:
            return
        state = snapshot.state
        jobs = max(1, (state.intent.jobs or state.campaign.jobs) + by)
        self.give(lambda: [orders.set_jobs(state, jobs)])

    def start_next(self) -> None:
        """The selected run before all others that wait."""
        from lvmtui import orders

        snapshot, run = self._app.snapshot, self._selected()
        if snapshot is not None and run is not None:
            self.give(lambda: [orders.set_order(snapshot.state, [run.view])])

    # -- how ---------------------------------------------------------------------------------------------------------

    def ensure_supervisor(self) -> None:
        """Make sure somebody carries out what is wanted."""
        self._in_thread(self._ensure)

    def _again(self, run: RunFacts) -> RunFacts:
        """The run as it is now: while a question stood there it went on."""
        snapshot = self._app.snapshot
        return (snapshot.run(run.name) if snapshot else None) or run

    def _give_one(self, run: RunFacts, order: Order) -> None:
        """An order for one run, said with the name it has on the screen."""
        name = f"{run.title} {run.label}"
        self.give(lambda: [f"{name} {line.removeprefix(run.name + ':').strip()}" for line in order()])

    def give(self, order: Order) -> None:
        """Write the order and make sure that it is carried out; say what was written, or why it could not be."""
        if self._app.read_only:
            self._app.say("read-only: this screen only looks")
            return

        def write() -> list[str]:
            said = list(order())
            self._ensure()
            return said

        self._in_thread(write)

    def _ensure(self) -> list[str]:
        from lvmtui.supervisor.ensure import ensure_supervisor

        ensure_supervisor(self._app.workspace)
        return []

    def _in_thread(self, work: Callable[[], list[str]]) -> None:
        """Files and processes can take their time; the screen does not wait for them."""

        def run() -> None:
            try:
                said = work()
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
        """Say why an order makes no sense, before anything is asked; False if it does."""
        if self._app.read_only:
            why = "is only looked at: this screen is read-only"
        if why:
            self._app.say(f"{run.title} {run.label} {why}")
        return bool(why)

    def _selected(self) -> RunFacts | None:
        snapshot = self._app.snapshot
        return snapshot.run(self._app.selected) if snapshot else None

    def _views(self, which: Callable[[RunFacts], bool]) -> list[RunView]:
        snapshot = self._app.snapshot
        return [run.view for run in snapshot.runs if which(run)] if snapshot else []


def cancel_words(run: RunFacts, force: bool) -> list[str]:
    """What a cancel would cost: work, checkpoint, processes."""
    state = run.state
    assert state is not None
    lines = []
    if state.step:
        done, planned = run.epochs or (0.0, 0.0)
        kept = state.trainer.checkpoint
        stays = (
            f"the checkpoint of epoch {kept.step / state.spec.steps_per_epoch:.1f} stays" if kept else "no checkpoint"
        )
        spent = words.duration(state.live.active if state.live else state.trainer.active)
        lines.append(f"epoch {done:.1f} of {planned:.0f}, {spent} of work; {stays}")
    else:
        lines.append("it has not started")
    processes = [identity for identity in processes_of(state) if identity.alive() or not identity.here]
    lines.extend(map(_process_words, processes))
    if force and processes:
        lines.append("it is not asked to leave first, and cannot close its files")
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
