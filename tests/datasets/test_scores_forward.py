"""Figures that tell a prediction of the next vector from an echo and from a mean."""

from __future__ import annotations

import numpy as np
import pytest

from lvmtui.datasets.scores import followed, forward_scores
from tests.datasets.making import walk

VECTORS = walk(400, dim=32)
STARTS = np.concatenate([np.arange(0, 150), np.arange(200, 203), np.arange(300, 340)])
CLUSTER = np.repeat([0, 1, 2], [150, 3, 40])


def test_only_windows_that_four_more_follow_are_looked_at() -> None:
    assert np.array_equal(followed(STARTS, CLUSTER), np.concatenate([np.arange(146), np.arange(300, 336)]))
    order = np.random.default_rng(0).permutation(len(STARTS))
    assert np.array_equal(followed(STARTS[order], CLUSTER[order]), followed(STARTS, CLUSTER))
    split_in_two = np.where(np.arange(len(STARTS)) < 100, 7, CLUSTER)
    assert np.array_equal(followed(STARTS, split_in_two)[:120], np.r_[np.arange(96), np.arange(100, 124)])
    assert not len(followed(STARTS[150:153], CLUSTER[150:153]))
    assert forward_scores(lambda contexts: contexts[:, -1], VECTORS, STARTS[150:153], 5, CLUSTER[150:153]) is None


def test_an_echo_is_nearest_to_the_last_vector_and_keeps_repeating_it() -> None:
    found = forward_scores(lambda contexts: 3 * contexts[:, -1], VECTORS, STARTS, 5, CLUSTER)
    assert found is not None and found.windows == 182
    begins = followed(STARTS, CLUSTER)
    assert found.cosines[4] == pytest.approx(1) and int(np.argmax(found.cosines)) == 4
    for offset in range(8):
        truth = float((VECTORS[begins + 4] * VECTORS[begins + offset]).sum(axis=1).mean())
        assert found.cosines[offset] == pytest.approx(truth, abs=1e-5)
    for step in range(5):
        truth = float((VECTORS[begins + 4] * VECTORS[begins + 5 + step]).sum(axis=1).mean())
        assert found.rollout[step] == pytest.approx(truth, abs=1e-5)
    assert found.shuffled < found.cosines[5] - 0.1, "the last one is another"


def test_a_mean_does_not_care_for_order() -> None:
    found = forward_scores(lambda contexts: contexts.mean(axis=1), VECTORS, STARTS, 5, CLUSTER)
    assert found is not None and found.shuffled == pytest.approx(found.cosines[5], abs=1e-6)
    assert found.rollout[0] == found.cosines[5]


def test_who_knows_the_text_gains_at_the_next_vector_and_rolls_on() -> None:
    def knowing(contexts: np.ndarray) -> np.ndarray:
        last = np.argmax(contexts[:, -1] @ VECTORS.T, axis=1)
        return np.asarray(VECTORS[last + 1])

    found = forward_scores(knowing, VECTORS, STARTS, 5, CLUSTER)
    assert found is not None and int(np.argmax(found.cosines)) == 5
    assert found.rollout == pytest.approx([1] * 5, abs=1e-5)
