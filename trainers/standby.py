"""A trainer that is started before its turn: it imports torch meanwhile, which takes seconds, and waits for a run."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lvmtui.formats.turn import READY, ROOM, STAND_BY, decode_turn
from trainers.memory import keep_memory


def stand_by() -> Path | None:
    """Wait for a turn on standard input. Returns the run's folder; None if nobody is left who could give one.

    From the moment the line is read, this process is the run's: its output goes to the run's log, and the kernel shows
    the run's folder and marks as its argument and environment, as if it had been started with them. Raises before it
    says that it is ready, where that could not be done.
    """
    argument, room = _places()
    os.environ.pop(ROOM)  # C's `getenv` must not look into memory that changes
    keep_memory()
    import trainers.train  # noqa: F401  # what is waited for

    os.write(sys.stdout.fileno(), READY)
    turn = decode_turn(sys.stdin.buffer.readline())
    if turn is None:
        return None
    argument.write(os.fsencode(turn.folder))
    room.write(turn.marks)
    os.environ.update(turn.environment)
    _talk_to(turn.output)
    return Path(turn.folder)


@dataclass(frozen=True)
class _Place:
    """Memory of this process that the kernel shows to others."""

    address: int
    length: int

    def write(self, text: bytes) -> None:
        assert len(text) <= self.length, "whoever gives a turn looks whether it fits"
        whole = text.ljust(self.length, b"\0")
        ctypes.memmove(self.address + 1, whole[1:], self.length - 1)
        ctypes.memmove(self.address, whole[:1], 1)  # last: half a name is nobody's name


def _places() -> tuple[_Place, _Place]:
    """Where the argument stands that becomes the run's folder, and the room for its marks.

    proc_pid_stat(5), fields 48 to 51, say where the kernel finds arguments and environment; some kernels that are not
    Linux itself say zero.
    """
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    arguments, arguments_end, environment, environment_end = map(int, fields[45:49])
    if not arguments or not environment:
        raise OSError("the kernel does not tell where arguments and environment are")
    return _place(arguments, arguments_end, STAND_BY), _place(environment, environment_end, f"{ROOM}=")


def _place(begin: int, end: int, text: str) -> _Place:
    """The string between two addresses that starts with `text`."""
    memory = b"\0" + ctypes.string_at(begin, end - begin)
    at = memory.index(b"\0" + text.encode())
    return _Place(begin + at, memory.index(b"\0", at + 1) - at - 1)


def _talk_to(output: str) -> None:
    """Put the log in the place of standard output and error, and nothing in that of standard input."""
    with open(os.devnull, "rb") as nothing, open(output, "ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
