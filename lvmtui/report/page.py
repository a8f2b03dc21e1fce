"""Pages of blocks: the whole report, and one model's comparison. Pure.

The report begins with one page to decide by: the answer, the table it comes from, what to doubt, what to do. Then come
the evidence (`evidence.py`) and where everything came from (`provenance.py`).
"""

from __future__ import annotations

from lvmtui.formats.campaign import told
from lvmtui.formats.results import Comparison, Interval
from lvmtui.report.blocks import Bar, Block, Code, Heading, Paragraph, Strong, Text, bullets, table
from lvmtui.report.contents import Report
from lvmtui.report.evidence import BY_COSINE, evidence
from lvmtui.report.interval_bars import Scale, scale_of
from lvmtui.report.provenance import provenance
from lvmtui.report.sizes import curve_answer, sizes_section
from lvmtui.system.numbers import cosine, date, duration, plural, rounded_down, spread
from lvmtui.system.text import grouped
from lvmtui.verdict.caveats import of_rows
from lvmtui.verdict.cross_checks import figure_words
from lvmtui.verdict.table import Row, Table
from lvmtui.verdict.words import NEGLIGIBLE, Word, change_and_interval, interval_words, stratum_change


def page_of(report: Report, *, curves: str = "curves") -> tuple[Block, ...]:
    """The whole report. `curves`: where the pictures are, as seen from the file that shows them."""
    sizes = sizes_section(report.learning_curve, curves)
    return (*first_page(report), *sizes, *evidence(report, curves), *provenance(report))


# The first page -------------------------------------------------------------------------------------------------------

VERDICTS: dict[tuple[Word, ...], str] = {
    (Word.IMPROVED, Word.REGRESSED): (
        "Improved or regressed: the interval is clear of zero. A change is slight under 1 %, minor up to 3 %, large "
        "above."
    ),
    (Word.LEANS_UP, Word.LEANS_DOWN): (
        "Leans up or down: the interval is clear of zero, but with one seed the change may be training noise."
    ),
    (Word.NEGLIGIBLE,): f"Negligible: the interval lies within ±{NEGLIGIBLE} %.",
    (Word.POINT_ESTIMATE,): (
        "Point estimate: the change on the runs' own validation windows. These differ between the arms, so it may be "
        "one of articles, and have the wrong sign. Their cosines are not held-out ones and have no place in these "
        "columns."
    ),
    (Word.TOO_CLOSE,): "Too close to call: the interval holds zero and changes that would matter.",
}
"""What the verdicts mean, for a reader who sees them for the first time."""


def first_page(report: Report) -> list[Block]:
    """Everything needed to decide, and to know how sure the decision is."""
    to_do: list[Text] = [(Strong(advice.what), f": {advice.words}.") for advice in report.recommendations]
    progress, so_far = report.progress, "Provisional: " if report.progress.to_come else ""
    return [
        Heading(f"{report.title}: does the larger data set help?", 1),
        Paragraph(Strong(report.answer)),
        *([Paragraph(Strong(words))] if (words := curve_answer(report.learning_curve, report.table.seeds)) else []),
        *([Paragraph(Strong(f"{so_far}{progress.words}."))] if progress.missing else []),
        *_ranking(report),
        *_doubts(report),
        *(Heading("What to do"), *bullets([*to_do, *report.next_steps])),
        Paragraph(_progress(report)),
    ]


