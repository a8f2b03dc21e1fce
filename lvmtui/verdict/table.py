"""The table of a verdict: its rows and what stands in them. Facts only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lvmtui.formats.data_facts import Centring, ForwardScores
from lvmtui.formats.results import ALPHA, ArmScores, Estimate, Interval, Population, Retrieval, Skill, Stratum
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.state.status import Phase
from lvmtui.system.numbers import percent, signed
from lvmtui.system.text import grouped
from lvmtui.verdict import words
from lvmtui.verdict.health import Finding
from lvmtui.verdict.words import Verdict, Word

SEED_NOISE = 0.001
"""Cosine that seeds differ by: a smaller gain or loss is none."""


@dataclass(frozen=True)
class EarlyChange:
    """A change before its runs are judged."""

    percent: float
    """(expanded / its recency mean) over (baseline / its recency mean), less 1, in percent."""
    share: float
    """Share of the training that both arms had done when they were compared; of several pairs the smallest."""
    pairs: int = 1
    """It is the mean over so many."""
    planned: int = 1

    @property
    def words(self) -> str:
        """`about +0.8 % so far (at 62 % of training, 1 of 3 seeds)`."""
        seeds = f", {self.pairs} of {self.planned} seeds" if self.planned > 1 else ""
        return f"{self.short} (at {100 * self.share:.0f} % of training{seeds})"

    @property
    def short(self) -> str:
        """`about +0.8 % so far`. It has no interval: it is about other windows than the verdict."""
        return f"about {percent(self.percent, 1)} so far"


@dataclass(frozen=True)
class Forward:
    """Whether the models of an arm predict what comes next: figures on held-out windows, mean over seeds."""

    scores: ForwardScores
    against: str
    """Name of the trivial baseline that comes nearest to the next vector."""
    trivial: ForwardScores
    """Its figures."""

    @property
    def gain_next(self) -> float:
        """Cosine with the next vector above the trivial baseline's."""
        return self.scores.next - self.trivial.next

    @property
    def gain_last(self) -> float:
        """Cosine with the last context vector above the trivial baseline's."""
        return self.scores.last - self.trivial.last

    @property
    def order(self) -> float:
        """Cosine that is lost when the context vectors are put in random order."""
        return self.scores.next - self.scores.shuffled

    @property
    def echoes(self) -> bool:
        """True if it gains less than seeds differ by at the next vector that it does not gain at the last."""
        return self.gain_next - max(0.0, self.gain_last) < SEED_NOISE

    @property
    def ignores_order(self) -> bool:
        return self.order < SEED_NOISE


@dataclass(frozen=True)
class ArmCell:
    """What a row says about one arm."""

    label: str
    status: str
    """`finished`, or what its runs are doing."""
    cosine: float | None
    """Held-out cosine, mean over seeds; where only histories are known, the best validation cosine."""
    validation: float | None
    """Best validation cosine, mean over the seeds that have one; so far, while runs go on. Without the seeds of which a
    run has ended early, where there are others."""
    scores: ArmScores | None
    """All figures on the held-out windows, once compared."""
    findings: tuple[Finding, ...]
    """What health found in its runs, alarms first, each kind once with its seeds."""
    forward: Forward | None = None
    """None where no run is finished, or no held-out window is followed by four more of its article."""

    @property
    def skill(self) -> Skill | None:
        return self.scores.skill if self.scores else None

    @property
    def skill_words(self) -> str:
        """Against the best trivial baseline, see `words.skill_words`."""
        return words.skill_words(self.skill.gain) if self.skill else ""

    @property
    def lies_below(self) -> bool:
        """True if its figure is below that of the best trivial baseline, whether or not an interval shows it."""
        return self.skill is not None and self.skill.gain.value <= -words.SHOWN

    @property
    def below_words(self) -> str:
        """`below ridge`, `below ridge, too few seeds to be sure`; empty where it is not or may not be."""
        if self.skill is None or not self.lies_below or self.skill_words == "no better":
            return ""
        unsure = "" if self.skill_words else f", {words.no_interval(self.skill.gain)} to be sure"
        return f"below {words.the_trivial(self.skill.against)}{unsure}"

    @property
    def gain_words(self) -> str:
        """`+.0090 [+.0051, +.0129], better than the recency mean`; a dash where it is unknown."""
        if self.skill is None:
            return "–"
        gain, name = self.skill.gain, words.the_trivial(self.skill.against)
        if gain.interval() is None:
            return f"{signed(gain.value)} against {name}, {words.no_interval(gain)} for an interval"
        than = self.below_words or f"{self.skill_words} than {name}"
        return f"{signed(gain.value)} {words.cosine_interval(gain)}, {than}"

    @property
    def alarms(self) -> tuple[str, ...]:
        return tuple(finding.words for finding in self.findings if finding.alarm)


