"""What `lvmtui status` prints, and the table of `lvmtui attach` without a screen. One row a run, the screen's words."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from lvmtui.cli.shared import ExitCode, campaign_now, program
from lvmtui.estimate.eta import CampaignEta, campaign_eta
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import encode
from lvmtui.formats.spec import ARMS
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, RunView, newest_campaigns, supervisor_of
from lvmtui.state.run_state import RunState
from lvmtui.state.status import ALIVE, Phase, interrupted_words, interruptions
from lvmtui.system import numbers as words
from lvmtui.system.process_id import Identity
from lvmtui.system.text import aligned, padded, sanitise, width, wrap
from lvmtui.verdict.comparison import lost_scores
from lvmtui.verdict.early import best_trivial
from lvmtui.verdict.ranking import Judgement
from lvmtui.verdict.table import Row as ModelRow

WIDTH = 120
"""Characters in a line where there is no terminal."""
NARROWEST = 30
"""Characters of a reason that stands beside its run, at least; with less room it stands below."""
LONG = 80
"""Characters of a note up to which it is told again: `as AMN 8k` would hide an alarm, or that a run ended early."""
GAIN = "gain: cosine at lowest loss less the best trivial one's, own validation windows"
EACH = "each context over its own trivial baselines; the report takes the best of all"
BARE = "cosine: own validation cosine, at the epoch of lowest loss or highest cosine"
EPOCH = "epoch: a pass over its own windows in whole batches; a small arm makes more"
EARLY = "so far: each arm against the recency mean, own validation windows; not judged"
SIGNLESS = "without a sign: the bare cosine, as the windows of other programs are not known"

RUNNING_WORDS = {"training": "", "heldout": "on the held-out windows"}
"""What a running process does, where its own word for it is not shown."""


class RunRow(NamedTuple):
    """One run in words, a cell a column."""

    model: str
    arm: str
    seed: str
    state: str
    epoch: str = ""
    gain: str = ""
    """See `GAIN`; empty until the baseline is known. Of other programs the bare cosine."""
    time: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """All but the note; without the seed where there is only one."""
        return *self[:2], *filter(None, (self.seed,)), *self[3:-1]


def status(given: argparse.Namespace) -> int:
    state = campaign_now(given)
    workspace = state.dir.workspace
    supervisor = supervisor_of(workspace)
    if given.json:
        print(json.dumps(status_as_json(state, supervisor), indent=1))
        return ExitCode.OK
    print(status_as_text(state, supervisor))
    for other in newest_campaigns(workspace):
        if other.campaign.id != state.campaign.id and other.needs_supervisor:
            either = " either" if state.needs_supervisor else ""
            print(f"campaign {other.campaign.id} is not over{either}: --campaign {other.campaign.id}")
    return ExitCode.OK


def titles_of(state: CampaignState) -> tuple[RunRow, tuple[str, ...]]:
    """The titles of the columns, and what the figures of `RunRow.gain` are, in lines that fit any terminal."""
    foreign = [view.state.spec.foreign for view in state.runs if view.state]
    bare = bool(foreign) and all(foreign)
    seed, figure = "seed" if len(state.campaign.seeds) > 1 else "", "cosine" if bare else "gain"
    also = {SIGNLESS: any(foreign), EACH: bool(state.campaign.contexts)}
    about = (BARE,) if bare else (GAIN, *(line for line, applies in also.items() if applies))
    return RunRow("model", "arm", seed, "state", "epoch", figure, "time"), about


def rows_of(state: CampaignState, eta: CampaignEta, known: Judgement) -> list[RunRow]:
    return [_row(state, view, eta, known) for view in state.runs]


def _change_words(row: ModelRow, seeds: int) -> str:
    """The change once runs are compared, and of how many seeds if not of all; before that, how it looks so far."""
    if row.early is not None:
        return row.early.words
    if row.interval is not None:
        some = f", {row.seeds} of {seeds} seeds" if row.seeds < seeds else ""
        return f"{row.figure} {row.ends}{some}"
    if row.change is None and row.moved is None:
        return row.no_change or row.verdict.sentence
    return f"{row.figure}, {row.verdict.reason or row.verdict.words}"


def _row(state: CampaignState, view: RunView, eta: CampaignEta, known: Judgement) -> RunRow:
    run, planned, campaign = view.state, view.planned, state.campaign
    row = RunRow(
        title_of(planned.model, campaign.titles),
        campaign.arm(planned.arm).label,
        f"s{planned.seed}" if len(campaign.seeds) > 1 else "",
        view.status.phase.value,
    )
    if run is None:
        return row._replace(note=sanitise(view.status.reason, 1000))
    spec = run.spec
    epochs = "/".join(f"{spec.epoch_of(step):.1f}" for step in (view.step, run.planned_steps) if step is not None)
    steps = f"step {view.step}" + (f"/{run.planned_steps}" if run.planned_steps is not None else "")
    return row._replace(
        epoch="" if not view.step else epochs if spec.counts_epochs else steps,
        gain=_gain(view, run, known.trivial.get(planned.run)),
        time=_time(view, run, eta),
        note=sanitise(_note(view, run, known), 1000),
    )


def _time(view: RunView, run: RunState, eta: CampaignEta) -> str:
    """Time left, time until it starts, or time it took."""
    expected = eta.runs.get(view.planned.run)
    if view.status.phase in ALIVE and expected and expected.eta:
        return expected.eta.left_words()
    if view.job is not None and view.job.waiting:
        return ""  # the cluster decides; the note says what it says
    if view.status.phase is Phase.QUEUED and expected and expected.start_in is not None:
        return f"in {words.duration(expected.start_in.seconds)}"
    if view.status.over:
        return f"took {words.duration(run.seconds)}" if run.seconds else ""  # not known of most histories
    return f"{words.duration(view.worked(eta.now))} so far" if run.trainer.attempts else ""


def _note(view: RunView, run: RunState, known: Judgement) -> str:
    """Alarms, then why it is as it is."""
    status, finished = view.status, run.trainer.finished
    said = [RUNNING_WORDS.get(status.reason, status.reason) if status.phase is Phase.RUNNING else status.reason]
    said.append(status.no_step_words)
    if view.job is not None and status.phase in ALIVE:
        said.append(view.job.words)
    if finished and finished.stopped_early:
        early = f"ended by itself at {run.spec.unit} {run.step:,}" if run.spec.own_trainer else "ended early"
        said = [f"{early}, best at {finished.best_where}"]
    if finished or not status.over:
        said.append(interrupted_words(run, told=status.reason))
    alarms = [finding.label for finding in known.health.get(view.planned.run, ()) if finding.alarm]
    return "; ".join(filter(None, [*alarms, ", ".join(filter(None, said))]))


def _gain(view: RunView, run: RunState, trivial: TrivialBaselines | None) -> str:
    """The gain so far; of another program, whose windows are not known, the cosine; empty while neither is known."""
    best = view.best.cosine if view.best else None
    if best is None or run.spec.foreign:
        return "" if best is None else words.cosine(best)
    against = best_trivial(run, trivial)
    return words.signed(best - against.cosine) if against else ""


def progress_line(state: CampaignState, eta: CampaignEta, *, supervised: bool = True, span: bool = True) -> str:
    """`4 of 10 runs finished, 6 m 10 s left (5 m to 8 m), ends 14:32`; `span`: how sure; no end if not `supervised`."""
    text = state.progress_words
    if state.settled or eta.eta is None:
        return text + ("" if state.settled else f", {eta.unknown}")
    left = eta.eta
    sure = f" ({words.duration(left.low)} to {words.duration(left.high)})" if span else ""
    if not supervised:
        return f"{text}, {words.duration(left.seconds)} of work left{sure}"
    return f"{text}, {left.left_words(sure)}, {eta.end_words}"


def status_as_text(state: CampaignState, supervisor: Identity | None, columns: int | None = None) -> str:
    """What `lvmtui status` prints, in lines of so many columns; None: the terminal's."""
    columns = columns or shutil.get_terminal_size((WIDTH, 24)).columns
    eta = campaign_eta(state, time.time())
    known = Judgement(state)
    titles, about = titles_of(state)
    small, large = (state.campaign.arm(arm).label for arm in ARMS)
    changes = aligned([(row.title, _change_words(row, known.table.seeds)) for row in known.table.rows])
    above = (f"campaign {state.campaign.id}", progress_line(state, eta, supervised=supervisor is not None), "")
    specs = [view.state.spec for view in state.runs if view.state]
    equal = (EPOCH,) if any(spec.recipe.equal_updates and not spec.foreign for spec in specs) else ()
    early = (EARLY,) if any(row.early for row in known.table.rows) else ()
    below = ("", *about, *equal, *early, "", f"change from {small} to {large}", *changes)
    below = (*below, *(f"doubt: {doubt}" for doubt in lost_scores(state)), "", *standing(state, supervisor))
    table = chain(*run_lines([titles, *rows_of(state, eta, known)], columns))
    first, last = (
        [part for line in lines for part in wrap(line, columns, subsequent_indent="  ") or [""]]
        for lines in (above, below)
    )
    return "\n".join([*first, *table, *last])


