"""Watches folders and reports changed paths: the program's only file watcher.

A report is a hint. Reports can be lost, doubled or late, so the receiver reads from its own offset and looks at
everything now and then without a hint. Where the kernel reports nothing (network file systems, or no watches left)
the caller can give a function that looks for changes itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lvmtui.system.process_id import folder_id

if TYPE_CHECKING:
    from watchfiles import Change

LOOK_EVERY = 0.5
"""Seconds between two looks where the kernel reports nothing."""

Look = Callable[[], Iterable[str]]
"""Returns the paths that changed since it was called last."""


@dataclass(frozen=True)
class Timing:
    """How early a watcher reports, and what that costs: each step wakes the processor."""

    step: int = 30
    """Milliseconds in which events are gathered; it decides how late a change is seen."""
    timeout: int = 1000
    """Milliseconds without an event after which the roots are checked."""
    retry: float = 1.0
    """Seconds until missing folders are looked for again, or a failed watch is tried again."""


class Watcher:
    """A thread that calls `report(paths)` when files below the roots change.

    `begun()` is called each time watching begins: changes before that moment were not seen. `warn(words)` is called
    once for each new reason why the kernel's watches cannot be used.
    """

    def __init__(
        self,
        report: Callable[[Iterable[str]], None],
        *,
        warn: Callable[[str], None],
        begun: Callable[[], None] = lambda: None,
        matters: Callable[[Change, str], bool] | None = None,
        timing: Timing = Timing(),
        look: Callable[[], Look] | None = None,
        only_look: bool = False,
    ) -> None:
        """`matters` filters events.

        `look` makes the function that looks for changes. It is used from the start with `only_look`, else as soon as a
        watch fails. Without it a failed watch is tried again.
        """
        self._report, self._warn, self._begun, self._matters = report, warn, begun, matters
        self._timing, self._look = timing, look
        self._looks = only_look
        self._roots: list[Path] = []
        self._warned = ""
        self._stopped = threading.Event()
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lvmtui-watch", daemon=True)

    def start(self, roots: Sequence[Path]) -> None:
        self._roots = list(roots)
        self._thread.start()

    def watch(self, roots: Sequence[Path]) -> None:
        """Watch these folders from now on."""
        if list(roots) != self._roots:
            self._roots = list(roots)
            self._again.set()

    def set_step(self, step: int) -> None:
        """Report earlier or later from now on: milliseconds, see `Timing`."""
        if step != self._timing.step:
            self._timing = replace(self._timing, step=step)
            self._again.set()

    def stop(self) -> None:
        self._stopped.set()
        self._again.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._again.clear()
            present = [root for root in self._roots if root.is_dir()]
            if not present:
                self._again.wait(self._timing.retry)
            elif self._looks and self._look is not None:
                look = self._look()
                self._begun()
                while not self._again.wait(LOOK_EVERY):
                    self._report(look())
            else:
                self._watch_or_fall_back(present)

    def _watch_or_fall_back(self, present: list[Path]) -> None:
        try:
            self._watch(present)
        except FileNotFoundError:  # a root vanished between the two lines
            self._again.wait(self._timing.retry)
        except (OSError, RuntimeError) as error:  # RuntimeError: raised by the watcher's Rust side
            if str(error) != self._warned:
                self._warned = str(error)
                self._warn(f"files are not watched ({error}); changes are looked for instead")
            self._looks = self._look is not None
            if not self._looks:
                self._again.wait(self._timing.retry)

    def _watch(self, present: list[Path]) -> None:
        """Report changes until other roots are wanted, or a root appeared, vanished or was replaced.

        A watch on a deleted folder is silent for ever; a root made again can get its inode. So the deletion counts too.
        """
        from watchfiles import Change, watch  # takes a while, and can wait until there is a picture

        began, folders = False, [folder_id(root) for root in self._roots]
        names = {str(root) for root in present}

        def passes(change: Change, path: str) -> bool:
            gone = change is Change.deleted and path in names
            return gone or self._matters is None or self._matters(change, path)

        for changes in watch(
            *present,
            watch_filter=passes,
            debounce=self._timing.step,
            step=self._timing.step,
            stop_event=self._again,
            rust_timeout=self._timing.timeout,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            if not began:
                began = True
                self._begun()
            if changes:
                self._report(path for _, path in changes)
            deleted = any(change is Change.deleted and path in names for change, path in changes)
            if deleted or folders != [folder_id(root) for root in self._roots]:
                return
