"""Waits, and wakes early when there may be something to do.

What wakes is a hint, never a fact: whoever is woken looks at everything itself, and looks now and then without one.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, watch

STEP = 100
"""Milliseconds between two looks of the watcher: a change is known about 110 ms later. Half of it would be known
twice as fast and double what a supervisor costs that has nothing to do."""
AGAIN = 5.0
"""Seconds until a watch that broke (no inotify left, a root that vanished) is tried again; meanwhile the supervisor's
own rhythm has to do."""
ORDERS = ("intent.json", "campaign_intent.json", "campaign.json")


class Waker:
    """An alarm that files, signals and threads can ring."""

    def __init__(self, roots: Iterable[Path], *, say: Callable[[str], None] = print, deaf: bool = False) -> None:
        """`deaf`: the file system tells nothing; whoever waits looks for itself."""
        self._roots = [Path(os.path.realpath(root)) for root in roots]
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # safe to write to from a signal handler
        self._over = threading.Event()
        self._say = say
        self._deaf = deaf
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        if not self._deaf:
            self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self.ring()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def ring(self) -> None:
        """Wake whoever waits, or who waits next. May be called from signal handlers and other threads."""
        with suppress(BlockingIOError):  # it has been rung often enough
            os.write(self._write, b"!")

    def wait(self, seconds: float) -> None:
        """Wait so long at most."""
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                while os.read(self._read, 4096):  # many rings are one
                    pass

    def _watch(self) -> None:
        said = ""
        while not self._over.is_set():
            roots = [root for root in self._roots if root.is_dir()]
            try:
                if len(roots) == len(self._roots):
                    self._watch_once(roots)
            except (OSError, RuntimeError) as error:  # RuntimeError: what the watcher's Rust side raises
                if str(error) != said:
                    said = str(error)
                    self._say(f"files are not watched ({error}); they are looked at every second or two instead")
            self._over.wait(AGAIN)

    def _watch_once(self, roots: list[Path]) -> None:
        inodes = [root.stat().st_ino for root in roots]
        changes = watch(
            *roots,
            watch_filter=matters,
            step=STEP,
            debounce=2 * STEP,
            stop_event=self._over,
            rust_timeout=5000,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for change in changes:
            if change:
                self.ring()
            if [root.stat().st_ino for root in roots] != inodes:  # a root that is replaced goes silent for ever
                return


def matters(change: Change, path: str) -> bool:
    """True for orders, new campaigns, and folders that vanish; the rest is noticed in time without a hint."""
    name = path.rpartition(os.sep)[2]
    return name in ORDERS or (change == Change.deleted and "." not in name)


def sleep_until(condition: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Wait for a condition that nobody announces. False if it did not come true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(step)
    return True
