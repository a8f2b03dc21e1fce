"""The board on terminals of many sizes: what matters is there, nothing is drawn outside its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.geometry import Region

from lvmtui.ui.screens.board import BoardScreen, ModelPanel
from lvmtui.ui.screens.run import RunScreen
from lvmtui.ui.widgets.canvas import Canvas
from tests.ui.conftest import MakeApp, shown, until
from tests.ui.showcase import end, every_state, many, middle

SIZES = [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50), (300, 90)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_what_matters_is_there_at_any_size(tmp_path: Path, make_app: MakeApp, size: tuple[int, int]) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "q leave, runs go on" in shown(app).splitlines()[-1])
        text = shown(app)
        for wanted in ("4 of 10 finished", "left", "AMN", "GraphMERT-LVM", "collapsed", "paused 60 %"):
            assert wanted in text
        for wanted in ("+.0075", "+.0149", "+1.5", "leans up", "queued", "predicts the mean"):
            assert wanted in text
        assert ("⣀" in text or "⠒" in text) is (size != (80, 24)), "curves go first where there is no room"
        twice = size == (100, 30) or size[0] >= 200
        assert text.count("▌") == 1 + twice, "in the panels, in the list or the ranking beside them"
        assert app.screen.query_one("#ranking").display is (size[0] >= 200), "the ranking where there is room for all"


@pytest.mark.parametrize("make", [middle, end, every_state])
async def test_every_part_has_room_at_every_size(
    tmp_path: Path, make_app: MakeApp, make: Callable[[Path], object]
) -> None:
    make(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        for size in (*SIZES, (60, 15), (40, 8), (20, 5), (3, 2), (120, 40)):
            await pilot.resize_terminal(*size)
            for key in ("g", "G"):
                await pilot.press(key)
                assert "cannot be shown" not in shown(app)
                if size >= (20, 5):
                    for canvas in app.screen.query(Canvas).exclude("#machine"):
                        assert not canvas.is_on_screen or app.screen.region.contains_region(canvas.region)
                if size[1] >= 15:
                    assert "▌" in shown(app), "the selected run is on the board"


async def test_panels_are_as_many_as_models_and_give_way_to_a_list(tmp_path: Path, make_app: MakeApp) -> None:
    """One campaign after another in the same board: the panels of the one before are used again."""
    roots = {count: tmp_path / str(count) for count in (3, 12, 1, 40)}
    for count, root in roots.items():
        root.mkdir()
        many(root, count)
    app = make_app(roots[3])
    async with app.run_test(size=(200, 60)) as pilot:
        for count, root in roots.items():
            app.source.stop()
            other = make_app(root)
            app.source = other.source
            app.look()
            await pilot.pause()
            assert isinstance(app.screen, BoardScreen)
            panels = [panel for panel in app.screen.query("#panels ModelPanel") if panel.region.area]
            assert len(panels) == (count if count <= 12 else 0)
            assert f"model_{count - 1:03d}" in shown(app) or count == 40


async def test_only_panels_that_show_something_else_are_drawn_again(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    drawn: list[str] = []
    before = Canvas.refresh

    def refresh(canvas: Canvas, *regions: Region, **options: bool) -> Canvas:
        if isinstance(canvas, ModelPanel):
            drawn.append(str(canvas.border_title))
        return before(canvas, *regions, **options)

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.pause()
        monkeypatch.setattr(Canvas, "refresh", refresh)
        app.look()
        await pilot.pause()
        assert not drawn, "nothing has changed"
        await pilot.press("down")
        assert set(drawn) == {"GRU"}
        drawn.clear()
        await pilot.press("right")
        assert set(drawn) == {"GRU", "Transformer"}


async def test_the_mouse_finds_runs(tmp_path: Path, make_app: MakeApp) -> None:
    middle(tmp_path)
    for size in ((80, 24), (120, 40)):
        app = make_app(tmp_path)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            y, line = next((y, line) for y, line in enumerate(shown(app).splitlines()) if "paused 60 %" in line)
            await pilot.click(offset=(line.index("paused 60 %"), y))
            assert app.selected.startswith("lstm_23k")
            if size == (120, 40):
                frame = next(y for y, line in enumerate(shown(app).splitlines()) if "╭─ AMN" in line)
                await pilot.click(offset=(2, frame))
                assert app.selected.startswith("amn_8k"), "the frame belongs to the panel"


async def test_the_mouse_finds_models_in_the_ranking_beside_the_runs(tmp_path: Path, make_app: MakeApp) -> None:
    end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        ranking = app.screen.query_one("#ranking").region
        for title, run in (("LSTM", "lstm_"), ("AMN", "amn_")):
            lines = shown(app).splitlines()[ranking.y : ranking.bottom]
            y = next(y for y, line in enumerate(lines, ranking.y) if f" {title} " in line[ranking.x :])
            await pilot.click(offset=(ranking.x + 12, y))
            assert app.selected.startswith(run)
        await pilot.click(offset=(ranking.x + 12, y))
        await pilot.pause()
        assert isinstance(app.screen, RunScreen), "as in the panels, a second click opens the run"


async def test_text_is_marked_with_the_mouse_and_copied(tmp_path: Path, make_app: MakeApp) -> None:
    middle(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        y, line = next((y, line) for y, line in enumerate(shown(app).splitlines()) if "4 of 10" in line)
        x = line.index("4 of 10")
        await pilot.mouse_down(offset=(x, y))
        await pilot.hover(offset=(x + 3, y))
        await pilot.hover(offset=(x + 6, y))
        await pilot.mouse_up(offset=(x + 6, y))
        await pilot.press("ctrl+c")
        assert app.clipboard == "4 of 10" and "copied 1 line" in app.words
        assert app.is_running, "with something marked, ctrl+c does not leave"


async def test_the_selection_moves_by_model_and_by_run(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.selected.startswith("gru_8k"), "what runs is looked at first"
        for keys, name in (
            ("right", "transformer_8k"),
            ("h", "gru_8k"),
            ("j", "gru_23k"),
            ("l", "transformer_23k"),
            ("up", "transformer_8k"),
            ("G", "graphmert_lvm_23k"),
            ("right", "amn_23k"),
            ("g", "amn_8k"),
            ("left", "graphmert_lvm_8k"),
            ("up", "lstm_23k"),  # the panel above: there are three beside each other
            ("down", "graphmert_lvm_8k"),
            ("down", "graphmert_lvm_23k"),
            ("down", "gru_8k"),  # the top of the next column
            ("up", "graphmert_lvm_23k"),
        ):
            await pilot.press(keys)
            assert app.selected.startswith(name), keys


async def test_finding_a_run(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"paus", "enter")
        await pilot.pause()
        assert app.selected.startswith("lstm_23k")
        await pilot.press("slash", *"qqq", "enter")
        await pilot.pause()
        assert "no run matches 'qqq'" in shown(app)
        await pilot.press("slash", "escape", "down")
        assert app.selected.startswith("gru_8k"), "letters order again once the line is gone"


async def test_five_hundred_runs_are_scrolled(tmp_path: Path, make_app: MakeApp) -> None:
    many(tmp_path, 60, "paused")
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.look()
        titles = next(line for line in shown(app).splitlines() if "model " in line)
        assert "1-16/120" in titles
        await pilot.press("G")
        assert "model_059" in shown(app) and "-120/120" in shown(app)
        await pilot.press("pageup", "pageup")
        assert "model_059" not in shown(app)
        await pilot.press("g")
        assert "model_000" in shown(app)


async def test_what_is_wrong_is_one_key_away(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        (line,) = (line for line in shown(app).splitlines() if "GraphMERT-LVM 8k" in line and "!" in line)
        assert "! selects it" in line
        await pilot.press("exclamation_mark")
        assert app.selected.startswith("graphmert_lvm_8k")
        assert "enter opens it" in shown(app) and "! selects it" not in shown(app)
        await pilot.press("ctrl+p", "escape")
        app.action_colours()
        assert app.theme == "ansi-light"
