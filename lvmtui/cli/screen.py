"""`lvmtui`, `lvmtui serve` and `lvmtui supervise`: the programs that stay."""

from __future__ import annotations

import argparse
import gc

from lvmtui.cli.shared import ExitCode, campaign_of, workspace_of
from lvmtui.formats.paths import Workspace
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import is_shared


def screen(given: argparse.Namespace) -> int:
    gc.disable()  # until the first picture: what is loaded stays
    from lvmtui.ui.start import run

    workspace = workspace_of(given)
    return run(workspace, campaign=_chosen(given, workspace), read_only=given.read_only, poll=is_shared(workspace.root))


def serve(given: argparse.Namespace) -> int:
    try:
        from lvmtui.ui.serve import serve as serve_screen
    except ImportError:
        raise UserError("serve: textual-serve is not installed; pip install 'lvmtui[serve]'") from None

    workspace = workspace_of(given)
    campaign = _chosen(given, workspace)
    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: not a port; give a number from 1 to 65535")
    serve_screen(workspace, campaign=campaign, port=given.port, control=given.control)
    return ExitCode.OK


def _chosen(given: argparse.Namespace, workspace: Workspace) -> str | None:
    """The id of the campaign that was named; None: the newest, whichever that will be."""
    return campaign_of(given, workspace).id if hasattr(given, "campaign") else None


def supervise(given: argparse.Namespace) -> int:
    from lvmtui.supervisor.supervisor import main as supervise_workspace

    return supervise_workspace(workspace_of(given))
