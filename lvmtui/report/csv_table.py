"""The ranked table as CSV, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from lvmtui.formats.learning_curve import LearningCurve
from lvmtui.formats.results import Estimate, Interval
from lvmtui.formats.spec import ARMS
from lvmtui.report.contents import Report
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import Verdict

COLUMNS = (
    "kind", "rank", "model", "baseline_label", "expanded_label", "baseline_cosine", "expanded_cosine",
    "change_percent", "low_percent", "high_percent", "adjusted_low_percent", "adjusted_high_percent", "df",
    "clusters", "effective_clusters", "windows", "seeds", "baseline_validation", "expanded_validation",
    "baseline_hit_10", "expanded_hit_10", "baseline_margin", "expanded_margin", "baseline_skill", "expanded_skill",
    "verdict", "degree", "reason", "remark",
)  # fmt: skip


def table_csv(report: Report) -> str:
    """The ranked table, a line per model, then their average and the trivial baselines. Unrounded; empty if unknown."""
    table, out = report.table, io.StringIO()
    write = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    write.writeheader()

    def line(kind: str, name: str, found: Mapping[str, object]) -> None:
        labels = dict(zip(("baseline_label", "expanded_label"), table.labels, strict=True))
        cells = {"kind": kind, "model": name, **labels, **found}
        write.writerow({key: no_formula(value) if isinstance(value, str) else value for key, value in cells.items()})

    for row in table.rows:
        line("model", row.title, figures_of(row))
    if (primary := table.primary) and len(table.rows) > 1:
        e, name = primary.estimate, f"average of {len(primary.models)}"
        line("average", name, _judged(e.value, e.interval(), e, primary.verdict))
    for trivial in table.trivial:
        line("trivial", trivial.title, {"baseline_cosine": trivial.baseline, "expanded_cosine": trivial.expanded})
    return out.getvalue()


def figures_of(row: Row) -> dict[str, Any]:
    """The figures of a row by the names of their columns; None: unknown."""
    found = _judged(row.change, row.interval, row.estimate, row.verdict)
    found |= {"rank": row.rank, "seeds": row.seeds, "remark": row.remark.removeprefix("; ")}
    found["adjusted_low_percent"], found["adjusted_high_percent"] = row.adjusted or (None, None)
    for arm in ARMS:
        cell = row.cell(arm)
        found |= {f"{arm}_cosine": cell.cosine, f"{arm}_validation": cell.validation}
        found |= {f"{arm}_{name}": getattr(cell.scores, name, None) for name in ("hit_10", "margin")}
        found[f"{arm}_skill"] = cell.skill.gain.value if cell.skill else None
    return found


def _judged(
    change: float | None, interval: Interval | None, estimate: Estimate | None, verdict: Verdict
) -> dict[str, Any]:
    low, high = interval or (None, None)
    found = {"change_percent": change, "low_percent": low, "high_percent": high}
    found |= {name: getattr(estimate, name, None) for name in ("df", "clusters", "effective_clusters", "windows")}
    return found | {"verdict": verdict.word.value, "degree": verdict.degree, "reason": verdict.reason}


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
