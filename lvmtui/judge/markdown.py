"""The report as a person reads it: Markdown that is also legible in a terminal, CSV for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

from lvmtui.contract.text import sanitise
from lvmtui.format import cosine, count, date, duration, percent, plural
from lvmtui.judge.comparison import Comparison
from lvmtui.judge.contents import Report, RunDetail
from lvmtui.judge.curves import sparkline
from lvmtui.judge.health import Finding
from lvmtui.judge.ranking import Row, Table, trivial_title
from lvmtui.judge.verdict import Word, interval_words

MARK = "<!-- lvmtui campaign {id} -->"
"""First line of the file: by it a report is known to be this campaign's and not another's of the same labels."""


def markdown(report: Report, *, curves: str = "curves") -> str:
    """The whole report. `curves`: where the SVG files are, as seen from the file this is written to."""
    sections = (
        _head(report),
        _ranking(report),
        _trivial(report),
        _interval(report),
        _beside(report),
        _health(report),
        _questions(report),
        _recommendations(report),
        _costs(report),
        _curves(report, curves),
        _data(report),
        _runs(report),
        _provenance(report),
    )
    lines = [MARK.format(id=_comment(report.campaign))]
    for section in filter(None, sections):
        lines += ["", *section]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip() + "\n")


# Sections -------------------------------------------------------------------------------------------------------------


def _head(report: Report) -> list[str]:
    progress = report.progress
    span = f"{date(progress.started)} to {date(progress.ended)}, {duration(progress.duration)}"
    if progress.started is None:
        span = "not started"
    elif progress.ended is None:
        span = f"started {date(progress.started)}, not over"
    lines = [
        f"# {text(report.title)}: does the larger data set help?",
        "",
        f"**{text(report.answer)}**",
        "",
        *_items(report.caveats),
        f"{progress.finished} of {plural(progress.runs, 'run')} finished; {span}. "
        f"Campaign {code(report.campaign)}, report of {date(report.made)}.",
    ]
    if progress.missing:
        lines += ["", "**Provisional: runs are missing.**", "", *_items(progress.missing)]
    return lines


def _ranking(report: Report) -> list[str]:
    table = report.table
    base, expanded = table.labels
    columns = ["rank", "", "model", base, expanded, "change"]
    columns += [] if table.histories else ["95 % interval", f"skill with {expanded}"]
    rows = [_ranking_row(row, table) for row in table.rows]
    lines = ["## Ranking", "", *grid([*columns, "verdict"], rows, right=(0, 3, 4, 5))]
    if table.average is not None:
        lines += ["", f"Average change of the {plural(len(table.ranked), 'ranked model')}: {percent(table.average)}."]
    if table.histories:
        lines += ["", "Cosines are each run's best on its own validation windows."]
    notes: dict[str, list[str]] = {}
    for row in table.rows:
        for note in (*_reasons(row), *row.notes):
            notes.setdefault(note, []).append(row.title)
    every = len(table.rows) > 1
    said = [f"{'All' if every and len(of) == len(table.rows) else ', '.join(of)}: {note}" for note, of in notes.items()]
    return [*lines, *([""] if said else []), *_items(said)]


def _ranking_row(row: Row, table: Table) -> list[str]:
    rank = str(row.rank) if row.rank is not None else "–"
    change = percent(row.change) + (
        " so far" if row.verdict.word is Word.PROVISIONAL and row.change is not None else ""
    )
    cells = [rank, row.medal, text(row.title), cosine(row.baseline.cosine), cosine(row.expanded.cosine), change]
    if not table.histories:
        cells += [interval_words(row.interval), _skill_cell(row)]
    return [*cells, text(row.verdict.words)]


def _reasons(row: Row) -> tuple[str, ...]:
    return (f"{row.verdict.words}: {row.verdict.reason}",) if row.verdict.reason else ()


def _skill_cell(row: Row) -> str:
    skill = row.expanded.skill
    if skill is None:
        return "–"
    return f"{_signed(skill.gain.value)} {row.expanded.skill_words}".strip()


def _trivial(report: Report) -> list[str]:
    if not report.table.trivial:
        return []
    rows = [[text(row.title), cosine(row.baseline), cosine(row.expanded)] for row in report.table.trivial]
    note = "What can be had without training a network; skill is a model's cosine less the best of these."
    table = grid(["trivial baseline", *report.table.labels], rows, right=(1, 2))
    return ["## Trivial baselines on the same windows", "", *table, "", note]


def _interval(report: Report) -> list[str]:
    table = report.table
    if table.histories:
        return [
            "## What these figures are",
            "",
            "Best validation cosines from the histories of earlier runs. Each run was judged on validation windows of "
            "its own, which differ between the arms and may overlap with training windows; there is no common held-out "
            "set, so there is no interval and no verdict. Rows are ranked by these point estimates only.",
        ]
    estimates = [row.estimate for row in table.ranked if row.estimate]
    if not estimates:
        return []
    first = estimates[0]
    seeds = sorted({row.seeds for row in table.ranked})
    lines = [
        "## What the interval covers, and what not",
        "",
        f"Change: mean held-out cosine of the {text(table.labels[1])} model less that of the {text(table.labels[0])} "
        f"model, in percent of the latter, over the same {first.windows:,} windows.",
        "",
        *_items(
            (
                f"Covered: which articles were held out. {first.windows:,} windows lie in {first.clusters} clusters "
                f"that weigh like {first.effective_clusters:.1f} of equal size; windows of one article are not "
                "independent. "
                "Cluster-robust CR2 variance with Bell-McCaffrey degrees of freedom "
                f"({', '.join(sorted({f'{e.df:.1f}' for e in estimates}))}).",
                f"Training noise: covered, {_numbers(seeds)} seeds an arm."
                if seeds and seeds[0] > 1
                else "Not covered: training noise. With one seed a verdict only leans.",
                f"Several models: the words follow Holm's adjustment over {table.tested}; the intervals shown are "
                "those of each model alone."
                if table.tested > 1
                else "One model is judged, so nothing is adjusted.",
                "Not covered: other data sets, other recipes, other sizes of model.",
            )
        ),
    ]
    if any(row.strata for row in table.ranked):
        names = {"own": f"articles of {table.labels[0]}", "new": "new articles"}
        rows = [
            [
                text(row.title),
                text(names.get(s.name, s.name)),
                f"{s.change.windows:,}",
                f"{s.change.clusters}",
                cosine(s.baseline),
                cosine(s.expanded),
                percent(s.change.value),
                interval_words(s.change.interval()),
            ]
            for row in table.ranked
            for s in row.strata
        ]
        columns = ["model", "held-out windows in", "windows", "clusters", *table.labels, "change", "95 % interval"]
        lines += ["", "By source:", "", *grid(columns, rows, right=(2, 3, 4, 5, 6))]
    return lines


def _beside(report: Report) -> list[str]:
    """The figures beside the cosine: what the original experiment reported, hits and margins."""
    base, expanded = report.table.labels
    rows = [
        [
            text(row.title),
            *(cosine(cell.validation) for cell in (row.baseline, row.expanded)),
            *(
                " / ".join(_share(getattr(cell.scores, f"hit_{k}") if cell.scores else None) for k in (1, 5, 10))
                for cell in (row.baseline, row.expanded)
            ),
            *(cosine(cell.scores.margin if cell.scores else None) for cell in (row.baseline, row.expanded)),
        ]
        for row in report.table.rows
        if row.baseline.scores and row.expanded.scores
    ]
    if not rows:
        return []
    columns = [
        "model",
        *(f"{name} {label}" for name in ("own validation", "hit@1 / 5 / 10", "margin") for label in (base, expanded)),
    ]
    note = (
        "Own validation: cosine on the arm's own validation windows, which differ between the arms. Hits: share of "
        "windows whose true next vector is among the nearest of all held-out ones. Margin: cosine with the next "
        "vector less cosine with the last one."
    )
    return ["## Beside the cosine", "", *grid(columns, rows, right=(1, 2, 3, 4, 5, 6)), "", note]


def _health(report: Report) -> list[str]:
    """Alarms, then notes; the same finding on several seeds of an arm is said once, in the first one's words."""
    found: dict[tuple[bool, str, str, str], list[tuple[RunDetail, Finding]]] = {}
    for run in report.runs:
        for finding in run.findings:
            found.setdefault((not finding.alarm, run.title, run.label, finding.kind), []).append((run, finding))
    lines = ["## Health", ""]
    if not found:
        seen = sum(bool(run.curve.points) for run in report.runs)
        return [*lines, f"No alarm and no note on {plural(seen, 'run')} with evaluations."]
    return [*lines, *_items(_finding(same) for _, same in sorted(found.items(), key=lambda item: item[0][0]))]


