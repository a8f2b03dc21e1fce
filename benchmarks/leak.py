"""Why held-out windows are drawn by article: a random split of overlapping windows reverses the ranking.

On the 97 full articles among the bundled vectors, the trivial baselines are scored twice in ten folds: once each
article is wholly in one fold, once each window is in a random one. A random split puts neighbours of every held-out
window, which share up to five of its six vectors, into training; a fitted map can then learn the answers.

    python benchmarks/leak.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from command_line import parser_of

from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.fits import (
    constant,
    context_mean,
    copy_last,
    fit_ridge,
    mean_target,
    means,
    recency_weights,
    weighted_mean,
)
from lvmtui.datasets.scores import Predictor
from lvmtui.datasets.store import Store

FULL_ARTICLES = 97
CONTEXT = 5
FOLDS = 10


def folds_of(kind: str, article: np.ndarray, seed: int = 0) -> np.ndarray:
    """The fold of each window."""
    random = np.random.default_rng(seed)
    if kind == "by article":
        fold_of_article: np.ndarray = random.permutation(FULL_ARTICLES) % FOLDS
        return np.asarray(fold_of_article[article])
    return random.permutation(len(article)) % FOLDS


def fit_nine(store: Store, starts: np.ndarray, fold: np.ndarray, held_out: int) -> dict[str, Predictor]:
    """The baselines fitted on nine folds; the ridge's strength is chosen on one of them, after fitting on eight."""
    choosing = (held_out + 1) % FOLDS
    inner, chosen, nine = (
        starts[~np.isin(fold, (held_out, choosing))],
        starts[fold == choosing],
        starts[fold != held_out],
    )
    recency = recency_weights(store, nine, CONTEXT)
    strength = fit_ridge(store, inner, chosen, recency).strength
    return {
        "copy_last": copy_last,
        "mean": context_mean,
        "recency_mean": weighted_mean(recency),
        "constant_mean": constant(mean_target(store, nine, CONTEXT)),
        "ridge": fit_ridge(store, nine, chosen, recency, (strength,)),
    }


def main() -> None:
    parser_of(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        _, arm = bundled_arms(Path(workspace))
        store = arm.open()
        assert store.article_of is not None
        rows = int(np.searchsorted(store.article_of, FULL_ARTICLES))
        starts = store.window_starts(CONTEXT, (0, rows))
        article = store.article_of[starts]
        print(f"{rows:,} vectors, {len(starts):,} windows, {FOLDS} folds\n\n{'':<24}by article   at random")
        figures: dict[str, dict[str, float]] = {}
        began = time.perf_counter()
        for kind in ("by article", "at random"):
            fold = folds_of(kind, article)
            total: dict[str, float] = {}
            for held_out in range(FOLDS):
                judged = starts[fold == held_out]
                predictors = fit_nine(store, starts, fold, held_out)
                for name, predict in predictors.items():
                    total[name] = total.get(name, 0.0) + means(store, judged, CONTEXT, predict).cosine * len(judged)
            figures[kind] = {name: value / len(starts) for name, value in total.items()}
        for name in figures["by article"]:
            print(f"{name.replace('_', ' '):<24}" + "".join(f"{figures[kind][name]:<13.3f}" for kind in figures))
        print(f"\n{time.perf_counter() - began:.0f} s")
        reversed_ = figures["at random"]["ridge"] > figures["at random"]["mean"]
        honest = figures["by article"]["ridge"] < figures["by article"]["mean"]
        print("ridge beats the mean of the context only in the random split" if honest and reversed_ else "NOT SHOWN")
        sys.exit(not (honest and reversed_))


if __name__ == "__main__":
    main()
