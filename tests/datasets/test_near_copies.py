"""Groups of vectors that are the same, against comparing everything with everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.datasets.near_copies import Groups, Part, any_near, choose_threshold, components, find_groups
from tests.datasets.making import near, quantised, walk


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def copies(vectors: np.ndarray, form: str) -> np.ndarray:
    if form == "int8":
        stored = quantised(vectors)
        return unit(stored["q"] * stored["scale"][:, None])
    if form == "one scale":  # the int8 of many programs: cosines go down to .9995
        scale = np.abs(vectors).max() / 127
        return unit(np.round(vectors / scale))
    return unit(vectors.astype(form) * (7 if form == "float64" else 1))


def chained(cosines: np.ndarray, same: float) -> np.ndarray:
    """Groups by walking along every pair that is the same: slow and obvious."""
    group = np.arange(len(cosines))
    while True:
        smallest = np.where(cosines >= same, group[None], len(group)).min(axis=1)
        if np.array_equal(smallest, group):
            return group
        group = smallest


def agrees(*parts: np.ndarray, same: float) -> Groups:
    found = find_groups([Part(part) for part in parts], same)
    everything = np.concatenate(parts).astype(np.float64)
    assert np.array_equal(np.concatenate(found.of), chained(everything @ everything.T, same))
    return found


@pytest.mark.parametrize("form", ["float16", "float64", "int8", "one scale"])
@pytest.mark.parametrize("dim", [24, 384])
def test_copies_are_found_in_any_form_and_order(form: str, dim: int) -> None:
    vectors, others = walk(1500, 1, dim), walk(1000, 2, dim)
    places = np.random.default_rng(0).permutation(1500)[:400]
    found = agrees(vectors, np.concatenate([others, copies(vectors[places], form)]), same=0.98)
    assert np.array_equal(found.of[1][1000:], places)
    assert found.facts.repeated == 400


@pytest.mark.parametrize("cosine", [0.9999, 0.9995, 0.999, 0.99, 0.97])
@pytest.mark.parametrize("scattered", [False, True])
def test_near_copies_stand_apart_from_neighbours(cosine: float, scattered: bool) -> None:
    vectors = walk(4000, 1, 96)
    places = np.random.default_rng(1).permutation(4000)[:60] if scattered else np.arange(700, 760)
    found = find_groups([Part(vectors), Part(np.concatenate([walk(500, 2, 96), near(vectors[places], cosine)]))])
    assert np.array_equal(found.of[1][500:], places)
    assert np.array_equal(found.of[0], np.arange(4000)) and np.array_equal(found.of[1][:500], 4000 + np.arange(500))
    assert found.facts.same == pytest.approx(0.98 if cosine > 0.98 else 0.965) and not found.facts.chosen_by_hand
    assert found.facts.near_copies == 2 * 60 or cosine == 0.9999, "at .9999 rounding decides whether they are equal"
    assert found.facts.natural is not None and found.facts.natural < 0.9


@pytest.mark.parametrize("cosine", [0.955, 0.94, 0.9])
def test_a_pile_below_the_threshold_is_told_and_natural_neighbours_are_not(cosine: float) -> None:
    vectors = walk(1500, 1, 48)
    assert find_groups([Part(vectors)]).facts.nearly is None
    facts = find_groups([Part(vectors), Part(near(vectors[:120], cosine))]).facts
    assert facts.same == 0.98 and facts.near_copies == 0 and facts.how == "the usual one"
    assert facts.nearly and facts.nearly.rows >= 100 and facts.nearly.lowest == pytest.approx(cosine, abs=1e-5)
    assert facts.nearly.others < 0.87 and facts.nearly.words.endswith(f"--same {cosine - 0.01:.2f} counts them as such")
    given = find_groups([Part(vectors), Part(near(vectors[:120], cosine))], cosine - 0.01).facts
    assert given.near_copies == 240 and given.nearly is None


def test_a_near_copy_counts_once_though_the_small_file_is_part_of_the_large_one() -> None:
    vectors = walk(400, 1, 96)
    small = np.concatenate([vectors, near(vectors[:1], 0.99)])
    facts = find_groups([Part(small), Part(np.concatenate([small, walk(500, 2, 96)]))], 0.98).facts
    assert facts.near_copies == 2 and facts.repeated == 402


@pytest.mark.parametrize("cosine", [0.975, 0.9799, 0.9801, 0.985])
def test_the_border_is_where_it_is_said_to_be(cosine: float) -> None:
    vectors = walk(300, 1, 48)
    found = find_groups([Part(vectors), Part(near(vectors, cosine))], 0.98)
    assert np.array_equal(found.of[1] < 300, np.full(300, cosine > 0.98))
    assert found.facts.chosen_by_hand


def test_crowds_of_nearly_equal_vectors_are_told_apart() -> None:
    random = np.random.default_rng(0)
    crowds = np.concatenate([walk(1, s, 32) + 0.02 * random.standard_normal((400, 32)) for s in range(3)])
    found = agrees(unit(crowds[:700]), unit(crowds[700:]), same=0.993)
    assert len(np.unique(np.concatenate(found.of))) > 3, "not everything is near to everything"


def test_a_vector_repeated_a_thousand_times_is_one() -> None:
    vectors = np.concatenate([walk(500, 1), np.repeat(walk(1, 9), 1000, axis=0), walk(500, 2)])
    found = find_groups([Part(vectors)])
    assert found.facts.repeated == 999 and set(found.of[0][500:1500]) == {500}


def test_neighbours_in_a_text_may_resemble_each_other() -> None:
    """Sentences embedded with the ones around them: near by nature, and a chain of them is the whole text."""
    steps = np.random.default_rng(0).standard_normal((300, 64)) + 0.0
    text = unit(np.cumsum(steps * 0.3, axis=0)[50:])
    assert (np.einsum("nd,nd->n", text[1:], text[:-1]) > 0.98).mean() > 0.5
    as_text = find_groups([Part(text, text_of=np.zeros(len(text), int))], 0.98)
    loose = find_groups([Part(text)], 0.98)
    assert len(np.unique(loose.of[0])) < len(np.unique(as_text.of[0]))
    repeated = np.repeat(text[:3], 4, axis=0)
    assert len(np.unique(find_groups([Part(repeated, text_of=np.zeros(12, int))], 0.98).of[0])) == 3


def test_the_negative_of_a_vector_is_not_the_same_but_is_counted() -> None:
    vectors = walk(400, 1, 48)
    found = find_groups([Part(vectors), Part(-vectors[100:150])])
    assert found.facts.negated == 100 and found.facts.repeated == 0


def test_where_natural_neighbours_reach_the_threshold_it_moves_up() -> None:
    random = np.random.default_rng(0)
    many = random.uniform(0.5, 0.99, 5000)
    assert choose_threshold(many) > 0.985
    assert choose_threshold(random.uniform(0.3, 0.9, 5000)) == 0.98
    few_lines = np.concatenate([random.uniform(0.3, 0.9, 5000), random.uniform(0.96, 0.98, 5)])
    assert choose_threshold(few_lines) == 0.98
    assert choose_threshold(np.full(100, 0.9995)) == 0.98


def test_only_some_rows_are_looked_at() -> None:
    vectors = walk(400)
    only = np.arange(100, 200)
    assert np.array_equal(any_near(vectors, only, vectors, 0.98), only)
    assert np.array_equal(any_near(vectors, only, near(vectors[150:300], 0.99), 0.98), np.arange(150, 200))
    assert not len(any_near(vectors, only, vectors[:0], 0.98)) and not len(any_near(vectors, only[:0], vectors, 0.98))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_components_are_what_pairs_connect(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(side, np.int64) for side in (zip(*pairs, strict=True) if pairs else ([], [])))
    connected = np.eye(20)
    connected[one, other] = connected[other, one] = 1
    assert np.array_equal(components(np.arange(20), one, other), chained(connected, 1))
