"""The terminal's edges: what it can show, and how the program leaves it, whatever way it goes.

Nothing here needs the event loop: a stalled line blocks that, and a program that cannot write must still end.
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
from types import FrameType
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

from lvmtui.ui.draw.glyphs import has_utf8, to_ascii

PATIENCE = 0.7
"""Seconds an orderly end may take once the terminal has gone or somebody asked the program to end."""
LEAVE = b"\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
"""Everything that was switched on, off again."""
POINTER = "\x1b]22;"
"""How Textual would change the shape of the mouse pointer."""


class TerminalDriver(LinuxDriver):
    """Textual's driver, with ASCII where there is no UTF-8 and without reports of each movement of the mouse."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._plain = not has_utf8()

    def write(self, data: str) -> None:
        if data.startswith(POINTER):  # a mouse pointer of another shape is not worth an OSC sequence
            return
        if self._writer_thread is not None:
            self._writer_thread.write(to_ascii(data) if self._plain else data)

    def _enable_mouse_support(self) -> None:
        """Clicks and the wheel only: movements would be hundreds of messages a second over a slow line."""
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1006h")
            self.flush()


class Departure:
    """Ends the program when it is asked to, or when its terminal has gone."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._attributes = _attributes()
        self._asked = threading.Event()
        self._left = threading.Event()
        self.signal: int | None = None
        """What ended the program; None: its user did."""

    def watch(self) -> None:
        """Take the signals, and look after the terminal in a thread that sleeps until it is gone."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            threading.Thread(target=self._wait_for_hangup, args=(sys.__stdin__.fileno(),), daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._go(number)

    def _wait_for_hangup(self, descriptor: int) -> None:
        """SIGHUP may be ignored (nohup), and reading from a terminal that has gone returns at once, for ever."""
        watcher = select.poll()
        watcher.register(descriptor, 0)
        watcher.poll()
        self._go(signal.SIGHUP)

    def _go(self, number: int) -> None:
        if self._asked.is_set():
            return
        self._asked.set()
        self.signal = number
        threading.Thread(target=self._insist, daemon=True).start()
        self._leave()

    def left(self) -> None:
        """The screen is closed: from here on nothing has to be insisted on."""
        self._left.set()

    def _insist(self) -> None:
        """End the process if the orderly way takes too long: the event loop waits for a line that does not move."""
        if self._left.wait(PATIENCE):
            return
        restore(self._attributes)
        os._exit(128 + (self.signal or 0))


def restore(attributes: list[Any] | None) -> None:
    """Give the terminal back as it was, without ever waiting for it."""
    try:  # opened anew: O_NONBLOCK on the descriptor we were given would stay with the shell
        descriptor = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return
    with suppress(OSError):
        os.write(descriptor, LEAVE)
    if attributes is not None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    os.close(descriptor)


def _attributes() -> list[Any] | None:
    try:
        assert sys.__stdin__ is not None
        return termios.tcgetattr(sys.__stdin__.fileno())
    except (OSError, ValueError, termios.error, AttributeError, AssertionError):
        return None
