"""The table at the end: a row a model, ranked by what more data changed. Pure.

Rows with a fair comparison are ranked by change, ties by the expanded arm's cosine; medals go to those of them that
are known to gain, so the first of these is the best scaler. Rows that wait for runs stand
below them with what is known so far, rows without a fair comparison last, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.spec import ARMS, Arm
from lvmtui.formats.trainer_log import Failed
from lvmtui.models import title_of
from lvmtui.state.reader import CampaignState, RunView
from lvmtui.state.status import Phase
from lvmtui.system.text import sanitise
from lvmtui.verdict.comparison import ArmScores, Comparison, Skill, Stratum
from lvmtui.verdict.estimate import Estimate, Interval
from lvmtui.verdict.health import Finding, health_of
from lvmtui.verdict.trend import finite, peak
from lvmtui.verdict.trivial import trivial_title
from lvmtui.verdict.words import UP, Verdict, Word, holm, interval_words, skill_words, verdict

UNFIT = frozenset({"diverged", "collapsed"})
"""Alarms of a run that no longer says anything about its data, whatever its score."""
MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
HISTORY = "own validation set, may have seen held-out windows, no interval"
"""Why a history gives a point estimate only."""
SO_FAR = "the change so far is told from validation cosines, each against the mean of its own validation windows"
"""What stands beside the change of runs that are not compared yet: the windows of the two arms differ, and so does
how hard they are. On the bundled data the bare cosines fell by .3 to .5 %, where the held-out windows then showed
+1.4 to +1.6 %; each against its context mean they rose by .7 to .9 %."""


@dataclass(frozen=True)
class ArmCell:
    """What a row says about one arm."""

    label: str
    status: str
    """`finished`, or what its runs are doing."""
    cosine: float | None
    """Held-out cosine, mean over seeds; where all that is known are histories the best validation cosine."""
    validation: float | None
    """Best validation cosine, mean over the seeds that have one; so far, while runs go on."""
    scores: ArmScores | None
    """All figures on the held-out windows, once compared."""
    findings: tuple[Finding, ...]
    """What health found in its runs, alarms first, each once."""

    @property
    def skill(self) -> Skill | None:
        return self.scores.skill if self.scores else None

    @property
    def skill_words(self) -> str:
        """Against the best trivial baseline: `below`, `no better`, `better`, or empty."""
        return skill_words(self.skill.gain) if self.skill else ""


@dataclass(frozen=True)
class Row:
    """One model."""

    model: str
    rank: int | None
    """None: not ranked."""
    baseline: ArmCell
    expanded: ArmCell
    change: float | None
    """Percent of the baseline's cosine; where the verdict is provisional, see `SO_FAR`; None where it would say
    nothing about the data."""
    estimate: Estimate | None
    """The change with its error; None where it is a point estimate."""
    interval: Interval | None
    """95 % interval of the change, this model taken alone."""
    adjusted: Interval | None
    """The same among all models compared (Holm): it decides the word."""
    strata: tuple[Stratum, ...]
    verdict: Verdict
    seeds: int
    """Compared."""
    seeds_missing: int
    """Planned, and not compared (yet)."""
    history: bool
    """True: figures are from histories of earlier runs."""
    notes: tuple[str, ...]
    medal: str = ""
    """Of the first three that are known to gain. A history's point estimate proves nothing and wins none."""

    @property
    def gains(self) -> bool:
        """True if more data is known to help it, and its expanded arm is free of alarms."""
        return self.verdict.word in UP and not any(finding.alarm for finding in self.expanded.findings)

    @property
    def title(self) -> str:
        return sanitise(title_of(self.model), 60)

    def cell(self, arm: Arm) -> ArmCell:
        return self.baseline if arm == "baseline" else self.expanded


@dataclass(frozen=True)
class TrivialRow:
    """A trivial baseline on the same windows."""

    name: str
    baseline: float | None
    expanded: float | None

    @property
    def title(self) -> str:
        return trivial_title(self.name)


@dataclass(frozen=True)
class Table:
    """The ranked table."""

    labels: tuple[str, str]
    rows: tuple[Row, ...]
    trivial: tuple[TrivialRow, ...]
    average: float | None
    """Mean change of the ranked rows, in percent."""
    seeds: int
    """Planned."""
    tested: int
    """Models judged together (Holm)."""

    @property
    def ranked(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def gaining(self) -> tuple[Row, ...]:
        """Those known to gain, the best scaler first."""
        return tuple(row for row in self.ranked if row.gains)

    @property
    def order(self) -> str:
        """How the rows are ranked, in a sentence."""
        return (
            f"Ranks go by the change from {self.labels[0]} to {self.labels[1]}, which does not make the first the best "
            "model; medals go to those known to gain."
        )

    @property
    def histories(self) -> bool:
        """True if every figure comes from histories of earlier runs."""
        return bool(self.rows) and all(row.history for row in self.rows)

    def with_word(self, *words: Word) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict.word in words)

    def row(self, model: str) -> Row | None:
        return next((row for row in self.rows if row.model == model), None)


