"""A trainer that is started before its turn: it imports torch meanwhile, which takes seconds, and waits for a run."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from lvmtui.contract.turn import READY, ROOM, STAND_BY, Turn, decode_turn
from trainers.memory import keep_memory


def stand_by() -> Path | None:
    """Wait for a turn on standard input. Returns the run's folder; None if nobody is left who could give one.

    From the moment the line is read, this process is the run's: its output goes to the run's log, and the kernel shows
    the run's folder and marks as its argument and environment, as if it had been started with them.
    """
    keep_memory()
    import trainers.train  # noqa: F401  # what is waited for

    os.write(sys.stdout.fileno(), READY)
    turn = decode_turn(sys.stdin.buffer.readline())
    if turn is None:
        return None
    _wear(turn)
    _talk_to(turn.output)
    return Path(turn.folder)


def _wear(turn: Turn) -> None:
    os.environ.pop(ROOM)  # C's `getenv` must not look into memory that changes
    # proc_pid_stat(5), fields 48 to 51: where the kernel finds arguments and environment
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    arguments_at, arguments_end, environment_at, environment_end = map(int, fields[45:49])
    _write_over(arguments_at, arguments_end, STAND_BY.encode(), os.fsencode(turn.folder))
    _write_over(environment_at, environment_end, f"{ROOM}=".encode(), turn.marks)
    os.environ.update(turn.environment)


def _write_over(begin: int, end: int, old: bytes, new: bytes) -> None:
    """Put `new` in the place of the string between the addresses `begin` and `end` that starts with `old`."""
    memory = b"\0" + ctypes.string_at(begin, end - begin)
    at = memory.index(b"\0" + old)
    room = memory.index(b"\0", at + 1) - at - 1
    assert len(new) <= room, "whoever gives a turn looks whether it fits"
    ctypes.memmove(begin + at, new.ljust(room, b"\0"), room)


def _talk_to(output: str) -> None:
    """Put the log in the place of standard output and error, and nothing in that of standard input."""
    with open(os.devnull, "rb") as nothing, open(output, "ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
