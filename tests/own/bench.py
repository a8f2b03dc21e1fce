"""A campaign of a user's own script, and the process that runs it: what the tests of such programs start with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import Evaluated, Exit, Failed
from lvmtui.planning.own_tables import read_own
from lvmtui.system.launch import our_command
from lvmtui.system.process_id import LAUNCH_MARK
from lvmtui.system.processes import Process, marked_processes
from tests.trainers.tiny import events_of, plan_campaign

KIT = "from lvmtui.trainer_kit import Run\nimport time, os, sys, signal\nimport numpy as np\nrun = Run.open()\n"
PATTERN = r"epoch (?P<epoch>\d+) val (?P<cosine>\S+)"
SLOW = (
    KIT
    + "first = int(run.resume_from.read_text()) if run.resume_from else 0\n"
    + "assert first == run.first_step\n"
    + "for step in range(first + 1, 10_000):\n"
    + "    time.sleep(0.02); run.step(step, loss=1.0)\n"
    + "    if step % 5 == 0: run.evaluated(step, cosine=0.5)\n"
    + "    if run.asked_to_leave:\n"
    + "        (run.out / 'ck').write_text(str(step)); run.checkpoint('ck', step); break\n"
)


class Bench:
    """A campaign whose trainer is a script, and the wrapper process of one of its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.launch = f"test{os.getpid()}{id(self)}"

    def plan(self, script: str, **table: object) -> RunDir:
        (self.root / "train.py").write_text(script)
        given = {"command": f"{sys.executable} train.py", "steps": 50, **table}
        given = {key: value for key, value in given.items() if value is not None}
        own = read_own({"trainers": {"mine": given}}, self.root / "campaign.toml")
        _, runs = plan_campaign(self.root, models=("mine",), own=own)
        self.run = runs[0]
        return self.run

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, LAUNCH_MARK: self.launch}
        with self.run.log.open("ab") as log:
            self.process = subprocess.Popen(
                our_command("trainers", str(self.run.path)), stdout=log, stderr=log, env=environment
            )
        return self.process

    def to_the_end(self) -> Exit:
        return Exit(self.start().wait(90))

    def tree(self) -> list[Process]:
        """Everybody but the wrapper."""
        return [p for p in marked_processes() if p.launch == self.launch and p.identity.pid != self.process.pid]

    def evaluated(self) -> bool:
        return self.run.events.exists() and any(isinstance(e, Evaluated) for e in events_of(self.run))

    def log(self) -> str:
        return self.run.log.read_text(errors="replace")


def ending(run: RunDir) -> object:
    return events_of(run)[-1]


def failed(run: RunDir) -> str:
    last = ending(run)
    assert isinstance(last, Failed), last
    assert "\n" not in last.message
    return last.message
