"""What `lvmtui status` prints, and the table of `lvmtui attach` without a screen. One row a run, the screen's words."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lvmtui.estimate.eta import CampaignEta, campaign_eta
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import encode
from lvmtui.formats.spec import ARMS
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.state.run_state import RunState
from lvmtui.state.status import ALIVE, Phase
from lvmtui.system import numbers as words
from lvmtui.system.process_id import Identity
from lvmtui.system.text import sanitise
from lvmtui.verdict.comparison import read_comparisons, trivial_by_run
from lvmtui.verdict.health import Finding
from lvmtui.verdict.ranking import health_by_run, table_of
from lvmtui.verdict.rows import TOO_EARLY, best_trivial
from lvmtui.verdict.table import Row as ModelRow
from lvmtui.verdict.table import Table
from lvmtui.verdict.words import Word, interval_words

WIDTH = 120
"""Characters in a line where there is no terminal."""
NARROWEST = 30
"""Characters of a reason in a line, at least, however narrow the terminal."""

GAIN = "gain: best validation cosine less that of the best trivial baseline, on the run's own validation windows"

RUNNING_WORDS = {"training": "", "heldout": "on the held-out windows"}
"""What a running process does, where its own word for it is not shown."""


@dataclass(frozen=True)
class RunRow:
    """One run in words."""

    model: str
    arm: str
    seed: str
    state: str
    epoch: str
    gain: str
    """See `GAIN`; empty until the baseline is known. Of imported runs the bare cosine."""
    time: str
    note: str


@dataclass(frozen=True)
class Judged:
    """What the files beside the runs say of them, by the run's name."""

    trivial: Mapping[str, TrivialBaselines | None]
    findings: Mapping[str, tuple[Finding, ...]]


def judged(state: CampaignState) -> Judged:
    """Read trivial baselines and look at the health of every run."""
    trivial = trivial_by_run(state)
    return Judged(trivial, health_by_run(state, trivial))


def _table(state: CampaignState, known: Judged) -> Table:
    return table_of(state, read_comparisons(state), known.trivial, known.findings)


def rows_of(state: CampaignState, eta: CampaignEta, known: Judged) -> list[RunRow]:
    """A row a run, in the order of the campaign."""
    many = len(state.campaign.seeds) > 1
    return [_row(state.campaign, view, eta, known, many) for view in state.runs]


def _model_lines(table: Table) -> list[str]:
    """`AMN  +0.8 ± 0.4 % so far (at 62 % of training)`: a line a model, best first, with what is known by now."""
    rows = table.rows
    width = max((len(row.title) for row in rows), default=0)
    return [f"{row.title:{width}}  {_change_words(row)}" for row in rows]


def _change_words(row: ModelRow) -> str:
    """The change once runs are compared; before that how it looks so far, or that it is too early to tell."""
    if row.early is not None:
        return row.early.words
    if row.estimate is not None:
        interval = f" {interval_words(row.interval)}" if row.interval else ""
        return words.percent(row.change) + interval
    if row.change is None:
        return TOO_EARLY if row.verdict.word is Word.PROVISIONAL else row.verdict.sentence
    return f"{words.percent(row.change)}, {row.verdict.reason or row.verdict.words}"


def _row(campaign: Campaign, view: RunView, eta: CampaignEta, known: Judged, many: bool) -> RunRow:
    run, status, planned = view.state, view.status, view.planned
    label = campaign.arm(planned.arm).label
    seed = f"s{planned.seed}" if many else ""
    if run is None:
        return RunRow(
            title_of(planned.model, campaign.titles),
            label,
            seed,
            status.phase.value,
            "",
            "",
            "",
            sanitise(view.fault, 1000),
        )
    epochs = run.spec.total_steps / run.spec.steps_per_epoch
    epoch = f"{run.step / run.spec.steps_per_epoch:.1f}/{epochs:.1f}" if run.step else ""
    expected = eta.runs.get(planned.run)
    if status.phase in ALIVE and expected and expected.eta:
        spent = f"{words.duration(expected.eta.seconds)} left"
    elif view.job is not None and view.job.waiting:
        spent = ""  # the cluster decides; the note says what it says
    elif status.phase is Phase.QUEUED and expected and expected.start_in is not None:
        spent = f"in {words.duration(expected.start_in.seconds)}"
    else:
        spent = words.duration(run.trainer.active) if run.trainer.attempts else ""
    note = RUNNING_WORDS.get(status.reason, status.reason) if status.phase is Phase.RUNNING else status.reason
    if view.job is not None and status.phase in ALIVE:
        note = f"{note}, {view.job.words}" if note else view.job.words
    if run.trainer.interruptions and not status.over:
        note = f"{note}, interrupted {words.plural(run.trainer.interruptions, 'time')}".removeprefix(", ")
    if run.trainer.finished and run.trainer.finished.stopped_early:
        note = f"ended early, best at epoch {run.trainer.finished.best_epoch:.1f}"
    alarms = [finding.label for finding in known.findings.get(planned.run, ()) if finding.alarm]
    note = "; ".join([*alarms, *([note] if note else [])])
    return RunRow(
        title_of(planned.model, campaign.titles),
        label,
        seed,
        status.phase.value,
        epoch,
        _gain(run, known.trivial.get(planned.run)),
        spent,
        sanitise(note, 1000),
    )


