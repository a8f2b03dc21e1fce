"""A campaign as it was recorded, and what its folders held at any moment of it."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lvmtui.formats.campaign import Campaign, CampaignIntent, PlannedRun, read_campaign
from lvmtui.formats.intent import Intent
from lvmtui.formats.json_codec import decode
from lvmtui.formats.live import Progress
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import GaveUp, Launched, Lost, Record, Stopped, decode_record
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Evaluated,
    Event,
    Failed,
    Finished,
    Interrupted,
    Paused,
    Started,
    Trained,
    Unknown,
    decode_event,
)
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.run_state import RunState, apply, apply_record
from lvmtui.state.status import Life, status_of
from lvmtui.state.tail import read_lines

Entry = Event | Record
ENDINGS = (Paused, Interrupted, Cancelled, Failed, Finished)


def time_of(entry: Entry) -> float:
    assert not isinstance(entry, Unknown), "lines that cannot be read are left out"
    return entry.time


@dataclass
class History:
    """One run: its logs in the order of time, and its live digits as often as they were looked at."""

    planned: PlannedRun
    spec: RunSpec
    log: list[Entry] = field(default_factory=list)
    digits: list[Progress] = field(default_factory=list)
    _states: list[tuple[float, RunState]] = field(default_factory=list)

    def lives(self) -> list[tuple[float, float]]:
        """From when to when a process worked on the run."""
        lives: list[tuple[float, float]] = []
        began: float | None = None
        for entry in self.log:
            if isinstance(entry, Launched):
                began = entry.time
            elif isinstance(entry, (*ENDINGS, Lost)) and began is not None:
                lives.append((began, entry.time))
                began = None
        return lives

    @property
    def finished(self) -> Finished | None:
        return next((e for e in reversed(self.log) if isinstance(e, Finished)), None)

    def work_after(self, now: float) -> float:
        """Seconds of work from `now` on; pauses left out."""
        return sum(max(0.0, end - max(now, begin)) for begin, end in self.lives())

    def state_at(self, now: float) -> RunState:
        """What the folder held, except that orders are told by what came of them."""
        if not self._states:
            state = RunState(self.spec)
            for entry in self.log:
                state = _after(state, entry)
                self._states.append((time_of(entry), state))
        place = bisect_right(self._states, now, key=lambda pair: pair[0])
        state = self._states[place - 1][1] if place else RunState(self.spec)
        seen = bisect_right(self.digits, now, key=lambda digits: digits.time)
        return replace(state, progress=self.digits[seen - 1] if seen else None)

    def view_at(self, now: float, folder: CampaignDir) -> RunView:
        state = self.state_at(now)
        life = Life.ALIVE if any(begin <= now < end for begin, end in self.lives()) else Life.NONE
        return RunView(self.planned, folder.workspace.run(self.planned), state, status_of(state, life))


def _after(state: RunState, entry: Event | Record) -> RunState:
    if isinstance(entry, (Launched, Lost, Stopped, GaveUp)):
        intent = Intent("run") if isinstance(entry, Launched) else state.intent
        return replace(state, supervision=apply_record(state.supervision, entry), intent=intent)
    want = {Paused: "pause", Cancelled: "cancel"}.get(type(entry), state.intent.want)
    return replace(state, trainer=apply(state.trainer, entry), intent=replace(state.intent, want=want))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Recorded:
    """All runs of a campaign."""

    campaign: Campaign
    runs: Mapping[str, History]
    name: str

    @property
    def over(self) -> bool:
        """True if the supervisor started every run and each has an end."""
        return bool(self.runs) and all(history.lives() and history.finished for history in self.runs.values())

    @property
    def began(self) -> float:
        return min(h.lives()[0][0] for h in self.runs.values())

    @property
    def ended(self) -> float:
        """The last run's end."""
        return max(h.lives()[-1][1] for h in self.runs.values())

    def state_at(self, now: float) -> CampaignState:
        folder = CampaignDir(Path("/recorded/artifacts/lvm/campaigns") / self.campaign.id)
        views = tuple(self.runs[p.run].view_at(now, folder) for p in self.campaign.runs)
        return CampaignState(folder, self.campaign, CampaignIntent(), views)


def read_recorded(folder: CampaignDir, digits: Path | None = None) -> Recorded:
    """A campaign from its folders; the live digits from a recorder's file, or else worked out from the events."""
    campaign = read_campaign(folder.campaign)
    runs: dict[str, History] = {}
    for planned in campaign.runs:
        run = folder.workspace.run(planned)
        history = History(planned, read_spec(run.spec))
        events = [decode_event(line) for line in read_lines(run.events)[0]]
        records = [decode_record(line) for line in read_lines(run.supervision)[0]]
        known = [e for e in (*events, *records) if not isinstance(e, Unknown)]
        history.log = sorted(known, key=time_of)
        if any(isinstance(e, Launched) for e in history.log):
            runs[planned.run] = history
    if digits is None:
        for history in runs.values():
            history.digits = digits_from_events(history)
    else:
        for line in digits.read_bytes().splitlines():
            record = json.loads(line)
            if record["run"] in runs:
                runs[record["run"]].digits.append(decode(Progress, record["progress"]))
    campaign = replace(campaign, runs=tuple(p for p in campaign.runs if p.run in runs))
    return Recorded(campaign, runs, folder.id)


def digits_from_events(history: History) -> list[Progress]:
    """What the live digits must have been about: a look at each event, since each tells the seconds of work so far."""
    digits: list[Progress] = []
    started: Started | None = None
    launched = first = 0.0
    evaluations = checkpoints = 0
    evaluation_seconds = checkpoint_seconds = 0.0
    for event in history.log:
        if isinstance(event, Launched):
            launched = event.time
        if isinstance(event, Started):
            started, first = event, 0.0
            evaluations = checkpoints = 0
            evaluation_seconds = checkpoint_seconds = 0.0
        if not isinstance(event, (Started, Trained, Evaluated, CheckpointSaved, *ENDINGS)) or started is None:
            continue
        step = started.resumed_from if isinstance(event, Started) else event.step
        steps = step - started.resumed_from
        if isinstance(event, Evaluated):
            evaluations, evaluation_seconds = evaluations + 1, evaluation_seconds + event.seconds
        if isinstance(event, CheckpointSaved):
            checkpoints, checkpoint_seconds = checkpoints + 1, checkpoint_seconds + event.seconds
        if isinstance(event, Trained) and not first:
            first = max(started.time - launched, event.time - launched - steps * _step(history, event))
        worked = event.time - launched - first - evaluation_seconds - checkpoint_seconds
        over = isinstance(event, Evaluated) and _is_last(history, event)
        digits.append(
            Progress(
                time=event.time,
                activity="heldout" if over else "training" if first else "starting",
                pid=started.process.pid,
                step=step,
                epoch=step / history.spec.steps_per_epoch,
                loss=None,
                cosine=None,
                rate=0.0,
                windows_per_second=None,
                active=event.active,
                startup_seconds=first or event.time - launched,
                train_steps=steps,
                train_seconds=worked if first else 0.0,
                recent_step_seconds=None,
                evaluations=evaluations,
                evaluation_seconds=evaluation_seconds,
                checkpoints=checkpoints,
                checkpoint_seconds=checkpoint_seconds,
            )
        )
    return digits


def _step(history: History, point: Trained) -> float:
    return history.spec.recipe.batch_size / max(point.windows_per_second, 1e-9)


def _is_last(history: History, evaluated: Evaluated) -> bool:
    finished = history.finished
    return finished is not None and evaluated.step == finished.step
