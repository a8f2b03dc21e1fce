"""What else the figures answer, and where they cannot. Pure; every sentence is computed from the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import correlation, fmean

from lvmtui.formats.results import ALPHA, STRATA, Comparison, ContextGain
from lvmtui.formats.spec import ARMS
from lvmtui.report.advice import small_lead
from lvmtui.report.costs import UseCost, cost_ratio, priced_models
from lvmtui.system.numbers import cosine, count, percent, plural, signed, spread
from lvmtui.system.student import two_sided_p
from lvmtui.system.text import grouped
from lvmtui.verdict.cross_checks import TITLES
from lvmtui.verdict.table import SEED_NOISE, ArmCell, Table, named
from lvmtui.verdict.words import NEGLIGIBLE, listed, no_interval, of_context, the_trivial

NOT_RANKED = "Unknown: no model is ranked by held-out windows."
LEAST_MODELS = 5
"""With fewer models no order differs from chance: four have 24 orders, and the two extreme ones are 8 % of them."""


@dataclass(frozen=True)
class Question:
    """A question people ask of such a table."""

    question: str
    answer: str


def questions(table: Table, costs: Mapping[str, UseCost], *, pair: bool = True) -> tuple[Question, ...]:
    """The questions these figures can say something about. `pair`: of two sizes; of more, `size_questions.py` tells."""
    base, expanded = table.labels
    alike = replace(table, rows=table.alike)
    apart = "Unknown: the models were not judged on the same articles."
    unlike = NOT_RANKED if table.histories else apart if len(alike.ranked) < len(table.ranked) else ""
    found = []
    if pair:
        changes = [(row.model, row.change) for row in table.ranked]
        known = changes and not table.histories
        larger = trend(changes, costs, "model", "parameters and change") if known else NOT_RANKED
        found.append(Question("Did larger models gain more?", larger))
    found += [
        Question("Is the largest model worth its cost?", _largest(table, alike, costs, unlike)),
        Question(f"Is the best {base} model still the best with {expanded}?", _best_model(alike, unlike)),
    ]
    if any(row.strata for row in table.ranked):
        found.append(Question("Where does the change come from?", _sources(table)))
    if any(row.retrieval for row in table.ranked):
        found.append(Question("Is the true next vector found more often?", _retrieval(table)))
    if any(row.expanded.skill for row in table.rows):
        found.append(Question("Do the models beat the best trivial baseline?", _skills(table)))
    if any(row.expanded.forward for row in table.rows):
        found.append(Question("Do the models predict what comes next?", _forward(table)))
    return tuple(found)


def trend(figures: Iterable[tuple[str, float | None]], costs: Mapping[str, UseCost], noun: str, compared: str) -> str:
    """Do the figures of models rise with their parameters? `noun`: what has the figure; `compared`: both. A network
    counts once, by its means over its contexts: its figures at several of them are not independent."""
    known = grouped(
        (model.partition("@")[0], (float(cost.parameters), figure))
        for model, figure in figures
        if figure is not None and (cost := costs.get(model)) and cost.parameters
    )
    points = [(fmean(x for x, _ in same), fmean(y for _, y in same)) for same in known.values()]
    if not points:
        return "Unknown: the parameters of the models are not known."
    if len(points) < LEAST_MODELS:
        return f"Unknown: {plural(len(points), noun)} cannot show a trend; it takes at least {LEAST_MODELS}."
    if len({x for x, _ in points}) == 1:
        return "Unknown: all models have the same number of parameters."
    rho, p = rank_correlation([x for x, _ in points], [y for _, y in points])
    means = ", each by its mean over contexts" if any(len(same) > 1 for same in known.values()) else ""
    said = f"rank correlation of {compared} {signed(rho, 2)} over {len(points)} models{means}, p = {p:.2g}"
    if p > ALPHA:
        return f"Not shown by these figures: {said}."
    return f"{'Yes' if rho > 0 else 'No, smaller ones do'}: {said}."


def _largest(table: Table, alike: Table, costs: Mapping[str, UseCost], unlike: str) -> str:
    """`alike`: the rows whose cosines may be set side by side; `unlike`: why not all may."""
    sizes = {model: cost.parameters for model, cost in costs.items() if cost.parameters}
    sized = [row for row in table.rows if row.model in sizes]
    if len(sized) < 2:
        return "Unknown: the sizes of fewer than two models are known."
    if unsized := [row for row in table.rows if row.model not in sizes]:  # one of them may be the largest
        return f"Unknown: the size of {named(unsized)} is not known."
    largest = max(sized, key=lambda row: sizes[row.model])
    if sizes[largest.model] < 1.05 * min(sizes[row.model] for row in sized):
        return "Unknown: the models are about equally large."
    if largest.expanded.alarms:
        return f"No: {largest.title} ({count(sizes[largest.model])} parameters) {largest.fault}."
    usable = priced_models(alike, costs)
    mine = next((choice for choice in usable if choice.model == largest.model), None)
    network = largest.model.partition("@")[0]  # with a shorter context it is as large
    rest = [choice for choice in usable if choice.model != largest.model]
    others = [choice for choice in rest if choice.model.partition("@")[0] != network] or rest
    if mine is None or not others:
        lacking = f"{largest.title}, the largest, has" if mine is None else "all others have"
        return unlike or f"Unknown: {lacking} no {table.labels[1]} cosine that may be compared."
    best = others[0]
    gain = mine.cosine - best.cosine
    figures = f"{mine.title} has {cosine(mine.cosine)}, {best.title} {cosine(best.cosine)}"
    price = f", {ratio}" if (ratio := cost_ratio(mine, best)) else ""
    if gain > 0 and small_lead(gain, mine.cosine):
        return f"Hardly: {figures}, a negligible lead{price}."
    return f"{'It has the highest cosine' if gain > 0 else 'No'}: {figures}{price}."


def _best_model(alike: Table, unlike: str) -> str:
    both = [row for row in alike.ranked if row.baseline.cosine is not None and row.expanded.cosine is not None]
    if len(both) < 2:
        return unlike or "Unknown: fewer than two models have a fair comparison."
    was = sorted(both, key=lambda row: -(row.baseline.cosine or 0.0))
    now = sorted(both, key=lambda row: -(row.expanded.cosine or 0.0))
    (before, runner_up), (after, next_best) = was[:2], now[:2]
    rival = next_best if before is after else before
    led = (before.baseline.cosine or 0.0) - (runner_up.baseline.cosine or 0.0)
    leads = (after.expanded.cosine or 0.0) - (rival.expanded.cosine or 0.0)
    leading = zip(alike.labels, (led, leads), (before.baseline.cosine, after.expanded.cosine), strict=True)
    near = [label for label, lead, of in leading if small_lead(lead, of or 0.0)]
    firsts = (
        f"with {label} {' and '.join(f'{row.title} ({cosine(row.cell(arm).cosine)})' for row in rows[:2])}"
        for arm, label, rows in zip(ARMS, alike.labels, (was, now), strict=True)
    )
    word = "Yes" if before is after else "No"
    word += f", but with {' and '.join(near)} the lead is negligible (under {NEGLIGIBLE} %)" if near else ""
    return f"{word}: the first two are {', '.join(firsts)}."


def _sources(table: Table) -> str:
    said = []
    for name in STRATA:
        found = [s.change for row in table.ranked for s in row.strata if s.name == name]
        if found:
            mean, clear = percent(fmean(change.value for change in found)), sum(change.side() != 0 for change in found)
            where = f"on {table.population(name)} {mean} on average"
            said.append(f"{where}, with an interval clear of zero for {clear} of {len(found)}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else "Unknown."


MOVES = {1: "raise the cosine of", -1: "lower the cosine of", 0: "do not clearly change the cosine of"}
"""What longer contexts do, by the side of zero that their interval is on."""


def context_questions(table: Table, comparisons: Iterable[Comparison]) -> tuple[Question, ...]:
    """What longer contexts change of models trained on the expanded arm; none with one context."""
    gains = [(one.model, gain) for one in comparisons for gain in one.contexts if gain.arm == "expanded"]
    steps = grouped((f"{gain.context} vectors instead of {gain.shorter}", (model, gain)) for model, gain in gains)
    titles = {row.model: row.title.partition("@")[0] for row in table.rows}
    said = []
    for step, found in steps.items():
        told = grouped((of.difference.side(), f"{titles[m]} ({signed(of.difference.value)})") for m, of in found)
        said.append(f"{step} {listed([f'{MOVES[side]} {listed(told[side])}' for side in MOVES if side in told])}")
    if not said:
        return ()
    sides = {gain.difference.side() for _, gain in gains}
    pay = [f"{titles[model]}@{gain.context}" for model, gain in gains if _pays(table, model, gain)]
    unpaid = "Not beyond a trivial baseline" if 1 in sides else "No" if -1 in sides else "Not shown"
    pays = "Yes" if len(pay) == len(gains) else f"For {listed(pay)}" if pay else unpaid
    paid = (
        "They pay where a network is known to gain more than the best trivial baseline, which needs none, and ends "
        "above it: see the report's table of longer contexts."
    )
    return (Question("Do longer contexts pay?", f"{pays}: with {table.labels[1]}, {'; '.join(said)}. {paid}"),)


def _pays(table: Table, model: str, gain: ContextGain) -> bool:
    """True if the model is known to gain, and more than the best trivial baseline does, and ends above that."""
    interval, overs = gain.difference.interval(), [over for *_, over in over_trivials(table, model, gain)]
    beyond = overs[1] - max(overs[0], 0.0) if len(overs) == 2 else math.inf
    return interval is not None and interval[0] > 0 and beyond > gain.difference.value - interval[0]


def over_trivials(table: Table, model: str, gain: ContextGain) -> list[tuple[str, float, float]]:
    """Of the shorter and of the longer context, as far as they are known, see `over_own`."""
    both = [table.row(f"{model.partition('@')[0]}@{n}") for n in (gain.shorter, gain.context)]
    return [over for row in both if row and (over := over_own(row.cell(gain.arm), row.context))]


def over_own(cell: ArmCell, context: str) -> tuple[str, float, float] | None:
    """The best trivial baseline of a model's own context, `@5`: its name, its cosine, what the model gains over it."""
    known = cell.scores.trivial.items() if cell.scores else ()
    own = [(value, name.partition("@")[0]) for name, value in known if "@" not in name or name.endswith(context)]
    if not own or cell.cosine is None:
        return None
    value, name = max(own)
    return name, value, cell.cosine - value


