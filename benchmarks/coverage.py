"""How often the 95 % interval of a change holds the truth, on synthetic scores shaped like the bundled articles.

The held-out windows of the bundled split lie in 178 articles from 1 to over 400 windows, which weigh like 14 equal
ones. Differences are drawn with a known mean, an article effect, noise between overlapping neighbours and training
noise of each seed, in several mixtures; the interval that `lvmtui.verdict.compare` would give is counted, and a
percentile bootstrap over articles beside it. Exits with 1 if any coverage is outside 93 to 97 %.

    python benchmarks/coverage.py [TRIALS]
"""

from __future__ import annotations

import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.draw import draw_split
from lvmtui.verdict.interval import bell_mccaffrey, estimate

Floats = npt.NDArray[np.float64]
CHANGE = 0.008
"""The true mean difference of cosines."""
WINDOW_DEVIATION = 0.024
"""Of a window's difference between the arms. Four models trained on the bundled arms had .020 to .024."""
TRAINING_DEVIATION = 0.0005
"""Of an arm's mean over seeds."""
LOW, HIGH = 0.93, 0.97
BOOTSTRAP_TRIALS, RESAMPLES = 1000, 400


@dataclass(frozen=True)
class Mixture:
    """How differences vary."""

    name: str
    article: float
    """Share of the variance that is between articles."""
    tail: str = "normal"
    """Distribution of the article effects: `normal`, `heavy` (Student's t, 4 df), `skewed` (gamma of skewness 1) or
    `very skewed` (exponential, skewness 2)."""
    neighbours: float = 0.0
    """Correlation of the noise of neighbouring windows."""
    uneven: bool = False
    """True: the noise of an article is its own, within a factor of three."""
    claimed: bool = True
    """False: beyond what is promised; shown so that the limit is known."""


MIXTURES = (
    Mixture("independent windows", 0.0),
    Mixture("2 % between articles", 0.02),
    Mixture("6 % between articles, as measured", 0.06),
    Mixture("20 % between articles", 0.20),
    Mixture("6 %, neighbours correlated .6", 0.06, neighbours=0.6),
    Mixture("6 %, heavy tails", 0.06, tail="heavy"),
    Mixture("6 %, skewed", 0.06, tail="skewed"),
    Mixture("6 %, articles of uneven noise", 0.06, neighbours=0.6, uneven=True),
    Mixture("6 %, very skewed (not claimed)", 0.06, tail="very skewed", claimed=False),
)
"""Trained models had 5 to 6 % between articles, neighbours correlated by .03, and article means of a skewness up to 1.5
over the 17 largest articles."""


def article_effects(random: np.random.Generator, mixture: Mixture, articles: int) -> Floats:
    """(articles,) of mean 0 and the mixture's deviation."""
    match mixture.tail:
        case "heavy":
            raw = random.standard_t(4, articles) / np.sqrt(2)
        case "skewed":
            raw = random.gamma(4, 0.5, articles) - 2
        case "very skewed":
            raw = random.exponential(1, articles) - 1
        case _:
            raw = random.normal(0, 1, articles)
    return np.asarray(raw * WINDOW_DEVIATION * np.sqrt(mixture.article))


def window_noise(
    random: np.random.Generator, mixture: Mixture, cluster: npt.NDArray[np.integer], smoother: Floats
) -> Floats:
    """(W,) noise; neighbours are correlated by a moving mean, articles uneven if asked for."""
    raw = random.normal(0, 1, len(cluster) + len(smoother) - 1)
    noise = np.convolve(raw, smoother, mode="valid")
    if mixture.uneven:
        noise = noise * np.exp(random.uniform(-0.55, 0.55, cluster.max() + 1))[cluster]
    return np.asarray(noise * WINDOW_DEVIATION * np.sqrt(1 - mixture.article))


def smoother_of(correlation: float) -> Floats:
    """Weights (k,) of unit norm whose moving mean gives neighbours about this correlation: 1 - 1/k."""
    width = max(1, round(1 / (1 - correlation)))
    return np.full(width, 1 / np.sqrt(width))


def coverage(mixture: Mixture, cluster: npt.NDArray[np.integer], seeds: int, trials: int) -> tuple[float, float, float]:
    """Share of intervals that hold the truth, their mean half-width in percent of a cosine of .5, and mean df; of the
    trials that were given one (with too few degrees of freedom the verdict says that there is none)."""
    random = np.random.default_rng(zlib.crc32(f"{mixture.name} {seeds}".encode()))
    smoother = smoother_of(mixture.neighbours)
    told, hits, width, df = 0, 0, 0.0, 0.0
    for _ in range(trials):
        shared = CHANGE + article_effects(random, mixture, int(cluster.max()) + 1)[cluster]
        noise = window_noise(random, mixture, cluster, smoother)
        training = random.normal(0, TRAINING_DEVIATION, (2, seeds)) if seeds > 1 else np.zeros((2, 1))
        scores = shared + noise + (training[1] - training[0]).mean()
        found = estimate(scores, cluster, (training[0], training[1]) if seeds > 1 else ())
        if (interval := found.interval()) is None:
            continue
        low, high = interval
        told += 1
        hits += low <= CHANGE <= high
        width += (high - low) / 2 / 0.005
        df += found.df
    return hits / told, width / told, df / told


def bootstrap_coverage(mixture: Mixture, cluster: npt.NDArray[np.integer], trials: int) -> float:
    """The same for the percentile bootstrap that draws articles with replacement."""
    random = np.random.default_rng(7)
    sizes = np.bincount(cluster).astype(float)
    smoother, hits = smoother_of(mixture.neighbours), 0
    for _ in range(trials):
        effects = article_effects(random, mixture, len(sizes))[cluster]
        scores = CHANGE + effects + window_noise(random, mixture, cluster, smoother)
        sums = np.bincount(cluster, weights=scores)
        drawn = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES)
        low, high = np.quantile(drawn @ sums / (drawn @ sizes), (0.025, 0.975))
        hits += low <= CHANGE <= high
    return hits / trials


def main(arguments: list[str]) -> int:
    trials = int(arguments[0]) if arguments else 2000
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        split = draw_split(*bundled_arms(Path(folder)), seed=0)
    cluster = np.sort(split.heldout.cluster).astype(np.int64)
    share = np.bincount(cluster) / len(cluster)
    print(
        f"{len(cluster):,} held-out windows in {len(share)} articles that weigh like {1 / np.sum(share**2):.1f}; "
        f"Bell-McCaffrey df {bell_mccaffrey(share):.1f}; {trials:,} trials a line (two standard errors "
        f"{200 * np.sqrt(0.05 * 0.95 / trials):.1f} %)"
    )
    print(f"{'':34}{'one seed':>22}{'three seeds':>22}{'bootstrap':>11}")
    print(f"{'':34}{'covers':>8}{'+-':>7}{'df':>7}{'covers':>8}{'+-':>7}{'df':>7}{'covers':>11}")
    outside = []
    for mixture in MIXTURES:
        line = f"{mixture.name:34}"
        for seeds in (1, 3):
            covered, width, df = coverage(mixture, cluster, seeds, trials)
            line += f"{covered:8.1%}{width:6.2f}%{df:7.1f}"
            if mixture.claimed and not LOW <= covered <= HIGH:
                outside.append(f"{mixture.name}, {seeds} seeds: {covered:.1%}")
        print(line + f"{bootstrap_coverage(mixture, cluster, BOOTSTRAP_TRIALS):11.1%}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    for words in outside:
        print(f"outside {LOW:.0%} to {HIGH:.0%}: {words}")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