def _finding(same: Sequence[tuple[RunDetail, Finding]]) -> str:
    run, finding = same[0]
    also = f" (also {plural(len(same) - 1, 'other seed')})" if len(same) > 1 else ""
    return f"{'Alarm' if finding.alarm else 'Note'}: {_run_name(run)} {finding.words}{also}."


def _questions(report: Report) -> list[str]:
    lines = ["## Questions the figures answer", ""]
    for question in report.questions:
        lines.append(f"- **{text(question.question)}** {text(question.answer)}")
    return lines


def _recommendations(report: Report) -> list[str]:
    return ["## Recommendations", "", *(f"- **{text(r.what)}**: {text(r.words)}." for r in report.recommendations)]


def _costs(report: Report) -> list[str]:
    if not report.choices:
        return []
    rows = [
        [
            text(choice.title),
            cosine(choice.cosine),
            count(choice.cost.parameters),
            _milliseconds(choice.cost.latency_ms),
            "on the front" if choice.on_front else "",
        ]
        for choice in report.choices
    ]
    columns = ["model", f"cosine {report.table.labels[1]}", "parameters", "latency p50", "Pareto"]
    note = "On the front: no other model is as good, as small and as fast, and better in one of these."
    return ["## Quality and cost", "", *grid(columns, rows, right=(1, 2, 3)), "", note]


