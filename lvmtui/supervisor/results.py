"""Has the results of each campaign made by the workers, and writes the logs people read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.told import Happening
from lvmtui.supervisor.happenings import of_campaign
from lvmtui.supervisor.observation import CampaignTrack, Track
from lvmtui.supervisor.readable_logs import ReadableLogs
from lvmtui.supervisor.tasks import Made, Outcome, Task, Workers, complete_pairs, due, result_of
from lvmtui.supervisor.tell import Teller


class Results:
    """The results and logs of every campaign of a workspace."""

    def __init__(self, workspace: Workspace, workers: Workers, teller: Teller) -> None:
        self.workspace = workspace
        self.workers = workers
        self.teller = teller
        self._campaigns: dict[str, _OfCampaign] = {}

    def go_on(self, campaigns: Sequence[CampaignTrack]) -> bool:
        """Take in the result that was made, have the next one made. True if there was anything to do."""
        done = self.workers.finish()
        if done is not None and done.task.campaign in self._campaigns:
            of_campaign = self._campaigns[done.task.campaign]
            of_campaign.take_in(done.task, done.fault, done.tries, last=self.workers.given_up(done.task))
        if self.workers.busy:
            return False
        for campaign in campaigns:
            of_campaign = self._of(campaign)
            of_campaign.update(campaign, self.workers)
            if self.workers.begin(campaign.dir, of_campaign.tasks) is not None:
                return True
            of_campaign.stale = bool(of_campaign.tasks)  # they wait for another try, or could not be started
        return done is not None

    def pending(self, campaigns: Sequence[CampaignTrack]) -> bool:
        """True while something is made or told, or is to be."""
        if self.workers.busy or self.teller.busy:
            return True
        return any(self._of(c).tasks or self.teller.due(c, self._of(c).happenings) for c in campaigns)

    def tell(self, campaigns: Sequence[CampaignTrack]) -> None:
        """Write what happened to the runs into the logs."""
        for campaign in campaigns:
            states = {name: track.state for name, track in campaign.tracks.items()}
            self._of(campaign).logs.catch_up(states)

    def tell_commands(self, campaigns: Sequence[CampaignTrack]) -> None:
        """Have the commands of `--on-event` told what happened. One that fails is said in the monitor log."""
        said = [self.teller.finish()]
        said += [
            (campaign.dir.id, self.teller.go_on(campaign, self._of(campaign).happenings))
            for campaign in campaigns
            if campaign.campaign.on_event
        ]
        for campaign_id, words in said:
            if words and campaign_id in self._campaigns:
                self._campaigns[campaign_id].logs.note(f"on event: {words}", time.time())

    def note(self, campaigns: Sequence[CampaignTrack], run: str, text: str, when: float | None) -> None:
        """A line in the monitor log of the run's campaign; without a time it is written once."""
        for campaign in campaigns:
            if run in campaign.tracks:
                line = f"{run}  {text}"
                self._of(campaign).logs.note(line, when or time.time(), once=when is None)

    def _of(self, campaign: CampaignTrack) -> _OfCampaign:
        if campaign.dir.id not in self._campaigns:
            self._campaigns[campaign.dir.id] = _OfCampaign(self.workspace, campaign)
        return self._campaigns[campaign.dir.id]


class _OfCampaign:
    """What is made of one campaign's runs."""

    def __init__(self, workspace: Workspace, campaign: CampaignTrack) -> None:
        self.folder = campaign.dir
        self.campaign: Campaign = campaign.campaign
        self.logs = ReadableLogs(workspace, campaign.campaign)
        self.made = Made(campaign.dir)
        self.outcomes: tuple[Outcome, ...] = ()
        self.tasks: list[Task] = []
        self.stale = True
        self._phases: list[object] = []

    @property
    def happenings(self) -> list[Happening]:
        """What has happened to the campaign as a whole."""
        return of_campaign(self.made.results, self.outcomes, all_made=not self.tasks and not self.stale)

    def update(self, campaign: CampaignTrack, workers: Workers) -> None:
        """Find out again what is due, if anything it depends on has changed."""
        phases: list[object] = [track.seen.status.phase for track in campaign.tracks.values()]
        if phases == self._phases and not self.stale:
            return
        self._phases, self.stale = phases, False
        self.outcomes = tuple(_outcome(track) for track in campaign.tracks.values())
        self.tasks = due(
            self.campaign,
            self.outcomes,
            self.made.results,
            missing=lambda task: not result_of(self.folder, task).exists(),
            given_up=workers.given_up,
        )

    def take_in(self, task: Task, fault: str, tries: int, *, last: bool) -> None:
        """A worker has ended: note its result, or why there is none."""
        self.stale = True
        now = time.time()
        if fault:
            more = "" if last else f", it is tried again ({tries} so far)"
            self.logs.note(f"{task.title} failed: {fault}{more}", now)
            return
        self.made.note(task)
        written = now
        with suppress(OSError):
            written = result_of(self.folder, task).stat().st_mtime
        if task.kind == "comparison":
            self.logs.compared(task.subject, written, len(complete_pairs(self.outcomes, task.subject)))
        else:
            self.logs.note(f"{task.title} written", written)


def _outcome(track: Track) -> Outcome:
    planned, status = track.planned, track.seen.status
    finished = track.state.trainer.finished if track.state else None
    digest = finished.heldout_digest if finished else ""
    return Outcome(planned.model, planned.arm, planned.seed, status.phase.value, status.over, digest)
