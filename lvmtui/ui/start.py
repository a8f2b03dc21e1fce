"""Opens the screen on this terminal, and says what goes on when it is left."""

from __future__ import annotations

import os
import sys

from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.container import leave
from lvmtui.system.errors import UserError
from lvmtui.system.logging import log_to
from lvmtui.ui.app import LvmApp
from lvmtui.ui.terminal import in_browser


def run(workspace: Workspace, *, campaign: str | None, read_only: bool, poll: bool) -> int:
    """Show the screen until its user leaves. Returns the command's exit code.

    Raises UserError where there is no terminal to draw on.
    """
    served = in_browser()  # it says itself how large it is
    if not served and not all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__)):
        raise UserError("the screen needs a terminal; 'lvmtui status' and 'lvmtui attach --headless' do not")
    if not served and os.environ.get("TERM") in ("dumb", "unknown"):
        raise UserError("TERM names a terminal that cannot be drawn on; 'lvmtui attach --headless' needs no drawing")
    if not served:
        for name in ("COLUMNS", "LINES"):  # exported somewhere above us, they would stand for the size for ever
            os.environ.pop(name, None)
    log_to(None if read_only else workspace.screen_log)
    app = LvmApp(workspace, campaign=campaign, read_only=read_only, poll=poll)
    app.run()
    app.source.stop()
    app.departure.left()
    words = leave(workspace, "the runs go on; come back with 'lvmtui'")
    if app.departure.signal is not None:
        return 128 + app.departure.signal
    if app.snapshot is not None and not app.snapshot.settled:
        print(words, file=sys.stderr)
    return app.return_code or 0
