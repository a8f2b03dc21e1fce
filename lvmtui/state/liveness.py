"""Does a run still work? From its processes on this machine, or from what the supervisor says of a cluster's jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lvmtui.formats.live import LEAST_QUIET, STALE, Job, Progress, Pulse, explained, read_pulse
from lvmtui.formats.paths import RunDir
from lvmtui.state.attempt import newest_attempt
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Life, processes_of
from lvmtui.system import numbers as words
from lvmtui.system.filesystem import Seen
from lvmtui.system.process_id import Identity, folder_id

LEAST_STALL = 60.0
"""Seconds without a sign of progress that are never a stall: an evaluation or a checkpoint on a busy disk."""
UNKNOWN_STEP = 20.0
"""Seconds that a step may take before the run has shown how long its steps are."""


def stands_still(progress: Progress | None, seconds: float) -> bool:
    """True if so many seconds without a sign of progress are more than 30 of the run's own steps, three of its longest
    gaps, and what its evaluations and checkpoints explain. The supervisor asks, as it watches all the time."""
    if progress is None:
        return False
    shown = progress.recent_step_seconds if progress.longest_gap is not None else None  # one line shows no pace yet
    others = max(progress.evaluation_seconds, progress.checkpoint_seconds)
    return seconds > max(LEAST_STALL, 30 * (shown or UNKNOWN_STEP), 3 * others, longest_quiet(progress))


def longest_quiet(progress: Progress | None) -> float:
    """Seconds that it may be without a sign of progress: three times its longest gap of late. Its start, a first
    evaluation or checkpoint may take longer; one evaluation comes before the first step and shows nothing."""
    if progress is None:
        return 3 * UNKNOWN_STEP
    shown = {"starting": False, "evaluating": progress.evaluations > 2, "saving": progress.checkpoints > 1}
    known = progress.longest_gap if shown.get(progress.activity, True) else None
    return explained(UNKNOWN_STEP if known is None else known)


def lacks_steps(progress: Progress | None, seconds: float, *, stopped: bool = False) -> bool:
    """True if so many seconds without a sign of progress are worth a word, long before they are a stall. While a run is
    judged on the held-out windows no step is expected. `progress`: None while it starts; `stopped`: by a signal."""
    if stopped:
        return seconds > LEAST_QUIET
    return not (progress and progress.activity in ("heldout", "suspended")) and seconds > longest_quiet(progress)


def life_of(run: RunState, stalled: bool = False, is_of: Callable[[Identity], bool] = lambda process: True) -> Life:
    """Look at the run's processes (one read of /proc each). `is_of`: whether a living process works in this run's
    folder, and not in one that this was copied from."""
    if any(process.alive() and is_of(process) for process in processes_of(run)):
        return Life.STALLED if stalled else Life.ALIVE
    newest = newest_attempt(run)
    elsewhere = newest is not None and not newest.process.here and newest.process.host != ""
    return Life.ELSEWHERE if elsewhere and run.trainer.ending is None and run.supervision.lost is None else Life.NONE


class Owners:
    """Which living processes work in which folder. What was found once is kept: it stays so while the process lives."""

    def __init__(self) -> None:
        self._found: set[tuple[Identity, str]] = set()

    def works_in(self, folder: RunDir, identity: Identity) -> bool:
        """True if the process works in this very folder."""
        from lvmtui.system.processes import process_of, works_for

        key = (identity, folder_id(folder.path))
        if key not in self._found:
            process = process_of(identity)
            if process is None or not works_for(process, folder.path, folder.lock):
                return False
            self._found.add(key)
        return True


class PulseReader:
    """`pulse.json`, read again and again: what is known of runs on other hosts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = Seen()
        self.newest: Pulse | None = None
        self.refresh()

    def refresh(self) -> frozenset[str]:
        """Read it if it has changed. Returns the runs to which the supervisor did something since, as far as told."""
        if not self._seen.changed(self._path, asked=True):
            return frozenset()
        since = self.newest.beat if self.newest else 0
        self.newest = read_pulse(self._path)
        changed = self.newest.changed if self.newest else {}
        return frozenset(run for run, beat in changed.items() if beat > since)


def silence_of(pulse: Pulse | None, campaign: str, now: float) -> str:
    """Why a campaign's engine tells nothing, and since when; empty if it does, or if nobody had to ask. Pure."""
    answer = pulse.engines.get(campaign) if pulse else None
    if answer is None or not answer.fault:
        return ""
    return f"not known for {words.duration(max(0.0, now - answer.time))}: {answer.fault}"


def job_of(run: RunState, name: str, pulse: Pulse | None) -> Job | None:
    """A run's job in its cluster. One that waited at the last look waits no more once the log tells of a start."""
    job, started = pulse.jobs.get(name) if pulse else None, run.trainer.started
    if job is None or job.last_start is None or started is None or started.time == job.last_start:
        return job
    return job if run.trainer.ending else replace(job, waiting=False, words=f"job {job.id}")


def life_of_job(
    run: RunState, job: Job | None, engine: str, pulse: Pulse | None, now: float, stalled: bool = False
) -> tuple[Life, str]:
    """What the supervisor's pulse says of a run that a cluster runs, and that in words. Pure.

    `engine`: its campaign's. `now`: seconds since 1970, held against the supervisor's clock only for what is shown.
    """
    attempt = newest_attempt(run)
    open_end = attempt is not None and attempt.ending is None and not attempt.accounted
    if job is None and not open_end:
        return Life.NONE, ""
    if pulse is None or now - pulse.time > STALE:
        asked = f" since {words.date(pulse.time)}" if pulse else ""
        return (Life.UNSEEN if open_end else Life.NONE), f"nobody has asked {engine.capitalize()}{asked}"
    if silent := silence_of(pulse, run.spec.campaign, now):
        return (Life.UNSEEN if open_end else Life.NONE), silent
    if job is not None:
        return (Life.WAITING if job.waiting else Life.STALLED if stalled else Life.ALIVE), job.words
    # it has ended and that is to be written down; or it was begun a moment ago
    return (Life.NONE if attempt and attempt.spoke else Life.WAITING), "submitted"
