"""The words of a verdict, the names of trivial baselines, and the terms of the glossary. Pure; no numpy.

Screen, files and report all take them from here. Words are tried in a fixed order: an unfair comparison says nothing
about data; an interval around zero that is not narrow says nothing yet; only then is a direction named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lvmtui.formats.data_facts import Centring
from lvmtui.formats.results import ALPHA, LEAST_DF, Estimate, Interval, Population, Stratum
from lvmtui.system.numbers import cosine, percent, rounded_down, signed
from lvmtui.system.student import two_sided_p
from lvmtui.system.text import sanitise

if TYPE_CHECKING:
    from lvmtui.formats.learning_curve import Worth

NEGLIGIBLE = 0.5
"""Percent: a change that is known to be smaller does not matter to anybody who has to choose a data set."""
SHOWN = 5e-5
"""Least difference of two cosines that their four digits show."""
LITTLE = 0.1
"""Cosine of the baseline below which a change is shown in cosine: a percentage of next to nothing misleads."""
MINOR, LARGE = 1.0, 3.0
"""Percent: a change under the first is slight, over the second large. The original experiment's words."""

LEFT_OUT = "windows that hold a copy of a held-out or validation vector, or lie next to one"
"""Of the windows that no run trains or validates on, though they are in its file."""


MORE_SEEDS = "more seeds (--seeds)"
UNFINISHED = "the planned seeds that did not finish (lvmtui retry)"
PUT_BACK = "the planned seeds of which a run folder is gone (put it back)"
"""What to do about seeds that are too few, where all that were planned are compared, and where they are not."""


class Word(StrEnum):
    """What can be said of a change."""

    NOT_COMPARABLE = "not comparable"
    NO_VERDICT = "no verdict"
    TOO_CLOSE = "too close to call"
    NEGLIGIBLE = "negligible"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    LEANS_UP = "leans up"
    LEANS_DOWN = "leans down"
    POINT_ESTIMATE = "point estimate"
    """From the history of an earlier run: a figure without an interval, on windows of its own."""
    PROVISIONAL = "provisional"
    """Runs that were planned are still to come."""


UP = frozenset({Word.IMPROVED, Word.LEANS_UP})
DOWN = frozenset({Word.REGRESSED, Word.LEANS_DOWN})


@dataclass(frozen=True)
class Verdict:
    word: Word
    degree: str = ""
    """`slight`, `minor` or `large`, where the word is a direction shown by several seeds."""
    reason: str = ""
    """In words, where the word needs one."""
    remedy: str = ""
    """What would allow another word, where there is one such thing."""
    ending: str = ""
    """How runs ended that left nothing to compare: the reason without the causes."""

    @property
    def words(self) -> str:
        """`improved, minor`; `not comparable`."""
        return f"{self.word.value}, {self.degree}" if self.degree else self.word.value

    @property
    def sentence(self) -> str:
        """The words with their reason."""
        return f"{self.words}: {self.reason}" if self.reason else self.words


def verdict(
    change: Estimate | None, *, seeds: int, unfair: Sequence[str] = (), remedy: str = "", alpha: float = ALPHA
) -> Verdict:
    """Judge a change in percent.

    `unfair`: why the comparison is not a fair one, in words; `remedy`: what would make it one. `alpha`: the level at
    which this change is tested among several (see `average.joint_level`). With one seed the interval does not cover
    what another seed would have given, so the verdict only leans.
    """
    if unfair:
        return Verdict(Word.NOT_COMPARABLE, reason="; ".join(unfair), remedy=remedy)
    if change is None:
        return Verdict(Word.NOT_COMPARABLE, reason="there are no scores on common held-out windows")
    interval = change.interval(alpha)
    if interval is None:
        return _no_verdict(change, seeds)
    if max(map(abs, interval)) <= NEGLIGIBLE:
        return Verdict(Word.NEGLIGIBLE)
    side = change.side(alpha)
    if side == 0:
        return Verdict(Word.TOO_CLOSE)
    if seeds < 2:
        return Verdict(Word.LEANS_UP if side > 0 else Word.LEANS_DOWN)
    return Verdict(Word.IMPROVED if side > 0 else Word.REGRESSED, degree_of(change.value))


def _no_verdict(change: Estimate, seeds: int) -> Verdict:
    """There is no interval; what is missing."""
    seeds_lack = change.scarce() == "seeds"
    df = change.df if seeds_lack or change.cluster_df is None else change.cluster_df
    has = f"({rounded_down(df)} degrees of freedom, {LEAST_DF:.0f} needed)"
    if seeds_lack:
        return Verdict(Word.NO_VERDICT, reason=f"{seeds} seeds do not tell how much they vary {has}", remedy=MORE_SEEDS)
    carried = f"{change.clusters}, which carry as much as {change.effective_clusters:.1f} of equal weight"
    return Verdict(Word.NO_VERDICT, reason=f"too few held-out clusters: {carried} {has}")


