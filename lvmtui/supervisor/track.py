"""What a supervisor remembers of each run and campaign between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field

from lvmtui.formats.campaign import Campaign, PlannedRun
from lvmtui.formats.paths import CampaignDir, RunDir
from lvmtui.formats.started_with import StartedWith
from lvmtui.state.run_reader import RunReader, Signature
from lvmtui.state.run_state import RunState
from lvmtui.supervisor.engines import Settings
from lvmtui.supervisor.observation import RunSeen
from lvmtui.system.process_id import Identity


@dataclass
class Track:
    """A run with what this supervisor remembers of it. Times are of the supervisor's own clock."""

    planned: PlannedRun
    folder: RunDir
    reader: RunReader
    engine: str
    seen: RunSeen
    name: str = ""
    """Under which its engine finds it again."""
    settings: Settings = field(default_factory=dict)
    """What its campaign told its engine."""
    started_with: StartedWith | None = None
    """The Python and variables its campaign starts runs with."""
    state: RunState | None = None
    """What its folder says, lines that could not be written yet included."""
    named: tuple[Identity, ...] = ()
    """The processes its logs name."""
    look_at: float = 0.0
    """When it is looked at again at the latest."""
    read_at: float = float("-inf")
    """When its folder is read again at the latest, unless its engine sees something new."""
    intent: Signature = (0, 0, 0)
    ordered: float = 0.0
    """When its intent was first seen."""
    patience: float = 0.0
    """Seconds without a sign of progress that are normal."""
    spread: float = 0.5
    """Between 0 and 1; spreads the full looks at idle runs over several ticks."""
    gone: bool = False
    """Its folder cannot be read."""
    moved: tuple[object, float] = (None, 0.0)
    """Its signs of progress, and since when they have been the same."""
    over_since: float | None = None
    """Since when its trainer has been seen alive after its last word."""
    queued_again: object = None
    """Its last word, where its job was put back into the queue after it."""
    quiet_since: float | None = None
    asked: float | None = None
    """When it was asked to leave,"""
    asked_by: int = -1
    """under which order,"""
    insisted: float | None = None
    """and when it was killed."""
    later: float = float("-inf")
    """Not to be started before."""

    def touch(self) -> None:
        """Something was done to it: look at it in the next tick."""
        self.look_at = self.read_at = float("-inf")


@dataclass
class CampaignTrack:
    """A campaign with its runs."""

    dir: CampaignDir
    campaign: Campaign
    tracks: dict[str, Track]
    intent: Signature | None = None
    started_with: Signature | None = None
    order: list[Track] = field(default_factory=list)
    jobs: int = 1
