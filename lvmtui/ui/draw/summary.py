"""Who leads, and what more data changed for each model: the place on the board that no panel needs. Pure."""

from __future__ import annotations

from lvmtui.system import numbers as words
from lvmtui.ui.draw.curves import measure_words
from lvmtui.ui.draw.lines import Line, Piece, width_of
from lvmtui.ui.draw.styles import change_style
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.words import Word


def summary(snapshot: Snapshot, width: int) -> list[Line]:
    """The leader and the changes, each only where there is one."""
    lines = best_now(snapshot)
    gains = [row for row in snapshot.table.rows if row.change is not None]
    if gains:
        gains.sort(key=lambda row: -(row.change or 0.0))
        pieces: list[Piece] = [("gains     ", "dim")]
        for row in gains:
            style = "dim" if row.rank is None else change_style(row.change)
            so_far = " so far" if row.verdict.word is Word.PROVISIONAL else ""
            one: list[Piece] = [(f"{row.title} ", ""), (words.percent(row.change, 1) + so_far, style), ("  ", "")]
            if len(pieces) > 1 and width_of(pieces) + width_of(one) - 2 > width:
                lines.append(tuple(pieces[:-1]))
                pieces = [("          ", "")]
            pieces.extend(one)
        lines.append(tuple(pieces[:-1]))
    if snapshot.settled and snapshot.table.ranked:
        lines += [(), (("v", "key"), (" shows the verdict", "dim"))]
    return lines


def best_now(snapshot: Snapshot) -> list[Line]:
    """The leader: by the held-out cosine that the verdict uses, once models are compared; before that, by the gain over
    the best trivial baseline, because validation windows differ."""
    held = [
        (cell.cosine, f"{row.title} {cell.label}")
        for row in snapshot.table.rows
        for cell in (row.baseline, row.expanded)
        if cell.scores and cell.cosine is not None
    ]
    if held:
        best, name = max(held)
        return [(("best now  ", "dim"), (f"{name} ", ""), (words.cosine(best), "bold"), (" held-out", "dim"))]
    gains = [(run.gain, run) for run in snapshot.runs if run.gain is not None and not run.alarms]
    if not gains:
        return []
    gain, run = max(gains, key=lambda one: one[0])
    name, over = f"{run.title} {run.label} ", measure_words([run]).removeprefix("gain ")
    return [(("best now  ", "dim"), (name, ""), (words.signed(gain), "bold"), (f" {over}", "dim"))]
