"""The evidence behind the first page: what the interval covers, by source, other figures, health, curves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lvmtui.formats.results import LEAST_DF, STRATA, Population, Skill
from lvmtui.formats.spec import ARMS
from lvmtui.report.blocks import Block, Code, Figure, Heading, Paragraph, Strong, Text, bullets, table
from lvmtui.report.contents import Report
from lvmtui.report.costs import latency_doubt
from lvmtui.report.curves import curve_file, sparkline
from lvmtui.report.questions import over_trivials
from lvmtui.system.numbers import cosine, count, percent, plural, rounded_down, signed, spread
from lvmtui.system.text import grouped
from lvmtui.verdict.cross_checks import FIGURES, TITLES, deciding_interval
from lvmtui.verdict.health import of_seeds
from lvmtui.verdict.table import Row, Table, named, seeds_words
from lvmtui.verdict.words import cosine_interval, interval_words, stratum_change, the_trivial, trivial_title

ARROW = " → "
BY_COSINE = "of highest cosine where it tells no loss, and for histories of GraphMERT-LVM"
"""Which epoch stands for a run that has none of lowest loss, or does not go by it."""


def evidence(report: Report, curves: str) -> list[Block]:
    """All sections that have something to show, under their own heading."""
    figures = (_interval, _by_source, _other_figures, _contexts, _forward, _windows)
    said = [block for section in figures for block in section(report)]
    asked = bullets((Strong(q.question), f" {q.answer}") for q in report.questions)
    said += [Heading("Questions the figures answer", 3), *asked]
    return [Heading("Evidence"), *said, *_health(report), *_curves(report, curves)]


def _interval(report: Report) -> list[Block]:
    whole = report.table
    if whole.histories:
        return [
            Heading("What these figures are", 3),
            Paragraph(
                f"Validation cosines at the epoch of lowest loss ({BY_COSINE}), as the runs themselves told them. Each "
                "run was judged on its own validation windows. They differ between the arms and may overlap with "
                "training windows. No common held-out windows judged them, so there is no interval and no verdict. "
                "Rows are ranked by these point estimates."
            ),
        ]
    known = [row.estimate for row in whole.ranked if row.estimate]
    estimates = [estimate for estimate in known if estimate.interval()] or known
    if not estimates:
        return []
    windows, clusters, equal = zip(*((e.windows, e.clusters, e.effective_clusters) for e in estimates), strict=True)
    seeds, single = max(row.seeds for row in whole.ranked), [row for row in whole.ranked if row.seeds == 1]
    still = [
        row
        for row in whole.ranked
        if row.seeds > 1 and row.interval and row.estimate and not row.estimate.from_training
    ]
    adds = f" It adds nothing for {named(still)}: seeds differ no more than the articles explain." if still else ""
    df = spread((e.df for e in estimates), rounded_down)
    said = [
        f"Covered: which articles were held out. Windows of one article (cluster) resemble each other, so the "
        f"{spread(windows)} windows in {spread(clusters)} clusters count as {spread(equal, '{:.1f}'.format)} clusters "
        f"of equal weight. The interval uses the cluster-robust CR2 variance and Bell-McCaffrey degrees of freedom "
        f"({df}{', seeds included' if seeds > 1 else ''}{_of_average(whole)}); the fewer, the wider.",
        f"Covered: training noise, by {seeds_words(whole.ranked)} per arm"
        f"{f' (not for {named(single)}, with one)' if single else ''}.{adds}"
        if seeds > 1
        else "Not covered: training noise. A verdict from one seed holds for that seed only.",
        "Not covered: other data sets, other recipes, other sizes of model.",
    ]
    figures = [f"{row.title}: {'; '.join(row.figures)}." for row in report.table.rows if row.figures]
    more = [Heading("Each change, further figures", 3), *bullets(figures)] if figures else []
    return [Heading("What the interval covers", 3), *bullets(said), *more]


def _of_average(whole: Table) -> str:
    """The degrees of freedom of the average, and why they are fewer where folds make them so: the part of its variance
    that training makes is then its own between folds, larger than its models' would make it (`average.py`)."""
    known = [row.estimate for row in whole.ranked if row.estimate]
    if whole.primary is None or rounded_down(whole.primary.estimate.df) in {rounded_down(e.df) for e in known}:
        return ""
    average, models = whole.primary.estimate, len(whole.primary.models)
    mean, *single = (e.from_training * (e.standard_error or 0.0) ** 2 for e in (average, *known))
    own = whole.folds and mean * models > 1.001 * max(single)
    why = f", because its models move together from fold to fold and only {whole.seeds} folds show by how much"
    return f"; the average has {rounded_down(average.df)}{why if own else ''}"