@dataclass(frozen=True)
class Row:
    model: str
    title: str
    """How people write its name."""
    baseline: ArmCell
    expanded: ArmCell
    change: float | None
    """Percent of the baseline's cosine. Where the verdict is provisional: of the seeds compared so far, or else
    `early`. None where it would say nothing about the data."""
    estimate: Estimate | None
    """The change with its error; None where it is a point estimate, or not judged."""
    strata: tuple[Stratum, ...]
    verdict: Verdict
    seeds: int
    """Compared."""
    history: bool
    """True if the figures come from histories of earlier runs."""
    notes: tuple[str, ...]
    """What to know before believing the row, in words."""
    rank: int | None = None
    """None if not ranked."""
    interval: Interval | None = None
    """95 % interval of the change, this model taken alone."""
    adjusted: Interval | None = None
    """The interval at `Table.level`: those of all models hold together at 95 %. It decides the word."""
    medal: str = ""
    """For the first three whose gain excludes zero. A history's point estimate wins none."""
    moved: float | None = None
    """Of a history: the change in cosine. Where the baseline has next to none, there is no `change` in percent."""
    early: EarlyChange | None = None
    """The change before the runs are judged."""
    no_change: str = ""
    """Why there is no change so far, in words; empty where there is one, or once the runs are judged."""
    retrieval: tuple[Retrieval, ...] = ()
    fell: tuple[str, ...] = ()
    """Names of retrieval figures that fell clear of zero."""
    rose: tuple[str, ...] = ()
    chances: words.Chances | None = None
    unweighted: Estimate | None = None
    """The change with every window weighing the same; None where that is `estimate`."""
    disagreement: str = ""
    """How the two sources differ, in words; empty: they do not."""
    cancelled: bool = False
    """True if not compared because a run was cancelled."""
    compared: tuple[int, ...] = ()
    """The seeds that were compared."""

    @property
    def gains(self) -> bool:
        """True if more data helps it or seems to, and its expanded arm is free of alarms."""
        return self.verdict.word in words.UP and not self.expanded.alarms

    @property
    def known_to_gain(self) -> bool:
        """True if it gains, the verdict is more than a lean, and no trivial baseline does better: what medals go to."""
        return self.gains and self.verdict.word is Word.IMPROVED and not self.expanded.lies_below

    @property
    def fault(self) -> str:
        """What is wrong with its expanded arm, whatever its change; empty for nothing."""
        if self.expanded.alarms:
            return self.expanded.alarms[0].split(": ")[0]  # its figures are listed under Health
        return Phase.FAILED.value if self.expanded.status == Phase.FAILED.value else self.expanded.below_words

    @property
    def remark(self) -> str:
        """The fault that stands behind its verdict, `; below ridge`; empty where that says it all."""
        fault = self.fault
        if self.history and self.baseline.alarms and not self.expanded.alarms:  # a change from what it never reached
            fault = f"{self.baseline.label} {self.baseline.alarms[0].split(': ')[0]}"
        return f"; {fault}" if fault and self.verdict.word is not Word.NOT_COMPARABLE else ""

    @property
    def verdict_words(self) -> str:
        """`improved, slight; below ridge`: what every table says of it."""
        return self.verdict.words + self.remark

    @property
    def change_words(self) -> str:
        """`improved, minor (+1.54 %)`."""
        return f"{self.verdict.words} ({self.figure})"

    @property
    def figure(self) -> str:
        """`+1.54 %`; `+.0312 cosine` of a history without a percentage; a dash where nothing is known."""
        known = self.change is not None or self.moved is None
        return words.change_and_interval(self.change, self.interval)[0] if known else f"{signed(self.moved)} cosine"

    @property
    def ends(self) -> str:
        """`[+1.50, +1.58]`, with as many digits as `figure`; a dash where there is no interval."""
        return words.change_and_interval(self.change, self.interval)[1] or "–"

    @property
    def figures(self) -> tuple[str, ...]:
        """Further figures, in words."""
        e = self.unweighted
        told = words.interval_words(e.interval()) if e and e.interval() else f"({words.no_interval(e)} for an interval)"
        plain = f"with every window weighing the same the change is {percent(e.value)} {told}" if e else ""
        return tuple(filter(None, (f"more data {self.chances.words}" if self.chances else "", plain)))

    @property
    def context(self) -> str:
        """`@20` of a model with one of several contexts; else empty."""
        return "".join(self.model.partition("@")[1:])

    def cell(self, arm: ArmName) -> ArmCell:
        return self.baseline if arm == "baseline" else self.expanded


NAMED = 3
"""Models that a sentence names; more are counted."""


def named(rows: Sequence[Row]) -> str:
    """`AMN`, `AMN and GRU`, `AMN, GRU and LSTM`, `4 models`."""
    return words.listed([row.title for row in rows]) if len(rows) <= NAMED else f"{len(rows)} models"


def seeds_words(rows: Sequence[Row]) -> str:
    """How many seeds of each were compared: `one seed`, `3 seeds`, `1 to 3 seeds`."""
    least, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    return "one seed" if most == 1 else f"{least} to {most} seeds" if least < most else f"{most} seeds"


