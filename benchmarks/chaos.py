"""Two campaigns of the real trainers, one left in peace and one to which everything happens: they must end alike.

    python benchmarks/chaos.py                                   200 misfortunes, five models, two arms, small
    python benchmarks/chaos.py --events 30 --models amn gru --epochs 1
    python benchmarks/chaos.py --quiet DIR                       take the quiet campaign of an earlier go
    python benchmarks/chaos.py --workspace DIR                   on a small disk (under 4 GB) it is also filled at times

Held against each other: the final weights to the bit, every held-out figure, every evaluation; then: no event lost,
none doubled after the fold, no process left, no run trained by two processes. Exit code 0 if all of it holds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from command_line import parser_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.models import MODELS
from lvmtui.planning.options import demo
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.supervisor.lock import ensure_supervisor
from lvmtui.system.launch import our_command
from tests.chaos import Chaos
from tests.chaos_faults import faults


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two misfortunes, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--quiet", type=Path, metavar="DIR", help="workspace of a quiet campaign with the same plan")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="where the chaos takes place; must be empty")
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds for the end after the last misfortune")
    given = parser.parse_args()

    quiet = Workspace(given.quiet) if given.quiet else trained_in_peace(given)
    place = Workspace(given.workspace or Path(tempfile.mkdtemp(prefix="lvmtui-chaos-")))
    campaign = planned_in(place, given)
    chaos = Chaos(place, campaign, given.seed, supervisor_of, say=print_line)
    began = time.monotonic()
    try:
        chaos.go_on(given.events, given.pause)
        chaos.make_peace(given.patience, jobs=2)
        wrong = faults(chaos) + differences(quiet, place, campaign)
    finally:
        chaos.clean()
    print(f"\n{sum(chaos.happened.values())} misfortunes in {time.monotonic() - began:.0f} s, seed {given.seed}:")
    for name, count in chaos.happened.most_common():
        print(f"  {count:4d}  {name}")
    print(f"in {quiet.root} and {place.root}:")
    for line in wrong or [f"all {len(campaign.runs)} runs are equal to the bit; nothing lost, doubled or left behind"]:
        print(f"  {line}")
    return 1 if wrong else 0


def planned_in(place: Workspace, given: argparse.Namespace) -> Campaign:
    options = replace(demo(), models=tuple(given.models), epochs=given.epochs, device="cpu", jobs=2, threads=1)
    return write_plan(make_plan(options, place), place)


def trained_in_peace(given: argparse.Namespace) -> Workspace:
    """The same plan, trained without faults."""
    place = Workspace(Path(tempfile.mkdtemp(prefix="lvmtui-quiet-")))
    campaign = planned_in(place, given)
    print(f"quiet: {ensure_supervisor(place)}", flush=True)
    reader = CampaignReader(place, place.campaign(campaign.id))
    while not reader.refresh().settled:
        time.sleep(0.5)
    assert reader.refresh().finished, "the quiet campaign did not finish"
    return place


def supervisor_of(place: Workspace, extra: Mapping[str, str], before: Sequence[str]) -> subprocess.Popen[bytes]:
    place.logs.mkdir(parents=True, exist_ok=True)
    with place.supervisor_log.open("ab") as log:
        return subprocess.Popen(
            [*before, *our_command("lvmtui", "supervise", "--workspace", str(place.root))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **extra},
        )


def differences(quiet: Workspace, place: Workspace, campaign: Campaign) -> list[str]:
    """What differs between the two."""
    found: list[str] = []
    calm = CampaignReader(quiet, newest_campaign(quiet)).refresh()
    for planned in campaign.runs:
        view = calm.view(planned.model, planned.arm, planned.seed)
        here = RunReader(place.run(planned)).refresh()
        if view is None or view.state is None or here is None:
            found.append(f"{planned.run}: not in both")
            continue
        found += [f"{planned.run}: {what}" for what in differing(view.state, here, view.folder, place.run(planned))]
    return found


def differing(a: RunState, b: RunState, folder_a: RunDir, folder_b: RunDir) -> list[str]:
    first, second = a.trainer.finished, b.trainer.finished
    if first is None or second is None:
        return ["not finished"]
    found = []
    if first.weights_digest != second.weights_digest:
        found.append("the final weights differ")
    if (first.heldout, first.best_step, first.best_cosine) != (second.heldout, second.best_step, second.best_cosine):
        found.append("the held-out figures differ")
    histories = [
        [
            (e.step, e.loss, e.cosine, e.margin, e.spread, e.train_loss, e.train_cosine, e.rate)
            for e in run.trainer.evaluations
        ]
        for run in (a, b)
    ]
    if histories[0] != histories[1]:
        found.append("the evaluations differ")
    with np.load(folder_a.heldout, allow_pickle=False) as left, np.load(folder_b.heldout, allow_pickle=False) as right:
        found += [f"held-out {n} differs" for n in left.files if not np.array_equal(left[n], right[n])]
    return found


def print_line(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