def _by_source(report: Report) -> list[Block]:
    """One row per model: the change on articles of the baseline's source and on new ones."""
    whole = report.table
    rows = [row for row in whole.ranked if row.strata]
    there = {s.name for row in rows for s in row.strata}
    names: list[Population] = [name for name in (*STRATA, "both") if name in there]
    if not names:
        return []
    cells = []
    for row in rows:
        changes = {s.name: stratum_change(s) for s in row.strata}
        cells.append([row.title, *(changes.get(name, "–") for name in names)])
    averages = {one.name: one.estimate for one in whole.by_source}
    if averages:
        said = (f"{percent(e.value)} {interval_words(e.interval())}" if (e := averages.get(n)) else "–" for n in names)
        cells.append([f"average of {len(rows)}", *said])
    sizes = [
        f"{where}: {spread(e.windows for e in of)} windows in {spread(e.clusters for e in of)} clusters"
        for where, of in grouped((whole.population(s.name), s.change) for row in rows for s in row.strata).items()
    ]
    note = f"{'; '.join(sizes)}. The verdict is about {whole.population(whole.judge_on)}."
    if any(e.scarce() for e in (*averages.values(), *(s.change for row in rows for s in row.strata))):
        note += f" No interval (–) with under {LEAST_DF:.0f} degrees of freedom: too few articles or seeds."
    return [
        Heading("Change by source of the held-out windows", 3),
        table(["model", *(whole.population(name) for name in names)], cells),
        Paragraph(note[0].upper() + note[1:]),
    ]


def _other_figures(report: Report) -> list[Block]:
    """One row per model: gain over the best trivial baseline, retrieval, margin, costs."""
    judged = [row for row in report.table.rows if row.baseline.scores and row.expanded.scores]
    chosen = {choice.model for choice in report.choices}
    rows = [row for row in report.table.rows if row in judged or row.model in chosen]
    if not rows:
        return []
    skills = [s for row in judged for s in (row.baseline.skill, row.expanded.skill) if s]
    columns: dict[str, list[str]] = {"model": [row.title for row in rows]}
    if skills:
        for arm, label in zip(ARMS, report.table.labels, strict=True):
            gains = [skill.gain if (skill := row.cell(arm).skill) else None for row in rows]
            columns[f"gain {label}"] = [f"{signed(g.value)} {cosine_interval(g)}" if g else "–" for g in gains]
    if judged:
        for name in ("hit_1", "hit_10", "mrr"):
            if any(figure.name == name for row in rows for figure in row.retrieval):
                columns[TITLES[name]] = [_found(row, name, report.table.level) for row in rows]
        columns["margin"] = [
            ARROW.join(cosine(cell.scores.margin) if cell.scores else "–" for cell in (row.baseline, row.expanded))
            for row in rows
        ]
    costs = [report.costs[row.model] for row in rows]
    columns["parameters"] = [count(cost.parameters) for cost in costs]
    columns["latency"] = [milliseconds(cost.latency_ms) for cost in costs]
    right = [i for i, title in enumerate(columns) if title in ("margin", "parameters", "latency")]
    return [
        Heading("Other figures on the same windows" if judged else "Costs", 3),
        table(columns, zip(*columns.values(), strict=True), right=right),
        *bullets([*_trivial(report), *(_explained(report, skills) if judged else ()), *_front(report)]),
    ]


def _trivial(report: Report) -> list[str]:
    """The trivial baselines on the same windows, in a sentence."""
    known = [f"{row.title} {cosine(row.baseline)} / {cosine(row.expanded)}" for row in report.table.trivial]
    labels = " / ".join(report.table.labels)
    return [f"Trivial baselines, which need no network ({labels}): {', '.join(known)}."] if known else []


def _explained(report: Report, skills: Sequence[Skill]) -> list[str]:
    """The terms of the table that are not costs."""
    said = []
    if skills:
        names = ", ".join(dict.fromkeys(the_trivial(s.against) for s in skills))
        gain = f"Gain: held-out cosine minus that of the best trivial baseline ({names}), with its 95 % interval"
        said.append(f"{gain} (–: under {LEAST_DF:.0f} degrees of freedom).")
    base, expanded = report.table.labels
    found = (
        f"hit@k ({base}{ARROW}{expanded}): share of windows whose true next vector is among the k candidates "
        "nearest to the prediction: the next vectors of all held-out windows, where copies count once, without those "
        "in the window's own context. MRR: mean reciprocal rank of it. The interval is that of the difference "
        f"({100 * (1 - report.table.level / FIGURES):.1f} %, because these figures are judged together); where it is "
        "clear of zero, the figure rose or fell. It has degrees of freedom of its own, at least "
        f"{LEAST_DF:.0f}: seeds that differ much in cosine may differ little in it."
    )
    return [
        *said,
        *([found] if any(row.retrieval for row in report.table.rows) else []),
        "Margin: cosine with the true next vector minus cosine with the last context vector. Higher is better; below "
        "zero the prediction resembles the last vector more than the next one.",
    ]


