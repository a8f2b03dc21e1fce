"""Make comparisons and reports: the entry of the short process that does it, and what commands and screen call.

    python -P -m lvmtui.report.make CAMPAIGN_DIR MODEL     compare the model's arms, write the texts of all comparisons
    python -P -m lvmtui.report.make CAMPAIGN_DIR           write the report

It runs in a process of its own, so that supervisor and screen never load numpy.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lvmtui import __version__
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.json_codec import dump_document, encode, find_document, write_document
from lvmtui.formats.learning_curve import read_learning_curve
from lvmtui.formats.paths import FORMATS, CampaignDir, Workspace
from lvmtui.report.blocks import without_home
from lvmtui.report.contents import HeldoutSet, Report, report_of
from lvmtui.report.csv_table import curve_csv, table_csv
from lvmtui.report.curves import OF_THE_PAGE, ON_WHITE, Palette, curve_file, file_stem, svg
from lvmtui.report.html import html
from lvmtui.report.markdown import markdown
from lvmtui.report.page import comparison_page, page_of
from lvmtui.report.size_pictures import learning_pictures
from lvmtui.report.terminal import plain_text
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, taken_back
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file, write_output
from lvmtui.verdict.comparison import REMAKES, complete_pairs, curve_inputs, curve_is_current, is_current
from lvmtui.verdict.ranking import Judgement

CURVES = "curves"
"""Folder of the pictures, in the campaign's folder and beside a report that was exported."""


@dataclass(frozen=True)
class ReportForm:
    format: str = "md"
    self_contained: bool = False
    """Markdown holds its pictures itself. HTML always does."""


def write_report(
    workspace: Workspace, campaign_id: str, form: ReportForm = ReportForm(), output: Path | None = None
) -> Path:
    """Write the report of a campaign as it is now: in all formats to the usual places, or in one form to `output` only.

    Comparisons that are missing or out of date are made first. Returns the path of the `form` asked for. A Markdown
    `output` brings its pictures. Raises UserError.
    """
    folder = workspace.campaign(campaign_id)
    state = _compared(folder)
    if output is not None:
        try:
            _export(read_report(state, now=time.time()), form, output, folder)
        except OSError as error:
            raise UserError(f"--output {output}: cannot be written ({error.strerror}); name another file") from None
        return output
    try:
        for _ in range(REMAKES):
            final = _write_all(workspace, state, read_report(state, now=time.time()))
            made_of, state = curve_inputs(state), _compared(folder)
            if curve_inputs(state) == made_of:
                break
    except OSError as error:
        raise UserError(
            f"{error.filename or folder.path}: cannot be written ({error.strerror}); --output FILE writes the report "
            "elsewhere, --output - shows it"
        ) from None
    return final if form.format == "md" else folder.report_as(form.format)


def render_report(workspace: Workspace, campaign_id: str, form: ReportForm = ReportForm()) -> str:
    """The report of a campaign as it is now, as text. Only missing comparisons are written. Raises UserError."""
    folder = workspace.campaign(campaign_id)
    return _render(read_report(_compared(folder), now=time.time()), form, _seen_from(folder, Path.cwd()))


def read_report(state: CampaignState, *, now: float) -> Report:
    """The report from the files of the campaign's folder. Writes nothing and loads no numpy."""
    plan = state.campaign
    planned = HeldoutSet(plan.heldout_windows, None, plan.heldout_clusters, None, plan.split_fingerprint)
    return report_of(
        Judgement(state),
        find_document(HeldoutSet, state.dir.split / "split.json") or planned,  # the file has the same fields
        find_document(DataFacts, state.dir.check),
        read_learning_curve(state.dir.learning_curve),
        now=now,
        version=__version__,
    )


def compare_model(folder: CampaignDir, model: str) -> None:
    """Compare a model's arms if that is due, and write the texts of all comparisons. Raises UserError, OSError.

    All texts, because a verdict may change as other models are judged with it.
    """
    from lvmtui.verdict.compare import compare

    reader = CampaignReader(folder.workspace, folder)
    compared = compare(folder, model, reader)
    state = reader.refresh()
    _write_learning_curve(state)
    if compared:
        _write_texts(folder.workspace, state, read_report(state, now=time.time()))


def _write_all(workspace: Workspace, state: CampaignState, report: Report) -> Path:
    """Write every file of the report to its usual place. Returns where the Markdown went. Raises OSError."""
    folder = state.dir
    _write_curves(folder.path / CURVES, report)
    if report.learning_curve:
        replace_file(folder.learning_curve.with_suffix(".csv"), curve_csv(report.learning_curve).encode())
    _write_texts(workspace, state, report)
    final = workspace.final_comparison(state.campaign)
    path = publish(final, _render(report, ReportForm(), _seen_from(folder, final.parent)), state)
    for format in sorted(FORMATS, key=lambda form: form == "json"):  # last: who waits for the report looks at it
        replace_file(folder.report_as(format), _render(report, ReportForm(format), CURVES).encode())
    return path


def _export(report: Report, form: ReportForm, output: Path, folder: CampaignDir) -> None:
    """Write one format to a file of the user's choice; a Markdown file gets its pictures beside it. Raises OSError.

    They lie in a folder of the campaign's id, so that reports of several campaigns can share one place.
    """
    beside = output.resolve().parent
    alone = form.format != "md" or form.self_contained
    if alone or (output.exists() and not output.is_file()):  # a pipe has nothing beside it
        write_output(output, _render(report, form, _seen_from(folder, beside)).encode())
        return
    curves = f"{CURVES}/{folder.id}"
    write_output(output, _render(report, form, curves).encode())
    _write_curves(beside / curves, report)


