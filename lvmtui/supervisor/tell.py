"""Has the commands of `--on-event` told what happened, one short process at a time. A tick never waits for one.

The rule: a happening is told to each command once. The process that tells (`lvmtui.cli.event_command`) writes into
`told.jsonl` when its command has ended well, or has failed twice; what stands there is not told again, by no
supervisor. It holds a lock meanwhile and outlives the supervisor: another one's process waits for the lock, looks again
and finds the line. So everything is told exactly once, with one exception: if the telling process itself is
killed, or the machine stops, while the command runs, nobody knows how far it came, and it is told again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import dump_line, encode, find_document
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ArmName
from lvmtui.formats.told import Happening, Told, read_told
from lvmtui.state.run_state import RunState
from lvmtui.state.status import FAILURES, Phase, Status
from lvmtui.state.tasks import RunOutcome
from lvmtui.supervisor.engine import environment_of
from lvmtui.supervisor.observation import CampaignTrack, Track
from lvmtui.system.launch import our_command
from lvmtui.system.permissions import why_not_followed
from lvmtui.system.programs import ending_words, kill_child, spawn
from lvmtui.verdict.health import Finding, health_of

LIMIT = 150.0
"""Seconds after which a telling process counts as hanging: two tries of its command and a wait for another's lock."""
TRIES = 3
"""Times one supervisor starts a telling process that leaves no line."""
PAUSE = 10.0
"""Seconds before another start."""
COMPARISON = "comparison "
"""How the keys of comparisons in `made.json` begin."""


@dataclass(frozen=True)
class Telling:
    """A happening for one command."""

    folder: CampaignDir
    happening: Happening
    command: str

    @property
    def name(self) -> str:
        return f"{self.happening.kind} {self.happening.subject}".strip()

    @property
    def key(self) -> tuple[str, str]:
        return self.happening.key, self.command


def telling_command(telling: Telling) -> tuple[str, ...]:
    """The process that tells."""
    happening = dump_line(encode(telling.happening)).decode().strip()
    return our_command("lvmtui.cli.event_command", str(telling.folder.path), happening, telling.command)


@dataclass
class _CampaignTold:
    refused: bool
    """The plan was written by somebody whose orders do not count here."""
    told: Mapping[tuple[str, str], Told]
    found: dict[str, tuple[tuple[object, ...], list[Happening]]] = field(default_factory=dict)
    """What happened to each run, after what it was found from."""
    trivial: dict[tuple[ArmName, int, int], TrivialBaselines] = field(default_factory=dict)


