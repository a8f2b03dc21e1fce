"""What else the held-out windows show, which may contradict the change of the mean cosine (docs/judgement.md). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from lvmtui.formats.results import ALPHA, STRATA, Estimate, Retrieval
from lvmtui.system.numbers import cosine, percent, signed
from lvmtui.system.student import t_quantile
from lvmtui.verdict import words
from lvmtui.verdict.average import satterthwaite
from lvmtui.verdict.table import SEED_NOISE, ArmCell, Row, Table

# Retrieval ------------------------------------------------------------------------------------------------------------

FIGURES = 3
"""Retrieval figures of a model: hit@1, hit@10 and MRR. Each is tested at a third of the level."""
TITLES = {"hit_1": "hit@1", "hit_5": "hit@5", "hit_10": "hit@10", "mrr": "MRR"}


def moves(figures: Sequence[Retrieval], level: float = ALPHA) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the figures that fell, and of those that rose, clear of zero at level / 3."""
    sides = {figure.name: figure.change.side(level / FIGURES) for figure in figures}
    return tuple(name for name in sides if sides[name] < 0), tuple(name for name in sides if sides[name] > 0)


def deciding_interval(figure: Retrieval, level: float) -> str:
    """`[−.026, −.008]`: the interval that `moves` goes by; empty where there is none."""
    interval = figure.change.interval(level / FIGURES)
    return words.interval_words(interval, 3, signed) if interval else ""


def figure_words(figure: Retrieval, level: float) -> str:
    """`hit@10 .221 to .204, −.017 [−.026, −.008]`."""
    values = f"{cosine(figure.baseline, 3)} to {cosine(figure.expanded, 3)}"
    told = f"{signed(figure.change.value, 3)} {deciding_interval(figure, level)}".rstrip()
    return f"{TITLES.get(figure.name, figure.name)} {values}, {told}"


def retrieval_doubt(table: Table) -> str:
    """That a trivial baseline finds the true next vector more often than most models, in the digits shown, and that all
    models find it less often, clear of zero, although their cosine rises."""
    rows, larger = [row for row in table.ranked if row.retrieval], table.labels[1]
    first = [figure for row in rows for figure in row.retrieval if figure.name == "hit_1"]
    best, against = max(((f.trivial or 0.0, f.against) for f in first), default=(0.0, ""))
    below = [f for f in first if round(f.expanded, 3) < round(best, 3)]
    said = []
    if len(below) > len(first) / 2:
        judged = rows[0].title if len(first) == 1 else f"all {len(first)} models judged,"
        every = "every model" if len(first) == len(table.rows) else judged
        models = every if len(below) == len(first) else f"{len(below)} of {len(first)} models"
        clear = sum(f.gain is not None and f.gain.side(table.level / FIGURES) < 0 for f in below)
        sure = "clear of zero" if clear else "not clear of zero"
        if len(below) > 1:
            sure = f"clear of zero for {clear or 'none'} of {len(below)}"
        said.append(
            f"hit@1 of {words.the_trivial(against)}, which needs no network, is {cosine(best, 3)}, above that of "
            f"{models} trained on {larger} (at most {cosine(max(f.expanded for f in below), 3)}; "
            f"{sure})."
        )
    lower = [title for name, title in TITLES.items() if rows and all(name in row.fell for row in rows)]
    if lower and all((row.change or 0.0) > 0 for row in rows):
        verb = "is" if len(lower) == 1 else "are"
        said.append(f"{words.listed(lower)} {verb} lower with {larger} for every model, although the cosine is higher.")
    return " ".join(said)


def falling(table: Table) -> tuple[tuple[Row, Retrieval], ...]:
    """The models in which retrieval fell clear of zero, each with the figure that fell most clearly."""
    found = ((row, [figure for figure in row.retrieval if figure.name in row.fell]) for row in table.ranked)
    return tuple(
        (row, min(fallen, key=lambda f: f.change.value / (f.change.standard_error or 1e-12)))
        for row, fallen in found
        if fallen
    )


# Forward --------------------------------------------------------------------------------------------------------------


def forward_doubts_of(row: Row) -> tuple[str, ...]:
    """Those of the expanded arm, and of a baseline that echoes, as it is easily beaten. That is said alike of all
    models, without figures, so that it stands once."""
    small, said = row.baseline.forward, forward_doubts(row.expanded)
    if small is None or not small.echoes or small.gain_last <= 0:
        return said
    label, over = row.baseline.label, words.the_trivial(small.against)
    gain = f"the gain over {over} is about as large on the last context vector as on the next one, or larger"
    if small.gain_next <= 0:
        gain = f"there is no gain over {over} on the next vector, only on the last context vector"
    where = f"with {label}, on windows followed by four more"
    weak = f"models trained on {label} are easily beaten: the change may show their weakness, not what more data brings"
    return (*said, f"{where}, {gain}, so {weak}")


