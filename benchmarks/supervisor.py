"""What the supervisor costs and how fast it is, on trainers that train nothing.

    python benchmarks/supervisor.py            all of it, about two minutes

- tick: CPU of one look-decide-act over a workspace of 200 runs, 50 of them running
- adoption: from the start of a supervisor's process until it knows 50 living runs as its own
- idle: CPU and memory of a supervisor with two runs going, and with nothing to do
- pause, cancel: from the order until nobody is left, medians of 20
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from command_line import parser_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from lvmtui.formats.intent import write_intent
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.models import MODELS
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.state.status import Phase
from lvmtui.supervisor.results import Workers
from lvmtui.supervisor.supervisor import Supervisor
from lvmtui.system.process_id import FOLDER_MARK, LAUNCH_MARK, RUN_MARK, folder_id, identity_of
from lvmtui.system.processes import kill_all, marked_processes
from tests.factory import bring_to, make_campaign
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import World, make_result

TICKS = 200
TRIES = 20


def main() -> None:
    parser = parser_of(__doc__)
    parser.parse_args()
    report("tick, 200 runs of which 50 run", tick_cpu(), "ms CPU, median", limit=5.0)
    report("  the dearest of them", tick_cpu.dearest, "ms CPU")  # type: ignore[attr-defined]
    report("adoption of 50 living runs", adoption(), "s", limit=1.0)
    for name, running in (("two runs going", True), ("nothing to do", False)):
        cpu, memory = idle(running)
        report(f"supervisor, {name}", cpu, "% CPU", limit=0.5)
        report(f"supervisor, {name}", memory, "MB", limit=60.0)
    report("pause taken, nobody left", latency("pause", Phase.PAUSED), "s, median of 20", limit=1.0)
    report("cancel, nobody left", latency("cancel", Phase.CANCELLED), "s, median of 20", limit=1.5)


def report(what: str, value: float, unit: str, limit: float | None = None) -> None:
    verdict = "" if limit is None else f"   (wanted: under {limit:g}){'' if value < limit else '  MISSED'}"
    print(f"{what:36s} {value:8.3f} {unit}{verdict}", flush=True)


@contextmanager
def workspace() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory(prefix="lvmtui-bench-") as root:
        try:
            yield Workspace(Path(root))
        finally:
            kill_all(lambda: [p for p in marked_processes() if p.mark.startswith(root)])


def marks_of(folder: RunDir) -> dict[str, str]:
    """What a run's processes carry in their environment."""
    return {RUN_MARK: os.path.realpath(folder.path), FOLDER_MARK: folder_id(folder.path), LAUNCH_MARK: ""}


@contextmanager
def many_runs(place: Workspace, running: int, others: int) -> Iterator[None]:
    """A campaign with so many runs that run (their processes sleep), and as many that wait, have finished or failed."""
    seeds = range(1, (running + others) // (2 * len(MODELS)) + 1)
    campaign = make_campaign(place, models=MODELS, seeds=seeds, jobs=running)
    sleepers: list[subprocess.Popen[bytes]] = []
    states = ("finished", "queued", "paused", "failed", "cancelled")
    for index, planned in enumerate(campaign.runs):
        key = (planned.model, planned.arm, planned.seed)
        if index < running:
            folder = place.run(planned)
            sleepers.append(
                subprocess.Popen(
                    [sys.executable, "-S", "-c", "import time; time.sleep(3600)"],
                    start_new_session=True,
                    env={**os.environ, **marks_of(folder)},
                )
            )
            bring_to(place, campaign, *key, state="running", process=identity_of(sleepers[-1].pid))
        else:
            bring_to(place, campaign, *key, state=states[index % len(states)])  # type: ignore[arg-type]
    try:
        yield
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()


def tick_cpu() -> float:
    """Median CPU milliseconds of a tick. Every trainer writes its digits four times a second, a tick comes once."""
    with workspace() as place, many_runs(place, 50, 150):
        supervisor = Supervisor(place, workers=Workers(command=make_result))
        while supervisor.tick() or supervisor.results.workers.busy:
            time.sleep(0.05)
        running = [track for track in supervisor.observer.tracks.values() if track.seen.alive]
        assert len(running) == 50 and len(supervisor.observer.tracks) == 200
        spent = []
        for _ in range(TICKS):
            for track in running:  # each has new digits, as in life
                path = track.folder.progress
                content = path.read_bytes()
                path.with_suffix(".new").write_bytes(content)
                path.with_suffix(".new").rename(path)
            began = time.process_time()
            supervisor.tick()
            spent.append(1000 * (time.process_time() - began))
        tick_cpu.dearest = max(spent)  # type: ignore[attr-defined]
        return statistics.median(spent)


def adoption() -> float:
    """Seconds from the start of the process until every living run is known and in the log of the supervisor."""
    with workspace() as place, many_runs(place, 50, 0):
        for folder in place.models.iterdir():  # started by a supervisor that was killed before it wrote it down
            (folder / "supervision.jsonl").unlink()
        world = World(place.root)
        began = time.monotonic()
        process = world.start_supervisor()
        try:
            wait_for(lambda: all((folder / "supervision.jsonl").exists() for folder in place.models.iterdir()))
            return time.monotonic() - began
        finally:
            process.kill()
            process.wait()


def idle(running: bool) -> tuple[float, float]:
    """CPU percent and MB of a supervisor's process over ten seconds."""
    with workspace() as place:
        world = World(place.root)
        world.plan(*MODELS, behaviour=Behaviour(step_seconds=0.05), jobs=2, steps=100_000)
        if not running:
            for planned in world.campaign.runs:
                write_intent(place.run(planned).intent, "pause", by="bench")
        process = world.start_supervisor()
        try:
            if running:
                wait_for(lambda: world.training() and world.training("amn", "expanded"))
            wait_for(lambda: place.campaign(world.campaign.id).made.exists())
            time.sleep(3)
            began, before = time.monotonic(), cpu_seconds(process.pid)
            time.sleep(10)
            spent = cpu_seconds(process.pid) - before
            return 100 * spent / (time.monotonic() - began), resident(process.pid)
        finally:
            world.clean()


def latency(want: str, phase: Phase) -> float:
    """Median seconds from an order to a folder that says so and a process table without a trace of the run."""
    taken = []
    with workspace() as place:
        world = World(place.root)
        world.plan("amn", behaviour=Behaviour(step_seconds=0.02), jobs=2, steps=100_000)
        world.start_supervisor()
        try:
            wait_for(lambda: supervisor_of(place) is not None)
            for _ in range(TRIES):
                wait_for(lambda: world.training() and world.phase() is Phase.RUNNING)
                began = time.monotonic()
                world.want(want)  # type: ignore[arg-type]
                wait_for(lambda: world.phase() is phase and not world.processes(world.folder()))
                taken.append(time.monotonic() - began)
                world.want("run")
        finally:
            world.clean()
    return statistics.median(taken)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.005)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
