"""The evidence of a report: each figure has its reason, and no word contradicts its figure."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from lvmtui.estimate.cost import parameters_of
from lvmtui.formats.results import Estimate
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.report.make import read_report
from lvmtui.report.markdown import markdown
from lvmtui.report.page import page_of
from lvmtui.verdict.words import Word
from tests.factory import State
from tests.report.made_campaigns import UP, section
from tests.verdict.scenes import NOW, by_own_trainer, finished, report_of, state_of


def test_an_average_without_an_interval_has_its_reason(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,)))
    reason = "No interval (–) with under 3 degrees of freedom"
    assert reason not in markdown(page_of(report))
    few = tuple(replace(one, estimate=replace(one.estimate, df=2.1)) for one in report.table.by_source)
    assert few and reason in markdown(page_of(replace(report, table=replace(report.table, by_source=few))))


def test_the_average_has_its_own_degrees_of_freedom_and_why_they_are_fewer(tmp_path: Path) -> None:
    """Its interval was wider than that of each model, and only theirs were told."""
    report, md = report_of(*finished(tmp_path, UP))
    primary = report.table.primary
    assert primary and f"({primary.estimate.df:.1f}, seeds included); the fewer" in md, "it has as many as its models"
    apart = replace(primary, estimate=replace(primary.estimate, df=5.0, from_training=0.99, standard_error=0.5))
    folds = replace(report.table, primary=apart, folds=True)
    why = "; the average has 5.0, because its models move together from fold to fold and only 3 folds show by how much)"
    assert why in markdown(page_of(replace(report, table=folds)))
    assert why not in markdown(page_of(replace(report, table=replace(report.table, folds=True))))


def test_where_training_adds_nothing_that_is_said(tmp_path: Path) -> None:
    """An interval of articles alone was "covered by 3 seeds" without a word."""
    report, md = report_of(*finished(tmp_path, UP))
    first, *others = report.table.rows
    assert first.estimate and "It adds nothing" not in md
    still = replace(first, estimate=replace(first.estimate, from_training=0.0))
    page = markdown(page_of(replace(report, table=replace(report.table, rows=(still, *others)))))
    assert f"It adds nothing for {first.title}: seeds differ no more than the articles explain." in page


def test_hits_are_explained_where_there_are_some(tmp_path: Path) -> None:
    report, md = report_of(*finished(tmp_path, UP, seeds=(1,)))
    without = replace(report.table, rows=tuple(replace(row, retrieval=()) for row in report.table.rows))
    assert "- hit@k (8k" in md and "- hit@k (8k" not in markdown(page_of(replace(report, table=without)))


def test_with_folds_the_windows_of_all_models_are_counted(tmp_path: Path) -> None:
    """A cancelled run leaves its model fewer folds than the others."""
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,)))
    rows = tuple(
        replace(row, rank=n, estimate=Estimate(1.0, 0.1, 40, windows, 91, 60))
        for n, (row, windows) in enumerate(zip(report.table.rows, (1500, 1000, 1500), strict=True), 1)
    )
    md = markdown(page_of(replace(report, table=replace(report.table, rows=rows, folds=True))))
    assert "on the 1,000 to 1,500 held-out windows" in md
    only = [replace(c, change=replace(c.change, windows=606)) for c in report.comparisons[:1] if c.change]
    unranked = tuple(replace(row, rank=None, estimate=None) for row in rows)
    table = replace(report.table, rows=unranked, folds=True)
    md = markdown(page_of(replace(report, comparisons=tuple(only), table=table)))
    assert "on the 606 held-out windows" in md, "those of the seeds that are compared so far"
    assert "1,204 held-out windows of each seed's fold that are followed by four more of their article." in md


def test_the_front_says_whom_it_leaves_aside_and_files_are_where_they_are(tmp_path: Path) -> None:
    """Trainers of one's own tell neither parameters nor latency, and write no `best_model.pt`."""
    state = state_of(*finished(tmp_path, {"amn": (0.5, 0.52), "gru": (0.5, 0.51)}, seeds=(1,)))
    ours = markdown(page_of(read_report(state, now=NOW)))
    assert "Pareto front of 23k: " in ours and "; weights in `best_model.pt`." in ours and "unzip -z" in ours
    mixed = markdown(page_of(read_report(by_own_trainer(state, "amn"), now=NOW)))
    known = "of the models of known size and latency, compared fairly on the same articles"
    assert f"Pareto front of 23k, {known}: GRU. No other one of these is as good" in mixed
    report = read_report(state, now=NOW)
    unpriced = tuple(replace(choice, weighed=choice.model == "amn") for choice in report.choices)
    assert f"Pareto front of 23k, {known}: AMN. " in markdown(page_of(replace(report, choices=unpriced)))
    assert "weights in `best_model.pt`; what a trainer of your own wrote in `out/`." in mixed
    own = markdown(page_of(read_report(by_own_trainer(by_own_trainer(state, "amn"), "gru"), now=NOW)))
    assert "best_model.pt" not in own and "; what a trainer of your own wrote in `out/`." in own


