"""The answer in a sentence, then the table it comes from. Pure; the words are the judge's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from lvmtui.formats.spec import ARMS, Arm
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece, cut, fit, left, part, place, right, spread, wrapped
from lvmtui.ui.draw.styles import change_style, verdict_style
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.table import ArmCell, Row, TrivialRow
from lvmtui.verdict.words import Word, interval_words, population_words, the_trivial

IN_REPORT = ", tab shows the report"
LEAST = (3, 4, 4)
"""Lines that trivial baselines, answer and reasons get even where there is little room."""
SORTS = ("rank", "model", "change", "baseline", "expanded")
"""What the table can be sorted by; `s` goes to the next."""
MOST_HITS = 16
"""Cells of a title of the hits that names both arms."""


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    width: int
    """With the gap before it, which a figure that is long may take but for one cell."""
    cell: Callable[[Row], Piece]
    trivial: Callable[[TrivialRow], str] = lambda row: ""
    flush: bool = True
    """True: at the right."""
    least: int = 0
    """Width of the screen from which it is shown."""
    arm: Arm | None = None
    """The arm whose figure it shows."""


def columns_for(snapshot: Snapshot, width: int) -> list[Column]:
    """The columns that fit, in their order."""
    base, expanded = snapshot.table.labels
    hits = f"hit@10 {base} {expanded}"
    hits = hits if cell_len(hits) <= MOST_HITS else "hit@10"
    found = [
        Column("rank", 6, lambda row: (str(row.rank) if row.rank else "–", "bold" if row.rank else "dim")),
        Column(
            "model", 17 if width < 104 else 23, lambda row: (row.title, "heading"), lambda row: row.title, flush=False
        ),
        Column(
            base,
            7,
            lambda row: (words.cosine(row.baseline.cosine), ""),
            lambda row: words.cosine(row.baseline),
            arm="baseline",
        ),
        Column(
            expanded,
            7,
            lambda row: (words.cosine(row.expanded.cosine), ""),
            lambda row: words.cosine(row.expanded),
            arm="expanded",
        ),
        Column("change", 9, lambda row: (words.percent(row.change), _change_style(row))),
        Column("95 % interval", 17, lambda row: (interval_words(row.interval), "dim")),
        Column("skill", 8, lambda row: (_skill(row.expanded), ""), least=104),
        Column(hits, max(12, cell_len(hits) + 2), lambda row: (_hits(row), ""), least=116),
        Column("margin", 8, lambda row: (_margin(row.expanded), ""), least=124),
    ]
    return [column for column in found if width >= column.least]


def sorted_rows(snapshot: Snapshot, by: str) -> list[Row]:
    """The rows in the order asked for; what has no figure comes last."""
    rows = list(snapshot.table.rows)
    if by == "model":
        return sorted(rows, key=lambda row: row.title.lower())
    if by == "rank":
        return rows

    def figure(row: Row) -> float | None:
        return row.change if by == "change" else row.cell("baseline" if by == "baseline" else "expanded").cosine

    return sorted(rows, key=lambda row: (figure(row) is None, -(figure(row) or 0.0)))


def verdict_view(snapshot: Snapshot, selected: str, by: str, width: int, height: int) -> Drawing:
    """Sentence, caveats, table, the reasons of the row of the run `selected`. What does not fit is said to be in the
    report."""
    lines: list[Line] = []
    for text in wrapped(snapshot.answer, width - 2):
        lines.append(((" " + text, "bold"),))
    for caveat in (*snapshot.caveats, *((snapshot.table.order,) if snapshot.table.ranked else ())):
        lines.extend(((" " + text, "dim"),) for text in wrapped(caveat, width - 2))
    columns = columns_for(snapshot, width)
    rows = sorted_rows(snapshot, by)
    run, model = snapshot.run(selected), snapshot.model(selected)
    rank = next((i for i, row in enumerate(rows) if model and row.model == model.model), 0)
    details = _details(rows[rank], run, width) if run and rows else []
    trivial = [_trivial(one, columns, width) for one in snapshot.table.trivial]
    listed = max(1, min(len(rows), height - 2 - sum(LEAST)))
    parts = (trivial, lines, details)
    heights = shares([len(one) for one in parts], LEAST, height - 2 - listed)
    trivial, lines, details = (part(one, most, IN_REPORT) for one, most in zip(parts, heights, strict=True))
    first = max(0, rank - listed + 1)
    lines.append(spread((), [(place(first, listed, len(rows)) + " ", "note")], width))
    lines.append(_titles(columns, by, snapshot, width))
    hits: list[Hit] = []
    for i, row in enumerate(rows[first : first + listed], first):
        hits.append(Hit(0, len(lines), width, 1, f"row:{row.model}"))
        lines.append(_row(row, columns, width, run if i == rank else None))
    lines.extend(trivial)
    lines.extend([()] * (height - len(lines) - len(details)))
    lines.extend(details)
    return Drawing(tuple(lines[:height]), tuple(hits))


def shares(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """How many of `room` lines each part gets that wants so many: `least` first, what is left in their order."""
    given = [min(want, some) for want, some in zip(wanted, least, strict=True)]
    for i, want in enumerate(wanted):
        given[i] += max(0, min(want - given[i], room - sum(given)))
    return given


def _titles(columns: list[Column], by: str, snapshot: Snapshot, width: int) -> Line:
    names = dict[str, str](zip(ARMS, snapshot.table.labels, strict=True))
    pieces: list[Piece] = []
    for column in columns:
        chosen = column.title == names.get(by, by)
        pieces.append((_placed(column.title, column), "selected" if chosen else "dim"))
    return fit([*pieces, ("  verdict", "dim")], width)


def _row(row: Row, columns: list[Column], width: int, selected: RunFacts | None) -> Line:
    """A model; `selected`: its run that is, if one is."""
    quiet = row.rank is None
    pieces: list[Piece] = []
    for column in columns:
        text, style = column.cell(row)
        if selected and column.arm == selected.arm:
            style = "selected"
        elif quiet and column.title != "model":
            style = "dim"
        pieces.append((_placed(text, column), style))
    pieces[0] = (pieces[0][0][1:], pieces[0][1])
    said = "  " + (row.verdict.sentence if quiet else row.verdict.words)
    style = verdict_style(row.verdict.word) or ("dim" if quiet else "")
    return fit([(glyphs.SELECTED if selected else " ", "selected"), *pieces, (said, style)], width)


def _trivial(row: TrivialRow, columns: list[Column], width: int) -> Line:
    return fit([(_placed(column.trivial(row), column), "dim") for column in columns], width)


def _placed(text: str, column: Column) -> str:
    """`text` in the cells of its column."""
    if not column.flush:
        return "  " + left(text, column.width - 2)
    return " " + right(text, column.width - 1)


def _details(row: Row, run: RunFacts, width: int) -> list[Line]:
    """Which run is selected, and why its row says what it says."""
    said = [f"{row.title}: {row.verdict.sentence}"]
    for cell in (row.baseline, row.expanded):
        parts = [cell.status]
        if cell.skill:
            gain, against = words.signed(cell.skill.gain.value), the_trivial(cell.skill.against)
            than = "" if cell.skill_words == "below" else "than "
            parts.append(f"{cell.skill_words or 'not known to be better'} {than}{against} ({gain})")
        parts += [finding.words for finding in cell.findings]
        said.append(f"{cell.label}: {'; '.join(parts)}")
    said += [
        f"in {population_words(part.name, row.baseline.label)}: {words.percent(part.change.value)} "
        f"{interval_words(part.change.interval())}"
        for part in row.strata
    ]
    said += (*row.notes, *row.figures)
    name = cut(f"{run.title} {run.label}", max(2, width - 8))
    rest = glyphs.ACROSS * (width - 6 - cell_len(name))
    lines: list[Line] = [((f" {glyphs.ACROSS * 2} ", "dim"), (name, "selected"), (f" {rest}", "dim"))]
    for i, text in enumerate(said):
        lines.extend(((" " + part, "bold" if i == 0 else ""),) for part in wrapped(text, width - 2))
    return lines


def _skill(cell: ArmCell) -> str:
    return words.signed(cell.skill.gain.value, 3) if cell.skill else "–"


def _hits(row: Row) -> str:
    scores = [cell.scores for cell in (row.baseline, row.expanded)]
    return " ".join(words.cosine(s.hit_10, 3) if s else "–" for s in scores) if any(scores) else "–"


def _margin(cell: ArmCell) -> str:
    return words.signed(cell.scores.margin, 2) if cell.scores else "–"


def _change_style(row: Row) -> str:
    return change_style(row.change) if row.verdict.word is not Word.PROVISIONAL else "dim"
