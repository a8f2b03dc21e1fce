"""How many processor cores have nothing to do, by the kernel's own count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

LEAST, MOST = 0.5, 10.0
"""Seconds between two counts: the kernel counts in hundredths, and what was long ago says nothing about now."""
IDLE = slice(3, 5)
"""Of the columns in /proc/stat, see proc_stat(5): idle, and waiting for a disk with nothing else to do."""
ALL = slice(0, 8)


class IdleCores:
    """Called again and again, tells how many of our cores were idle since the call before, on average."""

    def __init__(self, read: Callable[[], str] = lambda: Path("/proc/stat").read_text()) -> None:
        self._read = read
        self._before: tuple[int, int] | None = None
        self._idle = 0.0

    def __call__(self) -> float:
        """0 until it is known, after a long time without a call, and where no kernel tells."""
        try:
            cores = list(_cores(self._read()))
        except OSError:
            return 0.0
        now = sum(idle for idle, _ in cores), sum(all_ for _, all_ in cores)
        if self._before is None:
            self._before = now
        idle, passed = now[0] - self._before[0], now[1] - self._before[1]
        seconds = passed / os.sysconf("SC_CLK_TCK") / max(1, len(cores))
        if seconds >= LEAST:
            self._before, self._idle = now, len(cores) * idle / passed if seconds <= MOST else 0.0
        return self._idle


def _cores(text: str) -> Iterable[tuple[int, int]]:
    """Idle and all clock ticks of each core this process may use."""
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    for line in text.splitlines():
        name, *columns = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in ours:
            ticks = [int(column) for column in columns]
            yield sum(ticks[IDLE]), sum(ticks[ALL])
