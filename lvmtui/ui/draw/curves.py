"""The curves of runs: the gain over the best trivial baseline, loss, learning rate, speed. Pure.

Validation cosines of two arms stand on different windows, so they are never drawn side by side. A gain is a validation
cosine less that of the best trivial baseline on the same windows; how hard an arm's windows are is not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import fmean

from rich.cells import cell_len

from lvmtui.formats.spec import ARMS
from lvmtui.system import numbers as words
from lvmtui.ui.draw.charts import Form, Point, Series, chart, cosine_ticks, signed_ticks, smoothed
from lvmtui.ui.draw.lines import Line, fit, fitting
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import ModelFacts
from lvmtui.verdict.words import the_trivial, trivial_title

WIDE_LABEL = 64
"""Cells of a chart from which a curve's label says why it ends early, and not only that it does."""
OWN_COSINE = "validation cosine, each arm on its own windows"


# What is measured -----------------------------------------------------------------------------------------------------


def has_gains(runs: Sequence[RunFacts]) -> bool:
    """True if the trivial baselines of all runs of ours with a curve are known, so that gains can be shown."""
    drawn = [run for run in runs if run.curve and not run.foreign]
    return bool(drawn) and all(run.trivial for run in drawn)


def waits_for_baselines(runs: Sequence[RunFacts]) -> bool:
    """True while the trivial baselines are not there that runs of two arms need to be shown side by side."""
    return len({run.arm for run in runs if run.curve and not run.foreign}) > 1 and not has_gains(runs)


def _best_of(names: Collection[str]) -> str:
    """What gains are gains over: `the recency mean`, or `the best trivial baseline` where they differ."""
    return the_trivial(*names) if len(names) == 1 else "the best trivial baseline"


def outgained_by(model: ModelFacts) -> str:
    """The trivial baseline that more data helps more than the model, so that the model's gain falls, on the held-out
    windows and on those of its curves. Empty: its gain does not fall, or that is not known yet."""
    gains = [[run.gain for run in model.arms.get(arm, ()) if run.gain is not None] for arm in ARMS]
    if model.row is None or (model.row.change or 0.0) <= 0 or not all(gains):
        return ""
    small, large = model.row.baseline.skill, model.row.expanded.skill
    if small is None or large is None or large.gain.value >= small.gain.value or fmean(gains[1]) >= fmean(gains[0]):
        return ""  # each arm has validation windows of its own, which alone say nothing about the other's
    return _best_of({small.against, large.against})


def measure_words(runs: Sequence[RunFacts], width: int = 80, *, outgained: str = "") -> str:
    """What the figures of these runs are: `gain over the recency mean, own validation windows`, in `width` cells.
    `outgained`: by what, see `outgained_by`."""
    if waits_for_baselines(runs):
        return fitting(("gain, once the trivial baselines are made", "gain: to come"), width)
    if not has_gains(runs):
        return fitting((OWN_COSINE, "validation cosine"), width)
    over = _best_of({run.trivial.name for run in runs if run.trivial and run.curve})
    short = over.removeprefix("the ")
    if outgained:
        rises = f"{outgained.removeprefix('the ')} rises more"
        falls = f"gain falls with more data: {outgained} rises more", f"gain falls: {rises}"
        return fitting((*falls, f"gain over {short}"), width)
    own, bare = f"gain over {over}, own validation", any(run.foreign and run.best is not None for run in runs)
    forms = (f"{own} windows", own, f"gain over {short}", "gain")
    return fitting((*(f"{form}; without a sign: cosine" for form in forms if bare), *forms), width)


def figure(run: RunFacts) -> str:
    """The best of the run so far, as a gain; a bare validation cosine of another program, which has no gain."""
    if run.gain is not None:
        return words.signed(run.gain)
    return words.cosine(run.best) if run.foreign and run.best is not None else ""


# The x axis -----------------------------------------------------------------------------------------------------------


def x_unit(runs: Sequence[RunFacts]) -> str:
    """`epoch` where runs differ in steps, as a step is not the same share of each; `step` else, or without epochs."""
    specs = [run.state.spec for run in runs if run.state]
    if not all(spec.counts_epochs for spec in specs):
        return "step"
    steps = {spec.total_steps for spec in specs}
    return "step" if len(steps) == 1 and {spec.unit for spec in specs} == {"step"} else "epoch"


def step_size(run: RunFacts, unit: str) -> int:
    """Steps in a unit of the x axis."""
    return run.state.spec.steps_per_epoch if run.state and unit == "epoch" else 1


def curve_over(run: RunFacts, unit: str, gains: bool) -> tuple[Point, ...]:
    """(step or epoch, gain or validation cosine) of the run."""
    size = step_size(run, unit)
    return tuple((x / size, y) for x, y in (run.gains if gains else run.curve))


def x_range(runs: Sequence[RunFacts], unit: str) -> tuple[float, float]:
    """From the start to the planned end; once all runs are over, to the end they came to."""
    ends = [max(run.curve[-1][0], run.state.step) / step_size(run, unit) for run in runs if run.curve and run.state]
    ends += [run.state.spec.total_steps / step_size(run, unit) for run in runs if run.state and not run.over]
    return 0, max(ends, default=1.0)


def x_name(runs: Sequence[RunFacts], unit: str) -> str:
    """The name of the x axis; it says so where all runs ended before the planned end."""
    ends = {ended_early(run) for run in runs if run.curve or not run.over}
    return unit if not ends or "" in ends else f"{'stopped early' if ends == {'stopped early'} else 'ended'} at {unit}"


