"""How often the 95 % interval of a change holds the truth, on synthetic scores shaped like the bundled articles.

The held-out windows of the bundled split lie in 178 articles of 1 to 439 windows. Differences between the arms are
drawn with a known mean, an article effect, noise between overlapping neighbours, and training noise of each seed or
fold. The intervals are made by the same functions as a campaign's. Exits with 1 if a coverage that is claimed lies
outside 93 to 97 % (more is allowed where the interval is known to be cautious: folds without training noise).

    python benchmarks/coverage.py [TRIALS]
    python benchmarks/coverage.py [TRIALS] --power     how often a true change is detected, and what
                                                       `lvmtui.verdict.power` says of it beforehand
"""

from __future__ import annotations

import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from command_line import parser_of

from lvmtui.datasets.arm import bundled_arms
from lvmtui.datasets.draw import draw_folds
from lvmtui.datasets.weights import default_cap
from lvmtui.formats.results import Effects, Estimate
from lvmtui.verdict.average import correlations, estimate_of, joint_level
from lvmtui.verdict.interval import Design
from lvmtui.verdict.power import power
from lvmtui.verdict.words import DOWN, UP, verdict

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]
CHANGE = 0.8
"""The true change, in percent; 0 where an arm is compared with itself."""
LARGE = 33.0
"""A large change, in percent: the error of the baseline's mean counts too."""
WINDOW_DEVIATION = 4.4
"""Percent: standard deviation of a window's difference. Models trained on the bundled arms had 4 to 5."""
TRAINING_DEVIATION = 0.08
"""Percent: of a change over seeds, as measured on the bundled arms."""
LOW, HIGH = 0.93, 0.97
FALSE_WORDS = 0.06
SEEDS, MODELS = 3, 5


@dataclass(frozen=True)
class Setting:
    """How differences vary, and how they are judged."""

    name: str
    article: float = 0.06
    """Share of the variance that is between articles. Trained models had .05 to .06."""
    tail: str = "normal"
    """Distribution of the article effects: `normal`, `heavy` (Student's t, 4 df) or `skewed` (gamma, skewness 1)."""
    neighbours: float = 0.0
    """Correlation of the noise of neighbouring windows. Trained models had .03."""
    capped: bool = True
    seeds: int = 1
    folds: int = 1
    training: float = TRAINING_DEVIATION
    lengths: str = "bundled"
    """`bundled`; `giant`: one article with 40 % of the windows; `equal`: 30 articles of 60."""
    change: float = CHANGE
    cautious: bool = False
    """True if it may cover more than 97 %."""
    claimed: bool = True
    """False: beyond what is promised; shown so that the limit is known."""


