"""What a reader must know before believing the answer, as sentences. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.system.numbers import plural, rounded_down
from lvmtui.system.text import grouped
from lvmtui.verdict.cross_checks import forward_doubts_of, retrieval_doubt
from lvmtui.verdict.table import Row, Table, named
from lvmtui.verdict.words import Word, centre_words, listed

TRAINING_NOISE = 0.08
"""Percent: standard deviation of a change over seeds on the bundled data, four models, tuned recipe. A mean cosine
deviates by .0004 over seeds on 8k and by .0002 on 23k (`benchmarks/same_arms.py`)."""
FOLD_DF = 4
"""Degrees of freedom (models times folds less one) at which folds show training noise (`benchmarks/coverage.py`)."""
FEW_DF = 10.0
"""Degrees of freedom under which the table says so: half-widths are then at least a sixth above the normal ones."""


FIGURES = re.compile(r" \([^()]*\)$")
"""The last words of a doubt, in brackets."""


def caveats(table: Table) -> tuple[str, ...]:
    """What a reader must know before believing the table, the largest doubt first; how it was judged comes last."""
    ranked = [row for row in table.ranked if row.estimate is not None]
    remedies = grouped((row.verdict.remedy, row) for row in table.rows if row.verdict.remedy)
    space = f"The {centre_words(table.centre, folds=table.folds)}." if table.centre else ""
    said = [
        *(f"To judge {named(rows)}: {remedy}." for remedy, rows in remedies.items()),
        _ids(table),
        retrieval_doubt(table),
        _seeds(ranked),
        _folds(table, ranked),
        _apart(table),
        *_training_length(ranked),
        *_few(ranked),
        *of_rows([(row, f": {doubt}") for row in ranked for doubt in forward_doubts_of(row)], len(table.rows)),
        space,
        _weights(table, ranked),
        _joint(table),
    ]
    return tuple(filter(None, said))


def of_rows(doubts: Iterable[tuple[Row, str]], models: int) -> list[str]:
    """What is said of single rows, once with the titles of all that have it; `models`: in the table. Where figures in
    brackets at its end differ, they stand behind the titles."""
    found = grouped((FIGURES.sub("", doubt.rstrip(".")), (row.title, doubt.rstrip("."))) for row, doubt in doubts)
    said = []
    for words, told in found.items():
        titles = [title for title, _ in told]
        if len({doubt for _, doubt in told}) > 1:
            said.append(f"{', '.join(title + doubt.removeprefix(words) for title, doubt in told)}{words}")
        else:
            said.append(f"{'All' if 1 < models == len(titles) else ', '.join(titles)}{told[0][1]}")
    return [text if text.endswith("?") else f"{text}." for text in said]


def _ids(table: Table) -> str:
    if not table.without_ids:
        return ""
    label, *both = table.without_ids
    way = "high" if label == table.labels[0] else "low"
    alone = f" Its windows may also run from one article into the next, and then the change is too {way}."
    return (
        f"The vectors of {' and '.join(table.without_ids)} name no articles: a held-out window may stand beside a "
        f"training window of its text, and then every cosine is too high.{'' if both else alone}"
    )


def _seeds(ranked: Sequence[Row]) -> str:
    single = [row.title for row in ranked if row.seeds == 1]
    if not single:
        return ""
    which = "" if len(single) == len(ranked) else f" ({', '.join(single)})"
    return (
        f"Single seed{which}: the intervals do not cover training noise, so a verdict holds for this seed only. Seeds "
        "that train differently would show how large it is; with the bundled vectors another seed moves a change by "
        f"{TRAINING_NOISE:.2f} % (one standard deviation), so a change under {2 * TRAINING_NOISE:.2f} % there can be "
        "the seed alone."
    )


def _folds(table: Table, ranked: Sequence[Row]) -> str:
    seeds = max((row.seeds for row in ranked), default=0)
    few = seeds > 1 and len(ranked) * (seeds - 1) < FOLD_DF
    if not table.folds or not any(row.interval for row in ranked) or not few:
        return ""
    return (
        f"{plural(len(ranked), 'model')} with {seeds} folds says little about training noise: if it is more than "
        f"twice the {TRAINING_NOISE:.2f} % of the bundled data, the interval is too narrow. More models or seeds would "
        "show it."
    )


def _apart(table: Table) -> str:
    unlike = (Word.NOT_COMPARABLE, Word.POINT_ESTIMATE)
    apart = [row for row in table.rows if row.compared and row not in (*table.alike, *table.with_word(*unlike))]
    if not apart or table.histories:
        return ""
    beside = "beside those of the others, nor of" if table.alike else "side by side, nor beside those of"
    return (
        f"Not the same seeds were compared for all models, and each seed holds out other articles: the cosines of "
        f"{named(apart)} cannot be set {beside} the trivial baselines."
    )


TRAINING_LENGTH: Mapping[ArmName, tuple[str, str]] = {
    "expanded": (
        "still_improving",
        "still improved at the end: longer training (--epochs, or the steps of your own trainer) may give other "
        "figures.",
    ),
    "baseline": (
        "best_at_first",
        "had the best score at the first evaluation and may have been better still before: the true change may "
        "be lower. Fewer epochs (--epochs) show it; a trainer of your own has to evaluate earlier.",
    ),
}
"""By arm: what health finds in it, and what that says about the length of training and the change."""


def _training_length(ranked: Sequence[Row]) -> list[str]:
    """The models whose larger arm was trained too short, or whose smaller arm was first evaluated too late. Where the
    other arm of each has it too, both are named."""
    said = []
    for arm, (kind, words) in TRAINING_LENGTH.items():
        which = {one: [row for row in ranked if any(f.kind == kind for f in row.cell(one).findings)] for one in ARMS}
        if rows := which[arm]:
            arms = [one for one in ARMS if which[one] == rows]
            both = words.replace("be lower", "be lower or higher") if len(arms) > 1 else words
            models = named(rows) if len(rows) == len(ranked) else listed([row.title for row in rows])
            found = [(f, row) for row in rows for one in arms for f in row.cell(one).findings if f.kind == kind]
            some = " (some seeds only)" if any(finding.seeds < row.seeds for finding, row in found) else ""
            said.append(f"{models} trained on {listed([rows[0].cell(one).label for one in arms])}{some} {both}")
    return said


def _joint(table: Table) -> str:
    if table.tested < 2:
        return ""
    return (
        f"{table.tested} models are judged together: each verdict uses the model's {100 * (1 - table.level):.1f} % "
        f"interval, not the 95 % one that is shown, so that all {table.tested} hold at once with 95 %."
        + (f" The average of {len(table.primary.models)} is the primary test, at 95 %." if table.primary else "")
    )


def _weights(table: Table, ranked: Sequence[Row]) -> str:
    if any(row.unweighted for row in ranked) and table.cap is not None:
        return (
            f"An article counts for at most {table.cap} windows, so that a few long articles do not decide; the "
            "evidence gives the figures with every window weighing the same."
        )
    if table.uncapped:
        return "This campaign was planned without a cap on articles: every window weighs the same, as it was planned."
    return ""


def _few(ranked: Sequence[Row]) -> list[str]:
    known = [(row, row.estimate, row.estimate.scarce(FEW_DF)) for row in ranked if row.estimate]
    said = []
    if few := [e for _, e, scarce in known if scarce == "clusters"]:
        df = min(min(e.df, e.cluster_df or e.df) for e in few)
        alone = ", seeds not included" if df < min(e.df for e in few) else ""
        said.append(
            "There are few held-out articles, or a few of them hold most of the windows: other articles could well "
            f"give other figures, which makes the intervals wide (from {rounded_down(df)} degrees of freedom{alone})."
        )
    if apart := [(row, e.df) for row, e, scarce in known if scarce == "seeds" and row.interval]:
        df = min(df for _, df in apart)
        pooled = ", estimated from all models together" if len(ranked) > 1 else ""
        said.append(
            f"Few seeds set the width of the intervals of {named([row for row, _ in apart])} (from {rounded_down(df)} "
            f"degrees of freedom{pooled}): other seeds could well give other figures."
        )
    return said
