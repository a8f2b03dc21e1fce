"""What to do: which model to use, which not, and what would make the answer surer. Pure.

A model that is advised against is never recommended, nor one whose figure is below that of the best trivial baseline.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lvmtui.formats.results import Estimate
from lvmtui.formats.spec import ARMS
from lvmtui.report.costs import PricedModel, UseCost, priced_models
from lvmtui.state.status import ENDED_EARLY, FAILURES, Phase
from lvmtui.system.numbers import cosine
from lvmtui.verdict.comparable import BOTH_ARMS, LONGER
from lvmtui.verdict.table import ArmCell, Row, Table, named
from lvmtui.verdict.words import DOWN, NEGLIGIBLE, UNSURE, Word, listed, no_interval, the_trivial

NONE = "none, since something speaks against every model"
UNBEATEN = "none, since no sound model is known to have more than a negligible lead over the best trivial baseline"
NEAR_BEST = 0.01
"""How far below the best cosine, as a share of it, a model may be and still be a balanced choice."""
IMPORT = (
    "import runs that have weights with the vectors they were trained on (--trained-on) and train the other arm "
    f"(--baseline-runs), or {BOTH_ARMS}"
)
DETECTED = 1.96 + 0.84
"""Size in standard errors of a change that four of five campaigns detect: 5 % two-sided, 80 % power."""


@dataclass(frozen=True)
class Recommendation:
    what: str
    models: tuple[str, ...]
    """Names; empty: none is recommended."""
    words: str


def recommendations(table: Table, costs: Mapping[str, UseCost]) -> tuple[Recommendation, ...]:
    """The most accurate model, the one that gained most, the best balance, and what not to use. As long as models wait
    for runs, only what not to use: the others may still overtake."""
    if table.with_word(Word.PROVISIONAL):
        return _avoid(table)
    alike = replace(table, rows=table.alike)
    if not priced_models(alike, costs):
        fit = "was judged on held-out windows" if table.histories else "is finished, comparable and free of alarms"
        apart = table.folds and table.ranked and not table.alike
        words = "no two models were judged on the same articles" if apart else f"no {table.labels[1]} model {fit}"
        return (Recommendation("Highest accuracy", (), words), *_avoid(table))
    if len(table.rows) == 1:  # what gained most or costs least of one model is no advice
        return (_accurate(alike, table), *_avoid(table))
    sound = [row for row in alike.rows if not against(row, table)]
    maybe = tuple(row for row in sound if not _equalled(row.expanded) and not row.expanded.lies_below)
    better = tuple(row for row in maybe if row.expanded.skill is None or row.expanded.skill_words == "better")
    known, unsure = (priced_models(replace(alike, rows=rows), costs) for rows in (better, maybe))
    balanced = _balanced(known, unsure, table.labels[1], UNBEATEN if sound else NONE)
    return (_accurate(alike, table), _gains_most(table), balanced, *_avoid(table))


RECIPE = "with another recipe (--recipe, or the script of your own trainer)"


def next_steps(
    table: Table,
    phases: Mapping[str, Phase],
    *,
    campaign: str,
    over: bool,
    doomed: Sequence[str] = (),
    earlier: bool = False,
) -> tuple[str, ...]:
    """What would make the answer surer, in the order in which to do it.

    `phases`: what the runs are doing, without those whose retry brings no verdict, by the names `lvmtui retry` takes;
    `doomed`: the titles of these; `over`: nothing goes on; `campaign`: its id; `earlier`: some of its runs are older.
    """
    steps = []
    if not over:
        steps.append("Wait for the runs that are still to come; this report is provisional until then.")
    if Phase.PAUSED in phases.values():
        steps.append(f"Resume the paused runs: lvmtui resume all --campaign {campaign}.")
    if ended := {run: phase for run, phase in phases.items() if phase in ENDED_EARLY}:
        first = "fix the cause that their status names, then " if FAILURES.intersection(ended.values()) else ""
        others = doomed or table.with_word(Word.POINT_ESTIMATE)
        which, runs = ("other runs", " ".join(ended)) if others else ("runs", f"all --campaign {campaign}")
        steps.append(
            f"To compare the {which} that failed or were cancelled, {first}train them again: lvmtui retry {runs}."
        )
    if doomed:
        fix = f"{'its' if len(doomed) == 1 else 'their'} status names what to fix"
        again = f"A retry of {listed(doomed)} alone would fail again: {fix}"
        steps.append(f"{again}. Own code and options are those of the plan: new ones need a new campaign (lvmtui run).")
    remedy = next((row.verdict.remedy for row in table.rows if row.verdict.remedy), IMPORT if table.histories else "")
    if remedy and (table.histories or not table.ranked):
        steps.append(f"For a verdict, {remedy}.")
    if table.histories:
        return tuple(steps)
    estimate, word = table.main_figure
    if table.ranked and table.seeds == 1:
        steps.append("Train several seeds (--seeds 1 2 3): one seed cannot show how much training varies.")
    elif estimate and word in (Word.TOO_CLOSE, Word.NO_VERDICT) and not (ended and estimate.scarce() == "seeds"):
        steps.append(deciding(estimate, table.seeds, folds=table.folds))
    kinds = Counter(found.kind for row in table.rows for arm in ARMS for found in row.cell(arm).findings)
    most = {kind for kind, arms in kinds.items() if arms >= len(table.rows)}  # half of the arms
    judged = [row.expanded for row in table.rows if row.expanded.skill]
    below = bool(judged) and all(cell.skill.gain.value < 0 for cell in judged if cell.skill)
    longer = any(row.verdict.remedy == LONGER for row in table.rows)
    fewer = kinds["overfitting"] >= 2 * len(table.rows) and "still_improving" not in kinds and not longer
    anew = " Train all runs anew for that: earlier ones are compared with their like only." if earlier else ""
    if fewer and "failed_to_learn" in kinds:
        why = "all arms overfitted: validation fell after its best, while training rose"
        steps.append(f"Train fewer epochs (--epochs) or {RECIPE}: {why}.{anew}")
    elif below:
        better = "as well" if any(map(_equalled, judged)) else "better"
        what = f"longer or {RECIPE}" if "still_improving" in most else RECIPE
        steps.append(f"Train {what} before asking about data: a trivial baseline does {better}.{anew}")
    return tuple(steps)


def deciding(change: Estimate, seeds: int, *, folds: bool) -> str:
    """What would probably decide a change that is too close to call.

    Its error must shrink until a change as large as the one seen is told from zero in four of five campaigns, or one
    near zero from those that matter. The articles' part of the variance falls with their number, training's with seeds.
    """
    articles = "a larger file or more folds" if folds else "a larger file, or --folds with several seeds"
    if change.scarce() == "clusters":
        return f"For a verdict more articles must be held out: {articles}."
    if change.scarce() or not change.standard_error:
        return "For a verdict train more seeds."
    goal = max(abs(change.value), NEGLIGIBLE - abs(change.value))
    needed, variance = (goal / DETECTED) ** 2, change.standard_error**2
    training = change.from_training * variance
    if variance <= needed:
        return "To decide it, repeat the campaign with other articles: one of this size will probably tell."
    said = []
    if noisy := training > needed / 2:
        share = f"training makes {100 * change.from_training:.0f} % of the variance"
        said.append(f"about {math.ceil(2 * training * seeds / needed)} seeds ({share})")
    times = (variance - training) / (needed / 2 if noisy else needed - training)
    if times > 1:
        said.append(f"about {times:.1f} times as many held-out articles ({articles})")
    little = "" if noisy else "; more seeds on the same articles would gain little"
    narrower = math.sqrt(variance / needed)
    return f"To decide it, the interval must be {narrower:.1f} times narrower: {' and '.join(said)}{little}."


def _accurate(table: Table, whole: Table) -> Recommendation:
    """The best model of either arm, judged on the same windows. `whole`: with those that were not, or lack an arm."""
    what = "Highest accuracy"
    better = [(cell.cosine or 0.0, row, cell) for row in table.rows if (cell := _better_arm(row))]
    if not better:
        return Recommendation(what, (), NONE)
    top, best, cell = max(better, key=lambda one: one[0])
    among = ", of the models judged on the same articles" if len(table.rows) < len(whole.ranked) else ""
    apart = [row.cell(arm) for row in whole.rows if row not in table.rows for arm in ARMS]
    if any("finished" in other.status and not other.alarms for other in apart):
        among = among or ", of the models compared"
    words = f"{best.title} trained on {cell.label}, cosine {cosine(top)}{among}"
    skill = cell.skill
    if skill and cell.lies_below:
        none = f"no model{' compared' * bool(among)} beats {the_trivial(skill.against)} ({cosine(skill.cosine)})"
        unsure = "" if cell.skill_words else f"; {no_interval(skill.gain)} to be sure"
        alarms = any(row.cell(arm).alarms for row in table.rows for arm in ARMS)
        which = "the best one without an alarm is" if alarms else "the best one is"
        return Recommendation(what, (), f"{none}; {which} {words}{unsure}")
    if near := [row for value, row, _ in better if row is not best and small_lead(top - value, top)]:
        verb = "is" if len(near) == 1 else "are"
        words += f"; {named(near)} {verb} less than {NEGLIGIBLE} % below, which is negligible"
    return Recommendation(what, (best.model,), words + _beside_trivial(cell))


def _beside_trivial(cell: ArmCell) -> str:
    """That the best trivial baseline does about as well, or may; empty where the cell is known to be better."""
    if cell.skill is None:
        return ""
    if _equalled(cell):
        return f"; {the_trivial(cell.skill.against)} does about as well without a network"
    if not cell.skill_words:
        return f"; {no_interval(cell.skill.gain)} to tell whether it is better than {the_trivial(cell.skill.against)}"
    return f"; {UNSURE} than {the_trivial(cell.skill.against)}" if cell.skill_words == UNSURE else ""


def _equalled(cell: ArmCell) -> bool:
    """True if the best trivial baseline does about as well."""
    skill = cell.skill
    return skill is not None and (cell.skill_words == "no better" or small_lead(abs(skill.gain.value), skill.cosine))


def _better_arm(row: Row) -> ArmCell | None:
    """The row's arm with the higher cosine, of those without an alarm."""
    known = [cell for cell in (row.expanded, row.baseline) if cell.cosine is not None and not cell.alarms]
    return max(known, key=lambda cell: cell.cosine or 0.0, default=None)


