"""One model's comparison as blocks: the text file that people read in a shell. Pure."""

from __future__ import annotations

from lvmtui.formats.results import Comparison
from lvmtui.report.blocks import Block, Heading, Paragraph, bullets, table
from lvmtui.report.sentences import gain_words, share
from lvmtui.system.numbers import cosine, percent, plural
from lvmtui.verdict.retrieval import figure_words
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import interval_words, stratum_change, stratum_words

MARK = "campaign {id}"
"""A line of the file: it tells this campaign's text from another one's with the same labels."""


def comparison_page(row: Row, comparison: Comparison, labels: tuple[str, str], *, several: bool) -> tuple[Block, ...]:
    """The page. `several`: other models of the campaign are judged with it."""
    change = f"; {percent(row.change)} {interval_words(row.interval)}" if row.change is not None else ""
    return (
        Heading(f"{row.title}: {labels[0]} vs {labels[1]}", 1),
        Paragraph(MARK.format(id=comparison.campaign)),
        Paragraph(row.verdict.sentence + change),
        table(["", *labels], _figures(row), right=(1, 2)),
        *bullets(_facts(row, comparison, labels, several=several)),
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
        rows += [[f"hit@{k}", *(share(getattr(s, f"hit_{k}")) for s in scores)] for k in (1, 5, 10)]
        if scores[0].seed_deviation is not None:
            rows.append(["deviation over seeds", *(cosine(s.seed_deviation) for s in scores)])
    return rows


def _facts(row: Row, comparison: Comparison, labels: tuple[str, str], *, several: bool) -> list[str]:
    said = [f"gain with {cell.label}: {gain_words(cell)}" for cell in (row.baseline, row.expanded) if cell.skill]
    if e := row.estimate:
        seeds = " over clusters and seeds" if e.cluster_df is not None else ""
        said.append(
            f"{e.windows:,} held-out windows in {plural(e.clusters, 'cluster')} (as good as "
            f"{e.effective_clusters:.1f} of equal weight); {e.df:.1f} degrees of freedom{seeds}"
        )
        together = f", judged with the other models {interval_words(row.adjusted)}" if several else ""
        said.append(f"95 % interval of this model alone {interval_words(row.interval)}{together}")
    said += row.figures
    said += [figure_words(figure) for figure in row.retrieval]
    said += [
        f"{stratum_words(s.name, labels[0])}: {stratum_change(s)}, {s.change.windows:,} windows" for s in row.strata
    ]
    said.append(f"seeds compared: {', '.join(str(pair.seed) for pair in comparison.pairs)}")
    return said + [f"note: {note}" for note in (*row.notes, *comparison.notes)]
