"""Follow a campaign to its end without the screen: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from operator import itemgetter

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lvmtui.cli.ending import outcome_of, read_ending
from lvmtui.cli.shared import program
from lvmtui.cli.status import progress_line, rows_of, run_lines, standing, titles_of
from lvmtui.estimate.eta import campaign_eta
from lvmtui.event_sentences import sentence_of
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.results import ReportedRuns
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView, supervisor_of
from lvmtui.state.status import ALIVE, Phase
from lvmtui.supervisor.container import leave, listen_for_term
from lvmtui.supervisor.lock import ENSURE, ensure_supervisor
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.text import grouped, wrap
from lvmtui.verdict.ranking import Judgement

EVERY = 1.0
"""Seconds between two looks."""
PATIENCE = 60.0
"""Seconds to wait for the report of a finished campaign once nobody is at work on it, or in vain."""
SILENT = 2.0
"""Seconds before a person is told what is waited for."""
AROUND = 3
"""Lines of the live table that are no run, and one that stays free."""
WRAPPED = 110
"""Characters in a line of prose where there is no terminal."""

COLOURS = {"running": "green", "done": "bold", "failed": "red", "alarm": "red", "waiting": "yellow"}
"""How the styles of `state.status.PHASES` look here; others are dim."""


def follow(workspace: Workspace, folder: CampaignDir, *, headless: bool) -> int:
    """Show the campaign until all its runs are over and its report is there. Returns the command's exit code. Ctrl-C
    leaves; the runs go on."""
    console = Console()
    reader = CampaignReader(workspace, folder)
    listen_for_term()
    try:
        plain = headless or not console.is_terminal
        state = _lines(reader) if plain else _table(reader, console)
        report = _await_report(workspace, reader, state)
    except KeyboardInterrupt:
        told = leave(workspace, f"the runs go on; come back with '{program(workspace)}'")
        print(f"\n{told}", file=sys.stderr)
        return 130
    width = console.width if console.is_terminal else WRAPPED
    ending = read_ending(workspace, state, program(workspace), width) if report else ""
    if report:
        print(ending)
    else:
        command = f"{program(workspace)} report"
        print(f"the report has not come; '{command}' writes it, or says what is wrong", file=sys.stderr)
    unfinished = [view for view in state.runs if view.status.phase is not Phase.FINISHED]
    for said, runs in grouped((_how(view), state.title_of(view.planned)) for view in unfinished).items():
        if plain or said not in " ".join(ending.split()):  # a person has just read it
            print(*wrap(f"{', '.join(runs)} {said}", width, subsequent_indent="  "), sep="\n", file=sys.stderr)
    sys.stderr.flush()
    print(outcome_of(state.campaign.id, Judgement(state).table).line)
    return 1 if unfinished else 0


def _how(view: RunView) -> str:
    """`failed: left with exit code 1`; `running`, as what it does now was not so when that began."""
    reason = "" if view.status.phase is Phase.RUNNING else view.status.reason
    return f"{view.status.phase.value}: {reason}".rstrip(": ")


def _states(reader: CampaignReader) -> Iterator[CampaignState]:
    """The state every `EVERY` seconds until all is over. Paused runs are waited for, a dead supervisor is replaced."""
    ensured = time.monotonic()
    while True:
        state = reader.refresh()
        yield state
        if state.finished:
            return
        if state.needs_supervisor and time.monotonic() - ensured > ENSURE:
            ensured = time.monotonic()
            with suppress(UserError):  # the lines say that there is none
                ensure_supervisor(state.dir.workspace)
        time.sleep(EVERY)


def _paused(state: CampaignState) -> str:
    """What to do where nothing goes on by itself; empty where something does."""
    again = f"{program(state.dir.workspace)} resume all"
    return f"the runs are paused; '{again}' continues them" if state.settled else ""


def _table(reader: CampaignReader, console: Console) -> CampaignState:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for state in _states(reader):
            live.update(live_table(state, *console.size), refresh=True)
    return state


def live_table(state: CampaignState, width: int, height: int) -> Group:
    """The runs in `height` lines; where not all have room, those that need a person stay, then those at work."""
    eta = campaign_eta(state, time.time())
    titles, about = titles_of(state)
    rows, supervisor = rows_of(state, eta, Judgement(state)), supervisor_of(state.dir.workspace)
    below = standing(state, supervisor)
    statuses = [view.status for view in state.runs]
    # smaller is more worth a line: in trouble, at work, waiting, over
    ranks = [(s.style not in ("alarm", "failed"), s.over, s.phase not in ALIVE) for s in statuses]
    urgent = sorted(range(len(rows)), key=ranks.__getitem__)
    room = max(1, height - AROUND - len(about) - len(below))
    shown, hidden = sorted(urgent[:room]), Counter(state.runs[i].status.phase.value for i in urgent[room:])
    table = [titles, *(rows[i] for i in shown)]
    lines = run_lines(table, width)
    if sum(map(len, lines)) > room + 1:
        lines = run_lines(table, width, whole=False)
    styles = ["bold", *(COLOURS.get(state.runs[i].status.style, "dim") for i in shown)]
    counts = ", ".join(f"{count} {phase}" for phase, count in hidden.items())
    shows = f"'{program(state.dir.workspace)}' shows them"
    said = _paused(state) or (f"{len(rows) - len(shown)} more runs: {counts}; {shows}" if hidden else "")
    forms = [progress_line(state, eta, supervised=supervisor is not None, span=span) for span in (True, False)]
    styled = [(forms[0] if len(forms[0]) <= width else forms[1], "")]
    styled += [(line, style) for of_run, style in zip(lines, styles, strict=True) for line in of_run]
    styled += [(line, "dim") for line in (*((said,) if said else about), *below)]
    return Group(*(Text(line, style=style, no_wrap=True, overflow="ellipsis") for line, style in styled))


def _lines(reader: CampaignReader) -> CampaignState:
    """A line for every change of a run and every evaluation; none of runs or campaigns that had ended before."""
    shown: dict[str, tuple[Phase, int, float]] = {}
    said = trouble = ""
    for state in _states(reader):
        if state.finished and not shown:
            break
        news: list[tuple[float, str]] = []
        for view in state.runs:
            run, name = view.state, view.planned.run
            evaluations = run.trainer.evaluations if run else ()
            since = view.status.since or 0.0
            taken_over = view.status.over and 0 < since < state.campaign.created
            at_first = (view.status.phase, len(evaluations), since) if taken_over else (Phase.QUEUED, 0, 0.0)
            phase, seen, changed = shown.get(name, at_first)
            where = state.title_of(view.planned)
            for event in evaluations[seen:]:
                if run and (sentence := sentence_of(event, run.spec.unit)):
                    news.append((event.time, f"{where}  {sentence.words}"))
            if view.status.phase is not phase:
                # a start of which nothing is logged yet has the time of the last one
                changed = since if since > changed else time.time()
                news.append((changed, f"{where}  {_how(view)}"))
            shown[name] = (view.status.phase, len(evaluations), changed)
        for when, text in sorted(news, key=itemgetter(0)):  # what happened before is printed in its order too
            print(words.clock(when, seconds=True), text, flush=True)
        before, said = said, "" if state.finished else _paused(state)
        if said and not before:
            print(said, file=sys.stderr, flush=True)
        if state.troubles and state.troubles != trouble:
            print(f"trouble: {state.troubles}", file=sys.stderr, flush=True)
        trouble = state.troubles
    return state


def _await_report(workspace: Workspace, reader: CampaignReader, state: CampaignState) -> bool:
    """Wait until the report describes the runs of a settled campaign as they are; False if it does not come.

    A report from before a retry may be there. Trivial baselines of large files and comparisons take minutes.
    """
    runs = [(v.planned.run, v.status.phase.value, v.state.trainer.attempts if v.state else 0) for v in state.runs]
    began = at_work = time.monotonic()
    told = False
    while True:
        found = find_document(ReportedRuns, state.dir.report_json)  # written after all others
        if found is not None and {(run.run, run.status, run.attempts) for run in found.runs} == set(runs):
            return True
        now = time.monotonic()
        if supervisor_of(workspace) is not None and not reader.refresh().trouble:
            at_work = now
        if now - at_work >= PATIENCE:
            return False
        if now - began >= SILENT and not told:
            print("all runs have ended; the report is being made", file=sys.stderr, flush=True)
            told = True
        time.sleep(0.2)
