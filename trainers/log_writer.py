"""What a trainer writes while it runs: events, live figures, log lines. And the clock they share."""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections import Counter, defaultdict, deque
from contextlib import suppress

from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.live import INTERVAL, Activity, Progress, explained, write_live
from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import Event
from lvmtui.system.files import LineLog

RECENT = 20
"""Updates of the live figures, a quarter of a second apart, whose median gives the recent seconds a step."""
LATELY = 1000
"""Updates, some minutes at least, of which the longest time between two is remembered."""


class Clock:
    """Seconds that this process has spent on each activity, by the monotonic clock; a hang in training is none."""

    def __init__(self, began: float) -> None:
        """`began`: time.monotonic() when the process began."""
        self.seconds: defaultdict[Activity, float] = defaultdict(float)
        self.counts: Counter[Activity] = Counter()
        self.activity: Activity = "starting"
        self.began = began
        self.hangs_after = math.inf
        """More seconds than this between two looks at the clock are a hang of the training."""
        self._since = self._looked = began

    def enter(self, activity: Activity) -> None:
        """Count the time from now on as `activity`."""
        self.seconds[self.activity] = self.of(self.activity)
        self._since = self._looked
        if activity != self.activity:
            self.counts[activity] += 1
        self.activity = activity

    def of(self, activity: Activity) -> float:
        """Seconds spent on an activity so far."""
        now = time.monotonic()
        if self.activity == "training" and now - self._looked > self.hangs_after:
            self._since += now - self._looked
        self._looked = now
        return self.seconds[activity] + (now - self._since if activity == self.activity else 0.0)


class Journal:
    """Writes a run's events, live figures and log lines."""

    def __init__(self, folder: RunDir, began: float) -> None:
        self.clock = Clock(began)
        self.active_before = 0.0
        """Seconds of work of earlier attempts, up to the checkpoint from which this one resumed."""
        self.steps = 0
        """Steps taken by this process."""
        self.out = sys.stdout
        """Where lines for people go, whatever a user's own model does to stdout."""
        self._folder = folder
        self._events = LineLog(folder.events)
        self._written = float("-inf")
        self._gaps: deque[float] = deque(maxlen=LATELY)
        self._paces: deque[float] = deque(maxlen=RECENT)
        self._pace_mark = (0, 0.0)

    @property
    def active(self) -> float:
        """Seconds of work on the run, over all attempts."""
        return self.active_before + time.monotonic() - self.clock.began - self.clock.of("suspended")

    def event(self, event: Event, *, durable: bool = False) -> None:
        """Append an event; with `durable`, return only when it is synced to the disk. Raises OSError."""
        self._events.append(encode_line(event), durable=durable)

    def say(self, words: str) -> None:
        """Print a line with the time; it goes to train.log."""
        with suppress(OSError):  # a full disk: training can go on without this line
            print(time.strftime("%H:%M:%S"), words, file=self.out, flush=True)

    def progress_due(self) -> bool:
        return time.monotonic() - self._written >= INTERVAL

    def progress(
        self, step: int, epoch: float, loss: float | None, cosine: float | None, rate: float, batch_size: int
    ) -> None:
        """Replace progress.json, the live figures."""
        before, self._written = self._written, time.monotonic()
        if self._pace_mark[0] and self.clock.activity != "suspended":  # before the first step nothing is usual yet
            self._gaps.append(self._written - before)
        pace = self._pace()
        clock = self.clock
        digits = Progress(
            time=time.time(),
            activity=clock.activity,
            pid=os.getpid(),
            step=step,
            epoch=epoch,
            loss=loss,
            cosine=cosine,
            rate=rate,
            windows_per_second=batch_size / pace if pace else None,
            active=self.active,
            startup_seconds=clock.of("starting"),
            train_steps=self.steps,
            train_seconds=self._pace_mark[1],
            recent_step_seconds=pace,
            evaluations=clock.counts["evaluating"],
            evaluation_seconds=clock.of("evaluating"),
            checkpoints=clock.counts["saving"],
            checkpoint_seconds=clock.of("saving"),
            longest_gap=max(self._gaps, default=None),
        )
        if digits.longest_gap is not None:  # after the clock was looked at: a hang does not explain itself
            clock.hangs_after = explained(digits.longest_gap)
        with suppress(OSError):  # these figures may be lost; events may not
            write_live(self._folder.progress, digits)

    def _pace(self) -> float | None:
        """Median seconds a step over the last `RECENT` updates; None before the first step."""
        seconds = self.clock.of("training")
        steps = self.steps - self._pace_mark[0]
        if steps > 0:
            self._paces.append((seconds - self._pace_mark[1]) / steps)
            self._pace_mark = (self.steps, seconds)
        return statistics.median(self._paces) if self._paces else None

    def close(self) -> None:
        self._events.close()
