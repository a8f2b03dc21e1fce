"""How often the interval of a doubling's worth holds the truth, what is said of sizes that are all the same, and how
well the largest size is predicted from the smaller ones.

The held-out windows are shaped like the bundled split's: 178 articles of 1 to 439 windows, with their cap. The errors
of each size follow a known curve; windows differ in how hard they are, for all sizes alike; articles differ in what a
size does for them and in what they gain from more data; training and the draw of the articles add noise of each seed.
The fits are those of a campaign. Exits with 1 if a coverage lies outside 93 to 97 % (more is allowed where the sizes
say little about the exponent), or if fewer than 94 % of the campaigns whose sizes are all the same are said to be flat
(one seed: 80 %, because what training adds is known from how the sizes scatter only).

    python benchmarks/learning_curve.py [TRIALS]
    python benchmarks/learning_curve.py back-test CAMPAIGN_DIR...

The second form takes finished campaigns of four sizes or more, leaves out the largest size, and predicts it.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from command_line import parser_of
from coverage import bundled_lengths

from lvmtui.datasets.weights import default_cap
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.results import ALPHA
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.verdict.interval import Design
from lvmtui.verdict.learning_curve import FittedCurve, Measured, fit, measure
from lvmtui.verdict.sizes import judged_of

Floats = npt.NDArray[np.float64]
LOW, HIGH, FLAT, FLAT_ONE_SEED = 0.93, 0.97, 0.94, 0.8
COSINE = 0.52
"""At the largest size, as on the bundled vectors."""
HARD, HARD_ARTICLES = 0.12, 0.05
"""Standard deviations of how hard windows and articles are, the same for all sizes."""
OWN = 0.016
"""Standard deviation of a size's own effect on a window. Differences of two sizes then vary by 4.4 % of the cosine, as
measured."""
BETWEEN = 0.06
"""Share of that variance that is between articles."""
TRAINING = 0.0003
"""Standard deviation of a run's cosine over seeds."""


@dataclass(frozen=True)
class Setting:
    name: str
    exponent: float = 0.0
    fall: float = 2.0
    """Percent of the cosine from the smallest size to the largest."""
    sizes: int = 5
    span: float = 8.0
    seeds: int = 3
    folds: int = 1
    training: float = TRAINING
    draw: float = 0.0
    """Standard deviation of the smallest size's cosine over draws of its articles; it falls with the root of the size,
    and nested draws have what the smaller one drew in common."""
    slope: float = 0.0
    """Standard deviation over articles of what they gain with each doubling."""
    cautious: bool = False
    """The sizes say little about the exponent: may cover more than 97 %."""
    tail: bool = False
    """Articles' effects have heavy tails (Student's t with 4 degrees of freedom)."""


SETTINGS = (
    *(Setting(f"exponent {c:g}, fall of 2 %", exponent=c) for c in (0, 1)),
    *(Setting(f"exponent {c:g}, fall of 2 %", exponent=c, cautious=True) for c in (0.1, 0.25, 0.5)),
    *(Setting(f"exponent {c:g}, fall of 10 %", exponent=c, fall=10) for c in (0.1, 0.25, 0.5)),
    Setting("four sizes", exponent=0.3, sizes=4, cautious=True),
    Setting("eight sizes, a factor of 100", exponent=0.3, sizes=8, span=100, fall=6),
    Setting("three sizes, straight line", sizes=3),
    Setting("three sizes", exponent=0.3, sizes=3, cautious=True),
    Setting("three sizes, fall of 10 %", exponent=0.5, fall=10, sizes=3, cautious=True),
    Setting("one seed, no training noise", exponent=0.3, seeds=1, training=0, cautious=True),
    *(Setting(f"one seed, {n} sizes, straight line", sizes=n, seeds=1, cautious=True) for n in (3, 4, 5, 6)),
    *(
        Setting(f"one seed, {n} sizes, noise x 3", exponent=0.3, sizes=n, seeds=1, training=3 * TRAINING, cautious=True)
        for n in (3, 4, 5, 6, 8)
    ),
    Setting("five seeds", exponent=0.3, seeds=5, cautious=True),
    Setting("random draws", exponent=0.3, draw=0.001, cautious=True),
    Setting("random draws, five seeds", exponent=0.3, draw=0.002, seeds=5, cautious=True),
    Setting("articles gain differently", exponent=0.3, slope=0.004, cautious=True),
    Setting("heavy tails", exponent=0.3, slope=0.002, tail=True, cautious=True),
    Setting("three folds", exponent=0.3, folds=3),
)
SAME = (
    Setting("all sizes the same", fall=0),
    Setting("all the same, one seed", fall=0, seeds=1, training=0),
    Setting("all the same, three sizes", fall=0, sizes=3),
    Setting("all the same, eight sizes", fall=0, sizes=8, span=100),
    Setting("all the same, three folds", fall=0, folds=3),
)


