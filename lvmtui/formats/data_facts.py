"""`baselines/<arm>.json`: what trivial baselines reach, as numbers only.

A heavy process leaves the file; supervisor, screen and report read it without numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrivialScore:
    """What one trivial baseline reaches on the held-out windows."""

    cosine: float
    margin: float
    """Cosine with the next vector minus cosine with the last context vector."""
    hit_1: float
    hit_5: float
    hit_10: float


NEXT = -3
"""Place of the next vector in `ForwardScores.cosines`: two more follow it, the last context vector comes before."""


@dataclass(frozen=True)
class ForwardScores:
    """Does it predict what comes next? Means over held-out windows that are followed by four more of their article."""

    windows: int
    cosines: tuple[float, ...]
    """(8,) Of the prediction with the last five context vectors, the oldest first, the next vector and the two after
    it; fewer with a shorter context."""
    shuffled: float
    """Cosine of the prediction with the next vector when the context is in random order. In order it is `next`."""
    rollout: tuple[float, ...]
    """(5,) Of the first to the fifth prediction, each with the earlier ones in its context, with what really came."""

    @property
    def last(self) -> float:
        """Cosine with the last context vector."""
        return self.cosines[NEXT - 1]

    @property
    def next(self) -> float:
        """Cosine with the next vector."""
        return self.cosines[NEXT]


@dataclass(frozen=True)
class TrivialBaselines:
    """Trivial baselines of an arm. Copy-last and mean are the same in both arms; the others are fitted."""

    arm: str
    fingerprint: str
    """Fingerprint of the held-out windows they were scored on."""
    windows: int
    scores: dict[str, TrivialScore]
    """By name, see `verdict.words.TRIVIAL_TITLES`; no `ridge` where the vectors are too wide for it."""
    validation_mean: float
    """Cosine of the context mean on the arm's own validation windows."""
    recency_weights: tuple[float, ...]
    """Oldest first."""
    seconds: float
    spread_mean: float | None = None
    """Spread (1 - norm of the mean unit prediction) of the context mean on the validation windows."""
    echo_margin: float | None = None
    """Margin of copy-last on the validation windows."""
    mean_margin: float | None = None
    """Margin of the context mean on the validation windows."""
    forward: dict[str, ForwardScores] = field(default_factory=dict)
    """By name; empty where no held-out window is followed by four more."""
    validation_cosines: dict[str, float] = field(default_factory=dict)
    """By name: mean cosine with the next vector on the arm's own validation windows."""
    version: int = 1


# The part of `check.json` that verdict and report read; `datasets/check_facts.py` has the rest.


@dataclass(frozen=True)
class FileFacts:
    duplicates: int
    """Vectors that are the same as an earlier one: copies and near-copies."""
    coherence: float | None
    """Mean cosine of neighbours."""
    file: str = ""
    """As people named it."""
    chance: float | None = None
    """Mean cosine of any two vectors; None in checks of earlier versions."""
    chance_spread: float | None = None
    """Its standard deviation over pairs."""

    @property
    def unordered(self) -> str:
        """What to know where neighbours are no more alike than any two vectors, as in a search set; else empty."""
        coherence, chance, spread = self.coherence, self.chance, self.chance_spread
        if coherence is None or chance is None or not spread or coherence - chance >= UNORDERED * spread:
            return ""
        return (
            f"{self.file}: neighbours are no more alike than any two vectors (mean cosine {coherence:.3f} and "
            f"{chance:.3f}), as in a search set of one vector an entity. Its rows seem to have no reading order, and "
            "there may be nothing that comes next to learn: embed texts sentence by sentence instead (lvmtui embed), "
            "or sort the rows by text and place"
        )


UNORDERED = 0.3
"""Standard deviations (of the cosine of any two vectors) by which neighbours must be more alike for rows to be in an
order. In 200 stretches of 500 bundled vectors it is 1.12 and more; with the rows shuffled .13 at most, with a standard
deviation of .05 (`benchmarks/search_sets.py`): neither error was seen in 1,200 stretches."""