def forward_doubts(cell: ArmCell) -> tuple[str, ...]:
    """Why the models of an arm may not predict what comes next, in words; empty where nothing says so."""
    found = cell.forward
    if found is None:
        return ()
    said = []
    near, far, against = signed(found.gain_next), signed(found.gain_last), words.the_trivial(found.against)
    figures = f"(next vector {near}, last context vector {far})"
    where = f"with {cell.label}, on windows followed by four more,"  # the gain in the table is on all windows
    if found.gain_next < SEED_NOISE:
        gain, more = f"there is no gain over {against} on the next vector", "no more"
        if found.gain_next > 0:
            little = f"less than {cosine(SEED_NOISE, 3)}, by which seeds differ on the bundled vectors"
            gain, more = f"the gain over {against} on the next vector is {little}", "hardly more"
        said.append(f"{where} {gain}, so {more} of what comes next is predicted than by {against} {figures}")
    elif found.echoes:
        said.append(
            f"{where} the gain over {against} is about as large on the last context vector as on the next one, or "
            f"larger, so that gain alone shows no better prediction than {against}'s {figures}"
        )
    if found.ignores_order:
        scores = f"cosine {cosine(found.scores.next)}, in random order {cosine(found.scores.shuffled)}"
        said.append(f"with {cell.label}, the order of the context is ignored ({scores})")
    return tuple(said)


# Sources --------------------------------------------------------------------------------------------------------------

HARDLY = 1 / 3
"""Share of the other source's cosine below which a source is called hardly predictable."""


def disagreement(row: Row, baseline: str, alpha: float = ALPHA) -> str:
    """How the two sources differ, in words; empty where they do not, or where it is not known.

    They do where the difference of their changes in cosine is clear of zero and larger than what is negligible, or
    where both arms predict next to nothing in one source.
    """
    sources = [s for s in row.strata if s.name in STRATA]
    if len(sources) < 2:
        return ""
    first, second = sources
    (reached, worse), (other, _) = sorted((max(s.baseline, s.expanded), s.name) for s in sources)
    if reached < words.LITTLE and reached < HARDLY * other:
        return f"{words.population_words(worse, baseline)} can hardly be predicted at all (cosine {cosine(reached, 2)})"
    a, b, of = first.difference, second.difference, row.baseline.cosine
    if not (a and b and of) or 100 * abs(b.value - a.value) / abs(of) <= words.NEGLIGIBLE or not _clear(a, b, alpha):
        return ""
    return " but ".join(f"{words.population_words(s.name, baseline)} {words.stratum_change(s)}" for s in sources)


def average_disagreement(table: Table) -> str:
    """How the two sources differ on average over the models, as `disagreement` does for one."""
    found = {one.name: one.estimate for one in table.by_source}
    changes = {name: [s.difference for row in table.ranked for s in row.strata if s.name == name] for name in STRATA}
    if not {*STRATA} <= found.keys():
        return ""
    of = fmean(abs(row.baseline.cosine or 0.0) for row in table.ranked)
    own, new = (_mean([one for one in of_models if one]) for of_models in changes.values())
    if not (own and new) or 100 * abs(own.value - new.value) <= words.NEGLIGIBLE * of or not _clear(own, new):
        return ""
    said = ((table.population(name), found[name]) for name in STRATA)
    return " but ".join(f"{where} {percent(e.value)} {words.interval_words(e.interval())}" for where, e in said)


def _mean(changes: Sequence[Estimate]) -> Estimate | None:
    """The mean of models' changes in cosine. Their errors are taken to be one: they correlate by .8 to .99."""
    if not changes or any(one.interval() is None for one in changes):
        return None
    value, error = fmean(e.value for e in changes), fmean(e.standard_error or 0.0 for e in changes)
    return replace(changes[0], value=value, standard_error=error, df=min(one.df for one in changes))


def _clear(a: Estimate, b: Estimate, alpha: float = ALPHA) -> bool:
    """True if the difference of two estimates, of different articles, is clear of zero (Welch 1947)."""
    if a.interval() is None or b.interval() is None:
        return False
    variance, df = satterthwaite(*(((e.standard_error or 0.0) ** 2, e.df) for e in (a, b)))
    return abs(b.value - a.value) > (t_quantile(alpha, df) * math.sqrt(variance) if variance else 0)
