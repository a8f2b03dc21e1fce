"""`comparisons/<model>.json`: the figures of a model's two arms on the same held-out windows. Numbers only.

A short process writes it (`lvmtui.verdict.compare`). Words are chosen from it later, so a better word never needs the
scores again. Read without numpy. Fields with a default came later: documents without them stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import find_document
from lvmtui.system.student import t_quantile

Interval = tuple[float, float]
ALPHA = 0.05
"""1 - the level of every interval that is shown."""
LEAST_DF = 3.0
"""Degrees of freedom below which no interval is given: its half-width would be over 3 standard errors, and the
standard error itself is known to within a factor of two at best."""
Population = Literal["both", "own", "new"]
"""Which held-out articles judge: those the baseline's source has, new ones, or both."""
POPULATIONS: tuple[Population, ...] = ("both", "own", "new")
STRATA: tuple[Population, ...] = ("own", "new")
"""The sources in the order of their numbers in `heldout.npz`; `verdict.words.population_words` says them."""
VERSION = 2
METRIC = 1
"""Version of `heldout.npz` that is compared: another one may mean something else by its columns."""


@dataclass(frozen=True)
class Estimate:
    """A weighted mean over held-out windows that come in clusters, with what is known of its error."""

    value: float
    """Percent of the baseline, cosine, or a share of windows: the field that has the estimate says which."""
    standard_error: float | None
    """In the unit of `value`. None: unknown, because there is a single cluster."""
    df: float
    """Degrees of freedom of the standard error."""
    windows: int
    clusters: int
    effective_clusters: float
    """1 / sum(w^2) of the clusters' shares: how many clusters of equal weight would carry as much (Kish 1965)."""
    cluster_df: float | None = None
    """Degrees of freedom of the variance that comes from clusters, where seeds or folds add to it; None: as `df`."""
    from_training: float = 0.0
    """Share of the variance that comes from seeds, or from seeds and folds; the rest comes from clusters."""

    def scarce(self, least: float = LEAST_DF) -> Literal["", "clusters", "seeds"]:
        """What there are too few of for `least` degrees of freedom; empty: there are enough of both.

        Clusters come first: many seeds cannot make up for few clusters.
        """
        if (self.df if self.cluster_df is None else self.cluster_df) < least:
            return "clusters"
        return "seeds" if self.df < least else ""

    def side(self, alpha: float = ALPHA) -> int:
        """1 or -1 where its 1 - alpha interval is clear of zero, else 0."""
        low, high = self.interval(alpha) or (0.0, 0.0)
        return (low > 0) - (high < 0)

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """The 1 - alpha interval, None where the error is not known well enough."""
        if self.standard_error is None or self.scarce():
            return None
        half = t_quantile(alpha, self.df) * self.standard_error if self.standard_error > 0 else 0.0
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Effects:
    """Where the error of a change comes from, cluster by cluster: changes of several models on the same windows can be
    averaged with it, and their correlation is known. In percent."""

    value: float
    fold: tuple[int, ...]
    """(G,) of each cluster, from 0; all 0 without folds."""
    influence: tuple[float, ...]
    """(G,) by how much a cluster moves the change; the sum of squares is the CR2 variance."""
    share: tuple[float, ...]
    """(F,) weight of each fold; they add up to 1."""
    change: tuple[float, ...]
    """(F,) change in each fold."""
    cluster_df: float
    """Degrees of freedom of the CR2 variance; 0 where a fold has a single cluster."""
    windows: int
    effective_clusters: float
    training: float = 0.0
    """Variance that comes from seeds, where all seeds share their windows."""
    training_df: float = 0.0


@dataclass(frozen=True)
class Check:
    """One condition of a fair comparison, and what was found."""

    name: str
    passed: bool
    words: str
    remedy: str = ""
    """What would make a failed one pass, where a person can do it."""


@dataclass(frozen=True)
class Pair:
    """The two runs of one seed."""

    seed: int
    baseline_run: str
    expanded_run: str
    baseline_digest: str
    """Checksum of `heldout.npz`, as the run logged it."""
    expanded_digest: str
    baseline: float | None
    """Mean held-out cosine; None where the scores could not be used."""
    expanded: float | None


@dataclass(frozen=True)
class Skill:
    """An arm against the best trivial baseline on the same windows."""

    against: str
    """Name of the trivial baseline, see `verdict.words.TRIVIAL_TITLES`; of one of several contexts `ridge@3`."""
    cosine: float
    """Cosine of the trivial baseline."""
    gain: Estimate
    """The arm's cosine less the trivial baseline's."""


@dataclass(frozen=True)
class ArmScores:
    """One arm over the seeds compared: means over seeds of weighted means over held-out windows."""

    cosine: float
    margin: float
    """Cosine with the next vector less cosine with the last context vector."""
    hit_1: float
    """Share of windows whose true next vector is the nearest of all held-out targets."""
    hit_5: float
    hit_10: float
    validation: float | None
    """Cosine of the best models on the arm's own validation windows, which differ between the arms; None: not told."""
    seed_deviation: float | None
    """Standard deviation of the cosine over seeds; None with one seed."""
    skill: Skill | None
    """None as long as the trivial baselines are not there."""
    mrr: float | None = None
    """Mean reciprocal rank of the true next vector."""
    trivial: dict[str, float] = field(default_factory=dict)
    """Cosine of each trivial baseline, of all contexts, on the same windows with the same weights."""


