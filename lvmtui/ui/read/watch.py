"""What changed on the disk, as hints: which runs, whether the campaign, whether there is a new one.

Events may be lost, doubled or late; whoever acts on a hint reads from its own offset, and looks at everything now and
then without one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.state.polling import EVERY, News

STEP = 30
"""Milliseconds that events are gathered for; it decides how late a change is seen."""
IDLE_STEP = 100
"""The same while nothing runs: each step wakes the processor."""
TIMEOUT = 1000
"""Milliseconds without a change after which one makes sure that the right folders are watched."""
RETRY = 1.0
"""Seconds until a folder that is not there yet is looked for again."""


@dataclass
class Hints:
    """What may have changed since the last look. Sets of names: a storm of events takes no more room than a breeze."""

    runs: set[str] = field(default_factory=set)
    """Run folders in which something happened that is shown at once."""
    later: set[str] = field(default_factory=set)
    """The same, of runs that are not on the screen."""
    digits: bool = False
    """Live digits or a log changed: that waits for the next second."""
    campaign: bool = False
    campaigns: bool = False
    """A folder appeared or went."""

    @property
    def moving(self) -> bool:
        """True if the next second must not be slept through."""
        return self.digits or bool(self.later)

    @property
    def urgent(self) -> bool:
        return bool(self.runs) or self.campaign or self.campaigns


@dataclass(frozen=True)
class Places:
    """Which folder means what."""

    workspace: Workspace
    campaign: Path | None
    runs: dict[str, str]
    """Path of a run folder -> name of the run."""

    @property
    def roots(self) -> list[Path]:
        """Folders to watch; run folders of other workspaces among them."""
        lvm = self.workspace.lvm
        elsewhere = {Path(p) for p in self.runs if not Path(p).is_relative_to(lvm)}
        return [lvm, *sorted(elsewhere)]

    def sort(self, paths: Iterable[str], hints: Hints) -> None:
        """Add what `paths` mean to `hints`."""
        campaign = str(self.campaign) if self.campaign else None
        campaigns, models = str(self.workspace.campaigns), str(self.workspace.models)
        supervisor = str(self.workspace.supervisor)
        for path in paths:
            folder, _, name = path.rpartition("/")
            run = self.runs.get(folder)
            if run is not None:
                if name in _DIGITS:
                    hints.digits = True
                elif not name.startswith(".") and name in _TOLD:
                    hints.runs.add(run)
            elif path in self.runs:
                hints.runs.add(self.runs[path])
            elif folder in (models, campaigns) or name == "campaign.json":
                hints.campaigns = True
            elif path == supervisor or (campaign and path.startswith(campaign) and not name.startswith(".")):
                hints.campaign = True


_NAMES = RunDir(Path())
_DIGITS = {_NAMES.progress.name, _NAMES.log.name}
_TOLD = {_NAMES.events.name, _NAMES.supervision.name, _NAMES.intent.name, _NAMES.spec.name}


class Watcher:
    """A thread that calls `tell(paths)` when files below the roots change, and `begun()` once it watches them: what
    happened before that was not seen."""

    def __init__(
        self,
        tell: Callable[[Iterable[str]], None],
        begun: Callable[[], None],
        warn: Callable[[str], None],
        *,
        poll: bool,
    ) -> None:
        self._tell, self._begun, self._warn = tell, begun, warn
        self._stopped = threading.Event()
        self._again = threading.Event()
        self._roots: list[Path] = []
        self._step = STEP
        self._looks = poll

    def start(self, roots: list[Path]) -> None:
        self._roots = roots
        threading.Thread(target=self._run, name="lvmtui-watch", daemon=True).start()

    def look_at(self, roots: list[Path]) -> None:
        """Watch these folders from now on."""
        if roots != self._roots:
            self._roots = roots
            self._again.set()

    def hurry(self, living: bool) -> None:
        """See changes early while something runs, and sleep longer while nothing does."""
        step = STEP if living else IDLE_STEP
        if step != self._step:
            self._step = step
            self._again.set()

    def stop(self) -> None:
        self._stopped.set()
        self._again.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._again.clear()
            there = [root for root in self._roots if root.is_dir()]
            if not there:
                self._again.wait(RETRY)
                continue
            if self._looks:
                self._look()
                continue
            try:
                self._watch(there)
            except FileNotFoundError:
                self._again.wait(RETRY)
            except OSError:
                self._looks = True
                self._warn("the system has no file watches left; looking for changes instead")

    def _look(self) -> None:
        """Look for changes until other roots are wanted; they are below the first, but for runs that are over."""
        news = News(Workspace(self._roots[0].parent.parent))
        self._begun()
        while not self._again.wait(EVERY):
            self._tell(news.look())

    def _watch(self, roots: list[Path]) -> None:
        """Tell of changes until other roots are wanted, or one of these is another folder than it was."""
        from watchfiles import watch

        began, folders = False, [_identity(root) for root in roots]
        for changes in watch(
            *roots,
            watch_filter=None,
            debounce=self._step,
            step=self._step,
            stop_event=self._again,
            rust_timeout=TIMEOUT,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if not began:
                began = True
                self._begun()
            self._tell(path for _, path in changes)
            if not changes and folders != [_identity(root) for root in roots]:
                return


def _identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from another one of its name; a deleted one is watched in vain for ever."""
    try:
        stat = os.stat(folder)
    except OSError:
        return (0, 0)
    return (stat.st_dev, stat.st_ino)
