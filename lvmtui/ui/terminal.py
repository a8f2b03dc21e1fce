"""The terminal: what it can show, and how the program gives it back, however it ends.

Nothing here needs the event loop: a stalled connection blocks the loop, and a program that cannot write must still end.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from lvmtui.system.text import sanitise
from lvmtui.ui.draw.glyphs import has_utf8, to_ascii

PATIENCE = 0.7
"""Seconds that an orderly end may take after a signal or the loss of the terminal."""
LEAVE = b"\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
"""Switches everything off that was switched on."""
POINTER = "\x1b]22;"
"""Start of the sequence with which Textual changes the shape of the mouse pointer."""
NOTIFY = "\x1b]9;"
"""Start of the sequence that asks a terminal for a notification."""


class TerminalDriver(LinuxDriver):
    """Textual's driver, with ASCII where there is no UTF-8 and without reports of a mouse that only moves."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._plain = not has_utf8()

    def write(self, data: str) -> None:
        if data.startswith(POINTER):  # not worth its bytes
            return
        if self._writer_thread is not None:
            self._writer_thread.write(to_ascii(data) if self._plain else data)

    def _enable_mouse_support(self) -> None:
        """Clicks, the wheel, and movements with a button held, which mark text; all would be hundreds of messages."""
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")
            self.flush()


def alert(app: App[Any], words: str) -> None:
    """Ring, and ask the terminal to tell it outside of its window (OSC 9: iTerm2, WezTerm, kitty and some others)."""
    app.bell()
    if isinstance(app._driver, TerminalDriver):
        app._driver.write(f"{NOTIFY}{sanitise(words, 200)}\x07")


def in_browser() -> bool:
    """True where the screen is served to a browser: another driver, no terminal, perhaps somebody from elsewhere."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def driver() -> type[Driver] | None:
    """Our driver; None where TEXTUAL_DRIVER names another one, for instance to serve the screen to a browser."""
    return None if in_browser() else TerminalDriver


class Departure:
    """Ends the program on a signal, or when its terminal is gone."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._attributes: list[Any] | None = None
        with suppress(termios.error):  # there is no terminal
            self._attributes = termios.tcgetattr(0)
        self._left = threading.Event()
        self.signal: int | None = None
        """The signal that ended the program; None: its user left."""

    def watch(self) -> None:
        """Handle the signals, and wait in a thread for the terminal to go away."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self._go(number))
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            threading.Thread(target=self._wait_for_hangup, args=(sys.__stdin__.fileno(),), daemon=True).start()

    def _wait_for_hangup(self, descriptor: int) -> None:
        """SIGHUP may be ignored (nohup), and then reads from a lost terminal return at once, again and again."""
        watcher = select.poll()
        watcher.register(descriptor, 0)
        watcher.poll()
        self._go(signal.SIGHUP)

    def _go(self, number: int) -> None:
        if self.signal is not None:
            return
        self.signal = number
        threading.Thread(target=self._insist, daemon=True).start()
        self._leave()

    def left(self) -> None:
        """The screen is closed: from here on nothing has to be insisted on."""
        self._left.set()

    def _insist(self) -> None:
        """End the process if the orderly way takes too long because the event loop is blocked."""
        if self._left.wait(PATIENCE):
            return
        restore(self._attributes)
        os._exit(128 + (self.signal or 0))


def restore(attributes: list[Any] | None) -> None:
    """Restore the terminal without ever waiting for it."""
    try:  # opened again: O_NONBLOCK on the inherited descriptor would stay with the shell
        descriptor = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return
    with suppress(OSError):
        os.write(descriptor, LEAVE)
    if attributes is not None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    os.close(descriptor)
