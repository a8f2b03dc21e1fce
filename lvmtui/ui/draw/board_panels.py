"""The board with room: a panel a model, with its runs, both curves and what the data changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from lvmtui.state.status import Phase
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.charts import Level, Point, Series, chart
from lvmtui.ui.draw.lines import Line, Piece, cut, left, right, spread, wrapped
from lvmtui.ui.draw.styles import change_style, verdict_style
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import Word, interval_words

CURVE = 5
"""Lines a chart keeps before anything else that is not essential gets one."""


def inside(model: ModelFacts, snapshot: Snapshot, selected: str, width: int, height: int) -> list[Line]:
    """What the panel of a model shows inside its frame: runs, curves, what is wrong, what the data changed."""
    label = max([4, *(min(10, cell_len(run.label)) for run in model.runs)])
    body: list[Line] = [run_line(run, width, label, selected=run.name == selected) for run in model.runs]
    tail = _troubles(model, width, 2)
    if change := change_line(model, snapshot, width):
        tail.append(change)
    room = height - len(body) - len(tail)
    if room > CURVE and (held := heldout_words(model.row)):
        tail.insert(-1, spread([("held-out", "dim")], [(f" {held}", "")], width))
        room -= 1
    if room >= 3 and any(run.curve for run in model.runs):
        body.extend(curves(model, snapshot, width, room))
    body.extend([()] * (height - len(body) - len(tail)))
    return [*body, *tail][:height]


def run_line(run: RunFacts, width: int, label: int, *, selected: bool) -> Line:
    """Arm, state with bar, best cosine, time."""
    name = left(run.label, label)
    start: list[Piece] = [
        (glyphs.SELECTED if selected else " ", "selected"),
        (f"{name} ", "bold" if selected else ""),
        (f"{run.glyph} ", run.style),
    ]
    best = right(words.cosine(run.best), 6) if run.best is not None else ""
    time = right(run.time_words, 7)
    room = width - label - 4 - len(best) - len(time)
    return (*start, *_state(run, room), (best, "bold" if run.phase is Phase.FINISHED else ""), (time, "dim"))


def _state(run: RunFacts, room: int) -> list[Piece]:
    """What the run does, in exactly `room` cells; a bar where it is under way."""
    if run.phase is Phase.RUNNING and room >= 12:
        word = run.epoch_words if run.word.startswith("epoch") else run.word
        word = left(word + " ", min(room, max(6, len(word) + 1)))
        return [(word, run.style), *bar(run.share, room - len(word) - 1, run.style), (" ", "")]
    if run.start_words:
        return [(cut(run.word, room), run.style), (left(f"  {run.start_words}", max(0, room - len(run.word))), "dim")]
    return [(left(run.word, room), run.style)]


def bar(share: float, width: int, style: str = "bar") -> list[Piece]:
    """A bar of `width` cells, half cells counted."""
    halves = round(max(0.0, min(1.0, share)) * 2 * width)
    full, half = divmod(halves, 2)
    return [
        (glyphs.BAR_FULL * full + glyphs.BAR_HALF * half, style),
        (glyphs.BAR_EMPTY * (width - full - half), "dim"),
    ]


def curves(model: ModelFacts, snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """Validation cosines of the model's runs over their steps, with the context mean's."""
    ordered = sorted(model.runs, key=lambda run: run.arm == "baseline")
    named = {arm: _newest(model.runs, arm) for arm in ("baseline", "expanded")}
    unit = x_unit(model.runs)
    series = [Series(curve_over(run, unit), run.arm, run.arm_label if run is named[run.arm] else "") for run in ordered]
    means = snapshot.context_mean
    labels = {run.arm: run.arm_label for run in model.runs} if len(set(means.values())) > 1 else {}
    levels = [Level(mean, f"mean {labels[arm]} " if arm in labels else "mean ") for arm, mean in means.items()]
    return chart(
        series,
        width,
        height,
        levels=levels,
        form=lambda y: words.cosine(y, 3),
        x_range=x_range(model.runs, unit),
        x_name=unit,
        focus=True,
    )


def x_unit(runs: Sequence[RunFacts]) -> str:
    """What curves are drawn over: steps where the runs take equally many, epochs where they do not: two steps of
    another program, or of a smaller data set, are not the same share of the training."""
    steps = {run.state.spec.total_steps for run in runs if run.state}
    return "step" if len(steps) == 1 and not any(run.imported for run in runs) else "epoch"


def step_size(run: RunFacts, unit: str) -> float:
    """Steps in one of what curves are drawn over."""
    return run.state.spec.steps_per_epoch or 1.0 if run.state and unit == "epoch" else 1.0


def curve_over(run: RunFacts, unit: str) -> tuple[Point, ...]:
    """The run's curve over steps or epochs."""
    size = step_size(run, unit)
    return tuple((x / size, y) for x, y in run.curve)


