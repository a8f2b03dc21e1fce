"""The average over models and the level of single ones, against definitions and known values."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.results import ALPHA, read_comparison
from lvmtui.verdict.average import correlations, estimate_of, joint_level, loadings
from lvmtui.verdict.compare import compare
from lvmtui.verdict.interval import Design
from lvmtui.verdict.ranking import table_of
from tests.verdict.scenes import finished, state_of


def equal(models: int, r: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(1.0 if i == j else r for j in range(models)) for i in range(models))


def test_the_average_is_what_averaged_windows_give() -> None:
    random = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), random.integers(1, 60, 30))
    models = [random.normal(0.5, 1, len(cluster)) for _ in range(4)]
    design = Design([cluster], cap=20)
    found = estimate_of([design.effects([scores]) for scores in models])
    direct = design.estimate([np.mean(models, axis=0)])
    assert found.value == pytest.approx(direct.value)
    assert found.standard_error == pytest.approx(direct.standard_error)
    assert (found.df, found.clusters, found.windows) == (pytest.approx(direct.df), 30, len(cluster))


def test_seeds_of_different_models_are_independent() -> None:
    design = Design([np.arange(40)])
    scores = [np.linspace(0, 1, 40)]
    seeds = [np.array([0.1, 0.2, 0.6])]
    one, many = (estimate_of([design.effects(scores, seeds)] * n) for n in (1, 5))
    clusters = design.estimate(scores).standard_error
    assert one.standard_error and many.standard_error and clusters
    assert many.standard_error**2 - clusters**2 == pytest.approx((one.standard_error**2 - clusters**2) / 5)


def test_correlations_are_those_of_the_clusters() -> None:
    random = np.random.default_rng(1)
    cluster = np.repeat(np.arange(400), 5)
    common = np.repeat(random.normal(0, 1, 400), 5)
    own = [np.repeat(random.normal(0, 0.5, 400), 5) for _ in range(2)]
    design = Design([cluster])
    found = correlations([design.effects([common + o]) for o in own])
    assert found[0][1] == found[1][0] == pytest.approx(0.8, abs=0.05) and found[0][0] == 1.0


@pytest.mark.parametrize(("models", "r"), [(2, 0.5), (5, 0.9), (5, 0.0), (8, 0.5)])
def test_the_joint_level_is_the_one_that_simulation_gives(models: int, r: float) -> None:
    random = np.random.default_rng(2)
    drawn = np.sqrt(r) * random.normal(size=(400_000, 1)) + np.sqrt(1 - r) * random.normal(size=(400_000, models))
    critical = float(np.quantile(np.abs(drawn).max(axis=1), 1 - ALPHA))
    assert joint_level(equal(models, r)) == pytest.approx(math.erfc(critical / math.sqrt(2)), rel=0.03)


def test_independent_models_have_the_level_of_sidak_and_equal_ones_their_own() -> None:
    assert joint_level(equal(5, 0.0)) == pytest.approx(1 - 0.95 ** (1 / 5), rel=1e-3)
    assert joint_level(equal(5, 1.0)) == pytest.approx(ALPHA, rel=0.2)
    assert joint_level(equal(1, 1.0)) == ALPHA


@given(st.integers(2, 7), st.integers(0, 10_000))
@settings(deadline=None)
def test_no_pair_is_taken_for_more_alike_than_it_is(models: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    found = np.corrcoef(random.normal(size=(models, models + 1)) + 2 * random.normal(size=(1, models + 1)))
    matrix = tuple(tuple(row) for row in np.atleast_2d(found))
    load = loadings(matrix)
    assert all(0 <= value < 1 for value in load)
    for i in range(models):
        for j in range(i):
            assert load[i] * load[j] <= max(0.0, matrix[i][j]) + 1e-9
    assert 1 - 0.95 ** (1 / models) - 1e-4 <= joint_level(matrix) <= ALPHA + 1e-6


def test_a_model_unlike_the_others_hardly_widens_their_intervals() -> None:
    alike = equal(4, 0.9)
    odd = (*((*row, 0.05) for row in alike), (0.05, 0.05, 0.05, 0.05, 1.0))
    assert 0.5 * joint_level(alike) < joint_level(odd) < joint_level(alike)


def test_changes_on_different_clusters_are_not_averaged() -> None:
    one = Design([np.arange(10)]).effects([np.arange(10.0)])
    other = Design([np.arange(11)]).effects([np.arange(11.0)])
    with pytest.raises(ValueError, match="same clusters"):
        estimate_of([one, other])


def test_the_training_noise_of_unweighted_changes_is_known_from_all_models_too(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52)})
    found, folds = {}, {}
    for model, apart in (("amn", 0.0), ("gru", 1.0)):  # of one model the folds agree by chance
        assert compare(workspace.campaign(campaign.id), model)
        made = read_comparison(workspace.campaign(campaign.id).comparison(model))
        assert made and made.effects
        whole = made.effects
        fold, change = tuple(i % 2 for i in range(len(whole.fold))), (whole.value - apart, whole.value + apart)
        folds[model] = replace(whole, fold=fold, share=(0.5, 0.5), change=change, training=0.0)
        alone = estimate_of([folds[model]])
        found[model] = replace(made, unweighted=alone, unweighted_effects=folds[model])
    table = table_of(state_of(workspace, campaign), found, {}, {})
    told = {row.model: row.unweighted for row in table.rows}
    assert told == {model: estimate_of([e], list(folds.values())) for model, e in folds.items()}
    assert told["amn"] and told["amn"].from_training > 0 == estimate_of([folds["amn"]]).from_training


def test_a_model_that_lacks_a_fold_takes_the_average_from_no_other(tmp_path: Path) -> None:
    changes = {"amn": (0.5189, 0.5269), "gru": (0.51, 0.52), "lstm": (0.51, 0.515)}
    workspace, campaign = finished(tmp_path, changes)
    found, folds = {}, {}
    for model in campaign.models:
        assert compare(workspace.campaign(campaign.id), model)
        made = read_comparison(workspace.campaign(campaign.id).comparison(model))
        assert made and made.effects and made.baseline and made.expanded
        trivial = {"recency_mean": 0.49 if model == "amn" else 0.48}
        arms = (replace(scores, trivial=trivial) for scores in (made.baseline, made.expanded))
        made = replace(made, baseline=next(arms), expanded=next(arms))
        assert made.effects
        found[model] = made
        if model != "amn":
            fold, value = tuple(i % 2 for i in range(len(made.effects.fold))), made.effects.value
            folds[model] = replace(made.effects, fold=fold, share=(0.5, 0.5), change=(value, value), training=0.0)
            found[model] = replace(made, effects=folds[model])
    table = table_of(state_of(workspace, campaign), found, {}, {})
    assert table.primary and table.primary.models == ("gru", "lstm")
    assert table.primary.estimate == estimate_of(list(folds.values()), list(folds.values()))
    amn = table.row("amn")
    assert amn and amn.estimate == found["amn"].change and amn.rank
    assert [(row.name, row.baseline, row.expanded) for row in table.trivial] == [("recency_mean", 0.48, 0.48)], "theirs"
    assert table.tested == 3 and table.level == pytest.approx(joint_level(equal(3, 0.0)))
