"""The view of one run: its log, its panes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from tests.factory import bring_to
from tests.ui.conftest import MakeApp, campaign_of, shown, until
from tests.ui.showcase import log_lines, middle

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""


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
