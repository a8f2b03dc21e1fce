"""What a supervisor sees at one moment: frozen, so that a decision can be read and tested without a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lvmtui.formats.trainer_log import Started
from lvmtui.state.attempt import Attempt, newest_attempt
from lvmtui.state.run_state import RunState
from lvmtui.state.status import STARTABLE, Life, Phase, Status, status_of
from lvmtui.supervisor.engines import NOBODY, Member, Probe

NO_FOLDER = "the run folder is gone"


@dataclass(frozen=True)
class Asked:
    """Somebody was asked to leave."""

    seconds: float
    """How long ago."""
    insisted: float | None
    """How long ago it was killed; None: not yet."""


@dataclass(frozen=True)
class RunSeen:
    """One run at one moment."""

    name: str
    state: RunState | None
    """What its folder says; None: the folder cannot be read."""
    host: str
    boot: str
    """Of the machine the supervisor runs on."""
    probe: Probe = NOBODY
    stalled: bool = False
    still: float = 0.0
    """Seconds without a sign of progress."""
    overtime: float | None = None
    """Seconds since its last word was seen while it lives."""
    quiet: float = 0.0
    """Seconds without a process."""
    later: bool = False
    """It was tried moments ago and could not go."""
    room: int | None = None
    """Bytes free on its disk, looked at only while it waits for them."""
    last_words: str = ""
    """The last line of its log, looked at only when it died."""
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
        leaders = [m for m in self.probe.members if m.identity in named or (m.identity.is_job and _speaks(m, started))]
        if leaders:
            return max(leaders, key=lambda m: (m.identity.start_ticks, m.identity.pid))
        # nobody the logs name lives: a start that was not written down, or children that outlived their trainer
        attempt = self.attempt
        if attempt is not None and not attempt.accounted:
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
        seen = self.probe.sees_all_hosts or attempt.process.host == self.host
        return Life.NONE if seen else Life.ELSEWHERE

    @cached_property
    def status(self) -> Status:
        if self.state is None:
            return Status(Phase.FAILED, NO_FOLDER)
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
        return self.status.phase in STARTABLE


@dataclass(frozen=True)
class CampaignSeen:
    """A campaign at one moment."""

    id: str
    jobs: int
    """Runs side by side."""
    runs: tuple[RunSeen, ...]
    """Those trained here, in the order in which they are wanted."""
    stall_timeout: float | None = None


@dataclass(frozen=True)
class Observation:
    """All there is to know for a decision."""

    campaigns: tuple[CampaignSeen, ...]
    """The oldest first."""
    orphans: tuple[RunSeen, ...] = ()
    """Processes of runs that no campaign knows and whose folder is gone."""
    can_write: bool = True
    """False: what is done could not be written down (the disk is full), so nothing new is begun."""


def _speaks(member: Member, started: Started | None) -> bool:
    """True if the trainer that said it started is in this job."""
    return started is not None and bool(member.launch) and member.launch == started.launch
