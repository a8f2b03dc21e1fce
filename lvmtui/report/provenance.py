"""Where everything came from: the data, the runs, what was checked, checksums and versions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lvmtui.formats.campaign import ArmFacts
from lvmtui.models import size_of
from lvmtui.report.blocks import Block, Code, Heading, Paragraph, Text, bullets, table
from lvmtui.report.contents import Report, RunDetail
from lvmtui.report.evidence import milliseconds
from lvmtui.system.numbers import cosine, date, duration, plural
from lvmtui.system.text import grouped, sanitise
from lvmtui.verdict.words import LEFT_OUT

DIGITS = 8
"""Digits of a checksum that are shown; report.json has all of them."""

FIGURES: dict[str, Callable[[RunDetail], str]] = {
    "model": lambda run: run.title,
    "arm": lambda run: run.label,
    "status": lambda run: run.status,
    "health": lambda run: ", ".join(finding.label for finding in run.findings),
    "best epoch": lambda run: _epoch(run.best_epoch),
    "validation": lambda run: cosine(run.validation),
    "held-out": lambda run: cosine(run.heldout),
    "time": lambda run: duration(run.seconds),
    "steps": lambda run: _steps(run),
}
"""Columns of the table of runs; then more of runs that were judged here, and of histories only."""
JUDGED: dict[str, Callable[[RunDetail], str]] = {
    "latency p50, p95": lambda run: f"{p:.2f}, {milliseconds(run.latency_p95_ms)}" if (p := run.latency_p50_ms) else "",
    "started": lambda run: date(run.started),
    "best model": lambda run: run.best_digest[:DIGITS],
}
HISTORY: dict[str, Callable[[RunDetail], str]] = {"ended": lambda run: date(run.ended)}
BEST, OUT = Code("best_model.pt"), Code("out/")


def provenance(report: Report) -> list[Block]:
    """Everything needed to find, check or repeat what was done."""
    plan = [] if report.imported else _plan(report)
    return [Heading("Provenance", folded=True), *_data(report), *_runs(report), *_origins(report), *plan]


def _data(report: Report) -> list[Block]:
    arms = tuple(report.campaign_facts.arms.values())
    base, *_, expanded = labels = [sanitise(arm.label, 40) for arm in arms]
    rows = [
        ["file", *(arm.data.file for arm in arms)],
        *([["rows of the file", *map(_rows_of, arms)]] if any(_rows_of(arm) != "–" for arm in arms) else []),
        # of a history perhaps only known from the name of its folder, in round numbers
        ["vectors", *("about " * (report.imported and not arm.vectors % 1000) + arm.told("vectors") for arm in arms)],
        ["articles", *(arm.told("articles") for arm in arms)],
        ["training windows", *(arm.trained for arm in arms)],
        ["validation windows", *(arm.validated for arm in arms)],
        ["windows left out", *(arm.told("dropped_windows") if report.heldout.windows else "–" for arm in arms)],
    ]
    held, plan, data = report.heldout, report.campaign_facts, report.data
    numbers = f" of {plan.dim:,} numbers" if plan.dim else ""  # not every history tells it
    taken = "" if held.windows else "taken to be "  # histories do not tell it
    said = [f"A window is {taken}{plan.context_words} consecutive vectors{numbers} and the one that follows."]
    if data and len(data.files) == len(arms):
        rows.append(["copies of an earlier vector", *(f"{file.duplicates:,}" for file in data.files)])
        rows.append(["mean cosine of neighbours", *(cosine(file.coherence) for file in data.files)])
    if _same_file(report):
        counts = ("" if arm.articles is None else f" ({plural(arm.articles, 'article')})" for arm in arms)
        parts = (f"{arm.label} rows {_rows_of(arm)}{count}" for arm, count in zip(arms, counts, strict=True))
        said.append(f"Both arms are rows of one file, which has one fingerprint: {' and '.join(parts)}.")
    if data and data.pair:
        part = "is part of" if data.pair.baseline_is_part else f"shares {data.pair.shared:.0%} of its vectors with"
        said.append(f"{base} {part} {expanded}.")
    if held.windows:
        own = (
            f"; {held.windows_own:,} in articles of {base}, {held.windows - held.windows_own:,} in new ones"
            if held.windows_own is not None and not plan.subsets  # no size holds any of them
            else ""
        )
        said.append(f"Held out: {held.windows:,} windows in {plural(held.clusters, 'cluster')}{own}.")
        said.append(f"Left out: {LEFT_OUT}.")
    if plan.centre:
        said.append(
            "Models of centred vectors predict centred vectors. A decoder needs those of the file: load_forecaster "
            "gives them. What was subtracted and the scale are in best_model.pt (centre) and in the split's "
            "heldout_windows.npz (shift, scale)."
        )
    said += [*plan.notes, *(data.notes if data else ())]
    return [Heading("Data", 3), table(["", *labels], rows, right=range(1, len(arms) + 1)), *bullets(said)]


def _runs(report: Report) -> list[Block]:
    """One row per model and arm. Where seeds differ, their figures are separated by slashes, in the plan's order."""
    arms = grouped(((run.model, run.arm), run) for run in report.runs).values()
    shown = FIGURES | (HISTORY if report.imported else JUDGED)
    seeds = report.campaign_facts.seeds
    order: list[Text] = [f"Seeds {', '.join(map(str, seeds))} are separated by slashes."] if len(seeds) > 1 else []
    if report.table.cap is not None and any(row.unweighted or row.baseline.scores for row in report.table.rows):
        order.append(
            "Held-out is the plain mean over windows here, as are all figures that a run tells of itself (hits and "
            f"margin too); in the tables above an article counts for at most {report.table.cap} of them."
        )
    missing: list[Text] = [f"Not finished: {run}." for run in report.progress.missing]
    return [
        Heading("Runs", 3),
        table(shown, ([_cell(column, runs, figure) for column, figure in shown.items()] for runs in arms)),
        *bullets([*order, *missing, *_files(report), *_speeds(report)]),
    ]


