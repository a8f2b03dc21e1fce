"""Lets the supervisor sleep, and wakes it early when there may be something to do.

A wake-up is only a hint: the supervisor then looks at everything itself, and looks now and then without one.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchfiles import Change

from lvmtui.system.watch import Timing, Watcher

TIMING = Timing(step=100, timeout=5000, retry=5.0)
"""A change is seen about 110 ms later. Half of the step would halve that and double what an idle supervisor costs."""
ORDERS = ("intent.json", "campaign_intent.json", "campaign.json")


class Wakeup:
    """A sleep that files, signals and threads can end."""

    def __init__(
        self, roots: Iterable[Path], *, warn: Callable[[str], None] = print, only_regular: bool = False
    ) -> None:
        """`only_regular`: the file system reports nothing, so only the regular looks find changes."""
        self._roots = [Path(os.path.realpath(root)) for root in roots]
        self._read, self._write = os.pipe()  # safe to write to from a signal handler; children do not inherit it
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._watcher = None
        if not only_regular:
            self._watcher = Watcher(lambda paths: self.wake(), warn=warn, matters=matters, timing=TIMING)

    def start(self) -> None:
        if self._watcher:
            self._watcher.start(self._roots)

    def stop(self) -> None:
        if self._watcher:
            self._watcher.stop()
        self.wake()

    def wake(self) -> None:
        """End this sleep, or the next one. May be called from signal handlers and other threads."""
        with suppress(BlockingIOError):  # the pipe is full: it has been woken often enough
            os.write(self._write, b"!")

    def sleep(self, seconds: float) -> None:
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                while os.read(self._read, 4096):  # several wake-ups count as one
                    pass


def matters(change: Change, path: str) -> bool:
    """True for orders, new campaigns and vanished folders; the regular looks find everything else soon enough."""
    name = path.rpartition(os.sep)[2]
    return name in ORDERS or (change == Change.deleted and "." not in name)


def sleep_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition that nothing announces. False if it did not come true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True
