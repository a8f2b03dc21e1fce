"""What a campaign of the workspace says, in a line or two."""

from __future__ import annotations

from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise
from lvmtui.ui.read.source import Source


def about(workspace: Workspace, folder: CampaignDir) -> str:
    """How far it has come and its answer, or why it cannot be read. Reads run folders, so it can take a moment."""
    try:
        snapshot = Source(workspace, folder.id, machine=lambda: None).look()
    except UserError as error:
        return sanitise(str(error), 300)
    if snapshot is None:
        return "cannot be read"
    return f"{snapshot.finished} of {len(snapshot.runs)} finished. {snapshot.answer}"