def _cell(column: str, runs: Sequence[RunDetail], figure: Callable[[RunDetail], str]) -> Text:
    values = [figure(run) or "–" for run in runs]
    words = values[0] if len(set(values)) == 1 else " / ".join(values)
    return Code(words) if column == "best model" and words != "–" else words


def _epoch(value: float | None) -> str:
    """`3`, `2.7`, `0.18`."""
    return "–" if value is None else f"{value:.2f}" if value < 1 else f"{value:.1f}".removesuffix(".0")


def _steps(run: RunDetail) -> str:
    if run.steps is None:
        return "–"
    planned = "" if run.total_steps is None else f" of {run.total_steps:,}"
    epochs = " epochs" if run.unit == "epoch" else ""
    return f"{run.steps:,}{planned}{epochs}{' (ended early)' if run.stopped_early else ''}"


def _files(report: Report) -> list[Text]:
    """Where the runs are: once for all in the usual place, one by one for others; histories have their own table."""
    if report.imported:
        return []
    usual = [run for run in report.runs if run.folder.endswith(f"/{run.run}") and not run.imported_from]
    found: list[Text] = []
    if usual:
        folder = usual[0].folder.removesuffix(usual[0].run)
        ours = () if all(run.own_trainer for run in usual) else ("; weights in ", BEST)
        theirs = ("; what a trainer of your own wrote in ", OUT) if any(run.own_trainer for run in usual) else ()
        found.append(("Folders: ", Code(f"{folder}RUN"), ", with RUN like ", Code(usual[0].run), *ours, *theirs, "."))
    for what, runs in grouped((run.best_lost, run.run) for run in report.runs if run.best_lost).items():
        found.append((BEST, f" of {', '.join(runs)} {what}."))
    for run in report.runs:
        if run not in usual:
            what = "weights" if run.best_model else "history" if run.imported_from else "folder"
            found.append((f"{run.name}, {what}: ", Code(run.best_model or run.imported_from or run.folder)))
    return found


def _speeds(report: Report) -> list[Text]:
    """What was seen of uneven training speeds."""
    notes: list[Text] = [f"{report.title_of(c.model)}, {note}" for c in report.comparisons for note in c.notes]
    if not notes:
        return []
    why = "other programs may have run, and runs of this campaign side by side"
    return [*notes, f"Why speeds varied is unknown: {why}. Scores do not depend on it."]