class World:
    """Draws campaigns of a setting."""

    def __init__(self, setting: Setting, lengths: npt.NDArray[np.integer]) -> None:
        self.setting = setting
        self.random = np.random.default_rng(zlib.crc32(setting.name.encode()))
        self.articles = len(lengths)
        self.cluster = np.repeat(np.arange(len(lengths)), lengths)
        clusters = [self.cluster + f * len(lengths) for f in range(setting.folds)]
        self.design = Design(clusters, default_cap(lengths))
        self.windows = np.geomspace(2000, 2000 * setting.span, setting.sizes)
        self.steps = np.log2(self.windows / self.windows[-1])
        shape = self._shape(self.steps)
        self.worth = setting.fall / 100 * COSINE / shape[0]
        """True worth of a doubling at the largest size."""
        self.cosines = COSINE - self.worth * shape

    def _shape(self, steps: Floats) -> Floats:
        c = self.setting.exponent
        return -steps if not c else (2.0 ** (-c * steps) - 1) / (1 - 2.0**-c)

    def _over_articles(self, deviation: float) -> Floats:
        draw = self.random.standard_t(4, self.articles) / np.sqrt(2) if self.setting.tail else None
        return deviation * (self.random.normal(0, 1, self.articles) if draw is None else draw)

    def _fold(self) -> list[Floats]:
        """One fold's cosines of the sizes without noise of training, each (W,)."""
        hard = self._over_articles(HARD_ARTICLES)[self.cluster] + self.random.normal(0, HARD, len(self.cluster))
        slope = self._over_articles(self.setting.slope)[self.cluster]
        found = []
        for cosine, step in zip(self.cosines, self.steps, strict=True):
            own = self._over_articles(OWN * np.sqrt(BETWEEN))[self.cluster]
            own = own + self.random.normal(0, OWN * np.sqrt(1 - BETWEEN), len(self.cluster))
            found.append(cosine + hard + own + slope * step)
        return found

    def _trained(self) -> Floats:
        """(S,) noise of one seed: of training, and of which articles were drawn."""
        s = self.setting
        # Variance of the mean of n nested draws: a random walk in n, divided by n.
        growth = np.diff(self.windows, prepend=0)
        walk = np.cumsum(self.random.normal(0, np.sqrt(growth))) / self.windows
        drawn = s.draw * walk * np.sqrt(self.windows[0])
        return np.asarray(drawn + self.random.normal(0, s.training, len(self.windows)))

    def curve(self) -> FittedCurve:
        s = self.setting
        folds = [self._fold() for _ in range(s.folds)]
        if s.folds > 1:
            noise = [self._trained() for _ in folds]
            scores = [[[folds[f][i] + noise[f][i] for f in range(s.folds)]] for i in range(s.sizes)]
        else:
            noise = [self._trained() for _ in range(s.seeds)]
            scores = [[[folds[0][i] + one[i]] for one in noise] for i in range(s.sizes)]
        return fit(measure(self.design, list(self.windows), scores))


def covered(world: World, trials: int) -> tuple[float, float, float, Counter[str]]:
    """Share of intervals of a doubling's worth that hold the truth, mean half-width in percent of the cosine, mean
    degrees of freedom, and the words."""
    held, width, df = 0, 0.0, 0.0
    words: Counter[str] = Counter()
    for _ in range(trials):
        curve = world.curve()
        gain = curve.gain(2)
        held += gain.low <= world.worth <= gain.high
        width += 50 * (gain.high - gain.low) / COSINE
        df += curve.df
        words[curve.word(COSINE)[0]] += 1
    return held / trials, width / trials, df / trials, words