def _curves(report: Report, curves: str) -> list[str]:
    drawn = [run for run in report.runs if run.curve.points]
    if not drawn:
        return []
    rows = [
        [
            text(run.title),
            text(run.curve.label),
            sparkline([y for _, y in run.curve.points]),
            cosine(run.curve.points[0][1]),
            cosine(max(y for _, y in run.curve.points)),
            cosine(run.curve.points[-1][1]),
        ]
        for run in drawn
    ]
    columns = ["model", "arm", "validation cosine", "first", "best", "last"]
    models = list(dict.fromkeys(run.model for run in drawn))
    links = [f"![{text(m)}]({curves}/{file_name(m)}.svg)" for m in models]
    return ["## Curves", "", *grid(columns, rows, right=(3, 4, 5)), "", *links]


def _data(report: Report) -> list[str]:
    columns = ["", report.table.labels[0], report.table.labels[1]]
    arms = (report.baseline, report.expanded)
    known = report.heldout.windows
    rows = [
        ["file", *(text(arm.data.file) for arm in arms)],
        ["vectors", *(f"{arm.vectors:,}" for arm in arms)],
        ["articles", *(_or_dash(arm.articles) for arm in arms)],
        ["training windows", *(_or_dash(arm.train_windows or None) for arm in arms)],
        ["validation windows", *(_or_dash(arm.validation_windows or None) for arm in arms)],
        ["left out", *(_or_dash(arm.dropped_windows if known else None) for arm in arms)],
    ]
    held, plan, data = report.heldout, report.campaign_facts, report.data
    said = [f"Vectors of {plan.dim:,} numbers, contexts of {plan.context}."]
    if data and len(data.files) == 2:
        rows.append(["equal to an earlier vector", *(f"{file.duplicates:,}" for file in data.files)])
        rows.append(["mean cosine of neighbours", *(cosine(file.coherence) for file in data.files)])
    if data and data.pair:
        part = (
            "is a part of"
            if data.pair.baseline_is_part
            else f"has {data.pair.shared:.0%} of its vectors in common with"
        )
        said.append(f"{report.table.labels[0]} {part} {report.table.labels[1]}.")
    if held.windows:
        effective = f", which weigh like {held.effective_clusters:.1f} equal ones" if held.effective_clusters else ""
        own = (
            f"; {held.windows_own:,} in articles of {report.table.labels[0]}, "
            f"{held.windows - held.windows_own:,} in new ones"
            if held.windows_own is not None
            else ""
        )
        said.append(f"Held out: {held.windows:,} windows in {held.clusters} clusters{effective}{own}.")
        said.append("Left out: windows that hold a held-out or validation vector, in whatever copy, or lie beside one.")
    said += [sanitise(note) for note in (*plan.notes, *(data.notes if data else ()))]
    return ["## Data", "", *grid(columns, rows, right=(1, 2)), "", *_items(said)]


def _runs(report: Report) -> list[str]:
    rows = [
        [
            text(_run_name(run)),
            text(run.status),
            f"{run.best_epoch:.3g}" if run.best_epoch is not None else "–",
            cosine(run.validation),
            cosine(run.heldout),
            count(run.parameters),
            _latency(run),
            duration(run.seconds),
            _steps(run),
        ]
        for run in report.runs
    ]
    columns = [
        "run",
        "status",
        "best epoch",
        "validation",
        "held-out",
        "parameters",
        "latency p50 / p95",
        "time",
        "steps",
    ]
    lines = ["## Runs", "", *grid(columns, rows, right=(2, 3, 4, 5, 6, 7, 8))]
    files = [f"- {text(_run_name(run))}: {code(_file_of(run))}" for run in report.runs]
    return [*lines, "", "Files:", "", *files]


