"""What `lvmtui campaigns` prints: the campaigns of a workspace, the newest first."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lvmtui.cli.ending import read_table
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.state.status import Phase
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import date, plural
from lvmtui.system.text import aligned, sanitise
from lvmtui.verdict.answer import answer


def campaigns_as_text(workspace: Workspace) -> str:
    """Two lines for each campaign: what it is and how far it has come, then what it says."""
    found = [(folder, _read(workspace, folder)) for folder in reversed(workspace.campaign_dirs())]
    if not found:
        return f"{workspace.root}: no campaign here; start one with 'lvmtui demo' or 'lvmtui run'"
    rows = []
    for folder, state in found:
        if isinstance(state, UserError):
            rows.append((folder.id, "", "", "cannot be read"))
        else:
            campaign = state.campaign
            what = f"{plural(len(campaign.models), 'model')}, {plural(len(campaign.seeds), 'seed')}"
            rows.append((folder.id, date(campaign.created)[:16], what, progress_words(state)))
    said = [str(state) if isinstance(state, UserError) else answer(read_table(state)) for _, state in found]
    lines = [line for pair in zip(aligned(rows), (f"    {words}" for words in said), strict=True) for line in pair]
    return "\n".join([*lines, "", "name one with --campaign and its id, or part of it; commands mean the newest"])


def campaigns_as_json(workspace: Workspace) -> dict[str, Any]:
    """The same for programs: a list under `campaigns`, the newest first."""
    listed: list[dict[str, Any]] = []
    for folder in reversed(workspace.campaign_dirs()):
        state = _read(workspace, folder)
        if isinstance(state, UserError):
            listed.append({"campaign": folder.id, "fault": str(state)})
            continue
        phases = Counter(view.status.phase.value for view in state.runs)
        listed.append(
            {
                "campaign": folder.id,
                "created": state.campaign.created,
                "models": list(state.campaign.models),
                "seeds": list(state.campaign.seeds),
                "runs": dict(phases),
                "settled": state.settled,
                "answer": answer(read_table(state)),
            }
        )
    return {"version": 1, "campaigns": listed}


def progress_words(state: CampaignState) -> str:
    """`10 of 10 runs finished`; `3 of 10 runs finished, 2 running, 5 queued`."""
    phases = Counter(view.status.phase for view in state.runs)
    done = phases.pop(Phase.FINISHED, 0)
    rest = (f"{count} {phase.value}" for phase, count in phases.items())
    return ", ".join([f"{done} of {plural(len(state.runs), 'run')} finished", *rest])


def _read(workspace: Workspace, folder: CampaignDir) -> CampaignState | UserError:
    try:
        return CampaignReader(workspace, folder).refresh()
    except UserError as error:
        return UserError(sanitise(str(error), 300))
