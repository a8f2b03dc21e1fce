"""The board without room: a row a run, of which only those on the screen are drawn. Pure."""

from __future__ import annotations

from lvmtui.state.status import Phase
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.board_panels import bar
from lvmtui.ui.draw.curves import figure, measure_words
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece, cut, cut_title, fit, left, place, right, spread
from lvmtui.ui.draw.styles import change_style, verdict_style
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.verdict.words import Word, change_and_interval

MODEL, BEST = 14, 8
"""Cells of the columns of fixed width."""
WIDE, WITH_INTERVAL = 100, 110
"""Columns from which the time says what it is, and from which a change has its interval."""


def rows(snapshot: Snapshot, selected: str, top: int, width: int, height: int) -> Drawing:
    """A line of titles, the runs from `top` on, and where there is room for it what a gain is."""
    label = min(10, max([5, *(len(run.label) for run in snapshot.runs)])) + 1
    measure = "val" if all(run.imported for run in snapshot.runs) else "gain"
    flat = [(model, i) for model in snapshot.models for i in range(len(model.runs))]
    shown = flat[top : top + height - 1]
    lines = [_titles(label, width, place(top, len(shown), len(flat)), measure)]
    hits: list[Hit] = []
    for model, i in shown:
        run = model.runs[i]
        hits.append(Hit(0, len(lines), width, 1, f"run:{run.name}"))
        first = i == 0 or len(lines) == 1
        lines.append(_row(model, run, label, width, first=first, last=i == len(model.runs) - 1, chosen=selected))
    if len(lines) < height:
        lines.append(((f"  {cut(measure_words(snapshot.runs, width - 3), width - 3)}", "dim"),))
    return Drawing(tuple(lines), tuple(hits))


def _widths(width: int, label: int) -> tuple[int, int, int]:
    """Cells of state, bar and time: enough for `paused 13/24` and `in 12h05`; with room for `pausing 13/24`, `failed to
    learn` and `12h05 left` as well. What is left goes to the bar, up to a point, then to the change."""
    state, time = (14, 9) if width < WIDE else (17, 12)
    rest = width - 2 - MODEL - label - state - BEST - time - 2
    return state, max(8, min(24, rest - 20 if rest < 44 else rest - 30)), time


def _titles(label: int, width: int, part: str, measure: str) -> Line:
    state, progress, time = _widths(width, label)
    text = f"  {'model':<{MODEL}}{'arm':<{label}}{'state':<{state}}{measure:>{BEST - 1}}  {'':<{progress}}"
    return spread([(f"{text}{'time':>{time - 1}}  change", "dim")], [(part, "note")], width)


def _row(model: ModelFacts, run: RunFacts, label: int, width: int, *, first: bool, last: bool, chosen: str) -> Line:
    selected = run.name == chosen
    state, progress, time = _widths(width, label)
    pieces: list[Piece] = [
        (glyphs.SELECTED if selected else " ", "selected"),
        (" ", ""),
        (left(cut_title(model.title, MODEL - 1) if first else "", MODEL), "selected" if selected else "heading"),
        (left(run.label, label - 1) + " ", "selected" if selected else ""),
        (f"{run.glyph} ", run.style),
        (left(run.word, state - 2), run.style),
        (right(figure(run), BEST - 1), "worse" if (run.gain or 0.0) < 0 else ""),
        ("  ", ""),
    ]
    if run.trouble and not run.start_words:
        return fit([*pieces, (run.trouble, run.trouble_style)], width)
    pieces.extend(bar(run.share, progress, "done" if run.phase is Phase.FINISHED else run.style))
    pieces.append((right(run.when(wide=width >= WIDE), time - 1) + "  ", "dim"))
    if last:
        pieces.extend(_change(model, width))
    return fit(pieces, width)


def _change(model: ModelFacts, width: int) -> list[Piece]:
    row = model.row
    if row is None:
        return []
    word = row.verdict.word
    if word is Word.NOT_COMPARABLE:
        return [(f"{word.value}: {row.verdict.reason}", "note")]
    if row.change is None:
        return [(model.note, "note")] if model.note else []
    if row.early is not None:
        return [(row.early.short.removesuffix(" so far" if width < WIDE else ""), "dim")]
    narrow, ends = width < WIDE, row.interval if width >= WITH_INTERVAL else None
    percent, interval = change_and_interval(row.change, ends)
    if word is Word.PROVISIONAL:
        return [(f"{percent} {'so far' if narrow else word.value}", "dim")]
    said = word.value if narrow else row.verdict.words
    return [(f"{percent} {interval}".rstrip(), change_style(row.change)), (f" {said}", verdict_style(word))]
