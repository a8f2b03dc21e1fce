"""The screen for a new campaign: a form, which lvmtui's own commands check and plan as it is filled in."""

from __future__ import annotations

import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.suggester import Suggester
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Label

from lvmtui.formats.paths import CampaignDir
from lvmtui.models import MODELS, title_of
from lvmtui.planning.options import OPTIONS
from lvmtui.system import numbers as words
from lvmtui.ui.child import Child, document
from lvmtui.ui.draw.new_form import CHOICES, FIELDS, FILES, HINTS, Answers, CampaignForm, answer_lines, plan_words
from lvmtui.ui.screens.view import View
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.dialogs import AskDialog
from lvmtui.ui.widgets.field import Field, OneOf, Ticks
from lvmtui.ui.widgets.picker import Picker, completed, typed_path

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp

SLOW = 2.0
"""Seconds after which the screen says how long something has taken."""
PAUSE = 0.7
"""Seconds without a key press before the files are checked and the plan is made."""
PLANNING = "checking the vectors and making the plan"
DEMO_OFFER = "enter starts the demo: small models, bundled vectors"
"""Said of a form in which nothing has been filled in."""
CALLED_OFF = 130
"""Exit code of a command that was interrupted."""


class PathSuggester(Suggester):
    """How the path that is being typed goes on; the right arrow takes it. `several`: paths with blanks between them."""

    def __init__(self, *, several: bool) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._several = several

    async def get_suggestion(self, value: str) -> str | None:
        before, blank, last = value.rpartition(" ") if self._several else ("", "", value)
        return before + blank + completed(last) if last else None


