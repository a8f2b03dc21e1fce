"""What a user's program prints: bounded, and read by the campaign's patterns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import IO

from lvmtui.formats.patterns import LineReading, Patterns

LONGEST_LINE = 1 << 16
"""Bytes after which a line without an end counts as one."""
FREE = 4 << 20
"""Bytes of output that are kept at once."""
RATE = 2048
"""Bytes a second that are kept in the long run, 170 MB a day; lines that a pattern reads are always kept."""


class Output:
    """Takes what a program prints, piece by piece, and passes on its lines."""

    def __init__(
        self,
        log: IO[bytes],
        patterns: Sequence[str],
        read: Callable[[LineReading, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`log`: where lines are kept; `read`: told what each line says that a pattern is found in, and its number."""
        self._log = log
        self._patterns = Patterns(patterns)
        self._read = read
        self._clock = clock
        self._rest = b""
        self._room = float(FREE)
        self._filled = clock()
        self._left_out = 0
        self.lines = self.understood = 0
        self.last = b""
        """The last line that says something."""

    def feed(self, piece: bytes) -> None:
        """More output, cut anywhere."""
        now = self._clock()
        self._room = min(FREE, self._room + RATE * (now - self._filled))
        self._filled = now
        lines = (self._rest + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        kept: list[bytes] = []
        for line in lines:
            reading = self._patterns.read(line)
            self.lines, self.understood = self.lines + 1, self.understood + (reading is not None)
            if reading is not None:
                self._read(reading, self.lines)
            elif self._room < len(line):
                self._left_out += 1
                continue
            if self._left_out:
                kept.append(b"(%d lines left out)" % self._left_out)
                self._left_out = 0
            self._room -= len(line) + 1
            kept.append(line[:LONGEST_LINE])
            if line.strip():
                self.last = line
        if kept:
            self._log.write(b"\n".join(kept) + b"\n")
            self._log.flush()

    def close(self) -> None:
        """The program has ended: what it printed last is a line too."""
        if self._rest:
            self.feed(b"\n")


class Thinned:
    """Lets through at most `limit` of any number of things, evenly spread: every one, then every other, and so on."""

    def __init__(self, limit: int) -> None:
        self._limit, self._stride, self._seen, self._kept = limit, 1, 0, 0

    def takes(self) -> bool:
        """True if the next one is to be kept."""
        self._seen += 1
        if (self._seen - 1) % self._stride:
            return False
        self._kept += 1
        if self._kept >= self._limit:
            self._kept, self._stride = 0, 2 * self._stride
        return True
