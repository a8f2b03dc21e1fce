"""The words of judgement. Screen, files and report all take them from here. Pure; no numpy.

The order of the words is the order of what must be true before the next may be said: a comparison that is not fair
says nothing about data; one whose interval holds zero, and more than zero, says nothing yet; only then a direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lvmtui.system.numbers import percent
from lvmtui.system.text import sanitise
from lvmtui.verdict.estimate import ALPHA, LEAST_DF, Estimate, Interval

NEGLIGIBLE = 0.5
"""Percent: a change that is known to be smaller than this does not matter to anybody who has to choose a data set."""
MINOR, LARGE = 1.0, 3.0
"""Percent: a change under the first is slight, over the second large. The original experiment's words."""


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
    """A history of an earlier run: a figure without an interval, on windows of its own."""
    PROVISIONAL = "provisional"
    """The runs are not all over."""


UP = frozenset({Word.IMPROVED, Word.LEANS_UP})
DOWN = frozenset({Word.REGRESSED, Word.LEANS_DOWN})


@dataclass(frozen=True)
class Verdict:
    """A word with what makes it one."""

    word: Word
    degree: str = ""
    """`slight`, `minor` or `large`, where the word is a direction that several seeds carry."""
    reason: str = ""
    """In words, where the word needs one."""
    remedy: str = ""
    """What would allow another word, where one thing would."""

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

    `unfair`: why the comparison is not a fair one, in words; `remedy`: what would make it one. `alpha`: the level this
    change is tested at among several (see `holm`). With one seed the interval does not cover what another seed would
    have given, so a direction is only leaned to.
    """
    if unfair:
        return Verdict(Word.NOT_COMPARABLE, reason="; ".join(unfair), remedy=remedy)
    if change is None:
        return Verdict(Word.NOT_COMPARABLE, reason="there are no scores on common held-out windows")
    interval = change.interval(alpha)
    if interval is None:
        few = change.scarce() == "seeds"
        why = (
            f"{seeds} seeds are too few for how far they lie apart"
            if few
            else f"{change.clusters} held-out clusters that weigh like {change.effective_clusters:.1f} equal ones"
        )
        if change.df < LEAST_DF:
            why = f"{change.df:.2f} degrees of freedom, at least {LEAST_DF:.0f} are needed: {why}"
        return Verdict(Word.NO_VERDICT, reason=why, remedy="one more seed (--seeds)" if few else "")
    low, high = interval
    inside = low >= -NEGLIGIBLE and high <= NEGLIGIBLE
    if low <= 0 <= high and not inside:
        return Verdict(Word.TOO_CLOSE)
    if inside:
        return Verdict(Word.NEGLIGIBLE)
    if seeds < 2:
        return Verdict(Word.LEANS_UP if low > 0 else Word.LEANS_DOWN)
    return Verdict(Word.IMPROVED if low > 0 else Word.REGRESSED, degree_of(change.value))


def degree_of(change: float) -> str:
    """`slight`, `minor` or `large`, of a change in percent."""
    size = abs(change)
    return "slight" if size < MINOR else "minor" if size <= LARGE else "large"


def holm(p_values: Sequence[float | None]) -> tuple[float, ...]:
    """The level at which each of several changes is judged so that, all together, zero is wrongly excluded in at most
    ALPHA of cases (Holm 1979).

    Holm's adjusted p-value of the k-th smallest of m is max over j <= k of (m - j + 1) p_j; as an interval, that is
    the one whose level is smaller than ALPHA by the same factor: it excludes zero if and only if the adjusted p-value
    is at most ALPHA. Changes without a p-value are not tested and do not count.
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    levels = [ALPHA] * len(p_values)
    adjusted = 0.0
    for k, (p, i) in enumerate(tested):
        adjusted = max(adjusted, (len(tested) - k) * p)
        levels[i] = ALPHA / (adjusted / p if p > 1e-300 else len(tested) - k)
    return tuple(levels)


def skill_words(gain: Estimate) -> str:
    """An arm against the best trivial baseline: `below`, `no better` or `better`; empty where nothing is known."""
    interval = gain.interval()
    if interval is None:
        return ""
    low, high = interval
    return "below" if high < 0 else "better" if low > 0 else "no better"


def scarcity(estimate: Estimate | None) -> str:
    """What an estimate without an interval lacks: `seeds`, `held-out clusters`."""
    return "seeds" if estimate and estimate.scarce() == "seeds" else "held-out clusters"


def stratum_words(name: str, baseline: str) -> str:
    """The held-out windows of one source (`Stratum.name`), with the label of the baseline: `articles of 8k`."""
    return {"own": f"articles of {baseline}", "new": "new articles"}.get(name, sanitise(name))


def interval_words(interval: Interval | None, digits: int = 2) -> str:
    """`[+0.92, +2.15]`, in percent; a dash where there is none."""
    if interval is None:
        return "–"
    low, high = (percent(value, digits).removesuffix(" %") for value in interval)
    return f"[{low}, {high}]"