def _file_of(run: RunDetail) -> str:
    return run.best_model or run.imported_from or run.folder


def _steps(run: RunDetail) -> str:
    if run.steps is None or run.total_steps is None or run.imported_from:
        return "–"
    early = " (early stop)" if run.stopped_early else ""
    return f"{run.steps:,} of {run.total_steps:,}{early}"


def _provenance(report: Report) -> list[str]:
    plan, held = report.campaign_facts, report.heldout
    if report.table.histories:
        return _origins(report)
    said = [
        f"Plan: size {text(plan.size)}, recipe {text(plan.recipe)}, seeds {', '.join(map(str, plan.seeds))}, "
        f"device {text(plan.device)}, {plural(plan.threads, 'thread')} a run, {plan.jobs} side by side; "
        f"by {text(plan.by)} on {date(plan.created)}.",
        *(f"Data {text(arm.label)}: {code(arm.data.fingerprint)}" for arm in (report.baseline, report.expanded)),
    ]
    if held.fingerprint:
        said.append(
            f"Held-out windows: {code(held.fingerprint)}" + (f", seed {held.seed}" if held.seed is not None else "")
        )
    for versions, names in _same_versions(report):
        said.append(f"Versions of {names}: {text(versions)}")
    lines = ["## Provenance", "", *(f"- {line}" for line in said), ""]
    rows = [
        [
            text(_run_name(run)),
            date(run.started),
            date(run.ended),
            text(run.device or "–"),
            str(run.attempts or "–"),
            code(run.best_digest[:16]) if run.best_digest else "–",
            code(run.weights_digest[:16]) if run.weights_digest else "–",
            code(run.heldout_digest[:16]) if run.heldout_digest else "–",
        ]
        for run in report.runs
    ]
    columns = ["run", "started", "ended", "device", "attempts", "best model", "last weights", "held-out scores"]
    found: dict[str, list[str]] = {}
    for comparison in report.comparisons:
        if row := report.table.row(comparison.model):
            found.setdefault("; ".join(check.words for check in comparison.checks), []).append(row.title)
    checks = [f"- {text(', '.join(titles))}: {text(words)}." for words, titles in found.items()]
    lines += grid(columns, rows)
    if checks:
        lines += ["", "Fair comparison, what was checked:", "", *checks]
    return [
        *lines,
        "",
        f"Checksums are sha256, shortened here; in full in report.json. Made by lvmtui {text(report.by)}.",
    ]


def _origins(report: Report) -> list[str]:
    """Where imported histories came from."""
    plan = report.campaign_facts
    rows = [
        [text(_run_name(run)), date(run.ended), code(run.imported_from), code(run.history_digest[:16])]
        for run in report.runs
    ]
    return [
        "## Provenance",
        "",
        f"Imported by {text(plan.by)} on {date(plan.created)} with lvmtui {text(report.by)}; sha256 of each history, "
        "in full in report.json.",
        "",
        *grid(["run", "ended", "folder", "history"], rows),
    ]


def _same_versions(report: Report) -> list[tuple[str, str]]:
    """(versions, the runs that had them), so that equal ones are said once."""
    groups: dict[str, list[str]] = {}
    for run in report.runs:
        words = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
        if words:
            groups.setdefault(words, []).append(_run_name(run))
    if len(groups) == 1:
        return [(next(iter(groups)), "all runs")]
    return [(words, text(", ".join(names))) for words, names in groups.items()]


# The comparison of one model as plain text ----------------------------------------------------------------------------


