"""Does the larger data set help? The answer in a few short sentences, for screen, report and logs. Pure.

docs/judgement.md ("The answer") has their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui.state.status import Phase
from lvmtui.system.numbers import cosine, percent, plural
from lvmtui.verdict.cross_checks import average_disagreement, falling, figure_words
from lvmtui.verdict.rows import OTHER_RULES
from lvmtui.verdict.table import Average, Row, Table, named, seeds_words
from lvmtui.verdict.words import DOWN, UP, Word, change_and_interval, listed, no_interval, smallness, the_trivial

ONE_SEED = "with one seed this is a lean, not a finding"
EFFECTS = {
    Word.IMPROVED: "More data helped",
    Word.REGRESSED: "More data hurt",
    Word.LEANS_UP: "More data seems to help",
    Word.LEANS_DOWN: "More data seems to hurt",
    Word.NEGLIGIBLE: "More data makes a negligible difference",
}
LEANS = (Word.LEANS_UP, Word.LEANS_DOWN)


def answer(table: Table) -> str:
    """Does the larger data set help, as the rows stand now?"""
    if _moved(table):
        return _histories(table)
    said = [unbeaten(table)]
    if not table.ranked:
        said += [_nothing(table)]
    else:
        said += [_single(table) if len(table.ranked) == 1 else _models(table), _left_out(table)]
    said += [_below(table), _small(table), _retrieval(table), _sources(table)]
    return " ".join(sentence for sentence in said if sentence)


def headline(table: Table) -> str:
    """Answer and doubt in one line for the top of the screen: direction, figure, models, seeds, what speaks against."""
    if _moved(table):
        return _histories(table).partition(". ")[0] + ", which proves nothing"
    if not table.ranked:
        return _so_far(table) or _nothing(table).removesuffix(".")
    best = next((row.expanded.skill for row in table.rows if row.expanded.skill), None)
    beaten = f"With {table.labels[1]} no model beats {the_trivial(best.against)}. " if best and unbeaten(table) else ""
    said = [_lead(table), seeds_words(table.ranked)]
    fallen, apart = falling(table), [row for row in table.ranked if row.disagreement]
    against = [
        f"retrieval fell for {named([row for row, _ in fallen])}" if fallen else "",
        f"sources differ for {named(apart)}" if apart else "",
    ]
    words = beaten + "; ".join([", ".join(said), *filter(None, against)])
    if not table.with_word(Word.PROVISIONAL):
        return words
    return f"Provisional: {words[0].lower() if words[1:2].islower() else words[0]}{words[1:]}"


def _lead(table: Table) -> str:
    """`More data seems to help: +0.9 % on average [+0.4, +1.4] over 3 of 5 models`."""
    ranked, primary = table.ranked, table.primary
    compared = f"{len(ranked)} of {len(table.rows)} models"
    if len(ranked) == 1:
        (row,) = ranked
        figure = f"{_effect(row)}: {' '.join(change_and_interval(row.change, row.interval))}".rstrip()
        return f"{figure}, {compared}" if len(table.rows) > 1 else figure
    if primary is None or table.opposite:
        average = f", {percent(table.average)} on average" if table.average is not None else ""
        return f"{_direction(table)}{average}"
    change, interval = change_and_interval(primary.estimate.value, primary.estimate.interval())
    over = f"over {compared if len(ranked) < len(table.rows) else f'{len(ranked)} models'}"
    return f"{_primary(primary)}{f'{change} on average {interval}'.rstrip()} {over}"


def _effect(row: Row) -> str:
    """`More data seems to help AMN`."""
    if row.verdict.word is Word.TOO_CLOSE:
        return f"Whether more data helps {row.title} is too close to call"
    to = " to" if row.verdict.word is Word.NEGLIGIBLE else ""
    return f"{EFFECTS.get(row.verdict.word, 'No verdict on')}{to} {row.title}"


def _so_far(table: Table) -> str:
    """Before anything is judged: the changes so far, if there are any."""
    changes = [row.change for row in table.with_word(Word.PROVISIONAL) if row.change is not None]
    if not changes:
        return ""
    models = f"{len(changes)} of {plural(len(table.rows), 'model')}"
    return f"No answer yet: {percent(sum(changes) / len(changes))} so far for {models}, not judged"


def unbeaten(table: Table) -> str:
    """That training was not worth it, in a sentence; empty where a model beats the best trivial baseline, or may."""
    skills = [(row, skill) for row in table.rows if (skill := row.expanded.skill)]
    if not skills or any(skill.gain.value >= 0 for _, skill in skills):
        return ""
    if table.with_word(Word.PROVISIONAL) and len(skills) < len(table.rows):
        return ""
    # with folds, a model of which fewer seeds are compared has windows of its own
    alike = [pair for pair in skills if pair[0] in table.alike] if table.folds else skills
    if alike:
        best, skill = max(alike, key=lambda pair: pair[0].expanded.cosine or 0.0)
    else:  # a gain is over a baseline on the same windows
        best, skill = max(skills, key=lambda pair: pair[1].gain.value)
    who = "it" if len(skills) == 1 else f"the best, {best.title}," if len(alike) == len(skills) else best.title
    n, whole = len(skills), (len(table.rows), len(table.ranked))
    judged = f"{n} models" if n in whole else f"the {n} models with a held-out cosine"
    none = f"{best.title} does not beat" if n == 1 else f"none of {judged} beats"
    seeds = f"seed{'s' * (len(best.compared) > 1)} {listed([str(seed) for seed in best.compared])}"
    on = f" on the windows of {seeds}" if len(alike) < n and table.folds else ""
    return (
        f"With {table.labels[1]}, {none} {the_trivial(skill.against)}, which needs no network "
        f"({cosine(skill.cosine)}{on}; {who} has {cosine(best.expanded.cosine)})."
    )


def _below(table: Table) -> str:
    """Which of the models compared are not worth training, where others are: the average counts them too."""
    below = [row for row in table.ranked if row.expanded.lies_below and row.expanded.skill_words == "below"]
    if not below or len(table.ranked) == 1 or unbeaten(table):
        return ""
    against = dict.fromkeys(the_trivial(skill.against) for row in below if (skill := row.expanded.skill))
    counted = f"; the average counts {'it' if len(below) == 1 else 'them'} too" if table.primary else ""
    lies = "is" if len(below) == 1 else "are"
    return f"{named(below)} {lies} below {listed(tuple(against))}, which needs no network{counted}."


# The change ---------------------------------------------------------------------------------------------------------


def _single(table: Table) -> str:
    """The answer where one model is ranked."""
    (row,) = table.ranked
    change, interval = change_and_interval(row.change, row.interval)
    told = f", 95 % interval {interval}" if interval else ""
    lean = f"; {lean}" if (lean := _one_seed(table)) else ""
    few = f"; {no_interval(row.estimate)}" if row.verdict.word is Word.NO_VERDICT else ""
    return _as_it_stands(table, f"{_effect(row)}{_judged_on(table)}: {change}{told}{lean}{few}.")


def _as_it_stands(table: Table, said: str) -> str:
    """What is said, marked where models wait for their runs."""
    return f"So far: {said[0].lower()}{said[1:]}" if table.with_word(Word.PROVISIONAL) else said


def _models(table: Table) -> str:
    """The average, then the models compared; before it those that move in opposite directions, which it would hide."""
    primary = table.primary
    figure = _figure(primary, table) if primary else ""
    if primary is None or table.opposite:
        parts = [_direction(table), _counts(table, (*UP, *DOWN)), figure or f"{percent(table.average)} on average"]
    else:
        parts = [f"{_primary(primary)}{figure}", _counts(table)]
    parts.append(_one_seed(table))
    return _as_it_stands(table, f"{'; '.join(part for part in parts if part)}.")


def _one_seed(table: Table) -> str:
    """Of whom one seed allows only a lean, or leaves training noise out of what is called negligible; empty: of none.
    An average is as sure as its least sure model."""
    leaning, single = table.with_word(*LEANS), [row for row in table.ranked if row.seeds == 1]
    average = bool(table.primary and not table.opposite and table.primary.verdict.word in LEANS)
    if not leaning and not average:
        of = "" if len(single) == len(table.ranked) else f" of {named(single)}"
        bare = f"with one seed{of} the interval holds no training noise"
        return bare if any(row.verdict.word is Word.NEGLIGIBLE for row in single) else ""
    if len(single) == len(table.ranked):
        return ONE_SEED
    who = " and ".join(filter(None, (named(leaning), "the average" * average)))
    verb = "leans" if len(leaning) + average == 1 else "lean"
    return f"with one seed of {named(single)}, {who} only {verb}"


def _figure(primary: Average, table: Table) -> str:
    """`+0.62 % on average over 5 models, 95 % interval [+0.09, +1.22]`."""
    models, average, over = len(table.rows), primary.estimate, len(primary.models)
    of = f"{over} models" if over == models else f"the {over} of {models} models compared"
    change, interval = change_and_interval(average.value, average.interval())
    told = f", 95 % interval {interval}" if interval else ""
    return f"{change} on average over {of}{_judged_on(table)}{told}"


def _judged_on(table: Table) -> str:
    """` on new articles`; empty where all held-out articles judge, which is usual."""
    return f" on {table.population(table.judge_on)}" if table.judge_on != "both" else ""


def _primary(primary: Average) -> str:
    word = primary.verdict.word
    if word in EFFECTS:
        return f"{EFFECTS[word]}: "
    if word is Word.TOO_CLOSE:
        return "Whether more data helps is too close to call: "
    return f"No verdict, {no_interval(primary.estimate)}: "


def _direction(table: Table) -> str:
    """Without an average that has an interval: which models moved, of how many compared."""
    moved = [
        f"{EFFECTS[word].removeprefix('More data ')} {named(rows)}"
        for word in (Word.IMPROVED, Word.LEANS_UP, Word.REGRESSED, Word.LEANS_DOWN)
        if (rows := table.with_word(word))
    ]
    said = f"{listed(moved)}," if moved else "is not known to help or to hurt any"
    return f"More data {said} of {plural(len(table.ranked), 'model')} compared"


def _counts(table: Table, without: Sequence[Word] = ()) -> str:
    """`3 improved, 1 is too close to call alone`: the models compared, each by its own interval, `without` some."""
    ranked = [row for row in table.ranked if row.verdict.word not in without]
    groups = (
        (Word.IMPROVED, "improved", "improved"),
        (Word.LEANS_UP, "leans up", "lean up"),
        (Word.REGRESSED, "regressed", "regressed"),
        (Word.LEANS_DOWN, "leans down", "lean down"),
        (Word.NEGLIGIBLE, "changed by a negligible amount", "changed by a negligible amount"),
        (Word.TOO_CLOSE, "is too close to call alone", "are too close to call alone"),
        (Word.NO_VERDICT, "has no verdict", "have no verdict"),
    )
    counts = ((sum(row.verdict.word is word for row in ranked), one, several) for word, one, several in groups)
    said = [(count, one if count == 1 else several) for count, one, several in counts if count]
    if len(said) == 1 and not without:
        count, verb = said[0]
        return f"{'both' if count == 2 else f'all {count}'} {verb}" if count > 1 else f"it {verb}"
    return ", ".join(f"{count} {verb}" for count, verb in said)


def _left_out(table: Table) -> str:
    """Which models are left out of the figures, and why."""
    waiting = table.with_word(Word.PROVISIONAL)
    cancelled = [row for row in table.rows if row.cancelled]
    wholly = [row for row in cancelled if row.baseline.status == row.expanded.status == Phase.CANCELLED.value]
    unfair = [row for row in table.with_word(Word.NOT_COMPARABLE) if not row.cancelled]
    histories = () if table.histories else table.with_word(Word.POINT_ESTIMATE)
    groups: tuple[tuple[Sequence[Row], str, str], ...] = (
        (waiting, "is not finished", "are not finished"),
        (wholly, "was cancelled", "were cancelled"),
        ([row for row in cancelled if row not in wholly], "was cancelled in part", "were cancelled in part"),
        (unfair, "cannot be compared", "cannot be compared"),
        (histories, "has only a point estimate", "have only a point estimate"),
    )
    said = [f"{named(rows)} {one if len(rows) == 1 else several}" for rows, one, several in groups if rows]
    return f"Left out: {'; '.join(said)}." if said else ""


def _nothing(table: Table) -> str:
    models = len(table.rows)
    waiting, unfair = table.with_word(Word.PROVISIONAL), table.with_word(Word.NOT_COMPARABLE)
    if waiting:
        if all(row.no_change == OTHER_RULES for row in waiting):
            return f"No answer yet: {OTHER_RULES}."
        one = "the model is not" if models == 1 else f"none of {models} models is"
        rest = f"; {len(unfair)} cannot be compared" if unfair else ""
        return f"No answer yet: {one} judged yet{rest}."
    if models == 1:
        row = table.rows[0]
        reason = row.verdict.ending or row.verdict.reason
        why = "was cancelled" if row.cancelled else f"allows no fair comparison ({reason})"
        return f"No answer: {row.title} {why}."
    if all(row.cancelled for row in table.rows):
        return f"No answer: {'both' if models == 2 else f'all {models}'} models were cancelled."
    cancelled = sum(row.cancelled for row in table.rows)
    rest = f"; {cancelled} {'was' if cancelled == 1 else 'were'} cancelled" if cancelled else ""
    return f"No answer: none of {models} models allows a fair comparison{rest}."


# What speaks against it ----------------------------------------------------------------------------------------------


def _small(table: Table) -> str:
    """That a change whose sign is known is likely to be negligible all the same."""
    change, word = table.main_figure
    return smallness(change) if change and word in UP | DOWN and not table.opposite else ""


def _retrieval(table: Table) -> str:
    """Models that find the true next vector less often, or rank it lower, whatever the cosine says."""
    fallen = falling(table)
    if not fallen:
        return ""
    rows = [row for row, _ in fallen]
    worst_row, worst = min(fallen, key=lambda pair: pair[1].change.value)
    beside = "" if len(fallen) == 1 else f"{worst_row.title}: "
    verb, how = ("find", "less often") if all(set(row.fell) - {"mrr"} for row in rows) else ("rank", "lower")
    verb += "s" if len(rows) == 1 else ""
    agrees = all(row.verdict.word in DOWN for row in rows)
    lead = f"{named(rows)} also {verb}" if agrees else f"But {named(rows)} {verb}"
    return f"{lead} the true next vector {how} ({beside}{figure_words(worst, table.level)})."


def _sources(table: Table) -> str:
    """Sources of held-out articles that differ."""
    rows = [row for row in table.ranked if row.disagreement]
    if not rows:
        average = average_disagreement(table)
        return f"The sources of held-out articles differ: on average {average}." if average else ""
    first = rows[0]
    if "hardly" in first.disagreement and all("hardly" in row.disagreement for row in rows):
        return f"Check the data: {first.disagreement}."
    whose = f"for {first.title} " if len(rows) > 1 else ""
    return f"The sources of held-out articles differ for {named(rows)}: {whose}{first.disagreement}."


# Histories -----------------------------------------------------------------------------------------------------------


def _moved(table: Table) -> list[Row]:
    """The models of whose two arms histories tell the cosine, where histories are all there is."""
    return [row for row in table.rows if row.moved is not None] if table.histories else []


def _histories(table: Table) -> str:
    known = _moved(table)
    up, down = (sum(sign * (row.moved or 0.0) > 0 for row in known) for sign in (1, -1))
    of = plural(len(known), "model")
    if up and down:
        lead = f"more data raised the cosine of {up} and lowered that of {down} of {of}"
    elif up or down:
        lead = f"more data {'raised' if up else 'lowered'} the cosine of {up or down} of {of}"
    else:
        lead = f"more data did not change the cosine of {of}"
    average = f" ({percent(table.average)} on average)" if all(row.change is not None for row in known) else ""
    average = f" ({known[0].figure})" if len(known) == 1 else average
    proof = "That proves nothing: their validation sets differ, and these figures have no intervals."
    return f"By the runs' own validation cosines {lead}{average}. {proof} {_left_out(table)}".rstrip()
