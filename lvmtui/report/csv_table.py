"""The ranked table as CSV, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io

from lvmtui.report.contents import Report


def table_csv(report: Report) -> str:
    """The ranked table, a line a model, then the trivial baselines. Figures are unrounded, and empty if unknown."""
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
    base, expanded = report.table.labels
    for row in report.table.rows:
        cells = (row.baseline, row.expanded)
        e = row.estimate
        write(
            [
                "model", row.rank, _plain(row.title), _plain(base), _plain(expanded), *(c.cosine for c in cells),
                row.change, *(row.interval or ("", "")), *(row.adjusted or ("", "")),
                *((e.df, e.clusters, e.effective_clusters, e.windows) if e else ("",) * 4), row.seeds,
                *(c.validation for c in cells),
                *(c.scores.hit_10 if c.scores else "" for c in cells),
                *(c.scores.margin if c.scores else "" for c in cells),
                *(c.skill.gain.value if c.skill else "" for c in cells),
                row.verdict.word.value, row.verdict.degree, _plain(row.verdict.reason),
            ]
        )  # fmt: skip
    for trivial in report.table.trivial:
        name = _plain(trivial.title)
        filled = ["trivial", "", name, _plain(base), _plain(expanded), trivial.baseline, trivial.expanded]
        write([*filled, *[""] * (len(columns) - len(filled))])
    return out.getvalue()


def _plain(value: str) -> str:
    """Text that a spreadsheet does not read as a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
