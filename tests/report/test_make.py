"""The files of a report: what is written where."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from lvmtui.cli.ending import read_ending
from lvmtui.formats.intent import write_intent
from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.results import read_comparison
from lvmtui.report.csv_table import table_csv
from lvmtui.report.make import ReportForm, publish, render_report, write_report
from lvmtui.state.status import Phase
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file
from lvmtui.ui.read.snapshot import Builder
from lvmtui.verdict import comparison
from tests.report.made_campaigns import UP
from tests.verdict.scenes import NOW, finished, report_of, state_of


def test_texts_follow_when_other_models_join(tmp_path: Path) -> None:
    """A word said alone may be one too many among several; the file must not keep it."""
    close = {"amn": (0.5189, 0.5206)} | {m: (0.5189, 0.5190) for m in ("gru", "lstm", "transformer")}
    workspace, campaign = finished(tmp_path, close, windows=450)
    report, _ = report_of(workspace, campaign)
    amn = report.table.row("amn")
    assert amn and amn.interval and amn.interval[0] > 0
    assert amn.verdict.words == "too close to call"
    assert any("alone it would be 'improved, slight'" in note for note in amn.notes)
    assert "too close to call; +0." in (workspace.results(campaign) / "amn.txt").read_text()


def test_json_is_the_report(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    report, _ = report_of(workspace, campaign)
    document = json.loads(workspace.campaign(campaign.id).report_json.read_text())
    assert document["version"] == 1
    assert document | {"made": NOW} == json.loads(dump_document(encode(report)))
    assert document["table"]["rows"][0]["verdict"]["word"] == "leans up"


def test_csv_has_every_row(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,), states={("gru", "expanded"): "failed"}))
    rows = list(csv.DictReader(io.StringIO(table_csv(report))))
    assert [row["kind"] for row in rows] == ["model"] * 3 + ["average"] + ["trivial"] * 5
    assert rows[3]["model"] == "average of 2" and rows[3]["baseline_cosine"] == "" and report.table.primary
    assert float(rows[3]["change_percent"]) == report.table.primary.estimate.value and rows[3]["low_percent"]
    assert rows[0]["rank"] == "1" and float(rows[0]["change_percent"]) > 0
    assert rows[2]["verdict"] == "not comparable" and rows[2]["change_percent"] == ""


def test_curves_are_small_files_beside_it(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1, 2))
    _, md = report_of(workspace, campaign)
    folder = workspace.campaign(campaign.id).path
    assert "![AMN](curves/amn.svg)" in md
    drawn = folder / "curves" / "amn.svg"
    assert drawn.stat().st_size < 16_000
    image, svg = ET.parse(drawn).getroot(), "{http://www.w3.org/2000/svg}"
    assert len(image.findall(f"{svg}polyline")) == 4
    said = [text.text for text in image.findall(f"{svg}text")]
    assert said.count("context mean") == 2, "each arm has validation windows of its own"
    final = workspace.final_comparison(campaign)
    linked = re.search(r"!\[AMN\]\((.*?)\)", final.read_text())
    assert linked and (final.parent / linked[1]).exists()


# Files ----------------------------------------------------------------------------------------------------------------


def test_rendered_and_written_are_the_same(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    assert write_report(workspace, campaign.id) == workspace.final_comparison(campaign)
    assert write_report(workspace, campaign.id, ReportForm("json")) == workspace.campaign(campaign.id).report_json
    out, kept = tmp_path / "mine.csv", workspace.final_comparison(campaign)
    kept.write_text("as it was archived")
    assert write_report(workspace, campaign.id, ReportForm("csv"), out) == out
    assert kept.read_text() == "as it was archived", "only the file that was asked for is written"
    assert out.read_text() == render_report(workspace, campaign.id, ReportForm("csv"))
    with pytest.raises(UserError, match=r"--output .* cannot be written"):
        write_report(workspace, campaign.id, ReportForm("md"), tmp_path / "nowhere" / "x.md")


def test_who_sees_the_json_sees_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lvmtui run` waits for it, and then names the final comparison."""
    workspace, campaign = finished(tmp_path, UP)
    written: list[Path] = []

    def noted(path: Path, content: bytes, **more: Any) -> None:
        written.append(path)
        replace_file(path, content, **more)

    monkeypatch.setattr("lvmtui.report.make.replace_file", noted)
    final = write_report(workspace, campaign.id)
    assert written[-1] == workspace.campaign(campaign.id).report_json and final in written[:-1]


