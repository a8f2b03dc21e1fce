"""What a supervisor sees of runs at one moment, and what it remembers of them between two looks.

What it sees is frozen, so that a decision can be read and tested without a process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from lvmtui.formats.campaign import Campaign, PlannedRun
from lvmtui.formats.paths import CampaignDir, RunDir
from lvmtui.formats.started_with import StartedWith
from lvmtui.state.attempt import Attempt, newest_attempt
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Life, Phase, Status, status_of
from lvmtui.supervisor.engine import NOBODY, Member, Probe, Settings
from lvmtui.system.filesystem import Signature
from lvmtui.system.process_id import Identity

NO_FOLDER = "the run folder is gone"


@dataclass(frozen=True)
class Asked:
    """The run was asked to leave."""

    seconds: float
    """How many seconds ago."""
    insisted: float | None
    """How many seconds ago it was killed; None: not yet."""


@dataclass(frozen=True)
class RunSeen:
    """One run at one moment."""

    name: str
    state: RunState | None
    """What its folder says, lines that could not be written yet included; None: the folder cannot be read."""
    host: str
    boot: str
    """Of the machine the supervisor runs on."""
    probe: Probe = NOBODY
    stalled: bool = False
    lacks_steps: bool = False
    """No sign of progress for well over what is usual."""
    still: float = 0.0
    """Seconds without a sign of progress."""
    overtime: float | None = None
    """Seconds that it has been alive since it logged how it ended."""
    quiet: float = 0.0
    """Seconds without a process."""
    later: bool = False
    """It could not be started a moment ago, and is tried again later."""
    room: int | None = None
    """Bytes free on its disk, looked at only while it waits for them."""
    last_words: str = ""
    """The last line of its log, looked at only when it died; the last two if no trainer of it has logged a start."""
    asked: Asked | None = None
    ordered: float = 0.0
    """Seconds since the order that holds was first seen."""

    @cached_property
    def attempt(self) -> Attempt | None:
        return newest_attempt(self.state) if self.state else None

    @cached_property
    def trainer(self) -> Member | None:
        """The living process that trains, or starts to."""
        if self.state is None or not self.probe.members:
            return None
        started, supervision = self.state.trainer.started, self.state.supervision
        named = {supervision.process, started.process if started else None}
        job = started.launch if started else ""  # the job whose trainer said that it started
        leaders = [
            m for m in self.probe.members if m.identity in named or (m.identity.is_job and job and m.launch == job)
        ]
        if leaders:
            return max(leaders, key=lambda m: (m.identity.start_ticks, m.identity.pid))
        # nobody the logs name lives: a start that was not written down, or children that outlived their trainer
        if self.unsettled:
            return None
        fresh = [m for m in self.probe.members if m.leader and m.launch != supervision.launch]
        return min(fresh, key=lambda m: m.identity.start_ticks, default=None)

    @property
    def alive(self) -> bool:
        return bool(self.probe.members)

    @property
    def waits(self) -> bool:
        """It is in a cluster's queue, so no process could receive a signal yet."""
        return self.alive and all(member.waiting for member in self.probe.members)

    @cached_property
    def life(self) -> Life:
        if self.alive:
            return Life.WAITING if self.waits else Life.STALLED if self.stalled else Life.ALIVE
        attempt = self.attempt
        if attempt is None or attempt.ending is not None or attempt.accounted:
            return Life.NONE
        if not self.probe.known:
            return Life.UNSEEN
        return Life.NONE if self.probe.sees_all_hosts or attempt.process.host == self.host else Life.ELSEWHERE

    @cached_property
    def status(self) -> Status:
        if self.state is None:
            return Status(Phase.MISSING, NO_FOLDER)
        return status_of(self.state, self.life, self.probe.detail)

    @property
    def untouchable(self) -> bool:
        """It cannot be known from here whether it runs."""
        return not self.probe.known or self.life is Life.ELSEWHERE

    @property
    def unsettled(self) -> bool:
        """How its last attempt ended is not written down yet."""
        return self.attempt is not None and not self.attempt.accounted

    @cached_property
    def wanted(self) -> bool:
        """It could start as soon as there is a place for it."""
        if self.state is None or self.alive or self.untouchable or self.later or self.state.intent.want != "run":
            return False
        return self.status.pace == "waits"


@dataclass(frozen=True)
class CampaignSeen:
    """A campaign at one moment."""

    id: str
    jobs: int
    """Runs side by side."""
    runs: tuple[RunSeen, ...]
    """Those trained here, in the order in which they are wanted."""
    stall_timeout: float | None = None
    first: tuple[str, ...] = ()
    """Those that a person wants before the others."""


@dataclass(frozen=True)
class Observation:
    """Everything a decision depends on."""

    campaigns: tuple[CampaignSeen, ...]
    """The oldest first."""
    orphans: tuple[RunSeen, ...] = ()
    """Processes of runs that no campaign knows and whose folder is gone."""
    can_write: bool = True
    """False: what is done could not be written down (the disk is full), so nothing new is begun."""


@dataclass
class Track:
    """A run with what this supervisor remembers of it. Times are of the supervisor's own clock."""

    planned: PlannedRun
    folder: RunDir
    reader: RunReader
    engine: str
    seen: RunSeen
    name: str = ""
    """The name by which its engine finds it."""
    settings: Settings = field(default_factory=dict)
    """What its campaign told its engine."""
    started_with: StartedWith | None = None
    """The Python and variables its campaign starts runs with."""
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
    """Since when its trainer has been alive although it logged how it ended."""
    queued_again: object = None
    """The ending in its log when its job was put back into the queue, which is then no ending any more."""
    quiet_since: float | None = None
    asked: float | None = None
    """When it was asked to leave."""
    asked_by: int = -1
    """Generation of the order under which it was asked."""
    insisted: float | None = None
    """When it was killed."""
    later: float = float("-inf")
    """Not to be started before."""

    def touch(self) -> None:
        """Something was done to it: look at it in the next tick."""
        self.look_at = self.read_at = float("-inf")


@dataclass
class CampaignTrack:
    dir: CampaignDir
    campaign: Campaign
    tracks: dict[str, Track]
    intent: Signature | None = None
    started_with: Signature | None = None
    order: list[Track] = field(default_factory=list)
    first: tuple[str, ...] = ()
    jobs: int = 1
