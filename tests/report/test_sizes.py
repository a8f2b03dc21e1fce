"""What the report says of learning curves: a user's own model has the title its campaign gives it, everywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lvmtui.formats.learning_curve import Fit, Leader, LearningCurve, ModelCurve, MoreForLess, Overtaking, Point, Worth
from lvmtui.report import html
from lvmtui.report.csv_table import curve_csv
from lvmtui.report.curves import OF_THE_PAGE
from lvmtui.report.markdown import markdown
from lvmtui.report.size_pictures import learning_pictures
from lvmtui.report.size_questions import size_questions
from lvmtui.report.sizes import curve_answer, sizes_section


def model(name: str, rise: float) -> ModelCurve:
    points = tuple(
        Point("size2", f"{2**n}k", 1000 * 2**n, 800.0 * 2**n, 3, 0.52 + rise * n, 0.001, 0.515, "recency_mean")
        for n in range(3)
    )
    fit = Fit(0.0, 0.0, 1.0, None, rise, 0.01, 1.6, tuple((p.windows, p.cosine) for p in points))
    worth = Worth(2.0, 100 * rise, 0.1, 0.7)
    return ModelCurve(name, points, (f"{points[0].label}: cancelled",), "still rising", "", fit, worth, worth, None)


CURVE = LearningCurve(
    campaign="c",
    inputs="",
    made=0.0,
    models=(model("mine@5", 0.004), model("gru@5", 0.003)),
    best=(Leader("1k", "gru@5", False, "mine@5"), Leader("4k", "mine@5", True, "gru@5")),
    overtakings=(Overtaking("gru@5", "mine@5", 1600.0, 900.0, 2500.0),),
    more_for_less=(MoreForLess("gru@5", "mine@5", 2.1, 1.4, 5.0),),
    titles={"mine@5": "MLP mixer@5", "gru@5": "GRU@5"},
)


def test_a_lead_is_unclear_only_at_the_sizes_where_it_is() -> None:
    """One unclear size hid that the lead was clear at the largest, where one would choose."""
    best = tuple(Leader(f"{2**n}k", "gru@5", n > 1, "mine@5") for n in range(4))
    answers = [question.answer for question in size_questions(replace(CURVE, best=best), {})]
    assert any(
        said.startswith("GRU@5 at 1k to 2k (its lead is not clear of zero); GRU@5 at 4k to 8k. ") for said in answers
    ), answers


def test_a_title_stands_wherever_the_report_speaks_of_a_curve() -> None:
    section = markdown(sizes_section(CURVE, "curves"))
    questions = [question.answer for question in size_questions(CURVE, {})]
    said = [curve_answer(CURVE, 3), section, *questions, curve_csv(CURVE), *learning_pictures(CURVE).values()]
    for words in said:
        assert not re.search(r"(?<!learning_)\bmine\b", words), words
    assert sum("MLP mixer@5" in words for words in said) >= 8
    assert "MLP mixer@5 overtakes GRU@5 at about 2,000 vectors (1,125 to 3,125), which give 1,600 train" in questions[3]
    assert "GRU@5 to equal MLP mixer@5: 2.1 times the largest size" in questions[-1]


def test_one_seed_seems_to_help_and_only_some_pairs_are_named() -> None:
    assert "is known to help" in markdown(sizes_section(CURVE, "curves"))
    models = tuple(replace(one, points=tuple(replace(p, seeds=1) for p in one.points)) for one in CURVE.models)
    section = markdown(sizes_section(replace(CURVE, models=models), "curves"))
    assert "a doubling of the data seems to help" in section and "is known to" not in section
    assert "no curve of this form does" not in section
    fits = [replace(one, fit=replace(one.fit, bends_up=True)) for one in CURVE.models if one.fit]
    assert "told: MLP mixer@5, GRU@5." in markdown(sizes_section(replace(CURVE, models=tuple(fits)), "curves"))
    wide = [replace(one, word="cannot tell", reason="the interval is wide") for one in CURVE.models]
    section = markdown(sizes_section(replace(CURVE, models=tuple(wide)), "curves"))
    assert "- MLP mixer@5, GRU@5: the interval is wide." in section and section.count("the interval is wide") == 1
    pairs = tuple(MoreForLess(f"m{n}", "gru@5", None, 1.5, None, 2.0) for n in range(7))
    answer = size_questions(replace(CURVE, more_for_less=pairs), {})[-1].answer
    assert "m4 to equal GRU@5: more than 2.0 times the largest size (at least 1.5 times)" in answer
    assert "m5" not in answer and "2 more pairs of models" in answer


def test_whether_the_data_is_enough_goes_by_a_doubling_for_all() -> None:
    """Of all there could be only some models have an upper end, and a flat one may have the larger rest."""
    rest = replace(CURVE.models[0], rest=Worth(None, None, 0.1, None))
    found = {q.question: q.answer for q in size_questions(replace(CURVE, models=(rest,)), {})}
    assert found["Is this much data enough?"].startswith(
        "MLP mixer@5: no, a doubling would bring +0.40 % [+0.10, +0.70]. All of this is extrapolated"
    )
    flat = replace(rest, word="flat")
    beaten = replace(flat, model="gru@5", points=tuple(replace(point, trivial=0.6) for point in flat.points))
    found = {q.question: q.answer for q in size_questions(replace(CURVE, models=(flat, beaten)), {})}
    assert found["Is this much data enough?"].startswith(
        "MLP mixer@5: yes, a doubling brings +0.40 % [+0.10, +0.70]. "
        "GRU@5: yes, a doubling brings +0.40 % [+0.10, +0.70], but it does not beat a trivial baseline. All"
    )


def test_a_flat_curve_that_gains_more_is_not_passed_over() -> None:
    rising = replace(CURVE.models[1], doubling=Worth(2.0, 0.23, 0.11, 0.32))
    flat = replace(CURVE.models[0], word="flat", doubling=Worth(2.0, 0.24, 0.13, 0.28))
    curve = replace(CURVE, models=(flat, rising))
    assert size_questions(curve, {})[0].answer.startswith(
        "MLP mixer@5 +0.24 % [+0.13, +0.28], which is flat; GRU@5 +0.23 % [+0.11, +0.32]."
    )
    assert curve_answer(curve, 3).endswith(" By extrapolation, a doubling would bring GRU@5 +0.23 %.")
    both = curve_answer(replace(curve, models=(rising, CURVE.models[0])), 3)
    assert " a doubling would bring them +0.23 % (GRU@5) to " in both and both.endswith(" (MLP mixer@5).")
    assert rising.fit is not None
    bent = replace(curve, models=(replace(rising, fit=replace(rising.fit, bends_up=True)),))
    assert curve_answer(bent, 3).endswith(" +0.23 %; the curve of GRU@5 bends upwards, so it may be more.")


def test_in_a_page_a_picture_takes_its_colours_from_the_page() -> None:
    style = (Path(html.__file__).parent / "page.css").read_text()
    for drawn in learning_pictures(CURVE, OF_THE_PAGE).values():
        assert "#" not in drawn.removeprefix("<svg")
        for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", drawn)):
            assert style.count(f"{name}: ") >= 2, f"{name} has a colour on a light and on a dark screen"


def test_each_context_has_its_own_best_trivial() -> None:
    two = replace(CURVE, models=(*CURVE.models, replace(model("mine@10", 0.004), model="mine@10")))
    rows = [line for line in markdown(sizes_section(two, "curves")).splitlines() if line.startswith("| best trivial")]
    assert [row.split("|")[1].strip() for row in rows] == [
        "best trivial (recency mean@5)",
        "best trivial (recency mean@10)",
    ]


def test_a_picture_has_room_for_its_names() -> None:
    for drawn in learning_pictures(CURVE).values():
        (width,) = re.findall(r"<svg [^>]*width=\"(\d+)\"", drawn)
        for x, name in re.findall(r"<text x=\"([\d.]+)\"[^>]*>([^<]*@5[^<]*)</text>", drawn)[-2:]:
            assert float(x) + 6 * len(name) < int(width), name
