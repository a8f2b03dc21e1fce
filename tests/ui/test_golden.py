"""Pictures of the screens as text, at three sizes, with a clock that stands still.

They are plain text and not SVG: a change is read in a diff, and another release of Textual does not change them
(docs/decisions). LVMTUI_RENEW=1 writes them anew; look at the diff before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.system.process_id import host_name
from lvmtui.ui.screens.view import View
from tests.ui.conftest import MakeApp, shown
from tests.ui.showcase import end, middle, supervise

GOLDEN = Path(__file__).parent / "golden"
SIZES = [(80, 24), (120, 40), (200, 60)]
VIEWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "board": ("middle", ()),
    "run": ("middle", ("enter",)),
    "run_facts": ("middle", ("enter", "3")),
    "run_events": ("middle", ("enter", "4")),
    "collapsed": ("middle", ("G", "up", "enter")),
    "verdict": ("end", ("v",)),
    "help": ("middle", ("question_mark",)),
    "cancel": ("middle", ("x",)),
    "end": ("end", ()),
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    found = {}
    patch = pytest.MonkeyPatch()
    patch.setenv("LVMTUI_HOST", "analytical")
    host_name.cache_clear()
    for make in (middle, end):
        found[make.__name__] = root = tmp_path_factory.mktemp("w")
        campaign = make(root)
        if make is end:
            Workspace(root).campaign(campaign.id).report.write_text("# done\n")
        supervise(root)
    yield found
    patch.undo()
    host_name.cache_clear()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", VIEWS)
async def test_looks_as_it_did(roots: dict[str, Path], make_app: MakeApp, name: str, size: tuple[int, int]) -> None:
    campaign, pressed = VIEWS[name]
    app = make_app(roots[campaign])
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*pressed)
        await pilot.pause()
        if isinstance(app.screen, View):
            app.look()
        await pilot.pause()
        text = _steady(shown(app), roots[campaign])
    path = GOLDEN / f"{name}_{size[0]}x{size[1]}.txt"
    if os.environ.get("LVMTUI_RENEW"):
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()


def _steady(text: str, root: Path) -> str:
    """The text without what differs from run to run: process numbers and folders; and without trailing blanks."""
    folder = str(root)[:12]
    lines = []
    for line in text.splitlines():
        line = re.sub(r"(process +)\d+", r"\1PID", line)
        if "PID" in line or folder in line:
            line = " ".join(line.split(folder)[0].split())
            line = re.sub(r"PID and \d+ child(ren)?", "PID", line)  # what other tests of this process have open
        lines.append(line.rstrip())
    return "\n".join(lines).rstrip()
