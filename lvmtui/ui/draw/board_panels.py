"""What the panel of a model shows inside its frame: runs, curves, what is wrong, what the data changed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from rich.cells import cell_len

from lvmtui.report.interval_bars import OUTSIDE, SHADE, ZERO, Scale, scale_of
from lvmtui.state.status import Phase
from lvmtui.system import numbers as words
from lvmtui.system.text import grouped
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw import lines as draw
from lvmtui.ui.draw.curves import figure, gain_chart, loss_chart, measure_words, outgained_by
from lvmtui.ui.draw.lines import Drawing, Hit, Line, Piece
from lvmtui.ui.draw.sizes import size_chart, size_words
from lvmtui.ui.draw.styles import change_style, verdict_style
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.verdict.cross_checks import TITLES
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import NEGLIGIBLE, Word

CURVE = 5
"""Lines that a chart keeps before anything that is not essential gets one."""
TITLED = 6
"""Lines of a chart from which one says what is drawn."""
TWO_CHARTS = 76
"""Cells from which there is a second chart, the loss."""
MORE_COLUMNS = 58
"""Cells from which a run's line also has its bare validation cosine, and the change both held-out cosines."""
LEAST_BAR = 9
"""Cells of an interval bar that can be read."""


def inside(model: ModelFacts, snapshot: Snapshot, selected: str, width: int, height: int) -> Drawing:
    """What is inside the panel, in `width` x `height` cells; a click on a line of a run selects it (`run:NAME`)."""
    body, hits = _run_lines(model, selected, width, height)
    tail = _change_lines(model, snapshot, width, height - len(body))
    room = height - len(body) - len(tail)
    tail = [*_troubles(model, width, min(3, max(1, room - CURVE - 1))), *tail]
    room = height - len(body) - len(tail)
    if room >= 3 and any(run.curve for run in model.runs):
        body += _charts(model, width, room)
    body += [()] * (height - len(body) - len(tail))
    return Drawing(tuple([*body, *tail][:height]), hits)


# The runs -------------------------------------------------------------------------------------------------------------


def _run_lines(model: ModelFacts, selected: str, width: int, height: int) -> tuple[list[Line], tuple[Hit, ...]]:
    """A line a run; where several seeds would leave no room for a chart, a line an arm."""
    label = max([4, *(min(10, cell_len(run.label)) for run in model.runs)])
    arms = model.arms
    if len(model.runs) > len(arms) and len(model.runs) + CURVE + 2 > height:
        shown = [next((run for run in runs if run.name == selected), runs[0]) for runs in arms.values()]
        label = max([4, *(min(10, cell_len(run.arm_label)) for run in model.runs)])
        lines = [_arm_line(runs, selected, width, label) for runs in arms.values()]
    else:
        shown = list(model.runs)
        lines = [run_line(run, width, label, selected=run.name == selected) for run in shown]
    return lines, tuple(Hit(0, i, width, 1, f"run:{run.name}") for i, run in enumerate(shown))


def run_line(run: RunFacts, width: int, label: int, *, selected: bool) -> Line:
    """Arm, state with bar, gain so far, time; with room the cosines behind it."""
    start = _start(run, run.label, label, selected)
    best = figure(run)
    style = "worse" if (run.gain or 0.0) < 0 else "bold" if run.phase is Phase.FINISHED else ""
    validation = f"val {words.cosine(run.best)}" if run.best is not None and run.gain is not None else ""
    wide = width >= MORE_COLUMNS
    more: list[Piece] = [(draw.right(validation, 11), "dim")] if wide else []
    when = draw.right(run.when(wide=wide), 13 if wide else 8)
    end: list[Piece] = [(draw.right(best, 6) if best else "", style), *more, (when, "dim")]
    return (*start, *_state(run, width - draw.width_of(start) - draw.width_of(end)), *end)


def _start(run: RunFacts, name: str, label: int, selected: bool) -> list[Piece]:
    return [
        (glyphs.SELECTED if selected else " ", "selected"),
        (f"{draw.left(name, label)} ", "bold" if selected else ""),
        (f"{run.glyph} ", run.style),
    ]