def x_range(runs: Sequence[RunFacts], unit: str) -> tuple[float, float]:
    """From the start to the planned end; of runs that are over to the end they came to."""
    ends = [x for run in runs for x, _ in curve_over(run, unit)]
    ends += [
        run.state.spec.total_steps / step_size(run, unit) for run in runs if run.state and not run.view.status.over
    ]
    return 0, max(ends, default=1.0)


def _newest(runs: Sequence[RunFacts], arm: str) -> RunFacts | None:
    """Of an arm's seeds the one that has come farthest: it carries the label."""
    return max((run for run in runs if run.arm == arm), key=lambda run: len(run.curve), default=None)


def _troubles(model: ModelFacts, width: int, most: int) -> list[Line]:
    """What is wrong with its runs, in at most `most` lines."""
    lines: list[Line] = []
    for run in model.runs:
        if run.trouble:
            text = wrapped(f"{glyphs.WARNING} {run.label} {run.trouble}", width)
            lines.extend(((line, run.trouble_style),) for line in text)
    if len(lines) > most:
        last, style = lines[most - 1][0]
        lines = [*lines[: most - 1], ((cut(f"{last} {glyphs.ELLIPSIS}", width), style),)]
    return lines


def heldout_words(row: Row | None) -> str:
    """`.5141 → .5221`: what the change is a change of, once both arms are compared."""
    if row is None or row.estimate is None or row.baseline.cosine is None or row.expanded.cosine is None:
        return ""
    return f"{words.cosine(row.baseline.cosine)} {glyphs.TO} {words.cosine(row.expanded.cosine)}"


def change_line(model: ModelFacts, snapshot: Snapshot, width: int) -> Line:
    """What the larger data set changed, as far as it is known, and until when the pair is complete."""
    row = model.row
    if row is None:
        return ()
    word = row.verdict.word
    if word is Word.PROVISIONAL:
        left_ = snapshot.eta.together(run.name for run in model.runs)
        pair = f"pair in {words.short_duration(left_.seconds)}" if left_ and left_.seconds > 0 else ""
        if row.change is not None:
            said, style = words.percent(row.change) + " so far", "dim"
            both = f"{word.value}, {pair}"
            pair = pair or word.value if len(said) + len(both) >= width else both.removesuffix(", ")
        else:
            said, style = model.note, "note"
        return spread([(said, style)], [(f" {pair}", "dim")], width) if said or pair else ()
    if word is Word.NOT_COMPARABLE:
        return ((cut(f"{word.value}: {row.verdict.reason}", width), "note"),)
    interval = f" {interval_words(row.interval, 1)}" if row.interval else ""
    said = row.verdict.words
    figures = (words.percent(row.change) + interval, words.percent(row.change, 1) + interval, words.percent(row.change))
    figure = next((f for f in figures if len(f) + len(said) < width), figures[-1])
    return spread([(figure, change_style(row.change))], [(f" {said}", verdict_style(word))], width)
