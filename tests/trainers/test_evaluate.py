"""Ranks on a device are the ranks of the definition."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from lvmtui.datasets.scores import score
from tests.datasets.making import walk
from trainers import evaluate
from trainers.evaluate import counting

CPU = torch.device("cpu")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_equal_to_numpys(seed: int, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(evaluate, "available", lambda: False)
    random = np.random.default_rng(seed)
    vectors = walk(900, seed)
    vectors[random.integers(0, 900, 200)] = vectors[7]  # ties
    starts = np.sort(random.choice(895, 700, replace=False))
    predictions = (vectors[starts + 4] + random.standard_normal((700, vectors.shape[1])) / 3).astype("f4")
    ours = score(predictions, vectors, starts, 5, lambda candidates: counting(candidates, CPU))
    theirs = score(predictions, vectors, starts, 5)
    assert np.array_equal(ours.rank, theirs.rank) and len(set(ours.rank.tolist())) > 50
    assert np.array_equal(ours.cosine_next, theirs.cosine_next)


def test_products_of_ranks_are_whole_and_training_goes_on_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    usual = torch.Tensor.__matmul__

    def watched(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_float32_matmul_precision())
        return usual(a, b)

    monkeypatch.setattr(evaluate, "available", lambda: False)
    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    torch.set_float32_matmul_precision("high")
    try:
        count = counting(walk(50), CPU)
        assert count(walk(50)[:5], np.arange(5), np.full((5, 5), -1)).shape == (5,)
        assert seen == ["highest"] and torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize(("seconds", "asked"), [(1e-4, evaluate.WARM_UP + evaluate.QUERIES), (2.0, 3)])
def test_a_slow_model_is_timed_for_five_seconds(monkeypatch: pytest.MonkeyPatch, seconds: float, asked: int) -> None:
    now, calls = 0.0, 0

    class Model(torch.nn.Module):
        def forward(self, context: torch.Tensor) -> torch.Tensor:
            nonlocal now, calls
            now, calls = now + seconds, calls + 1
            return context

    for clock in ("perf_counter", "thread_time"):
        monkeypatch.setattr(f"trainers.evaluate.time.{clock}", lambda: now)
    assert evaluate.latency(Model(), torch.zeros(1, 5, 3)) == pytest.approx((1e3 * seconds, 1e3 * seconds))
    assert calls == asked


def test_waiting_for_a_core_is_no_latency() -> None:
    class Waits(torch.nn.Module):
        def forward(self, context: torch.Tensor) -> torch.Tensor:
            time.sleep(0.1)
            return context

    assert max(evaluate.latency(Waits(), torch.zeros(1, 5, 3))) < 50