def health_by_run(
    state: CampaignState, trivial: Mapping[Arm, TrivialBaselines | None]
) -> dict[str, tuple[Finding, ...]]:
    """What health finds in each run, by the name of the run."""
    return {v.planned.run: health_of(v.state, trivial.get(v.planned.arm)) for v in state.runs if v.state}


def table_of(
    state: CampaignState,
    comparisons: Mapping[str, Comparison],
    trivial: Mapping[Arm, TrivialBaselines | None],
    health: Mapping[str, tuple[Finding, ...]],
) -> Table:
    """The table. `comparisons` by model, `trivial` by arm, `health` by run."""
    drafts = [_draft(state, model, comparisons.get(model), trivial, health) for model in state.campaign.models]
    if all(row.history for row in drafts):
        drafts = [_by_validation(row) for row in drafts]
    fair = [row.estimate.p if row.estimate else None for row in drafts]
    rows = ranked([_judged(row, alpha) for row, alpha in zip(drafts, holm(fair), strict=True)])
    changes = [row.change for row in rows if row.rank is not None and row.change is not None]
    campaign = state.campaign
    return Table(
        labels=(sanitise(campaign.baseline.label, 40), sanitise(campaign.expanded.label, 40)),
        rows=tuple(rows),
        trivial=_trivial_rows(trivial),
        average=fmean(changes) if changes else None,
        seeds=len(campaign.seeds),
        tested=sum(p is not None for p in fair),
    )


# A row before it is judged ---------------------------------------------------------------------------------------


def _draft(
    state: CampaignState,
    model: str,
    comparison: Comparison | None,
    trivial: Mapping[Arm, TrivialBaselines | None],
    health: Mapping[str, tuple[Finding, ...]],
) -> Row:
    """The row's figures. Its verdict is final unless it has an estimate: that is judged among the other models'."""
    cells = {arm: _cell(state, model, arm, comparison, health) for arm in ARMS}
    history = any(_only_history(view) for arm in ARMS for view in _views(state, model, arm))
    estimate, change = None, None
    word = Verdict(Word.NO_VERDICT)
    if history:
        word, change = _history_verdict(state, model, cells)
    elif comparison is None:
        word = _waiting_verdict(state, model)
        change = _change_so_far(state, model, cells, trivial) if word.word is Word.PROVISIONAL else None
    else:
        unfair = [check.words for check in comparison.failed] + _unfit(state, comparison, health)
        if unfair or comparison.change is None:
            remedies = {check.remedy for check in comparison.failed}
            remedy = remedies.pop() if len(remedies) == 1 and len(unfair) == len(comparison.failed) else ""
            word = verdict(comparison.change, seeds=len(comparison.pairs), unfair=unfair, remedy=remedy)
        else:
            estimate, change = comparison.change, comparison.change.value
    return Row(
        model=model,
        rank=None,
        baseline=cells["baseline"],
        expanded=cells["expanded"],
        change=change,
        estimate=estimate,
        interval=estimate.interval() if estimate else None,
        adjusted=None,
        strata=comparison.strata if comparison and estimate else (),
        verdict=word,
        seeds=len(comparison.pairs) if comparison else 0,
        seeds_missing=len(state.campaign.seeds) - (len(comparison.pairs) if comparison else 0),
        history=history,
        notes=(SO_FAR,) if word.word is Word.PROVISIONAL and change is not None else (),
    )


def _by_validation(row: Row) -> Row:
    """The row with validation cosines: among histories only they can be set side by side."""
    return replace(
        row,
        baseline=replace(row.baseline, cosine=row.baseline.validation),
        expanded=replace(row.expanded, cosine=row.expanded.validation),
    )


