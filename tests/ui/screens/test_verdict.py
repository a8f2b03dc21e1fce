"""The verdict on the screen: its table, and when it comes up by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.screens.board import BoardScreen
from lvmtui.ui.screens.help import Help
from lvmtui.ui.screens.run import RunScreen
from lvmtui.ui.screens.verdict import VerdictScreen
from tests.factory import bring_to
from tests.ui.conftest import MakeApp, campaign_of, shown, until
from tests.ui.showcase import end, many

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""


async def test_the_verdict_is_sorted_and_told(tmp_path: Path, make_app: MakeApp) -> None:
    end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("v")

        def models() -> list[str]:
            lines = shown(app).splitlines()
            first = next(i for i, line in enumerate(lines) if "95 % interval" in line and "rank" in line)
            left = lines[first].index("model")
            return [line[left : left + 20].strip() for line in lines[first + 1 : first + 6]]

        assert models() == ["AMN", "Transformer", "GRU", "LSTM", "GraphMERT-LVM"]
        await pilot.press("s")
        assert models() == sorted(models(), key=str.lower)
        assert "sorted by model" in shown(app)
        assert "over the 4 of 5 models compared" in shown(app)
        await pilot.press("tab")
        await until(pilot, lambda: "does the larger data set help?" in shown(app))
        assert re.search(r" 1-3\d/\d+\n", shown(app)), "there is more below"
        top = shown(app)
        await pilot.press("G")
        assert shown(app) != top
        await pilot.press("s")
        await until(pilot, lambda: "sorted by change" in shown(app) and "does the larger data set" not in shown(app))
        await pilot.press("G", "enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)


async def test_in_the_verdict_orders_are_for_what_is_selected_there(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    campaign = campaign_of(app)
    bring_to(root, campaign, "transformer", "expanded", state="failed")
    async with app.run_test(size=(80, 24)) as pilot:

        def row() -> str:
            return next(line for line in shown(app).splitlines() if line.startswith("▌"))

        await pilot.press("v")
        assert "GRU" in row() and "── GRU 8k ──" in shown(app), "what was selected on the board"
        await pilot.press("g")
        for _ in range(5):
            if "Transformer" not in row():
                await pilot.press("down")
        assert "Transformer" in row() and app.selected.startswith("transformer_8k")
        assert "p pause" in shown(app).splitlines()[-1]
        await pilot.press("slash", *"gru 23k", "enter")
        assert "GRU" in row() and "── GRU 23k ──" in shown(app), "as on the board"
        await pilot.press("slash", *"transformer", "enter", "right")
        assert "── Transformer 23k ──" in shown(app) and "r retry" in shown(app).splitlines()[-1]
        await pilot.press("r")
        await until(pilot, lambda: "Try Transformer 23k again?" in shown(app))
        await pilot.press("escape", "tab")
        await until(pilot, lambda: "Transformer 23k is selected" in shown(app))
        await pilot.press("tab", "enter")
        assert isinstance(app.screen, RunScreen) and "Transformer 23k" in shown(app).splitlines()[0]
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen) and row().split()[1:3] != ["GRU", "8k"]
        assert app.selected.startswith("transformer_23k")


async def test_a_long_table_says_which_part_is_shown(tmp_path: Path, make_app: MakeApp) -> None:
    many(tmp_path, 40, "paused")
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "/40" in shown(app) and "model_000" in shown(app))
        await pilot.press("G")
        await until(pilot, lambda: "-40/40" in shown(app) and "model_039" in shown(app))


async def test_the_verdict_comes_up_once_with_a_bell(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = end(tmp_path)
    report = Workspace(tmp_path).campaign(campaign.id).report
    rung: list[int] = []
    monkeypatch.setattr(LvmApp, "bell", lambda self: rung.append(1))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert isinstance(app.screen, BoardScreen)
        report.write_text("# done\n")
        app.look()
        await pilot.pause()
        assert isinstance(app.screen, VerdictScreen) and rung == [1]
        await pilot.press("escape")
        app.look()
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen) and rung == [1]


@pytest.mark.parametrize("busy", [("down",), ("e",), ("question_mark",), ("slash",), ("enter", "2")])
async def test_the_verdict_takes_no_key_that_is_meant_for_something_else(
    tmp_path: Path, make_app: MakeApp, busy: tuple[str, ...]
) -> None:
    campaign = end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*busy)
        before = app.screen
        Workspace(tmp_path).campaign(campaign.id).report.write_text("# done\n")
        app.look()
        await pilot.pause()
        assert app.screen is before and app.words == "the campaign is over; v shows the verdict"


@pytest.mark.parametrize(("key", "left"), [("down", VerdictScreen), ("question_mark", Help), ("slash", BoardScreen)])
async def test_the_verdict_comes_up_where_no_key_was_pressed_of_late(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, key: str, left: type
) -> None:
    """But not over a dialog, nor where something is being typed."""
    campaign = end(tmp_path)
    monkeypatch.setattr("lvmtui.ui.app.QUIET", 0.0)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(key)
        Workspace(tmp_path).campaign(campaign.id).report.write_text("# done\n")
        app.look()
        await pilot.pause()
        assert isinstance(app.screen, left)


async def test_a_campaign_that_is_over_already_opens_quietly(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = end(tmp_path)
    Workspace(tmp_path).campaign(campaign.id).report.write_text("# done\n")
    monkeypatch.setattr(LvmApp, "bell", lambda self: pytest.fail("nothing came that was not there"))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen)
        assert "v shows the verdict" in shown(app)