def _ranking(report: Report) -> list[Block]:
    """One row per model, then their average, and for comparison the best trivial baseline of each context and arm."""
    whole = report.table
    primary = whole.primary if len(whole.rows) > 1 else None
    average = primary.estimate.interval() if primary else None
    scale = scale_of(interval for interval in (*(row.interval for row in whole.rows), average) if interval)
    columns = ["rank", "", "model", *whole.labels, "change"]
    columns += ["verdict"] if whole.histories else ["95 % interval", "verdict"]
    columns += [scale.title] if scale else []
    rows = [_row(row, scale, whole) for row in whole.rows]
    if primary:
        label = f"average of {len(primary.models)}"
        bar = [_bar(scale, primary.estimate.value, average)] if scale else []
        change, interval = change_and_interval(primary.estimate.value, average)
        rows.append(["–", "", label, "", "", change, interval or "–", primary.verdict.words, *bar])
    for best in whole.best_trivial if not whole.histories else ():
        figures = [cosine(best.baseline), cosine(best.expanded)]
        rows.append(["–", "", best.title, *figures, "", "", "trivial baseline", *([""] if scale else [])])
    return [table(columns, rows, right=(0, 3, 4, 5)), *bullets(_how_to_read(report, bars=scale is not None))]


def _row(row: Row, scale: Scale | None, whole: Table) -> list[Text]:
    return [
        str(row.rank) if row.rank is not None else "–",
        row.medal,
        row.title,
        cosine(row.baseline.cosine),
        cosine(row.expanded.cosine),
        row.figure + (" so far" if row.verdict.word is Word.PROVISIONAL and row.change is not None else ""),
        *([] if whole.histories else [row.ends]),
        row.verdict_words,
        *([_bar(scale, row.change, row.interval)] if scale else []),
    ]


def _bar(scale: Scale, change: float | None, interval: Interval | None) -> Text:
    if change is None or interval is None:
        return ""
    low, middle, high, zero = map(scale.share, (interval[0], change, interval[1], 0.0))
    return Bar(scale.bar(change, interval), low, middle, high, zero)


def _how_to_read(report: Report, *, bars: bool) -> list[str]:
    """The terms of the table, where they are first used."""
    whole = report.table
    base, expanded = whole.labels
    if whole.histories:
        return [
            f"The {base} and {expanded} columns show each run's cosine at the epoch of lowest loss ({BY_COSINE}), on "
            "its own validation windows and as it told them. No medals: these figures prove nothing."
        ]
    counts = {row.estimate.windows for row in whole.ranked if row.estimate}
    counts = counts or {c.change.windows for c in report.comparisons if c.change} or {report.heldout.windows}
    number = spread(counts - {0})  # with folds they may differ
    number += " " * bool(number)
    if whole.judge_on != "both":
        number += f"({whole.population(whole.judge_on)}) "
    known = ", as far as is known of imported runs" if any(run.imported_from for run in report.runs) else ""
    said = [
        f"The {base} and {expanded} columns show the mean cosine between predicted and true next vector on the "
        f"{number}held-out windows ({report.campaign_facts.context_words} consecutive vectors and the one that "
        f"follows, which no run {'that is judged on them ' if whole.folds else ''}trained or validated on{known}); "
        f"{whole.weights}.",
        f"Change is the difference in percent of {base}."
        + (" The bars draw its 95 % interval (├──●──┤) around zero (│)." if bars else ""),
    ]
    if whole.ranked:
        said.append(f"{whole.order} Medals go to models that improved, unless a trivial baseline does better.")
    if whole.primary and whole.primary.chances:
        said.append(f"Chances, judged by the average: {whole.primary.chances.words}.")
    if whole.tested > 1:
        level = f"{100 * (1 - whole.level):.1f} %"
        said.append(
            f"The verdict of a single model goes by its {level} interval, which is wider than the 95 % one shown."
        )
    said += [words for word, words in VERDICTS.items() if whole.with_word(*word)]
    return said


def _doubts(report: Report) -> list[Block]:
    """What to know before believing the table: the caveats, then the reasons and notes of rows, each said once."""
    rows = report.table.rows
    notes = [(row, f": {note}") for row in rows for note in row.notes]
    reasons = [(row, f" ({row.verdict.words}): {row.verdict.reason}") for row in rows if row.verdict.reason]
    said = of_rows([*reasons, *notes], len(rows))
    data = report.data
    unordered = [f"{file.unordered}." for file in data.files if file.unordered] if data else []
    other = [data.pair.other_data] if data and data.pair and data.pair.other_data else []
    items = bullets(dict.fromkeys([*unordered, *report.caveats, *told(other), *_recipes(report), *said]))
    return [Heading("What to doubt"), *items] if items else []


