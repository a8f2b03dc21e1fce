"""What changed on disk, as hints for the screen: which runs, the campaign, or the list of campaigns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.paths import RunDir, Workspace

STEP = 30
"""Milliseconds for which notifications are collected: how late a change is seen."""
IDLE_STEP = 100
"""The same while nothing runs; each step wakes the processor."""


@dataclass
class Hints:
    """What may have changed since the last read."""

    runs: set[str] = field(default_factory=set)
    """Names of runs with a change that is shown at once."""
    later: set[str] = field(default_factory=set)
    """Names of changed runs that are not on the screen; they wait for the next tick."""
    digits: bool = False
    """Live digits or a log changed; that waits for the next tick."""
    campaign: bool = False
    campaigns: bool = False
    """A folder of a campaign or run appeared or went."""

    @property
    def urgent(self) -> bool:
        return bool(self.runs) or self.campaign or self.campaigns


@dataclass(frozen=True)
class Places:
    """The folders of a campaign, to tell what a changed path means."""

    workspace: Workspace
    campaign: Path | None
    runs: dict[str, str]
    """Path of a run folder -> name of the run."""

    @property
    def roots(self) -> list[Path]:
        """Folders to watch; run folders of other workspaces among them."""
        lvm = self.workspace.lvm
        return [lvm, *sorted({Path(p) for p in self.runs if not Path(p).is_relative_to(lvm)})]

    def sort(self, paths: Iterable[str], hints: Hints) -> None:
        """Add what `paths` mean to `hints`."""
        campaign = str(self.campaign) if self.campaign else None
        campaigns, models = str(self.workspace.campaigns), str(self.workspace.models)
        supervisor = str(self.workspace.supervisor)
        for path in paths:
            folder, _, name = path.rpartition("/")
            run = self.runs.get(folder)
            if run is not None:
                if name in _DIGITS:
                    hints.digits = True
                elif name in _TOLD:
                    hints.runs.add(run)
            elif path in self.runs:
                hints.runs.add(self.runs[path])
            elif folder in (models, campaigns) or name == "campaign.json":
                hints.campaigns = True
            elif path == supervisor or (campaign and path.startswith(campaign) and not name.startswith(".")):
                hints.campaign = True


_NAMES = RunDir(Path())
_DIGITS = {_NAMES.progress.name, _NAMES.log.name}
_TOLD = {_NAMES.events.name, _NAMES.supervision.name, _NAMES.intent.name, _NAMES.spec.name}
