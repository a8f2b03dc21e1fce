"""A new campaign on the terminal: fields to fill, our own commands to ask, Enter to start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from textual import events
from textual.timer import Timer

from lvmtui.ui.child import Child, document
from lvmtui.ui.files import completed, typed_path
from lvmtui.ui.header import Key, keys
from lvmtui.ui.line import Drawing, Hit
from lvmtui.ui.new_form import CHOICES, FIELDS, FILES, HINTS, Answers, Form, form_lines
from lvmtui.ui.picker import Picker
from lvmtui.ui.snapshot import Snapshot
from lvmtui.ui.textfield import TextField
from lvmtui.ui.view import View

PAUSE = 0.7
"""Seconds without a key after which the files are looked at and the plan is made."""
KEYS: tuple[Key, ...] = (
    ("enter", "start", "start"),
    ("tab", "next", "next_field"),
    ("space", "tick", "tick"),
    ("←→", "choose", "turn"),
    ("ctrl+o", "pick a file", "pick"),
)
BACK: Key = ("esc", "back", "leave_form")


class NewScreen(View):
    """Keys are typed here, and order nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._form = Form()
        self._answers = Answers()
        self._timer: Timer | None = None
        self._starting = False

    def on_mount(self) -> None:
        super().on_mount()
        root = str(self.ui.workspace.root)
        self._check, self._plan, self._start = Child(root), Child(root), Child(root)
        self._ask_later()

    def on_unmount(self) -> None:
        for child in (self._check, self._plan):
            child.stop()

    def paint(self, snapshot: Snapshot, width: int, height: int) -> Drawing:
        return self.paint_without(width, height)

    def paint_without(self, width: int, height: int) -> Drawing:
        lines = form_lines(self._form, self._answers, width, height - 1)
        hits = [Hit(0, 2 + i, width, 1, f"field:{i}") for i in range(len(FIELDS))]
        last, found = keys(KEYS, BACK, width)
        hits.extend(Hit(h.x, height - 1, h.width, 1, f"do:{h.target}") for h in found)
        return Drawing((*lines, last), tuple(hits))

    # -- keys --------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        form, key = self._form, event.key
        field = form.field
        if self._starting and key != "escape":  # what starts is what stood there when Enter was pressed
            return
        match key:
            case "escape":
                self.action_leave_form()
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
        """Back to the board; without a campaign there is none, and leaving leaves the program."""
        if self.ui.snapshot is None:
            self.ui.action_leave()
        else:
            self.dismiss(None)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _change(self, form: Form) -> None:
        asked = form.arguments() != self._form.arguments()
        self._form = form
        if asked:
            self._answers = replace(self._answers, fault="")
            self._ask_later()
        self.redraw()

    def _ask_later(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._ask)

    def _ask(self) -> None:
        """Have the plan made, which looks at the files as well; of a single file there are only facts."""
        form = self._form
        if form.fault or form.folders:
            self._plan.stop()
            self._answers = replace(self._answers, plan=None, busy="")
            if form.files and not form.folders:
                self._look(form)
        else:
            self._answers = replace(self._answers, plan=None, busy="looking at the vectors, making the plan")
            self._plan.run([*form.arguments(), "--plan", "--json"], partial(self._told, self._planned, form))
        self.redraw()

    def _look(self, form: Form) -> None:
        self._check.run(["check", "--json", *(form.files or ("bundled",))], partial(self._told, self._checked, form))

    def _told(self, take: Callable[..., None], form: Form, out: str, words: str, code: int) -> None:
        """Called from a thread."""
        self.ui.call_later(take, form, out, words, code)

    def _planned(self, form: Form, out: str, words: str, code: int) -> None:
        if form.arguments() != self._form.arguments():
            return
        plan = document(out) if code == 0 else None
        if plan is None:
            self._answers = replace(self._answers, fault=words or f"the plan ended with code {code}", busy="")
            self._look(form)
        else:
            facts = plan.get("check")
            self._answers = Answers(facts if isinstance(facts, dict) else self._answers.facts, plan)
        self.redraw()

    def _checked(self, form: Form, out: str, words: str, code: int) -> None:
        if form.files == self._form.files:
            fault = self._answers.fault or ("" if code == 0 else words)
            self._answers = replace(self._answers, facts=document(out), fault=fault)
            self.redraw()

    def action_start(self) -> None:
        """Start the campaign as the form says."""
        if not self._starting and not self._form.fault:
            self._starting = True
            self._answers = replace(self._answers, fault="", busy="starting")
            self._start.run(self._form.starting, partial(self._told, self._started, self._form))
        self.redraw()

    def _started(self, form: Form, out: str, words: str, code: int) -> None:
        self._starting = False
        if code:
            self._answers = replace(self._answers, fault=words or f"starting ended with code {code}", busy="")
            self.redraw()
            return
        self.ui.open_campaign(None)
        self.dismiss(None)
