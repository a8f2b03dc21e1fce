"""Writes what people read: the report, its curves, the texts of the comparisons, under the names people type.

Those names carry the labels of the arms only, so a later campaign of the same labels takes them over. The newest
campaign has the plain name; a file it would displace is kept under its own stamp.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from lvmtui import __version__
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import read_data_facts
from lvmtui.formats.json_codec import dump_document, encode, find_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.report.contents import Heldout, Report, report_of
from lvmtui.report.csv import table_csv
from lvmtui.report.curves import svg
from lvmtui.report.markdown import markdown
from lvmtui.report.markup import file_name
from lvmtui.report.text import comparison_text
from lvmtui.state.reader import CampaignReader, CampaignState
from lvmtui.system.errors import UserError, unknown
from lvmtui.system.files import replace_file, write_output
from lvmtui.verdict.comparison import complete_pairs, is_current, read_comparisons, trivial_by_run
from lvmtui.verdict.ranking import health_by_run

CURVES = "curves"
"""Folder of the SVG files, in the campaign's folder."""


def write_report(workspace: Workspace, campaign_id: str, format: str = "md", output: Path | None = None) -> Path:
    """Write the report of a campaign as it is now, in all formats, to where they belong, and return the path of the
    one asked for: `output` if that is given. Comparisons that are missing or no longer true are made first.

    Raises UserError.
    """
    folder = workspace.campaign(campaign_id)
    state = _compared(workspace, folder)
    report = read_report(state, now=time.time())
    try:
        final = _write_all(workspace, state, report)
    except OSError as error:
        if output is None:
            raise UserError(
                f"{error.filename or folder.path}: cannot be written ({error.strerror}); --output FILE writes the "
                "report elsewhere, --output - shows it"
            ) from None
        final = output  # what was asked for may be possible all the same
    if output is not None:
        try:
            write_output(output, _render(report, format, _beside(folder, output.resolve().parent)).encode())
        except OSError as error:
            raise UserError(f"--output {output}: cannot be written ({error.strerror}); name another file") from None
        return output
    return {"md": final, "json": folder.report_json, "csv": folder.report_json.with_suffix(".csv")}[format]


def _write_all(workspace: Workspace, state: CampaignState, report: Report) -> Path:
    """Write the report in all formats to where they belong; returns where the one for people went. Raises OSError."""
    folder = state.dir
    _write_curves(folder, report)
    replace_file(folder.report, markdown(report, curves=CURVES).encode())
    replace_file(folder.report_json, _json(report))
    replace_file(folder.report_json.with_suffix(".csv"), table_csv(report).encode())
    _write_texts(workspace, state, report)
    final = workspace.final_comparison(state.campaign)
    return publish(final, markdown(report, curves=_beside(folder, final.parent)), state.campaign)


def render_report(workspace: Workspace, campaign_id: str, format: str = "md") -> str:
    """The report of a campaign as it is now, as text; only comparisons that are missing are written."""
    folder = workspace.campaign(campaign_id)
    report = read_report(_compared(workspace, folder), now=time.time())
    return _render(report, format, _beside(folder, Path.cwd()))


def _render(report: Report, format: str, curves: str) -> str:
    match format:
        case "md":
            return markdown(report, curves=curves)
        case "json":
            return _json(report).decode()
        case "csv":
            return table_csv(report)
        case _:
            raise unknown("--format", format, ("md", "json", "csv"))


def _json(report: Report) -> bytes:
    return dump_document(encode(report))


def _beside(folder: CampaignDir, reader: Path) -> str:
    """The folder of the curves as seen from the folder of a file that links to them."""
    return Path(os.path.relpath(folder.path / CURVES, reader)).as_posix()


def read_report(state: CampaignState, *, now: float) -> Report:
    """The report from what the campaign's folder holds now, nothing written."""
    trivial = trivial_by_run(state)
    return report_of(
        state,
        read_comparisons(state),
        trivial,
        health_by_run(state, trivial),
        _heldout(state),
        read_data_facts(state.dir.check),
        now=now,
        version=__version__,
    )


def publish(path: Path, content: str, campaign: Campaign) -> Path:
    """Write a file people read to `path`; return where it went.

    If the file there is a newer campaign's, ours goes under its own stamp instead; if it is an older one's, that one
    is moved to its stamp first. The campaign is known by its id, which stands in the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    other = _campaign_in(path)
    if path.exists() and other != campaign.id:
        theirs = _stamp_of(other, path)
        if other and theirs > campaign.stamp:
            path = _stamped(path, campaign.stamp)
        else:
            with suppress(FileNotFoundError):  # another writer has moved it meanwhile
                os.replace(path, _stamped(path, theirs))
    replace_file(path, content.encode())
    return path


def write_texts(workspace: Workspace, state: CampaignState) -> None:
    """Write `<model>.txt` of each comparison again: a word may change as others are judged with it."""
    _write_texts(workspace, state, read_report(state, now=time.time()))


def _write_texts(workspace: Workspace, state: CampaignState, report: Report) -> None:
    folder = workspace.results(state.campaign)
    for comparison in report.comparisons:
        row = report.table.row(comparison.model)
        assert row is not None, "the table has a row for every model"
        words = comparison_text(row, comparison, report.table.labels, several=report.table.tested > 1)
        publish(folder / f"{file_name(comparison.model)}.txt", words, state.campaign)


def _write_curves(folder: CampaignDir, report: Report) -> None:
    curves = folder.path / CURVES
    curves.mkdir(exist_ok=True)
    for model in report.campaign_facts.models:
        runs = [run for run in report.runs if run.model == model]
        drawn = svg(runs[0].title if runs else model, [run.curve for run in runs], report.validation_mean)
        replace_file(curves / f"{file_name(model)}.svg", drawn.encode(), durable=False)


def _compared(workspace: Workspace, folder: CampaignDir) -> CampaignState:
    """The campaign's state, after the comparisons that should be there were made. numpy is loaded only if one is."""
    state = CampaignReader(workspace, folder).refresh()
    for model in state.campaign.models:
        if complete_pairs(state, model) and state.campaign.heldout_windows and not is_current(state, model):
            from lvmtui.verdict.compare import write_comparison

            with suppress(OSError):  # a workspace that may only be read: the report goes without it
                write_comparison(state, model)
    return state


def _heldout(state: CampaignState) -> Heldout:
    """From `split.json`, whose fields it shares; from the plan where there is none."""
    plan = state.campaign
    drawn = find_document(Heldout, state.dir.split / "split.json")
    return drawn or Heldout(plan.heldout_windows, None, plan.heldout_clusters, None, None, plan.split_fingerprint)


def _campaign_in(path: Path) -> str:
    """Id of the campaign a file of ours is about; empty if it does not say."""
    try:
        with path.open("rb") as file:
            head = file.read(600).decode("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r"^(?:<!-- lvmtui )?campaign (\S+)", head, re.MULTILINE)
    return found.group(1) if found else ""


def _stamp_of(campaign_id: str, path: Path) -> str:
    """`20261122_134500`, from the id, or from the file's own time where it has none."""
    found = re.search(r"\d{8}_\d{6}$", campaign_id)
    return found.group() if found else time.strftime("%Y%m%d_%H%M%S", time.localtime(path.stat().st_mtime))


def _stamped(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.stem}_{stamp}{path.suffix}")
