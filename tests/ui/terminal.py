"""The real program in a real pseudo-terminal, seen through a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

PATIENCE = 60.0
"""Seconds that something may take to appear before a test gives up."""


class Terminal:
    """`lvmtui ARGUMENTS` with a screen of its own."""

    def __init__(
        self,
        arguments: list[str],
        *,
        size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        command: list[str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        """Everything that reached the terminal."""
        self.keep = True
        """False: bytes are counted and shown, and not kept."""
        self.count = 0
        variables = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LVMTUI_GLYPHS", "COLORTERM")}
        variables |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | dict(environment or {})
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            if cwd is not None:
                os.chdir(cwd)
            program = command or [sys.executable, "-P", "-m", "lvmtui", *arguments]
            os.execvpe(program[0], program, variables)
        self.resize(*size, tell=False)

    def resize(self, columns: int, lines: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.screen.resize(lines, columns)

    def press(self, *keys: str) -> None:
        """Type; `\\x1b` alone is Esc and gets the pause that tells it from the start of a sequence."""
        for key in keys:
            os.write(self.master, key.encode())
            if key == "\x1b":
                self.read(0.25)

    def read(self, seconds: float = 0.0) -> bool:
        """Take in what the program writes for so long; False once it has closed the terminal."""
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.master], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return True
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return False
            if not data:
                return False
            self.count += len(data)
            if self.keep:
                self.raw += data
            self._stream.feed(data)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, wanted: str | Callable[[str], bool], patience: float = PATIENCE) -> str:
        """The screen once it shows what is wanted. Raises AssertionError if it never does."""
        shows = (lambda text: wanted in text) if isinstance(wanted, str) else wanted
        until = time.monotonic() + patience
        while not shows(self.text):
            open_ = self.read(0.05)
            if not shows(self.text) and (not open_ or time.monotonic() > until):
                raise AssertionError(f"{wanted!r} does not appear on the screen:\n{self.text}")
        return self.text

    def wait_end(self, patience: float = PATIENCE) -> int:
        """The exit code, once the program has ended; negative for a signal."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"the program does not end:\n{self.text}")

    def close(self) -> None:
        """End the program if it runs, and the terminal."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
