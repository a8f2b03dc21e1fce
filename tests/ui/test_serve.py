"""The screen in a browser: a real server, a real Chromium, and what a stranger without the token gets."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("textual_serve")

import aiohttp

from lvmtui.cli.commands import main
from tests.report.browser import needs_chromium
from tests.ui.devtools import opened
from tests.ui.showcase import end

SHOWN = "10 of 10 finished"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served").resolve()
    end(root)
    return root


@contextmanager
def served(root: Path, *options: str) -> Iterator[str]:
    """The address of a server, which is ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-P", "-m", "lvmtui", "serve", "--workspace", str(root), "--port", str(port), *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGINT)
        _, told = server.communicate(timeout=30)
        assert f"ssh -L {port}:127.0.0.1:{port} " in told and "Traceback" not in told


async def shown(socket: aiohttp.ClientWebSocketResponse, wanted: str) -> None:
    """Wait until the screen has drawn some text."""
    seen = ""
    async with asyncio.timeout(60):
        while wanted not in seen:
            message = await socket.receive()
            if isinstance(message.data, bytes):
                seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", message.data.decode("utf-8", "replace"))


async def test_who_has_the_address_sees_the_screen_and_changes_nothing(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with served(root) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as page:
                assert page.status == 200 and "default-src 'self'" in page.headers["Content-Security-Policy"]
                assert page.headers["Referrer-Policy"] == "no-referrer"
            async with session.ws_connect(f"{address}ws?width=120&height=40") as screen:
                await shown(screen, SHOWN)
                await screen.send_json(["stdin", "e"])
                await shown(screen, "lvmtui report")
                await screen.send_json(["stdin", "r"])
                await screen.send_json(["stdin", "v"])
                await shown(screen, "recency mean")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


async def test_ctrl_c_sends_an_open_page_away(root: Path) -> None:
    async with aiohttp.ClientSession() as session:
        with served(root) as address:
            screen = await session.ws_connect(f"{address}ws?width=80&height=24")
            await shown(screen, SHOWN)
        async with asyncio.timeout(10):
            while (await screen.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass


async def test_without_the_token_there_is_nothing(root: Path) -> None:
    with served(root) as address:
        base = address.rsplit("/", 2)[0]
        async with aiohttp.ClientSession() as session:
            for path in ("/", "/ws", "/static/js/textual.js", "/x" * 20, "/download/x"):
                async with session.get(base + path) as answer:
                    assert answer.status == 404, path


@needs_chromium
async def test_a_browser_draws_it(root: Path, tmp_path: Path) -> None:
    with served(root) as address:
        async with opened(address, tmp_path / "profile") as page:
            await page.until("document.body.classList.contains('-first-byte')")
            await page.until("!!document.querySelector('.textual-terminal.-connected canvas')")
            blank = await page.picture()
            await page.press("v")
            async with asyncio.timeout(60):
                while await page.picture() == blank:
                    await asyncio.sleep(0.2)
            hosts = "performance.getEntriesByType('resource').map(one => new URL(one.name).host).join()"
            assert set((await page.evaluate(hosts)).split(",")) <= {address.split("/")[2], "fonts.googleapis.com"}


def test_mistakes_are_one_line(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", "--workspace", str(root), "--port", port]) == 2
    assert f"--port {port}: cannot be used" in capsys.readouterr().err
    assert main(["serve", "--workspace", str(root), "--port", "70000"]) == 2
    assert "--port 70000: not a port" in capsys.readouterr().err
    for name in ("lvmtui.ui.serve", "textual_serve.server"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["serve", "--workspace", str(root)]) == 2
    assert "pip install 'lvmtui[serve]'" in capsys.readouterr().err
    assert os.environ.get("TEXTUAL_DRIVER") is None