def _judged(row: Row, alpha: float) -> Row:
    """The row with its word, its change judged at level `alpha`."""
    if row.estimate is None:
        return row
    word = verdict(row.estimate, seeds=row.seeds, alpha=alpha)
    alone = verdict(row.estimate, seeds=row.seeds)
    adjusted = row.estimate.interval(alpha)
    notes = list(row.notes)
    if alone.words != word.words:
        notes.append(
            f"alone it would be '{alone.words}'; among the models compared its interval is {interval_words(adjusted)}"
        )
    if row.seeds_missing:
        notes.append(f"{row.seeds} of {row.seeds + row.seeds_missing} seeds compared")
        word = replace(word, remedy="")  # the seeds that are planned may do
    return replace(row, verdict=word, adjusted=adjusted, notes=tuple(notes))


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order of the table, with their ranks: by change, ties by expanded cosine; equal ones share."""
    only_histories = all(row.history for row in rows)

    def ranks(row: Row) -> bool:
        if row.change is None or finite(row.change) is None:
            return False
        if row.verdict.word is Word.POINT_ESTIMATE:
            return only_histories
        return row.verdict.word not in (Word.NOT_COMPARABLE, Word.PROVISIONAL)

    above = sorted((row for row in rows if ranks(row)), key=_key)
    waiting = [row for row in rows if not ranks(row) and row.verdict.word is Word.PROVISIONAL]
    below = [row for row in rows if not ranks(row) and row.verdict.word is not Word.PROVISIONAL]
    among_gaining = iter(_places([row for row in above if row.gains]))
    placed = [
        replace(row, rank=place, medal=MEDALS.get(next(among_gaining), "") if row.gains else "")
        for row, place in zip(above, _places(above), strict=True)
    ]
    return placed + waiting + below


def _places(rows: Sequence[Row]) -> list[int]:
    """Places from 1 of rows in their order; equal ones share one."""
    places: list[int] = []
    for i, row in enumerate(rows):
        tie = i > 0 and _key(rows[i - 1]) == _key(row)
        places.append(places[-1] if tie else i + 1)
    return places


def _key(row: Row) -> tuple[float, float]:
    return (-(row.change or 0.0), -(row.expanded.cosine or 0.0))


# Parts of a row ------------------------------------------------------------------------------------------------------


def _views(state: CampaignState, model: str, arm: Arm) -> list[RunView]:
    return [view for view in state.runs if (view.planned.model, view.planned.arm) == (model, arm)]


def _cell(
    state: CampaignState,
    model: str,
    arm: Arm,
    comparison: Comparison | None,
    health: Mapping[str, tuple[Finding, ...]],
) -> ArmCell:
    views = _views(state, model, arm)
    scores = (comparison.baseline if arm == "baseline" else comparison.expanded) if comparison else None
    findings = [finding for view in views for finding in health.get(view.planned.run, ())]
    validation = mean_of(map(best_validation, views))
    cosine = scores.cosine if scores else mean_of(map(heldout_cosine, views))
    return ArmCell(
        label=sanitise(state.campaign.arm(arm).label, 40),
        status=status_words(views),
        cosine=cosine,
        validation=validation,
        scores=scores,
        findings=tuple(sorted(dict.fromkeys(findings), key=lambda finding: not finding.alarm)),
    )


def status_words(views: Sequence[RunView]) -> str:
    """`finished`; `2 finished, 1 running`; `missing` where no run is planned."""
    counts: dict[str, int] = {}
    for view in views:
        word = "missing" if view.state is None else view.status.phase.value
        counts[word] = counts.get(word, 0) + 1
    if len(counts) == 1 and views:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "missing"


def best_validation(view: RunView) -> float | None:
    """Validation cosine of a run's best model; so far, while it goes on."""
    if view.state is None:
        return None
    trainer = view.state.trainer
    if trainer.finished:
        return finite(trainer.finished.best_cosine)
    kept = trainer.best
    best = kept if kept and finite(kept.cosine) is not None else peak(trainer.evaluations)
    return finite(best.cosine) if best else None


def heldout_cosine(view: RunView) -> float | None:
    """Mean held-out cosine a finished run logged; None for histories, which have no held-out windows."""
    finished = view.state.trainer.finished if view.state else None
    return finite(finished.heldout.cosine) if finished and finished.heldout.windows else None


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are known."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _percent(baseline: float | None, expanded: float | None) -> float | None:
    return 100 * (expanded - baseline) / baseline if baseline and expanded is not None else None


def _change_so_far(
    state: CampaignState, model: str, cells: Mapping[Arm, ArmCell], trivial: Mapping[Arm, TrivialBaselines | None]
) -> float | None:
    """Percent, as `SO_FAR` says; None unless the context mean is known on just the windows the runs validate on."""
    gains: dict[Arm, float] = {}
    for arm in ARMS:
        baselines, reached = trivial.get(arm), cells[arm].validation
        if baselines is None or baselines.validation_mean <= 0 or reached is None:
            return None
        specs = [view.state.spec for view in _views(state, model, arm) if view.state]
        if any(spec.imported or spec.split_fingerprint != baselines.fingerprint for spec in specs):
            return None
        gains[arm] = reached / baselines.validation_mean
    return _percent(gains["baseline"], gains["expanded"])


