"""Campaigns larger than a test machine: the real supervisor and real folders over a Slurm that is not there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.live import read_pulse
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, RunView
from lvmtui.state.status import Phase, interruptions
from lvmtui.supervisor.engines.slurm import SlurmEngine
from lvmtui.supervisor.supervisor import Supervisor
from lvmtui.system.filesystem import try_lock
from tests.factory import make_campaign
from tests.slurm.simulated import Figures, Killed, SimulatedSlurm, SlowWorkers, Weather

MODELS = ("amn", "lstm", "gru", "transformer", "graphmert_lvm")


def supervisor_over(slurm: SimulatedSlurm, workspace: Workspace) -> Supervisor:
    return Supervisor(
        workspace,
        engines={"slurm": SlurmEngine(slurm, clock=slurm.clock)},
        workers=SlowWorkers(slurm),
        clock=slurm.clock,
        say=lambda text: None,
    )


def to_the_end(
    slurm: SimulatedSlurm, workspace: Workspace, campaign: Campaign, *, orders: bool, limit: float = 100_000
) -> Figures:
    """Supervise until all runs are over. With `orders` every seventh run is paused and resumed, at times of its own."""
    figures, supervisor = Figures(), supervisor_over(slurm, workspace)
    waiting = []
    if orders:
        for index, planned in enumerate(campaign.runs[::7]):
            folder = workspace.run(planned)
            waiting += [(20.0 + 3 * index, folder, "pause"), (120.0 + 4 * index, folder, "run")]
        waiting.sort(key=lambda order: -order[0])
    while True:
        began = time.perf_counter()
        try:
            again = supervisor.tick()
        except Killed:
            figures.kills += 1
            supervisor, again = supervisor_over(slurm, workspace), True
        figures.tick(began)
        while waiting and waiting[-1][0] <= slurm.now:
            _, folder, want = waiting.pop()
            slurm.order(folder, want)  # type: ignore[arg-type]
        runs = supervisor.observer.tracks.values()
        if not waiting and all(run.seen.status.over for run in runs) and len(runs) == len(campaign.runs):
            figures.seconds = slurm.now
            return figures
        slurm.advance(0.05 if again else supervisor.pause)
        assert slurm.now < limit, [run.seen.status for run in runs if not run.seen.status.over][:5]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path, seed: int) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=MODELS[:3], seeds=range(6), jobs=8, total_steps=150, engine="slurm")
    slurm = SimulatedSlurm(Weather(slots=6, kills=0.03), seed=seed)
    figures = to_the_end(slurm, workspace, campaign, orders=True)
    assert slurm.doubled == 0, "no run was ever trained twice at once"
    assert slurm.most <= 8 + figures.kills, "never more queued than allowed; one more for each half-died submission"
    state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
    for view in state.runs:
        assert view.state is not None
        if view.status.phase is Phase.FINISHED:
            assert slurm.finishes[view.folder.path] == 1 and view.state.step == 150
        else:  # dead three times in a row without getting further
            assert view.status.phase is Phase.FAILED and "died 3 times" in view.status.reason
    assert sum(view.status.phase is Phase.FINISHED for view in state.runs) >= 34
    assert sum(len(interruptions(v.state)) for v in state.runs if v.state) > 20, "over several jobs each"
    assert slurm.calls["squeue"] <= figures.seconds / 1.0 + figures.kills, "one question for all, a second apart"


def test_an_unreachable_controller_is_never_a_death(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), seeds=(1,), jobs=2, total_steps=80, engine="slurm")
    weather = Weather(slots=2, dies=0, node_dies=0, preempted=0, outage=(40.0, 30.0), waits=(0.1, 0.2))
    slurm = SimulatedSlurm(weather)
    supervisor = supervisor_over(slurm, workspace)
    unknown = 0
    for _ in range(400):
        supervisor.tick()
        state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
        unknown += any(view.status.phase is Phase.UNKNOWN for view in state.runs)
        slurm.advance(0.5)
    assert unknown > 20 and state.finished
    for view in state.runs:
        assert view.state and not view.state.supervision.deaths and view.state.supervision.launches == 1


def test_a_trainer_that_outlives_its_node_is_waited_for(tmp_path: Path) -> None:
    """Slurm calls its job dead as soon as the node's daemon is, and a second trainer would work on the same folder."""
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), seeds=(1,), jobs=1, total_steps=500, engine="slurm")
    slurm = SimulatedSlurm(Weather(slots=2, dies=0, node_dies=0, preempted=0, waits=(0.1, 0.2)))
    supervisor = supervisor_over(slurm, workspace)

    def first() -> RunView:
        return CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().runs[0]

    def pass_by(seconds: float) -> None:
        for _ in range(int(2 * seconds)):
            supervisor.tick()
            slurm.advance(0.5)

    pass_by(20)
    lock = try_lock(first().folder.lock)  # as the trainer holds it
    assert lock and first().status.phase is Phase.STARTING, "the simulated ones tell no steps"
    (job,) = slurm.living.values()
    slurm.end(job, "NODE_FAIL")
    pass_by(60)
    seen = first()
    assert seen.status.phase is Phase.STARTING and seen.state and not seen.state.supervision.lost
    assert seen.job and seen.job.words.startswith(
        "job 1 on node1: its node failed, but its trainer still works there and"
    )
    lock.close()
    pass_by(60)
    seen = first()
    assert seen.state and seen.state.supervision.launches == 2 and len(slurm.living) == 1
    assert [why for _, why in interruptions(seen.state)] == ["job 1 on node1: its node failed"]


