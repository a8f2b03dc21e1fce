"""Looks for changed files where the kernel reports none: on file systems that other hosts write to.

The cost of a look does not grow with the number of runs. The supervisor's heartbeat names the runs it acted on. Beyond
those, each look checks the next `AT_ONCE` run folders in turn; with fewer runs than that it checks all of them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.state.liveness import PulseReader
from lvmtui.system.filesystem import Seen

AT_ONCE = 50
"""Run folders checked in one look."""


class Polling:
    """What changed in a workspace since the last look."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._pulse = PulseReader(workspace.pulse)
        self._seen = Seen()
        self._runs: list[RunDir] = []
        self._turn = 0
        self._newest: list[CampaignDir] = []
        self.changes()
        for run in self._runs:
            self._note(run)

    def changes(self) -> set[str]:
        """Paths of files that changed, appeared or vanished since the last call."""
        workspace, changed = self._workspace, set[str]()
        newest = workspace.campaign_dirs()[-1:]
        if newest != self._newest:
            self._newest = newest
            changed |= {str(folder.campaign) for folder in newest}
        if self._seen.changed(workspace.models):
            self._runs = []
            with suppress(OSError):
                self._runs = [RunDir(path) for path in workspace.models.iterdir() if not path.name.startswith(".")]
            changed.add(str(workspace.models / "run"))
        few = (path for of in newest for path in (of.comparisons, of.baselines, of.intent, of.report))
        changed |= {str(path) for path in (workspace.supervisor, *few) if self._seen.changed(path)}
        changed |= {str(RunDir(workspace.models / run).events) for run in self._pulse.refresh()}
        first = self._turn if self._turn < len(self._runs) else 0
        self._turn = first + AT_ONCE
        for run in self._runs[first : self._turn]:
            changed |= {str(path) for path in self._note(run)}
        return changed

    def _note(self, run: RunDir) -> list[Path]:
        return [path for path in (run.events, run.supervision, run.intent, run.spec) if self._seen.changed(path)]