def _only_history(view: RunView) -> bool:
    """Nothing but its history tells of it: another program's run without weights, or with weights that do not fit."""
    if view.state is None or view.state.spec.imported is None:
        return False
    return view.state.spec.history or view.status.phase is Phase.FAILED or _unfit_weights(view) is not None


def _unfit_weights(view: RunView) -> str | None:
    """Why another program's weights could not be judged, as the trainer said it."""
    ending = view.state.trainer.ending if view.state else None
    return sanitise(ending.message, 300) if isinstance(ending, Failed) and ending.reason == "data" else None


def _history_verdict(state: CampaignState, model: str, cells: Mapping[Arm, ArmCell]) -> tuple[Verdict, float | None]:
    change = _percent(cells["baseline"].validation, cells["expanded"].validation)
    views = [view for arm in ARMS for view in _views(state, model, arm)]
    going_on = [view for view in views if view.state and not view.status.over and not _only_history(view)]
    if going_on:
        labels = {arm: sanitise(state.campaign.arm(arm).label, 40) for arm in ARMS}
        words = dict.fromkeys(f"{labels[v.planned.arm]} {v.status.phase.value}" for v in going_on)
        return Verdict(Word.PROVISIONAL, reason="; ".join(words)), None
    missing = [cell.label for cell in cells.values() if cell.validation is None]
    if missing:
        return Verdict(Word.NOT_COMPARABLE, reason=f"no validation cosine of {' and '.join(missing)}"), None
    unfit = dict.fromkeys(why for view in views if _only_history(view) and (why := _unfit_weights(view)))
    return Verdict(Word.POINT_ESTIMATE, reason="; ".join((HISTORY, *unfit))), change


def _waiting_verdict(state: CampaignState, model: str) -> Verdict:
    """Why there is no comparison: runs are still to come, or some never will."""
    pairs = [[state.view(model, arm, seed) for arm in ARMS] for seed in state.campaign.seeds]
    if any(all(view is not None and _may_finish(view) for view in pair) for pair in pairs):
        open_views = [v for pair in pairs for v in pair if v and v.status.phase is not Phase.FINISHED]
        labels = {arm: sanitise(state.campaign.arm(arm).label, 40) for arm in ARMS}
        words = "; ".join(dict.fromkeys(f"{labels[v.planned.arm]} {v.status.phase.value}" for v in open_views))
        return Verdict(Word.PROVISIONAL, reason=words or "finished, not compared yet")
    stopped = [
        _end_words(state, v, arm)
        for pair in pairs
        for v, arm in zip(pair, ARMS, strict=True)
        if v is None or not _may_finish(v)
    ]
    return Verdict(Word.NOT_COMPARABLE, reason="; ".join(dict.fromkeys(stopped)))


def _may_finish(view: RunView) -> bool:
    return view.state is not None and view.status.phase not in (Phase.FAILED, Phase.DIVERGED, Phase.CANCELLED)


def _end_words(state: CampaignState, view: RunView | None, arm: Arm) -> str:
    label = sanitise(state.campaign.arm(arm).label, 40)
    if view is None or view.state is None:
        return f"{label} is missing"
    reason = sanitise(view.status.reason, 200)
    return f"{label} {view.status.phase.value}" + (f": {reason}" if reason else "")


def _unfit(state: CampaignState, comparison: Comparison, health: Mapping[str, tuple[Finding, ...]]) -> list[str]:
    """Alarms of the runs compared that leave nothing to compare."""
    found = []
    for pair in comparison.pairs:
        for arm, run in zip(ARMS, (pair.baseline_run, pair.expanded_run), strict=True):
            label = sanitise(state.campaign.arm(arm).label, 40)
            found += [f"{label} {finding.words}" for finding in health.get(run, ()) if finding.kind in UNFIT]
    return list(dict.fromkeys(found))


def _trivial_rows(trivial: Mapping[Arm, TrivialBaselines | None]) -> tuple[TrivialRow, ...]:
    def cosine(arm: Arm, name: str) -> float | None:
        baselines = trivial.get(arm)
        score = baselines.scores.get(name) if baselines else None
        return finite(score.cosine) if score else None

    names = dict.fromkeys(name for baselines in trivial.values() if baselines for name in baselines.scores)
    rows = [TrivialRow(name, cosine("baseline", name), cosine("expanded", name)) for name in names]
    return tuple(sorted(rows, key=lambda row: -max(row.baseline or -2, row.expanded or -2)))