def test_a_job_that_is_cancelled_while_it_waits_is_no_death(tmp_path: Path) -> None:
    """`scancel` of three waiting jobs made the run fail: "died 3 times"."""
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), seeds=(1,), jobs=2, total_steps=80, engine="slurm")
    slurm = SimulatedSlurm(Weather(slots=2, dies=0, node_dies=0, preempted=0, waits=(30.0, 30.0)))
    supervisor = supervisor_over(slurm, workspace)
    told = ""
    for _ in range(5):
        while not any(job.state == "PENDING" for job in slurm.living.values()):
            supervisor.tick()
            slurm.advance(0.5)
        for job in [*slurm.living.values()]:
            slurm.end(job, "CANCELLED")
        for _ in range(24):
            supervisor.tick()
            slurm.advance(0.5)
        (first, _) = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().runs
        told += first.status.reason
    assert "job 1: cancelled in Slurm, not by lvmtui, while it waited" in told and "died" not in told
    figures = to_the_end(slurm, workspace, campaign, orders=False)
    assert figures.seconds and slurm.number >= 10
    for view in CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().runs:
        assert view.state and view.status.phase is Phase.FINISHED and not interruptions(view.state)


def test_a_job_that_is_cancelled_before_its_trainer_spoke_is_no_death(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), seeds=(1,), jobs=1, total_steps=80, engine="slurm")
    slurm = SimulatedSlurm(Weather(slots=1, dies=0, node_dies=0, preempted=0, waits=(0.0, 0.0)))
    supervisor = supervisor_over(slurm, workspace)
    for _ in range(5):
        while not slurm.living:
            supervisor.tick()
            slurm.advance(0.1)
        (job,) = slurm.living.values()
        job.node = "node1"  # it has one, and its Python has not come further than that
        slurm.end(job, "CANCELLED")
        for _ in range(24):
            supervisor.tick()
    (first, _) = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().runs
    assert first.state and first.status.phase is not Phase.FAILED
    losses = first.state.supervision.losses
    assert len(losses) > 3 and not any(loss.counts for loss in losses)
    assert {loss.reason.partition(": ")[2] for loss in losses} == {"cancelled in Slurm, not by lvmtui"}


def test_a_job_that_has_begun_is_told_before_the_controller_is_asked_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",), seeds=(1,), jobs=2, total_steps=80, engine="slurm")
    slurm = SimulatedSlurm(Weather(slots=1, dies=0, node_dies=0, preempted=0, waits=(3.0, 3.0)))
    supervisor = supervisor_over(slurm, workspace)

    def phases() -> list[Phase]:
        """As one `lvmtui status` sees them."""
        return [view.status.phase for view in CampaignReader(workspace, workspace.campaign(campaign.id)).refresh().runs]

    while len(slurm.living) < 2:
        supervisor.tick()
    supervisor.tick()
    pulse = read_pulse(workspace.pulse)
    assert pulse and {job.new for job in pulse.jobs.values()} == {True}, "nothing says yet that they wait"
    for _ in range(20):
        slurm.advance(0.1)
        supervisor.tick()
    pulse = read_pulse(workspace.pulse)
    assert pulse and {job.new for job in pulse.jobs.values()} == {False}
    asked = slurm.calls["squeue"]
    assert phases() == [Phase.QUEUED, Phase.QUEUED]
    slurm.advance(1.5)
    assert phases() == [Phase.STARTING, Phase.QUEUED] and slurm.calls["squeue"] == asked
    supervisor.tick()
    assert phases() == [Phase.STARTING, Phase.QUEUED], "its pulse says no less than before"
