"""Which comparisons a campaign has, and whether they still hold. Read without numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from statistics import fmean

from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.learning_curve import read_learning_curve
from lvmtui.formats.results import METRIC, VERSION, Comparison, read_comparison
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.state.campaign_reader import CampaignState, RunView
from lvmtui.system.files import sealed_digest
from lvmtui.system.filesystem import Signature, signature
from lvmtui.system.text import grouped

REVISION = 7
"""Increased when a comparison gains figures: older files are then recomputed from the same scores."""
CURVE_REVISION = 4
"""The revision of `learning_curve.json`, increased likewise."""
REMAKES = 3
"""Most times that a result is made at once. It is made again where runs have ended meanwhile: another process may have
written a newer one, which it has then replaced by an older one."""


Pairs = tuple[tuple[int, RunView, RunView], ...]  # each seed whose two runs have finished, and the runs


def complete_pairs(state: CampaignState, model: str) -> Pairs:
    """A model's runs on the baseline and on the expanded arm."""
    return _finished_pairs(state, (model, "baseline"), (model, "expanded"))


def context_pairs(state: CampaignState, model: str, arm: ArmName) -> Pairs:
    """A model's runs with the next shorter context, and its own."""
    shorter = state.campaign.with_shorter(model)
    return _finished_pairs(state, (shorter, arm), (model, arm)) if shorter else ()


def _finished_pairs(state: CampaignState, first: tuple[str, ArmName], second: tuple[str, ArmName]) -> Pairs:
    """The pairs. One that scored exactly as that of an earlier seed is no other training, and counts once with it."""
    pairs: dict[object, tuple[int, RunView, RunView]] = {}
    for seed in state.campaign.seeds:
        a, b = state.view(*first, seed), state.view(*second, seed)
        if a and b and a.finished and b.finished:
            digests = a.finished.heldout_digest, b.finished.heldout_digest
            pairs.setdefault(digests if all(digests) else seed, (seed, a, b))
    return tuple(pairs.values())


def repeated_seeds(state: CampaignState, model: str) -> tuple[int, ...]:
    """The seeds that scored exactly as an earlier one did: its program does not use the seed, or nothing is random."""
    counted = {seed for seed, *_ in complete_pairs(state, model)}
    rest = [seed for seed in state.campaign.seeds if seed not in counted]
    views = ((seed, [state.view(model, arm, seed) for arm in ARMS]) for seed in rest)
    return tuple(seed for seed, pair in views if all(view and view.finished for view in pair))


def same_scores(state: CampaignState, model: str) -> tuple[str, ...]:
    """The models behind this one in the plan that scored exactly as it did, over all seeds."""
    mine, *behind = (
        (one, [v.finished.heldout_digest for _, *pair in complete_pairs(state, one) for v in pair if v.finished])
        for one in state.campaign.models[state.campaign.models.index(model) :]
    )
    return tuple(other for other, digests in behind if any(digests) and digests == mine[1])


def trivial_by_run(state: CampaignState) -> dict[str, TrivialBaselines | None]:
    """The trivial baselines of each run (its arm, fold and context) by its name. Reads a small file for each."""
    scores, campaign = state.dir.baseline_scores, state.campaign
    planned = [view.planned for view in state.runs]
    paths = {p.run: scores(p.arm, campaign.fold_of(p.seed), campaign.shorter(p.model)) for p in planned}
    documents = {path: find_document(TrivialBaselines, path) for path in dict.fromkeys(paths.values())}
    return {run: documents[path] for run, path in paths.items()}


def context_means(state: CampaignState, trivial: Mapping[str, TrivialBaselines | None]) -> dict[ArmName, float]:
    """Validation cosine of the context mean by arm, averaged over folds.

    Arms where it is unknown are left out. Empty for a campaign of several contexts.
    """
    known = ((v.planned.arm, t.validation_mean) for v in state.runs if (t := trivial.get(v.planned.run)))
    by_arm = grouped(known if not state.campaign.contexts else ())
    return {arm: fmean(by_arm[arm]) for arm in ARMS if arm in by_arm}


