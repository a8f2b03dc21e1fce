"""The report's page, for campaigns that ended in every way."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.json_codec import encode
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import ContextGain, Estimate
from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import IN_THE_PLAN
from lvmtui.models import MODELS
from lvmtui.report.csv_table import table_csv
from lvmtui.report.make import read_report, write_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.report.questions import context_questions
from lvmtui.verdict.answer import answer
from lvmtui.verdict.table import Forward
from lvmtui.verdict.words import the_trivial
from tests.factory import bring_to, make_campaign, planned_run
from tests.history import START, Curve
from tests.report.made_campaigns import UP, section
from tests.verdict.scenes import NOW, by_own_trainer, finished, read_table, report_of, state_of, words
from tests.verdict.tables import two_contexts


def first_page(md: str) -> str:
    return md.split("\n## Evidence\n")[0]


def test_all_improve(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP))
    assert words(report) == {"gru": "improved, large", "amn": "improved, minor", "lstm": "improved, slight"}
    assert f"**{report.answer}**" in md
    assert report.progress.missing == () and "Provisional" not in md
    assert "6 of 6" not in md and "18 of 18 runs finished; 2026-11-22" in md
    assert "🥇" in first_page(md) and "[+" in first_page(md) and "Improved or regressed: the interval" in first_page(md)
    assert "Do not use" not in section(md, "What to do")
    assert "**Gained most from 8k to 23k**: GRU, improved, large (+3.7" in md
    assert "Covered: training noise, by 3 seeds per arm." in md
    assert re.search(
        r"first two are with 8k AMN \(\.517\d\) and LSTM \(\.51\d\d\), with 23k GRU \(\.527\d\) and AMN", md
    )
    assert "Ranks go by the change from 8k to 23k" in first_page(md)


def test_all_regress(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, {m: (b, a) for m, (a, b) in UP.items()}))
    assert words(report) == {"lstm": "regressed, slight", "amn": "regressed, minor", "gru": "regressed, large"}
    assert "**Gained most from 8k to 23k**: no model has a gain clear of zero." in md
    avoided = re.search(r"\*\*Do not use with 23k\*\*: (.*)", md)
    assert avoided and all(title in avoided[1] for title in ("AMN", "LSTM", "GRU"))
    assert "regressed, large (−3.60 %); use the 8k model" in avoided[1]


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
    assert "Transformer (not comparable): 23k failed: bundled: changed since the run was planned" in md
    assert [row.rank for row in report.table.rows] == [1, 2, 3, None]


def test_too_few_windows_to_tell(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": (0.5189, 0.5199), "gru": (0.5189, 0.5199)}, windows=250))
    assert set(words(report).values()) == {"too close to call"}


def test_few_clusters_give_no_verdict(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, {"amn": (0.5189, 0.5269)}, windows=60))
    assert words(report) == {"amn": "no verdict"}
    assert "- AMN (no verdict): " in section(md, "What to doubt") and "degrees of freedom" in md


def test_ties_are_ordered_by_the_expanded_cosine(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": (0.5, 0.5), "gru": (0.52, 0.52)}, seeds=(1, 2)))
    assert [round(row.change or 9, 6) for row in report.table.rows] == pytest.approx([0, 0], abs=2e-3)
    assert set(words(report).values()) == {"negligible"}


def test_one_seed_leans_and_says_what_is_not_covered(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,)))
    assert set(words(report).values()) == {"leans up"}
    assert "Single seed: the intervals do not cover training noise" in md
    assert "Not covered: training noise. A verdict from one seed holds for that seed only." in md


def test_one_run_missing(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={("gru", "expanded"): "running"})
    report, md = report_of(workspace, campaign)
    assert report.progress.to_come == 1
    assert "**Provisional: 5 of 6 runs finished, 1 running.**" in md
    assert "- Not finished: GRU 23k: running (training)." in section(md, "Runs")
    assert "5 of 6 runs finished, 1 running; started 2026-11-22" in md and "still going on" in md
    assert "Wait for the runs that are still to come" in section(md, "What to do")
    gru = report.table.row("gru")
    assert gru and gru.verdict.words == "provisional" and gru.rank is None
    assert "so far" in first_page(md)


def test_a_run_folder_that_is_gone_leaves_its_comparison(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    write_report(workspace, campaign.id)
    folder = workspace.run(planned_run(campaign, "amn", "expanded")).path
    folder.rename(tmp_path / "gone")
    report, md = report_of(workspace, campaign)
    assert words(report) == {"amn": "leans up"}
    assert "Not finished: AMN 23k: missing (" in md and " is gone: put it back, or train anew" in md


def test_all_collapsed(tmp_path: Path) -> None:
    dead = Curve(0.52, collapses_at=0.3)
    curves = {(model, arm): dead for model in UP for arm in ("baseline", "expanded")}
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,), curves=curves))
    assert set(words(report).values()) == {"not comparable"}
    assert report.table.average is None
    assert md.count("predicts the mean vector since epoch") >= 6
    assert "**Highest accuracy**: no 23k model is finished, comparable and free of alarms." in md
    assert all(row.expanded.findings[0].alarm for row in report.table.rows)


def test_nothing_has_started(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), total_steps=24)
    _, md = report_of(workspace, campaign)
    assert "0 of 2 runs finished, 2 queued; not started." in md
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
    _, md = report_of(*finished(tmp_path, {"amn": UP["amn"]}))
    assert "Unknown: 1 model cannot show a trend" in section(md, "Questions the figures answer")


def test_thirty_models(tmp_path: Path) -> None:
    cosines = {f"model_{i:02}": (0.5, 0.5 + i * 0.001) for i in range(30)}
    report, md = report_of(*finished(tmp_path, cosines, seeds=(1,), windows=600))
    assert [row.rank for row in report.table.rows] == list(range(1, 31))
    assert report.table.tested == 30
    assert report.table.rows[0].model == "model_29"
    assert "30 models are judged together" in md
    adjusted = report.table.rows[0].adjusted
    assert adjusted and report.table.rows[0].interval and adjusted[0] < report.table.rows[0].interval[0]


def test_every_asked_for_part_is_there(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,), notes=("held out by block",)))
    for title in (
        "What to doubt", "What to do", "What the interval covers", "Change by source of the held-out windows",
        "Other figures on the same windows", "Health", "Questions the figures answer", "Curves", "Data", "Runs",
        "Plan, checks and checksums",
    ):  # fmt: skip
        assert section(md, title).strip(), title
    assert re.search(r"\| vectors +\| +8,280 \| +23,264 \|", md) and "held out by block" in md
    assert "recency mean .5166 / .5171" in section(md, "Other figures on the same windows")
    assert f"`artifacts/lvm/models/RUN`, with RUN like `{report.runs[0].run}`" in md
    provenance = section(md, "Plan, checks and checksums")
    assert report.baseline.data.fingerprint in provenance and report.heldout.fingerprint in provenance
    assert "numpy 2.4.6, python 3.11.2, torch 2.13.0" in provenance
    assert all(run.best_digest[:8] in section(md, "Runs") for run in report.runs)
    assert "0.61, 0.83 ms" in section(md, "Runs")


def test_facts_of_the_check_are_told(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    pair = {"shared": 0.25, "baseline_is_part": False, "same_space": "unknown", "ratio": 2.8}
    files: list[dict[str, object]] = [{"duplicates": 4, "coherence": 0.4132}, {"duplicates": 1026, "coherence": None}]
    document = {"files": files, "pair": pair, "notes": ["rows were scaled | to length 1"], "faults": [], "version": 1}
    workspace.campaign(campaign.id).check.write_text(json.dumps(document))
    _, md = report_of(workspace, campaign)
    facts = section(md, "Data")
    assert re.search(r"\| copies of an earlier vector +\| +4 \| +1,026 \|", facts)
    assert re.search(r"\| mean cosine of neighbours +\| +\.4132 \| +– \|", facts)
    assert "8k shares 25% of its vectors with 23k." in facts
    doubts = section(md, "What to doubt")
    assert "75 % of the baseline's vectors are not in the expanded data, so a change may" in doubts
    assert "rows were scaled \\| to length 1" in facts
    files[1] = {**files[1], "file": "search.npy", "coherence": 0.121, "chance": 0.12, "chance_spread": 0.09}
    workspace.campaign(campaign.id).check.write_text(json.dumps(document))
    doubts = section(report_of(workspace, campaign)[1], "What to doubt")
    assert "search.npy: neighbours are no more alike than any two vectors (mean cosine 0.121 and 0.120)" in doubts
    assert "contexts of 5, and nothing proves that one encoder made both" in section(md, "Plan, checks and checksums")


def test_times_are_told_from_the_launch(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    report, _ = report_of(workspace, campaign)
    assert {run.started for run in report.runs} == {START + 31}  # the trainer says `started` four seconds later
    assert report.progress.started == START + 31


def test_the_code_that_trained_is_told_as_what_is_seen_of_it(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    state = state_of(workspace, campaign)
    runs = []
    for view in state.runs:
        assert view.state and view.state.trainer.started
        begun = replace(view.state.trainer.started, code="c0de" * 16)
        runs.append(replace(view, state=replace(view.state, trainer=replace(view.state.trainer, starts=(begun,)))))
    md = markdown(page_of(read_report(replace(state, runs=tuple(runs)), now=NOW)))
    assert "training code c0dec0dec0dec0de" in section(md, "Plan, checks and checksums")


def test_two_arms_of_one_file_are_told_apart_by_their_rows(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))
    state = state_of(workspace, campaign)
    data = replace(campaign.expanded.data, fingerprint=campaign.baseline.data.fingerprint)
    one_file = replace(campaign, expanded=replace(campaign.expanded, data=data))
    md = markdown(page_of(read_report(replace(state, campaign=one_file), now=NOW)))
    assert re.search(r"\| rows of the file +\| +0 to 8,279 \| 0 to 23,263 \|", section(md, "Data"))
    assert (
        "Both arms are rows of one file, which has one fingerprint: 8k rows 0 to 8,279 (41 articles) and 23k rows 0 to "
        "23,263 (890 articles)."
    ) in section(md, "Data")
    assert f"`{data.fingerprint}`, rows 0 to 8,279 of that file" in section(md, "Plan, checks and checksums")
    assert "rows of one file" not in markdown(page_of(read_report(state, now=NOW)))


def test_speeds_are_told_where_times_are(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), states={("amn", "expanded"): "queued"})
    bring_to(workspace, campaign, "amn", "expanded", seconds_per_step=0.2, heldout=True)
    report, md = report_of(workspace, campaign)
    note = "AMN, 8k trained at 2,560 windows/s, 23k at 640; times of the two are not comparable"
    assert note in section(md, "Runs") and "windows/s" not in first_page(md)
    assert "other programs may have run, and runs of this campaign side by side. Scores do not" in section(md, "Runs")
    assert "windows/s" in (workspace.results(campaign) / "amn.txt").read_text()
    assert not any("windows/s" in note for note in report.table.rows[0].notes)


def test_a_run_that_was_best_when_first_looked_at_is_named(tmp_path: Path) -> None:
    falls = Curve(0.52, start=0.52, overfits_from=0.0, noise=0.0)
    scene = finished(tmp_path, UP, seeds=(1,), curves={("gru", "baseline"): falls, ("amn", "baseline"): falls})
    report, md = report_of(*scene)
    assert {(r.model, r.arm) for r in report.runs if r.best_at_first} == {("amn", "baseline"), ("gru", "baseline")}
    assert "- GRU and AMN trained on 8k had the best score at the first evaluation" in section(md, "What to doubt")


def test_what_was_checked_of_all_is_said_once(tmp_path: Path) -> None:
    _, md = report_of(*finished(tmp_path, UP, seeds=(1,)))
    checked = section(md, "Plan, checks and checksums")
    assert checked.count("both runs finished and their scores were intact") == 1
    assert "- Fair comparison, found for all models when compared: both runs finished" in checked


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
        assert row.verdict.words in shown and row.verdict.words in first_page(md)
        as_csv = csv_rows[row.title]
        assert f"{as_csv['verdict']}, {as_csv['degree']}" == row.verdict.words
        assert as_csv["remark"] == row.fault
        in_json = next(r for r in document["table"]["rows"] if r["model"] == row.model)
        assert (in_json["verdict"]["word"], in_json["rank"]) == (row.verdict.word, row.rank)


def test_what_health_found_stands_beside_the_status(tmp_path: Path) -> None:
    low = Curve(0.30, noise=0.0)
    _, md = report_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,), curves={("amn", "expanded"): low}))
    runs = section(md, "Runs")
    assert re.search(r"\| AMN +\| 23k \| finished \| failed to learn[ ,|]", runs)
    assert re.search(r"\| AMN +\| 8k  \| finished \| (?!failed)", runs)


def test_all_five_models_have_their_names(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {m: (0.51, 0.52) for m in MODELS}, seeds=(1,)))
    assert [row.title for row in sorted(report.table.rows, key=lambda r: MODELS.index(r.model))] == [
        "AMN", "LSTM", "GRU", "Transformer", "GraphMERT-LVM",
    ]  # fmt: skip


def test_of_several_contexts_each_stands_beside_its_own_trivial_baseline(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,)))
    gain = ContextGain("expanded", 10, 5, 0.5296, 0.5181, Estimate(0.0115, 0.001, 30, 2000, 60, 40), (1,))
    several = replace(
        report,
        table=replace(two_contexts(), cap=20),
        campaign_facts=replace(report.campaign_facts, context=10, contexts=(5, 10)),
        comparisons=(replace(report.comparisons[0], model="amn@10", contexts=(gain,)),),
    )
    md = markdown(page_of(several))
    rows = [line for line in md.splitlines() if "@" in line]
    assert [row.split("|")[3].strip() for row in rows[:4]] == ["AMN@5", "AMN@10", "recency mean@10", "recency mean@5"]
    assert "A window is 5 or 10 consecutive vectors" in section(md, "Data")
    assert "(5 or 10 consecutive vectors and" in md and "; an article counts for at most 20 of them." in md
    longer = [cell.strip() for cell in section(md, "Longer contexts on the same targets").splitlines()[-2].split("|")]
    assert longer[-3:-1] == [".5068 → .5247", "+.0113 → +.0049"], "what the recency mean gains, and the network over it"
    assert "by more than the baseline's, and ends above it: over a baseline that gets worse a gain grows by" in md
    loss, none = (replace(gain, difference=replace(gain.difference, value=value)) for value in (-0.006, 0.0002))
    for gains, said in (
        ((gain,), "Not beyond a trivial baseline: with 23k, 10 vectors instead of 5 raise the cosine of AMN"),
        ((loss, none), "No: with 23k, 10 vectors instead of 5 lower the cosine of AMN (−.0060) and do not clearly"),
        ((loss, gain), "Not beyond a trivial baseline: "),
        ((none,), "Not shown: "),
    ):
        compared = replace(several.comparisons[0], contexts=gains)
        (asked,) = context_questions(several.table, [compared])
        assert asked.answer.startswith(said)


def test_one_trivial_baseline_of_two_contexts_has_no_row_among_the_predictions(tmp_path: Path) -> None:
    """copy-last is the same with each, but known at more places with the longer one."""
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,)))
    rows = two_contexts().rows
    known = [ForwardScores(9, (0.5,) * places, 0.4, (0.5,) * 5) for places in (7, 8)]
    looking = [
        replace(row, expanded=replace(row.expanded, forward=Forward(of, "copy_last", of)))
        for row, of in zip(rows, known, strict=True)
    ]
    md = markdown(page_of(replace(report, table=replace(two_contexts(), rows=tuple(looking)))))
    assert "copy-last" not in section(md, "Do they predict what comes next? Trained on 23k")


def test_the_first_page_says_how_windows_are_weighed(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, seeds=(1,), states={(m, "expanded"): "failed" for m in UP})
    capped = replace(
        report_of(workspace, campaign)[0], table=replace(read_table(state_of(workspace, campaign)), cap=20)
    )
    assert "; plain means, as nothing is compared; in a comparison an article" in first_page(markdown(page_of(capped)))


def test_what_failed_both_runs_of_a_model_is_said_once_and_to_its_end(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, UP, states={("gru", arm): "gave up" for arm in ARMS})
    state, why = state_of(workspace, campaign), f"{'no line understood, ' * 15}as it is {IN_THE_PLAN}"
    state = replace(state, runs=tuple(
        replace(view, status=replace(view.status, reason=why)) if view.planned.model == "gru" else view
        for view in state.runs
    ))  # fmt: skip
    md = markdown(page_of(read_report(state, now=NOW)))
    assert f"- Not finished: GRU 8k and 23k, seeds 1, 2, 3: failed ({why})." in md
    assert f"- GRU (not comparable): 8k and 23k failed: {why}." in section(md, "What to doubt") and md.count(why) == 2
    theirs = tuple(view for view in state.runs if view.planned.model == "gru")
    alone = replace(state, campaign=replace(campaign, models=("gru",)), runs=theirs)
    assert answer(read_table(alone)) == "No answer: GRU allows no fair comparison (8k and 23k failed)."
    assert "A retry of GRU alone would fail again" in md and "lvmtui retry" not in md


def test_a_point_estimate_beside_a_verdict_has_its_cosines_below_the_table(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5, 0.51), "mine": (0.45, 0.6)}, seeds=(1,))
    state = by_own_trainer(state_of(workspace, campaign), "mine")
    both = first_page(markdown(page_of(read_report(state, now=NOW))))
    alone = replace(state, campaign=replace(state.campaign, models=("mine",)), runs=state.runs[2:])
    only = first_page(markdown(page_of(read_report(alone, now=NOW))))
    for md in (both, only):
        assert "mine (point estimate): .4499 and .5997 by what it says of its validation windows" in md
        assert "which differ between the arms, so the sign may be wrong" in md
    assert re.search(r"\| mine +\| \.4499 \| \.5997 \|", only) and re.search(r"\| mine +\| +– \| +– \|", both)
    assert "Point estimate: the change on the runs' own validation windows. These differ" in both


def test_of_a_trainer_of_the_users_own_only_what_is_known_is_said(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"mine": (0.45, 0.6)}, seeds=(1,))
    report = read_report(by_own_trainer(state_of(workspace, campaign), "mine"), now=NOW)
    md = markdown(page_of(report))
    assert {run.latency_p50_ms for run in report.runs} == {None} and "0.00" not in md
    (step,) = report.next_steps
    needed = "predictions that fit the held-out windows are needed: predictions.npy, or the kit (docs/your-own.md)"
    assert step == f"For a verdict, {needed}." and f"To judge mine: {needed}." in md
    assert "Imported" not in md and "earlier runs" not in md and "--trained-on" not in md
    assert "recency mean" not in first_page(md), "it has other windows"
