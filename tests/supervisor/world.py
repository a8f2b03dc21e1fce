"""A workspace with a supervisor that the test ticks itself, and trainers that train nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.campaign import Campaign, PlannedRun
from lvmtui.formats.intent import Want, write_intent
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.spec import ArmName
from lvmtui.formats.trainer_log import Finished
from lvmtui.state.campaign_reader import CampaignReader, RunView
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.state.status import Phase
from lvmtui.state.tasks import Task, result_of
from lvmtui.supervisor.decide import Rules
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.supervisor.results import Workers
from lvmtui.supervisor.supervisor import Supervisor
from lvmtui.system.process_id import Identity
from lvmtui.system.processes import Process, marked_processes
from tests.factory import make_campaign, planned_run
from tests.supervisor.fake_trainer import Behaviour, behave, digest_after

TRAINER = (sys.executable, "-P", str(Path(__file__).with_name("fake_trainer.py")))
SUPERVISOR = (sys.executable, "-P", str(Path(__file__).with_name("run_supervisor.py")))
PATIENCE = 60.0
"""Seconds after which a condition will not come true any more, on a machine that has other things to do."""
QUICK = Rules(cancel_wait=0.5, insist_again=0.2, leave_wait=0.5, space_wait=0.3)
"""A supervisor without the patience that real trainers need."""
_LEAVE_RESULT = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.parent.mkdir(exist_ok=True); p.write_text('{}')"


def make_result(folder: CampaignDir, task: Task) -> tuple[str, ...]:
    """A worker that leaves an empty result."""
    return (sys.executable, "-S", "-c", _LEAVE_RESULT, str(result_of(folder, task)))


@dataclass
class World:
    """What a test does to a workspace, and what it sees there."""

    root: Path
    workspace: Workspace = field(init=False)
    supervisor: Supervisor = field(init=False)
    campaign: Campaign = field(init=False)
    rules: Rules = QUICK
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.root)
        self.new_supervisor()

    def new_supervisor(self) -> Supervisor:
        """The one before was killed: what it knew is forgotten."""
        self.supervisor = Supervisor(
            self.workspace,
            engines={"local": LocalEngine(TRAINER)},
            workers=Workers(command=make_result),
            rules=self.rules,
        )
        return self.supervisor

    def plan(
        self, *models: str, behaviour: Behaviour = Behaviour(), jobs: int = 2, steps: int = 60, **options: object
    ) -> Campaign:
        self.campaign = make_campaign(
            self.workspace,
            models=models or ("amn",),
            jobs=jobs,
            total_steps=steps,
            **options,  # type: ignore[arg-type]
        )
        for planned in self.campaign.runs:
            behave(self.workspace.run(planned), behaviour)
        return self.campaign

    # -- naming --

    def run(self, model: str = "amn", arm: ArmName = "baseline") -> PlannedRun:
        return planned_run(self.campaign, model, arm)

    def folder(self, model: str = "amn", arm: ArmName = "baseline") -> RunDir:
        return self.workspace.run(self.run(model, arm))

    # -- doing --

    def want(self, want: Want, model: str = "amn", arm: ArmName = "baseline", **options: bool) -> None:
        write_intent(self.folder(model, arm).intent, want, by="test", **options)

    def behave(self, model: str = "amn", arm: ArmName = "baseline", **options: object) -> None:
        behave(self.folder(model, arm), Behaviour(**options))  # type: ignore[arg-type]

    def until(self, condition: Callable[[], object]) -> None:
        """Tick until the condition is true."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            again = self.supervisor.tick()
            if not again:
                time.sleep(0.02)
            assert time.monotonic() < limit, self.describe()

    def to_the_end(self) -> None:
        """Tick until nothing is left to do."""
        limit = time.monotonic() + 2 * PATIENCE
        while self.supervisor.tick() or self.supervisor.something_left:
            time.sleep(0.02)
            assert time.monotonic() < limit, self.describe()

    def ticks(self, number: int = 10) -> None:
        for _ in range(number):
            self.supervisor.tick()
            time.sleep(0.01)

    # -- seeing --

    def state(self, model: str = "amn", arm: ArmName = "baseline") -> RunState:
        state = RunReader(self.folder(model, arm)).refresh()
        assert state is not None
        return state

    def view(self, model: str = "amn", arm: ArmName = "baseline") -> RunView:
        reader = CampaignReader(self.workspace, self.workspace.campaign(self.campaign.id))
        return reader.view(self.run(model, arm))

    def phase(self, model: str = "amn", arm: ArmName = "baseline") -> Phase:
        return self.view(model, arm).status.phase

    def training(self, model: str = "amn", arm: ArmName = "baseline") -> Identity | None:
        """Its trainer, once it has said that it started and while it lives."""
        started = self.state(model, arm).trainer.started
        return started.process if started and started.process.alive() else None

    def processes(self, folder: RunDir | None = None) -> list[Process]:
        """Everything alive that carries a mark of this workspace, or of one run."""
        mark = os.path.realpath(folder.path if folder else self.workspace.models)
        return [p for p in marked_processes() if p.mark == mark or p.mark.startswith(mark + os.sep)]

    def monitor(self) -> str:
        log = self.workspace.monitor_log(self.campaign)
        return log.read_text() if log.exists() else ""

    def describe(self) -> str:
        lines = [f"{p.run}: {self.view(p.model, p.arm).status}" for p in self.campaign.runs]
        return "\n".join([*lines, *(str(p) for p in self.processes())])

    # -- a supervisor of its own --

    def start_supervisor(self, **options: object) -> subprocess.Popen[bytes]:
        """A real supervisor process, with fake trainers; `linger` and what `Rules` takes are options."""
        arguments = [f"{name}={value}" for name, value in options.items()]
        self.workspace.logs.mkdir(parents=True, exist_ok=True)
        with self.workspace.supervisor_log.open("ab") as log:
            process = subprocess.Popen(
                [*SUPERVISOR, str(self.root), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def finished(self, model: str = "amn", arm: ArmName = "baseline") -> bool:
        return self.phase(model, arm) is Phase.FINISHED

    def whole(self) -> bool:
        """Every run has finished with the weights of one that nothing ever happened to."""
        for planned in self.campaign.runs:
            ending = self.state(planned.model, planned.arm).trainer.ending
            if not isinstance(ending, Finished) or ending.weights_digest != digest_after(planned.run, ending.step):
                return False
        return True

    def clean(self) -> None:
        """Nobody stays behind."""
        for process in self.started:
            process.kill()
            process.wait()
        for left in self.processes():
            with suppress(ProcessLookupError):  # it has ended by itself in the meantime
                os.kill(left.identity.pid, signal.SIGKILL)
        self.supervisor.results.workers.finish()
