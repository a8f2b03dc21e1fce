"""Screens with a clock that stands still, over campaigns made for the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import SystemCommand
from textual.pilot import Pilot
from textual.screen import ModalScreen

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.ui.app import LvmApp
from lvmtui.ui.read.machine import MachineFigures
from lvmtui.ui.screens.palette import actions
from lvmtui.ui.screens.view import View
from tests.ui.showcase import NOW, middle

MACHINE = MachineFigures(96.0, 3.1 * 2**30, 24 * 2**30)
MakeApp = Callable[..., LvmApp]


@pytest.fixture(autouse=True)
def greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times on the screens are local; the tests' are UTC. What the outer terminal is must not matter either."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "LVMTUI_GLYPHS"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def make_app() -> MakeApp:
    def make(root: Path, **options: object) -> LvmApp:
        return LvmApp(
            Workspace(root),
            clock=lambda: NOW,
            live=False,
            machine=lambda: MACHINE,
            **options,  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with a campaign under way."""
    middle(tmp_path)
    return tmp_path


@pytest.fixture
def ensured(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    """No supervisor is started; how often one was wished for is noted."""
    wished: list[Workspace] = []
    monkeypatch.setattr("lvmtui.supervisor.lock.ensure_supervisor", wished.append)
    return wished


def shown(app: LvmApp) -> str:
    """The text on the terminal; of a dialog, its box."""
    region = app.screen.children[0].region if isinstance(app.screen, ModalScreen) else app.screen.region
    lines = [strip.crop(region.x, region.right).text.rstrip() for strip in app.screen._compositor.render_strips()]
    return "\n".join(lines[region.y : region.bottom])


def campaign_of(app: LvmApp) -> Campaign:
    """The campaign that the app shows."""
    snapshot = app.source.look()
    assert snapshot is not None
    return snapshot.state.campaign


def offered(app: LvmApp) -> list[SystemCommand]:
    """What the palette offers now."""
    assert isinstance(app.screen, View)
    return list(actions(app.screen))


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Wait for what threads and timers do."""
    for _ in range(400):
        await pilot.pause()
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come true")
