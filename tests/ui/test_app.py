"""The screens under a person's fingers. Orders are read back from the run folders: the screen carries nothing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.command import CommandList
from textual.command import Hit as CommandHit

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.intent import Intent, read_intent
from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.screens.board import BoardScreen
from lvmtui.ui.screens.help import Help
from lvmtui.ui.screens.palette import Action, Actions, actions
from lvmtui.ui.screens.run import RunScreen
from lvmtui.ui.screens.verdict import VerdictScreen
from lvmtui.ui.screens.view import View
from lvmtui.ui.terminal import TerminalDriver, alert
from lvmtui.ui.widgets.canvas import Canvas
from lvmtui.ui.widgets.dialogs import AskDialog
from tests.factory import bring_to, make_campaign
from tests.ui.conftest import MakeApp, shown, until
from tests.ui.showcase import end, log_lines, many, middle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    middle(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def ensured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Workspace]]:
    """No supervisor is started; how often one was wished for is noted."""
    wished: list[Workspace] = []
    monkeypatch.setattr("lvmtui.supervisor.lock.ensure_supervisor", lambda workspace: wished.append(workspace))
    yield wished


def intent(app: LvmApp) -> Intent:
    assert app.snapshot is not None
    run = app.snapshot.run(app.selected)
    assert run is not None
    return read_intent(run.view.folder.intent)


def campaign_of(app: LvmApp) -> Campaign:
    snapshot = app.source.look()
    assert snapshot is not None
    return snapshot.state.campaign


async def test_the_selection_moves_by_model_and_by_run(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.selected.startswith("gru_8k"), "what runs is looked at first"
        for keys, name in (
            ("down", "transformer_8k"),
            ("k", "gru_8k"),
            ("l", "gru_23k"),
            ("j", "transformer_23k"),
            ("left", "transformer_8k"),
            ("G", "graphmert_lvm_23k"),
            ("down", "amn_23k"),
            ("g", "amn_8k"),
            ("up", "graphmert_lvm_8k"),
        ):
            await pilot.press(keys)
            assert app.selected.startswith(name), keys


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
        assert app.selected.startswith("gru_23k"), "letters order again once the line is gone"


async def test_pause_and_resume_write_what_is_wanted(root: Path, make_app: MakeApp, ensured: list[Workspace]) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: intent(app).want == "pause")
        await until(pilot, lambda: "GRU 8k is to be paused" in shown(app))
        app.look()
        await pilot.pause()
        assert "pausing" in shown(app)
        await pilot.press("p")
        await until(pilot, lambda: intent(app).want == "run")
        await until(pilot, lambda: len(ensured) == 2)


async def test_cancel_asks_first(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("x")
        await pilot.pause()
        words = shown(app)
        assert "Cancel GRU 8k?" in words and "checkpoint of epoch" in words and "on this machine" in words
        await pilot.press("enter")
        await pilot.pause()
        assert not isinstance(app.screen, AskDialog) and intent(app).want == "run"
        await pilot.press("x", "y")
        await until(pilot, lambda: intent(app).want == "cancel" and not intent(app).force)
        await pilot.press("X")
        await pilot.pause()
        assert "at once" in shown(app)
        await pilot.press("y")
        await until(pilot, lambda: intent(app).force)


async def test_there_is_nothing_to_kill_of_a_run_that_waits(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"transformer", "enter", "X")
        await until(pilot, lambda: "Cancel Transformer 8k at once?" in shown(app))
        assert "it has not started" in shown(app) and "y cancel it" in shown(app)
        assert "not asked to leave" not in shown(app)


async def test_a_dialog_that_grows_is_whole(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: shown(app).endswith("╝"))
        before = shown(app).count("\n")
        await pilot.press(*"/nowhere/at/all/but/in/a/folder/with/quite/a/long/name/x.md")
        await until(pilot, lambda: shown(app).count("\n") > before and shown(app).endswith("╝"))


async def test_retry_asks_from_where(root: Path, make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(root)
    bring_to(root, campaign_of(app), "transformer", "expanded", state="failed")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("r")
        await pilot.pause()
        assert "pause or cancel it first" in shown(app), "what runs is not tried again"
        await pilot.press("slash", *"failed", "enter", "r")
        await pilot.pause()
        assert "Try Transformer 23k again?" in shown(app) and "from the checkpoint" in shown(app)
        await pilot.press("s")
        await until(pilot, lambda: intent(app).restart > 0)


async def test_who_only_looks_changes_nothing(root: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(root, read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        assert "e export" in shown(app) and "n new" not in shown(app)
        with monkeypatch.context() as browser:
            browser.setenv("TEXTUAL_DRIVER", "web")
            app.screen.refresh_bindings()
            await until(pilot, lambda: "e export" not in shown(app))
        for key in ("p", "x", "X", "r", "n"):
            await pilot.press(key)
            await pilot.pause()
            assert "read-only" in shown(app) and isinstance(app.screen, BoardScreen)
            app.hush()
        app.run_orders.pause_all()
        await until(pilot, lambda: "read-only" in shown(app))
        assert intent(app) == Intent()


async def test_the_log_is_followed_and_searched(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "2")
        assert "step 600/1200" in shown(app) and "following" in shown(app)
        assert app.snapshot is not None
        log_lines(Workspace(root), app.snapshot.state.campaign, "gru", "baseline", 3)
        app.look()
        await pilot.pause()
        assert shown(app).count("step 30/1200") == 1
        await pilot.press("g", "slash", *"STEP 45".lower(), "enter")
        await until(pilot, lambda: "▌13:45:45 step 450/1200" in shown(app))
        assert "1 of 1, " in shown(app) and "step 600/1200" in shown(app), "no part of the screen is left empty"
        await pilot.press("slash", *"nowhere", "enter")
        await until(pilot, lambda: "'nowhere' is not in this log" in shown(app))
        await pilot.press("f")
        assert "following" in shown(app)


async def test_a_search_stays_where_it_finds(root: Path, make_app: MakeApp) -> None:
    """Eleven lines fit on the screen: all stay on it, and it is told which of the hits one stands at."""
    app = make_app(root)
    campaign = campaign_of(app)
    log_lines(Workspace(root), campaign, "lstm", "expanded", 11)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"lstm 23k", "enter", "enter", "2", "n")
        assert "nothing was searched for yet" in shown(app)
        before = shown(app).splitlines()[2:13]
        await pilot.press("slash", *"step 1", "enter")
        for count, step in (("1 of 3", 10), ("2 of 3", 100), ("3 of 3", 110), ("1 of 3", 10)):
            await until(pilot, lambda count=count, step=step: _found(app, count, step))  # type: ignore[misc]
            assert [line[1:] for line in shown(app).splitlines()[2:13]] == [line[1:] for line in before]
            await pilot.press("n")
        await until(pilot, lambda: _found(app, "2 of 3", 100))
        await pilot.press("N")
        await until(pilot, lambda: _found(app, "1 of 3", 10))


def _found(app: LvmApp, count: str, step: int) -> bool:
    marked = [line for line in shown(app).splitlines() if line.startswith("▌")]
    return count in shown(app) and len(marked) == 1 and f"step {step}/" in marked[0]


async def test_without_a_checkpoint_one_starts_over(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    campaign = campaign_of(app)
    bring_to(root, campaign, "transformer", "expanded", state="failed", fraction=0.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"failed", "enter", "r")
        await until(pilot, lambda: "Try Transformer 23k again?" in shown(app))
        assert "There is no checkpoint to go on from." in shown(app) and "s from the start" in shown(app)
        assert "from the checkpoint" not in shown(app) and "has learned" not in shown(app)


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
        await pilot.press("right")
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


async def test_panes_scales_and_other_runs(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        for name in ("log", "facts", "events", "charts"):
            await pilot.press("tab")
            await pilot.pause()
            words = {"charts": "windows a second", "log": "following", "facts": "attempts", "events": "checkpoint of"}
            assert words[name] in shown(app)
        await pilot.press("y")
        assert "log scale" in shown(app)
        await pilot.press("right")
        assert "GRU 23k" in shown(app).splitlines()[0]
        await pilot.press("1", "left", "left")
        assert "LSTM 23k" in shown(app).splitlines()[0]


async def test_a_failed_run_shows_its_last_words_on_top(tmp_path: Path, make_app: MakeApp) -> None:
    campaign = middle(tmp_path)
    bring_to(tmp_path, campaign, "transformer", "baseline", state="failed")
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"failed", "enter", "enter")
        await pilot.pause()
        lines = shown(app).splitlines()
        assert "failed" in lines[0] and "changed since the run was planned" in lines[1]


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
        await pilot.press("tab", "G", "enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)


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


def campaign_of_root(root: Path) -> str:
    (folder,) = Workspace(root).campaign_dirs()
    return folder.id


def offered(app: LvmApp) -> list[Action]:
    assert isinstance(app.screen, View)
    return list(actions(app.screen))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("jobs", "One more run at once"),
        ("campaigns", "Campaigns"),
        ("colour", "Colours: light or dark"),
        ("theme nord", "Theme nord"),
        ("csv", "Export the report"),
        ("quit", "Leave"),
    ],
)
async def test_the_palette_finds_actions_by_the_words_of_their_help(
    root: Path, make_app: MakeApp, typed: str, name: str
) -> None:
    before = campaign_of_root(root)
    make_campaign(root, models=("amn",), stamp="20261121_080000", created=1.0)
    app = make_app(root, campaign=before)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        hits = [hit async for hit in Actions(app.screen).search(typed)]
        assert any(str(hit.text).startswith(name) for hit in hits if isinstance(hit, CommandHit))


async def test_the_campaigns_of_the_workspace_are_listed_with_what_they_say(root: Path, make_app: MakeApp) -> None:
    before = campaign_of_root(root)
    make_campaign(root, models=("amn",), stamp="20261121_080000", created=1.0)
    app = make_app(root, campaign=before)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: "4 of 10 finished. So far" in shown(app) and "0 of 2 finished" in shown(app))
        assert "shown now" in shown(app)
        await pilot.press("down", "enter")
        app.look()
        await until(pilot, lambda: "0 of 2 finished" in shown(app) and isinstance(app.screen, BoardScreen))


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


async def test_every_action_has_a_name_in_the_palette(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        names = [action.name for action in offered(app)]
        for wanted in (
            "Find a run",
            "Pause or resume GRU 8k",
            "Pause all",
            "Resume all",
            "Cancel queued",
            "New campaign",
            "Leave",
        ):
            assert wanted in names
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"verdict")
        found = app.screen.query_one(CommandList)
        await until(pilot, lambda: found.option_count and "Verdict" in str(found.get_option_at_index(0).prompt))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, VerdictScreen))
        names = [action.name for action in offered(app)]
        assert "Sort by the next column" in names and "Follow the log" not in names
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"sort by")
        found = app.screen.query_one(CommandList)
        await until(pilot, lambda: found.option_count and "Sort" in str(found.get_option_at_index(0).prompt))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "sorted by model" in shown(app))


async def test_where_leaving_stops_the_runs_the_screen_says_so(
    root: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first process of a container."""
    monkeypatch.setattr("lvmtui.ui.app.ends_the_container", lambda: True)
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "q leave, runs stop with a checkpoint" in shown(app).splitlines()[-1])
        assert any("runs stop with a checkpoint" in action.hint for action in offered(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: "leave; the runs stop with a checkpoint" in shown(app))


async def test_orders_for_many(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.snapshot is not None
        folders = {run.name: run.view.folder for run in app.snapshot.runs}
        going = [run.view.folder.intent for run in app.snapshot.runs if not run.view.status.over]
        app.run_orders.pause_all()
        await until(pilot, lambda: all(read_intent(intent).want == "pause" for intent in going))
        app.look()
        app.run_orders.resume_all()
        await until(pilot, lambda: all(read_intent(f.intent).want == "run" for f in folders.values()))
        app.look()
        app.run_orders.cancel_queued()
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: read_intent(folders["transformer_8k_20261122_134500"].intent).want == "cancel")
        assert read_intent(folders["gru_8k_20261122_134500"].intent).want == "run"
        app.run_orders.change_jobs(1)
        await until(pilot, lambda: "up to 3 side by side" in shown(app))
        app.selected = "gru_23k_20261122_134500"
        app.run_orders.start_next()
        await until(pilot, lambda: "gru_23k_20261122_134500 first" in shown(app))


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


async def test_a_long_table_says_which_part_is_shown(tmp_path: Path, make_app: MakeApp) -> None:
    many(tmp_path, 40, "paused")
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "/40" in shown(app) and "model_000" in shown(app))
        await pilot.press("G")
        await until(pilot, lambda: "-40/40" in shown(app) and "model_039" in shown(app))


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
