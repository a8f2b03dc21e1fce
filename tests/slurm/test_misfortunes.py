"""What a cluster does to runs that nobody ordered: time limits, preemption, dead nodes and daemons, refusals."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.cli.status import status_as_text
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.formats.trainer_log import Failed, Finished
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase, interruptions
from tests.slurm.cluster import Cluster
from tests.slurm.world import STEADY, SlurmWorld
from tests.supervisor.fake_trainer import Behaviour, digest_after
from tests.waiting import wait_for

LONG = 100_000


@pytest.fixture(scope="session")
def short_of_time(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmWorld]:
    """A run that needs longer than its partition allows, begun with the first test and looked at by the last.

    It has a cluster of its own, as the other tests kill theirs.
    """
    other = Cluster(tmp_path_factory.mktemp("other"), cpus=2)
    world = SlurmWorld(tmp_path_factory.mktemp("short"), other)
    # Slurm counts limits in minutes and looks at them twice a minute; the options given last win
    world.submit(
        "amn",
        jobs=1,
        steps=1500,
        behaviour=Behaviour(step_seconds=0.03, checkpoint_every=LONG),
        partition="short",
        sbatch=("--time=1", "--signal=B:USR1@30"),
    )
    world.want("pause", "amn", "expanded")
    try:
        other.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(other.conf))
            world.start_supervisor(linger=1)
        yield world
        world.clean()
    finally:
        other.stop()


@pytest.fixture(autouse=True)
def _begin(short_of_time: SlurmWorld) -> None:
    """The minute that a time limit takes passes while the other tests run."""


def whole(world: SlurmWorld, *arms: ArmName) -> bool:
    """True if all (of these arms) have finished, with no step lost, doubled or out of order."""
    runs = [planned for planned in world.campaign.runs if planned.arm in (arms or ARMS)]
    endings = [(p.run, world.state(p.model, p.arm).trainer.ending) for p in runs]
    return all(isinstance(e, Finished) and e.weights_digest == digest_after(run, e.step) for run, e in endings)


def shown(world: SlurmWorld) -> str:
    """What `lvmtui status` prints."""
    reader = CampaignReader(world.workspace, world.workspace.campaign(world.campaign.id))
    return status_as_text(reader.refresh(), None)


def test_preempted_it_leaves_after_a_checkpoint_and_comes_back(world: SlurmWorld) -> None:
    world.submit("amn", jobs=1, steps=150, behaviour=STEADY, cpus="3")
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.training() and world.state().trainer.checkpoint)
    submit = ("sbatch", "--parsable", "--output=/dev/null", "-p", "urgent", "-c", "3", "--wrap", "sleep 1")
    urgent = world.cluster.call(*submit).strip()
    world.until(lambda: len(interruptions(world.state())) == 1)
    world.until(lambda: whole(world, "baseline"))
    state = world.state()
    assert state.supervision.launches == 2 and not state.supervision.deaths, "nobody's fault, so not counted"
    ((_, why),) = interruptions(state)
    assert why.endswith(": preempted"), why
    assert world.cluster.jobs()[urgent] == "COMPLETED"


def test_a_job_that_somebody_cancels_in_slurm_says_so_and_comes_back(world: SlurmWorld) -> None:
    world.submit("amn", jobs=1, steps=300, behaviour=STEADY)
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.training() and world.state().trainer.checkpoint)
    world.cluster.call("scancel", str(world.job()))
    world.until(lambda: world.state().trainer.attempts == 2)
    ((_, why),) = interruptions(world.state())
    assert why.endswith(": cancelled in Slurm, not by lvmtui") and not world.state().supervision.deaths
    assert f"interrupted 1 time: {why}" in " ".join(shown(world).split())


def test_a_node_that_dies_costs_what_came_after_the_checkpoint(world: SlurmWorld) -> None:
    # deaf to TERM, as a node that is gone gives nobody time to write
    world.submit("amn", jobs=1, steps=100, behaviour=Behaviour(0.02, checkpoint_every=10, ignores_term=True))
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.training() and world.state().trainer.checkpoint)
    node = world.view().job
    assert node is not None
    trainer = world.training()
    assert trainer is not None
    world.cluster.call("scontrol", "update", f"nodename={node.node}", "state=down", "reason=test")
    os.kill(trainer.pid, signal.SIGKILL)
    world.until(lambda: world.state().supervision.lost)
    lost = world.state().supervision.lost
    assert lost is not None and not lost.counts and "node failed" in lost.reason and lost.checkpoint_step > 0
    world.until(lambda: whole(world, "baseline"))  # the node has come back by itself


def test_a_trainer_that_dies_is_tried_again_twice_with_the_jobs_own_words(world: SlurmWorld) -> None:
    world.submit("amn", steps=60)
    world.behave("amn", "baseline", at=30, does="die")
    world.behave("amn", "expanded", at=30, does="exit", attempts=1)
    world.until(lambda: world.phase() is Phase.FAILED and world.phase("amn", "expanded") is Phase.FINISHED)
    assert "killed by signal 9" in world.view().status.reason and "died 3 times" in world.view().status.reason
    (death,) = world.state("amn", "expanded").supervision.deaths or (world.state("amn", "expanded").supervision.lost,)
    assert death is None or "exit code 1: ImportError" in death.reason


def test_the_controller_killed_means_unknown_and_then_as_before(world: SlurmWorld) -> None:
    world.submit("amn", steps=LONG)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    jobs = [world.job("amn", arm) for arm in ARMS]
    world.cluster.save()  # what a controller has not saved yet it has forgotten when it is killed
    world.cluster.kill("slurmctld")
    world.until(lambda: world.phase() is Phase.UNKNOWN)
    said = world.view().status.reason
    assert said.startswith("not known for") and "Slurm does not answer" in said
    assert "the runs' state is not known for" in shown(world)
    assert world.training() and world.training("amn", "expanded"), "unknown is not dead, and the runs do not notice"
    world.want("pause", "amn", "expanded")  # that does not need the controller
    wait_for(lambda: not world.training("amn", "expanded"))
    world.cluster.start_slurmctld()
    world.until(lambda: world.phase() is Phase.RUNNING and world.phase("amn", "expanded") is Phase.PAUSED)
    assert [world.job("amn", arm) for arm in ARMS] == jobs and not world.state().supervision.deaths


def test_everything_killed_in_the_middle_and_nothing_lost(world: SlurmWorld) -> None:
    world.submit("amn", jobs=2, steps=500)
    first = world.start_supervisor()
    wait_for(lambda: world.training() and world.training("amn", "expanded"))
    world.cluster.save()
    first.kill()
    first.wait()
    world.cluster.kill("slurmd")
    world.cluster.kill("slurmctld")
    second = world.start_supervisor(linger=0.5)
    world.cluster.start_slurmctld()
    world.cluster.start_slurmd()
    wait_for(lambda: second.poll() is not None, seconds=60)
    assert whole(world)
    for planned in world.campaign.runs:
        state = world.state(planned.model, planned.arm)
        assert state.supervision.launches == state.trainer.attempts == 1, "nothing was submitted twice"


def test_a_submission_that_was_not_written_down_is_found_by_its_name(world: SlurmWorld) -> None:
    world.submit("amn", steps=LONG)
    for arm in ARMS:
        world.want("pause", "amn", arm)
    world.supervisor.tick()
    track = world.supervisor.observer.tracks[world.run().run]
    assert track.seen.state is not None
    place = world.supervisor.observer.place_of(track)
    first = world.engine.start(place, track.seen.state.spec)
    second = world.engine.start(place, track.seen.state.spec)  # and Slurm took it twice
    world.new_supervisor()
    world.want("run")
    world.until(lambda: world.training())
    world.until(lambda: len(world.in_the_queue()) == 1)
    assert world.job() == first.process.pid and str(second.process.pid) not in world.in_the_queue()
    assert world.state().supervision.launches == 0, "found, not started"


def test_a_refusal_is_told_in_slurms_own_words(world: SlurmWorld) -> None:
    world.submit("amn", partition="nowhere")
    world.until(lambda: world.phase() is Phase.FAILED)
    assert "Slurm refused the job: invalid partition specified: nowhere" in world.view().status.reason
    assert not world.in_the_queue()


def test_a_folder_that_the_node_does_not_see(world: SlurmWorld) -> None:
    world.submit("amn", jobs=1, sbatch=("--hold",))
    world.want("pause", "amn", "expanded")
    hidden = world.folder().path.with_name("hidden")
    for _ in range(3):
        world.until(lambda: world.in_the_queue())
        (number,) = world.in_the_queue()
        world.folder().path.rename(hidden)
        world.cluster.call("scontrol", "release", number)
        wait_for(lambda number=number: world.cluster.jobs().get(number) == "FAILED")  # type: ignore[misc]
        hidden.rename(world.folder().path)
        world.until(lambda: len(world.state().supervision.deaths) > 0)
    world.until(lambda: world.phase() is Phase.FAILED)
    assert "the run folder is not visible there" in world.view().status.reason


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ('PYTHONPATH={lame}:$PYTHONPATH exec {python} "$@"', "No module named 'torch'"),
        (
            'cd /; unset PYTHONPATH; exec {python} -S "$@"',
            "No module named trainers; lvmtui is not installed for the Python of",
        ),
        ("exec /no/such/python", "not found"),
    ],
)
def test_a_python_on_the_node_that_cannot_train(world: SlurmWorld, tmp_path: Path, python: str, said: str) -> None:
    import sys

    lame = tmp_path / "lame"
    lame.mkdir()
    (lame / "torch.py").write_text("raise ImportError(\"No module named 'torch'\")\n")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\n" + python.format(lame=lame, python=sys.executable) + "\n")
    program.chmod(0o755)
    world.submit("amn", jobs=1, python=str(program))
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.phase() is Phase.FAILED)
    assert said in world.view().status.reason
    ending = world.state().trainer.ending
    assert world.state().supervision.launches == 1 and not interruptions(world.state())
    assert "torch" not in said or (isinstance(ending, Failed) and ending.reason == "setup")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exit 3", ": 'exit 3', exit code 3"),  # with 3 a trainer leaves that finds its folder locked
        ("modul load cuda", "modul: command not found; 'modul load cuda', exit code 127"),
    ],
)
def test_setup_lines_that_end_the_job_are_named_and_not_tried_again(world: SlurmWorld, line: str, said: str) -> None:
    world.submit("amn", jobs=1, setup=("set -e", line))
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.phase() is Phase.FAILED)
    view, state = world.view(), world.state()
    assert "ended by a setup line of the plan, which a retry runs again: " in view.status.reason
    assert view.status.reason.endswith(said)
    assert len(view.status.reason) < 200, "the verdict cuts longer ones"
    assert not view.retry_helps
    assert state.supervision.launches == 1 and not interruptions(state), "it fails the same way every time"


def test_a_setup_line_that_fails_is_told_with_what_fails_after_it(world: SlurmWorld) -> None:
    """Without `set -e` the script goes on, and there is no Python of that name."""
    world.submit("amn", jobs=1, setup=("modul load cuda",), python="pythom")
    world.want("pause", "amn", "expanded")
    world.until(lambda: world.phase() is Phase.FAILED)
    reason, state = world.view().status.reason, world.state()
    assert "left with exit code 127: slurm_script: line " in reason
    assert "modul: command not found; slurm_script: line " in reason and reason.endswith("exec: pythom: not found")
    assert state.supervision.launches == 1 and not interruptions(state)
    world.want("run")
    assert world.phase() is Phase.QUEUED and world.view().status.reason == reason
    world.until(lambda: world.state().supervision.launches == 2)


def test_a_run_longer_than_its_limit_finishes_over_several_jobs(short_of_time: SlurmWorld) -> None:
    world = short_of_time
    wait_for(lambda: whole(world, "baseline"), seconds=150)
    state = world.state()
    assert len(interruptions(state)) >= 1 and state.supervision.launches == len(interruptions(state)) + 1
    assert not state.supervision.deaths
    log = world.workspace.retrain_log(world.campaign, "8k").read_text()
    assert " on USR1" in log
