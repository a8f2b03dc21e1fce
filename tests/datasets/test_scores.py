"""Scores against the definition, window by window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.datasets import scores
from lvmtui.datasets.scores import TIE, score
from lvmtui.datasets.windows import window_starts
from tests.datasets.making import near, walk


def naive(predictions: np.ndarray, vectors: np.ndarray, starts: np.ndarray) -> list[tuple[float, float, int]]:
    answers = []
    rows = sorted({s + 5 for s in starts.tolist()})
    for prediction, start in zip(predictions.astype(np.float64), starts.tolist(), strict=True):
        length = np.linalg.norm(prediction)
        cosine = (vectors @ (prediction / length if length else prediction)).tolist()
        target = cosine[start + 5]
        nearer = [r for r in rows if not start <= r < start + 5 and cosine[r] > target + TIE]
        answers.append((target, cosine[start + 4], 1 + len(nearer)))
    return answers


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 80), st.booleans())
def test_scores_are_what_they_are_said_to_be(seed: int, rows: int, repeated: bool) -> None:
    random = np.random.default_rng(seed)
    vectors = walk(rows, seed)
    if repeated:
        vectors[random.integers(0, rows, rows // 2)] = vectors[0]
    starts = window_starts(random.integers(0, 2, rows // 10 + 1).repeat(10)[:rows], (0, rows), 5)
    predictions = (vectors[starts + 4] + random.standard_normal((len(starts), vectors.shape[1])) / 3).astype("f4")
    predictions[: len(starts) // 8] = 0
    got = score(predictions, vectors, starts, 5)
    expected = naive(predictions, vectors, starts)
    assert got.rank.tolist() == [rank for _, _, rank in expected]
    assert np.allclose(got.cosine_next, [c for c, _, _ in expected], atol=1e-6)
    assert np.allclose(got.cosine_last, [c for _, c, _ in expected], atol=1e-6)


def test_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, starts = walk(300), np.arange(295)
    predictions = walk(295, 5)
    whole = score(predictions, vectors, starts, 5)
    monkeypatch.setattr(scores, "ROWS", 7)
    pieces = score(predictions, vectors, starts, 5)
    assert np.array_equal(whole.rank, pieces.rank) and np.allclose(whole.cosine_next, pieces.cosine_next)


def test_the_true_next_vector_has_rank_one_and_the_length_does_not_matter() -> None:
    vectors, starts = walk(300), np.arange(295)
    perfect = score(100 * vectors[starts + 5], vectors, starts, 5)
    assert (perfect.rank == 1).all() and perfect.hit(1) == 1 and perfect.cosine == pytest.approx(1)
    assert perfect.margin == pytest.approx(1 - float(np.einsum("nd,nd->n", vectors[5:], vectors[4:-1]).mean()))


def test_copying_the_last_vector_is_not_beaten_by_its_own_context() -> None:
    """The last vector is itself a candidate of other windows; in its own window it must not count."""
    vectors, starts = walk(60), np.arange(55)
    echo = score(vectors[starts + 4], vectors, starts, 5)
    assert echo.margin < 0 and (echo.rank == 1).any()


def test_predictions_that_are_not_finite_are_refused() -> None:
    predictions = np.full((3, 24), np.nan, np.float32)
    with pytest.raises(ValueError, match="NaN"):
        score(predictions, walk(20), np.arange(3), 5)


def test_copies_and_near_copies_are_one_candidate() -> None:
    """A text told twice, the second time in near-copies: a perfect prediction is first, whichever telling it is of."""
    text = walk(60, 3, 48)
    vectors = np.concatenate([text, near(text, 0.99)])
    starts = np.concatenate([np.arange(55), 60 + np.arange(55)])
    group = np.tile(np.arange(60), 2)
    mixed = np.random.default_rng(0).standard_normal((len(starts), 48)).astype(np.float32)
    once = score(mixed[:55], text, starts[:55], 5)
    twice = score(mixed, vectors, starts, 5, group=group)
    assert twice.rank.max() <= once.rank.max() + 1 and (np.abs(twice.rank[:55] - once.rank) <= 1).all()
    other_telling = vectors[np.concatenate([starts[55:] + 5, starts[:55] + 5])]
    assert (score(other_telling, vectors, starts, 5, group=group).rank == 1).all()
    assert (score(other_telling, vectors, starts, 5).rank > 1).all()


def test_copies_of_the_context_are_no_candidates() -> None:
    text = walk(60, 3, 48)
    vectors = np.concatenate([text, text])
    starts = np.concatenate([np.arange(55), 60 + np.arange(55)])
    echo = vectors[starts + 4]
    alone = score(echo[:55], text, starts[:55], 5)
    copied = score(echo, vectors, starts, 5, group=np.tile(np.arange(60), 2))
    assert np.array_equal(copied.rank[:55], alone.rank)
    assert score(echo, vectors, starts, 5).hit(1) < copied.hit(1)
