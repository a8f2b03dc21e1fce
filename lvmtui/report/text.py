"""One model's comparison as plain text, for people in a shell. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui.formats.results import Comparison
from lvmtui.system.numbers import cosine, percent, signed
from lvmtui.system.text import sanitise
from lvmtui.verdict.table import ArmCell, Row
from lvmtui.verdict.trivial import the_trivial
from lvmtui.verdict.words import interval_words, scarcity, stratum_words


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
            line(f"hit@{k}", [share(getattr(s, f"hit_{k}")) for s in scores])
        if scores[0].seed_deviation is not None:
            line("deviation over seeds", [cosine(s.seed_deviation) for s in scores])
        lines += [f"skill with {cell.label}: {skill_text(cell)}" for cell in cells if cell.skill]
    lines.append("")
    if estimate := row.estimate:
        lines += [
            f"{estimate.windows:,} held-out windows in {estimate.clusters} clusters, which weigh like "
            f"{estimate.effective_clusters:.1f} equal ones; {estimate.df:.1f} degrees of freedom"
            + (" over clusters and seeds" if estimate.cluster_df is not None else ""),
            f"95 % interval of this model alone {interval_words(row.interval)}"
            + (f", together with the other models {interval_words(row.adjusted)}" if several else ""),
        ]
    lines += [
        f"in {stratum_words(s.name, labels[0])}: {percent(s.change.value)} {interval_words(s.change.interval())}, "
        f"{s.change.windows:,} windows"
        for s in row.strata
    ]
    lines.append(f"seeds compared: {', '.join(str(pair.seed) for pair in comparison.pairs)}")
    lines += [f"note: {note}" for note in (*row.notes, *comparison.notes)]
    lines += ["", *(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.words}" for check in comparison.checks)]
    return "\n".join(sanitise(line) for line in lines) + "\n"


def skill_text(cell: ArmCell) -> str:
    """`+.0090 [+.0051, +.0129] better than the recency mean`; a dash where it is not known."""
    if cell.skill is None:
        return "–"
    gain, name = cell.skill.gain, the_trivial(cell.skill.against)
    interval = gain.interval()
    if interval is None:
        return f"{signed(gain.value)} against {name}, too few {scarcity(gain)} to tell"
    low, high = interval
    than = {"better": "better than", "no better": "no better than", "below": "below"}[cell.skill_words]
    return f"{signed(gain.value)} [{signed(low)}, {signed(high)}] {than} {name}"


def share(value: float | None) -> str:
    return cosine(value, 3)