@dataclass(frozen=True)
class Stratum:
    """The held-out windows of one source, or of both."""

    name: Population
    """`own`: clusters the baseline's source has; `new`: only the expanded arm's source."""
    baseline: float
    expanded: float
    change: Estimate
    """In percent of the baseline arm's cosine on these windows."""
    difference: Estimate | None = None
    """The same in cosine; shown instead where a percentage of a cosine near zero would mislead."""
    effects: Effects | None = None
    """The change cluster by cluster, so that models can be averaged."""


@dataclass(frozen=True)
class Retrieval:
    """How often the true next vector is found, in both arms on the same windows."""

    name: str
    """`hit_1`, `hit_10`: share of windows with the true vector among the k nearest; `mrr`: mean reciprocal rank."""
    baseline: float
    expanded: float
    change: Estimate
    """Expanded less baseline, as a share (not in percent), paired by window."""
    against: str = ""
    """The trivial baseline that does best by this measure; empty: not known."""
    trivial: float | None = None
    """What it reaches."""
    gain: Estimate | None = None
    """The expanded arm less that trivial baseline."""


@dataclass(frozen=True)
class ContextGain:
    """A model with one context against itself with the next shorter one, trained on the same arm."""

    arm: str
    context: int
    shorter: int
    cosine: float
    """Mean held-out cosine, weighted as the comparisons are."""
    shorter_cosine: float
    difference: Estimate
    """In cosine, on the same targets."""
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class SingleWindow:
    """A held-out window and the cosines of a model's two arms on it, means over seeds."""

    article: str
    """Name of its held-out cluster, sanitised."""
    place: int
    """Which of the article's held-out windows it is, from 1."""
    baseline: float
    expanded: float


@dataclass(frozen=True)
class SingleWindows:
    """Windows worth reading, the most extreme first."""

    best: tuple[SingleWindow, ...]
    """Highest cosine of both arms together."""
    worst: tuple[SingleWindow, ...]
    gained: tuple[SingleWindow, ...]
    """The expanded arm is ahead by most."""
    lost: tuple[SingleWindow, ...]


@dataclass(frozen=True)
class Comparison:
    """A model's expanded arm against its baseline arm."""

    campaign: str
    model: str
    inputs: str
    """sha256 over what this was made from; see `verdict.comparison.inputs_of`."""
    split_fingerprint: str
    pairs: tuple[Pair, ...]
    """Complete when this was made."""
    checks: tuple[Check, ...]
    """Every condition of a fair comparison; where seeds differ, the failing words."""
    notes: tuple[str, ...]
    """What a reader must know although it does not make the comparison unfair."""
    baseline: ArmScores | None
    """None, with `expanded` and `change`, where the scores are not of the same windows or cannot be read."""
    expanded: ArmScores | None
    change: Estimate | None
    """Expanded less baseline, in percent of the baseline's mean."""
    strata: tuple[Stratum, ...]
    """Each source that has held-out windows; where both have some, `both` comes last."""
    made: float
    """Seconds since 1970."""
    version: int = VERSION
    cap: int | None = None
    """Windows a held-out cluster may weigh; None: no cap."""
    folds: bool = False
    """True: each seed was judged on other held-out clusters."""
    difference: Estimate | None = None
    """Expanded less baseline in cosine."""
    unweighted: Estimate | None = None
    """The change with every window weighing the same, in percent; None where no cap makes it another figure."""
    unweighted_effects: Effects | None = None
    """None where `unweighted` is, and in files of earlier versions."""
    effects: Effects | None = None
    retrieval: tuple[Retrieval, ...] = ()
    judge_on: Population = "both"
    """The articles that all figures but `strata` are of."""
    contexts: tuple[ContextGain, ...] = ()
    """With several contexts: what this one gains over the next shorter one, by arm."""
    windows: SingleWindows | None = None
    """None where figures are, and in files of earlier versions."""
    doubts: tuple[str, ...] = ()
    """Notes that bear on the scores: versions of libraries, and of files of the user's own trainer, that differ."""
    unfit: tuple[str, ...] = ()
    """Alarms of its runs that leave nothing to compare, as they were when this was made: a run's folder may go."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """Why this is not a fair comparison; empty if it is one."""
        return tuple(check for check in self.checks if not check.passed)

    def arm(self, arm: str) -> ArmScores | None:
        return {"baseline": self.baseline, "expanded": self.expanded}.get(arm)


def read_comparison(path: Path) -> Comparison | None:
    """The comparison at `path`; None where there is none this version can read: `lvmtui report` makes it again."""
    comparison = find_document(Comparison, path)
    if comparison is None or comparison.version != VERSION or (comparison.change and not comparison.effects):
        return None  # the last version before 0.2.0 wrote 2 already, without effects
    return comparison


# The report -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportedRun:
    """A run as the report found it."""

    run: str
    status: str
    """Its phase."""
    attempts: int


@dataclass(frozen=True)
class ReportedRuns:
    """What the commands need of `report.json`. All of it is `report.contents.Report`."""

    runs: tuple[ReportedRun, ...]


@dataclass(frozen=True)
class MadeFrom:
    """`made.json`: what each result of a campaign was made from, so that nothing is made twice without need."""

    results: Mapping[str, str] = field(default_factory=dict)
    """Name of the result -> digest of what it was made from."""
    version: int = 1


def read_made(path: Path) -> dict[str, str]:
    """What each result was made from; empty if it cannot be read."""
    found = find_document(MadeFrom, path)
    return dict(found.results) if found else {}
