"""The ranked table as CSV, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io

from lvmtui.formats.learning_curve import LearningCurve
from lvmtui.report.contents import Report


def table_csv(report: Report) -> str:
    """The ranked table, one line per model, then their average and the trivial baselines. Figures are unrounded, and
    empty if unknown."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    columns = (
        "kind", "rank", "model", "baseline_label", "expanded_label", "baseline_cosine", "expanded_cosine",
        "change_percent", "low_percent", "high_percent", "adjusted_low_percent", "adjusted_high_percent", "df",
        "clusters", "effective_clusters", "windows", "seeds", "baseline_validation", "expanded_validation",
        "baseline_hit_10", "expanded_hit_10", "baseline_margin", "expanded_margin", "baseline_skill", "expanded_skill",
        "verdict", "degree", "reason",
    )  # fmt: skip
    write(columns)
    labels = [no_formula(label) for label in report.table.labels]
    for row in report.table.rows:
        cells = (row.baseline, row.expanded)
        e = row.estimate
        write(
            [
                "model", row.rank, no_formula(row.title), *labels, *(c.cosine for c in cells),
                row.change, *(row.interval or ("", "")), *(row.adjusted or ("", "")),
                *((e.df, e.clusters, e.effective_clusters, e.windows) if e else ("",) * 4), row.seeds,
                *(c.validation for c in cells),
                *(c.scores.hit_10 if c.scores else "" for c in cells),
                *(c.scores.margin if c.scores else "" for c in cells),
                *(c.skill.gain.value if c.skill else "" for c in cells),
                row.verdict.word.value, row.verdict.degree, no_formula(row.verdict.reason),
            ]
        )  # fmt: skip
    if (primary := report.table.primary) and len(report.table.rows) > 1:
        e, said = primary.estimate, primary.verdict
        known = ["", "", e.value, *(e.interval() or ("", "")), "", "", e.df, e.clusters, e.effective_clusters, e.windows]
        name = f"average of {len(primary.models)}"
        write(["average", "", name, *labels, *known, *[""] * 9, said.word.value, said.degree, ""])
    for trivial in report.table.trivial:
        filled = ["trivial", "", no_formula(trivial.title), *labels, trivial.baseline, trivial.expanded]
        write([*filled, *[""] * (len(columns) - len(filled))])
    return out.getvalue()


def curve_csv(curve: LearningCurve) -> str:
    """The learning curves, one line per model and size. The answer for a model is on the line of its largest size."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    columns = ("model", "size", "vectors", "windows", "seeds", "cosine", "whisker", "trivial", "against")
    write((*columns, "word", "doubling_percent", "low_percent", "high_percent"))
    for one in curve.models:
        for point in one.points:
            told = one.doubling if point is one.points[-1] else None
            said = [one.word or "", told.value, told.low, told.high] if told else [""] * 4
            figures = [point.vectors, point.windows, point.seeds, point.cosine, point.whisker, point.trivial]
            write([no_formula(curve.title(one.model)), no_formula(point.label), *figures, point.against, *said])
    return out.getvalue()


def no_formula(value: str) -> str:
    """Text that a spreadsheet does not read as a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