def _front(report: Report) -> list[str]:
    latency = "Latency: median time of one prediction (on a CPU its processor time), the shortest of the model's runs."
    front = ", ".join(choice.title for choice in report.choices if choice.on_front)
    known, other = "", "model"
    if sum(choice.weighed for choice in report.choices) < len(report.table.rows):
        known, other = ", of the models of known size and latency, compared fairly on the same articles", "one of these"
    said = f"Pareto front of {report.table.labels[1]}{known}: {front}. No other {other} is as good, small and fast."
    return [latency, *([f"{said} {latency_doubt(report.choices)}".strip()] if front else [])]


def _found(row: Row, name: str, level: float) -> str:
    """`.221 → .204 [−.026, −.008]`."""
    figure = next((f for f in row.retrieval if f.name == name), None)
    if figure is None:
        return "–"
    values = cosine(figure.baseline, 3) + ARROW + cosine(figure.expanded, 3)
    return f"{values} {deciding_interval(figure, level)}".rstrip()


def _contexts(report: Report) -> list[Block]:
    """What a longer context is worth, a row for each model, arm and pair of neighbouring contexts."""
    labels = dict(zip(ARMS, report.table.labels, strict=True))
    found = [(comparison.model, gain) for comparison in report.comparisons for gain in comparison.contexts]
    if not found:
        return []
    overs = [over_trivials(report.table, model, gain) for model, gain in found]
    names = dict.fromkeys(trivial_title(name) for of in overs for name, *_ in of)
    rows: list[list[Text]] = [
        [
            report.title_of(model).partition("@")[0],  # `GRU` of `GRU@20`
            labels[gain.arm],
            f"{gain.shorter}{ARROW}{gain.context}",
            f"{cosine(gain.shorter_cosine)}{ARROW}{cosine(gain.cosine)}",
            signed(gain.difference.value),
            cosine_interval(gain.difference),
            ARROW.join(cosine(value) for _, value, _ in of),
            ARROW.join(signed(over) for *_, over in of),
        ]
        for (model, gain), of in zip(found, overs, strict=True)
    ]
    return [
        Heading("Longer contexts on the same targets", 3),
        Paragraph(
            "Held-out cosine of the same model with two contexts, trained on the same arm and judged on the same "
            f"targets: those with {report.campaign_facts.context} vectors before them in their article. The best "
            "trivial baseline of each context stands beside it: what it gains needs no network. A network profits from "
            "more context only if its own cosine rises, by more than the baseline's, and ends above it: over a "
            "baseline that gets worse a gain grows by itself. The intervals are for each row alone; among many rows "
            "some exclude zero by chance."
        ),
        table(
            ["model", "trained on", "context", "cosine", "change", "95 % interval", " or ".join(names), "gain over it"],
            rows,
            right=range(3, 5),
        ),
    ]


OFFSETS = ("5 before", "4 before", "3 before", "2 before", "last", "next", "2nd next", "3rd next")
"""Places of `ForwardScores.cosines`; with a context of fewer than five vectors the first are missing."""


def _forward(report: Report) -> list[Block]:
    """Whether the expanded models predict what comes next: cosines along the article, order, roll-out."""
    found = [(row, of) for row in report.table.rows if (of := row.expanded.forward)]
    if not found:
        return []
    _, first = found[0]
    lines = [(row.title, of.scores) for row, of in found]
    trivial = dict.fromkeys((trivial_title(of.against), of.trivial) for _, of in found)
    if len({title for title, _ in trivial}) == len(trivial):  # not where a model lacks a fold of the others
        lines += trivial

    def figures(values: Iterable[float]) -> list[str]:
        return [cosine(value, 3) for value in values]

    along = [[title, *["–"] * (len(OFFSETS) - len(of.cosines)), *figures(of.cosines)] for title, of in lines]
    steps = [f"step {n}" for n in range(1, len(first.scores.rollout) + 1)]
    ordered = [
        [title, cosine(of.next, 3), cosine(of.shuffled, 3), signed(of.shuffled - of.next, 3), *figures(of.rollout)]
        for title, of in lines
    ]
    about, fold = ("about ", " of each seed's fold") if report.table.folds else ("", "")
    seeds = ", mean over seeds" if report.table.seeds > 1 else ""
    return [
        Heading(f"Do they predict what comes next? Trained on {report.table.labels[1]}", 3),
        Paragraph(
            f"Cosine of the prediction with the vectors around it, on {about}{first.scores.windows:,} held-out windows"
            f"{fold} that are followed by four more of their article{seeds}. A model that predicts gains at the next "
            "vector; one that echoes gains at the last."
        ),
        table(["model", *OFFSETS], along, right=range(1, len(OFFSETS) + 1)),
        Paragraph(
            "Cosine with the next vector when the context vectors are in order and in random order. Then a roll-out: "
            "each prediction becomes the newest context vector of the next step."
        ),
        table(["model", "in order", "random order", "change", *steps], ordered, right=range(1, len(steps) + 4)),
    ]