def _state(run: RunFacts, room: int) -> list[Piece]:
    """What the run does, in exactly `room` cells; a bar where it is under way."""
    if run.phase is Phase.RUNNING and room >= 12:
        word = run.epoch_words if run.word.startswith("epoch") and room < 24 else run.word
        word = draw.left(word + " ", min(room, max(6, len(word) + 1)))
        cells = min(24, room - len(word) - 1)
        return [(word, run.style), *bar(run.share, cells, run.style), (" " * (room - len(word) - cells), "")]
    return [(draw.left(run.word, room), run.style)]


def _arm_line(runs: Sequence[RunFacts], selected: str, width: int, label: int) -> Line:
    """The seeds of an arm: how many are where, their mean gain and its spread."""
    chosen = next((run for run in runs if run.name == selected), None)
    gains = [run.gain for run in runs if run.gain is not None]
    mean = f"mean {words.signed(sum(gains) / len(gains))}" if gains else ""
    spread_ = f" ({words.signed(min(gains))} to {words.signed(max(gains))})" if len(gains) > 1 and width >= 60 else ""
    first = next((run for run in runs if run.alive), runs[0])
    start = _start(first, runs[0].arm_label, label, chosen is not None)
    text = ", ".join(f"{count} {word}" for word, count in Counter(run.phase.value for run in runs).items())
    if chosen is not None:
        text = f"s{chosen.view.planned.seed}, {text}"
    return draw.spread([*start, (text, first.style)], [(f" {mean}", "bold"), (spread_, "dim")], width)


def bar(share: float, width: int, style: str) -> list[Piece]:
    """A progress bar of `width` cells, half cells counted."""
    full, half = divmod(round(max(0.0, min(1.0, share)) * 2 * width), 2)
    drawn = glyphs.BAR_FULL * full + glyphs.BAR_HALF * half
    return [(drawn, style), (glyphs.BAR_EMPTY * (width - full - half), "dim")]


# The charts -----------------------------------------------------------------------------------------------------------


def _charts(model: ModelFacts, width: int, height: int) -> list[Line]:
    """The gain and, where it is wide, the training loss. Of several sizes the held-out cosine over the size: beside
    the gain, or in its place once all runs are over."""
    curve = model.curve if model.curve and len(model.curve.points) > 1 else None

    def gain(width: int) -> list[Line]:
        said = measure_words(model.runs, width - 1, outgained=outgained_by(model))
        return _titled(said, partial(gain_chart, model), width, height)

    def second(width: int) -> list[Line]:
        if curve:
            return _titled(size_words(curve, width - 1), partial(size_chart, curve), width, height)
        return _titled("training loss, smoothed", partial(loss_chart, model.runs), width, height)

    if width < TWO_CHARTS:
        return second(width) if curve and all(run.over for run in model.runs) else gain(width)
    first = width * 3 // 5
    return draw.beside((gain(first), second(width - first - 2)), (first, width - first - 2), gap=2)


def _titled(text: str, chart: Callable[[int, int], list[Line]], width: int, height: int) -> list[Line]:
    """A chart with its name above, where it is high enough."""
    name: list[Line] = [((f" {text}", "dim"),)] if height >= TITLED else []
    return [*name, *chart(width, height - len(name))]


# What is wrong --------------------------------------------------------------------------------------------------------


def doubts(model: ModelFacts) -> list[tuple[str, str]]:
    """What is wrong or doubtful, alarms first: (sentence, style). Below a trivial baseline, hits that fell and sources
    that differ are among them; last what is over and done with, dim."""
    alarms = [(f"{run.label} {run.trouble}", run.trouble_style) for run in model.runs if run.trouble]
    found = grouped(
        ((run.arm_label, f"held-out {one.label}" if one.on_heldout else one.label), run)
        for run in model.runs
        if not run.alarms
        for one in run.findings
    )
    notes = [
        f"{arm} {said} ({len(runs)} seeds)" if len(runs) > 1 else f"{runs[0].label} {said}"
        for (arm, said), runs in found.items()
    ]
    setbacks = [(f"{run.label} {run.setback}", "dim") for run in model.runs if run.setback]
    return [*alarms, *_row_doubts(model.row), *([("; ".join(notes), "note")] if notes else []), *setbacks]


