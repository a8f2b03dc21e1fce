"""The ranked table, and what to doubt of it. Pure; the words are the judge's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len

from lvmtui.formats.results import ArmScores
from lvmtui.formats.spec import ArmName
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw import lines as draw
from lvmtui.ui.draw.board_panels import bar_pieces, table_scale
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece
from lvmtui.ui.draw.sizes import size_table
from lvmtui.ui.draw.styles import change_style, verdict_style
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.table import Row, TrivialRow
from lvmtui.verdict.words import population_words, short_trivial, stratum_change

IN_REPORT = ", tab shows the report"
SIZES = 3
"""Lines without which there is no table of sizes: a blank one, the titles, a model."""
LEAST = (3, SIZES, 4)
"""Lines that doubts, sizes and reasons get before the ranks have more than half of the room."""
FEW_DOUBTS = 4
"""Lines that doubts may have on any screen, the last one saying that the report has more. They get what is free too."""
SORTS = ("rank", "model", "change", "baseline", "expanded")
"""What the table can be sorted by; `s` goes to the next."""
MOST_HITS = 16
"""Cells of a title of the hits that names both arms."""
VERDICT = (18, 34)
"""Cells that the words of a verdict keep, at least and at most; with more, the interval bars have none."""
BAR = (13, 41)
"""Cells of the interval bars, at least and at most."""


@dataclass(frozen=True)
class Column:
    title: str
    width: int
    """With the gap before it, which a figure that is long may take but for one cell."""
    cell: Callable[[Row], Sequence[Piece]]
    trivial: Callable[[TrivialRow], str] = lambda row: ""
    flush: bool = True
    """True: at the right."""
    least: int = 0
    """Width of the screen from which it is shown."""
    arm: ArmName | None = None
    """The arm whose figure it shows."""


def columns_for(snapshot: Snapshot, width: int) -> list[Column]:
    """The columns that fit, in their order. What is left over goes to the interval bars."""
    base, expanded = snapshot.table.labels
    hits = f"hit@10 {base} {expanded}"
    hits = hits if cell_len(hits) <= MOST_HITS else "hit@10"
    name = 14 if width < 104 else 20
    found = [
        Column("rank", 5, lambda row: [(str(row.rank) if row.rank else "–", "bold" if row.rank else "dim")]),
        Column(
            "model",
            name + 2,
            lambda row: [(draw.cut_title(row.title, name), "heading")],
            lambda row: draw.cut_title(row.title if width >= 104 else short_trivial(row.name), name),
            flush=False,
        ),
        _arm(base, "baseline"),
        _arm(expanded, "expanded"),
        Column("change", 9, lambda row: [(row.figure if row.change is not None else "–", change_style(row.change))]),
        Column("95 % interval", 17, lambda row: [(row.ends, "dim")], least=110),
        Column(hits, max(12, cell_len(hits) + 2), lambda row: [(_hits(row), "")], _trivial_hits(snapshot), least=132),
        Column("gain", 8, _figure(lambda scores: scores.skill.gain.value if scores.skill else None, 3), least=144),
        Column("margin", 8, _figure(lambda scores: scores.margin, 2), least=156),
    ]
    columns = [column for column in found if width >= column.least]
    verdict = min(max((VERDICT[0], *(cell_len(row.verdict_words) for row in snapshot.table.rows))), VERDICT[1])
    room = width - sum(column.width for column in columns) - verdict - 4
    scale = table_scale(snapshot)
    if scale is not None and room >= BAR[0]:
        cells = min(BAR[1], room)
        at = next(i for i, column in enumerate(columns) if column.title == "change") + 1
        columns.insert(at, Column(scale.axis(cells), cells + 2, lambda row: bar_pieces(scale, row, cells), flush=False))
    return columns


def _arm(title: str, arm: ArmName) -> Column:
    """The cosines of an arm."""

    def trivial(row: TrivialRow) -> str:
        return words.cosine(row.baseline if arm == "baseline" else row.expanded)

    return Column(title, 7, lambda row: [(words.cosine(row.cell(arm).cosine), "")], trivial, arm=arm)


def sorted_rows(snapshot: Snapshot, by: str) -> list[Row]:
    """The rows in the order asked for; what has no figure comes last."""
    rows = list(snapshot.table.rows)
    if by == "model":
        return sorted(rows, key=lambda row: row.title.lower())
    if by == "rank":
        return rows
    figures = {row.model: row.change if by == "change" else row.cell(by).cosine for row in rows}
    return sorted(rows, key=lambda row: (figures[row.model] is None, -(figures[row.model] or 0.0)))


def verdict_view(snapshot: Snapshot, selected: str, by: str, width: int, height: int) -> Drawing:
    """The table, some lines of doubts, the reasons of the row of the run `selected`; the ranks have room first.

    The report has what does not fit, and says so.
    """
    columns, rows = columns_for(snapshot, width), sorted_rows(snapshot, by)
    run, model = snapshot.run(selected), snapshot.model(selected)
    chosen = next((i for i, row in enumerate(rows) if model and row.model == model.model), 0)
    best = snapshot.table.best_trivial
    trivial = [_trivial(one, columns, width) for one in dict.fromkeys((*best, *snapshot.table.trivial))]
    sizes = partial(_sizes, snapshot, model.model if model else "", width)
    details = _details(rows[chosen], run, width) if run and rows else []
    wanted = [len(rows), len(trivial), 0, len(sizes(height // 3)), len(details)]
    least, room = (max(1, height // 2), len(best), *LEAST), height - 2  # the titles, and a blank line
    wanted[2] = len(_doubts(snapshot, width, max(FEW_DOUBTS, room - sum(wanted))))
    given = shares(wanted, least, room)
    if given[3] < SIZES:
        given = shares([*wanted[:3], 0, wanted[4]], least, room)
    listed = given[0]
    first = max(0, chosen - listed + 1)
    lines = [_titles(columns, by, draw.place(first, listed, len(rows)), width)]
    hits: list[Hit] = []
    for i, row in enumerate(rows[first : first + listed], first):
        hits.append(Hit(0, len(lines), width, 1, f"row:{row.model}"))
        lines.append(_row(row, columns, width, run if i == chosen else None))
    lines += [*trivial[: given[1]], *sizes(given[3]), (), *_doubts(snapshot, width, given[2])]
    lines += draw.part(details, given[4], IN_REPORT)
    return Drawing(tuple(lines[:height]), tuple(hits))


def _sizes(snapshot: Snapshot, chosen: str, width: int, height: int) -> list[Line]:
    """The learning curves, of a campaign of more than two sizes; where not all have room, those around the chosen."""
    curve = snapshot.learning_curve
    table = size_table(curve, chosen, width, height - 2) if curve and height >= SIZES else []
    return [(), *table] if table else []


def _doubts(snapshot: Snapshot, width: int, most: int) -> list[Line]:
    """The largest doubts about the table as whole sentences, in at most `most` lines. The last line says whether there
    are more, without a number: the report counts the doubts about single rows too."""
    table = snapshot.table
    said = (f"Cosines are {table.weights}",) * table.plain + snapshot.caveats + (table.order,) * bool(table.ranked)
    lines: list[Line] = []
    for i, text in enumerate(said, 1):
        sentence = draw.wrapped(text.partition(". ")[0].removesuffix(".") + ".", width - 2)
        if len(lines) + len(sentence) + (i < len(said)) > most:
            return [*lines, ((f" {'more doubts' if lines else 'doubts'}{IN_REPORT}", "note"),)][:most]
        lines += [((" " + line, "dim"),) for line in sentence]
    return lines


def shares(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """How many of `room` lines each part gets that wants so many: in their order `least`, then what is left."""
    given = [0] * len(wanted)
    for limits in ([*map(min, wanted, least)], wanted):
        for i, limit in enumerate(limits):
            given[i] += max(0, min(limit - given[i], room - sum(given)))
    return given


def _titles(columns: list[Column], by: str, part: str, width: int) -> Line:
    pieces: list[Piece] = []
    for column in columns:
        pieces += _placed([(column.title, "selected" if by == (column.arm or column.title) else "dim")], column)
    return draw.spread([*pieces, ("  verdict", "dim")], [(f"{part} ", "note")] if part else [], width)


def _row(row: Row, columns: list[Column], width: int, selected: RunFacts | None) -> Line:
    """A model; `selected`: its run that is, if one is."""
    quiet = row.rank is None
    pieces: list[Piece] = []
    for column in columns:
        cell = column.cell(row)
        if selected and column.arm == selected.arm:
            cell = [(text, "selected") for text, _ in cell]
        elif quiet and column.title != "model":
            cell = [(text, "dim") for text, _ in cell]
        pieces += _placed(cell, column)
    pieces[0] = (pieces[0][0][1:], pieces[0][1])
    whole = row.verdict.sentence + row.remark if quiet else row.verdict_words
    choices = [whole, row.verdict_words, row.verdict.word.value + row.remark]
    choices = [*(f"so far, {one}" for one in choices), "so far"] if row.early else choices
    said = "  " + draw.fitting(choices, width - draw.width_of(pieces) - 3)
    style = verdict_style(row.verdict.word) or ("dim" if quiet else "")
    return draw.fit([(glyphs.SELECTED if selected else " ", "selected"), *pieces, (said, style)], width)


def _trivial(row: TrivialRow, columns: list[Column], width: int) -> Line:
    return draw.fit([piece for column in columns for piece in _placed([(column.trivial(row), "dim")], column)], width)


def _placed(cell: Sequence[Piece], column: Column) -> list[Piece]:
    """The pieces of a cell in the cells of its column."""
    if len(cell) == 1:
        ((text, style),) = cell
        placed = " " + draw.right(text, column.width - 1) if column.flush else "  " + draw.left(text, column.width - 2)
        return [(placed, style)]
    return [("  ", ""), *draw.fit(cell, column.width - 2)]


def _details(row: Row, run: RunFacts, width: int) -> list[Line]:
    """Which run is selected, and why its row says what it says."""
    said = [f"{row.title}: {row.verdict.sentence}"]
    for cell in (row.baseline, row.expanded):
        parts = [cell.status]
        if cell.skill:
            parts.append(f"gain {cell.gain_words}")  # says itself that it is no better than a trivial baseline
        parts += [found.words for found in cell.findings if not (cell.skill and found.kind == "no_better")]
        said.append(f"{cell.label}: {'; '.join(parts)}")
    said += [f"in {population_words(part.name, row.baseline.label)}: {stratum_change(part)}" for part in row.strata]
    said += (*row.notes, *row.figures)
    name = draw.cut(f"{run.title} {run.label}", max(2, width - 8))
    rest = glyphs.ACROSS * (width - 6 - cell_len(name))
    lines: list[Line] = [((f" {glyphs.ACROSS * 2} ", "dim"), (name, "selected"), (f" {rest}", "dim"))]
    for i, text in enumerate(said):
        lines.extend(((" " + part, "bold" if i == 0 else ""),) for part in draw.wrapped(text, width - 2))
    return lines


def _figure(of: Callable[[ArmScores], float | None], digits: int) -> Callable[[Row], list[Piece]]:
    return lambda row: [(words.signed(of(row.expanded.scores) if row.expanded.scores else None, digits), "")]


def _hits(row: Row) -> str:
    """`.412 .406 ↓`: with an arrow where they fell or rose clear of zero."""
    scores = [cell.scores for cell in (row.baseline, row.expanded)]
    if not any(scores):
        return "–"
    arrow = f" {glyphs.FALLEN}" if "hit_10" in row.fell else f" {glyphs.RISEN}" if "hit_10" in row.rose else ""
    return " ".join(words.cosine(s.hit_10, 3) if s else "–" for s in scores) + arrow


def _trivial_hits(snapshot: Snapshot) -> Callable[[TrivialRow], str]:
    """hit@10 of the trivial baselines, where it is known."""
    known = {
        figure.against: figure.trivial
        for row in snapshot.table.rows
        for figure in row.retrieval
        if figure.name == "hit_10" and figure.trivial is not None
    }
    return lambda row: words.cosine(known[row.name], 3) if row.name in known else ""
