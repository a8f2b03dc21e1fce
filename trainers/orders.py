"""What the trainer is asked to do: the intent file and signals, looked at once a step."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

from lvmtui.formats.intent import Intent, read_intent
from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import Cancelled, Event, Exit, Interrupted, Paused, Started, events_in, finished_before
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import NO_FILE, is_shared, signature


class Leave(Exception):
    """Raised between two batches when somebody wants the trainer to go."""

    def __init__(self, how: Exit, signal_name: str = "") -> None:
        super().__init__(how.name)
        self.how = how
        self.signal_name = signal_name

    def ending(self, step: int, active: float) -> Event:
        """The event that ends the log of an attempt."""
        now = time.time()
        if self.how is Exit.CANCELLED:
            return Cancelled(now, step, active)
        if self.how is Exit.PAUSED:
            return Paused(now, step, active)
        return Interrupted(now, step, self.signal_name, active)


LEAVE_ON = tuple(
    signal.Signals[name]
    for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGPWR")
    if name in signal.Signals.__members__
)
"""Signals at which a trainer leaves after a checkpoint: those by which people, schedulers (USR1, USR2), limits (XCPU)
and power supplies (PWR, on Linux only) announce the end."""
ASKED = 2.0
"""Seconds between two looks that ask a file server: `stat` may answer from the host's memory for a minute."""


def refuse_finished(folder: RunDir, total_steps: int, intent: Intent) -> None:
    """Raise UserError if the run, which is to begin at its first step, has finished before."""
    if why := finished_before(folder, total_steps, intent):
        raise UserError(why)
    folder.heldout.unlink(missing_ok=True)  # of training that does not count


class Orders:
    """Reads the intent again only when its file has changed; a look takes a microsecond."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shared = is_shared(path.parent)
        self._asked = float("-inf")
        self._seen = NO_FILE
        self.signal: signal.Signals | None = None
        """The signal that came and was not obeyed yet."""
        self.intent = Intent()
        self._look()
        for number in LEAVE_ON:
            signal.signal(number, self._note)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, LEAVE_ON)  # blocked by a process that replaced itself
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal may go; the run stays

    def asks_restart(self, events: Path) -> bool:
        """True if a start from scratch was asked for and no attempt logged in `events` has obeyed it yet."""
        obeyed = [event.generation for event in events_in(events) if isinstance(event, Started)]
        return self.intent.restart > max(obeyed, default=0)

    def check(self) -> None:
        """Raise Leave if the trainer should go."""
        self._look()
        if self.intent.want == "cancel":
            raise Leave(Exit.CANCELLED)
        if self.intent.want == "pause":
            raise Leave(Exit.PAUSED)
        if self.signal:
            raise Leave(Exit.INTERRUPTED, self.signal.name.removeprefix("SIG"))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)

    def _look(self) -> None:
        asked = self._shared and time.monotonic() - self._asked >= ASKED
        if asked:
            self._asked = time.monotonic()
        seen = signature(self._path, asked=asked)
        if seen != self._seen and seen != NO_FILE:  # if the file is gone, the last intent still holds
            self._seen = seen
            self.intent = read_intent(self._path, self.intent)
