"""What a campaign will be able to tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lvmtui.system.student import t_quantile
from lvmtui.verdict.power import Power, Prior, power


def test_the_smallest_change_is_found_four_times_in_five() -> None:
    """Simulated with the variances that were assumed."""
    prior = Prior(window=4.0, correlation=0.1, training=0.0)
    sizes = np.array([60, 5, 5, 20, 20, 20, 3, 40, 8, 8, 30, 12] * 3)
    found = power([sizes.tolist()], 10, prior=prior)
    assert found.smallest is not None
    random, share = np.random.default_rng(0), np.minimum(sizes, 10) / np.minimum(sizes, 10).sum()
    means = found.smallest + 4.0 * np.sqrt(0.1 + 0.9 / sizes) * random.normal(size=(20_000, len(sizes)))
    mean = means @ share
    error = np.sqrt((((means - mean[:, None]) * share) ** 2 / (1 - share)).sum(axis=1))
    told = np.abs(mean) > t_quantile(0.05, found.df) * error
    assert told.mean() == pytest.approx(0.8, abs=0.03)


def test_more_articles_tell_smaller_changes_and_seeds_help_where_seeds_are_the_noise() -> None:
    articles = [30] * 40
    few, many = power([articles], 20), power([articles * 4], 20)
    assert few.smallest and many.smallest and many.smallest < 0.6 * few.smallest
    assert few.with_seeds is None and "more seeds on the same articles gain little" in few.words
    noisy = power([articles], 20, prior=Prior(training=2.0))
    assert noisy.smallest and noisy.with_seeds and noisy.with_seeds < 0.9 * noisy.smallest
    assert f"with 2 seeds about {noisy.with_seeds:.2g} %" in noisy.words


def test_the_number_of_articles_that_is_named_reaches_the_target() -> None:
    found = power([[30] * 40], 20)
    assert found.target and found.times_articles
    enough = power([[30] * 40 * found.times_articles], 20)
    assert enough.smallest and enough.smallest <= found.target
    assert found.words.startswith(f"can detect a change of about {found.smallest:.2g} %; for {found.target:g} % about ")


def test_no_number_of_articles_is_named_where_seeds_are_the_noise() -> None:
    found = power([[30] * 40] * 3, 20, prior=Prior(training=0.3))
    assert found.smallest and found.times_articles is None and "times as many articles" not in found.words


def test_seeds_that_spare_articles_are_not_said_to_gain_little() -> None:
    """Three more seeds cut the articles needed from 29 to 7 times, and "gain little" stood beside it."""
    made = Power(2.1, 30.0, 40, 3, 1.0, 29, None, 7)
    assert "for 1 % about 29 times as many articles are needed; with 6 seeds about 7 times as many (" in made.words
    assert "gain little" in replace(made, times_with_seeds=25).words
    found, again = (power([[40] * 40], 20, seeds=seeds, prior=Prior(training=0.15)) for seeds in (3, 6))
    assert found.target == again.target and found.times_with_seeds == again.times_articles == 6
    assert found.times_articles == 11 and "; with 6 seeds about 6 times as many (" in found.words


def test_folds_judge_more_articles() -> None:
    one, three = power([[30] * 40], 20, seeds=3), power([[30] * 40] * 3, 20)
    assert one.smallest and three.smallest and three.smallest < 0.65 * one.smallest
    assert (three.seeds, three.clusters) == (3, 120)
    assert "; more seeds hold out more (if" in three.words
    assert "; --seeds 1 2 3 holds out up to 3 times as many (if" in replace(one, seeds_to_fold=3).words


def test_too_few_articles_tell_nothing_and_it_is_said_before_training() -> None:
    found = power([[500, 5, 5]], None)
    assert found.smallest is None
    assert found.words.startswith("can detect nothing: 3 held-out articles, some of them much longer than others,")
    equal = power([[30] * 3], 20)
    assert (
        equal.words.startswith("can detect nothing: 3 held-out articles are too few (2.0 degrees")
        and "give a larger file" in found.words
    )
    assert power([[30, 30, 30], [40]], 20).smallest is None
    with pytest.raises(ValueError, match="no held-out clusters"):
        power([], None)
