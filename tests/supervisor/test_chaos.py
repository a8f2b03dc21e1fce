"""Thirty misfortunes, and a campaign that ends as if nothing had happened."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.formats.trainer_log import Finished
from lvmtui.models import MODELS
from lvmtui.state.run_reader import RunReader
from tests.chaos import Chaos
from tests.chaos_faults import faults
from tests.factory import make_campaign
from tests.supervisor.fake_trainer import Behaviour, behave, digest_after
from tests.supervisor.world import SUPERVISOR


@pytest.mark.parametrize("seed", [1])
def test_thirty_misfortunes_change_nothing(tmp_path: Path, seed: int) -> None:
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=MODELS, total_steps=120, jobs=2)
    for planned in campaign.runs:
        behave(workspace.run(planned), Behaviour(step_seconds=0.03, checkpoint_every=15))

    def start_supervisor(
        place: Workspace, environment: Mapping[str, str], before: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        with place.supervisor_log.open("ab") as log:
            return subprocess.Popen(
                [*before, *SUPERVISOR, str(place.root), "linger=1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    chaos = Chaos(workspace, campaign, seed, start_supervisor)
    try:
        chaos.go_on(30, pause=0.4)
        for planned in campaign.runs:
            behave(workspace.run(planned), Behaviour(checkpoint_every=15))
        chaos.make_peace(60, jobs=4)
        assert not faults(chaos)
        for planned in campaign.runs:
            state = RunReader(workspace.run(planned)).refresh()
            assert state is not None and isinstance(state.trainer.ending, Finished)
            assert state.trainer.ending.weights_digest == digest_after(planned.run, 120)
    finally:
        chaos.clean()
