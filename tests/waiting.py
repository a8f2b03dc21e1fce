"""Waiting for what others do: poll for the condition, never sleep and hope."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], seconds: float = 120, what: str = "it did not come to pass") -> None:
    """Return as soon as the condition is true. Raises AssertionError if it never is."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


_IDLE = "import sys; held = []\nfor line in sys.stdin: held.append(open(line.strip(), 'ab')); print('held', flush=True)"


class IdleTrainer(subprocess.Popen[str]):
    """A process that does nothing but hold the lock files of runs, for tests that need a trainer that is alive."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-c", _IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hold(self, lock: Path) -> None:
        """Open the lock file and keep it open."""
        assert self.stdin is not None and self.stdout is not None
        self.stdin.write(f"{lock}\n")
        self.stdin.flush()
        assert self.stdout.readline() == "held\n"
