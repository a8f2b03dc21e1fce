"""How often a change that is told early has the wrong sign, by campaigns as they were recorded.

    python benchmarks/early_signs.py WORKSPACE...      every finished pair of every campaign there

For each pair (a model, a seed) and each share of the training: the bare best validation cosines, the same against the
context mean and the best trivial baseline, and the rule in force (`lvmtui.verdict.rows.early_change`). Right is the
sign of the same pair's change on the held-out windows. Goals: the rule is wrong for at most 10 % at half of the
training, and within 1 % of that change for nine in ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from command_line import parser_of

from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.verdict.comparison import trivial_by_run
from lvmtui.verdict.early import LEAST_SHARE, PairSoFar, best_trivial, early_change, reached

SHARES = (0.25, 0.5, 0.75, 1.0)
Sign = Callable[[PairSoFar, float], float | None]


def bare(pair: PairSoFar, share: float) -> float | None:
    baseline, expanded, _ = pair
    before, after = reached(baseline, share), reached(expanded, share)
    return None if before is None or after is None else after - before


def against_mean(pair: PairSoFar, share: float) -> float | None:
    baseline, expanded, trivial = pair
    before, after = reached(baseline, share), reached(expanded, share)
    means = [t.validation_mean if (t := trivial[arm]) else None for arm in ARMS]
    if before is None or after is None or not all(means):
        return None
    return after / means[1] - before / means[0]  # type: ignore[operator]


def rule(pair: PairSoFar, share: float) -> float | None:
    found = early_change([pair], share) if share >= LEAST_SHARE else None
    return found.percent if found else None


def against_best(pair: PairSoFar, share: float) -> float | None:
    baseline, expanded, trivial = pair
    before, after = reached(baseline, share), reached(expanded, share)
    runs = {"baseline": baseline, "expanded": expanded}
    best = [found.cosine if (found := best_trivial(runs[arm], trivial[arm])) else None for arm in ARMS]
    if before is None or after is None or not all(best):
        return None
    return after / best[1] - before / best[0]  # type: ignore[operator]


SIGNS: dict[str, Sign] = {
    "bare cosines": bare,
    "against the context mean": against_mean,
    "against the best trivial baseline": against_best,
    "the rule in force": rule,
}
NEAR = (0.5, 1.0)
"""Percent: how near the rule's change is to the held-out one."""


def pairs_in(root: Path) -> list[tuple[PairSoFar, float]]:
    """Finished pairs with the change of their held-out cosine, in percent."""
    workspace = Workspace(root)
    found: list[tuple[PairSoFar, float]] = []
    for folder in workspace.campaign_dirs():
        state = CampaignReader(workspace, folder).refresh()
        trivial = trivial_by_run(state)
        for model in state.campaign.models:
            for seed in state.campaign.seeds:
                views = [state.view(model, arm, seed) for arm in ARMS]
                runs = [view.state for view in views if view and view.state and view.state.trainer.finished]
                if len(runs) < len(ARMS):
                    continue
                known = {arm: trivial.get(view.planned.run) for arm, view in zip(ARMS, views, strict=True) if view}
                scores = [run.trainer.finished.heldout.cosine for run in runs if run.trainer.finished]
                if scores[0] > 0:
                    found.append(((runs[0], runs[1], known), 100 * (scores[1] / scores[0] - 1)))
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("workspaces", nargs="+", type=Path)
    pairs = [pair for root in parser.parse_args().workspaces for pair in pairs_in(root)]
    print(f"{len(pairs)} pairs, {sum(change > 0 for _, change in pairs)} of them with a gain on the held-out windows\n")
    print("| wrong sign, of the pairs told | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
    print("|---|" + "---:|" * len(SHARES))
    for name, sign in SIGNS.items():
        cells = []
        for share in SHARES:
            said = Counter((told > 0) == (true > 0) for pair, true in pairs if (told := sign(pair, share)) is not None)
            told = said[True] + said[False]
            cells.append(f"{said[False] / told:.0%} ({said[False]} of {told})" if told else "not told")
        print(f"| {name} | " + " | ".join(cells) + " |")
    for near in NEAR:
        cells = []
        for share in SHARES:
            off = [abs(told - true) <= near for pair, true in pairs if (told := rule(pair, share)) is not None]
            cells.append(f"{sum(off) / len(off):.0%}" if off else "not told")
        print(f"| the rule is within {near} % of the held-out change | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