def ended_early(run: RunFacts) -> str:
    """`stopped early`, `cancelled`: why its curve ends before the planned end; empty if it does not."""
    finished = run.state.trainer.finished if run.state else None
    if finished is not None:
        return "stopped early" if finished.stopped_early else ""
    return run.phase.value if run.over else ""


# Charts ---------------------------------------------------------------------------------------------------------------


def _drawn(
    series: Sequence[Series],
    runs: Sequence[RunFacts],
    width: int,
    height: int,
    *,
    gains: bool = False,
    form: Form = cosine_ticks,
    log: bool = False,
    falls: bool = False,
) -> list[Line]:
    """Curves of these runs. `gains`: with a line for the best trivial baseline, named; `falls`: lower is better."""
    unit = x_unit(runs)
    names = dict.fromkeys(trivial_title(run.trivial.name) for run in runs if run.trivial and run.curve)
    return chart(
        series,
        width,
        height,
        levels=[(0.0, ", ".join(names))] if gains else (),
        form=signed_ticks if gains else form,
        log=log,
        x_range=x_range(runs, unit),
        x_name=x_name(runs, unit),
        focus="" if log else "fall" if falls else "rise",
    )


def gain_chart(model: ModelFacts, width: int, height: int) -> list[Line]:
    """A curve for each arm, the largest first; with several seeds their mean, and a band from lowest to highest."""
    runs, gains = model.runs, has_gains(model.runs)
    unit = x_unit(runs)
    sound = any(run.curve and not run.alarms for run in runs)
    series: list[Series] = []
    for arm, mine in () if waits_for_baselines(runs) else reversed(model.arms.items()):
        drawn = [run for run in mine if run.curve and not (run.alarms and len(mine) > 1)] or mine
        points, band = mean_and_band([curve_over(run, unit, gains) for run in drawn])
        label = drawn[0].arm_label
        if x_name(runs, unit) == unit and (why := ended_early(drawn[0])) and all(map(ended_early, drawn)):
            mark = f" {why}" if width >= WIDE_LABEL else " ended"
            label += mark if cell_len(label + mark) <= width // 4 else ""
        series.append(Series(points, arm, label, stretches=not sound or not drawn[0].alarms, band=band))
    return _drawn(series, runs, width, height, gains=gains)


def mean_and_band(
    curves: Sequence[tuple[Point, ...]],
) -> tuple[tuple[Point, ...], tuple[tuple[float, float, float], ...]]:
    """Mean, and lowest and highest, of curves at the x where at least two of them, or the only one, have a point.

    Curves that have ended keep their last value, so that the mean does not jump where one stops early.
    """
    known = [curve for curve in curves if curve]
    if len(known) < 2:
        return (known[0] if known else ()), ()
    points, band = [], []
    for x in sorted({x for curve in known for x, _ in curve}):
        values = [next(y for at, y in reversed(curve) if at <= x) for curve in known if curve[0][0] <= x]
        if len(values) > 1:
            points.append((x, fmean(values)))
            band.append((x, min(values), max(values)))
    return tuple(points), tuple(band)


def loss_chart(runs: Sequence[RunFacts], width: int, height: int) -> list[Line]:
    unit, series = x_unit(runs), []
    for run in (run for run in reversed(runs) if run.view.planned.seed == runs[0].view.planned.seed):
        points = [(p.step / step_size(run, unit), p.loss) for p in run.points if p.loss is not None]
        series.append(Series(smoothed(points), run.arm, run.arm_label))
    return _drawn(series, runs, width, height, falls=True)


# The charts of one run ------------------------------------------------------------------------------------------------


CHARTS = ("gain", "loss", "rate", "speed")
"""Of a run."""


def run_chart(name: str, run: RunFacts, other: RunFacts | None, log: bool, width: int, height: int) -> list[Line]:
    """One of `CHARTS` with its name above. `other`: the run a gain is compared with; `log`: log scale of loss, rate."""
    if name == "gain":
        return _gain(run, other, width, height)
    (title, series), log = _curves_of(name, run), log and name != "speed"
    form: Form = (lambda value, digits: words.count(value)) if name == "speed" else cosine_ticks
    drawn = _drawn(series, [run], width, height - 1, form=form, log=log, falls=name == "loss")
    return [fit([(f" {title}", "heading"), ("  log scale" if log else "", "dim")], width), *drawn]


def _curves_of(name: str, run: RunFacts) -> tuple[str, list[Series]]:
    """Title and curves of a chart, other than that of the gain."""
    if name == "rate":
        return "learning rate", [Series(tuple((p.step, p.rate) for p in run.points if p.rate), "done")]
    if name == "speed":
        speeds = tuple((p.step, p.windows_per_second) for p in run.points if p.windows_per_second)
        return "windows a second", [Series(speeds, "done")]
    evaluations = run.state.trainer.evaluations if run.state else ()
    validation = tuple((e.step, e.loss) for e in evaluations if e.loss is not None)
    training = smoothed([(p.step, p.loss) for p in run.points if p.loss is not None])
    return "loss", [Series(validation, run.arm, "val"), Series(training, "note", "train")]


def _gain(run: RunFacts, other: RunFacts | None, width: int, height: int) -> list[Line]:
    both = [run, other] if other is not None and other.curve else [run]
    runs = both if has_gains(both) else [run]  # bare cosines of two arms cannot be compared
    gains, unit = has_gains(runs), x_unit(runs)
    series = [
        Series(curve_over(one, unit, gains), one.arm, one.arm_label, stretches=one is run or not one.alarms)
        for one in runs
    ]
    drawn = _drawn(series, runs, width, height - 1, gains=gains)
    return [fit([(f" {measure_words(runs, width - 2)}", "heading")], width), *drawn]