def test_the_size_of_a_model_that_never_began_is_known_as_on_the_board(tmp_path: Path) -> None:
    """ "The size of GraphMERT-LVM is not known" was said beside its 1.9 M weights: it was cancelled before it began."""
    never: dict[tuple[str, ArmName], State] = {("transformer", arm): "queued" for arm in ARMS}
    cosines = {"amn": (0.5, 0.52), "gru": (0.5, 0.51), "transformer": (0.5, 0.5)}
    report = read_report(state_of(*finished(tmp_path, cosines, seeds=(1,), states=never)), now=NOW)
    assert not any(run.attempts for run in report.runs if run.model == "transformer")
    assert report.costs["transformer"].parameters == parameters_of("transformer", "small", 384)
    (answered,) = [one.answer for one in report.questions if "largest" in one.question]
    assert answered == "Unknown: Transformer, the largest, has no 23k cosine that may be compared."


def test_no_window_that_gained_is_named_as_lost(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,)))
    (one,) = report.comparisons
    assert one.windows and "| lost most " in markdown(page_of(report))
    gained = replace(one, windows=replace(one.windows, lost=one.windows.gained))
    md = markdown(page_of(replace(report, comparisons=(gained,))))
    assert "| gained most " in md and "| lost most " not in md


def test_plain_means_beside_a_weighted_ranking_are_called_so(tmp_path: Path) -> None:
    report = read_report(state_of(*finished(tmp_path, {"amn": UP["amn"]}, seeds=(1,))), now=NOW)
    row = report.table.rows[0]
    capped = replace(report.table, cap=20, rows=(replace(row, unweighted=Estimate(1.0, 0.1, 40, 900, 91, 60)),))
    note = "(hits and margin too); in the tables above an article counts for at most 20 of them."
    assert note in section(markdown(page_of(replace(report, table=capped))), "Runs")
    assert note not in markdown(page_of(report))


def test_windows_of_a_source_are_a_range_where_models_lack_seeds(tmp_path: Path) -> None:
    report, _ = report_of(*finished(tmp_path, UP, seeds=(1,)))
    first, *others = report.table.rows
    fewer = tuple(replace(s, change=replace(s.change, windows=38, clusters=4)) for s in first.strata)
    table = replace(report.table, rows=(replace(first, strata=fewer), *others))
    windows, clusters = others[0].strata[0].change.windows, others[0].strata[0].change.clusters
    md = markdown(page_of(replace(report, table=table)))
    assert f"rticles of 8k: 38 to {windows:,} windows in 4 to {clusters} clusters" in md


def test_a_trainer_of_the_users_own_that_diverged_is_to_be_mended(tmp_path: Path) -> None:
    """It was told to leave predictions, which would not have made it comparable."""
    state = by_own_trainer(state_of(*finished(tmp_path, {"mine": (0.45, 0.6)}, seeds=(1,))), "mine")
    view = state.runs[1]
    assert view.state is not None
    lost = tuple(replace(one, loss=math.nan, cosine=None) for one in view.state.trainer.evaluations)
    gone = replace(view.state, trainer=replace(view.state.trainer, evaluations=lost))
    report = read_report(replace(state, runs=(state.runs[0], replace(view, state=gone))), now=NOW)
    assert report.table.rows[0].verdict.word is Word.NOT_COMPARABLE
    assert report.next_steps[0] == "For a verdict, mend the script and start a new campaign."
