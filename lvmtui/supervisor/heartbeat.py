"""Writes `pulse.json`: what this supervisor sees of runs on other hosts, which runs stall, which it acted on, and what
it cannot do.

Screens and commands read it where they cannot look themselves and where the kernel does not report changes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from lvmtui.formats.live import BEAT, REMEMBERED, EngineAnswer, Job, Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.engine import Engine
from lvmtui.supervisor.observation import Track

NO_TROUBLES: Mapping[str, str] = {}


class Heartbeat:
    """Writes the file when there is something new, and every `BEAT` seconds otherwise."""

    def __init__(self, workspace: Workspace, engines: Mapping[str, Engine]) -> None:
        self._workspace = workspace
        self._engines = engines
        self._beat = int(time.time())  # more than any supervisor before has written
        self._since = self._beat
        self._answers: dict[str, EngineAnswer] = {}
        self._jobs: dict[str, Job] = {}
        self._stalled: frozenset[str] = frozenset()
        self._changed: dict[str, int] = {}
        self._troubles: dict[str, str] = {}
        self._written = float("-inf")

    def beat(self, tracks: Iterable[Track], acted: Collection[str], troubles: Mapping[str, str] = NO_TROUBLES) -> None:
        """Write what is new; `acted`: runs about which something was done in this tick. `troubles`: see `Pulse`."""
        tracks = tuple(tracks)
        stalled = frozenset(track.planned.run for track in tracks if track.seen.stalled)
        remote = [track for track in tracks if track.engine in self._engines and self._engines[track.engine].remote]
        now = time.time()
        faults: dict[str, str] = {}
        jobs: dict[str, Job] = {}
        for track in remote:
            probe, state = track.seen.probe, track.seen.state
            if state is None:
                continue
            if not probe.known:
                faults[state.spec.campaign] = probe.detail
            elif probe.members:
                faults.setdefault(state.spec.campaign, "")
                job = probe.members[0]
                jobs[track.planned.run] = Job(
                    track.engine, job.identity.pid, job.waiting, probe.detail, probe.node, probe.starts, probe.never
                )
        answers = {
            name: EngineAnswer(self._answers[name].time if fault and name in self._answers else now, fault)
            for name, fault in faults.items()
        }
        moved = {run for run in self._jobs.keys() | jobs.keys() if self._jobs.get(run) != jobs.get(run)}
        moved |= set(acted) | (stalled ^ self._stalled)
        news = bool(moved) or {n: a.fault for n, a in answers.items()} != {n: a.fault for n, a in self._answers.items()}
        news = news or troubles != self._troubles
        self._answers, self._jobs, self._stalled, self._troubles = answers, jobs, stalled, dict(troubles)
        if not news and abs(now - self._written) < BEAT:
            return
        self._beat += 1
        for run in moved:
            self._changed.pop(run, None)
            self._changed[run] = self._beat
        while len(self._changed) > REMEMBERED:
            self._since = self._changed.pop(next(iter(self._changed)))
        self._written = now
        with suppress(OSError):  # people know less for a while
            pulse = Pulse(
                time=now,
                beat=self._beat,
                engines=answers,
                jobs=jobs,
                changed=dict(self._changed),
                since=self._since,
                stalled=tuple(sorted(stalled)),
                troubles=self._troubles,
            )
            write_live(self._workspace.pulse, pulse)