def _gains_most(table: Table) -> Recommendation:
    what = f"Gained most from {table.labels[0]} to {table.labels[1]}"
    gained = [row for row in table.ranked if row.gains]
    rows = [row for row in gained if not row.expanded.lies_below]
    surer = [
        row for row in table.ranked if row.verdict.word is Word.NEGLIGIBLE and row.adjusted and row.adjusted[0] > 0
    ]
    if not rows:
        slight = surer or {row.verdict.word for row in table.ranked if (row.change or 0) > 0} == {Word.NEGLIGIBLE}
        who = "known gain is more than negligible" if slight else "model has a gain clear of zero"
        if gained:
            who = "model with more than a negligible gain beats the best trivial baseline"
        return Recommendation(what, (), f"no {who}")
    rows = [row for row in table.ranked if row in rows or (row in surer and not row.expanded.lies_below)]
    mine = rows[0].interval
    equals = [row for row in rows[1:] if mine and row.interval and row.interval[1] > mine[0]]
    doubt = _beside_trivial(rows[0].expanded)
    doubt += f"; its interval overlaps {'that' if len(equals) == 1 else 'those'} of {named(equals)}" if equals else ""
    if beaten := [row for row in table.ranked[: table.ranked.index(rows[0])] if row in gained]:
        verb = "does" if len(beaten) == 1 else "do"
        doubt += f"; {named(beaten)} gained more, but {verb} not beat a trivial baseline"
    models = tuple(row.model for row in (rows[0], *equals))
    return Recommendation(what, models, f"{rows[0].title}, {rows[0].change_words}{doubt}")


