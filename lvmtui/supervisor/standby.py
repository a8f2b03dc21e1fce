"""Trainers that stand by: started before their turn, so that torch's import does not keep the next run waiting.

They belong to no run until they are given one, and end by themselves with the supervisor, whose end closes the pipe
they listen to. Whatever goes wrong with them, a run can always be started without; so nothing here waits for them.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.turn import READY, Turn, encode_turn, standing_by
from lvmtui.supervisor.engines import thread_environment
from lvmtui.system.process_id import process_stat
from lvmtui.system.processes import HAS_PROC, let_go, start_waiting, unmarked_environment

MOST = 4
"""That stand by at once: each holds 150 MB."""
TRIES = 3
"""That may end before they are ready; then no more are started: this Python cannot, and they would come and go."""


@dataclass(frozen=True)
class Kind:
    """What a trainer must be started with; it cannot be changed afterwards."""

    threads: int
    workspace: Path
    """Its current directory."""


@dataclass
class Waiting:
    """One that stands by."""

    kind: Kind
    process: subprocess.Popen[bytes]
    said: bytearray = field(default_factory=bytearray)

    @property
    def has_imported(self) -> bool:
        """It has said that it is ready; now it may be stopped, or dead."""
        out = self.process.stdout
        assert out is not None
        while select.select([out], [], [], 0)[0] and (words := os.read(out.fileno(), 4096)):
            self.said += words
        return self.said.endswith(READY)

    @property
    def is_ready(self) -> bool:
        """It would take a turn at once."""
        if not self.has_imported or self.process.poll() is not None:
            return False
        stat = process_stat(self.process.pid)
        return stat is not None and stat[0] not in "Tt"

    def told(self, turn: Turn) -> bool:
        """It was given the turn."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(encode_turn(turn))
            self.process.stdin.flush()
        except OSError:
            return False
        self.close()
        return True

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class Standby:
    """The trainers of a supervisor that stand by."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._waiting: list[Waiting] = []
        self._leaving: list[subprocess.Popen[bytes]] = []
        """Those that were ended; one in the kernel's hands takes as long as it takes."""
        self._tries = TRIES if HAS_PROC else 0

    def keep(self, kinds: Sequence[Kind], ahead: int) -> None:
        """Have trainers ready for the next runs, whose kinds are given, soonest first: start up to `ahead`, end those
        that no run needs."""
        self._leaving = [process for process in self._leaving if process.poll() is None]
        wanted = list(kinds)
        for waiting in list(self._waiting):
            if waiting.process.poll() is not None:
                self._tries -= not waiting.has_imported
                self._end(waiting)
            elif waiting.kind in wanted:
                wanted.remove(waiting.kind)
            else:
                self._end(waiting)
        for kind in wanted[: max(0, min(ahead, MOST) - len(self._waiting))]:
            self._start(kind)

    def give(self, kind: Kind, turn: Turn) -> subprocess.Popen[bytes] | None:
        """Let one that is ready take the turn. None: there is none."""
        for waiting in list(self._waiting) if turn.fits(kind.workspace) else ():
            if waiting.kind == kind and waiting.is_ready:
                if waiting.told(turn):
                    self._waiting.remove(waiting)
                    return waiting.process
                self._end(waiting)
        return None

    def _start(self, kind: Kind) -> None:
        if self._tries <= 0:
            return
        environment = {**unmarked_environment(os.environ), **thread_environment(kind.threads)}
        command, environment = standing_by(self._command, environment, kind.workspace)
        try:
            process = start_waiting(command, folder=kind.workspace, environment=environment)
        except OSError:
            self._tries -= 1
        else:
            self._waiting.append(Waiting(kind, process))

    def _end(self, waiting: Waiting) -> None:
        self._waiting.remove(waiting)
        waiting.close()
        let_go(waiting.process)
        self._leaving.append(waiting.process)
