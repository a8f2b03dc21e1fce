"""How often a true change is detected, by weights and folds: simulated, and as `lvmtui.verdict.power` says beforehand.

Differences are drawn as in `coverage.py`, with article lengths of the bundled split.

    python benchmarks/power.py [TRIALS]
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from coverage import Setting, World

from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.draw import draw_split
from lvmtui.datasets.weights import default_cap
from lvmtui.verdict.power import power

CHANGES = (0.0, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
SETTINGS = (
    Setting("no cap, one seed", capped=False),
    Setting("cap, one seed"),
    Setting("cap, three seeds", seeds=3),
    Setting("cap, three folds", seeds=3, folds=3),
)


def told(setting: Setting, bundled: np.ndarray, trials: int) -> float:
    """Share of trials whose 95 % interval excludes zero."""
    world = World(setting, bundled)
    found = [world.one().interval() for _ in range(trials)]
    return float(np.mean([i is not None and not i[0] <= 0 <= i[1] for i in found]))


def main(arguments: list[str]) -> int:
    trials = int(arguments[0]) if arguments else 1000
    with tempfile.TemporaryDirectory() as folder:
        split = draw_split(*bundled_arms(Path(folder)), seed=0)
    bundled = np.unique(split.heldout.cluster, return_counts=True)[1]
    print(f"{'share detected, change in percent':34}" + "".join(f"{change:7.1f}" for change in CHANGES) + "  predicted")
    for setting in SETTINGS:
        cap = default_cap(bundled) if setting.capped else None
        foretold = power([bundled.tolist()] * setting.folds, cap, seeds=setting.seeds)
        shares = [told(replace(setting, change=change), bundled, trials) for change in CHANGES]
        print(f"{setting.name:34}" + "".join(f"{share:7.0%}" for share in shares) + f"  {foretold.words}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
