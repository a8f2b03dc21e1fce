"""Learning curves on the screen: three sizes and eight, wide and narrow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lvmtui.formats.learning_curve import LearningCurve, ModelCurve, Point, Worth
from lvmtui.ui.draw.lines import Line
from lvmtui.ui.draw.sizes import size_chart, size_table, size_words


def curve(sizes: int) -> ModelCurve:
    points = tuple(
        Point("size2", f"{2**n}k", 1000 * 2**n, 800.0 * 2**n, 3, 0.52 + 0.004 * n, 0.001, 0.515, "recency_mean")
        for n in range(sizes)
    )
    worth = Worth(2.0, 0.4, 0.1, 0.7)
    return ModelCurve("graphmert_lvm", points, (), "still rising", "", None, worth, None, None)


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line)


@pytest.mark.parametrize("sizes", [3, 5, 8])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_each_row_has_both_ends_and_the_word(sizes: int, width: int) -> None:
    titles, row = map(
        text,
        size_table(
            LearningCurve("c", "", 0.0, (curve(sizes),), titles={"graphmert_lvm": "GraphMERT-LVM"}), "", width, 9
        ),
    )
    assert len(titles) <= width and len(row) <= width
    assert "1k" in titles and f"{2 ** (sizes - 1)}k" in titles
    assert ".5200" in row and row.rstrip().endswith("still rising")
    if width == 120:
        assert "+0.40 % [+0.10, +0.70]" in row and row.count(".5") == sizes
    if (sizes, width) == (5, 80):
        assert "+0.40 %" in row and "[" not in row, "the interval has no room"


def test_a_model_without_any_size_has_no_row() -> None:
    bare = ModelCurve("amn", (), ("1k: cancelled",), None, "0 sizes judged", None, None, None, None)
    assert size_table(LearningCurve("c", "", 0.0, (bare,)), "", 80, 9) == []


@pytest.mark.parametrize("width", [60, 80, 120])
def test_where_not_all_models_have_room_the_chosen_one_is_shown_with_its_context(width: int) -> None:
    names = [f"{name}@{context}" for name in ("amn", "gru", "graphmert_lvm") for context in (5, 10)]
    titles = {name: name.replace("graphmert_lvm", "GraphMERT-LVM") for name in names}
    many = LearningCurve("c", "", 0.0, tuple(replace(curve(4), model=name) for name in names), titles=titles)
    head, *rows = map(text, size_table(many, "graphmert_lvm@10", width, 3))
    assert head.rstrip().endswith("4-6/6") and len(rows) == 3
    assert [row.split()[0].rpartition("@")[2] for row in rows] == ["10", "5", "10"]
    assert all(row.split()[0].startswith("GraphMER") for row in rows[1:])
    assert "1-" not in text(size_table(many, "", width, 6)[0]), "all have room"


def test_the_chart_fills_its_place_and_says_what_a_doubling_is_worth() -> None:
    lines = size_chart(curve(8), 50, 10)
    assert len(lines) == 10 and any("128k" in text(line) for line in lines)
    assert any("trivial" in text(line) for line in lines)
    assert text(lines[-1]).split()[0] == "1k" and text(lines[-1]).split()[-1] == "128k"
    said = "still rising: a doubling +0.40 % [+0.10, +0.70]"
    assert size_words(curve(3), 50) == said and size_words(curve(3), 60) == f"held-out, {said}"
    assert size_words(curve(3), 80) == f"held-out cosine by size, {said}"
