"""The answer in a sentence, and what a reader must know before believing it. Screen and report both say it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui.system.numbers import cosine, percent
from lvmtui.verdict.ranking import Row, Table
from lvmtui.verdict.retrieval import against_the_cosine
from lvmtui.verdict.trivial import the_trivial
from lvmtui.verdict.words import DOWN, UP, Word, scarcity

TRAINING_NOISE = 0.08
"""Percent: standard deviation over seeds of a change on the bundled data, four models, tuned recipe. A mean cosine
deviates by .0004 over seeds on 8k, by .0002 on 23k (`benchmarks/same_arms.py`)."""
FEW_DF = 10.0
"""Degrees of freedom under which the table says so: half-widths are then a sixth and more above the normal ones."""
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def answer(table: Table) -> str:
    """Does the larger data set help? One sentence, of the rows as they stand."""
    if table.histories:
        return _histories(table)
    if not table.ranked:
        return _nothing(table)
    if len(table.rows) == 1:
        return _single(table.rows[0])
    up, down = len(table.with_word(*UP)), len(table.with_word(*DOWN))
    lead = _direction(up, down, len(table.rows), leans=bool(table.with_word(Word.LEANS_UP, Word.LEANS_DOWN)))
    average = f" (average {percent(table.average)})" if len(table.ranked) > 1 else ""
    return "; ".join([lead + average, *_rest(table)]) + "."


def _single(row: Row) -> str:
    """The answer for one model that is ranked."""
    change = f"{row.title} ({percent(row.change)})"
    match row.verdict.word:
        case Word.IMPROVED:
            return f"More data helped {change}."
        case Word.REGRESSED:
            return f"More data hurt {change}."
        case Word.LEANS_UP:
            return f"More data seems to help {change}."
        case Word.LEANS_DOWN:
            return f"More data seems to hurt {change}."
        case Word.NEGLIGIBLE:
            return f"More data makes a negligible difference to {change}."
        case Word.TOO_CLOSE:
            return f"Whether more data helps {change} is too close to call."
        case _:
            return f"No verdict on {change}: there are too few {scarcity(row.estimate)}."


def _direction(up: int, down: int, models: int, *, leans: bool) -> str:
    """`leans`: one of them only leans, so no more than that is said of all."""
    of = f" of {models} models"
    help_, hurt = ("seems to help", "to hurt") if leans else ("helped", "hurt")
    if up and down:
        return f"More data {help_} {up} and {hurt} {down}{of}"
    if up:
        return f"More data {help_} {up}{of}"
    if down:
        return f"More data {'seems ' if leans else ''}{hurt} {down}{of}"
    return f"More data is not known to help or to hurt any of {models} models"


def _rest(table: Table) -> list[str]:
    """What is true of the other rows, each in a clause."""
    lacking: dict[str, list[Row]] = {}
    for row in table.with_word(Word.NO_VERDICT):
        lacking.setdefault(scarcity(row.estimate), []).append(row)
    groups: list[tuple[Sequence[Row], str, str]] = [
        (table.with_word(Word.NEGLIGIBLE), "for {n} the difference is negligible", ""),
        (table.with_word(Word.TOO_CLOSE), "too close to call for {n}", ""),
        *((rows, f"for {{n}} there are too few {lack}", "") for lack, rows in lacking.items()),
        (table.with_word(Word.NOT_COMPARABLE), "{n} is not a fair comparison", "{n} are not fair comparisons"),
        (table.with_word(Word.POINT_ESTIMATE), "{n} has only its history", "{n} have only their histories"),
        (table.with_word(Word.PROVISIONAL), "{n} is not finished", "{n} are not finished"),
    ]
    said = []
    for rows, one, several in groups:
        if rows:
            number = "all" if len(rows) == len(table.rows) else _number(len(rows))
            said.append((one if len(rows) == 1 else several or one).format(n=number))
    return said


def _nothing(table: Table) -> str:
    models = len(table.rows)
    waiting, unfair = table.with_word(Word.PROVISIONAL), table.with_word(Word.NOT_COMPARABLE)
    if waiting:
        one = "the model is" if models == 1 else f"none of {models} models is"
        rest = f"; {_number(len(unfair))} cannot be compared" if unfair else ""
        return f"No answer yet: {one} {'not yet compared' if models == 1 else 'compared yet'}{rest}."
    if models == 1:
        return f"No answer: {table.rows[0].title} allows no fair comparison ({table.rows[0].verdict.reason})."
    return f"No answer: none of {models} models allows a fair comparison."


def _histories(table: Table) -> str:
    known = [row.change for row in table.rows if row.change is not None]
    if not known:
        return "No answer: no model has a history of both arms."
    up, down = sum(change > 0 for change in known), sum(change < 0 for change in known)
    of = f"{len(known)} {'model' if len(known) == 1 else 'models'}"
    if up and down:
        lead = f"more data raised the cosine of {up} and lowered that of {down} of {of}"
    elif up or down:
        lead = f"more data {'raised' if up else 'lowered'} the cosine of {up or down} of {of}"
    else:
        lead = f"more data changed the cosine of none of {of}"
    average = f" (average {percent(table.average)})" if table.average is not None else ""
    return (
        f"By the runs' own histories {lead}{average}; validation sets that differ and point estimates without "
        "intervals prove nothing."
    )


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def caveats(table: Table) -> tuple[str, ...]:
    """What a reader must know before believing the table, as sentences."""
    said = []
    ranked = [row for row in table.ranked if row.estimate is not None]
    if unbeaten := _unbeaten(table):
        said.append(unbeaten)
    said += _remedies(table)
    if against := against_the_cosine(table):
        said.append(
            f"Retrieval moved the other way than the cosine: {', '.join(hits.words for hits in against)} on the same "
            "windows."
        )
    if single := [row.title for row in ranked if row.seeds == 1]:
        which = "" if len(single) == len(ranked) else f" ({', '.join(single)})"
        said.append(
            f"Single seed{which}: the intervals do not cover training noise. On the bundled data another seed moves a "
            f"change by {TRAINING_NOISE:.2f} % (one standard deviation), so one under {2 * TRAINING_NOISE:.2f} % there "
            "can be the seed alone."
        )
    if table.tested > 1:
        said.append(
            f"{table.tested} models are judged together, which gives chance {table.tested} tries: a word therefore "
            "asks for more than the interval beside it, and the chance that any direction is wrong stays under 5 % "
            "(Holm's adjustment)."
        )
    low = [row.estimate for row in ranked if row.estimate and row.estimate.scarce(FEW_DF) == "clusters"]
    if low:
        least = min(min(e.df, e.cluster_df or e.df) for e in low)
        said.append(
            "A few large articles make up much of the held-out windows, or there are few at all: other articles could "
            f"well give other figures, and the intervals are wide for it (from {least:.1f} degrees of freedom)."
        )
    apart = [row for row in ranked if row.estimate and row.estimate.scarce(FEW_DF) == "seeds"]
    if apart:
        least = min(row.estimate.df for row in apart if row.estimate)
        said.append(
            f"The seeds of {_listed(apart)} lie apart, and so few tell little of how far others would: the intervals "
            f"are wide for it (from {least:.1f} degrees of freedom), and more seeds would narrow them."
        )
    return tuple(said)


def _unbeaten(table: Table) -> str:
    """That no network is worth its training, in a sentence; empty where one is, or where it is not known."""
    skills = [(row, skill) for row in table.rows if (skill := row.expanded.skill)]
    if not skills or table.with_word(Word.PROVISIONAL) or any(skill.gain.value >= 0 for _, skill in skills):
        return ""
    best, skill = max(skills, key=lambda pair: pair[1].gain.value)
    return (
        f"With {table.labels[1]} no model beats {the_trivial(skill.against)} ({cosine(skill.cosine)}), which is no "
        f"network: the best of them, {best.title}, has {cosine(best.expanded.cosine)}."
    )


def _remedies(table: Table) -> list[str]:
    """What would allow a verdict where there is none."""
    found: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.verdict.remedy:
            found.setdefault(row.verdict.remedy, []).append(row)
    return [f"To judge {_listed(rows)}: {remedy}." for remedy, rows in found.items()]


def _listed(rows: Sequence[Row]) -> str:
    """Their titles; more than four are counted."""
    return ", ".join(row.title for row in rows) if len(rows) <= 4 else f"{len(rows)} models"
