"""The report is exported: what was begun ends, and is said, whatever is pressed meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lvmtui.ui import child
from lvmtui.ui.widgets.field import Field, OneOf
from tests.ui.conftest import MakeApp, shown, until
from tests.ui.showcase import end

pytestmark = pytest.mark.usefixtures("ensured")
"""No supervisor is started."""

SLOW = """
import pathlib, sys, time
go = pathlib.Path(sys.argv[0]).with_name("go")
while not go.exists():
    time.sleep(0.02)
if go.read_text():
    sys.exit(go.read_text())
pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text("the report")
"""
"""In the place of our commands: writes when it may, or says why not."""


@pytest.mark.parametrize("fault", ["", "lvmtui: out.md: cannot be written; name another file"])
async def test_who_leaves_while_it_writes_is_told_what_comes_of_it(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    slow, out = tmp_path / "slow.py", tmp_path / "out.md"
    slow.write_text(SLOW)
    monkeypatch.setattr(child, "COMMAND", (sys.executable, os.fspath(slow)))
    end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("e", "ctrl+u", *str(out), "enter")
        await until(pilot, lambda: "writing" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "still writing" in shown(app))
        (tmp_path / "going").write_text(fault)
        (tmp_path / "going").rename(tmp_path / "go")  # whole at once, or the child reads an empty one
        await until(pilot, lambda: ("cannot be written; name another" if fault else "report written to") in shown(app))
        if fault:
            await pilot.press("escape")
        await until(pilot, lambda: "Export the report" not in shown(app))
    assert out.exists() is not bool(fault)


async def test_format_and_ending_of_the_path_follow_each_other(tmp_path: Path, make_app: MakeApp) -> None:
    end(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("e", "ctrl+u", *"mine.html")
        await until(pilot, lambda: app.screen.query_one(OneOf).value == "html")
        await pilot.press("tab")
        await until(
            pilot, lambda: app.screen.query_one(Field).value.startswith("mine.") and "mine.html" not in shown(app)
        )
        assert app.screen.query_one(Field).value == f"mine.{app.screen.query_one(OneOf).value}"
