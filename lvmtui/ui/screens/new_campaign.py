"""The screen for a new campaign: a form, which lvmtui's own commands check and plan as it is filled in."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.timer import Timer

from lvmtui.system import numbers as words
from lvmtui.ui.child import Child, document
from lvmtui.ui.draw.lines import Drawing, Hit
from lvmtui.ui.draw.new_form import CHOICES, FIELDS, FILES, HINTS, Answers, Form, form_lines, plan_words
from lvmtui.ui.read.conflicts import conflicts
from lvmtui.ui.read.files import completed, typed_path
from lvmtui.ui.screens.view import View
from lvmtui.ui.session import Session
from lvmtui.ui.widgets.dialogs import Ask
from lvmtui.ui.widgets.picker import Picker
from lvmtui.ui.widgets.textfield import TextField

SLOW = 2.0
"""Seconds after which the screen says how long something has taken."""
PAUSE = 0.7
"""Seconds without a key press before the files are checked and the plan is made."""
PLANNING = "checking the vectors and making the plan"
CALLED_OFF = 130
"""Exit code of a command that was interrupted."""


class NewScreen(View):
    """Keys are text here; none of them pauses or cancels a run."""

    KEYS = ("leave_form", "start", "next_field", "tick", "turn", "pick")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave_form", "leave"),
        Binding("enter", "start", "start"),
        Binding("tab", "next_field", "next"),
        Binding("space", "tick", "tick"),
        Binding("right", "turn", "choose"),
        Binding("ctrl+o", "pick", "pick a file"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._form = Form()
        self._answers = Answers()
        self._timer: Timer | None = None
        self._check, self._plan, self._start = Child(), Child(), Child()
        self._starting = self._entered = False
        """`_entered`: Enter was pressed before the plan was ready; the question follows when it is."""
        self._since = 0.0
        """When the current command began (monotonic clock)."""
        self._top = 0
        self._before: frozenset[str] = frozenset()
        """Campaigns that existed before this one was started."""

    def on_mount(self) -> None:
        self._cache = plan_cache()
        self.set_interval(1.0, self._tick)
        self._ask_later()

    def on_unmount(self) -> None:
        for child in (self._check, self._plan):
            child.stop(patience=1.0)
        if self._cache:
            shutil.rmtree(self._cache[1], ignore_errors=True)

    def _tick(self) -> None:
        if self._answers.busy:
            self.redraw()

    def redraw(self) -> None:
        answers, took = self._answers, time.monotonic() - self._since
        if answers.busy and took > SLOW:
            answers = replace(answers, busy=f"{answers.busy}, {words.duration(took)} so far")

        def painter(width: int, height: int) -> Drawing:
            hits = tuple(Hit(0, 2 + i, width, 1, f"field:{i}") for i in range(len(FIELDS)))
            return Drawing(tuple(form_lines(self._form, answers, width, height, self._top)), hits)

        self.canvas("body").paint(painter)
        self._say()

    # -- keys --------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        form, key = self._form, event.key
        field = form.field
        self.ui.hush_read()
        if self._starting and key != "escape":  # the form must not change while its campaign is being started
            return
        match key:
            case "escape":
                self.action_leave_form()
            case "pagedown" | "pageup":
                self._top = max(0, self._top + (4 if key == "pagedown" else -4))
                self.redraw()
            case "enter":
                self.action_start()
            case "tab" | "down":
                self._change(form.moved(1))
            case "shift+tab" | "up":
                self._change(form.moved(-1))
            case "ctrl+o":
                self.action_pick()
            case "left" | "right" if field in CHOICES or field == "models":
                self._change(form.turned(1 if key == "right" else -1))
            case "space" if field == "models":
                self._change(form.toggled())
            case "space" if field in CHOICES:
                self._change(form.turned(1))
            case _ if field in HINTS:
                self._type(event)

    def _type(self, event: events.Key) -> None:
        field = self._form.field
        text = self._form.text(field)
        if event.key == "right" and field in FILES and text.cursor == len(text.text) and text.text:
            self._change(self._form.with_text(field, TextField(completed(text.text)).at_end()))
        elif (after := text.typed(event.key, event.character)) is not None:
            self._change(self._form.with_text(field, after))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        field = self._form.field
        if field in HINTS:
            self._change(self._form.with_text(field, self._form.text(field).pasted(event.text.strip())))

    def pressed(self, target: str, again: bool) -> None:
        kind, _, which = target.partition(":")
        if kind == "field":
            self._change(replace(self._form, focus=int(which)))

    def action_next_field(self) -> None:
        self._change(self._form.moved(1))

    def action_tick(self) -> None:
        self._change(self._form.toggled())

    def action_turn(self) -> None:
        self._change(self._form.turned(1))

    def action_pick(self) -> None:
        field = self._form.field if self._form.field in FILES else FILES[0]
        typed = typed_path(self._form.text(field).text or str(self.ui.workspace.root))

        def picked(path: str | None) -> None:
            if path:
                self._change(self._form.with_text(field, TextField(path).at_end()))

        self.app.push_screen(Picker(typed if typed.is_dir() else typed.parent), picked)

    def action_leave_form(self) -> None:
        """Go back to the board, or leave the program if there is no campaign. If one is being started, only that is
        called off."""
        if self._starting:
            self._start.interrupt()
        elif self.ui.snapshot is None:
            self.ui.action_leave()
        else:
            self.dismiss(None)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _change(self, form: Form) -> None:
        asked = form.arguments() != self._form.arguments()
        self._form = form
        self._entered = False
        if asked:
            self._ask_later()
        self.redraw()

    def _ask_later(self) -> None:
        """Ask the commands once nobody has typed for a moment. The plan of the form before this change is dropped."""
        busy = "" if self._form.fault or self._form.folders else PLANNING
        self._answers = replace(self._answers, plan=None, others=(), fault="", busy=busy)
        self._since = time.monotonic()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._ask)

    def _ask(self) -> None:
        """Have the plan made, which checks the files too. With only one file named there are only its facts."""
        form, self._top = self._form, 0
        if form.fault or form.folders:
            self._plan.stop()
            self._answers = replace(self._answers, plan=None, busy="")
            if form.files and not form.folders:
                self._look(form)
        else:
            self._answers = replace(self._answers, plan=None, busy=PLANNING)
            arguments = [*form.arguments(), "--plan", "--json", *self._cache]
            self._plan.run(arguments, self.ui.workspace.root, partial(self._made, form))
        self.redraw()

    def _look(self, form: Form) -> None:
        arguments = ["check", "--json", *(form.files or ("bundled",)), *self._cache]
        self._check.run(arguments, self.ui.workspace.root, partial(self._told, self._checked, form))

    def _told(self, take: Callable[..., None], form: Form, out: str, words: str, code: int) -> None:
        """Runs in a thread; `take` is called in the screen's."""
        self.ui.call_later(take, form, out, words, code)

    def _made(self, form: Form, out: str, words: str, code: int) -> None:
        """Take the plan, or the reason why there is none. Runs in a thread, because it reads other campaigns."""
        plan = document(out) if code == 0 else None
        campaign = plan.get("campaign") if plan else None
        met = conflicts(self.ui.workspace, campaign) if isinstance(campaign, dict) else []
        self.ui.call_later(self._planned, form, plan, tuple(met), words or f"the plan ended with code {code}")

    def _planned(self, form: Form, plan: dict[str, Any] | None, met: tuple[str, ...], fault: str) -> None:
        if form.arguments() != self._form.arguments():
            return
        if plan is None:
            self._entered = False
            self._answers = replace(self._answers, fault=fault, busy="")
            self._look(form)
        else:
            facts = plan.get("check")
            self._answers = Answers(facts if isinstance(facts, dict) else self._answers.facts, plan, met)
        if self._entered:
            self.action_start()
        self.redraw()

    def _checked(self, form: Form, out: str, words: str, code: int) -> None:
        if form.files == self._form.files:
            fault = self._answers.fault or ("" if code == 0 else words)
            self._answers = replace(self._answers, facts=document(out), fault=fault)
            self.redraw()

    # -- starting ----------------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Ask whether to start the campaign, once there is a plan to show."""
        form, plan = self._form, self._answers.plan
        self._entered = False
        if self._starting or form.fault:
            return
        if form.folders:
            body, title = [f"folders: {', '.join(form.folders)}"], "Import these runs?"
        elif plan is not None:
            body, title = [*plan_words(plan), *self._answers.others], "Start this campaign?"
        else:
            self._entered = True
            if not self._answers.busy:
                self._ask()
            self.ui.say("you will be asked whether to start as soon as the plan is ready")
            return

        def answered(answer: str | None) -> None:
            if answer == "y":
                self._begin(form)

        self.app.push_screen(Ask(title, body, [("y", "start")], "not yet", enter="y"), answered)

    def _begin(self, form: Form) -> None:
        self._starting, self._since = True, time.monotonic()
        self._before = frozenset(folder.id for folder in self.ui.workspace.campaign_dirs())
        self._plan.stop()
        busy = "reading the runs" if form.folders else "starting: drawing the split, proving it, writing the runs"
        self._answers = replace(self._answers, fault="", busy=f"{busy}; esc calls it off")
        starting = form.starting if form.folders else [*form.starting, *self._cache]
        self._start.run(starting, self.ui.workspace.root, partial(self._told, self._started, form))
        self.redraw()

    def _started(self, form: Form, out: str, words: str, code: int) -> None:
        self._starting = False
        there = any(folder.id not in self._before for folder in self.ui.workspace.campaign_dirs())
        if code == 0 or there:
            self.ui.open_campaign(None)
            self.dismiss(None)
            return
        called_off = code in (CALLED_OFF, -signal.SIGINT)
        fault = "" if called_off else words or f"starting ended with code {code}"
        self._answers = replace(self._answers, fault=fault, busy="")
        if called_off:
            self.ui.say("called off; nothing was started")
        self.redraw()


def plan_cache() -> tuple[str, ...]:
    """`--cache FOLDER`: a temporary folder for the compact stores of plans that may never start. Empty where none can
    be made; then they are made in the workspace."""
    try:
        return "--cache", tempfile.mkdtemp(prefix="lvmtui-plan-")
    except OSError:
        return ()
