"""What else the figures answer, and what to do about it. Pure; every sentence is computed from the table.

A question the figures cannot carry is answered by saying so: five models are a small sample, and histories are not
evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import fmean

from lvmtui.formats.results import ALPHA, STRATA
from lvmtui.system.numbers import cosine, count, percent, plural, signed
from lvmtui.system.student import two_sided_p
from lvmtui.verdict.retrieval import hits_of
from lvmtui.verdict.table import ArmCell, Row, Table
from lvmtui.verdict.trivial import the_trivial
from lvmtui.verdict.words import DOWN, NEGLIGIBLE, Word, scarcity, stratum_words

LEAST_MODELS = 5
"""Models below which no order of theirs can be told from chance: four have 24 orders, the best two of them 8 %."""
EXACT = 7
"""Models up to which all orders are tried."""
NONE = "none, as something speaks against every model"
NEAR_BEST = 0.01
"""Share of the best cosine that a model may be below it and still be a balanced choice."""


@dataclass(frozen=True)
class Question:
    """A question people ask of such a table."""

    question: str
    answer: str


@dataclass(frozen=True)
class Recommendation:
    """What to do, with the figures that say so."""

    what: str
    models: tuple[str, ...]
    """Names; empty: none is recommended."""
    words: str


@dataclass(frozen=True)
class Cost:
    """What a model costs to use."""

    parameters: int | None
    latency_ms: float | None
    """Median of one prediction, batch 1, of the expanded arm's run."""
    latency_again_ms: float | None = None
    """The same of the baseline arm's run: another measurement of the same architecture."""

    @property
    def latency_error_ms(self) -> float:
        """By how much the two measurements differ; 0 where there is only one."""
        if self.latency_ms is None or self.latency_again_ms is None:
            return 0.0
        return abs(self.latency_ms - self.latency_again_ms)


NO_COST = Cost(None, None)


@dataclass(frozen=True)
class Choice:
    """A model as one weighs quality against cost: its expanded arm."""

    model: str
    title: str
    cosine: float
    cost: Cost
    on_front: bool
    """No other model is as good and as cheap, and better in one of them. False where `weighed` is."""
    weighed: bool = True
    """False: parameters or latency, known of other models or of none, are not known of it."""


def choices(table: Table, costs: Mapping[str, Cost]) -> tuple[Choice, ...]:
    """Every expanded model that finished without an alarm, the best first, with the Pareto front marked."""
    usable = [row for row in table.rows if row.expanded.cosine is not None and not _alarmed(row)]
    found = [(row, _axes(row, costs)) for row in usable]
    weighed = _weighed(costs.get(row.model, NO_COST) for row in usable)
    chosen = [
        Choice(
            model=row.model,
            title=row.title,
            cosine=row.expanded.cosine or 0.0,
            cost=costs.get(row.model, NO_COST),
            on_front=_known(costs.get(row.model, NO_COST)) == weighed
            and not any(_dominates(other, axes) for _, other in found),
            weighed=_known(costs.get(row.model, NO_COST)) == weighed,
        )
        for row, axes in found
    ]
    return tuple(sorted(chosen, key=lambda choice: -choice.cosine))


def latency_doubt(chosen: Sequence[Choice]) -> str:
    """That latencies are too uneven to order these models by, in a sentence; empty where they are not."""
    if not any(_unsure_latency(a, b) for i, a in enumerate(chosen) for b in chosen[:i]):
        return ""
    worst = max(chosen, key=lambda choice: choice.cost.latency_error_ms)
    return (
        f"Latencies are rough: the same {worst.title} took {worst.cost.latency_ms:.2f} ms in one arm and "
        f"{worst.cost.latency_again_ms:.2f} ms in the other, while some models differ by less than that."
    )


def questions(table: Table, costs: Mapping[str, Cost]) -> tuple[Question, ...]:
    """The questions these figures can say something about."""
    found = [
        Question("Which models gain most from more data?", _gains(table)),
        Question("Do larger models gain more?", _scaling(table, costs)),
        Question("Does the largest model pay for itself?", _largest(table, costs)),
        Question("Does the baseline's champion still lead?", _champion(table)),
    ]
    if any(row.strata for row in table.ranked):
        found.append(Question("Where does the change come from?", _sources(table)))
    if hits_of(table):
        found.append(Question("Is the true next vector found more often?", _retrieval(table)))
    if any(row.expanded.skill for row in table.rows):
        found.append(Question("Do the models beat what needs no training?", _skills(table)))
    return tuple(found)


