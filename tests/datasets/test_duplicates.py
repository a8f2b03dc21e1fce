"""Equality by content against comparing everything with everything."""

from __future__ import annotations

import numpy as np
import pytest

from lvmtui.datasets.duplicates import COSINE, earlier_equal, equal_row
from tests.datasets.making import quantised, walk


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def copies(vectors: np.ndarray, form: str) -> np.ndarray:
    if form == "int8":
        stored = quantised(vectors)
        return unit(stored["q"] * stored["scale"][:, None])
    return unit(vectors.astype(form) * (7 if form == "float64" else 1))


def brute(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    return (rows.astype(np.float64) @ among.astype(np.float64).T) > COSINE


def agrees(rows: np.ndarray, among: np.ndarray) -> None:
    found, truth = equal_row(rows, among), brute(rows, among)
    assert np.array_equal(found >= 0, truth.any(axis=1))
    assert truth[np.flatnonzero(found >= 0), found[found >= 0]].all()


@pytest.mark.parametrize("form", ["float16", "float64", "int8"])
@pytest.mark.parametrize("dim", [3, 24, 384])
def test_copies_are_found_in_any_form_and_order(form: str, dim: int) -> None:
    vectors, others = walk(3000, 1, dim), walk(2000, 2, dim)
    places = np.random.default_rng(0).permutation(3000)[:700]
    agrees(vectors, np.concatenate([others, copies(vectors[places], form)]))
    found = equal_row(vectors, np.concatenate([others, copies(vectors[places], form)]))
    assert (found[places] >= 0).all()


@pytest.mark.parametrize("cosine", [0.99985, 0.999895, 0.999905, 0.99995])
def test_the_border_is_where_it_is_said_to_be(cosine: float) -> None:
    vectors, away = walk(600, 1, 48), walk(600, 2, 48)
    away = unit(away - np.einsum("nd,nd->n", away, vectors)[:, None] * vectors)
    turned = unit(cosine * vectors + np.sqrt(1 - cosine**2) * away)
    assert ((equal_row(vectors, turned) >= 0) == (cosine > COSINE)).all()


def test_crowds_of_nearly_equal_vectors_are_told_apart() -> None:
    """Everything within .02 of everything: no projection helps, only the full comparison decides."""
    random = np.random.default_rng(0)
    crowd = unit(walk(1, 1, 32) + 0.0016 * random.standard_normal((1500, 32)))
    truth = brute(crowd, crowd)
    assert 0.05 < truth.mean() < 0.95
    agrees(crowd[:700], crowd[700:])
    assert np.array_equal(earlier_equal(crowd) >= 0, np.tril(truth, -1).any(axis=1))


def test_a_vector_repeated_a_thousand_times_is_too_many_999_times() -> None:
    vectors = np.concatenate([walk(500, 1), np.repeat(walk(1, 9), 1000, axis=0), walk(500, 2)])
    earlier = earlier_equal(vectors)
    assert (earlier >= 0).sum() == 999
    again = np.flatnonzero(earlier >= 0)
    assert (earlier[again] < again).all() and np.array_equal(vectors[earlier[again]], vectors[again])


def test_only_some_rows_are_looked_at_and_nothing_equals_nothing() -> None:
    vectors = walk(400)
    only = np.arange(100, 200)
    assert np.flatnonzero(equal_row(vectors, vectors, only=only) >= 0).tolist() == only.tolist()
    assert (equal_row(vectors, vectors[:0]) == -1).all() and len(equal_row(vectors[:0], vectors)) == 0