def _cheapest(usable: Sequence[PricedModel]) -> PricedModel | None:
    """The cheapest of those nearly as good as the first, the best; None where no cost is known."""
    near = [choice for choice in usable if choice.cosine >= usable[0].cosine * (1 - NEAR_BEST) and choice.on_front]
    return min((one for one in near if one.price is not None), key=lambda one: (one.price, -one.cosine), default=None)


def _balanced(usable: Sequence[PricedModel], unsure: Sequence[PricedModel], label: str, none: str) -> Recommendation:
    """The cheapest of those nearly as good as the best of the expanded arm, `label`. `unsure`: those and others that
    may beat the best trivial baseline; `none`: what to say if nothing is `usable`."""
    if (best := _cheapest(usable)) is None:
        return Recommendation("Best balance", (), "unknown without parameters and latencies" if usable else none)
    words = f"{best.title}, cosine {cosine(best.cosine)} with {best.cost.words}"
    if best.model == usable[0].model:
        cheaper = "faster" if best.cost.latency_ms else "smaller"
        words += f"; no model within 1 % of its cosine is {cheaper}" if len(usable) > 1 else ""
    else:
        top = usable[0]
        words += f", within 1 % of the best with {label} ({top.title}, {cosine(top.cosine)} with {top.cost.words})"
    other = _cheapest(unsure)
    if other and other.model not in [choice.model for choice in usable]:
        costs = f"{cosine(other.cosine)} with {other.cost.words}"
        words += f"; {other.title} ({costs}) would be if it were known to beat the best trivial baseline"
    return Recommendation("Best balance", (best.model,), words)


def _avoid(table: Table) -> tuple[Recommendation, ...]:
    """Expanded models that should not be used, each with its reason."""
    found = [(row, reason) for row in table.rows if (reason := against(row, table))]
    if not found:
        return ()
    words = "; ".join(f"{row.title} ({reason})" for row, reason in found)
    return (Recommendation(f"Do not use with {table.labels[1]}", tuple(row.model for row, _ in found), words),)


# Phrases --------------------------------------------------------------------------------------------------------------


def small_lead(lead: float, over: float) -> bool:
    """True if a lead in cosine matters as little as a change that is called negligible."""
    return lead < NEGLIGIBLE / 100 * abs(over)


def against(row: Row, table: Table) -> str:
    """Why the row's expanded arm should not be used; empty if nothing speaks against it."""
    if row.verdict.word in DOWN and not row.expanded.alarms:
        return f"{row.change_words}; use the {table.labels[0]} model"
    return "" if row.fault == row.expanded.below_words and _equalled(row.expanded) else row.fault