def recommendations(table: Table, costs: Mapping[str, Cost]) -> tuple[Recommendation, ...]:
    """Highest accuracy, best scaler, best balance, what not to use: what is advised against is not recommended."""
    if not choices(table, costs):
        words = f"no {table.labels[1]} model is finished and free of alarms"
        return (Recommendation("Highest accuracy", (), words), *_avoid(table))
    advisable = replace(table, rows=tuple(row for row in table.rows if not _against(row, table)))
    return (_accurate(table), _scaler(table), _balanced(choices(advisable, costs)), *_avoid(table))


# Questions ----------------------------------------------------------------------------------------------------------


def _gains(table: Table) -> str:
    if table.histories:
        up = [row for row in table.ranked if (row.change or 0) > 0]
        return (
            f"By their histories {_named(up)}; without an interval that is no evidence."
            if up
            else "None: by their histories every model has a lower validation cosine with more data."
        )
    gaining = table.gaining
    if not gaining:
        return "None is known to gain."
    first = gaining[0]
    words = f"{_named(gaining)}{' (single seed: leaning only)' if first.verdict.word is Word.LEANS_UP else ''}."
    if equals := _as_good(first, gaining):
        words += f" The interval of {first.title} overlaps with that of {_titles(equals)}: their order is not certain."
    return words


def _scaling(table: Table, costs: Mapping[str, Cost]) -> str:
    points = [
        (float(cost.parameters), row.change)
        for row in table.ranked
        if row.change is not None and (cost := costs.get(row.model)) and cost.parameters
    ]
    if not table.ranked:
        return "Cannot be said: no model is ranked."
    if not points:
        return "Cannot be said: the parameters of no ranked model are known."
    if len(points) < LEAST_MODELS:
        return f"Cannot be said from {plural(len(points), 'model')}; an order of fewer than {LEAST_MODELS} is chance."
    if table.histories:
        return "Cannot be said: the changes are point estimates from validation sets that differ."
    rho, p = rank_correlation([x for x, _ in points], [y for _, y in points])
    figures = f"rank correlation of parameters and change {signed(rho, 2)} over {len(points)} models, p = {p:.2g}"
    if p > ALPHA:
        return f"Not shown by these figures: {figures}."
    return f"{'Yes' if rho > 0 else 'No, smaller ones do'}: {figures}."


def _largest(table: Table, costs: Mapping[str, Cost]) -> str:
    sized = [(cost.parameters, row) for row in table.rows if (cost := costs.get(row.model)) and cost.parameters]
    if len(sized) < 2:
        return "Cannot be said: the sizes of fewer than two models are known."
    parameters, largest = max(sized, key=lambda pair: pair[0] or 0)
    if _alarmed(largest):
        return f"No: {largest.title} ({count(parameters)} parameters) {_in_short(_alarmed(largest)[0])}."
    usable = choices(table, costs)
    mine = next((choice for choice in usable if choice.model == largest.model), None)
    others = [choice for choice in usable if choice.model != largest.model]
    if mine is None or not others:
        return f"Cannot be said: {largest.title} or all others have no figure for {table.labels[1]} yet."
    best = others[0]
    gain = mine.cosine - best.cosine
    figures = f"{mine.title} has {cosine(mine.cosine)}, {best.title} {cosine(best.cosine)}"
    ratio = _cost_ratio(mine, best)
    price = f", and it takes {ratio}" if ratio else ""
    if gain <= 0:
        return f"No: {figures}{price}."
    if _small(gain, mine.cosine):
        return f"Hardly: {figures}, a lead too small to matter{price}."
    return f"It has the highest cosine, by {cosine(gain)}: {figures}{price}."