def degree_of(change: float) -> str:
    """`slight`, `minor` or `large`, of a change in percent."""
    size = abs(change)
    return "slight" if size < MINOR else "minor" if size <= LARGE else "large"


@dataclass(frozen=True)
class Chances:
    """How likely it is that more data helps, from the change and its error alone (a flat prior). They add up to 1."""

    helps: float
    """Probability that the change is above +0.5 %."""
    negligible: float
    hurts: float

    @property
    def words(self) -> str:
        """`helps by more than 0.5 %: 82 %, negligible: 17 %, hurts by more than 0.5 %: under 1 %`."""
        return (
            f"helps by more than {NEGLIGIBLE} %: {_chance(self.helps)}, negligible: {_chance(self.negligible)}, "
            f"hurts by more than {NEGLIGIBLE} %: {_chance(self.hurts)}"
        )


def _chance(value: float) -> str:
    return "under 1 %" if value < 0.01 else "over 99 %" if value > 0.99 else f"{100 * value:.0f} %"


def chances(change: Estimate) -> Chances | None:
    """From Student's t with the estimate's degrees of freedom; None where it has no interval."""
    if change.interval() is None or change.standard_error is None:
        return None

    def beyond(distance: float) -> float:
        """The probability of a change more than `distance` above the estimate."""
        if not change.standard_error:
            return float(distance < 0)
        tail = two_sided_p(distance / change.standard_error, change.df) / 2
        return tail if distance > 0 else 1 - tail

    helps, hurts = beyond(NEGLIGIBLE - change.value), beyond(NEGLIGIBLE + change.value)
    return Chances(helps, max(0.0, 1 - helps - hurts), hurts)


LIKELY = 0.6
"""Above it something is likely; from there down to .4 it is about as likely as not."""


def smallness(change: Estimate) -> str:
    """That a change is likely to be negligible; empty: it is not, or has no interval."""
    known = chances(change)
    if known is None or known.negligible < 1 - LIKELY:
        return ""
    how = "Most likely" if known.negligible > LIKELY else "About as likely as not"
    return f"{how} the change is smaller than {NEGLIGIBLE} %, which is negligible."


UNSURE = "not known to be better"
"""Said of an arm with a higher cosine than the best trivial baseline, where chance explains that too."""


def skill_words(gain: Estimate) -> str:
    """An arm against the best trivial baseline: `below`, `no better`, `UNSURE`, `better`; empty: nothing is known."""
    if gain.interval() is None:
        return ""
    side = gain.side() if abs(gain.value) >= SHOWN else 0
    return "below" if side < 0 else "better" if side > 0 else UNSURE if gain.value >= SHOWN else "no better"


def no_interval(estimate: Estimate | None) -> str:
    """Why an estimate has no interval. Seeds that agree as well as articles do are never too few."""
    return "too few seeds" if estimate and estimate.scarce() == "seeds" else "too few held-out clusters"


def population_words(name: Population, baseline: str) -> str:
    """Held-out articles by their source, with the label of the baseline: `articles of 8k`."""
    return {"own": f"articles of {baseline}", "new": "new articles", "both": "all held-out articles"}[name]


def centre_words(centre: Centring, *, folds: bool) -> str:
    """What was done to the vectors, and that figures are of that space. With `folds` each seed has its own centre."""
    others = " (of the first seed; each has a centre of its own)" if folds else ""
    return (
        f"vectors are centred: less the {centre.by} of {centre.vectors:,} training vectors{others}, scaled by "
        f"{'deviation' if centre.by == 'mean' else 'interquartile range'}. That takes the mean cosine of neighbours "
        f"from {cosine(centre.neighbours_before, 3)} to {cosine(centre.neighbours, 3)}. All cosines, trivial baselines "
        "too, are of that space, and those of another one cannot be compared with them"
    )


def stratum_change(stratum: Stratum) -> str:
    """`+1.20 % [+0.40, +2.00]`; in cosine where the baseline has next to none: `−.0031 cosine [−.0102, +.0040]`."""
    if abs(stratum.baseline) >= LITTLE or stratum.difference is None:
        return f"{percent(stratum.change.value)} {interval_words(stratum.change.interval())}"
    return f"{signed(stratum.difference.value)} cosine {cosine_interval(stratum.difference)}"


def interval_words(interval: Interval | None, digits: int = 2, written: Callable[[float, int], str] = percent) -> str:
    """`[+0.92, +2.15]`, in percent; a dash where there is none. An end that would read as zero and is none has up to
    two digits more; `[within ±0.01]` if both would."""
    if interval is None:
        return "–"
    if any(interval) and not any(_shows(end, digits, written) for end in interval if end):
        return f"[within ±{written(10**-digits, digits).strip('+ %')}]"
    digits = next((n for n in range(digits, digits + 3) if all(_shows(end, n, written) for end in interval)), digits)
    return f"[{', '.join(written(end, digits).removesuffix(' %') for end in interval)}]"


