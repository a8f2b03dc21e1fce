"""Windows worth reading: the extremes by both arms, with their articles."""

from __future__ import annotations

import numpy as np
import pytest

from lvmtui.verdict.figures import ScoredPair, WindowScores
from lvmtui.verdict.single_windows import NAMED, single_windows


def pair(baseline: list[float], expanded: list[float], cluster: list[int]) -> ScoredPair:
    def scores(cosines: list[float]) -> WindowScores:
        number = np.arange(len(cosines))
        zeros = np.zeros(len(cosines))
        return WindowScores(1, "", number, np.array(cluster), zeros.astype(int), np.array(cosines), zeros, number)

    return ScoredPair({"baseline": scores(baseline), "expanded": scores(expanded)}, {}, {})


def test_extremes_are_named_by_article_and_place() -> None:
    found = single_windows([pair([0.1, 0.5, 0.9, 0.4], [0.2, 0.1, 0.9, 0.8], [0, 0, 1, 1])], [("A", "B")], folds=False)
    assert [(w.article, w.place) for w in found.best[:2]] == [("B", 1), ("B", 2)]
    assert [(w.article, w.place) for w in found.worst[:2]] == [("A", 1), ("A", 2)]
    assert (found.gained[0].article, found.gained[0].place) == ("B", 2)
    assert (found.lost[0].article, found.lost[0].baseline, found.lost[0].expanded) == ("A", 0.5, 0.1)


@pytest.mark.parametrize("folds", [False, True])
def test_seeds_are_averaged_where_they_judge_the_same_windows(folds: bool) -> None:
    first, second = pair([0.2] * 80, [0.4] * 80, [0] * 80), pair([0.4] * 80, [0.8] * 80, [0] * 80)
    found = single_windows([first, second], [("A",), ("B",)], folds=folds)
    assert len(found.best) == len(found.lost) == NAMED
    top = found.best[0]
    assert (top.article, top.baseline, top.expanded) == (("B", 0.4, 0.8) if folds else ("A", 0.3, 0.6))


def test_articles_without_a_name_are_numbered() -> None:
    assert single_windows([pair([0.1], [0.2], [7])], [()], folds=False).best[0].article == "article 7"