def _champion(table: Table) -> str:
    both = [row for row in table.ranked if row.baseline.cosine is not None and row.expanded.cosine is not None]
    if len(both) < 2:
        return "Cannot be said: fewer than two models are fairly compared."
    was = sorted(both, key=lambda row: -(row.baseline.cosine or 0.0))
    now = sorted(both, key=lambda row: -(row.expanded.cosine or 0.0))
    (before, runner_up), (after, next_best) = was[:2], now[:2]
    first, second = table.labels
    rival = next_best if before is after else before
    led = (before.baseline.cosine or 0.0) - (runner_up.baseline.cosine or 0.0)
    leads = (after.expanded.cosine or 0.0) - (rival.expanded.cosine or 0.0)
    if _small(led, before.baseline.cosine or 0.0) or _small(leads, after.expanded.cosine or 0.0):
        return (
            f"Too small a lead to tell: with {first} {before.title} ({cosine(before.baseline.cosine)}) is ahead of "
            f"{runner_up.title} by {_lead(led)}, with {second} {after.title} ({cosine(after.expanded.cosine)}) ahead "
            f"of {rival.title} by {_lead(leads)}; under {NEGLIGIBLE} % of the cosine is negligible."
        )
    if before is after:
        return (
            f"Yes: {before.title} is first with {first} ({cosine(before.baseline.cosine)}) and with {second} "
            f"({cosine(before.expanded.cosine)})."
        )
    return (
        f"No: {before.title} leads with {first} ({cosine(before.baseline.cosine)}), {after.title} with {second} "
        f"({cosine(after.expanded.cosine)}; {before.title} {cosine(before.expanded.cosine)})."
    )


