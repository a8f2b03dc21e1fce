"""The screen in a browser, on this machine only. Needs `lvmtui[serve]`.

Every visitor gets a screen of their own. The address holds a random token: without it there is nothing but 404.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import sys
from typing import Any

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from lvmtui.formats.paths import Workspace
from lvmtui.system.errors import UserError
from lvmtui.system.launch import our_command
from lvmtui.system.process_id import host_name

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds a screen may take to leave before it is killed
HEADERS = {
    # the page of textual-serve asks another server for a font
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' data: blob: ws:",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def serve(workspace: Workspace, *, campaign: str | None, port: int, control: bool) -> None:
    """Serve until ctrl-c. `control`: with the keys that change things. Raises UserError if the port is taken."""
    _check_free(port)
    options = ["--workspace", os.fspath(workspace.root)]
    options += [] if control else ["--read-only"]
    options += ["--campaign", campaign] if campaign else []
    _Server(shlex.join(our_command("lvmtui", *options)), secrets.token_urlsafe(24), port, control=control).serve()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UserError(f"--port {port}: cannot be used ({error.strerror}); name another, such as 8718") from None


class _Server(Server):
    """textual-serve's server with everything below a token."""

    def __init__(self, command: str, token: str, port: int, *, control: bool) -> None:
        super().__init__(command, host=HOST, port=port, title="lvmtui")
        self._token = token
        self._control = control
        self._visitors: set[web.WebSocketResponse] = set()

    def serve(self, debug: bool = False) -> None:
        """Until ctrl-c. Requests are not logged: their lines would hold the token."""
        web.run_app(self._make_app(), host=self.host, port=self.port, print=self._listening, access_log=None)

    async def _make_app(self) -> web.Application:
        outer = web.Application()
        outer.add_subapp(f"/{self._token}", await super()._make_app())
        outer.on_response_prepare.append(_add_headers)
        return outer

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is said before the port listens."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Send every visitor away: open pages would hold the server for a minute."""
        await asyncio.gather(*(visitor.close() for visitor in self._visitors))

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        """Serve one visitor, and see that visitor's screen end while the event loop can still be told of it."""
        self._visitors.add(websocket)
        try:
            await super()._process_messages(websocket, app_service)
        finally:
            self._visitors.discard(websocket)
            await _end(app_service)

    def _listening(self, *words: object) -> None:
        what = "everything can be changed there" if self._control else "read-only; --control adds the keys that change"
        print(f"http://{HOST}:{self.port}/{self._token}/", flush=True)
        print(
            f"the screen, for whoever has this address; {what}\n"
            f"from another machine: ssh -L {self.port}:{HOST}:{self.port} {host_name()}, then the same address there\n"
            "ctrl-c ends it; the runs go on",
            file=sys.stderr,
            flush=True,
        )


async def _end(app_service: AppService) -> None:
    screen = app_service._process
    assert screen is not None
    try:
        async with asyncio.timeout(PATIENCE):
            await app_service.stop()
            await screen.wait()
    except TimeoutError:
        screen.kill()
        await screen.wait()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> Any:
    response.headers.update(HEADERS)