def _shows(end: float, digits: int, written: Callable[[float, int], str] = percent) -> bool:
    """True if an end of an interval reads as zero, or as the bound of negligible, only where it is that."""
    bound = written(abs(end), digits) == written(NEGLIGIBLE, digits) and abs(end) != NEGLIGIBLE
    return not end or (bool(written(end, digits).strip("0. %")) and not bound)


def change_and_interval(change: float | None, interval: Interval | None) -> tuple[str, str]:
    """A change and its interval (empty where there is none), with two digits, or so many more that the interval is not
    one point and no end reads as zero that is none."""
    low, high = interval or (0.0, 0.0)
    seen = (n for n in range(2, 6) if _shows(low, n) and _shows(high, n) and percent(low, n) != percent(high, n))
    digits = next(seen, 2)
    return percent(change, digits), interval_words(interval, digits) if interval else ""


def worth_words(worth: Worth | None) -> str:
    """`+0.42 % [+0.10, +0.71]`, or empty where it is not told."""
    if worth is None or worth.low is None or worth.high is None:
        return ""
    return " ".join(change_and_interval(worth.value, (worth.low, worth.high)))


def cosine_interval(estimate: Estimate) -> str:
    """`[+.0090, +.0141]`, the 95 % interval in cosine; a dash where there is none."""
    return interval_words(estimate.interval(), 4, signed)


def listed(names: Sequence[str]) -> str:
    """`AMN`, `AMN and GRU`, `AMN, GRU and LSTM`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


# Trivial baselines ----------------------------------------------------------------------------------------------------

TRIVIAL_TITLES = {
    "copy_last": "copy-last",
    "mean": "mean of the context",
    "recency_mean": "recency mean",
    "constant_mean": "constant mean",
    "ridge": "ridge",
}
"""In the order they are shown."""
WITHOUT_ARTICLE = frozenset({"copy_last", "ridge"})
"""Names of methods; the others are things."""
ALIKE_IN_ALL = frozenset({"copy_last", "constant_mean"})
"""They do not depend on how long the context is."""


def of_context(name: str, context: str) -> str:
    """A trivial baseline's name with its context, `recency_mean@20`, once. `context`: `@20`; empty if there is one."""
    return name if name in ALIKE_IN_ALL or "@" in name else name + context


def trivial_title(name: str) -> str:
    """The name of a trivial baseline as people write it; among several contexts with its own, `recency mean@20`."""
    name, at, context = name.partition("@")
    return TRIVIAL_TITLES.get(name, sanitise(name.replace("_", " "), 60)) + at + context


def short_trivial(name: str) -> str:
    """The name in at most 12 characters, and its context, for the cell of a table."""
    name, at, context = name.partition("@")
    return {"mean": "context mean", "constant_mean": "constant"}.get(name, trivial_title(name))[:12] + at + context


def the_trivial(name: str) -> str:
    """Its name within a sentence: `the recency mean`, `copy-last`."""
    return trivial_title(name) if name.partition("@")[0] in WITHOUT_ARTICLE else f"the {trivial_title(name)}"


# Terms ----------------------------------------------------------------------------------------------------------------

GLOSSARY = {
    "arm": "one of the two data sets that are compared: the baseline (small) or the expanded one (large)",
    "run": "one model trained on one arm with one seed; a pair is its two runs, one on each arm",
    "window": "consecutive context vectors (five by default) and the vector that follows, which is to be predicted",
    "held-out": "windows on which runs are judged that neither trained nor validated on them",
    "cluster": (
        "an article, or a block of about 128 consecutive vectors, with all that hold copies of it; it is held out as a "
        "whole"
    ),
    "cosine": (
        "cosine between predicted and true next vector, averaged over windows; long articles weigh less, but not in a "
        "plain mean; 1 is perfect, higher is better"
    ),
    "change": "held-out cosine of the expanded arm minus that of the baseline, in percent of the baseline's",
    "average": "mean change over the models that were compared: the figure that answers the question",
    "95 % interval": (
        "the range that holds the true change in 95 of 100 campaigns like this one; without zero in it the sign is "
        "known"
    ),
    "verdict": (
        "improved or regressed if the interval is clear of zero, negligible if it lies within ±0.5 %, else too close "
        "to call; it only leans with one seed; not comparable if the runs had no equal chance"
    ),
    "trivial baseline": (
        "a prediction that needs no network: copy-last, the mean of the context, the recency mean (a weighted mean of "
        "it), the constant mean, ridge regression"
    ),
    "gain": (
        "a model's cosine minus that of the best trivial baseline on the same windows; below zero it is worse than no "
        "network"
    ),
    "hit@k, MRR": (
        "share of windows whose true next vector is among the k candidates nearest to the prediction; mean of 1 / rank"
    ),
    "margin": (
        "cosine with the true next vector minus cosine with the last context vector; low values mean that the model "
        "echoes the last vector"
    ),
    "source": "held-out articles that the baseline's data set has, or new ones that only the expanded one has",
}
"""What each term means, as in docs/judgement.md."""
