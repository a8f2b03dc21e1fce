"""How often arms that are in truth the same are said to differ, on the bundled data, and how large training noise is.

Six seeds of each model are trained on each bundled arm (tuned recipe, small). Every way of dividing an arm's six seeds
into three and three is one comparison of the arm with itself, judged exactly as a campaign with three seeds is. There
are 10 such divisions for each model and arm; they share runs, and all share the held-out windows, so 80 comparisons
tell as much as a few dozen independent ones. Exits with 1 if more than 6 % are said to have improved or regressed.

    python benchmarks/same_arms.py WORKSPACE [MODEL ...]

Takes half an hour to an hour on one core for four models; run again, it goes on where it stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from command_line import parser_of

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.planning.options import demo
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.verdict.interval import Design
from lvmtui.verdict.words import Word, verdict

MODELS = ("amn", "lstm", "gru", "transformer")
SEEDS = (1, 2, 3, 4, 5, 6)
MOST = 0.06
"""Share of comparisons that may be wrong."""


def planned(workspace: Workspace, models: tuple[str, ...]) -> Campaign:
    """The campaign in the workspace; a new one where there is none."""
    if not workspace.campaign_dirs():
        workspace.root.mkdir(parents=True, exist_ok=True)
        options = replace(demo(), models=models, seeds=SEEDS, folds=False, device="cpu", threads=1, jobs=1)
        write_plan(make_plan(options, workspace), workspace)
    return CampaignReader(workspace, workspace.campaign_dirs()[-1]).campaign


def train(workspace: Workspace, campaign: Campaign) -> CampaignState:
    """Train what is not finished, one after the other."""
    reader = CampaignReader(workspace, workspace.campaign(campaign.id))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    for view in reader.refresh().runs:
        if not view.finished:
            command = [sys.executable, "-P", "-m", "trainers", str(view.folder.path)]
            with view.folder.log.open("ab") as log:
                subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
    return reader.refresh()


def cosines(state: CampaignState, model: str, arm: ArmName) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.integer]]:
    """Held-out cosines (K, W) of the seeds that finished, and the clusters (W,)."""
    rows, cluster = [], np.empty(0, np.int32)
    for view in state.runs:
        planned_run = view.planned
        if (planned_run.model, planned_run.arm) == (model, arm) and view.folder.heldout.exists():
            with np.load(view.folder.heldout) as arrays:
                rows.append(arrays["cosine"].astype(np.float64))
                cluster = arrays["cluster"]
    return np.stack(rows) if rows else np.empty((0, 0)), cluster


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("models", nargs="*", default=MODELS)
    given = parser.parse_args()
    workspace = Workspace(given.workspace.resolve())
    state = train(workspace, planned(workspace, tuple(given.models)))
    words: Counter[str] = Counter()
    print(
        f"{'model':14}{'arm':10}{'seeds':>6}{'cosine':>9}{'deviation':>11}{'of a change':>13}   words of all divisions"
    )
    for model in state.campaign.models:
        for arm in ARMS:
            scores, cluster = cosines(state, model, arm)
            if len(scores) < 2:
                continue
            means = scores.mean(axis=1)
            deviation = float(means.std(ddof=1))
            noise = 100 * np.sqrt(2) * deviation / means.mean()
            said = Counter(divided(scores, cluster)) if len(scores) >= 6 else Counter()
            words += said
            label = state.campaign.arm(arm).label
            line = f"{model:14}{label:10}{len(scores):6}{means.mean():9.4f}{deviation:11.5f}{noise:12.2f}%"
            print(f"{line}   {dict(said)}")
    total = sum(words.values())
    wrong = sum(count for word, count in words.items() if word in (Word.IMPROVED, Word.REGRESSED))
    if total:
        print(f"{wrong} of {total} comparisons of an arm with itself are wrong ({wrong / total:.1%}): {dict(words)}")
    return 1 if total and wrong > MOST * total else 0


def divided(scores: npt.NDArray[np.float64], cluster: npt.NDArray[np.integer]) -> list[str]:
    """The word for each division of the first six seeds into three and three."""
    found = []
    for half in combinations(range(1, 6), 2):
        first = [0, *half]
        second = [i for i in range(6) if i not in first]
        baseline, expanded = scores[first], scores[second]
        change = Design([cluster]).estimate(
            [(expanded - baseline).mean(axis=0)],
            (baseline.mean(axis=1), expanded.mean(axis=1)),
            unit=float(baseline.mean()) / 100,
        )
        found.append(verdict(change, seeds=3).word.value)
    return found


if __name__ == "__main__":
    sys.exit(main())