SETTINGS = (
    Setting("no cap", capped=False),
    Setting("cap"),
    Setting("cap, independent windows", article=0),
    Setting("cap, 20 % between articles", article=0.2),
    Setting("cap, heavy tails", tail="heavy"),
    Setting("cap, skewed", tail="skewed"),
    Setting("cap, neighbours .6", neighbours=0.6),
    Setting("cap, three seeds", seeds=3),
    Setting("cap, a giant of 40 %", lengths="giant"),
    Setting("no cap, a giant (no verdict)", lengths="giant", capped=False, claimed=False),
    Setting("30 equal clusters", lengths="equal"),
    Setting("3 folds", folds=3, seeds=3, cautious=True),
    Setting("3 folds, no training noise", folds=3, seeds=3, training=0, cautious=True),
    Setting("3 folds, noise .3 % (not claimed)", folds=3, seeds=3, training=0.3, claimed=False),
    Setting("3 folds, noise .6 % (not claimed)", folds=3, seeds=3, training=0.6, claimed=False),
    Setting("5 folds, noise .3 % (not claimed)", folds=5, seeds=5, training=0.3, claimed=False),
)
CHANGES = (0.0, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""True changes in percent, of which `--power` tells how often they are detected."""
POWER_SETTINGS = (
    Setting("no cap, one seed", capped=False),
    Setting("cap, one seed"),
    Setting("cap, three seeds", seeds=3),
    Setting("cap, three folds", seeds=3, folds=3),
)


class World:
    """Draws differences of a setting, and judges them."""

    def __init__(self, setting: Setting, bundled: Integers) -> None:
        self.setting = setting
        self.random = np.random.default_rng(zlib.crc32(setting.name.encode()))
        lengths = {
            "bundled": bundled,
            "giant": np.append(bundled, round(2 / 3 * bundled.sum())),
            "equal": np.full(30, 60),
        }[setting.lengths]
        self.lengths = lengths
        self.cluster = np.repeat(np.arange(len(lengths)), lengths)
        self.cap = default_cap(lengths) if setting.capped else None
        self.design = Design([self.cluster + f * len(lengths) for f in range(setting.folds)], self.cap)
        width = max(1, round(1 / (1 - setting.neighbours)))
        self.smoother = np.full(width, 1 / np.sqrt(width))

    def articles(self) -> Floats:
        """(G,) effects of mean 0 and variance 1."""
        size = len(self.lengths)
        match self.setting.tail:
            case "heavy":
                return np.asarray(self.random.standard_t(4, size) / np.sqrt(2))
            case "skewed":
                return np.asarray(self.random.gamma(4, 0.5, size) - 2)
        return np.asarray(self.random.normal(0, 1, size))

    def noise(self) -> Floats:
        raw = self.random.normal(0, 1, len(self.cluster) + len(self.smoother) - 1)
        return np.asarray(np.convolve(raw, self.smoother, mode="valid"))

    def differences(self, shared: list[Floats] | None = None) -> tuple[list[Floats], list[Floats]]:
        """Differences (W,) a fold, and the means of both arms over seeds. `shared`: article effects (G,) a fold."""
        s = self.setting
        arms = self.random.normal(0, s.training / np.sqrt(2), (2, s.seeds)) if s.seeds > 1 else np.zeros((2, 1))
        moved = arms[1] - arms[0]
        effects = shared or [self.articles() for _ in range(s.folds)]
        found = []
        for fold in range(s.folds):
            trained = moved[fold] if s.folds > 1 else moved.mean()
            own = np.sqrt(s.article) * effects[fold][self.cluster] + np.sqrt(1 - s.article) * self.noise()
            found.append(s.change + trained + WINDOW_DEVIATION * own)
        return found, [arms[0], arms[1]] if s.seeds > 1 and s.folds == 1 else []

    def one(self) -> Estimate:
        return self.design.estimate(*self.differences())

    def models(self) -> list[Effects]:
        """Five models whose article effects correlate by .9 and whose noise in a window by .5."""
        common = [self.articles() for _ in range(self.setting.folds)]
        noise = [self.noise() for _ in range(self.setting.folds)]
        found = []
        for _ in range(MODELS):
            shared = [np.sqrt(0.9) * c + np.sqrt(0.1) * self.articles() for c in common]
            values, seeds = self.differences(shared)
            mixed = [
                v + WINDOW_DEVIATION * np.sqrt(1 - self.setting.article) * (np.sqrt(0.5) * n + (np.sqrt(0.5) - 1) * own)
                for v, n, own in zip(values, noise, self._own(values, shared), strict=True)
            ]
            found.append(self.design.effects(mixed, seeds))
        return found

    def _own(self, values: list[Floats], shared: list[Floats]) -> Iterator[Floats]:
        """The noise of windows in `values`, centred: what is left without the article effects."""
        for value, effect in zip(values, shared, strict=True):
            rest = value - WINDOW_DEVIATION * np.sqrt(self.setting.article) * effect[self.cluster] - self.setting.change
            yield (rest - rest.mean()) / (WINDOW_DEVIATION * np.sqrt(1 - self.setting.article))

    def large(self) -> Estimate:
        """A change by a third of a baseline of .35 that differs between articles: by the same amount in each."""
        baseline = 0.35 + 0.05 * self.articles()[self.cluster] + 0.2 * self.noise()
        return self._changed(baseline, baseline + LARGE / 100 * 0.35)

    def in_proportion(self) -> Estimate:
        """A change by a third of each article's own cosine."""
        baseline = 0.35 + 0.05 * self.articles()[self.cluster] + 0.2 * self.noise()
        return self._changed(baseline, (1 + LARGE / 100) * baseline)

    def _changed(self, baseline: Floats, expanded: Floats) -> Estimate:
        noise = 0.01 * self.articles()[self.cluster] + 0.02 * self.noise()
        return estimate_of([self.design.relative([baseline], [expanded + noise])])

    def hits(self) -> Estimate:
        """hit@10 in both arms (about .22 and .235), paired: the same latent difficulty of a window counts for both."""
        difficulty = 0.25 * self.articles()[self.cluster] + self.noise()
        arms = [difficulty + 0.35 * self.noise() > bar for bar in (0.83, 0.78)]
        return self.design.estimate([arms[1].astype(float) - arms[0]])


def covered(make: Callable[[], Estimate], truth: float, trials: int) -> tuple[float, float, float, float]:
    """Share of intervals that hold the truth, their mean half-width, mean df, and the share of trials without one."""
    held, width, df, none = 0, 0.0, 0.0, 0
    for _ in range(trials):
        found = make()
        interval = found.interval()
        if interval is None:
            none += 1
            continue
        held += interval[0] <= truth <= interval[1]
        width += (interval[1] - interval[0]) / 2
        df += found.df
    told = max(1, trials - none)
    return held / told, width / told, df / told, none / trials


def jointly(world: World, trials: int) -> tuple[float, float, float, float]:
    """Coverage of the average over models; share of trials in which all models' joint intervals hold; mean half-width
    of a joint interval; mean joint level."""
    held, all_held, width, level = 0, 0, 0.0, 0.0
    for _ in range(trials):
        effects = world.models()
        mean = estimate_of(effects).interval()
        alpha = joint_level(correlations(effects))
        intervals = [estimate_of([e], effects).interval(alpha) for e in effects]
        held += mean is None or mean[0] <= CHANGE <= mean[1]
        all_held += all(i is not None and i[0] <= CHANGE <= i[1] for i in intervals)
        width += float(np.mean([(i[1] - i[0]) / 2 for i in intervals if i]))
        level += alpha
    return held / trials, all_held / trials, width / trials, level / trials


def said_of_equals(world: World, trials: int) -> tuple[float, float, float]:
    """Shares of trials in which the average, one given model, and any of five models is said to differ though none
    does."""
    average = one = some = 0
    directions = UP | DOWN
    for _ in range(trials):
        effects = world.models()
        alpha = joint_level(correlations(effects))
        words = [verdict(estimate_of([e], effects), seeds=SEEDS, alpha=alpha).word for e in effects]
        average += verdict(estimate_of(effects, effects), seeds=SEEDS).word in directions
        one += words[0] in directions
        some += any(word in directions for word in words)
    return average / trials, one / trials, some / trials


def bundled_lengths() -> Integers:
    """Windows of each held-out article of the bundled split."""
    with tempfile.TemporaryDirectory() as folder:
        (split,) = draw_folds(*bundled_arms(Path(folder)), seed=0, folds=None)
    return np.asarray(np.unique(split.heldout.cluster, return_counts=True)[1])


def print_power(bundled: Integers, trials: int) -> None:
    """A line for each setting: the share of trials that detect each true change, and what is said beforehand."""
    print(f"{'share detected, change in percent':34}" + "".join(f"{change:7.1f}" for change in CHANGES) + "  predicted")
    for setting in POWER_SETTINGS:
        cap = default_cap(bundled) if setting.capped else None
        said = power([bundled.tolist()] * setting.folds, cap, seeds=setting.seeds)
        shares = [detected(replace(setting, change=change), bundled, trials) for change in CHANGES]
        print(f"{setting.name:34}" + "".join(f"{share:7.0%}" for share in shares) + f"  {said.words}", flush=True)


def detected(setting: Setting, bundled: Integers, trials: int) -> float:
    """Share of trials whose 95 % interval excludes zero."""
    world = World(setting, bundled)
    found = [world.one().interval() for _ in range(trials)]
    return float(np.mean([i is not None and not i[0] <= 0 <= i[1] for i in found]))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("trials", nargs="?", type=int)
    parser.add_argument("--power", action="store_true")
    given = parser.parse_args()
    bundled = bundled_lengths()
    if given.power:
        print_power(bundled, given.trials or 1000)
        return 0
    return print_coverage(bundled, given.trials or 2000)


def print_coverage(bundled: Integers, trials: int) -> int:
    """A line for each setting. Returns 1 if a coverage that is claimed lies outside its bounds."""
    began = time.monotonic()
    print(
        f"{bundled.sum():,} held-out windows in {len(bundled)} articles, cap {default_cap(bundled)}; {trials:,} trials "
        f"a line (two standard errors {200 * np.sqrt(0.05 * 0.95 / trials):.1f} %)"
    )
    print(f"{'':34}{'covers':>8}{'+-':>7}{'df':>7}{'none':>7}")
    outside = []

    def say(
        name: str, found: tuple[float, float, float, float], *, cautious: bool = False, claimed: bool = True
    ) -> None:
        share, width, df, none = found
        print(f"{name:34}{share:8.1%}{width:6.2f} {df:7.1f}{none:7.1%}", flush=True)
        if claimed and (share < LOW or (share > HIGH and not cautious)):
            outside.append(f"{name}: {share:.1%}")

    for setting in SETTINGS:
        found = covered(World(setting, bundled).one, CHANGE, trials)
        say(setting.name, found, cautious=setting.cautious, claimed=setting.claimed)
    hits = World(Setting("hits"), bundled)
    truth = float(np.mean([hits.hits().value for _ in range(4 * trials)]))
    say("hit@10, paired", covered(hits.hits, truth, trials))
    say("33 %, in all articles alike", covered(World(Setting("large"), bundled).large, LARGE, trials))
    say("33 %, in proportion", covered(World(Setting("in proportion"), bundled).in_proportion, LARGE, trials))
    joint = (
        Setting("five models", seeds=3),
        Setting("five models, 3 folds", seeds=3, folds=3, cautious=True),
        Setting("five models, 3 folds, noise .3 %", seeds=3, folds=3, training=0.3, cautious=True, claimed=False),
    )
    for setting in joint:
        mean, every, width, level = jointly(World(setting, bundled), trials // 4)
        print(
            f"{setting.name:34}{mean:8.1%} the average; all five hold in {every:.1%}, +-{width:.2f}, "
            f"each at {1 - level:.1%}"
        )
        for name, share in (("average", mean), ("joint", every)):
            if (setting.claimed and share < LOW) or (name == "average" and share > HIGH and not setting.cautious):
                outside.append(f"{setting.name}, {name}: {share:.1%}")
    for setting in (Setting("A/A", seeds=3, change=0), Setting("A/A, 3 folds", seeds=3, folds=3, change=0)):
        average, one, some = said_of_equals(World(setting, bundled), trials // 4)
        print(f"{setting.name:34}{average:8.1%} say the average differs; one model {one:.1%}, any of five {some:.1%}")
        outside += [f"{setting.name}: {share:.1%} false words" for share in (average, one) if share > FALSE_WORDS]
    print(f"{time.monotonic() - began:.0f} s")
    for words in outside:
        print(f"outside {LOW:.0%} to {HIGH:.0%}: {words}")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
