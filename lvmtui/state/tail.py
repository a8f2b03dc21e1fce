"""Whole lines from a file that grows, is cut, or is replaced while it is read; and a cursor over a run's log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

Record = TypeVar("Record")
BLOCK = 1 << 20
LONGEST = 1 << 20
"""Bytes. A longer line is no event of ours, and is skipped without holding it in memory."""


@dataclass(frozen=True)
class Position:
    """Where reading goes on: the file (by inode) and the byte after the last whole line."""

    inode: int = 0
    offset: int = 0


def read_lines(path: Path, position: Position = Position(), most: float = math.inf) -> tuple[list[bytes], Position]:
    """Return the lines completed since `position`, without their newlines, and the position after them.

    A last line without a newline is held back: it is still being written, or was cut. A file that became shorter or
    was replaced is read from its start again; the caller sees that by the position's inode or a smaller offset. After
    about `most` bytes reading stops, and the rest comes with the next call.
    """
    try:
        with path.open("rb") as file:
            start = restart_of(path, position)
            file.seek(start.offset)
            lines, end = _whole_lines(file, start.offset, most)
            return lines, Position(start.inode, end)
    except OSError:
        return [], position


def restart_of(path: Path, position: Position) -> Position:
    """`position` if it still fits the file, else the start of the file that is there now. Raises OSError."""
    stat = path.stat()
    return position if stat.st_ino == position.inode and stat.st_size >= position.offset else Position(stat.st_ino, 0)


def _whole_lines(file: IO[bytes], offset: int, most: float) -> tuple[list[bytes], int]:
    """The whole lines from here on, and the offset after the last of them."""
    lines: list[bytes] = []
    rest = b""
    skipping = False
    while most > 0 and (block := file.read(BLOCK)):
        most -= len(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            offset += len(line) + 1
            if not skipping:
                lines.append(line)
            skipping = False
        if len(rest) > LONGEST:
            offset += len(rest)
            rest, skipping = b"", True
    return lines, offset


class LogCursor(Generic[Record]):
    """Reads a log again and again, each time only what is new."""

    def __init__(
        self, path: Path, decode: Callable[[bytes], Record], *, without: tuple[bytes, ...] = (), most: float = math.inf
    ) -> None:
        """Lines that contain one of `without` are passed over before they are decoded, which is most of the cost.
        `most`: bytes that are read in one call."""
        self.path = path
        self._decode = decode
        self._without = without
        self._most = most
        self._position = Position()

    def read(self) -> tuple[list[Record], bool]:
        """The new records, and whether they are to be read as a new log: the file was replaced or cut."""
        try:
            restarted = self._position != Position() and restart_of(self.path, self._position) != self._position
        except OSError:
            restarted = True
        if restarted:
            self._position = Position()
        lines, self._position = read_lines(self.path, self._position, self._most)
        kept = (line for line in lines if not any(part in line for part in self._without))
        return [self._decode(line) for line in kept], restarted