def _row_doubts(row: Row | None) -> list[tuple[str, str]]:
    if row is None:
        return []
    said = []
    if one := next((figure for figure in row.retrieval if figure.name in row.fell), None):
        change = f"{words.cosine(one.baseline, 3)} {glyphs.TO} {words.cosine(one.expanded, 3)}"
        worse = "ranked lower" if one.name == "mrr" else "found less often"
        said.append(f"{TITLES.get(one.name, one.name)} fell {change}: the true next vector is {worse}")
    if row.disagreement:
        said.append(f"sources differ: {row.disagreement}")
    return [(text, "note") for text in said]


def _troubles(model: ModelFacts, width: int, most: int) -> list[Line]:
    """The doubts in at most `most` lines."""
    lines: list[Line] = []
    for said, style in doubts(model):
        mark = "" if style == "dim" else f"{glyphs.WARNING} "
        lines.extend(((text, style),) for text in draw.wrapped(mark + said, width))
    if len(lines) > most:
        last, style = lines[most - 1][0]
        lines = [*lines[: most - 1], ((draw.cut(f"{last} {glyphs.ELLIPSIS}", width), style),)]
    return lines


# What the data changed ------------------------------------------------------------------------------------------------


def table_scale(snapshot: Snapshot) -> Scale | None:
    """One scale for the interval bars of all models."""
    return scale_of(row.interval for row in snapshot.table.rows if row.interval)


def bar_pieces(scale: Scale, row: Row, cells: int) -> list[Piece]:
    """The interval of a row around zero, with what is negligible shaded."""
    if row.interval is None or row.change is None:
        return [(" " * cells, "")]
    style = change_style(row.change) if row.rank is not None else "dim"
    drawn = scale.bar(row.change, row.interval, cells, NEGLIGIBLE)
    return draw.joined((c.replace(OUTSIDE, " "), "dim" if c in (OUTSIDE, SHADE, ZERO) else style) for c in drawn)


def heldout_words(row: Row | None) -> str:
    """`.5141 → .5221`: what the change is a change of, once both arms are compared."""
    if row is None or row.estimate is None or row.baseline.cosine is None or row.expanded.cosine is None:
        return ""
    return f"{words.cosine(row.baseline.cosine)} {glyphs.TO} {words.cosine(row.expanded.cosine)}"


def _change_lines(model: ModelFacts, snapshot: Snapshot, width: int, room: int) -> list[Line]:
    """What the larger data set changed: the held-out change with its bar, or how it looks so far."""
    row = model.row
    if row is None:
        return []
    if row.verdict.word is Word.PROVISIONAL:
        return _so_far(model, row, snapshot, width)
    if row.verdict.word is Word.NOT_COMPARABLE:
        sentence = row.verdict.sentence
        short = ": ".join(sentence.split(": ")[:2])  # what is wrong stands above
        return [((draw.fitting((sentence, short, row.verdict.words), width), "note"),)]
    scale = table_scale(snapshot)
    held = f"{heldout_words(row)}  " if width >= MORE_COLUMNS else ""
    judged = f"held-out {held}" if row.estimate else "own validation "
    start: list[Piece] = [(judged, "dim"), (words.percent(row.change), change_style(row.change)), (" ", "")]
    said: list[Piece] = [(f" {row.verdict.words}", verdict_style(row.verdict.word))]
    free = width - draw.width_of(start) - draw.width_of(said)
    line = draw.spread(start if free >= 0 else start[1:], said, width)
    if scale is None or row.interval is None or row.change is None:
        return [line]
    if free >= LEAST_BAR + 4:
        return [(*start, *bar_pieces(scale, row, free), *said)]
    return [line] if room < CURVE + 3 else [line, tuple(bar_pieces(scale, row, width))]


def _so_far(model: ModelFacts, row: Row, snapshot: Snapshot, width: int) -> list[Line]:
    """How it looks before both runs have ended, and when they will have."""
    time = snapshot.eta.together(run.name for run in model.runs)
    together = "pair" if len(model.runs) == 2 else "all"
    pair = f"{together} in {words.short_duration(time.seconds)}" if time and time.seconds > 0 else ""
    if row.early is not None:
        said = draw.fitting((row.early.words, row.early.short), width - len(pair) - 1)
    elif row.change is not None:
        said = f"{words.percent(row.change)} so far"
    else:
        said = row.no_change if any(run.curve for run in model.runs) else ""
    return [draw.spread([(said, "dim")], [(f" {pair}", "dim")], width)] if said or pair else []
