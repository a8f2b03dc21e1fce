"""From rows to the table: all models judged together, then ranked by what more data changed. Pure, but for
`Judgement`. docs/judgement.md has who is ranked, and who gets a medal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from lvmtui.formats.campaign import told
from lvmtui.formats.results import STRATA, Comparison, Effects, Estimate, Population, Stratum
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.state.campaign_reader import CampaignState
from lvmtui.state.status import Phase
from lvmtui.system.numbers import finite, mean_of
from lvmtui.system.text import grouped, sanitise
from lvmtui.verdict.average import correlations, estimate_of, joint_level
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.comparison import lost_scores, read_comparisons, trivial_by_run
from lvmtui.verdict.cross_checks import disagreement, figure_words, forward_doubts_of, moves
from lvmtui.verdict.health import health_of
from lvmtui.verdict.rows import Health, Trivials, draft_row
from lvmtui.verdict.table import Average, Row, SourceAverage, Table, TrivialRow
from lvmtui.verdict.words import MORE_SEEDS, PUT_BACK, UNFINISHED, Word, chances, interval_words, of_context, verdict

MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}


@dataclass(frozen=True)
class Judgement:
    """What a campaign's folder says of its runs now. Each part is read from small files when it is asked for."""

    state: CampaignState

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """By model."""
        return read_comparisons(self.state)

    @cached_property
    def trivial(self) -> Trivials:
        return trivial_by_run(self.state)

    @cached_property
    def health(self) -> Health:
        return {
            v.planned.run: health_of(v.state, self.trivial.get(v.planned.run), self.comparisons.get(v.planned.model))
            for v in self.state.runs
            if v.state
        }

    @cached_property
    def table(self) -> Table:
        return table_of(self.state, self.comparisons, self.trivial, self.health)

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """What a reader must know before believing the table. Reads the held-out scores once, to tell lost ones."""
        return (*lost_scores(self.state), *told(self.state.campaign.doubts), *caveats(self.table))


def table_of(state: CampaignState, comparisons: Mapping[str, Comparison], trivial: Trivials, health: Health) -> Table:
    """The table. `comparisons` by model, `trivial` and `health` by the name of the run."""
    campaign = state.campaign
    labels = (sanitise(campaign.baseline.label, 40), sanitise(campaign.expanded.label, 40))
    drafts = [draft_row(state, model, comparisons.get(model), trivial, health) for model in campaign.models]
    # Plain means do not stand beside capped ones: those of other models, or of a learning curve.
    plain = campaign.cluster_cap is None or not (comparisons or len(campaign.arms) > len(ARMS))
    if all(row.history for row in drafts):  # only validation cosines of histories can be set side by side
        drafts = [_with_cosines(row, row.baseline.validation, row.expanded.validation) for row in drafts]
    else:  # nor those of other windows than the campaign's, or of scores that could not be read
        drafts = [
            row if row.baseline.scores or (plain and row.model not in comparisons) else _with_cosines(row, None, None)
            for row in drafts
        ]
    fair = [row for row in drafts if row.estimate is not None]
    alike = _alike(fair, comparisons)
    joint = _together(_same_clusters([comparisons[model].effects for model in alike]))
    unweighted = _together(_same_clusters([comparisons[model].unweighted_effects for model in alike]))
    by_source: tuple[SourceAverage, ...] = ()
    if joint:  # with folds, all models together show how uneven training is
        estimates = dict(zip(alike, joint.estimates, strict=True))
        drafts = [replace(row, estimate=estimates.get(row.model, row.estimate)) for row in drafts]
        drafts, by_source = _sources_together(drafts, alike)
    if unweighted:
        estimates = dict(zip(alike, unweighted.estimates, strict=True))
        drafts = [replace(row, unweighted=estimates.get(row.model, row.unweighted)) for row in drafts]
    tested = [row for row in drafts if row.estimate and row.estimate.interval()]
    unrelated = tuple(tuple(float(a is b) for b in tested) for a in tested)  # makes intervals the widest
    level = joint.level if joint and len(alike) == len(fair) else joint_level(unrelated)
    rows = ranked([_judged(row, level, labels[0], tested=len(tested), seeds=len(campaign.seeds)) for row in drafts])
    primary = None
    if joint and len(alike) > 1:
        word = verdict(joint.average, seeds=min(row.seeds for row in fair if row.model in alike))
        primary = Average(joint.average, word, alike, chances(joint.average))
    first = sorted(drafts, key=lambda row: row.model not in alike)
    return Table(
        labels=labels,
        rows=tuple(rows),
        trivial=() if all(row.history for row in rows) else _trivial_rows(state, first, trivial, plain=plain),
        average=primary.estimate.value if primary else mean_of(row.change for row in rows if row.rank is not None),
        seeds=len(campaign.seeds),
        tested=len(tested),
        primary=primary,
        level=level,
        cap=campaign.cluster_cap,
        folds=campaign.folds,
        judge_on=campaign.judge_on,
        centre=campaign.centre,
        by_source=by_source if primary else (),
        uncapped=bool(fair) and campaign.cluster_cap is None,
        without_ids=tuple(
            label
            for label, arm in zip(labels, (campaign.baseline, campaign.expanded), strict=True)
            if fair and arm.articles is None and arm.data.fingerprint  # imported runs have none: nothing is known
        ),
    )


