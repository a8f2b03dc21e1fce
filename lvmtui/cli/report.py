"""`lvmtui report` and `lvmtui tensorboard`: the report in one of its formats, a long table, or event files."""

from __future__ import annotations

import argparse
import io
import sys
import time
import warnings
from pathlib import Path

from lvmtui.cli.shared import ExitCode, campaign_of, workspace_of
from lvmtui.formats.paths import FORMATS, CampaignDir
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import plural

EVERY = 5.0
"""Seconds between two looks of `lvmtui tensorboard`."""

OTHER_PROGRAMS = ("docx", "odt", "pdf", "rtf", "tex", "xls", "xlsx")
"""Endings of files that other programs would open as what they are not."""


def report(given: argparse.Namespace) -> int:
    """Write it and print its path, or print the report itself."""
    from lvmtui.report.make import ReportForm, render_report, write_report

    folder = campaign_of(given)
    form = ReportForm(_format(given), given.self_contained)
    if form.self_contained and (form.format != "md" or not given.output):
        raise UserError("--self-contained: says how Markdown is written to a file; give --format md and --output FILE")
    if given.table:
        if form.format != "csv" or not given.output:
            cure = "give --output FILE.csv, or --format csv --output - to see it"
            raise UserError(f"--table {given.table}: is CSV; {cure}")
        return _long_table(given, folder)
    if given.output == "-":
        print(render_report(folder.workspace, folder.id, form), end="")
    else:
        print(write_report(folder.workspace, folder.id, form, Path(given.output) if given.output else None))
    return ExitCode.OK


def _format(given: argparse.Namespace) -> str:
    """What was asked for, or what the file's name says. Raises UserError if they differ, or if it names no format."""
    named = Path(given.output or "").suffix[1:].lower()
    if named in FORMATS and given.format not in (None, named):
        raise UserError(f"--format {given.format}: {given.output} is named as {named}; leave one of the two out")
    if named in OTHER_PROGRAMS:
        raise UserError(f"--output {given.output}: no report is {named}; name it {', '.join('.' + f for f in FORMATS)}")
    return str(given.format or (named if named in FORMATS else "md"))


def _long_table(given: argparse.Namespace, folder: CampaignDir) -> int:
    """Write one of the tables that have a row for each run, evaluation, window or model, and name what is left out."""
    from lvmtui.notebook import open_workspace
    from lvmtui.system.files import write_output

    text = io.StringIO()
    with warnings.catch_warnings(record=True, action="ignore") as left_out:  # those of others are no loss of ours
        warnings.filterwarnings("always", "left out: ")
        open_workspace(folder.workspace.root).campaign(folder.id).table(given.table).write_csv(text)
    for one in left_out:
        print(f"lvmtui: {one.message}", file=sys.stderr)
    try:
        if given.output != "-":
            write_output(Path(given.output), text.getvalue().encode())
    except OSError as error:
        raise UserError(f"--output {given.output}: cannot be written ({error.strerror}); name another file") from None
    print(text.getvalue() if given.output == "-" else f"{given.output}\n", end="")
    return ExitCode.RUNS_FAILED if left_out else ExitCode.OK


def tensorboard(given: argparse.Namespace) -> int:
    """Write event files until every run is over; with `--once` only now."""
    from lvmtui.report.event_files import EventFiles
    from lvmtui.state.campaign_reader import CampaignReader

    workspace = workspace_of(given)
    folder = campaign_of(given)
    above = Path(given.output) if given.output else workspace.logs / "tensorboard"
    files = EventFiles(above / folder.id)
    reader = CampaignReader(workspace, folder)
    try:
        state = reader.refresh()
        number = files.write(state)
        print(f"{plural(number, 'figure')} written to {files.folder}; look at them with: tensorboard --logdir {above}")
        if not given.once and not state.finished:
            print("going on until all runs are over; ctrl-c ends it, the runs go on", file=sys.stderr, flush=True)
            while not state.finished:
                time.sleep(EVERY)
                state = reader.refresh()
                files.write(state)
    except OSError as error:
        where = error.filename or files.folder
        raise UserError(f"--output {where}: cannot be written ({error.strerror}); name another folder") from None
    finally:
        files.close()
    return ExitCode.OK
