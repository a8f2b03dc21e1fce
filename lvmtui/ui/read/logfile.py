"""Lines of a log, read in blocks around the part that is shown, so that a log of a gigabyte opens at once.

A line is identified by the byte offset of its start. Lines end at newlines. A line without a newline is split at
multiples of `BLOCK`, so reading forwards and backwards finds the same lines. Text is sanitised here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lvmtui.system.filesystem import signature
from lvmtui.system.text import sanitise

BLOCK = 1 << 16
SEARCH_BLOCK = 1 << 20
COUNTED = 1 << 24
"""Largest log, in bytes, in which matches are counted; it takes a few hundredths of a second."""


@dataclass(frozen=True)
class LogLine:
    offset: int
    """Of its first byte."""
    text: str
    end: int
    """Offset of the line after it."""


class LogFile:
    """A log that may grow, shrink or vanish at any time. Every call opens the file again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """Bytes; 0 where there is no file."""
        return signature(self.path)[1]

    def after(self, offset: int, count: int) -> list[LogLine]:
        """At most `count` lines from the one that begins at `offset`."""
        lines: list[LogLine] = []
        with _opened(self.path) as (descriptor, size):
            while offset < size and len(lines) < count:
                end = _end_of(descriptor, offset, size)
                lines.append(LogLine(offset, _text(os.pread(descriptor, end - offset, offset)), end))
                offset = end
        return lines

    def before(self, offset: int, count: int) -> list[LogLine]:
        """At most `count` lines that end at or before `offset`, in the order of the file."""
        lines: list[LogLine] = []
        with _opened(self.path) as (descriptor, size):
            offset = min(offset, size)
            while offset > 0 and len(lines) < count:
                start = _start_of(descriptor, offset - 1)
                lines.append(LogLine(start, _text(os.pread(descriptor, offset - start, start)), offset))
                offset = start
        return lines[::-1]

    def search(
        self, needle: str, offset: int, *, forwards: bool, going: Callable[[float], bool] = lambda share: True
    ) -> int | None:
        """Offset of the next line with `needle`, at or after `offset` (backwards: before it); None if there is none.

        Case matters only if the needle has a capital letter. `going` is called with the share searched so far, once a
        block; returning False ends the search.
        """
        wanted = needle.encode()
        fold = needle == needle.lower()
        if not wanted:
            return None
        with _opened(self.path) as (descriptor, size):
            overlap = len(wanted) - 1
            first, last = (offset, size) if forwards else (0, min(offset, size))
            done = 0
            while done < last - first and going(done / (last - first)):
                length = min(SEARCH_BLOCK, last - first - done)
                start = first + done if forwards else last - done - length
                block = os.pread(descriptor, length + overlap, start)
                block = block.lower() if fold else block
                found = block.find(wanted) if forwards else block.rfind(wanted)
                if found >= 0:
                    return _start_of(descriptor, start + found)
                done += length
        return None

    def count(self, needle: str, offset: int) -> tuple[int, int] | None:
        """(number, count) of the line at `offset` of those with `needle`, from 1; None above `COUNTED`, or for none."""
        fold = needle == needle.lower()
        with _opened(self.path) as (descriptor, size):
            if not 0 < size <= COUNTED:
                return None
            text = os.pread(descriptor, size, 0)
        lines = re.finditer(re.escape(needle.encode()) + rb"[^\n]*", text.lower() if fold else text)
        starts = [line.start() for line in lines]
        return (min(len(starts), 1 + sum(start < offset for start in starts)), len(starts)) if starts else None


def newest_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a log, sanitised, without empty ones."""
    log = LogFile(path)
    return [line.text for line in log.before(log.size(), count) if line.text.strip()]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[int, int]]:
    """A descriptor for reading, and the file's size; -1 and 0 if it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield -1, 0
        return
    try:
        yield descriptor, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _end_of(descriptor: int, offset: int, size: int) -> int:
    """End of the line that begins at `offset`: after a newline, at a block's edge, or at the end of the file."""
    edge = (offset // BLOCK + 1) * BLOCK
    found = os.pread(descriptor, edge - offset, offset).find(b"\n")
    if found >= 0:
        return offset + found + 1
    if edge >= size:
        return size
    if offset % BLOCK == 0:
        return edge
    found = os.pread(descriptor, BLOCK, edge).find(b"\n")
    return edge + found + 1 if found >= 0 else min(edge + BLOCK, size)


def _start_of(descriptor: int, offset: int) -> int:
    """Start of the line with the byte at `offset` in it."""
    edge = offset // BLOCK * BLOCK
    found = os.pread(descriptor, offset - edge, edge).rfind(b"\n")
    if found >= 0:
        return edge + found + 1
    if edge == 0:
        return 0
    found = os.pread(descriptor, BLOCK, edge - BLOCK).rfind(b"\n")
    return edge - BLOCK + found + 1 if found >= 0 else edge


def _text(raw: bytes) -> str:
    """A line as it is shown. A progress bar overwrites its line after carriage returns; its last state is kept."""
    raw = raw.rstrip(b"\r\n")
    return sanitise(raw[raw.rfind(b"\r") + 1 :])
