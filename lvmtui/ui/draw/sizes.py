"""Several sizes on the screen: the held-out cosine over the size, and what a doubling is worth. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from lvmtui.system import numbers as words
from lvmtui.ui.draw.charts import Series, chart
from lvmtui.ui.draw.lines import Line, Piece, cut, cut_title, fit, fitting, left, place, right, spread
from lvmtui.verdict.words import worth_words

if TYPE_CHECKING:
    from lvmtui.formats.learning_curve import LearningCurve, ModelCurve

MODEL, CELL = 14, 7
WORD_STYLES = {"still rising": "better", "flattening": "better", "falling": "worse", "cannot tell": "note"}


def size_chart(curve: ModelCurve, width: int, height: int) -> list[Line]:
    """Held-out cosine over training windows on a log axis, shaded by its whiskers, with the best trivial baseline."""
    points = [(math.log2(p.windows), p.cosine, p.whisker or 0.0) for p in curve.points]
    band = tuple((x, y - half, y + half) for x, y, half in points)
    trivial = tuple((math.log2(p.windows), p.trivial) for p in curve.points if p.trivial is not None)
    cosines = Series(tuple((x, y) for x, y, _ in points), "expanded", band=band)
    names = [(math.log2(p.windows), p.label) for p in curve.points]
    return chart([cosines, Series(trivial, "level", "trivial")], width, height, x_labels=names)


def size_words(curve: ModelCurve, width: int = 200) -> str:
    """`held-out, still rising: a doubling +0.34 % [+0.23, +0.43]`, in `width` cells."""
    worth = worth_words(curve.doubling)
    said = ": ".join(part for part in (curve.word or curve.reason, f"a doubling {worth}" if worth else "") if part)
    forms = (f"held-out cosine by size, {said}", f"held-out, {said}", said, said.partition(" [")[0])  # no interval
    return cut(fitting(forms, width), width)


def size_table(curve: LearningCurve, chosen: str, width: int, most: int) -> list[Line]:
    """One column for each size, one row for each model: cosine, worth of a doubling, word. At most `most` rows, with
    that of the model `chosen`. Without room for all sizes those in the middle are left out; the word stays."""
    judged = [one for one in curve.models if one.points]
    if not judged:
        return []
    first = max(0, next((i for i, one in enumerate(judged) if one.model == chosen), 0) - most + 1)
    shown = judged[first : first + most]
    name = min(max(MODEL, *(cell_len(curve.title(one.model)) + 2 for one in judged)), max(MODEL, width // 5))
    every = list(dict.fromkeys(p.label for one in sorted(judged, key=lambda one: -len(one.points)) for p in one.points))
    room = width - name - max(cell_len(one.word or "–") for one in judged) - 3
    labels = _shown(every, room // CELL)
    room -= CELL * len(labels)
    worths = {one.model: worth_words(one.doubling) for one in judged}
    if max(map(cell_len, worths.values())) + 2 > room:  # without the interval
        worths = {one.model: words.percent(one.doubling.value) if one.doubling else "" for one in judged}
    worth = max(len("doubling"), *map(cell_len, worths.values()))
    with_worth = worth if worth < room else 0
    sizes = "".join(right(label, CELL) for label in labels)
    titles_ = f" {left('held out', name - 1)}{sizes}  {left('doubling' if with_worth else '', with_worth)}"
    part = place(first, len(shown), len(judged))
    lines: list[Line] = [spread([(titles_, "dim")], [(f"{part} ", "note")] if part else [], width)]
    for one in shown:
        cosines = {p.label: p.cosine for p in one.points}
        figures = "".join(right(words.cosine(cosines.get(label)) or "–", CELL) for label in labels)
        title = cut_title(curve.title(one.model), name - 2)
        pieces: list[Piece] = [
            (" " + left(title, name - 1), "selected" if one.model == chosen else "heading"),
            (figures, ""),
            ("  " + left(worths[one.model], with_worth) + (" " if with_worth else ""), ""),
            (one.word or "–", WORD_STYLES.get(one.word or "", "")),
        ]
        lines.append(fit(pieces, width))
    return lines


def _shown(labels: Sequence[str], most: int) -> list[str]:
    """The labels that have room, evenly spread, with both ends."""
    if len(labels) <= most:
        return list(labels)
    most = max(2, most)
    return [labels[round(i * (len(labels) - 1) / (most - 1))] for i in range(most)]