def _gain(run: RunState, trivial: TrivialBaselines | None) -> str:
    """The gain so far; for an imported run, which has no baseline, the cosine; empty while neither is known."""
    best = run.trainer.best.cosine if run.trainer.best else None
    if best is None or run.spec.imported:
        return "" if best is None else words.cosine(best)
    against = best_trivial(run, trivial)
    return words.signed(best - against.cosine) if against else ""


def headline(state: CampaignState, eta: CampaignEta, *, supervised: bool = True) -> str:
    """`8k vs 23k: 4 of 10 runs finished, 6 m 10 s left (5 m to 8 m), ends 14:32`; no end without a supervisor."""
    finished = sum(view.status.phase is Phase.FINISHED for view in state.runs)
    text = f"{state.campaign.title}: {finished} of {words.plural(len(state.runs), 'run')} finished"
    if state.settled or eta.eta is None:
        return text + ("" if state.settled else ", calibrating")
    left = eta.eta
    span = f"({words.duration(left.low)} to {words.duration(left.high)})"
    if not supervised:
        return f"{text}, {words.duration(left.seconds)} of work left {span}"
    return f"{text}, {words.duration(left.seconds)} left {span}, ends {words.clock(eta.ends)}"


def status_as_text(state: CampaignState, supervisor: Identity | None, width: int | None = None) -> str:
    """What `lvmtui status` prints. Reasons wrap at `width` characters; None: the terminal's."""
    width = width or shutil.get_terminal_size((WIDTH, 24)).columns
    eta = campaign_eta(state, time.time())
    known = judged(state)
    imported = any(view.state and view.state.spec.imported for view in state.runs)
    figure = "best" if imported else "gain"
    rows = [RunRow("model", "arm", "seed", "state", "epoch", figure, "time", ""), *rows_of(state, eta, known)]
    columns = [[getattr(row, name) for row in rows] for name in RunRow.__dataclass_fields__]
    widths = [max(map(len, column)) for column in columns]
    lines = [f"campaign {state.campaign.id}", headline(state, eta, supervised=supervisor is not None), ""]
    for *cells, note in zip(*columns, strict=True):
        row = "".join(cell.ljust(size) + "  " for cell, size in zip(cells, widths, strict=False) if size)
        first, *more = textwrap.wrap(note, max(NARROWEST, width - len(row))) or [""]
        lines += [(row + first).rstrip(), *(" " * len(row) + line for line in more)]
    lines += [] if imported else ["", *textwrap.wrap(GAIN, width)]
    small, large = (state.campaign.arm(arm).label for arm in ARMS)
    lines += ["", f"change from {small} to {large}", *_model_lines(_table(state, known)), ""]
    if state.silence and not state.settled:
        lines.append(f"the runs' state is {state.silence}")
    if state.trouble and supervisor:
        lines.append(f"trouble: {state.trouble}")
    if supervisor:
        lines.append(f"supervised by process {supervisor.pid} on {supervisor.host}")
    elif not state.needs_supervisor:
        lines.append("nothing is left to do; no supervisor is needed")
    elif state.unreported:
        lines.append("no supervisor: the report is not written; 'lvmtui attach' starts one that writes it")
    else:
        lines.append("no supervisor: nothing that waits is started; 'lvmtui attach' starts one")
    return "\n".join(lines)


def status_as_json(state: CampaignState, supervisor: Identity | None) -> dict[str, Any]:
    """What `lvmtui status --json` prints; `docs/formats.md` describes it."""
    from lvmtui.cli.ending import outcome_of

    now = time.time()
    eta, known = campaign_eta(state, now), judged(state)
    table = _table(state, known)
    return {
        "version": 1,
        "campaign": state.campaign.id,
        "time": now,
        "supervisor": encode(supervisor),
        "settled": state.settled,
        "silence": state.silence,
        "trouble": state.trouble,
        "eta": encode(eta.eta),
        "verdict": encode(outcome := outcome_of(state.campaign.id, table)) | {"line": outcome.line},
        "models": [model_as_json(row) for row in table.rows],
        "runs": [run_as_json(view, eta, known.findings.get(view.planned.run, ())) for view in state.runs],
    }


def model_as_json(row: ModelRow) -> dict[str, Any]:
    return {
        "model": row.model,
        "change_percent": row.change,
        "interval": encode(row.interval),
        "early": encode(row.early),
        "words": _change_words(row),
    }


def run_as_json(view: RunView, eta: CampaignEta, found: tuple[Finding, ...]) -> dict[str, Any]:
    planned, run = view.planned, view.state
    finished = run.trainer.finished if run else None
    expected = eta.runs.get(planned.run)
    return {
        "run": planned.run,
        "folder": planned.folder,
        "model": planned.model,
        "arm": planned.arm,
        "seed": planned.seed,
        "phase": view.status.phase.value,
        "reason": sanitise(view.status.reason),
        "since": view.status.since,
        "want": run.intent.want if run else None,
        "step": run.step if run else None,
        "total_steps": run.spec.total_steps if run else None,
        "job": encode(view.job),
        "interruptions": run.trainer.interruptions if run else None,
        "active_seconds": run.trainer.active if run else None,
        "best_validation_cosine": run.trainer.best.cosine if run and run.trainer.best else None,
        "heldout_cosine": finished.heldout.cosine if finished else None,
        "eta": encode(expected) if expected else None,
        "findings": [{"kind": finding.kind, "alarm": finding.alarm, "words": finding.words} for finding in found],
    }