def _render(report: Report, form: ReportForm, curves: str) -> str:
    """`curves`: where the pictures of a Markdown file are, as seen from it."""

    def pictures(palette: Palette) -> dict[str, str]:
        return {f"{curves}/{name}": drawn for name, drawn in _pictures(report, palette).items()}

    page = without_home(page_of(report, curves=curves), str(Path.home()))
    mark = f"lvmtui campaign {report.campaign}"  # which of several with the same labels it is about, see `_campaign_in`
    if form.format == "md":
        return markdown(page, pictures(ON_WHITE) if form.self_contained else None, mark=mark)
    if form.format == "html":
        return html(page, pictures(OF_THE_PAGE), mark=mark)
    return table_csv(report) if form.format == "csv" else dump_document(encode(report)).decode()


def _seen_from(folder: CampaignDir, reader: Path) -> str:
    """The campaign's pictures as seen from the folder of a file that links to them."""
    return Path(os.path.relpath(folder.path / CURVES, reader)).as_posix()


def _write_texts(workspace: Workspace, state: CampaignState, report: Report) -> None:
    """Write `<model>.txt` of each comparison."""
    folder = workspace.results(state.campaign)
    for comparison in report.comparisons:
        row = report.table.row(comparison.model)
        assert row is not None, "the table has a row for every model"
        page = comparison_page(row, comparison, report.table)
        publish(folder / f"{file_stem(comparison.model)}.txt", plain_text(page), state)


def _write_curves(folder: Path, report: Report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in _pictures(report, ON_WHITE).items():
        replace_file(folder / name, drawn.encode(), durable=False)


def _pictures(report: Report, palette: Palette) -> dict[str, str]:
    """The curves of each model and over sizes as SVG, by the name of the file."""
    drawn = {}
    for model in report.campaign_facts.models:
        runs = [run for run in report.runs if run.model == model]
        title = runs[0].title if runs else model
        means = {} if any(run.foreign for run in runs) else report.validation_mean
        drawn[curve_file(model)] = svg(title, [run.curve for run in runs], means, palette)
    return drawn | (learning_pictures(report.learning_curve, palette) if report.learning_curve else {})


def _compared(folder: CampaignDir) -> CampaignState:
    """The campaign's state, after the comparisons that are due were made. numpy is loaded only if one is."""
    reader = CampaignReader(folder.workspace, folder)
    state = reader.refresh()
    for model in state.campaign.models:
        if complete_pairs(state, model) and state.campaign.heldout_windows and not is_current(state, model):
            from lvmtui.verdict.compare import compare

            with suppress(OSError):  # in a workspace that may only be read the report goes without it
                compare(folder, model, reader)
    with suppress(OSError):
        _write_learning_curve(state)
    return state


def _write_learning_curve(state: CampaignState) -> None:
    """Write it if it is due; numpy and scipy are loaded only then. Raises OSError."""
    for _ in range(REMAKES):
        if curve_is_current(state):
            return
        from lvmtui.verdict.sizes import curves_of

        write_document(state.dir.learning_curve, curves_of(state, curve_inputs(state), time.time()))
        state = CampaignReader(state.dir.workspace, state.dir).refresh()


# Files under the names that people type -------------------------------------------------------------------------------

HEAD = 600
"""Bytes of a file in which its campaign is named."""


def publish(path: Path, content: str, state: CampaignState) -> Path:
    """Write a file for people to `path`, and return where it went. Raises OSError.

    Such names carry only the labels of the arms, so a later campaign with the same labels takes them over, and the
    newest campaign has the plain name. Ours goes under its own stamp if the file there belongs to a newer one, or ours
    was taken back before anything was trained. One of an older campaign is moved to its stamp first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    other, campaign = _campaign_in(path), state.campaign
    if path.exists() and other != campaign.id:
        told = re.search(r"\d{8}_\d{6}$", other)  # without a campaign's id its own time tells
        theirs = told.group() if told else time.strftime("%Y%m%d_%H%M%S", time.localtime(path.stat().st_mtime))
        if other and (theirs > campaign.stamp or taken_back(state.dir)):
            path = _stamped(path, campaign.stamp)
        else:
            with suppress(FileNotFoundError):  # another writer has moved it meanwhile
                os.replace(path, _stamped(path, theirs))
    replace_file(path, content.encode())
    return path


def _campaign_in(path: Path) -> str:
    """Id of the campaign that a file of ours is about; empty if it does not say."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r"^ ?(?:<!-- lvmtui )?campaign (\S+)", head, re.MULTILINE)
    return found.group(1) if found else ""


def _stamped(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.stem}_{stamp}{path.suffix}")


# The short process ----------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Exit code 0, or 2 with a line on stderr."""
    if len(arguments) not in (1, 2):
        print("usage: python -P -m lvmtui.report.make CAMPAIGN_DIR [MODEL]", file=sys.stderr)
        return 2
    folder = CampaignDir(Path(arguments[0]).resolve())
    try:
        if len(arguments) == 2:
            compare_model(folder, arguments[1])
        else:
            write_report(folder.workspace, folder.id)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
