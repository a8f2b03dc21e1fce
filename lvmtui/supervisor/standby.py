"""Trainers that stand by: started before their turn, so that torch's import does not keep the next run waiting.

They belong to no run until they are given one, and end by themselves with the supervisor, whose end closes the pipe
they listen to. Whatever goes wrong with them, a run can always be started without.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lvmtui.contract.turn import READY, Turn, encode_turn, standing_by
from lvmtui.supervisor.engines import thread_environment
from lvmtui.supervisor.process import HAS_PROC, kill_child, start_waiting, unmarked_environment

MOST = 4
"""That stand by at once: each holds 150 MB."""


@dataclass(frozen=True)
class Kind:
    """What a trainer must be started with; it cannot be changed afterwards."""

    threads: int
    folder: Path
    """Its current directory."""


class Standby:
    """The trainers of a supervisor that stand by."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._waiting: list[tuple[Kind, subprocess.Popen[bytes]]] = []
        self._in_vain = not HAS_PROC

    def keep(self, kinds: Sequence[Kind], ahead: int) -> None:
        """Have trainers ready for the next runs, whose kinds are given, soonest first: start up to `ahead`, end those
        that no run needs."""
        wanted = list(kinds)
        for kind, process in list(self._waiting):
            if process.poll() is not None:
                self._in_vain = True  # it could not import, or was killed: better not try again and again
                self._forget(kind, process)
            elif kind in wanted:
                wanted.remove(kind)
            else:
                kill_child(process)
                self._forget(kind, process)
        for kind in wanted[: max(0, min(ahead, MOST) - len(self._waiting))]:
            self._start(kind)

    def _start(self, kind: Kind) -> None:
        if self._in_vain:
            return
        environment = {**unmarked_environment(os.environ), **thread_environment(kind.threads)}
        command, environment = standing_by(self._command, environment)
        try:
            self._waiting.append((kind, start_waiting(command, folder=kind.folder, environment=environment)))
        except OSError:
            self._in_vain = True

    def give(self, kind: Kind, turn: Turn) -> subprocess.Popen[bytes] | None:
        """Let one that is ready take the turn. None: there is none, or it has just ended."""
        for waiting, process in list(self._waiting) if turn.fits else ():
            if waiting == kind and process.poll() is None and _is_ready(process):
                self._waiting.remove((waiting, process))
                assert process.stdin is not None
                try:
                    process.stdin.write(encode_turn(turn))
                    process.stdin.flush()
                except OSError:
                    kill_child(process)
                    _close(process)
                    continue
                _close(process)
                return process
        return None

    def _forget(self, kind: Kind, process: subprocess.Popen[bytes]) -> None:
        self._waiting.remove((kind, process))
        _close(process)


def _is_ready(process: subprocess.Popen[bytes]) -> bool:
    """It has said so. Asked once a process: what it said is read."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 0)
    return bool(readable) and os.read(process.stdout.fileno(), len(READY)) == READY


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
