"""The report as a person reads it: Markdown that is also legible in a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lvmtui.formats.campaign import ArmFacts
from lvmtui.formats.results import LEAST_DF
from lvmtui.report.contents import Report, RunDetail
from lvmtui.report.curves import sparkline
from lvmtui.report.insights import latency_doubt
from lvmtui.report.markup import code, comment, file_name, grid, items, text
from lvmtui.report.text import share, skill_text
from lvmtui.system.numbers import cosine, count, date, duration, percent, plural, signed
from lvmtui.system.text import sanitise
from lvmtui.verdict.health import Finding
from lvmtui.verdict.table import Row, Table
from lvmtui.verdict.words import Word, interval_words, stratum_words

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
    lines = [MARK.format(id=comment(report.campaign))]
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
        *items(report.caveats),
        f"{progress.finished} of {plural(progress.runs, 'run')} finished; {span}. "
        f"Campaign {code(report.campaign)}, report of {date(report.made)}.",
    ]
    if progress.missing:
        lines += ["", "**Provisional: runs are missing.**", "", *items(progress.missing)]
    return lines


def _ranking(report: Report) -> list[str]:
    table = report.table
    base, expanded = table.labels
    columns = ["rank", "", "model", base, expanded, "change"]
    columns += [] if table.histories else ["95 % interval", f"skill with {expanded}"]
    rows = [_ranking_row(row, table) for row in table.rows]
    lines = ["## Ranking", "", *grid([*columns, "verdict"], rows, right=(0, 3, 4, 5))]
    if table.ranked and not table.histories:
        lines += ["", text(table.order)]
    if table.average is not None:
        lines += ["", f"Average change of the {plural(len(table.ranked), 'ranked model')}: {percent(table.average)}."]
    if table.histories:
        lines += [
            "",
            "Cosines are each run's best on its own validation windows. No medals: these figures prove nothing.",
        ]
    notes: dict[str, list[str]] = {}
    for row in table.rows:
        for note in (*_reasons(row), *row.notes):
            notes.setdefault(note, []).append(row.title)
    every = len(table.rows) > 1
    said = [f"{'All' if every and len(of) == len(table.rows) else ', '.join(of)}: {note}" for note, of in notes.items()]
    return [*lines, *([""] if said else []), *items(said)]


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
    return f"{signed(skill.gain.value)} {row.expanded.skill_words}".strip()


def _trivial(report: Report) -> list[str]:
    if not report.table.trivial:
        return []
    rows = [[text(row.title), cosine(row.baseline), cosine(row.expanded)] for row in report.table.trivial]
    note = "What can be had without training a network."
    lines = [
        "## Trivial baselines on the same windows",
        "",
        *grid(["trivial baseline", *report.table.labels], rows, right=(1, 2)),
        "",
        note,
    ]
    skilled = [row for row in report.table.rows if row.baseline.skill or row.expanded.skill]
    if skilled:
        columns = ["model", *(f"skill with {label}" for label in report.table.labels)]
        cells = [
            [text(row.title), *(text(skill_text(cell)) for cell in (row.baseline, row.expanded))] for row in skilled
        ]
        lines += ["", "Skill: a model's cosine less the best trivial baseline's, with its 95 % interval.", ""]
        lines += grid(columns, cells)
    return lines


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
        *items(
            (
                f"Covered: which articles were held out. {first.windows:,} windows lie in {first.clusters} clusters "
                f"that weigh like {first.effective_clusters:.1f} of equal size; windows of one article are not "
                "independent. "
                "Cluster-robust CR2 variance with Bell-McCaffrey degrees of freedom"
                f"{', combined with those of the seeds as Satterthwaite does' if seeds[-1] > 1 else ''} "
                f"({', '.join(sorted({f'{e.df:.1f}' for e in estimates}))}; the fewer, the wider the interval).",
                f"Training noise: covered, {_numbers(seeds)} seeds an arm."
                if seeds and seeds[0] > 1
                else "Not covered: training noise. With one seed a verdict only leans.",
                f"Several models: each is judged by its {100 * (1 - table.level):.1f} % interval, so that all "
                f"{table.tested} hold together at 95 %; the interval shown is the 95 % one of the model alone."
                if table.tested > 1
                else "One model is judged, so nothing is adjusted.",
                "Not covered: other data sets, other recipes, other sizes of model.",
            )
        ),
    ]
    if any(row.strata for row in table.ranked):
        rows = [
            [
                text(row.title),
                text(stratum_words(s.name, table.labels[0])),
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
        if any(s.change.scarce() for row in table.ranked for s in row.strata):
            lines += ["", f"No interval: under {LEAST_DF:.0f} degrees of freedom, from too few articles or seeds."]
    return lines


def _beside(report: Report) -> list[str]:
    """The figures beside the cosine: what the original experiment reported, hits and margins."""
    base, expanded = report.table.labels
    rows = [
        [
            text(row.title),
            *(cosine(cell.validation) for cell in (row.baseline, row.expanded)),
            *(
                " / ".join(share(getattr(cell.scores, f"hit_{k}") if cell.scores else None) for k in (1, 5, 10))
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
    return [*lines, *items(_finding(same) for _, same in sorted(found.items(), key=lambda item: item[0][0]))]


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
            "on the front" if choice.on_front else "" if choice.weighed else "not known",
        ]
        for choice in report.choices
    ]
    columns = ["model", f"cosine {report.table.labels[1]}", "parameters", "latency p50", "Pareto"]
    note = "On the front: no other model is as good, as small and as fast, and better in one of these."
    doubt = latency_doubt(report.choices)
    note += f" {text(doubt)}" if doubt else ""
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
        *([["rows of it", *(_rows_of(arm) for arm in arms)]] if any(_rows_of(arm) != "–" for arm in arms) else []),
        ["vectors", *(f"{arm.vectors:,}" for arm in arms)],
        ["articles", *(_or_dash(arm.articles) for arm in arms)],
        ["training windows", *(_or_dash(arm.train_windows or None) for arm in arms)],
        ["validation windows", *(_validated(arm) for arm in arms)],
        ["left out", *(_or_dash(arm.dropped_windows if known else None) for arm in arms)],
    ]
    held, plan, data = report.heldout, report.campaign_facts, report.data
    said = [f"Vectors of {plan.dim:,} numbers, contexts of {plan.context}."]
    if data and len(data.files) == 2:
        rows.append(["equal to an earlier vector", *(f"{file.duplicates:,}" for file in data.files)])
        rows.append(["mean cosine of neighbours", *(cosine(file.coherence) for file in data.files)])
    if _same_file(report):
        said.append(f"Both are rows of one file, so it has one checksum: {' and '.join(map(_first_articles, arms))}.")
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
    return ["## Data", "", *grid(columns, rows, right=(1, 2)), "", *items(said)]


def _runs(report: Report) -> list[str]:
    rows = [
        [
            text(_run_name(run)),
            text(run.status),
            text(", ".join(finding.label for finding in run.findings) or "–"),
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
        "health",
        "best epoch",
        "validation",
        "held-out",
        "parameters",
        "latency p50 / p95",
        "time",
        "steps",
    ]
    lines = ["## Runs", "", *grid(columns, rows, right=(3, 4, 5, 6, 7, 8, 9))]
    files = [f"- {text(_run_name(run))}: {code(_file_of(run))}" for run in report.runs]
    return [*lines, "", *items(_best_at_first(report)), *items(_speeds(report)), "Files:", "", *files]


def _best_at_first(report: Report) -> list[str]:
    """Which runs were best when first looked at."""
    found: dict[str, list[str]] = {}
    for run in report.runs:
        if run.best_at_first and run.status == "finished":
            found.setdefault(run.label, []).append(run.title)
    return [
        f"{label}: best at the first evaluation, no better after it: {', '.join(dict.fromkeys(titles))}. They may have "
        "been better still before it."
        for label, titles in found.items()
    ]


def _speeds(report: Report) -> list[str]:
    """What was seen of uneven training speeds, and what may be behind it."""
    titles = {row.model: row.title for row in report.table.rows}
    notes = [f"{titles.get(c.model, c.model)}, {note}" for c in report.comparisons for note in c.notes]
    if not notes:
        return []
    jobs = report.campaign_facts.jobs
    own = f"this campaign ran {jobs} runs side by side, and " if jobs > 1 else ""
    return [*notes, f"Why speeds varied is not known: {own}other programs may have run. Scores do not depend on it."]


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
        *(
            f"Data {text(arm.label)}: {code(arm.data.fingerprint)}"
            + (f", rows {_rows_of(arm)} of that file" if _same_file(report) else "")
            for arm in (report.baseline, report.expanded)
        ),
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
    checks = [f"- {text(line)}" for line in _checks(report)]
    lines += grid(columns, rows)
    if checks:
        lines += ["", "Fair comparison, what was checked when it was made:", "", *checks]
    return [
        *lines,
        "",
        f"Checksums are sha256, shortened here; in full in report.json. Made by lvmtui {text(report.by)}.",
    ]


def _checks(report: Report) -> list[str]:
    """What was found of each condition: what is true of all models first, then the rest by models."""
    found: dict[str, list[str]] = {}
    for comparison in report.comparisons:
        if row := report.table.row(comparison.model):
            for check in comparison.checks:
                found.setdefault(check.words, []).append(row.title)
    every = [words for words, titles in found.items() if len(titles) == len(report.comparisons)]
    groups: dict[str, list[str]] = {", ".join(titles): [] for titles in found.values()}
    for words, titles in found.items():
        if words not in every:
            groups[", ".join(titles)].append(words)
    whole = "All" if len(report.comparisons) > 1 else next(iter(groups), "")
    said = {whole: every} | {titles: words for titles, words in groups.items() if words}
    return [f"{titles}: {'; '.join(words)}." for titles, words in said.items() if words]


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


# Parts ----------------------------------------------------------------------------------------------------------------


def _run_name(run: RunDetail) -> str:
    return f"{run.title} {run.curve.label}"


def _latency(run: RunDetail) -> str:
    if run.latency_p50_ms is None:
        return "–"
    return f"{_milliseconds(run.latency_p50_ms)} / {_milliseconds(run.latency_p95_ms)}"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"


def _same_file(report: Report) -> bool:
    """True if both arms are rows of one file."""
    one, other = report.baseline.data, report.expanded.data
    return bool(one.fingerprint) and one.fingerprint == other.fingerprint and one.rows != other.rows


def _rows_of(arm: ArmFacts) -> str:
    """`0 to 8,279`; a dash where it is not known."""
    first, after = arm.data.rows
    return f"{first:,} to {after - 1:,}" if after > first else "–"


def _first_articles(arm: ArmFacts) -> str:
    """`8k rows 0 to 8,279 (41 articles)`."""
    articles = "" if arm.articles is None else f" ({plural(arm.articles, 'article')})"
    return f"{arm.label} rows {_rows_of(arm)}{articles}"


def _validated(arm: ArmFacts) -> str:
    """`4,652 of 23,260` where some that could be validated on are spared."""
    if not arm.spare_windows:
        return _or_dash(arm.validation_windows or None)
    return f"{arm.validation_windows:,} of {arm.validation_windows + arm.spare_windows:,}"


def _or_dash(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _numbers(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
