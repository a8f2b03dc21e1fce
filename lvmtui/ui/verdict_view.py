"""The answer in a sentence, then the table it comes from. Pure; the words are the judge's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lvmtui import format as words
from lvmtui.contract.spec import ARMS
from lvmtui.judge.ranking import ArmCell, Row, TrivialRow
from lvmtui.judge.verdict import Word, interval_words
from lvmtui.ui import glyphs
from lvmtui.ui.board_panels import verdict_style
from lvmtui.ui.header import change_style
from lvmtui.ui.line import Drawing, Hit, Line, Piece, fit, left, part, place, right, spread, wrapped
from lvmtui.ui.snapshot import Snapshot

IN_REPORT = ", tab shows the report"
LEAST = (3, 4, 4)
"""Lines that trivial baselines, answer and reasons get even where there is little room."""
SORTS = ("rank", "model", "change", "baseline", "expanded")
"""What the table can be sorted by; `s` goes to the next."""


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    width: int
    cell: Callable[[Row], Piece]
    trivial: Callable[[TrivialRow], str] = lambda row: ""
    flush: bool = True
    """True: at the right."""
    least: int = 0
    """Width of the screen from which it is shown."""


def columns_for(snapshot: Snapshot, width: int) -> list[Column]:
    """The columns that fit, in their order."""
    base, expanded = snapshot.table.labels
    found = [
        Column("rank", 6, lambda row: (str(row.rank) if row.rank else "–", "bold" if row.rank else "dim")),
        Column(
            "model", 15 if width < 104 else 21, lambda row: (row.title, "heading"), lambda row: row.title, flush=False
        ),
        Column(base, 7, lambda row: (words.cosine(row.baseline.cosine), ""), lambda row: words.cosine(row.baseline)),
        Column(
            expanded, 7, lambda row: (words.cosine(row.expanded.cosine), ""), lambda row: words.cosine(row.expanded)
        ),
        Column("change", 9, lambda row: (words.percent(row.change), _change_style(row))),
        Column("95 % interval", 17, lambda row: (interval_words(row.interval), "dim")),
        Column("skill", 8, lambda row: (_skill(row.expanded), ""), least=104),
        Column("hit@10", 12, lambda row: (_hits(row), ""), least=116),
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
    """Sentence, caveats, table, the selected row's reasons. What does not fit is said to be in the report."""
    lines: list[Line] = []
    for text in wrapped(snapshot.answer, width - 2):
        lines.append(((" " + text, "bold"),))
    for caveat in (*snapshot.caveats, *((snapshot.table.order,) if snapshot.table.ranked else ())):
        lines.extend(((" " + text, "dim"),) for text in wrapped(caveat, width - 2))
    columns = columns_for(snapshot, width)
    rows = sorted_rows(snapshot, by)
    details = _details(next((row for row in rows if row.model == selected), None), width)
    trivial = [_trivial(one, columns, width) for one in snapshot.table.trivial]
    listed = max(1, min(len(rows), height - 2 - sum(LEAST)))
    parts = (trivial, lines, details)
    heights = shares([len(one) for one in parts], LEAST, height - 2 - listed)
    trivial, lines, details = (part(one, most, IN_REPORT) for one, most in zip(parts, heights, strict=True))
    rank = next((i for i, row in enumerate(rows) if row.model == selected), 0)
    first = max(0, rank - listed + 1)
    lines.append(spread((), [(place(first, listed, len(rows)) + " ", "note")], width))
    lines.append(_titles(columns, by, snapshot, width))
    hits: list[Hit] = []
    for row in rows[first : first + listed]:
        hits.append(Hit(0, len(lines), width, 1, f"row:{row.model}"))
        lines.append(_row(row, columns, width, selected=row.model == selected))
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
    pieces: list[Piece] = [("  ", "")]
    for column in columns:
        chosen = column.title == names.get(by, by)
        pieces.append((_placed(column.title, column) + "  ", "selected" if chosen else "dim"))
    return fit([*pieces, ("verdict", "dim")], width)


def _row(row: Row, columns: list[Column], width: int, *, selected: bool) -> Line:
    quiet = row.rank is None
    pieces: list[Piece] = [(glyphs.SELECTED if selected else " ", "selected"), (" ", "")]
    for column in columns:
        text, style = column.cell(row)
        pieces.append((_placed(text, column) + "  ", "dim" if quiet and column.title != "model" else style))
    said = row.verdict.sentence if quiet else row.verdict.words
    return fit([*pieces, (said, verdict_style(row.verdict.word) or ("dim" if quiet else ""))], width)


def _trivial(row: TrivialRow, columns: list[Column], width: int) -> Line:
    pieces: list[Piece] = [("  ", "")]
    for column in columns:
        text = column.trivial(row)
        wide = column.title == "model" and row.title
        pieces.append((_placed(text, column) + "  " if not wide else left(row.title, column.width) + "  ", "dim"))
    return fit(pieces, width)


def _placed(text: str, column: Column) -> str:
    return right(text, column.width - 2) if column.flush else left(text, column.width)


def _details(row: Row | None, width: int) -> list[Line]:
    """Why the selected row says what it says."""
    if row is None:
        return []
    said = [f"{row.title}: {row.verdict.sentence}"]
    for cell in (row.baseline, row.expanded):
        parts = [cell.status]
        if cell.skill:
            gain, against = cell.skill.gain.value, cell.skill.against.replace("_", " ")
            than = "the" if cell.skill_words == "below" else "than the"
            parts.append(f"{cell.skill_words or 'not known to be better'} {than} {against} ({gain:+.4f})")
        parts += [finding.words for finding in cell.findings]
        said.append(f"{cell.label}: {'; '.join(parts)}")
    said += [
        f"{'new' if part.name == 'new' else 'own'} sources: {words.percent(part.change.value)} "
        f"{interval_words(part.change.interval())}"
        for part in row.strata
    ]
    said += row.notes
    lines: list[Line] = [((f" {glyphs.ACROSS * (width - 2)}", "dim"),)]
    for i, text in enumerate(said):
        lines.extend(((" " + part, "bold" if i == 0 else ""),) for part in wrapped(text, width - 2))
    return lines


def _skill(cell: ArmCell) -> str:
    return _signed(cell.skill.gain.value, 3) if cell.skill else "–"


def _hits(row: Row) -> str:
    scores = [cell.scores for cell in (row.baseline, row.expanded)]
    return " ".join(words.cosine(s.hit_10, 3) if s else "–" for s in scores) if any(scores) else "–"


def _margin(cell: ArmCell) -> str:
    return _signed(cell.scores.margin, 2) if cell.scores else "–"


def _signed(cosine: float, digits: int) -> str:
    """`+.012`, `-.29`"""
    return ("+" if cosine >= 0 else "") + words.cosine(cosine, digits)


def _change_style(row: Row) -> str:
    return change_style(row.change) if row.verdict.word is not Word.PROVISIONAL else "dim"