def _retrieval(table: Table) -> str:
    """hit@1, hit@10 and MRR: `hit@1 fell for 2 of 5 models (on average from .123 to .116)`."""
    found = []
    figures = [(row, figure) for row in table.ranked for figure in row.retrieval]
    for name, known in grouped((figure.name, (row, figure)) for row, figure in figures).items():
        moves = {"rose": sum(name in row.rose for row, _ in known), "fell": sum(name in row.fell for row, _ in known)}
        told = [f"{verb} for {n}" for verb, n in moves.items() if n] or ["did not clearly move for any"]
        before, after = (cosine(fmean(getattr(figure, arm) for _, figure in known), 3) for arm in ARMS)
        found.append(
            f"{TITLES[name]} {' and '.join(told)} of {len(known)} models (on average from {before} to {after})"
            if len(known) > 1
            else f"{TITLES[name]} {told[0].partition(' for ')[0]} (from {before} to {after})"
        )
    rose, fell = [bool(row.rose) for row in table.ranked], any(row.fell for row in table.ranked)
    up = "Not by all" if fell else "Yes" if all(rose) else "By some"
    return f"{up if any(rose) else 'No' if fell else 'Not shown by these figures'}: {', '.join(found)}."


def _skills(table: Table) -> str:
    """Each model against the best trivial baseline of all contexts."""
    beside: dict[str, dict[str, list[str]]] = {}
    for row in table.rows:
        if skill := row.expanded.skill:
            trivial = f"against {the_trivial(of_context(skill.against, row.context))} ({cosine(skill.cosine)})"
            why = no_interval(skill.gain)
            unsure = f"below, {why} to be sure" if row.expanded.lies_below else f"unknown ({why} to tell)"
            word = {"below": "worse", "": unsure}.get(row.expanded.skill_words, row.expanded.skill_words)
            beside.setdefault(trivial, {}).setdefault(word, []).append(row.title)
    said = [
        f"{trivial}: "
        + "; ".join(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word}" for word, names in groups.items())
        for trivial, groups in beside.items()
    ]
    return f"With {table.labels[1]}, {'; '.join(said)}."


