"""`lvmtui demo` from start to report: wall and CPU seconds, when progress is first visible, what the time went to.

    python benchmarks/demo.py [WORKSPACE] [OPTIONS OF lvmtui demo...]

Goals: at most 4 minutes on two quiet cores, progress visible within 10 s, at most 10 % that is not training.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from command_line import folder_and_options

from lvmtui.formats.campaign import PlannedRun
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Progress
from lvmtui.formats.paths import Workspace
from lvmtui.formats.trainer_log import CheckpointSaved, Evaluated, Finished, decode_event
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign


def main(arguments: list[str]) -> int:
    root, options = folder_and_options(arguments, __doc__)
    return timed(root, "demo", *options)


def timed(root: Path, *command: str) -> int:
    """Run a command of `lvmtui` that trains a campaign in `root`, print what it prints and what the time went to."""
    whole = [sys.executable, "-P", "-m", "lvmtui", *command, "--headless", "--workspace", str(root)]
    began, first_line, first_progress = time.monotonic(), None, None
    process = subprocess.Popen(whole, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        now = time.monotonic() - began
        first_line = first_line or now
        if "starting" in line or "running" in line:
            first_progress = first_progress or now
        print(f"{now:7.1f} s  {line}", end="")
    code = process.wait()
    wall = time.monotonic() - began
    workspace = Workspace(root)
    state = CampaignReader(workspace, newest_campaign(workspace)).refresh()
    finished = [view.finished for view in state.runs if view.finished]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\nexit code {code}; {len(finished)} of {len(state.runs)} runs finished; load now {os.getloadavg()[0]:.1f}")
    print(f"wall {wall:.0f} s; plan shown after {first_line or 0:.1f} s, first run after {first_progress or 0:.1f} s")
    for arm in ("baseline", "expanded"):
        seconds = [v.finished.active for v in state.runs if v.planned.arm == arm and v.finished]
        print(f"runs of the {arm} arm: {sum(seconds):.0f} s of work, the longest {max(seconds, default=0):.0f} s")
    spent = parts(workspace, [view.planned for view in state.runs if view.finished])
    active = sum(spent.values())
    shares = ", ".join(f"{what} {seconds:.1f} s ({seconds / active:.0%})" for what, seconds in spent.items())
    print(f"all runs: {active:.0f} s of work: {shares}")
    print(f"planning and following: {own.ru_utime + own.ru_stime:.1f} CPU s")
    return code


def parts(workspace: Workspace, runs: list[PlannedRun]) -> dict[str, float]:
    """Seconds of the runs' work, by what they were spent on. A run that was resumed counts with its last life only."""
    spent: defaultdict[str, float] = defaultdict(float)
    for folder in map(workspace.run, runs):
        events = [decode_event(line) for line in folder.events.read_bytes().splitlines()]
        digits = find_document(Progress, folder.progress)
        (finished,) = (event for event in events if isinstance(event, Finished))
        assert digits is not None
        own = {
            "starting": digits.startup_seconds,
            "training": finished.train_seconds,
            "evaluating": sum(e.seconds for e in events if isinstance(e, Evaluated)),
            "saving": sum(e.seconds for e in events if isinstance(e, CheckpointSaved)),
        }
        own["judging on held-out windows"] = finished.active - sum(own.values())
        for part, seconds in own.items():
            spent[part] += seconds
    return spent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
