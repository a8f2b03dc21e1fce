"""A workspace whose runs are jobs of a real Slurm, with trainers that train nothing."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.spec import ArmName
from lvmtui.formats.supervisor_log import Launched, decode_record
from lvmtui.supervisor.decide import Rules
from lvmtui.supervisor.engines.slurm import SlurmEngine
from lvmtui.supervisor.results import Workers
from lvmtui.supervisor.supervisor import Supervisor
from tests.slurm.cluster import Cluster
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import TRAINER, World, make_result

QUICK = Rules(cancel_wait=1.0, insist_again=0.5, leave_wait=0.5, space_wait=0.3, word_wait=0.3)
STEADY = Behaviour(step_seconds=0.02, checkpoint_every=10)
_STAMPS = count(100_000)
"""No two campaigns of a cluster may have the same name: their jobs would wait for each other."""
FAKE_PYTHON = """#!/bin/sh
# takes the place of python in: python -P -m trainers RUN_DIR
[ "$1 $2 $3" = "-P -m trainers" ] || exit 99
exec {trainer} "$4"
"""


class SlurmWorld(World):
    """What a test does to a workspace on a cluster, and what it sees there."""

    def __init__(self, root: Path, cluster: Cluster, rules: Rules = QUICK) -> None:
        self.cluster = cluster
        self.python = root / "fake_python"
        self.python.write_text(FAKE_PYTHON.format(trainer=" ".join(TRAINER)))
        self.python.chmod(0o755)
        super().__init__(root, rules=rules)

    def new_supervisor(self) -> Supervisor:
        self.engine = SlurmEngine(every=0.2)
        self.supervisor = Supervisor(
            self.workspace,
            engines={"slurm": self.engine},
            workers=Workers(command=make_result),
            rules=self.rules,
        )
        return self.supervisor

    def submit(
        self,
        *models: str,
        behaviour: Behaviour = STEADY,
        jobs: int = 2,
        steps: int = 60,
        **settings: str | tuple[str, ...],
    ) -> Campaign:
        """Plan a campaign for the cluster; `settings` are the engine's."""
        told = {name: (value,) if isinstance(value, str) else value for name, value in settings.items()}
        return self.plan(
            *models,
            behaviour=behaviour,
            jobs=jobs,
            steps=steps,
            stamp=f"20261122_{next(_STAMPS)}",
            engine="slurm",
            engine_settings={"python": (str(self.python),), **told},
        )

    def job(self, model: str = "amn", arm: ArmName = "baseline") -> int:
        """Number of the run's newest job, 0 if it never had one."""
        process = self.state(model, arm).supervision.process
        return process.pid if process else 0

    def launches(self, model: str = "amn", arm: ArmName = "baseline") -> list[Launched]:
        records = map(decode_record, self.folder(model, arm).supervision.read_bytes().splitlines())
        return [record for record in records if isinstance(record, Launched)]

    def in_the_queue(self) -> dict[str, str]:
        """Living jobs of this workspace: number and state."""
        lines = self.cluster.call("squeue", "-h", "-o", "%i %T %o").splitlines()
        return {number: state for number, state, script in (x.split(" ", 2) for x in lines) if str(self.root) in script}

    def clean(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()
        if self.cluster.pid("slurmctld") and (numbers := list(self.in_the_queue())):
            self.cluster.try_to("scancel", "--full", "--signal=KILL", *numbers)
            self.cluster.try_to("scancel", *numbers)
        super().clean()
