"""`lvmtui`, `lvmtui serve` and `lvmtui supervise`: the programs that stay."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from lvmtui.cli.shared import ExitCode, campaign_of, program, workspace_of
from lvmtui.supervisor.container import leave
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import is_shared


def screen(given: argparse.Namespace) -> int:
    """Show the screen on this terminal, and say what goes on when its user leaves."""
    gc.disable()  # until the first picture: what is loaded stays
    from lvmtui.system.logging import log_to
    from lvmtui.ui.app import LvmApp
    from lvmtui.ui.terminal import in_browser

    workspace = workspace_of(given)
    campaign = _chosen(given)
    if not in_browser():  # a browser says itself how large it is
        if not all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__)):
            raise UserError("the screen needs a terminal; 'lvmtui status' and 'lvmtui attach --headless' do not")
        if os.environ.get("TERM") in ("dumb", "unknown"):
            fault = "TERM names a terminal that cannot be drawn on"
            raise UserError(f"{fault}; 'lvmtui attach --headless' needs no drawing")
        for name in ("COLUMNS", "LINES"):  # exported somewhere above us, they would stand for the size for ever
            os.environ.pop(name, None)
    log_to(None if given.read_only else workspace.screen_log)
    app = LvmApp(workspace, campaign=campaign, read_only=given.read_only, poll=is_shared(workspace.root))
    app.run()
    app.source.stop()
    app.departure.left()
    words = leave(workspace, f"the runs go on; come back with '{program(workspace)}'")
    if app.departure.signal is not None:
        return 128 + app.departure.signal
    if app.snapshot is not None and not app.snapshot.state.settled:
        print(words, file=sys.stderr)
    return app.return_code or ExitCode.OK


def serve(given: argparse.Namespace) -> int:
    try:
        from lvmtui.ui.serve import serve as serve_screen
    except ImportError:
        raise UserError("serve: textual-serve is not installed; pip install 'lvmtui[serve]'") from None

    workspace = workspace_of(given)
    campaign = _chosen(given)
    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: not a port; give a number from 1 to 65535")
    serve_screen(workspace, campaign=campaign, port=given.port, control=given.control)
    return ExitCode.OK


def _chosen(given: argparse.Namespace) -> str | None:
    """The id of the campaign that was named; None: the newest, whichever that will be."""
    return campaign_of(given).id if hasattr(given, "campaign") else None


def supervise(given: argparse.Namespace) -> int:
    from lvmtui.supervisor.supervisor import main as supervise_workspace

    return supervise_workspace(workspace_of(given))