SAME = 0.98
"""The usual threshold of copies: nearest neighbours of 23,264 real sentences reach .95, above .98 are repetitions."""


@dataclass(frozen=True)
class Nearly:
    """Sampled vectors that are far more alike than all others, and yet not alike enough to count as copies."""

    rows: int
    lowest: float
    """The lowest cosine of them with the one most like it."""
    others: float
    """The highest of all others."""

    @property
    def same(self) -> float:
        """The cosine, in two digits, from which they would count as copies."""
        return math.floor(100 * self.lowest - 0.5) / 100

    @property
    def words(self) -> str:
        return (
            f"besides copies, {self.rows:,} of the vectors looked at have a cosine of {self.lowest:.3f} and more with "
            f"one elsewhere, all others of {self.others:.3f} at most. They count as different ones; if they are copies "
            f"too, --same {self.same:.2f} counts them as such"
        )


@dataclass(frozen=True)
class Neighbours:
    """How near the vectors of all files come to each other. `docs/formats.md` has the words."""

    same: float
    """Cosine from which two vectors are one: near-copies stay out of training and are one candidate in a rank."""
    chosen_by_hand: bool
    """By `--same`; otherwise the usual one, or chosen from the gap between natural neighbours and copies."""
    sampled: int
    """Vectors whose nearest neighbours were looked at for it."""
    median: float
    """Median cosine with the nearest neighbour."""
    natural: float | None
    """The highest of them below `same`."""
    repeated: int
    """Vectors that are the same as an earlier one, of either file."""
    near_copies: int
    """Different vectors in groups whose members are the same but not equal."""
    negated: int
    """Sampled vectors whose negative is there too."""
    nearly: Nearly | None = None
    """Those that may be copies although they are below `same`; None: there are none."""

    @property
    def how(self) -> str:
        """How `same` came about."""
        if self.chosen_by_hand:
            return "as given by --same"
        return "the usual one" if self.same == SAME else "chosen from the gap between what is alike and copies"


@dataclass(frozen=True)
class SpaceFacts:
    """Whether all vectors are of one space, judged by the baseline's main directions and its mean."""

    tested: bool
    """False: too few vectors, or too evenly spread, for a test; then nothing below means anything."""
    energy_baseline: float | None = None
    """Share of a vector's squared length in the baseline's 64 main directions, mean over the baseline's other rows."""
    energy_new: float | None = None
    """The same over the rows that only the expanded file has."""
    mean_cosine: float | None = None
    """Cosine of the mean vectors of both."""
    elsewhere: tuple[str, ...] = ()
    """Rows that are of another space, in words, as `expanded: rows 8,280 to 23,263`."""


@dataclass(frozen=True)
class Centring:
    """The space in which a campaign trains and judges, where it is not that of the file: the vectors were centred."""

    by: str
    """`mean` (and standard deviation) or `median` (and interquartile range)."""
    vectors: int
    """Training vectors it was fitted to."""
    neighbours_before: float
    neighbours: float
    """Mean cosine of neighbours in training windows, before and after."""


@dataclass(frozen=True)
class PairFacts:
    shared: float
    """Share of the baseline's vectors that the expanded arm has by content."""
    baseline_is_part: bool
    same_space: str
    """`yes`: they have vectors in common. `no`: their dimensions differ, or rows are of another space (`space` names
    them). `unknown`: nothing in the files tells."""
    space: SpaceFacts | None = None

    @property
    def other_data(self) -> str:
        """That the expanded arm is not the baseline and more, in words; empty where it is."""
        if self.baseline_is_part or self.same_space == "no":
            return ""
        missing = f"{min(99.9, 100 * (1 - self.shared)):.3g} % of the baseline's vectors are not"
        who = missing if self.shared else "none of the baseline's vectors is"
        return f"{who} in the expanded data, so a change may come from other data, not from more"


@dataclass(frozen=True)
class DataFacts:
    """The part of `check.json` that is read."""

    files: tuple[FileFacts, ...]
    """Baseline and expanded."""
    pair: PairFacts | None
    notes: tuple[str, ...]
    neighbours: Neighbours | None = None