def _with_cosines(row: Row, baseline: float | None, expanded: float | None) -> Row:
    cells = replace(row.baseline, cosine=baseline), replace(row.expanded, cosine=expanded)
    return replace(row, baseline=cells[0], expanded=cells[1])


def _alike(rows: Sequence[Row], comparisons: Mapping[str, Comparison]) -> tuple[str, ...]:
    """The models that are judged on the same clusters: with folds those with the same seeds, the largest such group."""
    groups = grouped(((e.fold, e.share) if (e := comparisons[row.model].effects) else None, row) for row in rows)
    return tuple(row.model for row in max(groups.values(), key=lambda of: (len(of), of[0].seeds), default=[]))


def _same_clusters(effects: Sequence[Effects | None]) -> tuple[Effects, ...]:
    """The effects if all are known and of the same clusters; else none."""
    known = tuple(e for e in effects if e is not None)
    return known if len(known) == len(effects) and len({(e.fold, e.share) for e in known}) == 1 else ()


@dataclass(frozen=True)
class _Together:
    """What follows from the effects of all models."""

    estimates: tuple[Estimate, ...]
    """The estimate of each model's change."""
    average: Estimate
    level: float


@lru_cache(maxsize=8)
def _together(effects: tuple[Effects, ...]) -> _Together | None:
    """None for no effects. Kept, because a screen asks again and again, and there may be ten thousand clusters."""
    if not effects:
        return None
    estimates = tuple(estimate_of([e], effects) for e in effects)
    tested = [e for e, found in zip(effects, estimates, strict=True) if found.interval()]
    return _Together(estimates, estimate_of(effects, effects), joint_level(correlations(tested)))


def _sources_together(rows: Sequence[Row], alike: Collection[str]) -> tuple[list[Row], tuple[SourceAverage, ...]]:
    """The rows with the changes on each source as the models `alike` show them, and their average on each source.

    Sources of which not every model that is judged has figures stay as they are and have no average.
    """
    judged = [row for row in rows if row.model in alike]
    averages = []
    for name in (*STRATA, "both"):
        effects = _same_clusters([s.effects for row in judged for s in row.strata if s.name == name])
        if len(effects) == len(judged) and (joint := _together(effects)):
            averages.append(SourceAverage(name, joint.average))
            judged = [_with_change(row, name, change) for row, change in zip(judged, joint.estimates, strict=True)]
    by_model = {row.model: row for row in judged}
    return [by_model.get(row.model, row) for row in rows], tuple(averages)


def _with_change(row: Row, source: Population, change: Estimate) -> Row:
    """The row with this change in percent on a source, and the same error of its difference in cosine there."""

    def told(stratum: Stratum) -> Stratum:
        before, difference = stratum.change.standard_error, stratum.difference
        if difference and difference.standard_error and before and change.standard_error:
            error = difference.standard_error * change.standard_error / before
            difference = replace(change, value=difference.value, standard_error=error)
        return replace(stratum, change=change, difference=difference)

    return replace(row, strata=tuple(told(s) if s.name == source else s for s in row.strata))