def _forward(table: Table) -> str:
    """For each arm: what is gained at the next vector and at the last, and who gains nothing, or ignores order."""
    said = []
    for arm in ARMS:
        found = [(row.title, of) for row in table.rows if (of := row.cell(arm).forward)]
        if not found:
            continue
        nexts, lasts, orders = zip(*((of.gain_next, of.gain_last, of.order) for _, of in found), strict=True)
        against = " or ".join(dict.fromkeys(the_trivial(of.against) for _, of in found))
        words = (
            f"The cosine of models trained on {table.labels[ARMS.index(arm)]}, less that of {against}: "
            f"{spread(nexts, signed)} with the next vector, {spread(lasts, signed)} with the last context vector"
        )
        echoes = [title for title, of in found if of.echoes]
        if echoes:
            gain = f"{'gains' if len(echoes) == 1 else 'gain'} under {cosine(SEED_NOISE, 3)}"
            words += f"; {listed(echoes)} {gain} at the next vector that is not also gained at the last"
        words += f". Random order of the context changes the cosine by {spread([-order for order in orders], signed)}"
        blind = [title for title, of in found if of.ignores_order]
        if blind:
            words += f"; {listed(blind)} {'ignores' if len(blind) == 1 else 'ignore'} the order"
        said.append(f"{words}.")
    return " ".join(said)


# Rank correlation -----------------------------------------------------------------------------------------------------

EXACT = 7
"""Points up to which all orders are tried: 5,040 of them."""


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Spearman's rho and its two-sided p-value: exact for up to `EXACT` points, by Student's t for more."""
    a, b = _ranks(x), _ranks(y)
    if len(set(a)) == 1 or len(set(b)) == 1:
        return 0.0, 1.0
    rho = correlation(a, b)
    if len(a) > EXACT:
        if abs(rho) >= 1:
            return rho, 0.0
        return rho, two_sided_p(rho * math.sqrt((len(a) - 2) / (1 - rho * rho)), len(a) - 2)
    orders = list(permutations(b))
    return rho, sum(abs(correlation(a, order)) >= abs(rho) - 1e-12 for order in orders) / len(orders)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; ties get their mean rank."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]
