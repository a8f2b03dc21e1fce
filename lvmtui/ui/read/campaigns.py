"""What other campaigns of the workspace say, and which of them concern a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lvmtui.formats.json_codec import encode
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise
from lvmtui.ui.read.source import SnapshotSource

MOST = 5
"""How many of the newest campaigns are read."""


def conflicts(workspace: Workspace, planned: Mapping[str, Any]) -> list[str]:
    """What to know about other campaigns before starting this one, a sentence each, the newest first.

    `planned`: the `campaign` object of the plan. Reads run folders, so it can take a moment.
    """
    said = []
    for folder in reversed(workspace.campaign_dirs()[-MOST:]):
        try:
            state = CampaignReader(workspace, folder).refresh()
        except UserError:
            continue
        campaign = state.campaign
        name = f"{sanitise(campaign.title, 60)} of {words.date(campaign.created)[:-3]}"
        same = all(_vectors(encode(campaign.arm(arm))) == _vectors(planned[arm]) for arm in ARMS)
        if not state.settled:
            what = "compares the same vectors and goes on" if same else "goes on"
            said.append(f"{name} {what}; a new campaign starts when it is over")
        elif same:
            said.append(f"{name} has compared the same vectors already")
    return said


def _vectors(arm: Mapping[str, Any]) -> tuple[object, object]:
    """Fingerprint and rows: equal for equal vectors."""
    return arm["data"]["fingerprint"], arm["data"]["rows"]


def about(workspace: Workspace, folder: CampaignDir) -> str:
    """How far it has come and its answer, or why it cannot be read. Reads run folders, so it can take a moment."""
    try:
        snapshot = SnapshotSource(workspace, folder.id, machine=lambda: None).look()
    except UserError as error:
        return sanitise(str(error), 300)
    if snapshot is None:
        return "cannot be read"
    return f"{snapshot.finished} of {len(snapshot.runs)} finished. {snapshot.answer}"