def _recipes(report: Report) -> list[str]:
    """That models differ in how they were trained, if they do."""
    recipes = grouped((run.title, run.recipe) for run in report.runs if run.recipe)
    models = grouped((" and ".join(dict.fromkeys(names)), title) for title, names in recipes.items())
    told = "; ".join(f"{name}: {', '.join(titles)}" for name, titles in models.items())
    return [f"Recipes differ ({told}): what sets these models apart may be the recipe."] if len(models) > 1 else []


def _progress(report: Report) -> Text:
    progress = report.progress
    started = f"{date(progress.started)} to " if progress.started else "ended "  # of histories only the end is known
    span = f"{started}{date(progress.ended)}" + (f", {duration(progress.duration)}" if progress.started else "")
    if progress.ended is None:
        span = f"started {date(progress.started)}, still going on" if progress.started else "not started"
    taken_over = f"; {plural(progress.taken_over, 'run')} taken over from before" if progress.taken_over else ""
    return (
        f"{progress.words}; {span}{taken_over}. Campaign ",
        Code(report.campaign),
        f", report made {date(report.made)}.",
    )


# One model's comparison -----------------------------------------------------------------------------------------------


def comparison_page(row: Row, comparison: Comparison, whole: Table) -> tuple[Block, ...]:
    """The page. `whole`: the table the row is of."""
    labels = whole.labels
    return (
        Heading(f"{row.title}: {labels[0]} vs {labels[1]}", 1),
        Paragraph(f"campaign {comparison.campaign}"),
        Paragraph(row.verdict.sentence + (f"; {row.figure} {row.ends}" if row.change is not None else "")),
        table(["", *labels], _figures(row), right=(1, 2)),
        *bullets(_facts(row, comparison, whole)),
        *bullets(f"{'ok' if check.passed else 'FAIL'} {check.name}: {check.words}" for check in comparison.checks),
    )


def _figures(row: Row) -> list[list[str]]:
    cells = (row.baseline, row.expanded)
    rows = [
        ["held-out cosine", *(cosine(cell.cosine) for cell in cells)],
        ["own validation cosine", *(cosine(cell.validation) for cell in cells)],
    ]
    if row.baseline.scores and row.expanded.scores:
        scores = (row.baseline.scores, row.expanded.scores)
        rows.append(["margin", *(cosine(s.margin) for s in scores)])
        rows += [[f"hit@{k}", *(cosine(getattr(s, f"hit_{k}"), 3) for s in scores)] for k in (1, 5, 10)]
        if scores[0].seed_deviation is not None:
            rows.append(["deviation over seeds", *(cosine(s.seed_deviation) for s in scores)])
    return rows


def _facts(row: Row, comparison: Comparison, whole: Table) -> list[str]:
    said = [f"gain with {cell.label}: {cell.gain_words}" for cell in (row.baseline, row.expanded) if cell.skill]
    if e := row.estimate:
        seeds = " over clusters and seeds" if e.cluster_df is not None else ""
        said.append(
            f"{e.windows:,} held-out windows in {plural(e.clusters, 'cluster')} (as good as "
            f"{e.effective_clusters:.1f} of equal weight); {rounded_down(e.df)} degrees of freedom{seeds}"
        )
        together = f", judged with the other models {interval_words(row.adjusted)}" if whole.tested > 1 else ""
        said.append(f"95 % interval of this model alone {row.ends}{together}")
    said += row.figures
    said += [figure_words(figure, whole.level) for figure in row.retrieval]
    said += [f"{whole.population(s.name)}: {stratum_change(s)}, {s.change.windows:,} windows" for s in row.strata]
    said.append(f"seeds compared: {', '.join(str(pair.seed) for pair in comparison.pairs)}")
    return said + [f"note: {note}" for note in (*row.notes, *comparison.notes)]
