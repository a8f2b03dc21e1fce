"""Which held-out articles a verdict will be about, and what they will be able to tell."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.split import Split
from lvmtui.formats.campaign import Campaign, read_campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import POPULATIONS, STRATA, Comparison, Population, read_comparison
from lvmtui.formats.spec import ARMS
from lvmtui.planning.options import Options
from lvmtui.system.errors import UserError
from lvmtui.verdict.caveats import FOLD_DF
from lvmtui.verdict.power import Power, Prior, power, variance_of_articles

LEARNED_FROM = 10
"""So many of the newest campaigns are looked at for what they have shown."""


def folds_by_default(options: Options) -> bool:
    """True if each seed should hold out articles of its own where nothing else was asked for: if there are enough
    models and seeds to see how uneven training is (`verdict.caveats.FOLD_DF`)."""
    return options.arms == "both" and len(options.models) * (len(options.seeds) - 1) >= FOLD_DF


def seeds_to_fold(options: Options) -> int:
    """How many seeds it takes, three at least, for each to hold out articles of its own; 0: it is so, or never will."""
    if options.folds is not None or options.sizes or options.arms != "both" or folds_by_default(options):
        return 0
    return max(3, 1 + math.ceil(FOLD_DF / len(options.models)))


def population_of(options: Options, splits: Sequence[Split]) -> Population:
    """The held-out articles that `--judge-on` names. Raises UserError where there are none."""
    judge_on: Population = next(one for one in POPULATIONS if one == options.judge_on)
    if not any(held_out_lengths(split, judge_on) for split in splits):
        which = "comes from the small file" if judge_on == "own" else "is in the large file alone"
        raise UserError(f"--judge-on {judge_on}: no held-out article {which}; leave the option out")
    return judge_on


def _lengths_of(cluster: npt.NDArray[np.integer], stratum: npt.NDArray[np.integer], judge_on: Population) -> list[int]:
    """Windows of each held-out article that judges, from article and source of every window, both (W,)."""
    chosen = cluster if judge_on == "both" else cluster[stratum == STRATA.index(judge_on)]
    lengths: list[int] = np.unique(chosen, return_counts=True)[1].tolist()
    return lengths


def held_out_lengths(split: Split, judge_on: Population) -> list[int]:
    """Windows of each held-out article that judges."""
    return _lengths_of(split.heldout.cluster, split.heldout.stratum, judge_on)


def power_of(campaign: Campaign, splits: Sequence[Split], workspace: Workspace) -> Power:
    """What each model's verdict will be able to tell; by the variances of an earlier campaign here, if there is one."""
    lengths = [fold for split in splits if (fold := held_out_lengths(split, campaign.judge_on))]
    return power(lengths, campaign.cluster_cap, seeds=len(campaign.seeds), prior=prior_for(campaign, workspace))


def prior_for(campaign: Campaign, workspace: Workspace) -> Prior:
    """From the newest campaign here on the same data, recipe and size that has comparisons; else the bundled one's."""
    for folder in reversed(workspace.campaign_dirs()[-LEARNED_FROM:]):
        try:
            earlier = read_campaign(folder.campaign)
        except UserError:
            continue
        if _nature(earlier) == _nature(campaign):
            found = [c for model in earlier.models if (c := read_comparison(folder.comparison(model)))]
            folds = earlier.fold_numbers if earlier.folds else earlier.fold_numbers[:1]
            lengths = [_lengths(folder.split_of(fold), earlier.judge_on) for fold in folds]
            if prior := prior_of(found, [fold for fold in lengths if fold], earlier):
                return prior
    return Prior()


def _nature(campaign: Campaign) -> tuple[object, ...]:
    """Equal for campaigns whose scores vary alike: the same data, space, recipe and size of models."""
    data = [campaign.arm(arm).data.fingerprint for arm in ARMS]
    return campaign.recipe, campaign.size, campaign.centre and campaign.centre.by, data


def prior_of(comparisons: Sequence[Comparison], lengths: Sequence[Sequence[int]], earlier: Campaign) -> Prior | None:
    """The variances that these comparisons show, mean over the models compared fairly; None where they show none.

    A window's deviation is chosen so that the articles' part of the variance is as large as it was, the share between
    articles staying the usual one. Seeds are known where several of them shared their windows.
    """
    effects = [c.effects for c in comparisons if c.effects and c.effects.cluster_df > 0 and not (c.unfit or c.failed)]
    if not effects or not lengths:
        return None
    usual = Prior()
    articles = fmean(math.fsum(i * i for i in e.influence) for e in effects)
    expected = variance_of_articles(lengths, earlier.cluster_cap, usual)
    seeds = len(earlier.seeds) if not earlier.folds else 1
    training = math.sqrt(fmean(e.training for e in effects) * seeds) if seeds > 1 else usual.training
    if not articles > 0 or not expected > 0:
        return None
    return Prior(usual.window * math.sqrt(articles / expected), usual.correlation, training, earlier.id)


def _lengths(split: Path, judge_on: Population) -> list[int]:
    """Windows of each held-out article that judged; none where the split cannot be read."""
    try:
        with np.load(split / "heldout_windows.npz", allow_pickle=False) as arrays:
            return _lengths_of(arrays["cluster"], arrays["stratum"], judge_on)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile):
        return []
