"""`lvmtui run --engine slurm` as a person types it: real commands, real trainers, a real Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.learning_curve import read_learning_curve
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign, supervisor_of
from lvmtui.state.status import Phase
from tests.slurm.cluster import Cluster
from tests.trainers.tiny import write_walk

PLAN = (
    *("run", "--baseline", "small.npz", "--expanded", "large.npz", "--models", "gru", "--size", "small"),
    *("--recipe", "tuned", "--epochs", "1", "--batch-size", "32", "--device", "cpu", "--jobs", "2", "--threads", "1"),
    *("--labels", "small", "large"),
)


def start(root: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lvmtui", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[Path]:
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        write_walk(folder / "large.npz", 60)
        write_walk(folder / "small.npz", 24)
    yield tmp_path
    for folder in tmp_path.iterdir():
        if supervisor := supervisor_of(Workspace(folder)):
            os.kill(supervisor.pid, signal.SIGKILL)


def test_the_verdict_is_the_same_to_the_bit(cluster: Cluster, vectors: Path) -> None:
    """The campaign on this machine and the one on the cluster end with equal weights, scores and words."""
    cluster.heal()
    # --poll: as on a file system that hosts share
    on_the_cluster = ("--headless", "--poll", "--engine", "slurm", "--memory", "100M", "--time", "30")
    ends = [
        ended(process)
        for process in (
            start(vectors / "here", *PLAN, "--headless"),
            start(vectors / "there", *PLAN, *on_the_cluster),
        )
    ]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert "slurm (time 30, memory 100M)" in ends[1][1] and ", if the cluster starts " in ends[1][1]
    here, there = (
        CampaignReader(w, newest_campaign(w)).refresh()
        for w in (Workspace(vectors / "here"), Workspace(vectors / "there"))
    )
    assert there.campaign.engine == "slurm" and there.campaign.engine_settings["memory"] == ("100M",)
    for one, other in zip(here.runs, there.runs, strict=True):
        assert one.status.phase is other.status.phase is Phase.FINISHED and one.state and other.state
        a, b = one.state.trainer.finished, other.state.trainer.finished
        assert a and b and (a.weights_digest, a.heldout) == (b.weights_digest, b.heldout)
        assert (other.folder.path / "job.sh").exists()
    for state, root in ((here, "here"), (there, "there")):
        assert state.dir.report.exists(), root
    figures = [
        [line for line in (state.dir.path / "report.md").read_text().splitlines() if line.startswith("| ")]
        for state in (here, there)
    ]
    assert figures[0][:3] == figures[1][:3] and any("GRU" in line for line in figures[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--engine", "slurm", "--partition", "nowhere"), "Slurm refuses such a job: invalid partition"),
        (("--engine", "slurm", "--cpus", "500"), "Slurm refuses such a job"),
        (("--engine", "slurm", "--time", "1"), "--time 1: a run is told to leave"),
        (("--engine", "slurm", "--memory", "lots"), "--memory: 'lots' is not a size"),
        (("--partition", "short"), "--partition: an option of the slurm engine; add --engine slurm"),
        (("--engine", "slrum"), "did you mean 'slurm'"),
    ],
)
def test_what_slurm_would_refuse_is_said_before_anything_is_planned(
    cluster: Cluster, vectors: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = ended(start(vectors / "here", *PLAN, *arguments))
    assert code == 2 and said in err and err.count("\n") == 1, err
    assert not (vectors / "here" / "artifacts").exists()


def test_a_machine_without_slurm(vectors: Path) -> None:
    code, _, err = ended(start(vectors / "here", *PLAN, "--engine", "slurm", PATH="/nowhere"))
    said = "--engine slurm: Slurm cannot be asked: sbatch is not found on PATH /nowhere"
    assert code == 2 and said in err and err.count("\n") == 1, err


def test_a_controller_that_does_not_answer(cluster: Cluster, vectors: Path) -> None:
    conf = vectors / "slurm.conf"
    lines = cluster.conf.read_text().splitlines()
    conf.write_text("\n".join("SlurmctldPort=1" if line.startswith("SlurmctldPort") else line for line in lines) + "\n")
    code, _, err = ended(start(vectors / "here", *PLAN, "--engine", "slurm", SLURM_CONF=str(conf)))
    assert code == 2 and "--engine slurm: Slurm does not answer: " in err and err.count("\n") == 1, err


def test_several_sizes_and_seeds_are_jobs_and_end_in_a_curve(cluster: Cluster, vectors: Path) -> None:
    cluster.heal()
    folder = vectors / "here"
    sizes = ("run", "--data", "large.npz", "--sizes", "3", "--models", "gru", "--seeds", "1", "2", *PLAN[7:21])
    code, _, err = ended(start(folder, *sizes, "--headless", "--engine", "slurm"))
    assert code == 0, err
    state = CampaignReader(Workspace(folder), newest_campaign(Workspace(folder))).refresh()
    assert len(state.runs) == 6 and all(view.status.phase is Phase.FINISHED for view in state.runs)
    # Each seed draws articles of its own; the windows that judge are the same.
    specs = [view.state.spec for view in state.runs if view.state]
    assert len({spec.split for spec in specs}) == 2 and len({spec.split_fingerprint for spec in specs}) == 1
    curve = read_learning_curve(newest_campaign(Workspace(folder)).learning_curve)
    assert curve and curve.models[0].word and [point.seeds for point in curve.models[0].points] == [2, 2, 2]
