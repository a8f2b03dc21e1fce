"""Centring and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lvmtui.datasets.centre import Centre, centre_of
from lvmtui.system.errors import UserError
from tests.datasets.making import walk
from trainers.data import on_device
from trainers.state import InFileSpace


def shifted(rows: int, share: float = 1.5, seed: int = 0) -> np.ndarray:
    """Unit rows that have a large mean in common, and numbers that vary unequally."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(24)
    vectors = walk(rows, seed) * rng.uniform(0.2, 3, 24) + share * common / np.linalg.norm(common)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("by", ["mean", "median"])
def test_every_unit_row_is_found_again(by: str) -> None:
    vectors = shifted(2000)
    centre = centre_of(vectors[:1000], by)
    there = centre(vectors)
    assert np.allclose(np.linalg.norm(there, axis=1), 1, atol=1e-6)
    assert np.abs(centre.back(there) - vectors).max() < 1e-5
    assert np.abs(centre.back(7 * there) - vectors).max() < 1e-5  # the length of a prediction means nothing
    windows = vectors[:60].reshape(10, 6, 24)
    assert np.array_equal(centre(windows).reshape(60, 24), centre(vectors[:60]))


def test_neighbours_with_a_mean_in_common_are_less_alike_once_it_is_gone() -> None:
    vectors = shifted(2000, share=3.0)
    centre = centre_of(vectors, "mean")

    def cosines(rows: np.ndarray, lag: int) -> float:
        return float((rows[lag:] * rows[:-lag]).sum(axis=1).mean())

    assert cosines(vectors, 1) > 0.8 and cosines(vectors, 500) > 0.6  # rows far apart look alike too
    assert cosines(centre(vectors), 1) < 0.7 and abs(cosines(centre(vectors), 500)) < 0.05


def test_a_number_that_never_changes_is_not_blown_up() -> None:
    vectors = shifted(500)
    vectors[:, 3] = 0.25 + 1e-7 * np.random.default_rng(0).standard_normal(500)
    for by in ("mean", "median"):
        assert np.abs(centre_of(vectors, by)(vectors)[:, 3]).max() < 1e-3


@pytest.mark.parametrize(
    ("rows", "by"),
    [
        (np.tile(np.eye(1, 8, dtype=np.float32), (9, 1)), "mean"),
        (np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 0, 0, 1, 2]], "median"),
    ],
)
def test_rows_without_a_centre_are_refused(rows: np.ndarray, by: str) -> None:
    with pytest.raises(UserError, match=f"--centre {by}: "):
        centre_of(rows, by)


def test_tensors_are_centred_as_arrays_are() -> None:
    vectors = shifted(100)
    centre = centre_of(vectors, "mean")
    centred = on_device(centre, torch.device("cpu"))
    assert centred is not None and on_device(None, torch.device("cpu")) is None
    assert np.abs(centred(torch.from_numpy(vectors)).numpy() - centre(vectors)).max() < 1e-6


def test_a_model_of_the_centred_space_serves_the_space_of_the_file() -> None:
    class Echo(torch.nn.Module):
        def forward(self, context: torch.Tensor) -> torch.Tensor:
            return 3 * context[:, -1]

    vectors = shifted(60)
    model = InFileSpace(Echo(), centre_of(vectors, "median"))
    contexts = torch.from_numpy(vectors.reshape(12, 5, 24))
    assert torch.allclose(model(contexts), contexts[:, -1], atol=1e-5)


def test_the_centre_of_a_file_does_not_depend_on_how_many_rows_are_taken_at_a_time() -> None:
    vectors = shifted(300)
    centre = Centre(np.full(24, 0.1, np.float32), np.linspace(0.5, 2, 24, dtype=np.float32))
    assert np.array_equal(centre(vectors), np.concatenate([centre(vectors[i : i + 7]) for i in range(0, 300, 7)]))
