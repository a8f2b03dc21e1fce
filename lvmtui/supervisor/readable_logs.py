"""Writes the logs for people, `retrain_<arm>_<stamp>.log` and `monitor_<stamp>.log`, from the event logs of the runs.

Each line starts with the time of the event, not the time of writing, so the same events always give the same lines.
A new supervisor reads the log to see which lines are already there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from lvmtui.event_sentences import sentence_of
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.formats.supervisor_log import GaveUp, Record, Stopped, decode_record
from lvmtui.formats.trainer_log import Event, Failed, Finished, Unknown, decode_event
from lvmtui.models import title_of
from lvmtui.state.run_state import RunState, SupervisionState, TrainerState
from lvmtui.state.tail import LogCursor, read_lines
from lvmtui.system import numbers as words
from lvmtui.system.files import append_line
from lvmtui.system.text import grouped, sanitise
from lvmtui.verdict.early import early_change

QUIET_KINDS = (b'"kind":"trained"', b'"kind":"checkpoint_saved"')
"""Most lines of a run's log are of these kinds. They are not shown here, so they are skipped before decoding."""

Line = tuple[float, str]
"""Time of the event in seconds since 1970, and the text."""


ENDINGS = (Finished, Failed, Stopped, GaveUp)
"""How a run can end. The monitor log repeats these events."""


class AppendedLog:
    """A log in which no line is written twice, even if another supervisor takes over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []
        self._written: set[str] | None = None

    def add(self, lines: Iterable[Line], *, once: bool = False) -> None:
        """Append lines in the order of their times. `once`: skip texts that are there with any time."""
        if self._written is None:
            texts = [line.decode("utf-8", "replace") for line in read_lines(self.path)[0]]
            self._written = {*texts, *(text[len("2026-11-22 14:32:05 ") :] for text in texts)}
        for when, text in sorted(lines, key=lambda line: line[0]):
            line = f"{words.date(when)} {sanitise(text)}"
            key = text if once else line
            if key not in self._written:
                self._written.add(key)
                self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        """Write the lines that are still waiting, for example because the disk was full. Raises nothing."""
        while self._waiting:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                append_line(self.path, self._waiting[0].encode() + b"\n")
            except OSError:
                return
            del self._waiting[0]

    def forget(self) -> None:
        """Free the memory. Only an earlier supervisor can have written a line before, and its lines were read."""
        if not self._waiting:
            self._written = set()


class _RunLog:
    """How much of a run's event log has been copied to the logs for people."""

    def __init__(self, folder: RunDir) -> None:
        self._told: tuple[TrainerState, SupervisionState] | None = None
        self._events = LogCursor(folder.events, decode_event, without=QUIET_KINDS)
        self._records = LogCursor(folder.supervision, decode_record)

    def news(self, state: RunState) -> list[Event | Record]:
        """Events and records since the last call."""
        now = (state.trainer, state.supervision)
        if self._told is not None and self._told[0] is now[0] and self._told[1] is now[1]:
            return []
        self._told = now
        return [*self._events.read()[0], *self._records.read()[0]]


EARLY_SHARES = (0.5, 0.75)
"""Shares of the training at which the monitor log tells a pair's change so far."""


class _EarlyChanges:
    """Tells how each pair's change looks on the way, at fixed shares: the same history gives the same lines."""

    def __init__(self, folder: CampaignDir, campaign: Campaign) -> None:
        self._folder = folder
        self._campaign = campaign
        pairs = [(model, seed) for model in campaign.models for seed in campaign.seeds]
        self._due = [(share, model, seed) for share in EARLY_SHARES for model, seed in pairs]

    def news(self, states: Mapping[str, RunState | None]) -> Iterator[Line]:
        """The lines that have become due."""
        runs = {(p.model, p.arm, p.seed): states.get(p.run) for p in self._campaign.runs}
        file = self._folder.baseline_scores  # each is read once, however many pairs wait for it
        baselines = cache(lambda fold: {arm: find_document(TrivialBaselines, file(arm, fold)) for arm in ARMS})
        for due in tuple(self._due):
            share, model, seed = due
            trivial = baselines(self._campaign.fold_of(seed))
            if None in trivial.values():
                continue  # its worker has not come to it yet
            baseline, expanded = (runs.get((model, arm, seed)) for arm in ARMS)
            if baseline is None or expanded is None:
                continue
            times = [time for run in (baseline, expanded) if (time := _time_of_share(run, share)) is not None]
            if len(times) < 2:
                continue
            self._due.remove(due)
            if change := early_change([(baseline, expanded, trivial)], share):
                of_seed = f" seed {seed}" if len(self._campaign.seeds) > 1 else ""
                yield max(times), f"{title_of(model, self._campaign.titles)}{of_seed}  change {change.words}"


def _time_of_share(run: RunState, share: float) -> float | None:
    """When a run was evaluated after that share of its training; None: not yet, or it ended before."""
    step, evaluations = share * run.spec.total_steps, run.trainer.evaluations
    if not evaluations or evaluations[-1].step < step:
        return None
    return next(e.time for e in evaluations if e.step >= step)


class ReadableLogs:
    """The logs for people of one campaign."""

    def __init__(self, workspace: Workspace, campaign: Campaign) -> None:
        self.campaign = campaign
        self.monitor = AppendedLog(workspace.monitor_log(campaign))
        self._early = _EarlyChanges(workspace.campaign(campaign.id), campaign)
        self._runs = {p.run: _RunLog(workspace.run(p)) for p in campaign.runs if p.trained_here}
        labels = (campaign.baseline.label, campaign.expanded.label)
        self._arms = {label: AppendedLog(workspace.retrain_log(campaign, label)) for label in labels}

    def catch_up(self, states: Mapping[str, RunState | None]) -> None:
        """Write what is new in the campaign's runs. `states`: by the name of the run."""
        told: list[tuple[str, Line]] = []
        endings: list[Line] = []
        for planned in self.campaign.runs:
            state, log = states.get(planned.run), self._runs.get(planned.run)
            if state is None or log is None:
                continue
            label = self.campaign.arm(planned.arm).label
            for happened in log.news(state):
                sentence = sentence_of(happened, state.spec.unit)
                if sentence is None or sentence.detail or isinstance(happened, Unknown):
                    continue
                line = (happened.time, f"{planned.run}  {sentence.words}")
                told.append((label, line))
                endings += [line] * isinstance(happened, ENDINGS)
        lines = grouped(told)
        for label, log_of_arm in self._arms.items():
            if label in lines:
                log_of_arm.add(lines[label])
                log_of_arm.forget()
            log_of_arm.flush()
        self.monitor.add([*endings, *self._early.news(states)])

    def note(self, text: str, when: float, *, once: bool = False) -> None:
        """Write a line to the monitor log. `when`: seconds since 1970."""
        self.monitor.add([(when, text)], once=once)
