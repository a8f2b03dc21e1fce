"""The report, fed with campaigns that ended in every way."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.models import MODELS
from lvmtui.report.contents import Report
from lvmtui.report.csv import table_csv
from lvmtui.report.make import publish, read_report, render_report, write_report
from lvmtui.report.markdown import markdown
from lvmtui.report.markup import code, file_name, grid, text
from lvmtui.system.errors import UserError
from lvmtui.verdict.trivial import the_trivial
from tests.factory import START, Curve, bring_to, make_campaign, planned_run
from tests.verdict.scenes import NOW, finished, report_of, state_of, words

UP = {"amn": (0.5189, 0.5269), "lstm": (0.5142, 0.5190), "gru": (0.5100, 0.5290)}


def section(md: str, title: str) -> str:
    return md.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_all_improve(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP))
    assert words(report) == {"gru": "improved, large", "amn": "improved, minor", "lstm": "improved, slight"}
    assert report.answer.startswith("More data helped: +2.")
    assert f"**{report.answer}**" in md
    assert report.complete and "Provisional" not in md
    assert "6 of 6" not in md and "18 of 18 runs finished; 2026-11-22" in md
    assert "🥇" in section(md, "Ranking") and "[+" in section(md, "Ranking")
    assert "Do not use" not in section(md, "Recommendations")
    assert "**Best scaler**: GRU, improved, large (+3.7" in md
    assert "Training noise: covered, 3 seeds an arm" in md
    assert re.search(
        r"with 8k AMN \(\.517\d\) is ahead of LSTM by \.004\d, with 23k GRU \(\.527\d\) ahead of AMN by", md
    )
    assert "Ranks go by the change from 8k to 23k" in section(md, "Ranking")


def test_all_regress(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, {m: (b, a) for m, (a, b) in UP.items()}))
    assert words(report) == {"lstm": "regressed, slight", "amn": "regressed, minor", "gru": "regressed, large"}
    assert report.answer.startswith("More data hurt: −2.")
    assert "None is known to gain." in md
    assert "**Best scaler**: no model is known to gain from more data." in md
    avoided = re.search(r"\*\*Do not use with 23k\*\*: (.*)", md)
    assert avoided and all(title in avoided[1] for title in ("AMN", "LSTM", "GRU"))
    assert "regressed, large (−3.60 %); the 8k model is the better one" in avoided[1]


def test_mixed(tmp_path: Path) -> None:
    report, md = report_of(
        *finished(
            tmp_path,
            {"amn": (0.5189, 0.5269), "lstm": (0.52, 0.51), "gru": (0.5200, 0.5201), "transformer": (0.52, 0.5)},
            states={("transformer", "expanded"): "failed"},
        )
    )
    assert words(report) == {
        "amn": "improved, minor", "gru": "negligible", "lstm": "regressed, minor", "transformer": "not comparable",
    }  # fmt: skip
    assert report.answer.startswith(
        "More data helped 1 and hurt 1 of 3 models compared; 1 changed by a negligible amount; "
        f"{percent_of(report)} on average over the 3 of 4 models compared, 95 % interval ["
    )
    assert "Left out: Transformer cannot be compared. LSTM also finds the true next vector less often" in report.answer
    assert "Transformer: not comparable: 23k failed: bundled: changed since the run was planned" in md
    assert [row.rank for row in report.table.rows] == [1, 2, 3, None]


def percent_of(report: Report) -> str:
    from lvmtui.system.numbers import percent

    return percent(report.table.average)


def test_too_few_windows_to_tell(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": (0.5189, 0.5199), "gru": (0.5189, 0.5199)}, windows=250))
    assert set(words(report).values()) == {"too close to call"}
    assert report.answer.startswith("Whether more data helps is too close to call: +0.")
    assert "both are too close to call alone" in report.answer


def test_few_clusters_give_no_verdict(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, {"amn": (0.5189, 0.5269)}, windows=60))
    assert words(report) == {"amn": "no verdict"}
    assert "AMN: no verdict: too few held-out clusters: 2, which carry as much as" in md
    assert report.answer.endswith("there are too few held-out clusters.")


def test_ties_are_ordered_by_the_expanded_cosine(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": (0.5, 0.5), "gru": (0.52, 0.52)}, seeds=(1, 2)))
    assert [round(row.change or 9, 6) for row in report.table.rows] == pytest.approx([0, 0], abs=2e-3)
    assert set(words(report).values()) == {"negligible"}


def test_one_seed_leans_and_says_what_is_not_covered(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,)))
    assert set(words(report).values()) == {"leans up"}
    assert report.answer.startswith("More data seems to help: +2.")
    assert "Single seed: the intervals do not cover training noise, so a verdict only leans." in md
    assert "Not covered: training noise. With one seed a verdict only leans." in md


def test_one_run_missing(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("gru", "expanded"): "running"})
    report, md = report_of(workspace, campaign)
    assert not report.complete
    assert "**Provisional: runs are missing.**" in md and "- GRU 23k: running (training)" in md
    assert "5 of 6 runs finished; started 2026-11-22" in md and "not over" in md
    assert report.answer.endswith("Left out: GRU is not finished.")
    gru = report.table.row("gru")
    assert gru and gru.verdict.words == "provisional" and gru.rank is None
    assert "so far" in section(md, "Ranking")


def test_a_run_folder_that_is_gone_leaves_its_comparison(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    write_report(workspace, campaign.id)
    folder = workspace.run(planned_run(campaign, "amn", "expanded")).path
    folder.rename(tmp_path / "gone")
    report, md = report_of(workspace, campaign)
    assert words(report) == {"amn": "leans up"}
    assert "- AMN 23k: missing (" in md and "spec.json: cannot be read" in md


def test_all_collapsed(tmp_path: Path) -> None:
    dead = Curve(0.52, collapses_at=0.3)
    curves = {(model, arm): dead for model in UP for arm in ("baseline", "expanded")}
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,), curves=curves))  # type: ignore[arg-type]
    assert set(words(report).values()) == {"not comparable"}
    assert report.answer == "No answer: none of 3 models allows a fair comparison."
    assert report.table.average is None
    assert md.count("predicts the mean vector since epoch") >= 6
    assert "**Highest accuracy**: no 23k model is finished and free of alarms." in md
    assert all(row.expanded.findings[0].alarm for row in report.table.rows)


def test_nothing_has_started(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), total_steps=24)
    report, md = report_of(workspace, campaign)
    assert report.answer == "No answer yet: the model is not yet compared."
    assert "0 of 2 runs finished; not started." in md
    assert "Curves" not in md


def test_numbers_that_are_not(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), states={("amn", "expanded"): "queued"})
    run = bring_to(workspace, campaign, "amn", "expanded", state="queued")
    run.launch()
    run.start()
    run.curve = Curve(math.nan)
    run.train(24)
    report, md = report_of(workspace, campaign)
    assert not re.search(r"\bnan\b", md, re.IGNORECASE)
    assert "Alarm: AMN 23k diverged at epoch" in md
    assert "NaN" not in json.dumps(encode(report), allow_nan=False)


def test_one_model(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, {"amn": UP["amn"]}))
    assert report.answer.startswith(f"More data helped AMN ({percent_of(report)}, 95 % interval [")
    assert "Cannot be said from 1 model" in section(md, "Questions the figures answer")


def test_thirty_models(tmp_path: Path) -> None:
    cosines = {f"model_{i:02}": (0.5, 0.5 + i * 0.001) for i in range(30)}
    report, md = report_of(*finished(tmp_path, cosines, seeds=(1,)))
    assert [row.rank for row in report.table.rows] == list(range(1, 31))
    assert report.table.tested == 30
    assert report.table.rows[0].model == "model_29"
    assert "30 models are judged together" in md
    adjusted = report.table.rows[0].adjusted
    assert adjusted and report.table.rows[0].interval and adjusted[0] < report.table.rows[0].interval[0]


def test_every_asked_for_part_is_there(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,), notes=("held out by block",)))
    for title in (
        "Ranking", "Trivial baselines on the same windows", "What the interval covers, and what not",
        "Beside the cosine", "Health", "Questions the figures answer", "Recommendations", "Quality and cost", "Curves",
        "Data", "Runs", "Provenance",
    ):  # fmt: skip
        assert section(md, title).strip(), title
    assert re.search(r"\| vectors +\| +8,280 \| +23,264 \|", md) and "held out by block" in md
    assert "recency mean" in section(md, "Trivial baselines on the same windows")
    assert all(run.best_model in md for run in report.runs)
    provenance = section(md, "Provenance")
    assert report.baseline.data.fingerprint in provenance and report.heldout.fingerprint in provenance
    assert "numpy 2.4.6, python 3.11.2, torch 2.13.0" in provenance
    assert all(run.best_digest[:16] in provenance for run in report.runs)
    assert "0.61 ms / 0.83 ms" in section(md, "Runs")


def test_facts_of_the_check_are_told(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    pair = {"shared": 0.25, "baseline_is_part": False, "same_space": "unknown", "ratio": 2.8}
    files = [{"duplicates": 4, "coherence": 0.4132}, {"duplicates": 1026, "coherence": None}]
    document = {"files": files, "pair": pair, "notes": ["rows were scaled | to length 1"], "faults": [], "version": 1}
    workspace.campaign(campaign.id).check.write_text(json.dumps(document))
    _, md = report_of(workspace, campaign)
    facts = section(md, "Data")
    assert re.search(r"\| equal to an earlier vector +\| +4 \| +1,026 \|", facts)
    assert re.search(r"\| mean cosine of neighbours +\| +\.4132 \| +– \|", facts)
    assert "8k has 25% of its vectors in common with 23k." in facts
    assert "rows were scaled \\| to length 1" in facts
    assert "contexts of 5, and nothing proves that one encoder made both" in section(md, "Provenance")


def test_times_are_told_from_the_launch(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,)))
    assert {run.started for run in report.runs} == {START + 31}  # the trainer says `started` four seconds later
    assert report.progress.started == START + 31


def test_two_arms_of_one_file_are_told_apart_by_their_rows(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    state = state_of(workspace, campaign)
    data = replace(campaign.expanded.data, fingerprint=campaign.baseline.data.fingerprint)
    one_file = replace(campaign, expanded=replace(campaign.expanded, data=data))
    md = markdown(read_report(replace(state, campaign=one_file), now=NOW))
    assert re.search(r"\| rows of it +\| +0 to 8,279 \| 0 to 23,263 \|", section(md, "Data"))
    assert (
        "Both are rows of one file, so it has one checksum: 8k rows 0 to 8,279 (41 articles) and 23k rows 0 to 23,263 "
        "(890 articles)."
    ) in section(md, "Data")
    assert f"`{data.fingerprint}`, rows 0 to 8,279 of that file" in section(md, "Provenance")
    assert "rows of one file" not in markdown(read_report(state, now=NOW))


def test_speeds_are_told_where_times_are(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), states={("amn", "expanded"): "queued"})
    bring_to(workspace, campaign, "amn", "expanded", seconds_per_step=0.2, heldout=True)
    report, md = report_of(workspace, campaign)
    note = "AMN, 8k trained at 2,560 windows/s, 23k at 640; times of the two are not comparable"
    assert note in section(md, "Runs") and "windows/s" not in section(md, "Ranking")
    assert "this campaign ran 2 runs side by side, and other programs may have run" in section(md, "Runs")
    assert "windows/s" in (workspace.results(campaign) / "amn.txt").read_text()
    assert not any("windows/s" in note for note in report.table.rows[0].notes)


def test_a_run_that_was_best_when_first_looked_at_is_named(tmp_path: Path) -> None:
    falls = Curve(0.52, start=0.52, overfits_from=0.0, noise=0.0)
    scene = finished(tmp_path, UP, seeds=(1,), curves={("gru", "baseline"): falls, ("amn", "baseline"): falls})
    report, md = report_of(*scene)
    assert {(r.model, r.arm) for r in report.runs if r.best_at_first} == {("amn", "baseline"), ("gru", "baseline")}
    assert "- 8k: best at the first evaluation, no better after it: AMN, GRU. They may" in section(md, "Runs")


def test_what_was_checked_of_all_is_said_once(tmp_path: Path) -> None:
    _, md = report_of(*finished(tmp_path, UP, seeds=(1,)))
    checked = section(md, "Provenance").split("Fair comparison, what was checked when it was made:")[1]
    assert checked.count("both runs finished and their scores are intact") == 1 and "- All: both runs" in checked


def test_trivial_baselines_are_called_by_their_names() -> None:
    assert the_trivial("copy_last") == "copy-last"
    assert the_trivial("recency_mean") == "the recency mean"


def test_the_same_words_everywhere(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP)
    report, md = report_of(workspace, campaign)
    document = json.loads(workspace.campaign(campaign.id).report_json.read_text())
    csv_rows = {row["model"]: row for row in csv.DictReader(io.StringIO(table_csv(report)))}
    for row in report.table.rows:
        shown = (workspace.results(campaign) / f"{row.model}.txt").read_text()
        assert row.verdict.words in shown and row.verdict.words in section(md, "Ranking")
        as_csv = csv_rows[row.title]
        assert f"{as_csv['verdict']}, {as_csv['degree']}" == row.verdict.words
        in_json = next(r for r in document["table"]["rows"] if r["model"] == row.model)
        assert (in_json["verdict"]["word"], in_json["rank"]) == (row.verdict.word, row.rank)


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
    assert [row["kind"] for row in rows] == ["model"] * 3 + ["trivial"] * 5
    assert rows[0]["rank"] == "1" and float(rows[0]["change_percent"]) > 0
    assert rows[2]["verdict"] == "not comparable" and rows[2]["change_percent"] == ""


def test_what_health_found_stands_beside_the_status(tmp_path: Path) -> None:
    low = Curve(0.30, noise=0.0)
    _, md = report_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), curves={("amn", "expanded"): low}))
    runs = section(md, "Runs")
    assert re.search(r"\| AMN 23k +\| finished +\| failed to learn[ ,|]", runs)
    assert re.search(r"\| AMN 8k +\| finished +\| (?!failed)", runs)


def test_curves_are_small_files_beside_it(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1, 2))
    _, md = report_of(workspace, campaign)
    folder = workspace.campaign(campaign.id).path
    assert "![amn](curves/amn.svg)" in md
    drawn = folder / "curves" / "amn.svg"
    assert drawn.stat().st_size < 16_000
    image, svg = ET.parse(drawn).getroot(), "{http://www.w3.org/2000/svg}"
    assert len(image.findall(f"{svg}polyline")) == 4
    said = [text.text for text in image.findall(f"{svg}text")]
    assert said.count("context mean") == 2, "each arm has validation windows of its own"
    final = workspace.final_comparison(campaign)
    linked = re.search(r"!\[amn\]\((.*?)\)", final.read_text())
    assert linked and (final.parent / linked[1]).exists()


# Files ----------------------------------------------------------------------------------------------------------------


def test_rendered_and_written_are_the_same(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    assert write_report(workspace, campaign.id) == workspace.final_comparison(campaign)
    assert write_report(workspace, campaign.id, "json") == workspace.campaign(campaign.id).report_json
    out = tmp_path / "mine.csv"
    assert write_report(workspace, campaign.id, "csv", out) == out
    assert out.read_text() == render_report(workspace, campaign.id, "csv")
    with pytest.raises(UserError, match="--format 'mdd' is not known"):
        render_report(workspace, campaign.id, "mdd")
    with pytest.raises(UserError, match=r"--output .* cannot be written"):
        write_report(workspace, campaign.id, "md", tmp_path / "nowhere" / "x.md")


def test_a_report_goes_through_links_and_into_pipes_and_replaces_neither(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"]}, seeds=(1,))
    real, link, pipe = tmp_path / "real.csv", tmp_path / "link.csv", tmp_path / "pipe"
    real.write_text("before")
    link.symlink_to(real)
    write_report(workspace, campaign.id, "csv", link)
    assert link.is_symlink() and real.read_text() == render_report(workspace, campaign.id, "csv")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_report(workspace, campaign.id, "csv", pipe)
    assert os.read(reader, 1 << 16) == real.read_bytes() and pipe.is_fifo()
    os.close(reader)


def test_where_a_workspace_may_only_be_read_the_report_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, campaign = finished(tmp_path / "w", {"amn": UP["amn"]}, seeds=(1,))
    expected = render_report(workspace, campaign.id, "csv")
    workspace.campaign(campaign.id).comparison("amn").unlink()

    def refuse(path: Path, content: bytes, *, durable: bool = True) -> None:
        if workspace.root in path.parents:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        path.write_bytes(content)

    for module in ("lvmtui.report.make", "lvmtui.verdict.compare", "lvmtui.system.files"):
        monkeypatch.setattr(f"{module}.replace_file", refuse)
    with pytest.raises(UserError, match=r"Read-only file system.*--output"):
        write_report(workspace, campaign.id)
    monkeypatch.undo()
    write_report(workspace, campaign.id)
    for module in ("lvmtui.report.make", "lvmtui.verdict.compare", "lvmtui.system.files"):
        monkeypatch.setattr(f"{module}.replace_file", refuse)
    out = tmp_path / "out.csv"
    assert write_report(workspace, campaign.id, "csv", out) == out
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
    publish(final, "ours", campaign)
    kept = [f.read_text() for f in final.parent.glob("*_FINAL_COMPARISON_*.md")]
    assert final.read_text() == "ours" and kept == ["# my notes\n"]


# Text from elsewhere --------------------------------------------------------------------------------------------------

HOSTILE = "x|y`z<b>\x1b]52;c;aGk=\x07\u202e[l](http://e) *_#\n# no"


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), notes=(HOSTILE,))
    spec_path = workspace.run(planned_run(campaign, "amn", "expanded")).spec
    spec_path.write_bytes(dump_document(encode(replace(read_spec(spec_path), device=HOSTILE))))
    state = state_of(workspace, campaign)
    evil = replace(
        state.campaign,
        baseline=replace(state.campaign.baseline, label=HOSTILE),
        by=HOSTILE,
        device=HOSTILE,
        versions={HOSTILE: HOSTILE},
    )
    report = read_report(replace(state, campaign=evil), now=NOW)
    md = markdown(replace(report, campaign=HOSTILE + "-->"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", md)
    bare = re.sub(r"`[^`]*`", "", md.split("-->", 1)[1])
    assert "<b>" not in bare and "](http" not in bare and "|y" in bare
    assert md.splitlines()[0].count("-->") == 1 and md.splitlines()[0].endswith("-->")
    assert not any(line.startswith("# no") for line in md.splitlines())
    for table in re.findall(r"(?:^\|.*\n)+", md, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table


@given(st.text(max_size=80))
def test_a_cell_is_one_cell(value: str) -> None:
    for cell in (text(value), code(value)):
        assert "\n" not in cell
        assert not re.search(r"(?<!\\)(?:\\\\)*\|", cell)
    assert "<" not in text(value)
    assert code(value).count("`") == 2


@given(st.text(min_size=1, max_size=200))
def test_a_file_name_is_one_name(value: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", file_name(value))


def test_columns_line_up_on_a_terminal() -> None:
    lines = grid(["rank", "", "model"], [["1", "🥇", "AMN"], ["10", "", "Transformer"]], right=(0,))
    assert lines == [
        "| rank |     | model       |",
        "| ---: | --- | ----------- |",
        "|    1 | 🥇  | AMN         |",
        "|   10 |     | Transformer |",
    ]


def test_all_five_models_have_their_names(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {m: (0.51, 0.52) for m in MODELS}, seeds=(1,)))
    assert [row.title for row in sorted(report.table.rows, key=lambda r: MODELS.index(r.model))] == [
        "AMN", "LSTM", "GRU", "Transformer", "GraphMERT-LVM",
    ]  # fmt: skip