def inputs_of(state: CampaignState, model: str) -> str:
    """sha256 over everything a comparison is made from: the checksums the runs logged, and the trivial baselines."""
    version = f"comparison {VERSION}.{REVISION} metric {METRIC}"
    digest = hashlib.sha256(f"{version} {state.campaign.split_fingerprint}\n".encode())
    compared = [complete_pairs(state, model), *(context_pairs(state, model, arm) for arm in ARMS)]
    for seed, *views in (pair for pairs in compared for pair in pairs):
        for view in views:
            assert view.finished, "only finished runs make pairs"
            digest.update(f"{seed} {view.planned.run} {view.finished.heldout_digest}\n".encode())
    return _with_baselines(digest, state)


def _with_baselines(digest: hashlib._Hash, state: CampaignState) -> str:
    """The digest in hex, after the documents of the trivial baselines, of all arms and every fold and context."""
    campaign = state.campaign
    for context, fold, arm in product((*campaign.contexts[:-1], 0), campaign.fold_numbers, campaign.arms):
        try:
            digest.update(state.dir.baseline_scores(arm, fold, context).read_bytes())
        except OSError:
            digest.update(b"none\n")
    return digest.hexdigest()


def is_current(state: CampaignState, model: str) -> bool:
    """True if the model's comparison exists and was made from the runs as they are now. Reads three small files."""
    comparison = read_comparison(state.dir.comparison(model))
    return comparison is not None and comparison.inputs == inputs_of(state, model)


def curve_inputs(state: CampaignState) -> str:
    """sha256 over everything the curves are made from: what has become of each run, and the trivial baselines."""
    digest = hashlib.sha256(f"curve {CURVE_REVISION} {state.campaign.split_fingerprint}\n".encode())
    for view in state.runs:
        told = view.finished.heldout_digest if view.finished else view.status.phase.value
        digest.update(f"{view.planned.run} {told}\n".encode())
    return _with_baselines(digest, state)


def curve_is_current(state: CampaignState) -> bool:
    """True if the learning curve was made from the runs as they are now, or the campaign has none."""
    if not state.campaign.between or not state.campaign.heldout_windows:
        return True
    found = read_learning_curve(state.dir.learning_curve)
    return found is not None and found.inputs == curve_inputs(state)


def read_comparisons(state: CampaignState) -> dict[str, Comparison]:
    """The comparisons, by model, that exist and still hold for the runs."""
    found = {model: read_comparison(state.dir.comparison(model)) for model in state.campaign.models}
    return {model: comparison for model, comparison in found.items() if comparison and still_true(comparison, state)}


@lru_cache(maxsize=4096)
def scores_fault(scores: Path, logged: str, seen: Signature) -> str:
    """Why a run's `heldout.npz` is not the file whose checksum it logged, in words; empty: it is. Kept as long as the
    file is as it was `seen`, because a screen asks again and again."""
    if not scores.exists():
        return f"{scores.name} is missing"
    return "" if sealed_digest(scores) == logged else f"{scores.name} is not the file the run wrote"


def lost_scores(state: CampaignState) -> tuple[str, ...]:
    """A doubt where the scores of a run are no longer what it wrote, and was compared by."""
    told = [(v.folder.heldout, v.finished.heldout_digest, v.planned.run) for v in state.runs if v.finished]
    lost = ", ".join(run for file, digest, run in told if digest and scores_fault(file, digest, signature(file)))
    words = f"heldout.npz of {lost} was removed or changed since it was written; restore it from a copy"
    return (f"{words}, or do not rely on what was compared by it.",) if lost else ()


def still_true(comparison: Comparison, state: CampaignState) -> bool:
    """False if a run it was made from has been started again since. Runs whose folders are gone still count."""
    views = {view.planned.run: view for view in state.runs}
    made_from = {pair.baseline_run: pair.baseline_digest for pair in comparison.pairs}
    made_from |= {pair.expanded_run: pair.expanded_digest for pair in comparison.pairs}
    return all(
        (view := views.get(run)) and (not view.state or (view.finished and view.finished.heldout_digest == digest))
        for run, digest in made_from.items()
    )
