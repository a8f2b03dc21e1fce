"""Orders to runs that are jobs of a real Slurm."""

from __future__ import annotations

from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import Finished, Paused
from lvmtui.state.status import Phase, interruptions
from tests.slurm.world import SlurmWorld
from tests.supervisor.fake_trainer import Behaviour, digest_after
from tests.waiting import wait_for

LONG = 100_000


def test_a_campaign_to_its_end(world: SlurmWorld) -> None:
    world.submit("amn", "gru", jobs=3, steps=40)
    most = 0

    def over() -> bool:
        nonlocal most
        most = max(most, len(world.in_the_queue()))
        return all(world.phase(m, a) is Phase.FINISHED for m in ("amn", "gru") for a in ARMS)

    world.until(over)
    assert 1 <= most <= 3, "never more than --jobs in the queue"
    for planned in world.campaign.runs:
        state = world.state(planned.model, planned.arm)
        ending = state.trainer.ending
        assert isinstance(ending, Finished) and ending.weights_digest == digest_after(planned.run, 40)
        assert state.trainer.attempts == state.supervision.launches == 1
        assert state.trainer.started and state.trainer.started.launch == state.supervision.launch
    name = world.cluster.call("squeue", "-h", "-t", "all", "-o", "%j", "-j", str(world.job("gru", "expanded"))).strip()
    assert name == f"{world.campaign.id}/gru/23k/s1"


def test_paused_it_leaves_and_resumed_it_is_submitted_again(world: SlurmWorld) -> None:
    world.submit("amn", steps=LONG)
    world.until(lambda: world.training())
    first = world.job()
    world.want("pause")
    world.until(lambda: world.phase() is Phase.PAUSED)
    ending = world.state().trainer.ending
    assert isinstance(ending, Paused) and str(first) not in world.in_the_queue()
    world.want("run")
    world.until(lambda: world.training() and world.job() != first)
    started = world.state().trainer.started
    assert started is not None and started.resumed_from == ending.step


def test_what_waits_in_the_queue_is_told_why_and_taken_out_when_paused(world: SlurmWorld) -> None:
    world.submit("amn", steps=LONG, cpus="4")
    world.until(lambda: world.training() and world.view("amn", "expanded").job is not None)
    world.until(lambda: "Resources" in world.view("amn", "expanded").status.reason)
    view = world.view("amn", "expanded")
    assert view.status.phase is Phase.QUEUED and view.job is not None and view.job.waiting
    assert view.status.reason.startswith(f"job {view.job.id}: waits for nodes to become free (Resources)")
    running = world.view()
    assert running.job and running.job.node and running.job.words == f"job {running.job.id} on {running.job.node}"
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.phase("amn", "expanded") is Phase.PAUSED)
    assert list(world.in_the_queue()) == [str(world.job())]
    taken_back = world.state("amn", "expanded")
    assert taken_back.trainer.attempts == 0 and not interruptions(taken_back), "nothing was interrupted"
    world.want("cancel")
    world.want("run", "amn", "expanded")
    world.until(lambda: world.phase() is Phase.CANCELLED and world.training("amn", "expanded"))


def test_cancelled_means_that_nobody_is_left(world: SlurmWorld) -> None:
    """One leaves when it is asked, the other is deaf and left a child in a session of its own."""
    world.submit("amn", steps=LONG)
    world.behave("amn", "expanded", step_seconds=0.02, deaf=True, ignores_term=True, child=True)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    for arm in ARMS:
        world.want("cancel", "amn", arm)
    world.until(lambda: all(world.phase("amn", arm) is Phase.CANCELLED for arm in ARMS))
    assert not world.in_the_queue()
    wait_for(lambda: not world.training("amn", "expanded"))
    killed = world.state("amn", "expanded").supervision
    assert killed.insisted == (world.job("amn", "expanded"),) and killed.signalled and killed.signalled.what == "job"
    assert not world.state().supervision.insisted


def test_more_side_by_side_is_heard_at_once(world: SlurmWorld) -> None:
    from lvmtui.formats.campaign import write_campaign_intent

    world.submit("amn", "gru", jobs=1, steps=LONG, behaviour=Behaviour(step_seconds=0.05))
    world.until(lambda: world.training())
    assert len(world.in_the_queue()) == 1
    write_campaign_intent(world.workspace.campaign(world.campaign.id).intent, by="test", jobs=4)
    world.until(lambda: len(world.in_the_queue()) == 4)


def test_a_job_put_back_into_the_queue_goes_on_where_it_was(world: SlurmWorld) -> None:
    world.submit("amn", steps=LONG, sbatch=("--requeue",))
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.training() and world.state().trainer.checkpoint)
    number = str(world.job())
    world.cluster.call("scontrol", "requeue", number)
    world.until(lambda: world.phase() is Phase.QUEUED)
    world.until(lambda: world.in_the_queue().get(number) == "PENDING")  # REQUEUED while its processes end
    world.cluster.call("scontrol", "update", f"jobid={number}", "StartTime=now")
    assert len(interruptions(world.state())) == 1
    world.until(lambda: world.training() and world.state().trainer.attempts == 2)
    world.until(lambda: list(world.in_the_queue().values()).count("RUNNING") == len(world.in_the_queue()) == 1)
    state = world.state()
    assert state.trainer.started and state.trainer.started.resumed_from > 0 and not state.supervision.deaths
