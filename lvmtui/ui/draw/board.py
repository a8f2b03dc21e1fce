"""The board around the runs: what is wrong with the selected run, its log, who leads, what more data changed. Pure.

`screens/board.py` places them, `app.tcss` says what has room where.
"""

from __future__ import annotations

from lvmtui.formats.live import OUTLIVED
from lvmtui.system import numbers as words
from lvmtui.ui.draw.board_panels import heldout_words
from lvmtui.ui.draw.curves import measure_words, outgained_by
from lvmtui.ui.draw.lines import Line, Piece, cut, left, width_of, wrapped
from lvmtui.ui.draw.styles import change_style
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.words import Word, the_trivial

NAME = 10
"""Cells of the name before a line between runs and log."""


def first_listed(top: int, at: int, shown: int, count: int) -> int:
    """The first run of the list that is shown, so that run `at` is: `top`, as far as that is possible."""
    return max(0, at - shown + 1, min(top, count - shown, at))


def about_selected(snapshot: Snapshot, selected: str, width: int) -> list[Line]:
    """What the list has no room for: what is wrong with the selected run, its model's change, and who leads."""
    run, model = snapshot.run(selected), snapshot.model(selected)
    lines: list[Line] = []
    room = width - 2
    if run is not None and run.trouble:
        name = "waits" if run.trouble_style == "dim" else "trouble"
        lines += _named(name, f"{run.title} {run.label} {run.trouble}", run.trouble_style, room)
    if run is not None and run.setback:
        name = "job" if run.setback.endswith(OUTLIVED) else "before"
        lines += _named(name, f"{run.title} {run.label} {run.setback}", "", room)
    row = model.row if model else None
    if model is not None and row is not None and row.change is not None:
        interval = f" {row.ends}" if row.interval else ""
        word = "so far" if row.verdict.word is Word.PROVISIONAL else row.verdict.sentence
        held = f"; held-out {said}" if (said := heldout_words(row)) else ""
        change = row.early.words if row.early else f"{row.figure}{interval} {word}{held}"
        falls = f"; its gain falls, as {by} rises more" if (by := outgained_by(model)) else ""
        lines += _named("change", f"{model.title} {change}{falls}", "", room)
    elif model is not None and row is not None and row.verdict.word is Word.NOT_COMPARABLE:
        lines += _named("change", f"{model.title} {row.verdict.sentence}", "note", room)
    return [((" ", ""), *line) for line in (*lines, *best_now(snapshot, room))]


def _named(name: str, text: str, style: str, width: int) -> list[Line]:
    """A name and a text of at most two lines."""
    parts = wrapped(text, width - NAME, 2)
    return [((left("" if i else name, NAME), "dim"), (part, style)) for i, part in enumerate(parts)]


def log_end(snapshot: Snapshot, selected: str, width: int, height: int) -> list[Line]:
    """The end of the selected run's log."""
    run = snapshot.run(selected)
    newest = snapshot.log[-height:] if snapshot.log_run == selected and height > 0 else ()
    if not newest:
        return [((f"  {run.no_log if run else ''}", "dim"),)]
    return [(("  " + cut(text, width - 3), ""),) for text in newest]


def summary(snapshot: Snapshot, width: int) -> list[Line]:
    """The leader and the changes, each only where there is one."""
    lines = best_now(snapshot, width)
    known = (row for row in snapshot.table.rows if row.change is not None)
    if gains := sorted(known, key=lambda row: -(row.change or 0.0)):
        pieces: list[Piece] = [("changes   ", "dim")]
        for row in gains:
            style = "dim" if row.rank is None else change_style(row.change)
            so_far = " so far" if row.verdict.word is Word.PROVISIONAL else ""
            one: list[Piece] = [(f"{row.title} ", ""), (words.percent(row.change) + so_far, style), ("  ", "")]
            if len(pieces) > 1 and width_of(pieces) + width_of(one) - 2 > width:
                lines.append(tuple(pieces[:-1]))
                pieces = [("          ", "")]
            pieces.extend(one)
        lines.append(tuple(pieces[:-1]))
    if snapshot.state.settled and snapshot.table.ranked:
        lines += [(), (("v", "key"), (" shows the verdict", "dim"))]
    return lines


def best_now(snapshot: Snapshot, width: int) -> list[Line]:
    """The leader: by the held-out cosine that the verdict uses, once models are compared, of the same seeds with folds;
    before that, by the gain over the best trivial baseline, as windows differ. "now" gives way first."""
    table = snapshot.table
    cells = [(row, cell) for row in table.rows for cell in (row.baseline, row.expanded) if cell.scores]
    side_by_side = table.alike if table.folds else table.rows
    known = [(cell.cosine, row, cell.label) for row, cell in cells if cell.cosine is not None]
    held = [(cosine, f"{row.title} {label}") for cosine, row, label in known if row in side_by_side]
    if held:
        best, name = max(held)
        line = (("best now  ", "dim"), (f"{name} ", ""), (words.cosine(best), "bold"), (" held-out", "dim"))
        return [line if width_of(line) <= width else (("best  ", "dim"), *line[1:])]
    if judged := [(cell.skill, f"{row.title} {cell.label} ") for row, cell in cells if cell.skill]:
        skill, name = max(judged, key=lambda one: one[0].gain.value)
        gain, over = skill.gain.value, f" {the_trivial(skill.against)}, held-out windows"
    elif gains := [(run.gain, run) for run in snapshot.runs if run.gain is not None and not run.alarms]:
        gain, run = max(gains, key=lambda one: one[0])
        name, over = f"{run.title} {run.label} ", measure_words([run]).removeprefix("gain over")
    else:
        return []
    told, side = (words.signed(gain), " over") if gain >= 0 else (words.cosine(-gain), " below")
    return [(("best now  ", "dim"), (name, ""), (told, "bold"), (f"{side}{over}", "dim"))]
