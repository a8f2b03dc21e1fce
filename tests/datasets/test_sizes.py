"""Nested subsets of one file: whole clusters, the same held-out windows for all sizes and seeds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmtui.datasets.arm import Arm, bundled_arms, file_arm
from lvmtui.datasets.draw import draw_sizes
from lvmtui.datasets.proof import prove
from lvmtui.datasets.sizes import APART, Subsets, asked_sizes, geometric
from lvmtui.datasets.split import Split, read_split
from lvmtui.datasets.windows import covered
from lvmtui.system.errors import UserError
from tests.datasets.making import library, save_articles

NAMES = ["baseline", "size2", "size3", "expanded"]


def drawn(arm: Arm, subsets: Subsets, seeds: tuple[int, ...] = (1, 2), *, folds: bool = False) -> tuple[Split, ...]:
    sizes = (300, 600, 1200, None)
    return draw_sizes(arm, lambda pool: sizes, subsets=subsets, seeds=seeds, seed=0, folds=folds)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """120 articles of 6 to 60 vectors."""
    folder = tmp_path_factory.mktemp("file")
    return file_arm("expanded", save_articles(folder / "large.npz", library(120)), folder)


@pytest.mark.parametrize("subsets", ["random", "file"])
def test_each_size_contains_the_smaller_ones_and_holds_whole_articles(file: Arm, subsets: Subsets) -> None:
    store = file.open()
    assert store.article_of is not None
    for split in drawn(file, subsets):
        assert list(split.arms) == NAMES
        before: set[int] = set()
        all_articles = store.article_of[split.expanded.train]
        for windows in split.arms.values():
            mine = set(windows.train.tolist())
            assert before < mine
            before = mine
            chosen = set(store.article_of[windows.train].tolist())
            # Every training window of an article is in, or none.
            assert len(windows.train) == int(np.isin(all_articles, list(chosen)).sum())


@pytest.mark.parametrize("subsets", ["random", "file"])
def test_all_sizes_and_seeds_share_held_out_and_validation_windows(file: Arm, subsets: Subsets, tmp_path: Path) -> None:
    splits = drawn(file, subsets)
    assert len(splits) == (2 if subsets == "random" else 1)
    assert len({split.heldout.fingerprint for split in splits}) == 1
    for number, split in enumerate(splits):
        for windows in split.arms.values():
            assert np.array_equal(windows.validation, splits[0].expanded.validation)
        folder = tmp_path / str(number)
        split.write(folder, tmp_path / "0" if number else None)
        again = read_split(folder)
        assert again.facts == split.facts and list(again.arms) == NAMES
        assert prove(folder, dict.fromkeys(NAMES, file.open())).holds


def test_another_seed_draws_other_articles_and_the_file_has_one_order(file: Arm) -> None:
    one, other = drawn(file, "random")
    assert not np.array_equal(one.arms["baseline"].train, other.arms["baseline"].train)
    assert np.array_equal(one.expanded.train, other.expanded.train)
    (first,) = drawn(file, "file")
    # The first so many: every article of the smallest size comes before what only the larger ones have.
    rest = np.setdiff1d(first.expanded.train, first.arms["baseline"].train)
    assert first.arms["baseline"].train.max() < rest.min()


def test_folds_hold_out_other_articles_for_each_seed(file: Arm) -> None:
    one, other = drawn(file, "random", folds=True)
    assert one.heldout.fingerprint != other.heldout.fingerprint
    assert one.facts.fold == 1 and other.facts.fold == 2


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 12).map(lambda n: 125 * n), min_size=2, max_size=6, unique=True),
    seed=st.integers(0, 9),
)
def test_a_size_comes_as_near_as_whole_articles_allow(file: Arm, sizes: list[int], seed: int) -> None:
    (split,) = draw_sizes(file, lambda pool: sorted(sizes), subsets="random", seeds=(seed,), seed=0)
    rows = file.open().facts.rows
    longest = 60
    for asked, windows in zip(sorted(sizes), split.arms.values(), strict=True):
        assert abs(int(covered(windows.train, rows, 5).sum()) - asked) <= longest


def test_a_size_of_the_bundled_vectors_reads_like_its_name(tmp_path: Path) -> None:
    _, whole = bundled_arms(tmp_path)
    (split,) = draw_sizes(whole, lambda pool: (2000, 8000, None), subsets="random", seeds=(1,), seed=0)
    vectors = [int(covered(arm.train, whole.vectors, 5).sum()) for arm in split.arms.values()]
    assert vectors[0] == pytest.approx(2000, abs=200) and vectors[1] == pytest.approx(8000, abs=200)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True), st.integers(1, 10**6))
def test_sizes_that_are_asked_for_are_sorted_or_refused(sizes: list[int], there: int) -> None:
    try:
        found = asked_sizes([*sizes[1:], None, sizes[0]], there)
    except UserError as error:
        assert "\n" not in str(error)
        close = any(b < APART * a for a, b in pairwise(sorted([*sizes, there])))
        assert max(sizes) > there or close
    else:
        assert list(found) == [*sorted(sizes), None]


def test_geometric_sizes_end_with_all_and_keep_their_distance() -> None:
    found = geometric(5, 16_000, 1_000, of=20_000, context=5)
    assert found == (1_000, 2_000, 4_000, 8_000, None)
    with pytest.raises(UserError, match="too close"):
        geometric(12, 2_000, 1_500, of=2_500, context=5)
    with pytest.raises(UserError, match="smallest size that can be trained") as caught:
        geometric(3, 500, 1_000, of=2_541, context=6)
    assert "of 2,541 vectors 500 are left" in str(caught.value) and "too short for a context of 6" in str(caught.value)
    assert "longer articles, a shorter --context" in str(caught.value)
