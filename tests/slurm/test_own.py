"""A campaign with a model and a trainer of one's own as jobs of a real Slurm."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign, supervisor_of
from lvmtui.state.status import Phase
from tests.slurm.cluster import Cluster
from tests.slurm.test_command import ended, start
from tests.trainers.tiny import write_walk

EXAMPLES = Path(__file__).parents[2] / "examples"
CAMPAIGN = f"""
baseline = "small.npz"
expanded = "large.npz"
labels = ["small", "large"]
models = ["mixer.py:Mixer"]
size = "small"
recipe = "tuned"
epochs = 1
batch-size = 32
device = "cpu"
jobs = 2
threads = 1
[engine]
name = "slurm"
memory = "200M"
[trainers.recency]
command = "{sys.executable} without_torch.py"
steps = 40
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_walk(tmp_path / "large.npz", 60)
    write_walk(tmp_path / "small.npz", 24)
    for name in ("mixer.py", "without_torch.py"):
        (tmp_path / name).write_bytes((EXAMPLES / name).read_bytes())
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    yield tmp_path
    if supervisor := supervisor_of(Workspace(tmp_path)):
        os.kill(supervisor.pid, signal.SIGKILL)


def test_an_own_model_and_an_own_trainer_are_judged_as_jobs(cluster: Cluster, folder: Path) -> None:
    cluster.heal()
    code, out, err = ended(start(folder, "run", "campaign.toml", "--headless", "--poll"))
    assert code == 0, (out, err)
    state = CampaignReader(Workspace(folder), newest_campaign(Workspace(folder))).refresh()
    assert state.campaign.models == ("mixer", "recency") and state.campaign.titles["mixer"] == "Mixer"
    for view in state.runs:
        assert view.status.phase is Phase.FINISHED and view.state is not None
        finished = view.state.trainer.finished
        assert finished is not None and finished.heldout.windows and not finished.unjudged
        assert (view.folder.path / "job.sh").exists()
    assert "Mixer" in out and "recency" in out