def _sources(table: Table) -> str:
    said = []
    for name in STRATA:
        found = [s.change for row in table.ranked for s in row.strata if s.name == name]
        if found:
            clear = sum(bool((i := change.interval()) and not i[0] <= 0 <= i[1]) for change in found)
            mean = percent(fmean(change.value for change in found))
            where = stratum_words(name, table.labels[0])
            said.append(f"in {where} {mean} on average, clear of zero for {clear} of {plural(len(found), 'model')}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else "Cannot be said."


def _retrieval(table: Table) -> str:
    found = hits_of(table)
    rose, fell = (sum(getattr(hits, name) for hits in found) for name in ("rose", "fell"))
    verdict = "Yes" if rose and not fell else "No" if not rose else "Not by all"
    counted = "a move is one whose interval over articles is clear of zero"
    return f"{verdict}: {', '.join(hits.words for hits in found)} on the same windows; {counted}."


def _skills(table: Table) -> str:
    skilled = [(row, row.expanded.skill) for row in table.rows if row.expanded.skill]
    groups: dict[str, list[str]] = {}
    phrases = {"better": "better than {}", "no better": "no better than {}", "below": "below {}"}
    for row, skill in skilled:
        assert skill is not None
        unknown = f"not known against {{}} (too few {scarcity(skill.gain)})"
        groups.setdefault(phrases.get(row.expanded.skill_words, unknown), []).append(row.title)
    against = max(skilled, key=lambda pair: pair[1].cosine if pair[1] else -2)[1]
    assert against is not None
    bar = f"{the_trivial(against.against)} ({cosine(against.cosine)})"
    said = [f"{', '.join(titles)} {phrase.format(bar)}" for phrase, titles in groups.items()]
    return f"With {table.labels[1]}: {'; '.join(said)}."


# Recommendations ------------------------------------------------------------------------------------------------------


def _accurate(table: Table) -> Recommendation:
    """The best of all trained models, of either arm: all were judged on the same windows, unless by histories."""
    better_arms = [_better_arm(row, table) for row in table.rows]
    ordered = sorted((one for one in better_arms if one), key=lambda one: -one.cosine)
    if not ordered:
        return Recommendation("Highest accuracy", (), NONE)
    best = ordered[0]
    words = f"{best.title} trained on {best.cell.label}, cosine {cosine(best.cosine)}"
    words += " on its own validation set" if table.histories else ""
    skill = best.cell.skill
    if skill and best.cell.skill_words == "below":
        none = f"no model beats {the_trivial(skill.against)} ({cosine(skill.cosine)}), which is no network"
        return Recommendation("Highest accuracy", (), f"{none}; the best below it is {words}")
    if near := [one for one in ordered[1:] if _small(best.cosine - one.cosine, best.cosine)]:
        words += (
            f"; {_titles(near)} {'is' if len(near) == 1 else 'are'} less than {NEGLIGIBLE} % below, which is negligible"
        )
    if skill and (best.cell.skill_words == "no better" or skill.gain.value < 0):
        words += f"; {the_trivial(skill.against)} does as well or better without training"
    return Recommendation("Highest accuracy", (best.model,), words)


@dataclass(frozen=True)
class _Trained:
    """A model trained on one arm's data."""

    model: str
    title: str
    cell: ArmCell
    cosine: float


def _better_arm(row: Row, table: Table) -> _Trained | None:
    """The row's arm with the higher cosine, of those without an alarm. The arms of histories have validation windows of
    their own: there only the expanded one counts, if nothing speaks against it."""
    cells: tuple[ArmCell, ...] = (row.expanded, row.baseline)
    if table.histories:
        cells = () if _against(row, table) else (row.expanded,)
    known = [
        _Trained(row.model, row.title, cell, cell.cosine)
        for cell in cells
        if cell.cosine is not None and not any(finding.alarm for finding in cell.findings)
    ]
    return max(known, key=lambda one: one.cosine, default=None)


def _scaler(table: Table) -> Recommendation:
    rows = table.gaining
    if table.histories:
        rows = tuple(row for row in table.ranked if (row.change or 0) > 0 and not _alarmed(row))
    if not rows:
        return Recommendation("Best scaler", (), "no model is known to gain from more data")
    doubt = " by its history, which is no evidence" if table.histories else ""
    equals = _as_good(rows[0], rows)
    doubt += f"; not told apart from {_titles(equals)}, whose intervals overlap with its own" if equals else ""
    models = tuple(row.model for row in (rows[0], *equals))
    return Recommendation("Best scaler", models, f"{rows[0].title}, {_change_words(rows[0])}{doubt}")


def _balanced(usable: Sequence[Choice]) -> Recommendation:
    if not usable:
        return Recommendation("Best balance", (), NONE)
    near = [choice for choice in usable if choice.cosine >= usable[0].cosine * (1 - NEAR_BEST) and choice.on_front]
    priced = [choice for choice in near if _price(choice) is not None]
    if not priced:
        return Recommendation("Best balance", (), "too little is known of parameters and latencies")
    best = min(priced, key=lambda choice: (_price(choice) or 0.0, -choice.cosine))
    words = f"{best.title}: cosine {cosine(best.cosine)} with {_cost_words(best.cost)}"
    if best.model == usable[0].model:
        words += "; none within 1 % of its cosine costs less" if len(usable) > 1 else ""
    else:
        words += (
            f", within 1 % of the best ({usable[0].title}, {cosine(usable[0].cosine)}, {_cost_words(usable[0].cost)})"
        )
    return Recommendation("Best balance", (best.model,), words)


def _avoid(table: Table) -> tuple[Recommendation, ...]:
    """Expanded models that should not be used, each with its reason."""
    found = [(row, reason) for row in table.rows if (reason := _against(row, table))]
    if not found:
        return ()
    words = "; ".join(f"{row.title} ({reason})" for row, reason in found)
    return (Recommendation(f"Do not use with {table.labels[1]}", tuple(row.model for row, _ in found), words),)


def _against(row: Row, table: Table) -> str:
    """Why the row's expanded arm should not be used; empty where nothing speaks against it."""
    if _alarmed(row):
        return _in_short(_alarmed(row)[0])
    if row.verdict.word in DOWN:
        return f"{_change_words(row)}; the {table.labels[0]} model is the better one"
    if row.expanded.skill_words == "below" and row.expanded.skill:
        return f"below {the_trivial(row.expanded.skill.against)}"
    if row.history and (row.change or 0) < 0:
        return f"{_change_words(row)} by its history"
    return ""


# Small parts ----------------------------------------------------------------------------------------------------------


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Spearman's rank correlation and its two-sided p-value: over all orders for few points, else by Student's t."""
    a, b = _ranks(x), _ranks(y)
    rho = _pearson(a, b)
    if len(a) > EXACT:
        if abs(rho) >= 1:
            return rho, 0.0
        return rho, two_sided_p(rho * math.sqrt((len(a) - 2) / (1 - rho * rho)), len(a) - 2)
    orders = list(permutations(b))
    return rho, sum(abs(_pearson(a, order)) >= abs(rho) - 1e-12 for order in orders) / len(orders)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, the mean rank for ties."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def _pearson(a: Sequence[float], b: Sequence[float]) -> float:
    mean_a, mean_b = fmean(a), fmean(b)
    cross = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    scale = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return cross / scale if scale else 0.0


def _as_good(best: Row, rows: Sequence[Row]) -> list[Row]:
    """The rows whose change is not told apart from that of the best: their intervals overlap."""
    mine = best.interval
    return [row for row in rows if row is not best and mine and row.interval and row.interval[1] > mine[0]]


def _small(lead: float, over: float) -> bool:
    """A lead in cosine that matters as little as the change that a verdict calls negligible."""
    return lead < NEGLIGIBLE / 100 * abs(over)


def _lead(gap: float) -> str:
    return cosine(gap) if gap >= 0.00005 else "less than .0001"


def _titles(found: Sequence[Row | _Trained]) -> str:
    """`LSTM, GRU`; more than four are counted."""
    return ", ".join(one.title for one in found) if len(found) <= 4 else f"{len(found)} other models"


def _alarmed(row: Row) -> tuple[str, ...]:
    """Words of the alarms of the row's expanded arm."""
    return tuple(finding.words for finding in row.expanded.findings if finding.alarm)


def _in_short(words: str) -> str:
    """A finding without the figures that follow its first words; they stand under Health."""
    return words.split(": ")[0]


def _axes(row: Row, costs: Mapping[str, Cost]) -> tuple[float, float, float]:
    """Cosine and costs, each the better the lower; what is not known counts as endless."""
    cost = costs.get(row.model, NO_COST)
    return (
        -(row.expanded.cosine or 0.0),
        float(cost.parameters) if cost.parameters else math.inf,
        cost.latency_ms if cost.latency_ms else math.inf,
    )


def _known(cost: Cost) -> tuple[bool, bool]:
    return bool(cost.parameters), bool(cost.latency_ms)


def _weighed(costs: Iterable[Cost]) -> tuple[bool, bool] | None:
    """Which costs are known of any of the models, parameters and latency; None: of none."""
    known = list(map(_known, costs))
    axes = any(parameters for parameters, _ in known), any(latency for _, latency in known)
    return axes if any(axes) else None


def _unsure_latency(a: Choice, b: Choice) -> bool:
    """The latencies of two models differ by less than those of one of them between the arms."""
    if a.cost.latency_ms is None or b.cost.latency_ms is None:
        return False
    error = max(a.cost.latency_error_ms, b.cost.latency_error_ms)
    return abs(a.cost.latency_ms - b.cost.latency_ms) < error


def _dominates(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _price(choice: Choice) -> float | None:
    """What is paid each time the model is used: latency, or parameters where that is not known."""
    return choice.cost.latency_ms or choice.cost.parameters


def _cost_words(cost: Cost) -> str:
    parts = [f"{count(cost.parameters)} parameters"] if cost.parameters else []
    parts += [f"{cost.latency_ms:.2f} ms a prediction"] if cost.latency_ms else []
    return " and ".join(parts) or "a cost that is not known"


def _cost_ratio(mine: Choice, other: Choice) -> str:
    """`4.3 times the parameters and 1.8 times the latency`, `4.3 times the parameters, but only 0.7 times the
    latency`; empty where neither is known."""
    words = ""
    if mine.cost.parameters and other.cost.parameters:
        words = f"{mine.cost.parameters / other.cost.parameters:.1f} times the parameters"
    if _unsure_latency(mine, other):
        return f"{words} and a latency that cannot be told from it" if words else ""
    if mine.cost.latency_ms and other.cost.latency_ms:
        ratio = round(mine.cost.latency_ms / other.cost.latency_ms, 1)
        joined = (" and " if ratio >= 1 else ", but only ") if words else ""
        words += f"{joined}{ratio:.1f} times the latency"
    return words


def _named(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.title} ({percent(row.change)})" for row in rows)


def _change_words(row: Row) -> str:
    return f"{row.verdict.words} ({percent(row.change)})" if not row.history else percent(row.change)
