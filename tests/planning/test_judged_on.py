"""What a campaign will be able to tell, by the variances of an earlier one on the same data."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import Comparison, read_comparison
from lvmtui.planning.judged_on import folds_by_default, prior_for, prior_of
from lvmtui.planning.options import Options
from lvmtui.report.make import compare_model
from lvmtui.verdict.power import Prior, variance_of_articles
from tests.verdict.scenes import finished

LENGTHS = [[12, 30, 7, 45, 20, 9, 3, 60]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Campaign, list[Comparison]]:
    """A finished campaign of two models and three seeds with its comparisons."""
    workspace, campaign = finished(tmp_path_factory.mktemp("w"), {"amn": (0.52, 0.53), "gru": (0.52, 0.525)})
    folder = workspace.campaign(campaign.id)
    for model in campaign.models:
        compare_model(folder, model)
    known = [c for model in campaign.models if (c := read_comparison(folder.comparison(model)))]
    folder.split.mkdir(exist_ok=True)
    cluster = np.repeat(np.arange(len(LENGTHS[0]), dtype=np.int32), LENGTHS[0])
    with (folder.split / "heldout_windows.npz").open("wb") as file:
        np.savez(file, cluster=cluster, stratum=(cluster % 2).astype(np.uint8))
    return workspace, campaign, known


def test_the_variances_are_those_that_were_seen(judged: tuple[Workspace, Campaign, list[Comparison]]) -> None:
    _, campaign, comparisons = judged
    prior = prior_of(comparisons, LENGTHS, campaign)
    assert prior and prior.source == f"campaign {campaign.id}"
    words = "but between seeds as with the bundled vectors"
    assert replace(prior, training=Prior.training).source == f"campaign {campaign.id}, {words}"
    effects = [c.effects for c in comparisons if c.effects]
    articles = fmean(math.fsum(i * i for i in e.influence) for e in effects)
    failed = [replace(comparison, unfit=("failed to learn",)) for comparison in comparisons]
    assert prior_of(failed, LENGTHS, campaign) is None and prior_of([*failed, *comparisons], LENGTHS, campaign) == prior
    assert variance_of_articles(LENGTHS, campaign.cluster_cap, prior) == pytest.approx(articles)
    assert prior.training**2 / len(campaign.seeds) == pytest.approx(fmean(e.training for e in effects))


def test_a_campaign_on_the_same_data_recipe_and_size_counts(
    judged: tuple[Workspace, Campaign, list[Comparison]], tmp_path: Path
) -> None:
    workspace, campaign, comparisons = judged
    assert prior_for(campaign, workspace) == prior_of(comparisons, LENGTHS, campaign)
    assert prior_for(replace(campaign, recipe="another"), workspace) == Prior()
    assert prior_for(replace(campaign, judge_on="new"), workspace).campaign, "another population of the same data"
    assert prior_for(campaign, Workspace(tmp_path)) == Prior() and Prior().source == "the bundled vectors"


def test_folds_are_usual_where_several_models_show_how_uneven_training_is() -> None:
    five, one = Options(seeds=(1, 2)), Options(models=("amn",), seeds=(1, 2, 3))
    assert folds_by_default(five) and not folds_by_default(one)
    assert not folds_by_default(Options()) and folds_by_default(replace(one, seeds=(1, 2, 3, 4, 5)))
    assert not folds_by_default(replace(five, arms="expanded"))
