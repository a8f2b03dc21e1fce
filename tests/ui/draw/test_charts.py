"""A chart has the size it is told, and the shape of its figures."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lvmtui.state.status import OVER, Phase
from lvmtui.ui.draw.charts import Series, chart
from lvmtui.ui.draw.curves import _curves_of, x_name, x_range
from lvmtui.ui.draw.lines import Line, width_of

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


def text(lines: list[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


def rows_with_dots(lines: list[Line]) -> list[int]:
    return [y for y, line in enumerate(text(lines)) if any(0x2800 < ord(c) <= 0x28FF for c in line)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40),
    st.integers(20, 90),
    st.integers(3, 20),
    st.booleans(),
    st.sampled_from(("", "rise", "fall")),
)
def test_any_figures_fill_exactly_the_room(
    points: list[tuple[float, float]], width: int, height: int, log: bool, focus: Any
) -> None:
    lines = chart([Series(tuple(points), "", "23k")], width, height, levels=[(0.5, "mean")], log=log, focus=focus)
    assert len(lines) == height
    assert all(width_of(line) == width for line in lines)


def test_a_rising_curve_rises() -> None:
    lines = text(chart([Series(tuple((x, float(x)) for x in range(100)), "")], 40, 10))
    columns = [[line[x] for line in lines] for x in range(8, 40)]
    tops = [next((y for y, c in enumerate(column) if 0x2800 < ord(c) <= 0x28FF), 99) for column in columns]
    drawn = [y for y in tops if y < 99]
    assert drawn == sorted(drawn, reverse=True) and drawn[0] > drawn[-1]


def test_a_thousand_points_draw_the_same_curve_as_a_hundred() -> None:
    def curve(n: int) -> Series:
        return Series(tuple((i / n, math.sin(3 * i / n)) for i in range(n + 1)), "")

    few, many = (text(chart([curve(n)], 50, 8)) for n in (100, 1000))
    assert sum(a != b for x, y in zip(few, many, strict=True) for a, b in zip(x, y, strict=True)) < 40


def test_a_point_far_outside_costs_no_more() -> None:
    points = ((0.0, 1e30), *((float(x), 1.0 + x) for x in range(1, 20)))
    lines = text(chart([Series(points, "")], 40, 6, focus="fall"))
    assert lines[0].startswith("20 ┤") and rows_with_dots(chart([Series(points, "")], 40, 6, focus="fall"))


def test_nothing_is_said_where_there_are_no_figures() -> None:
    assert "no figures yet" in "\n".join(text(chart([Series((), "")], 30, 5)))
    assert "no figures yet" in "\n".join(text(chart([Series(((1, -1.0),), "")], 30, 5, log=True)))


def ticks(lines: list[Line]) -> list[str]:
    return [line.split("┤")[0].strip() for line in text(lines) if "┤" in line]


def test_levels_labels_and_a_scale_of_round_values() -> None:
    lines = chart([Series(((0, 0.0), (9, 1.0)), "", "8k")], 40, 9, levels=[(0.5, "mean")])
    assert text(lines)[0].endswith("8k") and "┄ mean" in text(lines)[4]
    assert ticks(lines) == ["1.0", ".5", ".0"]


@given(st.floats(-2, 2), st.floats(1e-4, 5), st.integers(3, 40), st.booleans())
@example(1e-10, 1.25, 3, True)
def test_a_scale_has_three_ticks_or_more_in_their_order(low: float, span: float, height: int, log: bool) -> None:
    low = abs(low) + 1e-3 if log else low
    found = ticks(chart([Series(((0, low), (9, low + span)), "")], 60, height, log=log))
    values = [float(tick.replace("−", "-")) for tick in found]
    assert len(found) >= 3 and values == sorted(set(values), reverse=True)


def test_a_flat_curve_lies_in_the_middle_beside_its_value() -> None:
    lines = chart([Series(((0, 0.002), (9, 0.002)), "")], 40, 7)
    assert ticks(lines) == [".00200"] and text(lines)[3].startswith(".00200 ┤")
    assert rows_with_dots(chart([Series(((0, 2.0),), "")], 40, 7)) == [3]


def test_a_curve_that_ends_early_is_labelled_where_it_ends() -> None:
    curves = [Series(((0, 0.0), (40, 0.4)), "", "8k stopped early"), Series(((0, 0.0), (90, 1.0)), "", "23k")]
    lines = text(chart(curves, 70, 9, x_range=(0, 100)))
    (line,) = (line for line in lines if "8k stopped early" in line)
    assert 20 < line.index("8k stopped early") < 50


def test_what_does_not_stretch_the_scale_may_leave_the_picture() -> None:
    good, collapsed = Series(((0, 0.0), (9, 0.01)), ""), Series(((0, 0.0), (9, -0.3)), "", "8k", stretches=False)
    lines = chart([good, collapsed], 60, 9)
    assert ticks(lines)[-1] == ".000" and any("8k" in line for line in text(lines))


def test_a_band_is_shaded_behind_its_curve() -> None:
    band = tuple((float(x), 0.2, 0.8) for x in range(10))
    lines = text(chart([Series(((0, 0.0), (9, 1.0)), "", band=band)], 40, 12))
    assert "░" in lines[5] and "░" not in lines[0] and "░" not in lines[-1]


def test_focus_leaves_the_steep_beginning_out() -> None:
    points = tuple((float(x), 1 - math.exp(-x)) for x in range(30))
    near, far = chart([Series(points, "")], 60, 10, focus="rise"), chart([Series(points, "")], 60, 10)
    assert len(rows_with_dots(near)) >= len(rows_with_dots(far))
    assert float(ticks(near)[-1]) > 0.9 > float(ticks(far)[-1])


def test_focus_keeps_the_best_point_of_a_curve_that_was_best_at_first() -> None:
    points = tuple((float(x), 0.5 - 0.02 * x) for x in range(9))
    rising = chart([Series(points, "")], 60, 10, focus="rise")
    falling = chart([Series(points, "")], 60, 10, focus="fall")
    assert float(ticks(rising)[0]) == 0.5 and float(ticks(falling)[0]) < 0.46
    assert rows_with_dots(rising)[0] == 0


def test_the_axis_ends_where_a_run_did_and_not_at_its_last_evaluation() -> None:
    state = SimpleNamespace(step=49, spec=SimpleNamespace(total_steps=200))
    run: Any = SimpleNamespace(curve=[(40, 0.5)], state=state, over=True)
    assert x_range([run], "step") == (0, 49)


def test_the_axis_says_stopped_early_only_where_all_runs_did() -> None:
    def run(phase: Phase, curve: bool = True, stopped: bool = False) -> Any:
        finished = SimpleNamespace(stopped_early=stopped) if phase is Phase.FINISHED else None
        state = SimpleNamespace(trainer=SimpleNamespace(finished=finished))
        return SimpleNamespace(state=state, phase=phase, over=phase in OVER, curve=[(1, 0.5)] if curve else [])

    early, whole = run(Phase.FINISHED, stopped=True), run(Phase.FINISHED)
    assert x_name([early, early], "epoch") == "stopped early at epoch"
    assert x_name([early, run(Phase.CANCELLED)], "epoch") == "ended at epoch"
    assert x_name([early, run(Phase.CANCELLED, curve=False)], "epoch") == "stopped early at epoch"
    for other in (whole, run(Phase.RUNNING), run(Phase.QUEUED, curve=False)):
        assert x_name([early, other], "epoch") == "epoch"


def test_a_rate_of_zero_is_one_that_is_not_known() -> None:
    def rates(*found: float) -> list[Series]:
        points = [SimpleNamespace(step=step, rate=rate) for step, rate in enumerate(found)]
        return _curves_of("rate", SimpleNamespace(points=points))[1]  # type: ignore[arg-type]

    assert rates(0.0, 0.0)[0].points == () and rates(0.0, 0.1)[0].points == ((1, 0.1),)