@dataclass(frozen=True)
class TrivialRow:
    """A trivial baseline on the same windows."""

    name: str
    """`recency_mean`; of one of several contexts, where it depends on it, `recency_mean@20`."""
    baseline: float | None
    expanded: float | None

    @property
    def title(self) -> str:
        return words.trivial_title(self.name)


@dataclass(frozen=True)
class Average:
    """The primary figure: the average change over the models that can be judged."""

    estimate: Estimate
    """In percent."""
    verdict: Verdict
    models: tuple[str, ...]
    """Names of those it averages."""
    chances: words.Chances | None = None


@dataclass(frozen=True)
class SourceAverage:
    """The average change on the held-out articles of one source, over the models of the primary figure."""

    name: Population
    estimate: Estimate
    """In percent of the baselines' cosine there."""


@dataclass(frozen=True)
class Table:
    labels: tuple[str, str]
    rows: tuple[Row, ...]
    trivial: tuple[TrivialRow, ...]
    """The best first, by the better of its two cosines."""
    average: float | None
    """Mean change of the ranked rows, in percent."""
    seeds: int
    """Planned."""
    tested: int
    """Models judged together."""
    primary: Average | None = None
    """None as long as nothing is judged, and where errors are not known by article (histories, old comparisons)."""
    level: float = ALPHA
    """Each model is judged by its 1 - level interval, so that all intervals hold together at 95 %."""
    cap: int | None = None
    """Windows a held-out article may weigh; None: no cap."""
    folds: bool = False
    judge_on: Population = "both"
    """The held-out articles that all figures are of, but for those of single sources."""
    centre: Centring | None = None
    """The space of all cosines, where vectors are centred."""
    by_source: tuple[SourceAverage, ...] = ()
    """The average change by the source of held-out articles, both together last; empty where it is not known."""
    uncapped: bool = False
    """True if planned before weights were capped; then every window weighs the same."""
    without_ids: tuple[str, ...] = ()
    """Labels of arms whose vectors name no articles."""

    @property
    def ranked(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def main_figure(self) -> tuple[Estimate | None, Word]:
        """The figure that answers the question and its word: the average, or the change of the only ranked model."""
        figure = self.primary or (self.ranked[0] if len(self.ranked) == 1 else None)
        return (figure.estimate, figure.verdict.word) if figure else (None, Word.NO_VERDICT)

    @property
    def opposite(self) -> bool:
        """True if some models gain and others lose."""
        return bool(self.with_word(*words.UP)) and bool(self.with_word(*words.DOWN))

    @property
    def order(self) -> str:
        """How the rows are ranked, in a sentence."""
        base, expanded = self.labels
        return f"Ranks go by the change from {base} to {expanded}, so the first need not be the best model."

    @property
    def histories(self) -> bool:
        """True if every figure comes from histories of earlier runs."""
        return bool(self.rows) and all(row.history for row in self.rows)

    @property
    def plain(self) -> bool:
        """True if its cosines are plain means, as nothing is compared yet."""
        cells = [row.cell(arm) for row in self.rows for arm in ARMS]
        shown = self.trivial or any(cell.cosine is not None for cell in cells)
        return bool(self.cap and shown) and not any(cell.scores for cell in cells)

    @property
    def weights(self) -> str:
        """What windows count for in its cosines, in words."""
        if self.cap is None:
            return "every window weighs the same"
        so_far = "plain means, as nothing is compared; in a comparison " if self.plain else ""
        return f"{so_far}an article counts for at most {self.cap} of them"

    @property
    def best_trivial(self) -> tuple[TrivialRow, ...]:
        """What a network must beat: of each context and arm the best trivial baseline."""
        named = [(row, row.name.partition("@")[0]) for row in self.trivial]
        own = ([row for row, name in named if row.name == words.of_context(name, one.context)] for one in self.rows)
        best = [max(rows, key=lambda row: getattr(row, arm) or -2.0) for rows in own if rows for arm in ARMS]
        return tuple(row for row in self.trivial if row in best)

    @property
    def alike(self) -> tuple[Row, ...]:
        """The rows whose cosines may be set side by side: those that allow a fair comparison, which are of the same
        windows; with folds the largest group compared over the same seeds, none where that is a single one of several.
        Histories have windows of their own."""
        fair = tuple(r for r in self.rows if r.verdict.word not in (Word.NOT_COMPARABLE, Word.POINT_ESTIMATE))
        if not self.folds:
            return fair
        groups = grouped((row.compared, row) for row in fair if row.compared)
        of_most = max(groups.items(), key=lambda item: (len(item[1]), len(item[0])), default=((), fair))[1]
        return tuple(of_most) if len(of_most) > 1 or len(groups) < 2 else ()

    def population(self, name: Population) -> str:
        """Held-out articles by their source, in words: `articles of 8k`."""
        return words.population_words(name, self.labels[0])

    def with_word(self, *words: Word) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict.word in words)

    def row(self, model: str) -> Row | None:
        return next((row for row in self.rows if row.model == model), None)
