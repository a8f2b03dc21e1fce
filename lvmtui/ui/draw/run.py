"""One run: its state, what was found about it, its panes and events. Pure; `screens/run.py` adds keys."""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui.state.status import PHASES, Phase
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.board_panels import bar
from lvmtui.ui.draw.header import range_words
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece, cut, hanging, left, spread, width_of, wrapped
from lvmtui.ui.read.run_facts import RunFacts, why_it_stands
from lvmtui.ui.read.run_history import HistoryLine
from lvmtui.verdict.words import the_trivial

PANES = ("charts", "log", "facts", "events")


def run_header(run: RunFacts, place: str, width: int) -> Line:
    """Name, state, bar, time, best cosine; at the right which run of how many. The bar gives way first."""
    end: list[Piece] = [(f" {place} ", "dim")]
    live = run.state.live if run.state else None
    for bar_width in (12 if width < 100 else 24, 6, 0):
        start = _how_far(run, bar_width, width)
        if width_of(start) + width_of(end) <= width:
            break
    if live is not None and live.windows_per_second and run.phase is Phase.RUNNING:
        speed = f"   {words.count(live.windows_per_second)} windows/s"
        if width_of(start) + len(speed) + width_of(end) <= width:
            start.append((speed, "dim"))
    return spread(start, end, width)


def _how_far(run: RunFacts, bar_width: int, width: int) -> list[Piece]:
    start: list[Piece] = [
        (f" {run.title} {run.label}", "heading"),
        ("   ", ""),
        (f"{run.glyph} {run.word}", run.style),
        ("   ", ""),
    ]
    if run.alive or 0 < run.share < 1:
        start += [*bar(run.share, bar_width, run.style), (f"{' ' if bar_width else ''}{100 * run.share:.0f} %   ", "")]
    eta = run.expected.eta if run.expected else None
    if run.view.status.pace == "works":
        span = f" ({range_words(eta)})" if eta and width >= 100 else ""
        soon = eta.left_words(span) if eta else f"calibrating{glyphs.ELLIPSIS}"
        start.append((f"{soon}   ", ""))
    elif run.waits and run.time_words:
        when = f"starts {run.start_words}, " if run.start_words else ""
        start.append((f"{when}takes {run.time_words}   ", "dim"))
    elif run.time_words:
        start.append((f"{run.time_words} of work   ", "dim"))
    if run.best is not None:
        start += [("best ", "dim"), (words.cosine(run.best), "bold")]
        if run.gain is not None and run.trivial is not None and width >= 120:
            start.append((f", {words.signed(run.gain)} over {the_trivial(run.trivial.name)}", "dim"))
    return start


def notices(run: RunFacts, width: int, most: int) -> list[Line]:
    """Why it stands still, if it does, then the findings about it."""
    lines: list[Line] = []
    if said := why_it_stands(run):
        style = "alarm" if PHASES[run.phase].style in ("alarm", "failed") else "note"
        lines.extend(((f" {text}", style),) for text in wrapped(f"{run.glyph} {said}", width - 2))
    if run.setback:
        lines.append(((cut(f" {run.setback}", width - 1), "dim"),))
    for finding in run.findings:
        style = "alarm" if finding.alarm else "note"
        lines.append(((cut(f" {glyphs.WARNING} {finding.words}", width - 1), style),))
    return lines[:most]


def tabs(shown: str, panes: Sequence[str], side: str, width: int) -> Drawing:
    """The names of the panes, each to be clicked; the open one stands out."""
    pieces: list[Piece] = [(f"{glyphs.ACROSS * 2} ", "dim")]
    hits = []
    for i, name in enumerate(panes):
        if i:
            pieces.append((" ", ""))
        hits.append(Hit(width_of(pieces), 0, len(name) + 2, 1, f"do:open_pane('{name}')"))
        pieces.append((f" {name} ", "cursor" if name == shown else "dim"))
    pieces.append((f" {glyphs.ACROSS * max(0, width - width_of(pieces) - len(side) - 4)}", "dim"))
    return Drawing((spread(pieces, [(f" {side} ", "dim")] if side else [], width),), tuple(hits))


def event_lines(happenings: Sequence[HistoryLine], width: int) -> list[Line]:
    """Time, who, what; the oldest first."""
    lines: list[Line] = []
    for one in happenings:
        head = f" {words.date(one.time)[5:]}  {left(one.who, 11)}"
        lines += hanging([(head, "dim")], one.words, one.style, width - 1)
    return lines or [(("  nothing has happened yet", "dim"),)]