def _windows(report: Report) -> list[Block]:
    """Windows worth reading: where models do best and worst, and where the arms differ most."""
    rows: list[tuple[Text, ...]] = []
    for comparison in report.comparisons:
        if comparison.windows is None:
            continue
        for kind, sign in (("best", 0), ("worst", 0), ("gained most", 1), ("lost most", -1)):
            for window in getattr(comparison.windows, kind.partition(" ")[0])[:1]:
                difference = window.expanded - window.baseline
                if sign and sign * difference <= 0:  # all windows gained, or all lost
                    continue
                figures = (cosine(window.baseline), cosine(window.expanded), signed(difference))
                where = f"{window.article}, window {window.place}"
                rows.append((report.title_of(comparison.model), kind, where, *figures))
    if not rows:
        return []
    columns = ["model", "windows", "article", report.baseline.label, report.expanded.label, "difference"]
    return [
        Heading("Single windows", 3, folded=True),
        Paragraph(
            (
                "Held-out windows to look at: predicted best and worst by both arms together, and where the arms "
                "differ most. The extremes of many windows are mostly chance; no conclusion rests on them. The "
                "campaign's folder has fifty of each kind in ",
                Code("comparisons/<model>.json"),
                ".",
            )
        ),
        table(columns, rows, right=range(3, 6)),
    ]


def _health(report: Report) -> list[Block]:
    """Alarms, then notes; the same finding on several seeds of an arm is said once."""
    told = [(run, finding) for run in report.runs for finding in run.findings]
    found = grouped(((not f.alarm, run.title, run.label, f.kind), (run.seed, f)) for run, f in told)
    title = Heading("Health", 3)
    if not found:
        seen = sum(bool(run.curve.points) for run in report.runs)
        return [title, Paragraph(f"No alarm and no note on {plural(seen, 'run')} with evaluations.")]
    alarms_first, several = sorted(found.items(), key=lambda item: item[0][0]), len(report.campaign_facts.seeds) > 1
    said = (
        f"{'Note' if note else 'Alarm'}: {title} {label} {of_seeds(same, several=several)}."
        for (note, title, label, _), same in alarms_first
    )
    return [title, *bullets(said)]


def _curves(report: Report, curves: str) -> list[Block]:
    """One row per model with the curve of each arm's first seed, then a picture of all its curves."""
    models = list(dict.fromkeys(run.model for run in report.runs if run.curve.points))
    if not models:
        return []
    titles = {run.model: run.title for run in report.runs}
    rows = [[titles[model], *(_curve(report, model, arm) for arm in ("baseline", "expanded"))] for model in models]
    seeds = " (first seed)" if len(report.campaign_facts.seeds) > 1 else ""
    by_cosine = f" ({BY_COSINE})" if any(run.foreign for run in report.runs) else ""
    return [
        Heading("Curves", 3),
        Paragraph(
            f"Validation cosine from the first to the last evaluation{seeds}, with its first value and that at the "
            f"epoch of lowest loss{by_cosine}."
        ),
        table(["model", *report.table.labels], rows),
        *(Figure(titles[model], f"{curves}/{curve_file(model)}") for model in models),
    ]


def _curve(report: Report, model: str, arm: str) -> Text:
    run = next((r for r in report.runs if (r.model, r.arm) == (model, arm) and r.curve.points), None)
    if run is None:
        return "–"
    values = [y for _, y in run.curve.points]
    return (Code(sparkline(values)), f" {cosine(values[0])}, {cosine(run.validation)}")


def milliseconds(value: float | None) -> str:
    """`0.61 ms`."""
    return "–" if value is None else f"{value:.2f} ms"
