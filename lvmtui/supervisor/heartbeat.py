"""Writes `pulse.json`: what this supervisor sees of runs on other hosts, which runs make no step or stall, which it
acted on, and what it cannot do.

Screens and commands read it where they cannot look themselves and where the kernel does not report changes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from lvmtui.formats.live import BEAT, REMEMBERED, EngineAnswer, Job, Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.engine import Engine
from lvmtui.supervisor.observation import Track


class Heartbeat:
    """Writes the file when there is something new, and every `BEAT` seconds otherwise."""

    def __init__(self, workspace: Workspace, engines: Mapping[str, Engine]) -> None:
        self._workspace = workspace
        self._engines = engines
        first = int(time.time())  # more than any supervisor before has written
        self._pulse = Pulse(0.0, first, since=first)
        self._written = float("-inf")

    def beat(
        self, tracks: Iterable[Track], acted: Collection[str], troubles: Mapping[str, str], waits_for: Mapping[str, str]
    ) -> None:
        """Write what is new; `acted`: runs about which something was done in this tick. The others: see `Pulse`."""
        tracks = tuple(tracks)
        stalled = tuple(sorted(track.planned.run for track in tracks if track.seen.stalled))
        no_step = {
            track.planned.run: self._pulse.no_step.get(track.planned.run, time.time() - track.seen.still)
            for track in tracks
            if track.seen.lacks_steps
        }
        remote = [track for track in tracks if track.engine in self._engines and self._engines[track.engine].remote]
        before, now = self._pulse, time.time()
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
                job, known = probe.members[0], before.jobs.get(track.planned.run)
                last = state.trainer.started.time if state.trainer.started else 0.0
                if known and known.waiting and known.id == job.identity.pid:
                    last = known.last_start or 0.0
                told = (probe.detail, probe.node, probe.starts, probe.never, last if job.waiting else None, probe.new)
                jobs[track.planned.run] = Job(track.engine, job.identity.pid, job.waiting, *told)
        engines = {
            name: EngineAnswer(before.engines[name].time if fault and name in before.engines else now, fault)
            for name, fault in faults.items()
        }
        said = replace(before, time=now, troubles=dict(troubles), waits_for=dict(waits_for))
        self._pulse = replace(said, engines=engines, jobs=jobs, stalled=stalled, no_step=no_step)
        moved = {run for run in before.jobs.keys() | jobs.keys() if before.jobs.get(run) != jobs.get(run)}
        moved |= set(acted) | (set(stalled) ^ set(before.stalled)) | (no_step.keys() ^ before.no_step.keys())
        news = faults != {name: answer.fault for name, answer in before.engines.items()} or troubles != before.troubles
        news = news or waits_for != before.waits_for
        if not (moved or news) and abs(now - self._written) < BEAT:
            return
        beat, since = before.beat + 1, before.since
        changed = {run: at for run, at in before.changed.items() if run not in moved} | dict.fromkeys(moved, beat)
        while len(changed) > REMEMBERED:
            since = changed.pop(next(iter(changed)))
        self._pulse, self._written = replace(self._pulse, beat=beat, changed=changed, since=since), now
        with suppress(OSError):  # people know less for a while
            write_live(self._workspace.pulse, self._pulse)