def _judged(row: Row, level: float, baseline: str, *, tested: int, seeds: int) -> Row:
    """The row with its word, its change judged by its 1 - level interval. `seeds`: planned."""
    if row.estimate is None:
        return row
    word = verdict(row.estimate, seeds=row.seeds, alpha=level)
    if word.remedy == MORE_SEEDS and row.seeds < seeds:
        gone = Phase.MISSING.value in f"{row.baseline.status} {row.expanded.status}"
        word = replace(word, remedy=PUT_BACK if gone else UNFINISHED)
    alone = verdict(row.estimate, seeds=row.seeds)
    adjusted = row.estimate.interval(level)
    notes = list(row.notes)
    if alone.words != word.words:
        notes.append(
            f"judged alone it would be '{alone.words}'; so that all {tested} models' intervals hold together it is "
            f"{interval_words(adjusted)}"
        )
    notes += forward_doubts_of(row)
    fell, rose = moves(row.retrieval, level)
    notes += [f"retrieval fell: {figure_words(figure, level)}" for figure in row.retrieval if figure.name in fell]
    contradiction = disagreement(row, baseline, level)
    if contradiction:
        notes.append(f"the sources differ: {contradiction}")
    return replace(
        row,
        verdict=word,
        interval=row.estimate.interval(),
        adjusted=adjusted,
        notes=tuple(notes),
        fell=fell,
        rose=rose,
        chances=chances(row.estimate),
        disagreement=contradiction,
    )


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order of the table, with their ranks: by change, ties by expanded cosine; equal ones share."""

    def ranks(row: Row) -> bool:
        if row.change is None or finite(row.change) is None:
            return False
        if row.verdict.word is Word.POINT_ESTIMATE:
            return all(row.history for row in rows)
        return row.verdict.word not in (Word.NOT_COMPARABLE, Word.PROVISIONAL)

    above = sorted((row for row in rows if ranks(row)), key=_key)
    below = sorted((row for row in rows if not ranks(row)), key=lambda row: row.verdict.word is not Word.PROVISIONAL)
    among_known = iter(_places([row for row in above if row.known_to_gain]))
    placed = [
        replace(row, rank=place, medal=MEDALS.get(next(among_known), "") if row.known_to_gain else "")
        for row, place in zip(above, _places(above), strict=True)
    ]
    return placed + below


def _places(rows: Sequence[Row]) -> list[int]:
    """Places from 1 of rows in their order; equal ones share one."""
    keys = [_key(row) for row in rows]
    return [keys.index(key) + 1 for key in keys]


def _key(row: Row) -> tuple[float, float]:
    return (-(row.change or 0.0), -(row.expanded.cosine or 0.0))


def _trivial_rows(
    state: CampaignState, rows: Sequence[Row], trivial: Trivials, *, plain: bool
) -> tuple[TrivialRow, ...]:
    """Weighted as the comparisons are, as soon as there is one; before that the plain means, if `plain`. With folds
    they are of other windows where a model has fewer seeds: those of the first of `rows` that has them stand."""
    compared = not plain or any((scores := row.cell(arm).scores) and scores.trivial for row in rows for arm in ARMS)

    def means(model: str, arm: ArmName) -> dict[str, float]:
        """Over the held-out windows of every fold that is scored."""
        runs = [v.planned.run for v in state.runs if (v.planned.model, v.planned.arm) == (model, arm)]
        folds = {found.fingerprint: found for run in runs if (found := trivial.get(run))}.values()
        scored = grouped((name, (one.windows, score.cosine)) for one in folds for name, score in one.scores.items())
        return {name: sum(n * c for n, c in of) / sum(n for n, _ in of) for name, of in scored.items()}

    def cosines(arm: ArmName) -> dict[str, float]:
        """By name, over all contexts; a predictor that depends on the context has one row for each of several."""
        found: dict[str, float] = {}
        for row in rows:
            scores = row.cell(arm).scores
            known = (scores.trivial if scores else {}) if compared else means(row.model, arm)
            found = {of_context(name, row.context): value for name, value in known.items()} | found
        return found

    by_arm = {arm: cosines(arm) for arm in ARMS}
    names = dict.fromkeys(name for known in by_arm.values() for name in known)
    found = [TrivialRow(name, *(finite(by_arm[arm].get(name)) for arm in ARMS)) for name in names]
    return tuple(sorted(found, key=lambda row: -max(row.baseline or -2, row.expanded or -2)))
