"""What a run says while it goes: its events, its live digits, its log. And the clock they share."""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter, defaultdict, deque
from contextlib import suppress

from lvmtui.formats.live import INTERVAL, Activity, Progress, write_progress
from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import Event, encode_event
from lvmtui.system.files import LineLog

RECENT = 20
"""Looks at the clock, a quarter second apart, over which the recent duration of a step is taken."""


class Clock:
    """Seconds by activity in this process's life, by a clock that does not jump."""

    def __init__(self, began: float) -> None:
        """`began`: time.monotonic() when the process began."""
        self.seconds: defaultdict[Activity, float] = defaultdict(float)
        self.counts: Counter[Activity] = Counter()
        self.activity: Activity = "starting"
        self.began = began
        self._since = began

    def enter(self, activity: Activity) -> None:
        """From now on time counts as `activity`."""
        now = time.monotonic()
        self.seconds[self.activity] += now - self._since
        self._since = now
        if activity != self.activity:
            self.counts[activity] += 1
        self.activity = activity

    def of(self, activity: Activity) -> float:
        """Seconds of an activity until now."""
        running = time.monotonic() - self._since if activity == self.activity else 0.0
        return self.seconds[activity] + running

    @property
    def alive(self) -> float:
        return time.monotonic() - self.began


class Journal:
    """Writes a run's events, live digits and log lines."""

    def __init__(self, folder: RunDir, began: float) -> None:
        self.clock = Clock(began)
        self.active_before = 0.0
        """Seconds of work of the attempts before this one, as far as they count."""
        self.steps = 0
        """Steps of this process."""
        self.out = sys.stdout
        """Where lines for people go, whatever a user's own model does to stdout."""
        self._folder = folder
        self._events = LineLog(folder.events)
        self._written = float("-inf")
        self._paces: deque[float] = deque(maxlen=RECENT)
        self._pace_mark = (0, 0.0)

    @property
    def active(self) -> float:
        """Seconds of work the run has had, over all attempts."""
        return self.active_before + self.clock.alive

    def event(self, event: Event, *, durable: bool = False) -> None:
        """Append an event; `durable` waits until it would survive a power cut. Raises OSError."""
        self._events.append(encode_event(event), durable=durable)

    def say(self, words: str) -> None:
        """A line for people, in train.log."""
        with suppress(OSError):  # the disk is full: the log is the least of it
            print(time.strftime("%H:%M:%S"), words, file=self.out, flush=True)

    def progress_due(self) -> bool:
        return time.monotonic() - self._written >= INTERVAL

    def progress(
        self,
        pid: int,
        step: int,
        epoch: float,
        loss: float | None,
        cosine: float | None,
        rate: float,
        batch_size: int,
    ) -> None:
        """Replace the live digits."""
        self._written = time.monotonic()
        pace = self._pace()
        clock = self.clock
        digits = Progress(
            time=time.time(),
            activity=clock.activity,
            pid=pid,
            step=step,
            epoch=epoch,
            loss=loss,
            cosine=cosine,
            rate=rate,
            windows_per_second=batch_size / pace if pace else None,
            active=self.active,
            startup_seconds=clock.of("starting"),
            train_steps=self.steps,
            train_seconds=clock.of("training"),
            recent_step_seconds=pace,
            evaluations=clock.counts["evaluating"],
            evaluation_seconds=clock.of("evaluating"),
            checkpoints=clock.counts["saving"],
            checkpoint_seconds=clock.of("saving"),
        )
        with suppress(OSError):  # live digits may be lost; the events may not
            write_progress(self._folder.progress, digits)

    def _pace(self) -> float | None:
        """Median seconds of a step over the last looks."""
        seconds = self.clock.of("training")
        steps = self.steps - self._pace_mark[0]
        if steps > 0:
            self._paces.append((seconds - self._pace_mark[1]) / steps)
            self._pace_mark = (self.steps, seconds)
        return statistics.median(self._paces) if self._paces else None

    def close(self) -> None:
        self._events.close()
