"""What `lvmtui campaigns` prints: the campaigns of a workspace, the newest first."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lvmtui.cli.shared import ExitCode, workspace_of
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.models import title_of
from lvmtui.state.campaign_reader import CampaignState, campaign_or_fault
from lvmtui.system.numbers import date, plural
from lvmtui.system.text import aligned, sanitise
from lvmtui.verdict.answer import answer
from lvmtui.verdict.ranking import Judgement


def campaigns(given: argparse.Namespace) -> int:
    workspace = workspace_of(given)
    print(json.dumps(campaigns_as_json(workspace), indent=1) if given.json else campaigns_as_text(workspace))
    return ExitCode.OK


def campaigns_as_text(workspace: Workspace) -> str:
    """Two lines for each campaign: what it is and how far it has come, then what it says."""
    rows, said = [], []
    for folder, state in _read(workspace):
        if isinstance(state, str):
            rows.append((folder.id, "", "", "cannot be read"))
            said.append(state)
        else:
            campaign = state.campaign
            alone = sanitise(title_of(campaign.models[0], campaign.titles), 60)
            models = plural(len(campaign.models), "model") if len(campaign.models) > 1 else alone
            what = f"{models}, {plural(len(campaign.seeds), 'seed')}"
            rows.append((folder.id, date(campaign.created)[:16], what, state.progress_words))
            said.append(answer(Judgement(state).table))
    if not rows:
        return f"{workspace.root}: no campaign here; start one with 'lvmtui demo' or 'lvmtui run'"
    lines = [line for row, words in zip(aligned(rows), said, strict=True) for line in (row, f"    {words}")]
    return "\n".join([*lines, "", "name one with --campaign and its id, or part of it; commands mean the newest"])


def campaigns_as_json(workspace: Workspace) -> dict[str, Any]:
    """The same for programs: a list under `campaigns`, the newest first."""
    return {"version": 1, "campaigns": [_as_json(folder.id, state) for folder, state in _read(workspace)]}


def _as_json(id: str, state: CampaignState | str) -> dict[str, Any]:
    if isinstance(state, str):
        return {"campaign": id, "fault": state}
    return {
        "campaign": id,
        "created": state.campaign.created,
        "models": list(state.campaign.models),
        "seeds": list(state.campaign.seeds),
        "runs": Counter(view.status.phase.value for view in state.runs),
        "settled": not state.needs_supervisor,
        "answer": answer(Judgement(state).table),
    }


def _read(workspace: Workspace) -> Iterator[tuple[CampaignDir, CampaignState | str]]:
    """Each campaign, the newest first."""
    return ((folder, campaign_or_fault(folder)) for folder in reversed(workspace.campaign_dirs()))