def simulated(trials: int) -> int:
    began, lengths = time.monotonic(), bundled_lengths()
    print(f"{trials:,} trials a line (two standard errors {200 * np.sqrt(0.05 * 0.95 / trials):.1f} %)")
    print(f"{'':34}{'worth':>7}{'covers':>8}{'+-':>7}{'df':>7}   words")
    outside = []
    for setting in (*SETTINGS, *SAME):
        world = World(setting, lengths)
        share, width, df, words = covered(world, trials)
        said = ", ".join(f"{word} {count / trials:.1%}" for word, count in words.most_common())
        print(
            f"{setting.name:34}{100 * world.worth / COSINE:6.2f} {share:8.1%}{width:6.2f} {df:7.1f}   {said}",
            flush=True,
        )
        if setting.fall and (share < LOW or (share > HIGH and not setting.cautious)):
            outside.append(f"{setting.name}: covers {share:.1%}, not {LOW:.0%} to {HIGH:.0%}")
        least = FLAT if setting.seeds > 1 else FLAT_ONE_SEED
        if not setting.fall and words["flat"] < least * trials:
            outside.append(f"{setting.name}: {words['flat'] / trials:.1%} flat, less than {least:.0%}")
    print(f"{time.monotonic() - began:.0f} s")
    print("\n".join(outside))
    return 1 if outside else 0


def back_test(folders: list[str]) -> int:
    """Leave the largest size out, and predict it from the others: a line a model."""
    print(f"{'':24}{'sizes':>6}{'times':>7}{'predicted':>11}{'found':>8}{'error':>8}{'no gain':>9}   inside")
    errors, naive, inside, count = 0.0, 0.0, 0, 0
    for folder in folders:
        campaign = CampaignDir(Path(folder).resolve())
        state = CampaignReader(campaign.workspace, campaign).refresh()
        known = {model: one.measured for model, one in judged_of(state).items() if one.measured}
        for model, measured in known.items():
            sizes = len(measured.error)
            if sizes < 4:
                print(f"{model:24} fewer than four sizes")
                continue
            curve = fit(_without_the_largest(measured))
            factor = float(measured.windows[-1] / measured.windows[-2])
            cosines = 1 - measured.error
            predicted = 1 - float(curve.last[curve.best]) + curve.gain(factor).value
            wrong, unmoved = (100 * (c - cosines[-1]) / cosines[-1] for c in (predicted, cosines[-2]))
            holds = _holds(curve, factor, measured)
            print(
                f"{model:24}{sizes:6}{factor:7.2f}{predicted:11.4f}{cosines[-1]:8.4f}{wrong:+7.2f}%{unmoved:+8.2f}%   "
                f"{'yes' if holds else 'no'}"
            )
            errors, naive = errors + abs(wrong), naive + abs(unmoved)
            inside, count = inside + holds, count + 1
    if count:
        print(
            f"mean error {errors / count:.2f} % of the cosine; of saying that nothing more is gained "
            f"{naive / count:.2f} %; {inside} of {count} within the 95 % interval of the prediction"
        )
    return 0


def _without_the_largest(measured: Measured) -> Measured:
    return replace(
        measured,
        windows=measured.windows[:-1],
        error=measured.error[:-1],
        influence=measured.influence[:, :-1],
        training=measured.training[:-1],
    )


def _holds(curve: FittedCurve, factor: float, measured: Measured) -> bool:
    """Is the largest size within the interval that the smaller ones predict, its own error counted?"""
    room = curve.room(ALPHA)
    times = curve.doublings(factor)
    for number in np.flatnonzero(room >= 0):
        weights = np.append(curve.last_weights[number] - times[number] * curve.weights[number], -1.0)
        error, _ = measured.standard_error(weights)
        if abs(float(weights @ measured.error)) <= np.sqrt(room[number]) * curve.widened * error:
            return True
    return False


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("words", nargs="*", default=["1000"], metavar="TRIALS | back-test CAMPAIGN_DIR")
    first, *rest = parser.parse_args().words
    return back_test(rest) if first == "back-test" else simulated(int(first))


if __name__ == "__main__":
    sys.exit(main())
