"""The parts of the board at any size: nothing overflows, and what matters is there."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.estimate.eta import Eta
from lvmtui.formats.live import Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import Estimate, Retrieval, Skill
from lvmtui.state.status import Phase
from lvmtui.system import numbers as words
from lvmtui.system.process_id import own_identity
from lvmtui.ui.draw.board import about_selected, best_now, first_listed, log_end
from lvmtui.ui.draw.board_panels import bar, inside
from lvmtui.ui.draw.board_rows import rows
from lvmtui.ui.draw.curves import outgained_by, run_chart
from lvmtui.ui.draw.header import banner, range_words
from lvmtui.ui.draw.keys import machine_line
from lvmtui.ui.draw.lines import Drawing, width_of
from lvmtui.ui.draw.run import notices, run_header
from lvmtui.ui.read.machine import GpuLoad, MachineFigures, parse_gpu
from lvmtui.ui.read.run_facts import why_it_stands
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.read.source import SnapshotSource
from lvmtui.verdict.early import BestTrivial
from tests.factory import bring_to, make_campaign, write_trivial
from tests.ui.showcase import NOW, end, every_state, many, middle
from tests.verdict.tables import made_row, made_table, with_skill


def look(root: Path) -> Snapshot:
    found = SnapshotSource(Workspace(root), clock=lambda: NOW, machine=lambda: None).look()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    made = {}
    for make in (middle, end, every_state):
        root = tmp_path_factory.mktemp(make.__name__)
        make(root)
        made[make.__name__] = look(root)
    return made


def text(drawing: Drawing) -> str:
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in drawing.lines)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["middle", "end", "every_state"]), st.integers(1, 210), st.integers(1, 64), st.integers(0, 99))
def test_nothing_is_wider_or_higher_than_its_place(
    snapshots: dict[str, Snapshot], name: str, width: int, height: int, at: int
) -> None:
    snapshot = snapshots[name]
    run = snapshot.runs[at % len(snapshot.runs)]
    model = snapshot.model(run.name)
    assert model is not None
    drawn = inside(model, snapshot, run.name, width, height).lines
    assert len(drawn) <= height
    for lines in (log_end(snapshot, run.name, width, height), banner(snapshot.headline, snapshot, width, height)):
        assert len(lines) <= max(1, height)
    if width >= 40:
        for line in drawn:
            assert width_of(line) <= width


@given(st.integers(0, 500), st.integers(0, 499), st.integers(1, 60), st.integers(1, 500))
def test_the_selected_run_is_always_on_the_list(top: int, at: int, shown: int, count: int) -> None:
    at %= count
    first = first_listed(top, at, shown, count)
    assert first <= at < first + shown
    assert first >= 0 and (first + shown <= count or first == 0 or first <= top)


def test_below_the_list_stands_what_its_rows_have_no_room_for(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["end"]
    collapsed = next(run for run in snapshot.runs if run.alarms)
    shown = " ".join(text(Drawing(tuple(about_selected(snapshot, collapsed.name, 80)))).split())
    assert f"trouble {collapsed.title} {collapsed.label} {collapsed.trouble[:90]}" in shown
    assert f"change {collapsed.title} not comparable: " in shown


def test_of_a_long_list_the_visible_part_is_drawn(tmp_path: Path) -> None:
    many(tmp_path, 40)
    snapshot = look(tmp_path)
    drawing = rows(snapshot, snapshot.runs[30].name, 30, 120, 24)
    shown = text(drawing)
    assert "model_015" in shown and "model_014" not in shown and "model_039" not in shown
    names = [hit.target for hit in drawing.hits]
    assert names[0] == f"run:{snapshot.runs[30].name}" and len(names) == len(set(names)) == 23


def panel(snapshot: Snapshot, model: int, width: int, height: int) -> str:
    facts = snapshot.models[model]
    return text(inside(facts, snapshot, facts.runs[0].name, width, height))


@pytest.mark.parametrize("size", [(33, 9), (48, 14), (60, 14), (100, 20)])
def test_a_panel_shows_gains_the_line_they_are_over_and_the_held_out_change(
    snapshots: dict[str, Snapshot], size: tuple[int, int]
) -> None:
    shown = panel(snapshots["middle"], 0, *size)
    for wanted in ("+.0075", "+.0149", "held-out", "+1.54 %", "leans up"):
        assert wanted in shown
    assert (".5187" in shown and ".5175 → .5255" in shown) is (size[0] >= 60), "bare cosines only where all are named"
    if size[1] >= 14:
        assert "gain over" in shown and "recency mean" in shown and "●" in shown and "░" in shown
    assert ("training loss" in shown) is (size[0] == 100)


def test_what_is_wrong_is_seen_without_opening_anything(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["end"]
    (collapsed,) = (i for i, model in enumerate(snapshot.models) if any(run.alarms for run in model.runs))
    assert "! 8k predicts the mean vector since" in panel(snapshot, collapsed, 60, 14)
    model = snapshot.models[0]
    assert model.row is not None
    figure = Retrieval("hit_10", 0.42, 0.39, Estimate(-0.03, 0.001, 50, 900, 51, 51))
    row = dataclasses.replace(model.row, retrieval=(figure,), fell=("hit_10",), disagreement="8k up but new ones down")
    above = [BestTrivial("recency_mean", (run.best or 0.0) + 0.015) for run in model.runs]
    below = [dataclasses.replace(run, trivial=trivial) for run, trivial in zip(model.runs, above, strict=True)]
    changed = dataclasses.replace(model, row=row, runs=tuple(below))
    shown = text(inside(changed, snapshot, "", 80, 20))
    lower = dataclasses.replace(row, retrieval=(dataclasses.replace(figure, name="mrr"),), fell=("mrr",))
    ranked = text(inside(dataclasses.replace(changed, row=lower), snapshot, "", 120, 20))
    assert "MRR fell .420 → .390: the true next vector is ranked lower" in ranked
    assert "! hit@10 fell .420 → .390" in shown and "! sources differ: 8k up but new ones down" in shown
    assert "−.01" in shown


def test_before_the_end_the_change_has_its_likely_error(snapshots: dict[str, Snapshot]) -> None:
    assert "about +0.8 % so far" in panel(snapshots["middle"], 1, 48, 14)
    assert "too early to tell" in panel(snapshots["middle"], 2, 48, 14)


def test_several_seeds_are_a_mean_and_a_band(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",), seeds=(1, 2, 3, 4))
    for arm in ("baseline", "expanded"):
        write_trivial(tmp_path, campaign, arm)
        for seed, best in zip(campaign.seeds, (0.51, 0.52, 0.53, 0.54), strict=True):
            bring_to(tmp_path, campaign, "amn", arm, seed, best=best)
    low, high = (panel(look(tmp_path), 0, 60, height) for height in (14, 30))
    assert "4 finished" in low and "mean +" in low and "s1, 4 finished" in low
    assert "░" in high and "23k s4" in high, "with room each run has its line"


def test_bars_count_half_cells() -> None:
    def drawn(share: float) -> str:
        return "".join(piece for piece, _ in bar(share, 4, ""))

    assert [drawn(s) for s in (0.0, 0.125, 0.5, 1.0, 7.0)] == ["────", "╸───", "━━──", "━━━━", "━━━━"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(35, 48, "35 to 48 s"), (40, 130, "40 s to 2 m"), (300, 480, "5 to 8 m"), (5 * 3600, 9 * 3600, "5.0 to 9.0 h")],
)
def test_ranges_are_short(low: float, high: float, words: str) -> None:
    assert range_words(Eta((low + high) / 2, low, high)) == words


def test_graphics_cards_are_shown_where_there_are_some() -> None:
    assert parse_gpu("0, 97, 2145, 143771") == (0, GpuLoad(97.0, 2145 * 2**20, 143771 * 2**20))
    assert parse_gpu("1, [N/A], 2145, 143771") == (1, GpuLoad(None, 2145 * 2**20, 143771 * 2**20))
    assert parse_gpu("Failed to initialize NVML: Driver/library version mismatch") is None

    def said(machine: MachineFigures | None) -> str:
        return "".join(piece for piece, _ in machine_line(machine, "13:49", 80))

    machine = MachineFigures(12.0, 2**30, 2**34, (GpuLoad(97.0, 2**31, 2**37), GpuLoad(3.0, 0, 2**37)))
    assert "2 gpus 50 % 2.0 of 256 G" in said(machine)
    parted = dataclasses.replace(machine, gpus=(GpuLoad(None, 2**31, 2**37),))
    assert "gpu 2.0 of 128 G" in said(parted) and "None" not in said(parted)
    assert "gpu" not in said(None)


def test_gains_stay_while_another_run_has_none_yet(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["middle"]
    before = text(rows(snapshot, "", 0, 120, 20))
    models = [
        dataclasses.replace(model, runs=tuple(dataclasses.replace(run, trivial=None) for run in model.runs))
        if model is snapshot.models[-1]
        else model
        for model in snapshot.models
    ]
    after = text(rows(dataclasses.replace(snapshot, models=tuple(models)), "", 0, 120, 20))
    gain = words.signed(snapshot.runs[0].gain or 0.0)
    assert "gain" in after.splitlines()[0] and gain in before.splitlines()[1] and gain in after.splitlines()[1]


def test_a_chart_of_a_run_is_called_what_it_draws(snapshots: dict[str, Snapshot]) -> None:
    """A bare cosine was called a gain while only one arm had its trivial baselines."""
    run, other = snapshots["middle"].models[0].runs
    alone = Drawing(tuple(run_chart("gain", run, dataclasses.replace(other, trivial=None), False, 60, 10)))
    bare = Drawing(tuple(run_chart("gain", dataclasses.replace(run, trivial=None), other, False, 60, 10)))
    assert "gain over" in text(alone) and "−.010 ┤" in text(alone) and "validation cosine" not in text(alone)
    assert "validation cosine" in text(bare) and "gain" not in text(bare)


def test_a_run_that_makes_no_step_says_so_in_the_place_of_its_time_left(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    for model in campaign.models:
        bring_to(tmp_path, campaign, model, "baseline", state="running")
    write_live(Workspace(tmp_path).pulse, Pulse(time.time(), 1, no_step={campaign.runs[0].run: time.time() - 25}))
    snapshot = look(tmp_path)
    run, other = snapshot.runs[0], snapshot.runs[2]
    assert run.word.startswith("no step 2") and run.style == "waiting" and run.phase is Phase.RUNNING
    for drawing in (rows(snapshot, "", 0, 80, 20), rows(snapshot, "", 0, 120, 20)):
        line, *_ = (line for line in text(drawing).splitlines() if "no step" in line)
        assert run.word in line and "left" not in line and not line.endswith("s"), "it has no other time"
    assert run.word in panel(snapshot, 0, 37, 14)
    assert run.name in snapshot.eta.left_out and other.name in snapshot.eta.runs
    assert why_it_stands(run).startswith("no step for 2") and why_it_stands(other) == ""
    said = "".join(piece for piece, _ in run_header(run, "1/4", 120))
    assert "no step 2" in said and "left" not in said and "calibrating" not in said


def test_each_time_says_what_it_is_where_there_is_room(snapshots: dict[str, Snapshot]) -> None:
    shown = text(rows(snapshots["middle"], "", 0, 120, 20)).splitlines()
    assert "took 1m13" in shown[1] and "28s left" in shown[5]
    for width in (80, 120):
        waiting = text(rows(snapshots["middle"], "", 0, width, 20)).splitlines()[6]
        assert waiting.endswith("in 29s"), "one time only: when it starts"
    assert "28s left" in panel(snapshots["middle"], 2, 60, 14)


def test_a_gain_that_falls_while_more_data_helps_is_explained(snapshots: dict[str, Snapshot]) -> None:
    """Where ridge is the best trivial baseline, it gains from more data itself."""
    snapshot = snapshots["middle"]
    model = snapshot.models[0]
    assert model.row is not None and (model.row.change or 0.0) > 0 and not outgained_by(model)
    runs = tuple(
        dataclasses.replace(run, trivial=BestTrivial("ridge", (run.best or 0.0) - gain))
        for run, gain in zip(model.runs, (0.03, 0.02), strict=True)
    )
    on_others = dataclasses.replace(model, runs=runs)
    assert not outgained_by(on_others), "it falls on validation windows of their own, where nothing can be compared"
    cells = []
    for cell, gain in ((model.row.baseline, 0.03), (model.row.expanded, 0.02)):
        assert cell.scores is not None and cell.cosine is not None
        skill = Skill("ridge", cell.cosine - gain, Estimate(gain, 0.001, 30, 2000, 60, 40))
        cells.append(dataclasses.replace(cell, scores=dataclasses.replace(cell.scores, skill=skill)))
    row = dataclasses.replace(model.row, baseline=cells[0], expanded=cells[1])
    outgained = dataclasses.replace(on_others, row=row)
    assert outgained_by(outgained) == "ridge"
    assert "gain falls with more data: ridge rises more" in text(inside(outgained, snapshot, "", 100, 20))
    assert "gain falls: ridge rises more" in text(inside(outgained, snapshot, "", 37, 14))
    listed = dataclasses.replace(snapshot, models=(outgained, *snapshot.models[1:]))
    about = text(Drawing(tuple(about_selected(listed, runs[0].name, 120))))
    assert "its gain falls, as ridge rises more" in " ".join(about.split())
    fell = dataclasses.replace(outgained, row=dataclasses.replace(row, change=-1.0))
    assert not outgained_by(fell), "then its gain falls with it"


def test_a_kill_that_was_survived_is_told_quietly(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru", "lstm"))
    history = bring_to(tmp_path, campaign, "amn", "baseline", state="killed")
    history.process = own_identity()
    history.launch()
    history.start()
    history.train(500)
    snapshot = look(tmp_path)
    run = snapshot.runs[0]
    assert run.phase is Phase.RUNNING and run.trouble == "", "it goes on, so nothing is wrong"
    said = "interrupted 1 time: killed for memory"
    assert f"8k {said}" in panel(snapshot, 0, 60, 14)
    for lines in (about_selected(snapshot, run.name, 80), notices(run, 80, 5)):
        assert any(said in piece for line in lines for piece, _ in line)


def test_a_change_has_the_digits_of_its_interval_and_that_two_ends(snapshots: dict[str, Snapshot]) -> None:
    def shown(estimate: Estimate) -> list[str]:
        row = dataclasses.replace(
            snapshots["end"].table.rows[0], change=estimate.value, estimate=estimate, interval=estimate.interval()
        )
        models = tuple(dataclasses.replace(m, row=row) for m in snapshots["end"].models)
        table = dataclasses.replace(snapshots["end"].table, rows=(row,))
        snapshot = dataclasses.replace(snapshots["end"], models=models, table=table)
        return [text(rows(snapshot, "", 0, 120, 20)), panel(snapshot, 0, 38, 14)]

    wide, narrow = shown(Estimate(1.5437, 0.3, 50, 900, 51, 51))
    assert "+1.54 % [+0.94, +2.15]" in wide and "held-out +1.54 % " in narrow
    wide, narrow = shown(Estimate(0.0121, 0.005, 50, 900, 51, 51))
    assert "+0.012 % [+0.002, +0.022]" in wide and "+0.01 %" in narrow and "0.0]" not in narrow


def test_a_best_gain_below_zero_is_told_as_that(snapshots: dict[str, Snapshot]) -> None:
    training = dataclasses.replace(snapshots["middle"], table=made_table([]))
    run = next(run for run in training.runs if run.trivial and run.best)
    assert run.trivial and run.best
    for gain, told in ((0.0021, "+.0021 over"), (-0.0008, ".0008 below")):
        easy = dataclasses.replace(run, trivial=dataclasses.replace(run.trivial, cosine=run.best - gain))
        model = dataclasses.replace(training.models[0], runs=(easy,))
        (line,) = best_now(dataclasses.replace(training, models=(model,)), 80)
        assert f" {told} the recency mean, own validation windows" in "".join(text for text, _ in line)


def test_with_folds_the_best_now_is_one_of_those_with_the_same_seeds(snapshots: dict[str, Snapshot]) -> None:
    """Each seed holds out other articles: a model that lacks one may have the easier ones."""
    whole = with_skill(made_row("amn", 1.0, expanded=0.50), 0.01, bar=0.49)
    other = with_skill(made_row("gru", 1.0, expanded=0.51), 0.02, bar=0.47)
    easier = with_skill(made_row("lstm", 1.0), 0.01, bar=0.60)
    seeds = ((1, 2, 3), (1, 2, 3), (2, 3))
    rows = [dataclasses.replace(r, compared=of) for r, of in zip((whole, other, easier), seeds, strict=True)]
    for folds, best in ((True, "AMN 23k .5000"), (False, "LSTM 23k .6100")):
        table = dataclasses.replace(made_table(rows), folds=folds)
        (line,) = best_now(dataclasses.replace(snapshots["end"], table=table), 80)
        assert "".join(text for text, _ in line) == f"best now  {best} held-out"
    table = dataclasses.replace(made_table(rows[1:]), folds=True)  # no two models of the same seeds: the largest gain
    (line,) = best_now(dataclasses.replace(snapshots["end"], table=table), 80)
    assert "".join(text for text, _ in line) == "best now  GRU 23k +.0200 over the recency mean, held-out windows"