def _plan(report: Report) -> list[Block]:
    plan, held = report.campaign_facts, report.heldout
    size = size_of(plan.size, plan.models)
    said: list[Text] = [
        f"Plan: {f'size {size}, ' if size else ''}{'seeds' if len(plan.seeds) > 1 else 'seed'} "
        f"{', '.join(map(str, plan.seeds))}, device {plan.device}, {plural(plan.threads, 'thread')} a run, "
        f"up to {plan.jobs} at once; by {plan.by} on {date(plan.created)}.",
        *([f"Run by {plan.engine_words}."] if plan.engine != type(plan).engine else []),
        *(f"Recipe {words} ({titles})." for words, titles in _same(report, lambda run: run.training, by="title")),
        *(f"Trainer {titles}: {words}." for words, titles in _same(report, lambda run: run.own_trainer, by="title")),
        *(f"Own model {titles}: {words}." for words, titles in _same(report, lambda run: run.own_model, by="title")),
    ]
    for arm in (report.baseline, report.expanded):
        rows = f", rows {_rows_of(arm)} of that file" if _same_file(report) else ""
        options = [f"--{role} {sanitise(name, 40)}" for role, name in vars(arm.data.reading).items() if name]
        read = (rows, ", read with ", Code(" ".join(options))) if options else (rows,)
        said.append((f"Fingerprint of {arm.label}: ", Code(arm.data.fingerprint), *read))
    if held.fingerprint:
        drawn = f", drawn with seed {held.seed}" if held.seed is not None else ""
        said.append(("Held-out windows: ", Code(held.fingerprint), drawn))
    versions = _same(report, lambda run: ", ".join(f"{name} {number}" for name, number in sorted(run.versions.items())))
    said += [f"Versions of {names}: {numbers}" for numbers, names in versions]
    said += [f"Device of {names}: {device}" for device, names in _same(report, lambda run: run.device)]
    again = (run for run in report.runs if run.attempts > 1 or run.started_again)
    said += [f"{run.name} was started again after: {run.started_again or 'its process died'}." for run in again]
    checksum = (", ", Code("unzip -z best_model.pt"), " the checksum of a model (sha256)")
    return [
        Heading("Plan, checks and checksums", 3),
        *bullets([*said, *_checks(report)]),
        Paragraph(
            (
                Code("lvmtui check FILE"),
                " shows the fingerprint of a file, if given the options that it was read with",
                *(() if all(run.own_trainer for run in report.runs) else checksum),
                f". report.json has all in full. Made by lvmtui {report.by}.",
            )
        ),
    ]


def _checks(report: Report) -> list[Text]:
    """What was found of each condition of a fair comparison: first what is true of all models, then the rest."""
    count = len(report.comparisons)
    found = grouped(
        (check.words, report.title_of(of.model)) for of in report.comparisons for check in of.checks if check.words
    )
    shared_first = sorted(found.items(), key=lambda one: len(one[1]) < count)
    said = grouped(
        ("all models" if len(titles) == count > 1 else ", ".join(titles), words) for words, titles in shared_first
    )
    return [f"Fair comparison, found for {titles} when compared: {'; '.join(words)}." for titles, words in said.items()]


def _origins(report: Report) -> list[Block]:
    """Where imported histories came from, those of runs whose weights were judged here too."""
    plan, runs = report.campaign_facts, [run for run in report.runs if run.imported_from]
    if not runs:
        return []
    rows = ((run.name, Code(run.imported_from), Code(run.history_digest[:DIGITS])) for run in runs)
    by = f"Imported by {plan.by} on {date(plan.created)} with lvmtui {report.by}. " if report.imported else ""
    full = Paragraph(f"{by}report.json has the checksums in full.")
    return [Heading("Imported histories", 3), table(["run", "history", "its sha256"], rows), full]


def _same(report: Report, fact: Callable[[RunDetail], str], by: str = "name") -> list[tuple[str, str]]:
    """(fact, the runs that have it), so that equal facts are said once; empty facts are left out, and imported runs:
    their facts are those of the process that judged them. `by`: how runs are named, `title` where models share them."""
    groups = grouped((words, run) for run in report.runs if not run.imported_from and (words := fact(run)))
    return [
        (words, "all runs" if len(of) == len(report.runs) else ", ".join(dict.fromkeys(getattr(run, by) for run in of)))
        for words, of in groups.items()
    ]


def _same_file(report: Report) -> bool:
    """True if both arms are rows of one file."""
    one, other = report.baseline.data, report.expanded.data
    return bool(one.fingerprint) and one.fingerprint == other.fingerprint and one.rows != other.rows


def _rows_of(arm: ArmFacts) -> str:
    """`0 to 8,279`; a dash where it is unknown."""
    first, after = arm.data.rows
    return f"{first:,} to {after - 1:,}" if after > first else "–"
