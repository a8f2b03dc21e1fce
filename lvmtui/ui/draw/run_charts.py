"""The curves of one run, large: cosine, loss, rate, speed; the other arm's over it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from lvmtui.system import numbers as words
from lvmtui.ui.draw.board_panels import curve_over, step_size, x_range, x_unit
from lvmtui.ui.draw.charts import Level, Series, chart, smoothed
from lvmtui.ui.draw.lines import Line, Piece, beside, fit, width_of
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot


def charts(snapshot: Snapshot, run: RunFacts, other: RunFacts | None, log: bool, width: int, height: int) -> list[Line]:
    """As many charts as there is room for, the cosine's the largest."""
    if height < 5:
        return []
    if width < 100:
        half = (width - 1) // 2
        if height < 14:
            return beside(
                [_cosine(snapshot, run, other, log, half, height), _loss(run, log, half, height)], [half, half]
            )
        upper, lower = height - height * 2 // 5, height * 2 // 5
        top = [_cosine(snapshot, run, other, log, half, upper), _loss(run, log, half, upper)]
        bottom = [_rate(run, log, half, lower), _speed(run, log, half, lower)]
        return [*beside(top, [half, half]), *beside(bottom, [half, half])]
    large = width * 3 // 5
    small = width - large - 1
    cosine = _cosine(snapshot, run, other, log, large, height)
    if height < 15:
        return beside([cosine, _loss(run, log, small, height)], [large, small])
    upper = height - 2 * (height * 3 // 10)
    lower = height * 3 // 10
    right = [*_loss(run, log, small, upper), *_rate(run, log, small, lower), *_speed(run, log, small, lower)]
    return beside([cosine, right], [large, small])


def _cosine(
    snapshot: Snapshot, run: RunFacts, other: RunFacts | None, log: bool, width: int, height: int
) -> list[Line]:
    points = run.state.trainer.points if run.state else ()
    others = [other] if other is not None and other.curve else []
    unit = x_unit([run, *others])
    training = smoothed([(p.step / step_size(run, unit), p.cosine) for p in points if p.cosine is not None])
    series = [
        Series(curve_over(run, unit), run.arm, "val"),
        *(Series(curve_over(one, unit), one.arm, one.label) for one in others),
        Series(training, "note", "train"),
    ]
    mean = snapshot.context_mean.get(run.arm)
    levels = [Level(mean, "mean of the context " if width >= 60 else "mean ")] if mean is not None else []
    drawn = chart(
        series,
        width,
        height - 1,
        levels=levels,
        form=lambda y: words.cosine(y, 3),
        log=log,
        x_range=x_range([run, *others], unit),
        x_name=unit,
        focus=True,
    )
    title = _legend(run, others, "validation", "training, smoothed")
    return [fit(title if width_of(title) <= width else _legend(run, others, "val", "training"), width), *drawn]


def _legend(run: RunFacts, others: list[RunFacts], validation: str, training: str) -> list[Piece]:
    """The name of the chart, and whose curve has which colour."""
    pieces: list[Piece] = [(" cosine  ", "heading"), (f"{run.label} {validation}", run.arm), (f"  {training}", "note")]
    return [*pieces, *((f"  {other.label} {validation}", other.arm) for other in others)]


def _loss(run: RunFacts, log: bool, width: int, height: int) -> list[Line]:
    trainer = run.state.trainer if run.state else None
    validation = tuple((e.step, e.loss) for e in trainer.evaluations if e.loss is not None) if trainer else ()
    training = smoothed([(p.step, p.loss) for p in trainer.points if p.loss is not None]) if trainer else ()
    series = [Series(validation, run.arm, "val"), Series(training, "note", "train")]
    return _titled("loss", series, run, log, width, height)


def _rate(run: RunFacts, log: bool, width: int, height: int) -> list[Line]:
    points = run.state.trainer.points if run.state else ()
    return _titled("learning rate", [Series(tuple((p.step, p.rate) for p in points), "done")], run, log, width, height)


def _speed(run: RunFacts, log: bool, width: int, height: int) -> list[Line]:
    points = run.state.trainer.points if run.state else ()
    series = [Series(tuple((p.step, p.windows_per_second) for p in points), "done")]
    return _titled("windows a second", series, run, log, width, height, form=words.count)


def _titled(
    title: str,
    series: list[Series],
    run: RunFacts,
    log: bool,
    width: int,
    height: int,
    form: Callable[[float], str] = "{:.3g}".format,
) -> list[Line]:
    """A chart with its name above."""
    scale = "  log scale" if log else ""
    drawn = chart(series, width, height - 1, form=form, log=log, x_range=x_range([run], "step"), x_name="step")
    return [fit([(f" {title}", "heading"), (scale, "dim")], width), *drawn]