def test_a_report_goes_through_links_and_into_pipes_and_replaces_neither(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"]}, seeds=(1,))
    real, link, pipe = tmp_path / "real.csv", tmp_path / "link.csv", tmp_path / "pipe"
    real.write_text("before")
    link.symlink_to(real)
    write_report(workspace, campaign.id, ReportForm("csv"), link)
    assert link.is_symlink() and real.read_text() == render_report(workspace, campaign.id, ReportForm("csv"))
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_report(workspace, campaign.id, ReportForm("csv"), pipe)
    assert os.read(reader, 1 << 16) == real.read_bytes() and pipe.is_fifo()
    os.close(reader)


def test_where_a_workspace_may_only_be_read_the_report_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"]}, seeds=(1,))
    expected = render_report(workspace, campaign.id, ReportForm("csv"))
    workspace.campaign(campaign.id).comparison("amn").unlink()

    def refuse(path: Path, content: bytes, *, durable: bool = True) -> None:
        if workspace.root in path.parents:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        path.write_bytes(content)

    for module in ("lvmtui.report.make", "lvmtui.formats.json_codec", "lvmtui.system.files"):
        monkeypatch.setattr(f"{module}.replace_file", refuse)
    with pytest.raises(UserError, match=r"Read-only file system.*--output"):
        write_report(workspace, campaign.id)
    monkeypatch.undo()
    write_report(workspace, campaign.id)
    for module in ("lvmtui.report.make", "lvmtui.formats.json_codec", "lvmtui.system.files"):
        monkeypatch.setattr(f"{module}.replace_file", refuse)
    out = tmp_path / "out.csv"
    assert write_report(workspace, campaign.id, ReportForm("csv"), out) == out
    assert out.read_text() == expected


def test_a_newer_campaign_takes_the_name_and_the_older_report_is_kept(tmp_path: Path) -> None:
    workspace, older = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), stamp="20261122_134500")
    final = write_report(workspace, older.id)
    first = final.read_text()
    _, newer = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), stamp="20261123_080000")
    assert write_report(workspace, newer.id) == final
    assert newer.id in final.read_text().splitlines()[0]
    kept = final.with_name("8K_VS_23K_FINAL_COMPARISON_20261122_134500.md")
    assert kept.read_text() == first
    assert write_report(workspace, older.id) == kept  # the older one again: the newer keeps its name
    assert newer.id in final.read_text().splitlines()[0]
    assert older.id in kept.read_text().splitlines()[0]
    texts = sorted(f.name for f in workspace.results(newer).iterdir())
    assert texts == ["amn.txt", "amn_20261122_134500.txt"]