def comparison_text(row: Row, comparison: Comparison, labels: tuple[str, str], *, several: bool) -> str:
    """One model's comparison for people in a shell. `several`: other models are judged with it."""
    cells = (row.baseline, row.expanded)
    lines = [
        f"{row.title}: {labels[0]} vs {labels[1]}",
        f"campaign {sanitise(comparison.campaign)}",
        "",
        f"{row.verdict.sentence}"
        + (f"; {percent(row.change)} {interval_words(row.interval)}" if row.change is not None else ""),
        "",
        f"{'':24}{labels[0]:>10}{labels[1]:>10}",
    ]

    def line(name: str, values: Sequence[str]) -> None:
        lines.append(f"{name:24}" + "".join(f"{value:>10}" for value in values))

    line("held-out cosine", [cosine(cell.cosine) for cell in cells])
    line("own validation cosine", [cosine(cell.validation) for cell in cells])
    if row.baseline.scores and row.expanded.scores:
        scores = (row.baseline.scores, row.expanded.scores)
        line("margin", [cosine(s.margin) for s in scores])
        for k in (1, 5, 10):
            line(f"hit@{k}", [_share(getattr(s, f"hit_{k}")) for s in scores])
        if scores[0].seed_deviation is not None:
            line("deviation over seeds", [cosine(s.seed_deviation) for s in scores])
        for name, score in zip(labels, scores, strict=True):
            if score.skill:
                gain = score.skill.gain
                low, high = gain.interval() or (None, None)
                lines.append(
                    f"skill with {name}: {_signed(gain.value)} [{_signed(low)}, {_signed(high)}] against the "
                    f"{trivial_title(score.skill.against)} ({cosine(score.skill.cosine)})"
                )
    lines.append("")
    if estimate := row.estimate:
        lines += [
            f"{estimate.windows:,} held-out windows in {estimate.clusters} clusters, which weigh like "
            f"{estimate.effective_clusters:.1f} equal ones; {estimate.df:.1f} degrees of freedom",
            f"95 % interval of this model alone {interval_words(row.interval)}"
            + (f", among all models (Holm) {interval_words(row.adjusted)}" if several else ""),
        ]
    names = {"own": f"articles of {labels[0]}", "new": "new articles"}
    lines += [
        f"in {names.get(s.name, sanitise(s.name))}: {percent(s.change.value)} {interval_words(s.change.interval())}, "
        f"{s.change.windows:,} windows"
        for s in row.strata
    ]
    lines.append(f"seeds compared: {', '.join(str(pair.seed) for pair in comparison.pairs)}")
    lines += [f"note: {note}" for note in row.notes]
    lines += ["", *(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.words}" for check in comparison.checks)]
    return "\n".join(sanitise(line) for line in lines) + "\n"


# CSV ------------------------------------------------------------------------------------------------------------------


def table_csv(report: Report) -> str:
    """The ranked table, a line a model, and the trivial baselines; figures unrounded, empty where not known."""
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
    """Text that a spreadsheet does not take for a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value


# Parts ----------------------------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """Text from wherever, as Markdown that shows exactly it, in a table cell too. A backtick becomes an entity, so
    that every one that is left is from `code`."""
    value = sanitise(value).replace("\\", "\\\\").replace("&", "&amp;")
    value = value.replace("<", "&lt;").replace(">", "&gt;").replace("`", "&#96;")
    value = re.sub(r"([|*~#])", r"\\\1", value).replace("](", "]\\(").replace("][", "]\\[")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", value)


def code(value: str) -> str:
    """An identifier or path, as it would be typed."""
    return "`" + sanitise(value).replace("`", "'").replace("|", "\\|") + "`"


def _comment(value: str) -> str:
    """Text that cannot end the comment it stands in."""
    return re.sub(r"-{2,}|[<>]", "-", sanitise(value, 200))


def file_name(model: str) -> str:
    """A model's name as the name of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", model)[:80] or "_"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A Markdown table with padded columns; those in `right` are aligned to the right."""
    cells = [[text(column) for column in columns], *[list(row) for row in rows]]
    widths = [max(3, *(_width(row[i]) for row in cells)) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (widths[i] - _width(value)) + value if i in right else value + " " * (widths[i] - _width(value))
            for i, value in enumerate(row)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (w - 1) + ":") if i in right else "-" * w for i, w in enumerate(widths)]
    return [line(cells[0]), line(rule), *(line(row) for row in cells[1:])]


def _width(value: str) -> int:
    """Columns on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)


def _items(lines: Iterable[str]) -> list[str]:
    """A list followed by a blank line; nothing for no lines."""
    found = [f"- {text(line)}" for line in lines]
    return [*found, ""] if found else []


def _run_name(run: RunDetail) -> str:
    return f"{run.title} {run.curve.label}"


def _latency(run: RunDetail) -> str:
    if run.latency_p50_ms is None:
        return "–"
    return f"{_milliseconds(run.latency_p50_ms)} / {_milliseconds(run.latency_p95_ms)}"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"


def _share(value: float | None) -> str:
    return cosine(value, 3)


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    return ("+" if value >= 0 else "−") + cosine(abs(value))


def _or_dash(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _numbers(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