def run_lines(rows: Sequence[RunRow], columns: int, *, whole: bool = True) -> list[list[str]]:
    """The lines of each run, its note beside or below it; a long note is told once. Not `whole`: one, perhaps long."""
    starts, said = aligned([row.cells for row in rows]), dict[str, str]()
    indent = max(map(width, starts)) + 2
    lines: list[list[str]] = []
    for start, row in zip(starts, rows, strict=True):
        name = " ".join(filter(None, row[:3]))
        first = said.setdefault(row.note, name)
        note = row.note if first == name or len(row.note) <= LONG else f"as {first}"
        head, below = padded(start, indent), " " * indent
        if not whole:
            lines.append([head + note])
        elif columns - indent >= min(NARROWEST, width(note)):
            lines.append(wrap(note, columns, initial_indent=head, subsequent_indent=below) or [start])
        else:
            lines.append([start, *wrap(note, columns, initial_indent="    ", subsequent_indent="    ")])
    return lines


def standing(state: CampaignState, supervisor: Identity | None) -> list[str]:
    """What cannot be known or done now, and who supervises. A line each."""
    lines = []
    if state.silence and not state.settled:
        lines.append(f"the runs' state is {state.silence}")
    if state.turn_words and supervisor:
        lines.append(state.turn_words)
    if state.troubles:
        lines.append(f"trouble: {state.troubles}")
    if supervisor:
        lines.append(f"supervised by process {supervisor.pid} on {supervisor.host}")
    elif not state.needs_supervisor:
        resting = (Phase.PAUSED, Phase.SUSPENDED)
        counts = ((sum(view.status.phase is phase for view in state.runs), phase.value) for phase in resting)
        held = ", ".join(f"{words.plural(count, 'run')} {word}" for count, word in counts if count)
        left = f"{held}, nothing else" if held else "nothing"
        lines.append(f"{left} is left to do; no supervisor is needed")
    else:
        starts = f"'{program(state.dir.workspace)} attach' starts one"
        lines.append(f"no supervisor: {state.unmade or 'nothing that waits is started'}; {starts}")
    return lines


