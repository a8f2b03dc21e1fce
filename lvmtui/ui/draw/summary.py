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
    """The leading run: by the held-out windows, which are the same for all; before that, by its gain over the best
    trivial baseline, because validation windows differ."""
    sound = [run for run in snapshot.runs if not run.alarms]
    held = [(run.heldout, run) for run in sound if run.heldout is not None]
    gains = [(run.gain, run) for run in sound if run.gain is not None]
    if not held and not gains:
        return []
    best, run = max(held or gains, key=lambda one: one[0])
    said = words.cosine(best) if held else words.signed(best)
    what = "held-out cosine" if held else measure_words([run]).removeprefix("gain ")
    return [(("best now  ", "dim"), (f"{run.title} {run.label} ", ""), (said, "bold"), (f" {what}", "dim"))]