def test_a_file_of_somebody_else_is_kept(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    final = workspace.final_comparison(campaign)
    final.write_text("# my notes\n")
    publish(final, "ours", state_of(workspace, campaign))
    kept = [f.read_text() for f in final.parent.glob("*_FINAL_COMPARISON_*.md")]
    assert final.read_text() == "ours" and kept == ["# my notes\n"]


HOSTILE = "x|y`z<b>\x1b]52;c;aGk=\x07\u202e[l](http://e) *_#\n# no"


def test_a_report_that_is_exported_takes_its_pictures_along(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"], "gru": UP["gru"]}, seeds=(1,))
    out = tmp_path / "mail" / "report.md"
    out.parent.mkdir()
    write_report(workspace, campaign.id, ReportForm("md"), out)
    linked = re.findall(r"!\[.*?\]\((.*?)\)", out.read_text())
    assert linked == [f"curves/{campaign.id}/amn.svg", f"curves/{campaign.id}/gru.svg"]
    assert all((out.parent / link).read_text().startswith("<svg") for link in linked)
    write_report(workspace, campaign.id, ReportForm("csv"), tmp_path / "mail" / "table.csv")
    assert sorted(path.name for path in out.parent.iterdir()) == ["curves", "report.md", "table.csv"]


def test_the_process_writes_comparison_text_and_report(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    folder = workspace.campaign(campaign.id)

    def make(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-P", "-m", "lvmtui.report.make", str(folder.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    assert make("amn") == (0, "")
    assert read_comparison(folder.comparison("amn")) is not None
    text = (workspace.results(campaign) / "amn.txt").read_text()
    assert text.startswith(" AMN: 8k vs 23k\n\n campaign 8k_vs_23k_20261122_134500\n\n leans up; +1.5")
    assert make("amm") == (2, "model 'amm' is not known; did you mean 'amn'?\n")
    assert make() == (0, "") and folder.report.exists()


def test_reports_are_read_without_numpy_and_made_without_torch() -> None:
    for code in (
        "import sys, lvmtui.report.make; assert 'numpy' not in sys.modules",
        "import sys, lvmtui.report.make, lvmtui.verdict.compare, lvmtui.legacy.importer; "
        "assert not {'torch', 'textual', 'trainers'} & set(sys.modules)",
    ):
        assert subprocess.run([sys.executable, "-P", "-c", code], timeout=60).returncode == 0


def test_markdown_can_hold_its_pictures(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"]}, seeds=(1,))
    out = tmp_path / "alone" / "report.md"
    out.parent.mkdir()
    write_report(workspace, campaign.id, ReportForm(self_contained=True), out)
    held = re.search(r"!\[AMN\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", out.read_text())
    assert held and ET.fromstring(base64.b64decode(held[1])).tag.endswith("svg")
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_scores_that_were_lost_since_they_were_compared_are_a_doubt(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    report, _ = report_of(workspace, campaign)
    assert not any("heldout.npz" in doubt for doubt in report.caveats)
    scores = workspace.run(campaign.runs[0]).heldout
    if how == "removed":
        scores.unlink()
    else:
        scores.write_bytes(scores.read_bytes()[:-1])
    again, page = report_of(workspace, campaign)
    doubt, state = f"heldout.npz of {campaign.runs[0].run} was removed or changed since", state_of(workspace, campaign)
    assert again.caveats[0].startswith(doubt) and "scores are intact" not in page
    assert again.table.rows[0].change == report.table.rows[0].change
    assert f"Before you rely on it: {doubt}" in read_ending(workspace, state, "lvmtui", 500)
    monkeypatch.setattr(comparison, "sealed_digest", lambda path: pytest.fail("it was read before and is the same"))
    builder = Builder()
    builder.read(state)
    builder.recompute(state, NOW)
    assert builder.build(state, NOW).caveats[0].startswith(doubt), "the screen says so as well"


def test_a_finished_run_whose_log_was_cut_has_failed_for_all_who_ask(tmp_path: Path) -> None:
    """Its trainer would refuse to train it anew, so nobody is told to wait for it."""
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    run = workspace.run(campaign.runs[0])
    log = run.events.read_bytes()
    for kept in (len(log) - 40, len(log) // 2, 0):
        run.events.write_bytes(log[:kept])
        status = state_of(workspace, campaign).runs[0].status
        assert (status.phase, "heldout.npz beside it has its scores" in status.reason) == (Phase.FAILED, True)
    report, _ = report_of(workspace, campaign)
    assert report.progress.to_come == 0 and not any("Wait for the runs" in step for step in report.next_steps)
    write_intent(run.intent, "run", by="test", again=True)
    assert state_of(workspace, campaign).runs[0].status.phase is not Phase.FAILED, "it was ordered since"
    run.intent.unlink()
    run.heldout.unlink()
    assert state_of(workspace, campaign).runs[0].status.phase is not Phase.FAILED, "without scores it is trained"