def status_as_json(state: CampaignState, supervisor: Identity | None) -> dict[str, Any]:
    """What `lvmtui status --json` prints; `docs/formats.md` describes it."""
    from lvmtui.cli.ending import outcome_of

    now = time.time()
    eta, known = campaign_eta(state, now), Judgement(state)
    table = known.table
    return {
        "version": 1,
        "campaign": state.campaign.id,
        "time": now,
        "supervisor": encode(supervisor),
        "settled": not state.needs_supervisor,
        "silence": state.silence,
        "trouble": state.troubles,
        "eta": encode(eta.eta),
        "verdict": encode(outcome := outcome_of(state.campaign.id, table)) | {"line": outcome.line},
        "models": [model_as_json(row, table.seeds) for row in table.rows],
        "runs": [run_as_json(view, eta, known) for view in state.runs],
    }


def model_as_json(row: ModelRow, seeds: int) -> dict[str, Any]:
    return {
        "model": row.model,
        "change_percent": row.change,
        "interval": encode(row.interval),
        "early": encode(row.early),
        "words": _change_words(row, seeds),
    }


def run_as_json(view: RunView, eta: CampaignEta, known: Judgement) -> dict[str, Any]:
    planned, run = view.planned, view.state
    finished = run.trainer.finished if run else None
    expected, found = eta.runs.get(planned.run), known.health.get(planned.run, ())
    return {
        "run": planned.run,
        "folder": planned.folder,
        "model": planned.model,
        "arm": planned.arm,
        "seed": planned.seed,
        "phase": view.status.phase.value,
        "reason": sanitise(view.status.reason),
        "since": view.status.since,
        "no_step": view.status.no_step,
        "want": run.intent.want if run else None,
        "step": view.step if run else None,
        "total_steps": run.spec.total_steps if run else None,
        "job": encode(view.job),
        "interruptions": len(interruptions(run)) if run else None,
        "active_seconds": run.trainer.worked if run else None,
        "best_validation_cosine": view.best.cosine if view.best else None,
        "heldout_cosine": finished.heldout.cosine if finished else None,
        "eta": encode(expected) if expected else None,
        "findings": [{"kind": finding.kind, "alarm": finding.alarm, "words": finding.words} for finding in found],
    }
