"""The board at any size: nothing overflows, and what matters is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.estimate.eta import Eta
from lvmtui.formats.paths import Workspace
from lvmtui.ui.draw.board import board, first_listed, grid_for, list_height, panel_grid
from lvmtui.ui.draw.board_panels import bar
from lvmtui.ui.draw.header import range_words
from lvmtui.ui.draw.keys import key_line
from lvmtui.ui.draw.lines import Drawing, width_of
from lvmtui.ui.read.machine import Gpu, MachineFigures, parse_gpu
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.ui.read.source import Source
from tests.ui.showcase import NOW, end, every_state, many, middle

SIZES = [(80, 24), (120, 40), (200, 60), (100, 30), (60, 15), (40, 8), (300, 90)]


def look(root: Path) -> Snapshot:
    found = Source(Workspace(root), clock=lambda: NOW, machine=lambda: None).look()
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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["middle", "end", "every_state"])
def test_nothing_overflows(snapshots: dict[str, Snapshot], name: str, size: tuple[int, int]) -> None:
    snapshot = snapshots[name]
    for run in snapshot.runs[::3]:
        drawing = board(snapshot, run.name, 0, *size)
        assert len(drawing.lines) == size[1]
        assert all(h.x >= 0 and h.y + h.height <= size[1] for h in drawing.hits)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["middle", "end", "every_state"]),
    st.integers(20, 210),
    st.integers(5, 64),
    st.integers(0, 99),
    st.integers(0, 99),
)
def test_the_selected_run_is_always_on_the_board(
    snapshots: dict[str, Snapshot], name: str, width: int, height: int, at: int, top: int
) -> None:
    snapshot = snapshots[name]
    at %= len(snapshot.runs)
    run = snapshot.runs[at]
    listed = list_height(snapshot, run.name, width, height)
    drawing = board(
        snapshot, run.name, first_listed(top, at, listed, len(snapshot.runs)), width, height, read_only=False
    )
    assert len(drawing.lines) == height
    selected = [line for line in text(drawing).splitlines() if "▌" in line]
    assert len(selected) == 1 and run.label in selected[0]
    if panel_grid(snapshot, width, height) is None:
        assert len([hit for hit in drawing.hits if hit.target.startswith("run:")]) == min(listed, len(snapshot.runs))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_what_matters_is_there_at_every_size(snapshots: dict[str, Snapshot], size: tuple[int, int]) -> None:
    snapshot = snapshots["middle"]
    shown = text(board(snapshot, snapshot.runs[4].name, 0, *size))
    for wanted in ("8k vs 23k", "4 of 10 finished", "left", "ends", "AMN", "GraphMERT-LVM", "collapsed", "paused 6/9"):
        assert wanted in shown
    for wanted in ("+.0075", "+.0149", "+1.5", "leans up", "queued", "q leave, runs go on", "predicts the mean"):
        assert wanted in shown
    assert ("⣀" in shown) is (size != (80, 24)), "curves go first where there is no room"


def test_a_list_says_below_what_its_rows_have_no_room_for(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["end"]
    collapsed = next(run for run in snapshot.runs if run.alarms)
    shown = " ".join(text(board(snapshot, collapsed.name, 0, 80, 24)).split())
    assert f"trouble {collapsed.title} {collapsed.label} {collapsed.trouble[:90]}" in shown
    assert f"change {collapsed.title} not comparable: " in shown
    assert "trouble" not in text(board(snapshot, collapsed.name, 0, 120, 40)), "the panel says it"


def test_more_than_a_dozen_models_are_a_list_of_which_the_visible_part_is_drawn(tmp_path: Path) -> None:
    many(tmp_path, 40)
    snapshot = look(tmp_path)
    assert panel_grid(snapshot, 200, 60) is None
    assert list_height(snapshot, snapshot.runs[0].name, 120, 40) < 40
    drawing = board(snapshot, snapshot.runs[30].name, 30, 120, 40)
    shown = text(drawing)
    assert "model_015" in shown and "model_014" not in shown and "model_039" not in shown
    names = [hit.target for hit in drawing.hits if hit.target.startswith("run:")]
    assert names[0] == f"run:{snapshot.runs[30].name}" and len(names) == len(set(names)) < 40


def test_the_mouse_finds_runs(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["middle"]
    for size in ((80, 24), (120, 40)):
        drawing = board(snapshot, snapshot.runs[0].name, 0, *size)
        for y, line in enumerate(text(drawing).splitlines()):
            if "paused 6/9" in line:
                target = drawing.target(line.index("paused 6/9"), y)
                assert target == f"run:{snapshot.runs[3].name}"


@pytest.mark.parametrize(("models", "columns"), [(1, 2), (2, 2), (3, 2), (5, 3), (6, 3), (12, 4)])
def test_panels_have_a_pleasant_shape(models: int, columns: int) -> None:
    grid = grid_for(models, 2, 200, 50)
    assert grid is not None and grid.columns == columns
    assert grid.columns * (grid.width + 1) - 1 <= 200
    assert -(-models // grid.columns) * grid.height <= 50


def test_panels_give_way_where_they_would_be_too_small() -> None:
    assert grid_for(12, 2, 100, 20) is None
    assert grid_for(5, 20, 120, 30) is None


def test_bars_count_half_cells() -> None:
    def drawn(share: float) -> str:
        return "".join(piece for piece, _ in bar(share, 4))

    assert [drawn(s) for s in (0.0, 0.125, 0.5, 1.0, 7.0)] == ["────", "╸───", "━━──", "━━━━", "━━━━"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(35, 48, "35 to 48 s"), (40, 130, "40 s to 2 m"), (300, 480, "5 to 8 m"), (5 * 3600, 9 * 3600, "5.0 to 9.0 h")],
)
def test_ranges_are_short(low: float, high: float, words: str) -> None:
    assert range_words(Eta((low + high) / 2, low, high)) == words


def test_the_keys_that_fit_are_shown_and_the_way_out_always() -> None:
    shown = (("enter", "open", "open"), ("p", "pause", "pause"), ("x", "cancel", "cancel"))
    for width in range(25, 80):
        line, hits = key_line(shown, ("q", "leave, runs go on", "leave"), width)
        assert width_of(line) == width
        assert "".join(piece for piece, _ in line).rstrip().endswith(" q leave, runs go on")
        assert hits[-1].target == "leave"


def test_graphics_cards_are_shown_where_there_are_some(snapshots: dict[str, Snapshot]) -> None:
    assert parse_gpu("0, 97, 2145, 143771") == (0, Gpu(97.0, 2145 * 2**20, 143771 * 2**20))
    assert parse_gpu("1, [N/A], 2145, 143771") == (1, Gpu(None, 2145 * 2**20, 143771 * 2**20))
    assert parse_gpu("Failed to initialize NVML: Driver/library version mismatch") is None
    machine = MachineFigures(12.0, 2**30, 2**34, (Gpu(97.0, 2**31, 2**37), Gpu(3.0, 0, 2**37)))
    snapshot = dataclasses.replace(snapshots["middle"], machine=machine)
    assert "2 gpus 50 % 2.0 of 256 G" in text(board(snapshot, "", 0, 140, 40))
    parted = dataclasses.replace(machine, gpus=(Gpu(None, 2**31, 2**37),))
    shown = text(board(dataclasses.replace(snapshot, machine=parted), "", 0, 140, 40))
    assert "gpu 2.0 of 128 G" in shown and "None" not in shown
    assert "gpu" not in text(board(dataclasses.replace(snapshot, machine=None), "", 0, 140, 40))
