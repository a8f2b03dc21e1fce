"""What `status` says of a campaign whose runs are jobs: from the run folders and the supervisor's pulse."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lvmtui.cli.status import status_as_text
from lvmtui.estimate.eta import campaign_eta
from lvmtui.formats.campaign import Campaign
from lvmtui.formats.live import STALE, Answer, Job, Pulse, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.system.process_id import Identity, own_identity
from tests.factory import bring_to, make_campaign, planned_run

JOB = Identity("Slurm", "", 4711, 0)


class Cluster:
    """Two models on two arms; AMN's baseline has finished, so the pace is known."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.campaign: Campaign = make_campaign(self.workspace, models=("amn", "gru"), engine="slurm", jobs=4)
        bring_to(self.workspace, self.campaign, "amn", "baseline", process=JOB)
        self.jobs: dict[str, Job] = {}

    def job(self, model: str, arm: str, *, waiting: bool) -> None:
        run = planned_run(self.campaign, model, arm).run
        if not waiting:
            bring_to(self.workspace, self.campaign, model, arm, state="running", process=JOB)
        self.jobs[run] = Job("slurm", 4711, waiting, "job 4711: waits for nodes" if waiting else "job 4711 on node1")

    def look(self, *, fault: str = "", age: float = 0.0) -> CampaignState:
        now = time.time() - age
        write_live(self.workspace.pulse, Pulse(now, 1, {"slurm": Answer(now, fault)}, self.jobs))
        return CampaignReader(self.workspace, self.workspace.campaign(self.campaign.id)).refresh()

    def headline(self, **told: object) -> str:
        return status_as_text(self.look(**told), own_identity()).splitlines()[1]  # type: ignore[arg-type]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_jobs_that_wait_are_not_played_side_by_side(cluster: Cluster) -> None:
    """The campaign may have four jobs, but its cluster has room for one."""
    cluster.job("amn", "expanded", waiting=False)
    together = campaign_eta(cluster.look(), time.time()).eta
    cluster.job("gru", "baseline", waiting=True)
    cluster.job("gru", "expanded", waiting=True)
    one_by_one = campaign_eta(cluster.look(), time.time()).eta
    assert together and one_by_one and one_by_one.seconds > 1.5 * together.seconds


def test_where_every_job_waits_no_end_is_promised(cluster: Cluster) -> None:
    cluster.job("amn", "expanded", waiting=False)
    assert " ends " in cluster.headline()
    for model, arm in (("amn", "expanded"), ("gru", "baseline"), ("gru", "expanded")):
        run = planned_run(cluster.campaign, model, arm).run
        cluster.jobs[run] = Job("slurm", 4711, True, "job 4711: the nodes it needs are not available")
    state = cluster.look()
    assert state.held_up and " of work left " in cluster.headline() and " ends " not in cluster.headline()


def test_where_the_cluster_is_silent_no_time_is_told(cluster: Cluster) -> None:
    for model, arm in (("amn", "expanded"), ("gru", "baseline"), ("gru", "expanded")):
        cluster.job(model, arm, waiting=False)
    assert cluster.headline(fault="Slurm does not answer").endswith("1 of 4 runs finished, time left unknown")


def test_a_screen_starts_a_supervisor_also_while_nothing_waits(cluster: Cluster, tmp_path: Path) -> None:
    """Jobs leave at their time limit; whoever looks after them is needed before one has. Where processes of another
    host train, a supervisor of this one can do nothing."""
    cluster.job("gru", "baseline", waiting=False)
    assert cluster.look().ours and cluster.look(age=STALE + 1).ours
    other = Workspace(tmp_path / "other")
    campaign = make_campaign(other, models=("amn",))
    reader = CampaignReader(other, other.campaign(campaign.id))
    bring_to(other, campaign, "amn", "baseline", state="unknown")
    assert reader.refresh().ours  # the other run waits
    bring_to(other, campaign, "amn", "expanded", state="unknown")
    state = reader.refresh()
    assert state.needs_supervisor and not state.ours
