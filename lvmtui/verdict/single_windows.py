"""Single held-out windows: a model's best and worst, and those where its arms differ most. Pure, with numpy.

They are for reading, not for judging: the extremes of thousands of windows are mostly noise, and neighbours overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lvmtui.formats.results import SingleWindow, SingleWindows
from lvmtui.formats.spec import ARMS
from lvmtui.verdict.figures import ScoredPair
from lvmtui.verdict.interval import Floats

NAMED = 50
"""Windows of each kind."""


def single_windows(scored: Sequence[ScoredPair], names: Sequence[Sequence[str]], *, folds: bool) -> SingleWindows:
    """The extreme windows of a model. `names`: of the held-out clusters, for each pair.

    Cosines are means over the seeds that were judged on a window: all of them, or with `folds` one.
    """
    pairs = [(pair, of) for pair, of in zip(scored, names, strict=True)]
    groups = [[pair] for pair in pairs] if folds else [pairs]
    windows = [window for group in groups for window in _windows(group)]
    both = np.array([window.baseline + window.expanded for window in windows])
    gain = np.array([window.expanded - window.baseline for window in windows])

    def first(by: Floats) -> tuple[SingleWindow, ...]:
        return tuple(windows[i] for i in np.argsort(by, kind="stable")[:NAMED])

    return SingleWindows(best=first(-both), worst=first(both), gained=first(-gain), lost=first(gain))


def _windows(pairs: Sequence[tuple[ScoredPair, Sequence[str]]]) -> list[SingleWindow]:
    """The windows of pairs that were judged on the same ones."""
    scores, names = pairs[0][0].scores["baseline"], pairs[0][1]
    baseline, expanded = (
        np.stack([pair.scores[arm].cosine for pair, _ in pairs]).astype(np.float64).mean(axis=0) for arm in ARMS
    )
    seen: dict[int, int] = {}
    found = []
    for at, cluster in enumerate(scores.cluster.tolist()):
        seen[cluster] = seen.get(cluster, 0) + 1
        name = names[cluster] if cluster < len(names) else f"article {cluster}"
        found.append(SingleWindow(name, seen[cluster], round(float(baseline[at]), 6), round(float(expanded[at]), 6)))
    return found
