"""What all views have in common: one canvas drawn from the newest snapshot, a line for messages, the mouse.

An error while drawing is shown as a line on the canvas; the next snapshot may draw well again.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Drawing, spread, width_of, wrapped
from lvmtui.ui.faults import fault_line
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.session import Session
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.prompt import Prompt


class View(Screen[None]):
    """A screen of one canvas. Subclasses draw it in `paint`."""

    AUTO_FOCUS = ""
    ALLOW_SELECT = False
    QUESTION = ""
    """What `/` asks for; empty where it asks nothing."""
    GIVES_WAY = False
    """True if the verdict may replace this view when the campaign is over and nobody is typing."""
    _drawing = Drawing(())
    _pressed = ""
    _prompt: Prompt | None = None

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.ui = session

    @property
    def gives_way(self) -> bool:
        """True if the verdict may replace it now: nothing is being typed."""
        return self.GIVES_WAY and self._prompt is None

    @property
    def snapshot(self) -> Snapshot | None:
        return self.ui.snapshot

    def compose(self) -> ComposeResult:
        yield Canvas()

    def paint(self, snapshot: Snapshot, width: int, height: int) -> Drawing:
        """What the view looks like."""
        raise NotImplementedError

    def paint_without(self, width: int, height: int) -> Drawing:
        """What the view looks like without a campaign."""
        if self.ui.reading:
            words = f"reading the runs{glyphs.ELLIPSIS}"
        elif self.ui.read_only:
            words = "no campaign here yet; it shows as soon as there is one, q leaves"
        else:
            words = "no campaign here yet; n starts one, q leaves"
        return Drawing(((), ((" " + words, "dim"),)))

    def redraw(self) -> None:
        """Draw the view; the canvas sends what has changed."""
        canvases = self.query(Canvas)
        if not canvases:  # not composed yet
            return
        canvas = canvases.first()
        width, height = canvas.size
        if width < 2 or height < 2:
            return
        try:
            snapshot = self.snapshot
            self._drawing = (
                self.paint_without(width, height) if snapshot is None else self.paint(snapshot, width, height)
            )
            lines = list(self._drawing.lines)
        except Exception as error:
            self.log.error(error)
            self._drawing = Drawing(())
            lines = [(), (fault_line(error),)]
        lines = lines[:height] + [()] * (height - len(lines))
        if self._prompt is not None:
            lines[-1] = self._prompt.line(width)
        elif words := self.ui.words:
            tail = lines[-1][-2:]  # the way out stays
            parts = wrapped(words, max(10, width - 2 - width_of(tail)))[-height:]  # nothing is cut: it may be a path
            shown = [spread([(" " + part, "note")], [], width) for part in parts[:-1]]
            lines[-len(parts) :] = [*shown, spread([(" " + parts[-1], "note")], tail, width)]
        canvas.draw(lines)

    def on_mount(self) -> None:
        self.call_after_refresh(self.redraw)

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
        if self._prompt is None:
            self.ui.hush_read()
        if self._prompt is None and event.key == "slash" and self.QUESTION:
            self._prompt = Prompt(self.QUESTION, self.asked)
        elif self._prompt is not None:
            before, self._prompt = self._prompt, None
            after = before.typed(event.key, event.character)
            self._prompt = self._prompt or after
        else:
            return
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

    def on_click(self, event: events.Click) -> None:
        target = self._drawing.target(event.screen_x, event.screen_y)
        if target is None:
            return
        event.stop()
        if target.startswith("do:"):
            action = target.removeprefix("do:")
            own = hasattr(self, f"action_{action.partition('(')[0]}")
            self.call_later(self.run_action, action if own else f"app.{action}")
            return
        again, self._pressed = self._pressed == target, target
        self.pressed(target, again)

    def pressed(self, target: str, again: bool) -> None:
        """A clickable part was clicked; `again`: it was also the one clicked before."""

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.wheeled(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.wheeled(-1)

    def wheeled(self, by: int) -> None:
        """The wheel was turned, down for 1."""