class NewScreen(View):
    """A form of Textual's fields; what our commands say of it stands below. No key pauses or cancels a run here."""

    TYPING = True
    KEYS = ("leave_form", "start", "focus_next", "pick", "help")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave_form", "leave"),
        Binding("ctrl+s", "start", "start"),
        Binding("tab", "app.focus_next", "next", priority=True),
        Binding("shift+tab", "app.focus_previous", "previous", priority=True, show=False),
        Binding("down", "app.focus_next", "next", show=False),
        Binding("up", "app.focus_previous", "previous", show=False),
        Binding("ctrl+o", "pick", "pick a file"),
        Binding("f1", "app.help", "help"),
    ]

    def __init__(self, app: LvmApp) -> None:
        super().__init__(app)
        self._form = CampaignForm()
        self._answers = Answers()
        self._timer: Timer | None = None
        self._check, self._plan, self._start = Child(), Child(), Child()
        self._starting = self._entered = False
        """`_entered`: Enter was pressed before the plan was ready; the question follows when it is."""
        self._since = 0.0
        """When the current command began (monotonic clock)."""

    def on_mount(self) -> None:
        self.query(Field).first().focus()
        self._cache: tuple[str, ...] = ()
        """`--cache FOLDER`: a temporary folder for the compact stores of plans that may never start."""
        with suppress(OSError):  # where none can be made, they are made in the workspace
            self._cache = "--cache", tempfile.mkdtemp(prefix="lvmtui-plan-")
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

    def parts(self) -> Iterable[Widget]:
        with VerticalScroll(id="form", can_focus=False) as form:
            form.border_title = "New campaign"
            for name in FIELDS:
                with Horizontal(classes="row"):
                    yield Label(name.replace("-", " "))
                    yield self._field(name)
        with VerticalScroll(id="plan", can_focus=False):
            yield Canvas(id="answers")
        yield Canvas(id="command")

    def _field(self, name: str) -> Widget:
        if name == "models":
            return Ticks(*((title_of(model), model, True) for model in MODELS), id=name, compact=True)
        if name in CHOICES:
            return OneOf(CHOICES[name], id=name)
        suggester = PathSuggester(several=OPTIONS[name].several) if name in FILES else None
        return Field(placeholder=HINTS[name], id=name, suggester=suggester)

    def redraw(self) -> None:
        if not self.is_attached or not self.query("#words"):
            return
        answers, took = self._answers, time.monotonic() - self._since
        if answers.busy and took > SLOW:
            answers = replace(answers, busy=f"{answers.busy}, {words.duration(took)} so far")
        form = self._form
        self.canvas("answers").paint(lambda width, height: answer_lines(form, answers, width))
        offer = f" ({DEMO_OFFER})" if form == CampaignForm() else ""
        self.canvas("command").paint(lambda width, height: [((f" {form.command}{offer}", "dim"),)])
        self.query_one("#form").disabled = self._starting
        self._say()

    # -- keys --------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        self.ui.hush_read()
        if event.key in ("pagedown", "pageup"):
            plan = self.query_one("#plan", VerticalScroll)
            plan.scroll_page_down(animate=False) if event.key == "pagedown" else plan.scroll_page_up(animate=False)
        elif self._starting:
            self.ui.say("it is being started; esc calls it off")
        elif self.focused is None and event.character and event.is_printable:  # typed before there was a focus
            self.query(Field).first().insert_text_at_cursor(event.character)

    def on_input_submitted(self) -> None:
        self.action_start()

    def action_pick(self) -> None:
        focused = self.focused.id if self.focused else ""
        name = focused if focused in FILES else FILES[0]
        field = self.query_one(f"#{name}", Field)
        typed = typed_path((self._form.values(name) or [str(self.ui.workspace.root)])[-1])

        def picked(path: str | None) -> None:
            if path:
                field.value = f"{field.value} {shlex.quote(path)}".strip() if OPTIONS[name].several else path
                field.action_end()

        self.app.push_screen(Picker(typed if typed.is_dir() else typed.parent), picked)

    def _filled(self) -> CampaignForm:
        """The form as it is filled in now."""
        return CampaignForm(
            {field.id or "": field.value for field in self.query(Field) if field.value},
            frozenset(self.query_one("#models", Ticks).selected),
            {one.id or "": str(one.value) for one in self.query(OneOf) if one.value != CHOICES[one.id or ""][0]},
        )

    def action_leave_form(self) -> None:
        """Go back to the board, or end where there is no campaign. If one is being started, only that is called off."""
        if self._starting:
            self._start.interrupt()
        elif self.ui.snapshot is None:
            self.ui.action_leave()
        else:
            self.dismiss(None)

    # -- asking ------------------------------------------------------------------------------------------------------

    @on(Field.Changed)
    @on(OneOf.Changed)
    @on(Ticks.SelectedChanged)
    def _change(self) -> None:
        before, self._form = self._form, self._filled()
        if self._form.arguments() != before.arguments():
            self._entered = False
            self._ask_later()
        self.redraw()

    def _ask_later(self) -> None:
        """Ask the commands once nobody has typed for a moment. The plan of the form before this change is dropped."""
        busy = "" if self._form.fault or self._form.folders else PLANNING
        self._answers = replace(self._answers, plan=None, fault="", busy=busy)
        self._since = time.monotonic()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._ask)

    def _ask(self) -> None:
        """Have the plan made, which checks the files too. Where there is none, there are still the files' facts."""
        form = self._form
        if form.fault or form.folders:
            self._plan.stop()
            self._answers = replace(self._answers, plan=None, busy="")
        else:
            self._answers = replace(self._answers, plan=None, busy=PLANNING)
            arguments = [*form.arguments(), "--plan", "--json", *self._cache]
            self._plan.run(arguments, self.ui.workspace.root, partial(self.ui.call_later, self._planned, form))
        self.redraw()

    def _look(self, form: CampaignForm) -> None:
        """Have the facts of the files that are named told, without a plan."""
        if not form.files and form.text("campaign"):
            self._answers = replace(self._answers, facts=None)
            return
        arguments = ["check", "--json", *(form.files or ("bundled",)), *self._cache]
        self._check.run(arguments, self.ui.workspace.root, partial(self.ui.call_later, self._checked, form))

    def _planned(self, form: CampaignForm, out: str, words: str, code: int) -> None:
        """Take the plan, or the reason why there is none."""
        plan = document(out) if code == 0 else None
        if form.arguments() != self._form.arguments():
            return
        if plan is None:
            if self._entered:  # the promise to ask stands on the screen
                self.ui.say("nothing can be started as it is")
            self._entered = False
            self._answers = replace(self._answers, fault=words or f"the plan ended with code {code}", busy="")
            self._look(form)
        else:
            self._answers = Answers(plan["check"], plan)
        if self._entered:
            self.action_start()
        self.redraw()

    def _checked(self, form: CampaignForm, out: str, words: str, code: int) -> None:
        if form.files == self._form.files:
            fault = self._answers.fault or ("" if code == 0 else words)
            self._answers = replace(self._answers, facts=document(out), fault=fault)
            self.redraw()

    # -- starting ----------------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Ask whether to start the campaign, once there is a plan to show."""
        self._change()  # a field may have changed a moment ago
        form, plan = self._form, self._answers.plan
        self._entered = False
        doubts: list[str] = []
        if self._starting or form.fault:
            return
        if form.folders:
            body, title = [f"folders: {', '.join(form.folders)}"], "Import these runs?"
        elif plan is not None:
            doubts = plan["doubts"]  # why 'lvmtui run' asks
            body = [plan_words(plan), *dict.fromkeys((*doubts, *plan["others"]))]
            title = "Train all the same?" if doubts else "Start this campaign?"
        else:
            self._entered = True
            if not self._answers.busy:
                self._ask()
            self.ui.say("you will be asked whether to start as soon as the plan is ready")
            return

        ask = AskDialog(title, body, [("y", "start")], "not yet", enter="" if doubts else "y")
        self.app.push_screen(ask, lambda answer: self._begin(form) if answer == "y" else None)

    def _begin(self, form: CampaignForm) -> None:
        self._starting, self._since = True, time.monotonic()
        before = self.ui.workspace.campaign_dirs()
        self._plan.stop()
        busy = "reading the runs" if form.folders else "starting: drawing the split, proving it, writing the runs"
        self._answers = replace(self._answers, fault="", busy=f"{busy}; esc calls it off")
        starting = form.starting if form.folders else [*form.starting, *self._cache]
        self._start.run(starting, self.ui.workspace.root, partial(self.ui.call_later, self._started, before))
        self.redraw()

    def _started(self, before: list[CampaignDir], out: str, words: str, code: int) -> None:
        """`before`: the campaigns that existed before this one was started."""
        self._starting = False
        there = any(folder not in before for folder in self.ui.workspace.campaign_dirs())
        if code == 0 or there:
            self.ui.open_campaign(None)
            self.pop_until_active()  # the palette or the help may have been opened meanwhile
            self.dismiss(None)
            return
        called_off = code in (CALLED_OFF, -signal.SIGINT)
        fault = "" if called_off else words or f"starting ended with code {code}"
        self._answers = replace(self._answers, fault=fault, busy="")
        if called_off:
            self.ui.say("called off; nothing was started")
        self.redraw()
