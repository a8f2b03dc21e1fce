"""What all views have in common: canvases that show the newest snapshot, a line for words, the keys, the mouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from lvmtui.system.numbers import clock
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.keys import machine_line
from lvmtui.ui.draw.lines import wrapped
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from lvmtui.ui.app import LvmApp
    from lvmtui.ui.read.run_facts import RunFacts


MOVING: tuple[Binding, ...] = (
    Binding("down,j", "move(1)", "down", show=False),
    Binding("up,k", "move(-1)", "up", show=False),
    Binding("pagedown,space", "page(1)", "a page down", show=False),
    Binding("pageup,b", "page(-1)", "a page up", show=False),
    Binding("g,home", "edge(0)", "start", show=False),
    Binding("G,end", "edge(1)", "end", show=False),
)
"""The keys that move about in whatever is longer than its room; what they move is said in the actions."""


class View(Screen[None]):
    """A screen of canvases above a line of keys. Subclasses name the canvases in `parts` and fill them in `paint`.

    What has room where is said in `app.tcss`, by the classes below.
    """

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  Textual declares it so
        (0, "-narrow"),
        (100, "-medium"),
        (120, "-wide"),
        (160, "-broad"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-low"),
        (13, "-short"),
        (20, "-middle"),
        (28, "-high"),
        (32, "-tall"),
        (48, "-towering"),
    ]
    KEYS: tuple[str, ...] = ("help", "back")
    """Actions that the last line shows, in this order."""
    QUESTION = ""
    """What `/` asks for; empty where it asks nothing."""
    GIVES_WAY = False
    """True if the verdict may replace this view when the campaign is over and nobody is typing."""
    TYPING = False
    """True where letters are text, so that none of them gives an order."""
    _pressed = ""
    _prompt: Prompt | None = None
    _offered: object = None

    def __init__(self, app: LvmApp) -> None:
        super().__init__()
        self.ui = app

    @property
    def gives_way(self) -> bool:
        """True if the verdict may replace it now: nothing is being typed."""
        return self.GIVES_WAY and self._prompt is None

    @property
    def snapshot(self) -> Snapshot | None:
        return self.ui.snapshot

    def compose(self) -> ComposeResult:
        # the classes of the terminal's size: Textual takes them after the first layout, and then has to make another
        width, height = self.app.size
        for size, breakpoints in ((width, self.HORIZONTAL_BREAKPOINTS), (height, self.VERTICAL_BREAKPOINTS)):
            self.add_class(*self._get_breakpoint_classes(size, breakpoints), update=False)
        yield from self.parts()
        yield Canvas(id="words")
        with Horizontal(id="last"):
            yield Keys()
            yield Canvas(id="machine")

    def parts(self) -> Iterable[Widget]:
        """What is above the line of keys, from the top."""
        raise NotImplementedError

    def paint(self, snapshot: Snapshot) -> None:
        """Give each canvas what it shows."""
        raise NotImplementedError

    def canvas(self, name: str) -> Canvas:
        return self.query_one(f"#{name}", Canvas)

    def redraw(self) -> None:
        """Draw the view; each canvas sends what has changed."""
        snapshot = self.snapshot
        if not self.is_attached or not self.query("#words"):  # not composed yet, or closed already
            return
        self.set_class(snapshot is None, "-empty")
        if snapshot is None:
            self.query(Canvas).first().paint(lambda width, height: [(), ((f" {self._nothing()}", "dim"),)])
        else:
            self.paint(snapshot)
            machine, time = snapshot.machine, clock(snapshot.now)
            self.canvas("machine").paint(lambda width, height: [machine_line(machine, time, width)])
        self._say()
        if (offered := (self.ui.selected, self.ui.offered)) != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _nothing(self) -> str:
        """What is said where there is no campaign."""
        if self.ui.reading:
            return f"reading the runs{glyphs.ELLIPSIS}"
        if self.ui.read_only:
            return "no campaign here yet; it shows as soon as there is one, q leaves"
        return "no campaign here yet; n starts one, q leaves"

    def _say(self) -> None:
        """Show what is being typed, or words for a moment."""
        prompt, said, words = self._prompt, self.ui.words, self.canvas("words")
        if words.display != bool(prompt or said):
            words.display = not words.display
        self.set_class(prompt is not None, "-asking")
        if prompt is not None:
            words.paint(lambda width, height: [prompt.line(width)])
        else:  # nothing is cut: it may be a path
            words.paint(lambda width, height: [((f" {part}", "note"),) for part in wrapped(said, width - 2)], said)

    def on_mount(self) -> None:
        self.redraw()

    def on_screen_resume(self) -> None:
        self.redraw()

    def on_screen_suspend(self) -> None:
        self._prompt = None

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    # -- a line to type into -----------------------------------------------------------------------------------------

    def asked(self, text: str) -> None:
        """What was typed after `/`."""

    def on_key(self, event: events.Key) -> None:
        """From `/` on, keys go to the line that is being typed; otherwise to the view."""
        if self._prompt is not None:
            before, self._prompt = self._prompt, None
            after = before.typed(event.key, event.character)
            self._prompt = self._prompt or after
        else:
            self.ui.hush_read()
            if event.key != "slash" or not self.QUESTION:
                return
            self._prompt = Prompt(self.QUESTION, self.asked)
        event.stop()
        event.prevent_default()
        self.redraw()

    def on_paste(self, event: events.Paste) -> None:
        if self._prompt is not None:
            event.stop()
            self._prompt = self._prompt.pasted(event.text)
            self.redraw()

    def action_ask(self) -> None:
        """The same, with the mouse."""
        self._prompt = Prompt(self.QUESTION, self.asked)
        self.redraw()

    def stop(self) -> bool:
        """End what is going on in the view; False: nothing was, so Esc closes the view."""
        return False

    # -- the mouse ---------------------------------------------------------------------------------------------------

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Where the mouse selects text. Textual looks for offsets in the styles of what is drawn; ours has none."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        if isinstance(widget, Canvas):
            offset = (Offset(x, y) - widget.content_region.offset).clamp(*widget.size)
        return widget, offset

    def on_canvas_pressed(self, event: Canvas.Pressed) -> None:
        event.stop()
        target = event.target
        if target.startswith("do:"):
            self.call_later(self.run_action, target.removeprefix("do:"))
            return
        again, self._pressed = self._pressed == target, target
        self.pressed(target, again)

    def pressed(self, target: str, again: bool) -> None:
        """A clickable part was clicked; `again`: it was also the one clicked before."""


class RunsView(View):
    """A view of runs. The same keys move about in each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVING,
        Binding("right,l", "shift(1)", "to the right", show=False),
        Binding("left,h", "shift(-1)", "to the left", show=False),
        Binding("slash", "ask", "find"),
    ]
    QUESTION = "find a run"
    _needle = ""
    WHEEL = 1
    """Lines, or runs, that a turn of the mouse's wheel moves by."""

    def action_move(self, by: int) -> None:
        raise NotImplementedError

    def asked(self, needle: str) -> None:
        """Select the next run whose name or state holds the needle; an empty one means the last one again."""
        self._needle = needle.lower() or self._needle
        runs = self.snapshot.runs if self.snapshot else ()
        after = next((i for i, run in enumerate(runs, 1) if run.name == self.ui.selected), 0)
        for run in (*runs[after:], *runs[:after]):
            if self._needle in f"{run.title} {run.label} {run.word} {run.name}".lower():
                self.select(run)
                return
        self.ui.say(f"no run matches '{self._needle}'")

    def select(self, run: RunFacts) -> None:
        self.ui.selected = run.name
        self.redraw()

    def select_model(self, name: str) -> None:
        """Select the model's run on the arm that is selected."""
        model = next((m for m in self.snapshot.models if m.model == name and m.runs), None) if self.snapshot else None
        if model is not None:
            self.ui.select_model(model)

    def pressed(self, target: str, again: bool) -> None:
        """A row of the verdict's table was clicked: its model is meant."""
        kind, _, name = target.partition(":")
        if kind == "row":
            self.select_model(name)
            self.action_open() if again else self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_move(self.WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_move(-self.WHEEL)

    def action_open(self) -> None:
        self.ui.open_run()


class Keys(Footer):
    """The keys that do something now: Textual's footer, in the order of the view's `KEYS`.

    Each key has the name of its action as a class, so the style sheet says which give way on a narrow terminal. Textual
    makes a footer anew whenever something may have changed, and each of its keys costs as much as a canvas; ours waits
    until something has changed.
    """

    _shown: Sequence[tuple[str, str, str, str]] = ()

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        self._shown = self._wanted()
        for key, display, words, action in self._shown:
            yield FooterKey(key, display, words, action, classes=f"-compact -{action_name(action)}")

    def _wanted(self) -> list[tuple[str, str, str, str]]:
        """Key, its name, what it does now, and its action."""
        view = cast(View, self.screen)
        bound = [active.binding for active in view.active_bindings.values() if active.binding.show]
        first = {action_name(binding.action): binding for binding in reversed(bound)}
        return [
            (first[name].key, self.app.get_key_display(first[name]), words, first[name].action)
            for name in view.KEYS
            if name in first and (words := view.ui.key_words(name, first[name].description))
        ]

    def bindings_changed(self, screen: Screen[object]) -> None:
        if screen is self.screen and self._wanted() != self._shown:
            super().bindings_changed(screen)


def action_name(action: str) -> str:
    """`pane(1)` is the action `pane`, `app.help` is `help`."""
    return action.partition("(")[0].rpartition(".")[2]