class EventTeller:
    """Tells what happened in all campaigns of a workspace."""

    def __init__(self, *, command: Callable[[Telling], Sequence[str]] = telling_command) -> None:
        self._command = command
        self._running: tuple[Telling, subprocess.Popen[bytes], float] | None = None
        self._starts: dict[Telling, int] = {}
        self._not_before: dict[Telling, float] = {}
        self._campaigns: dict[Path, _CampaignTold] = {}

    @property
    def busy(self) -> bool:
        return self._running is not None

    def finish(self) -> tuple[str, str]:
        """Take in a process that has ended. Returns its campaign, and what people must know of it; empty: nothing."""
        if self._running is None:
            return "", ""
        telling, process, began = self._running
        code = process.poll()
        if code is None and time.monotonic() - began < LIMIT:
            return "", ""
        if code is None:
            kill_child(process)
        self._running = None
        known = self._of(telling.folder)
        known.told = read_told(telling.folder.told)
        if (line := known.told.get(telling.key)) is not None:
            words = f"{telling.name}: '{telling.command}' failed {line.tries} times: {line.fault}"
            return telling.folder.id, words if line.fault else ""
        why = "did not end" if code is None else ending_words(code) if code else "left no line"
        return telling.folder.id, self._put_off(telling, why)

    def go_on(self, campaign: CampaignTrack, of_campaign: Sequence[Happening]) -> str:
        """Have the next happening told, if no process runs. Returns what people must know; empty: nothing."""
        if self.busy:
            return ""
        now = time.monotonic()
        ready = (one for one in self.due(campaign, of_campaign) if now >= self._not_before.get(one, now))
        if (telling := next(ready, None)) is None:
            return ""
        track = next(iter(campaign.tracks.values()), None)
        environment = environment_of(track.started_with if track else None)
        try:
            process = spawn(self._command(telling), output=Path(os.devnull), environment=environment)
        except OSError as error:
            return self._put_off(telling, f"could not be started ({error.strerror or error})")
        self._running = (telling, process, now)
        return ""

    def due(self, campaign: CampaignTrack, of_campaign: Sequence[Happening]) -> list[Telling]:
        """What is still to be told, in the order of the runs."""
        commands = campaign.campaign.on_event
        if not commands:
            return []
        known = self._of(campaign.dir)
        if known.refused:
            return []
        happened = [one for track in campaign.tracks.values() for one in self._of_run(known, campaign, track)]
        tellings = [Telling(campaign.dir, one, command) for one in (*happened, *of_campaign) for command in commands]
        return [t for t in tellings if t.key not in known.told and self._starts.get(t, 0) < TRIES]

    def _put_off(self, telling: Telling, why: str) -> str:
        self._starts[telling] = starts = self._starts.get(telling, 0) + 1
        self._not_before[telling] = time.monotonic() + PAUSE
        again = "it is not tried again" if starts >= TRIES else "it is tried again"
        return f"{telling.name}: '{telling.command}' was not told: {why}; {again}"

    def _of(self, folder: CampaignDir) -> _CampaignTold:
        if folder.path not in self._campaigns:
            refused = bool(why_not_followed(folder.campaign))
            self._campaigns[folder.path] = _CampaignTold(refused, read_told(folder.told))
        return self._campaigns[folder.path]

    def _of_run(self, known: _CampaignTold, campaign: CampaignTrack, track: Track) -> list[Happening]:
        """What has happened to a run, found again only when something it depends on has changed."""
        run, state, status = track.planned.run, track.seen.state, track.seen.status
        if state is None:
            return of_run(run, status, None, ())
        trivial = self._trivial(known, campaign, track)
        now = (state, status.phase, trivial)
        before = known.found.get(run)
        if before is None or any(a is not b for a, b in zip(before[0], now, strict=True)):
            known.found[run] = before = now, of_run(run, status, state, health_of(state, trivial))
        return before[1]

    def _trivial(self, known: _CampaignTold, campaign: CampaignTrack, track: Track) -> TrivialBaselines | None:
        """The trivial baselines a run is held against, once they are there."""
        planned, plan = track.planned, campaign.campaign
        key = (planned.arm, plan.fold_of(planned.seed), plan.shorter(planned.model))
        if key not in known.trivial and (found := find_document(TrivialBaselines, campaign.dir.baseline_scores(*key))):
            known.trivial[key] = found
        return known.trivial.get(key)


# What has happened ----------------------------------------------------------------------------------------------------
# Pure. The key of a happening is the same for every supervisor, so that a new one knows what was told.


def of_run(run: str, status: Status, state: RunState | None, findings: Iterable[Finding]) -> list[Happening]:
    """What has happened to a run. An order that was carried out (paused, cancelled) is no news to who gave it."""
    found = []
    since = f"{status.since or 0:.3f}"
    if status.phase is Phase.FINISHED:
        found.append(Happening("run_finished", run, since))
    elif status.phase in {*FAILURES, Phase.MISSING}:
        found.append(Happening("run_failed", run, since))
    elif status.phase is Phase.STALLED and state is not None:
        # the next attempt may stall at the same step
        found.append(Happening("run_stalled", run, f"step {state.step} of {state.newest_launch}"))
    evaluations = state.trainer.evaluations if state else ()
    if evaluations:
        begun = f"{evaluations[0].time:.3f}"  # another after a retry from the start, the same after a resume
        known = {"diverged"} if status.phase in FAILURES else set()
        alarms = [one.kind for one in findings if one.alarm and one.kind not in known]
        found += [Happening("run_alarm", run, f"{kind} {begun}") for kind in alarms]
    return found


def of_campaign(made: Mapping[str, str], outcomes: Sequence[RunOutcome], *, all_made: bool) -> list[Happening]:
    """Comparisons that were made, and the end. `made`: as in `made.json`; `all_made`: nothing is left to be made."""
    found = [
        Happening("pair_compared", key.removeprefix(COMPARISON), digest.partition(" ")[0])  # of the pairs alone
        for key, digest in made.items()
        if key.startswith(COMPARISON)
    ]
    if all_made and outcomes and all(outcome.over for outcome in outcomes):
        ends = "\n".join(outcome.key for outcome in outcomes)
        found.append(Happening("campaign_over", "", hashlib.sha256(ends.encode()).hexdigest()[:16]))
    return found
