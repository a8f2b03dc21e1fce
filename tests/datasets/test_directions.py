"""Main directions are the same whichever way they are computed."""

from __future__ import annotations

import numpy as np
import pytest

from lvmtui.datasets import directions
from lvmtui.datasets.directions import main_directions


@pytest.mark.parametrize("rows", [12, 40, 300])
def test_both_ways_find_the_same_directions(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    random = np.random.default_rng(1)
    scales = np.concatenate([np.linspace(9, 5, 6), np.full(58, 0.1)])
    made = (random.standard_normal((rows, 64)) * scales).astype(np.float32)
    whole = main_directions(made, 6)
    monkeypatch.setattr(directions, "WIDE", 1)
    some = main_directions(made, 6)
    assert whole.shape == some.shape == (64, 6) and whole.dtype == some.dtype == np.float32
    assert np.allclose(some.T @ some, np.eye(6), atol=1e-5)
    assert np.allclose(np.abs((whole * some).sum(axis=0)), 1, atol=1e-3)
    assert np.array_equal(some, main_directions(made, 6))


def test_few_rows_give_few_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "WIDE", 1)
    assert main_directions(np.eye(5, 64, dtype=np.float32) + 0.1, 16).shape == (64, 4)
