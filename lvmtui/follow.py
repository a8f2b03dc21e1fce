"""Follow a campaign to its end without the screen: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lvmtui import format as words
from lvmtui.contract.recipe import title_of
from lvmtui.contract.workspace import CampaignDir, Workspace
from lvmtui.glance import headline, rows_of
from lvmtui.judge.eta import campaign_eta
from lvmtui.state.reader import CampaignReader, CampaignState
from lvmtui.state.status import Phase

EVERY = 1.0
"""Seconds between two looks."""
PATIENCE = 60.0
"""Seconds to wait for the report after the last run has ended."""

STYLES = {
    Phase.RUNNING: "green",
    Phase.STARTING: "green",
    Phase.FINISHED: "bold",
    Phase.FAILED: "red",
    Phase.DIVERGED: "red",
    Phase.UNKNOWN: "red",
    Phase.STALLED: "yellow",
    Phase.NO_SPACE: "yellow",
}


def follow(workspace: Workspace, folder: CampaignDir, *, headless: bool) -> int:
    """Show the campaign until it is settled and its report is there. Returns the command's exit code.

    Ctrl-C leaves; the runs go on.
    """
    console = Console()
    reader = CampaignReader(workspace, folder)
    try:
        plain = headless or not console.is_terminal
        state = _lines(reader) if plain else _table(reader, console)
        report = _await_report(folder)
    except KeyboardInterrupt:
        print(f"\nthe runs go on; come back with '{program()}'", file=sys.stderr)
        return 130
    if report and state.finished:
        console.print(folder.report.read_text(), markup=False, highlight=False, soft_wrap=True)
        print(f"report: {workspace.final_comparison(reader.campaign)}", file=sys.stderr)
    for view in state.runs:
        if view.status.phase is not Phase.FINISHED:
            print(f"{view.planned.run}: {view.status.phase.value} {view.status.reason}".rstrip(), file=sys.stderr)
    return 0 if all(view.status.phase is Phase.FINISHED for view in state.runs) else 1


def _states(reader: CampaignReader) -> Iterator[CampaignState]:
    """A state a second, the settled one last."""
    while True:
        state = reader.refresh()
        yield state
        if state.settled:
            return
        time.sleep(EVERY)


def _table(reader: CampaignReader, console: Console) -> CampaignState:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for state in _states(reader):
            live.update(_draw(state), refresh=True)
    return state


def _draw(state: CampaignState) -> Group:
    now = time.time()
    eta = campaign_eta(state, now)
    table = Table(box=None, padding=(0, 1), expand=True)
    for name in ("model", "arm", "seed", "state", "epoch", "best", "time"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("epoch", "best", "time") else "left")
    table.add_column("", no_wrap=True, ratio=1)  # notes are what a narrow terminal cuts
    for row, view in zip(rows_of(state, eta, now), state.runs, strict=True):
        cells = (row.model, row.arm, row.seed, row.state, row.epoch, row.best, row.time, row.note)
        style = STYLES.get(view.status.phase, "dim")
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return Group(Text(headline(state, eta, now)), table)


def _lines(reader: CampaignReader) -> CampaignState:
    """A line for every change of a run and every evaluation."""
    shown: dict[str, tuple[Phase, int]] = {}
    for state in _states(reader):
        for view in state.runs:
            run, name = view.state, view.planned.run
            evaluations = run.trainer.evaluations if run else ()
            phase, seen = shown.get(name, (Phase.QUEUED, 0))
            where = f"{title_of(view.planned.model)} {state.campaign.arm(view.planned.arm).label}"
            where += f" s{view.planned.seed}" if len(state.campaign.seeds) > 1 else ""
            for e in evaluations[seen:]:
                _say(f"{where}  epoch {e.epoch:.1f}  validation cosine {words.cosine(e.cosine)}", e.time)
            if view.status.phase is not phase:
                _say(f"{where}  {view.status.phase.value} {view.status.reason}".rstrip(), view.status.since)
            shown[name] = (view.status.phase, len(evaluations))
    return state


def _say(text: str, when: float | None) -> None:
    """A line with the time at which it became so, which may be long ago."""
    print(words.clock(when or time.time(), seconds=True), text, flush=True)


def program() -> str:
    """How this program was called, for a person to call it again."""
    return "lvmtui" if shutil.which("lvmtui") or not sys.argv[0].endswith("lvmtui") else sys.argv[0]


def _await_report(folder: CampaignDir) -> bool:
    """Wait until the report of a settled campaign is written; False if it does not come."""
    until = time.monotonic() + PATIENCE
    while not folder.report.exists() and time.monotonic() < until:
        time.sleep(0.2)
    return folder.report.exists()
