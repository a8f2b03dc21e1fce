"""Five thousand runs on five hundred slots of a simulated Slurm: what the supervisor and those who look pay.

    python benchmarks/slurm_simulated.py [RUNS] [SLOTS]        default: 5000 500; some minutes, 100 MB of disk

The supervisor, its decision, its Slurm engine and the run folders are the real ones; `sbatch`, `squeue`, `scancel`, the
nodes and the clock are simulated (`tests/slurm/simulated.py`): jobs wait, reach their time limit, die, are preempted;
the controller is away for 45 s in every 5 minutes; the supervisor is killed while it submits. Said at the end: that
nothing was lost and nothing doubled, what a tick costs, how often the controller was asked, and how long
`lvmtui status` and the screen's first picture take in the middle and at the end.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from command_line import parser_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.polling import Polling
from lvmtui.state.status import Phase
from lvmtui.supervisor.supervisor import Supervisor
from lvmtui.ui.read.source import SnapshotSource
from tests.factory import make_campaign
from tests.slurm.simulated import Figures, Killed, SimulatedSlurm, Weather
from tests.slurm.test_simulated import MODELS, supervisor_over

STEPS = 150


def status_seconds(workspace: Workspace) -> float:
    """How long a person waits for the real command."""
    began = time.perf_counter()
    command = (sys.executable, "-P", "-m", "lvmtui", "status", "--workspace", str(workspace.root))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "8k_vs_23k" in done.stdout, done.stderr
    return time.perf_counter() - began


def picture_seconds(workspace: Workspace) -> tuple[float, float]:
    """(the screen's first snapshot, one more with everything read again)."""
    source = SnapshotSource(workspace, machine=lambda: None)
    spent = []
    for _ in range(2):
        began = time.perf_counter()
        assert source.look() is not None
        spent.append(time.perf_counter() - began)
    return spent[0], spent[1]


def look_seconds(workspace: Workspace) -> float:
    """Median of fifty looks for changes, as on a file system that reports none."""
    news, spent = Polling(workspace), []
    for _ in range(50):
        began = time.process_time()
        news.changes()
        spent.append(time.process_time() - began)
    return statistics.median(spent)


def show(words: str, workspace: Workspace) -> None:
    first, again = picture_seconds(workspace)
    print(
        f"{words}: lvmtui status {status_seconds(workspace):.2f} s; "
        f"the screen's first snapshot {first:.2f} s, everything read again {again:.2f} s; "
        f"a look for changes {1e3 * look_seconds(workspace):.1f} ms",
        flush=True,
    )


def tick(supervisor: Supervisor, figures: Figures) -> bool:
    """One tick, its cost in processor seconds: wall seconds would say what else the machine does."""
    began = time.process_time()
    try:
        return supervisor.tick()
    finally:
        figures.costs.append(time.process_time() - began)
        figures.ticks += 1


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=5000)
    parser.add_argument("slots", nargs="?", type=int, default=500)
    given = parser.parse_args()
    runs, slots = given.runs, given.slots
    seeds = -(-runs // (2 * len(MODELS)))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        campaign = make_campaign(
            workspace, models=MODELS, seeds=range(1, seeds + 1), jobs=slots, total_steps=STEPS, engine="slurm"
        )
        print(f"{len(campaign.runs)} runs of {STEPS} s on {slots} slots, jobs of at most 90 s", flush=True)
        slurm, figures = SimulatedSlurm(Weather(slots=slots, kills=0.0005)), Figures()
        supervisor, middle = supervisor_over(slurm, workspace), False
        tick(supervisor, figures)
        print(f"the first tick, which reads every folder: {figures.costs.pop():.1f} s of a processor", flush=True)
        while True:
            try:
                again = tick(supervisor, figures)
            except Killed:
                figures.kills += 1
                supervisor, again = supervisor_over(slurm, workspace), True
            tracks = supervisor.observer.tracks.values()
            over = sum(track.seen.status.over for track in tracks)
            if over == len(campaign.runs):
                break
            if not middle and over > len(campaign.runs) // 2:
                middle = True
                show(f"half of them over, {len(slurm.living)} jobs", workspace)
            slurm.advance(0.05 if again else supervisor.pause)
        show("all over", workspace)
        state = CampaignReader(workspace, workspace.campaign(campaign.id)).refresh()
        finished = [view for view in state.runs if view.status.phase is Phase.FINISHED]
        failed = [view for view in state.runs if view.status.phase is Phase.FAILED]
        once = all(slurm.finishes[v.folder.path] == 1 and v.state and v.state.step == STEPS for v in finished)
        costs = sorted(figures.costs)
        print(f"finished {len(finished)}, given up after three deaths in a row {len(failed)}")
        print(f"lost or finished twice: {'none' if once else 'SOME'}; trained twice at once: {slurm.doubled}")
        print(f"most jobs in the queue: {slurm.most}; jobs {slurm.number}; supervisors killed {figures.kills}")
        print(
            f"{figures.ticks} ticks in {slurm.now:.0f} simulated seconds: "
            f"median {1e3 * statistics.median(costs):.0f} ms, p95 {1e3 * costs[int(0.95 * len(costs))]:.0f} ms, "
            f"longest {costs[-1]:.2f} s of a processor; {100 * sum(costs) / slurm.now:.1f} % of a core"
        )
        print(f"commands: {', '.join(f'{name} {n}' for name, n in sorted(slurm.calls.items()))}")
        print(f"squeue every {slurm.now / slurm.calls['squeue']:.1f} s")
        print(f"memory of supervisor and simulation {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        ok = once and not slurm.doubled and len(finished) + len(failed) == len(state.runs)
        return 0 if ok else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
