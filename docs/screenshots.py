"""Makes the pictures in README: the real screens over simulated campaigns, with a clock that stands still.

python docs/screenshots.py [FOLDER]      SVG files, default docs/screenshots
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.read.machine import MachineFigures
from lvmtui.ui.screens.view import View
from lvmtui.ui.widgets.canvas import Canvas
from tests.ui.showcase import NOW, end, middle, supervise

PICTURES: tuple[tuple[str, str, tuple[int, int], tuple[str, ...]], ...] = (
    ("board", "middle", (120, 40), ()),
    ("board-80x24", "middle", (80, 24), ()),
    ("run", "middle", (120, 40), ("enter",)),
    ("cancel", "middle", (100, 30), ("x",)),
    ("verdict", "end", (120, 32), ("v",)),
    ("report", "end", (120, 40), ("v", "tab")),
    ("new", "middle", (100, 30), ("n",)),
)
"""Name, campaign, size, keys pressed before the picture is taken."""
UNFINISHED = ("making the plan", "reading")
"""Words of a picture that is not complete yet."""
MACHINE = MachineFigures(96.0, 3.1 * 2**30, 24 * 2**30)


async def picture(root: Path, size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """The SVG of one screen."""
    app = LvmApp(Workspace(root), clock=lambda: NOW, live=False, machine=lambda: MACHINE)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        app.look()
        await pilot.press(*keys)
        await pilot.pause(0.5)
        for _ in range(600):
            if not any(words in app.screen.query_one(Canvas).text for words in UNFINISHED):
                break
            await pilot.pause(0.1)
        if isinstance(app.screen, View):
            app.look()
        await pilot.pause(0.5)
        return app.export_screenshot(title="lvmtui")


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path(__file__).parent / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as scratch:
        roots = {name: Path(scratch) / name for name in ("middle", "end")}
        for name, make in (("middle", middle), ("end", end)):
            roots[name].mkdir()
            make(roots[name])
            supervise(roots[name])
        for name, campaign, size, keys in PICTURES:
            svg = asyncio.run(picture(roots[campaign], size, keys))
            (folder / f"{name}.svg").write_text(svg)
            print(folder / f"{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
