"""Makes the pictures of README and docs: the real screen over a real demo, half way and at its end, light and dark.

python docs/screenshots.py [FOLDER] [--workspace DIR]

FOLDER: where the SVG files go, default docs/screenshots. DIR: a workspace with a finished demo, of which the pictures
of the end are made; by default a demo is trained now, which takes some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from textual.pilot import Pilot

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, newest_campaign
from lvmtui.state.status import Phase
from lvmtui.ui.app import LvmApp
from lvmtui.ui.screens.view import View
from lvmtui.ui.widgets.canvas import Canvas

SIZES = ((80, 24), (100, 30), (120, 40), (160, 45), (200, 50))
MIDDLE: tuple[tuple[str, tuple[int, int], tuple[str, ...]], ...] = (
    *((f"board-{width}x{height}", (width, height), ()) for width, height in SIZES),
    ("run", (120, 40), ("enter",)),
    ("new", (100, 30), ("n",)),
)
"""Name, size, keys pressed before the picture is taken."""
END: tuple[tuple[str, tuple[int, int], tuple[str, ...]], ...] = (
    *((f"end-{width}x{height}", (width, height), ()) for width, height in SIZES),
    *((f"verdict-{width}x{height}", (width, height), ("v",)) for width, height in SIZES),
    ("report", (120, 40), ("v", "tab")),
)
THEMES = {"dark": "textual-dark", "light": "textual-light"}
HALF_WAY = 5
"""Finished runs of the demo's ten from which its middle is pictured."""
UNFINISHED = ("making the plan", "reading", "calibrating")
"""Words of a picture that is not complete yet."""


async def pictures(root: Path, size: tuple[int, int], keys: Sequence[str]) -> dict[str, str]:
    """The SVG of one screen in each theme."""
    app = LvmApp(Workspace(root), live=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        app.look()
        await pilot.press(*keys)
        await _complete(app, pilot)
        found = {}
        for name, theme in THEMES.items():
            app.theme = theme
            if isinstance(app.screen, View):
                app.look()
            await pilot.pause(0.5)
            found[name] = app.export_screenshot(title="lvmtui")
        return found


async def _complete(app: LvmApp, pilot: Pilot[int]) -> None:
    """Wait until no part of the screen is still being made."""
    for _ in range(300):
        await pilot.pause(0.1)
        shown = " ".join(canvas.text for canvas in app.screen.query(Canvas))
        if not any(words in shown for words in UNFINISHED):
            return


def make(root: Path, wanted: Sequence[tuple[str, tuple[int, int], tuple[str, ...]]], folder: Path) -> None:
    for name, size, keys in wanted:
        for theme, svg in asyncio.run(pictures(root, size, keys)).items():
            path = folder / f"{name}-{theme}.svg"
            path.write_text(svg)
            print(path, flush=True)


def state_of(root: Path) -> CampaignState:
    workspace = Workspace(root)
    return CampaignReader(workspace, newest_campaign(workspace)).refresh()


def wait_until(root: Path, finished: int | None) -> None:
    """Wait until so many runs have finished; None: until the campaign is over and its report is written."""
    while True:
        state = state_of(root)
        if finished is None and state.settled and state.dir.report.exists():
            return
        if finished is not None and sum(run.status.phase is Phase.FINISHED for run in state.runs) >= finished:
            return
        time.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "screenshots")
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # its supervisor may still write
        root = given.workspace or Path(scratch)
        if given.workspace is None:
            command = [sys.executable, "-P", "-m", "lvmtui", "demo", "--detach", "--workspace", scratch]
            subprocess.run(command, check=True)
            wait_until(root, HALF_WAY)
            make(root, MIDDLE, given.folder)
        wait_until(root, None)
        make(root, END, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
