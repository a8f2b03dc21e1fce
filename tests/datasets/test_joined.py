"""Windows become the sequence behind them, whatever their length and stride."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.datasets.convert import Joined, convert
from tests.datasets.making import walk


def windows(vectors: np.ndarray, width: int, stride: int) -> np.ndarray:
    """(n, width, D) windows over a sequence."""
    return np.stack([vectors[first : first + width] for first in range(0, len(vectors) - width + 1, stride)])


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(2, 9),
    stride=st.integers(1, 9),
    lengths=st.lists(st.integers(9, 40), min_size=1, max_size=4),
    block=st.integers(1, 7),
)
def test_each_vector_is_kept_once(width: int, stride: int, lengths: list[int], block: int) -> None:
    pieces = [walk(length, seed=i, dim=3) for i, length in enumerate(lengths)]
    cut = [windows(piece, width, stride) for piece in pieces]
    every = np.concatenate(cut)
    joined = Joined(width)
    rows = np.concatenate(list(joined.rows(iter(every[i : i + block] for i in range(0, len(every), block)))))
    # what a person would expect: the part of each piece that windows cover; windows apart from each other stay apart
    if stride < width:
        expected = [piece[: (len(own) - 1) * stride + width] for piece, own in zip(pieces, cut, strict=True)]
    else:
        expected = list(every)
    assert np.array_equal(rows, np.concatenate(expected))
    kind, article_of, notes = joined.articles(len(rows), None)
    assert kind == ("sequence" if len(expected) == 1 else "pieces") and not notes
    if article_of is not None:
        assert article_of.tolist() == [i for i, piece in enumerate(expected) for _ in piece]


@pytest.mark.parametrize("context", [1, 3, 8])
def test_sequence_files_of_any_context_are_read(tmp_path: Path, context: int) -> None:
    vectors = walk(80)
    cut = windows(vectors, context + 1, 1)
    np.savez(tmp_path / "a.npz", context_sequences=cut[:, :-1], target_vectors=cut[:, -1])
    store = convert(tmp_path / "a.npz", tmp_path)
    assert np.allclose(store.vectors, vectors, atol=1e-6)
    assert (store.facts.kind, store.facts.file_context) == ("sequence", context)


@pytest.mark.parametrize("broken", [False, True])
def test_articles_of_windows_name_their_rows(tmp_path: Path, broken: bool) -> None:
    pieces = [walk(20, seed=i) for i in range(3)]
    cut = np.concatenate([windows(piece, 6, 1) for piece in pieces])
    ids = np.repeat([7, 2, 7 if broken else 9], 15)
    np.savez(tmp_path / "a.npz", context_sequences=cut[:, :5], target_vectors=cut[:, 5], article_ids=ids)
    store = convert(tmp_path / "a.npz", tmp_path)
    assert store.article_of is not None
    if broken:
        assert store.facts.kind == "pieces" and store.article_of.tolist() == [0] * 20 + [1] * 20 + [2] * 20
        assert any("3 pieces of 2 articles" in note for note in store.facts.notes)
    else:
        assert store.facts.kind == "articles" and store.article_of.tolist() == [7] * 20 + [2] * 20 + [9] * 20
