"""The command palette: every action by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandList
from textual.command import Hit as CommandHit

from lvmtui.formats.paths import Workspace
from lvmtui.state.status import Phase
from lvmtui.ui.screens.palette import Actions
from lvmtui.ui.screens.verdict import VerdictScreen
from tests.factory import make_campaign
from tests.ui.conftest import MakeApp, offered, shown, until

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""


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
    (before,) = (folder.id for folder in Workspace(root).campaign_dirs())
    make_campaign(root, models=("amn",), stamp="20261121_080000", created=1.0)
    app = make_app(root, campaign=before)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        hits = [hit async for hit in Actions(app.screen).search(typed)]
        assert any(str(hit.text).startswith(name) for hit in hits if isinstance(hit, CommandHit))


async def test_every_action_has_a_name_in_the_palette(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        names = [action.title for action in offered(app)]
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
        names = [action.title for action in offered(app)]
        assert "Sort by the next column" in names and "Follow the log" not in names
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"sort by")
        found = app.screen.query_one(CommandList)
        await until(pilot, lambda: found.option_count and "Sort" in str(found.get_option_at_index(0).prompt))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "sorted by model" in shown(app))


async def test_of_a_run_only_what_it_allows_now_is_offered(root: Path, make_app: MakeApp) -> None:
    app = make_app(root)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        found = {}
        for run in app.snapshot.runs if app.snapshot else ():
            app.selected = run.name
            name = f" {run.title} {run.label}"
            found[run.phase] = {action.title.replace(name, "") for action in offered(app) if name in action.title}
        assert found[Phase.FINISHED] == {"Open"}
        assert found[Phase.RUNNING] == {"Open", "Pause or resume", "Cancel", "Cancel at once"}
        assert found[Phase.QUEUED] == {*found[Phase.RUNNING], "Start next"}
