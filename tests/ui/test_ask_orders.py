"""Orders from the keyboard, read back from the run folders: the screen carries nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.intent import Intent, read_intent
from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.screens.board import BoardScreen
from lvmtui.ui.widgets.dialogs import AskDialog
from tests.factory import bring_to
from tests.ui.conftest import MakeApp, campaign_of, shown, until

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""


def intent(app: LvmApp) -> Intent:
    assert app.snapshot is not None
    run = app.snapshot.run(app.selected)
    assert run is not None
    return read_intent(run.view.folder.intent)


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
        assert "Cancel GRU 8k?" in words and "checkpoint of step" in words and "on this machine" in words
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


async def test_a_trainer_that_starts_has_made_no_step(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    bring_to(root, campaign_of(app), "transformer", "expanded", state="starting")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash", *"starting", "enter", "x")
        await until(pilot, lambda: "Cancel Transformer 23k?" in shown(app))
        assert "it has made no step yet" in shown(app) and "it has not started" not in shown(app)


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


async def test_without_a_checkpoint_one_starts_over(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    campaign = campaign_of(app)
    bring_to(root, campaign, "transformer", "expanded", state="failed", fraction=0.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"failed", "enter", "r")
        await until(pilot, lambda: "Try Transformer 23k again?" in shown(app))
        assert "There is no checkpoint to go on from." in shown(app) and "s from the start" in shown(app)
        assert "from the checkpoint" not in shown(app) and "has learned" not in shown(app)


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
