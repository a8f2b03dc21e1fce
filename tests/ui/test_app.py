"""The app as a whole: views, dialogs, news, and what it shows where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.screens.board import BoardScreen
from lvmtui.ui.screens.help import Help
from lvmtui.ui.screens.run import RunScreen
from lvmtui.ui.screens.verdict import VerdictScreen
from lvmtui.ui.terminal import TerminalDriver, alert
from lvmtui.ui.widgets.canvas import Canvas
from tests.factory import bring_to, make_campaign
from tests.ui.conftest import MakeApp, campaign_of, offered, shown, until
from tests.ui.showcase import end, middle

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""


async def test_views_open_and_close(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        for key, screen in (("enter", RunScreen), ("v", VerdictScreen), ("question_mark", Help)):
            await pilot.press(key)
            assert isinstance(app.screen, screen)
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, BoardScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, BoardScreen), "the board stays"


async def test_the_verdict_gives_way_to_the_next_campaign(tmp_path: Path, make_app: MakeApp) -> None:
    campaign = end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        Workspace(tmp_path).campaign(campaign.id).report.touch()
        app.look()
        await pilot.press("v")
        assert isinstance(app.screen, VerdictScreen)
        make_campaign(tmp_path, models=("amn",), stamp="20261123_080000")
        app.look()
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen) and app.snapshot and len(app.snapshot.runs) == 2


async def test_a_click_selects_and_another_opens(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        row = next(y for y, line in enumerate(shown(app).splitlines()) if line.split()[:1] == ["23k"])
        await pilot.click(offset=(20, row))
        assert app.selected.startswith("amn_23k")
        await pilot.click(offset=(20, row))
        assert isinstance(app.screen, RunScreen)
        await pilot.click(offset=(3, 23))
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen), "keys in the last line are buttons"


async def test_a_dialog_that_grows_is_whole(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: shown(app).endswith("╝"))
        before = shown(app).count("\n")
        await pilot.press(*"/nowhere/at/all/but/in/a/folder/with/quite/a/long/name/x.md")
        await until(pilot, lambda: shown(app).count("\n") > before and shown(app).endswith("╝"))


async def test_a_board_behind_a_dialog_goes_on(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    campaign = campaign_of(app)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        behind = app.screen.query_one("#answer", Canvas)
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help) and "4 of 10 finished" in behind.text
        bring_to(root, campaign, "transformer", "baseline", state="finished")
        app.look()
        await pilot.pause()
        assert isinstance(app.screen, Help) and "5 of 10 finished" in behind.text


async def test_a_run_that_comes_to_need_a_person_rings_once(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = middle(tmp_path)
    said: list[str] = []
    monkeypatch.setattr("lvmtui.ui.app.alert", lambda app, words: said.append(words))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)):
        assert not said, "what was so before is no news"
        bring_to(tmp_path, campaign, "transformer", "expanded", state="failed")
        app.look()
        app.look()
        assert len(said) == 1 and said[0].startswith("Transformer 23k: ")


def test_a_terminal_is_asked_for_a_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(TerminalDriver, "write", lambda self, data: written.append(data))
    app = LvmApp.__new__(LvmApp)
    monkeypatch.setattr(LvmApp, "bell", lambda self: written.append("bell"))
    app._driver = TerminalDriver.__new__(TerminalDriver)
    alert(app, "GRU 8k:\x1b[2J failed")
    assert written == ["bell", "\x1b]9;GRU 8k: failed\x07"]


async def test_a_report_that_nobody_is_left_to_write_gets_a_supervisor(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor was killed while the last run trained: the run ends, and then nothing waits to be started."""
    campaign = end(tmp_path)
    asked: list[int] = []
    monkeypatch.setattr(LvmApp, "_supervise", lambda self: asked.append(1))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        monkeypatch.setattr(app, "_live", True)
        app.look()
        await pilot.pause()
        assert asked and "no supervisor: the report is not written" in shown(app)
        Workspace(tmp_path).campaign(campaign.id).report.write_text("# done\n")
        asked.clear()
        app.look()
        await pilot.pause()
        assert not asked and "no supervisor" not in shown(app)


async def test_an_error_in_a_view_is_a_line(root: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr("lvmtui.ui.screens.board.troubles", lambda *arguments, **options: 1 / 0)
            app.redraw()
            await pilot.pause()
            assert "cannot be shown: ZeroDivisionError" in shown(app)
        app.redraw()
        await pilot.pause()
        assert "GRU" in shown(app), "the next picture may succeed"


async def test_sizes_change_at_any_time(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        for keys in ((), ("enter",), ("escape", "v"), ("escape", "x")):
            await pilot.press(*keys)
            for size in ((80, 24), (20, 5), (200, 60), (3, 2), (120, 40)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
        assert "Cancel GRU 8k?" in shown(app)
        await pilot.press("n")
        await pilot.pause()
        assert shown(app).count("\n") == 39 and "GRU" in shown(app)


async def test_the_campaigns_of_the_workspace_are_listed_with_what_they_say(root: Path, make_app: MakeApp) -> None:
    (before,) = (folder.id for folder in Workspace(root).campaign_dirs())
    make_campaign(root, models=("amn",), stamp="20261121_080000", created=1.0)
    app = make_app(root, campaign=before)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: "4 of 10 runs finished, " in shown(app) and "0 of 2 runs finished" in shown(app))
        assert "So far: " in shown(app) and "shown now" in shown(app)
        await pilot.press("down", "enter")
        app.look()
        await until(pilot, lambda: "0 of 2 finished" in shown(app) and isinstance(app.screen, BoardScreen))


async def test_where_leaving_stops_the_runs_the_screen_says_so(
    root: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first process of a container."""
    monkeypatch.setattr("lvmtui.ui.app.ends_the_container", lambda: True)
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "q leave, runs stop with a checkpoint" in shown(app).splitlines()[-1])
        assert any("runs stop with a checkpoint" in action.help for action in offered(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: "leave; the runs stop with a checkpoint" in shown(app))


async def test_without_a_campaign_a_new_one_is_offered(tmp_path: Path, make_app: MakeApp) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "New campaign" in shown(app)
        middle(tmp_path)
        app.look()
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen) and "GRU" in shown(app)
    reader = make_app(tmp_path / "none", read_only=True)
    async with reader.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "no campaign here yet; it shows as soon as" in shown(reader)
