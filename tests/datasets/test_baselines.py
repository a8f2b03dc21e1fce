"""Trivial baselines against their definitions, and the process that leaves them in a campaign."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from lvmtui.datasets import fits
from lvmtui.datasets.arm import Arm
from lvmtui.datasets.baselines import main, measure, read_baselines
from lvmtui.datasets.convert import convert
from lvmtui.datasets.fits import STRENGTHS, fit_ridge, mean_target, means, recency_weights
from lvmtui.datasets.scores import score, unit
from lvmtui.datasets.split import Split
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import gather
from lvmtui.formats.campaign import ArmFacts, Campaign, write_campaign
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.verdict.words import TRIVIAL_TITLES
from tests.datasets.making import arms, draw_split, library, save_articles, save_sequence, walk

ARTICLES = library(60)
RECENCY = np.full(5, 0.2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return convert(save_articles(tmp_path / "a.npz", ARTICLES), tmp_path)


def halves(store: Store) -> tuple[np.ndarray, np.ndarray]:
    starts = store.window_starts(5)
    return starts[: len(starts) // 2], starts[len(starts) // 2 :]


def test_recency_weights_are_the_nearest_mixture(store: Store) -> None:
    train, _ = halves(store)
    weights = recency_weights(store, train, 5)
    assert weights.sum() == pytest.approx(1) and (weights > 0).all() and weights[4] == weights.max()
    contexts, targets = gather(store.vectors, train, 5)

    def distance(mixture: np.ndarray) -> float:
        mixed = np.einsum("nad,a->nd", contexts, mixture).astype(np.float64)
        scale = (mixed * targets).sum() / (mixed**2).sum()
        return float(((scale * mixed - targets) ** 2).sum())

    random = np.random.default_rng(0)
    nearest = distance(weights)
    assert all(nearest <= distance(random.dirichlet(np.ones(5))) for _ in range(200))
    nudged = [np.maximum(weights + 0.02 * random.standard_normal(5), 0) for _ in range(200)]
    assert all(nearest <= distance(w / w.sum()) * (1 + 1e-4) for w in nudged)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000))
def test_weights_that_must_not_be_negative(seed: int) -> None:
    """The conditions of Karush, Kuhn and Tucker hold at the solution."""
    random = np.random.default_rng(seed)
    contexts, targets = random.standard_normal((30, 5, 4)), random.standard_normal((30, 4))
    gram, cross = np.einsum("nad,nbd->ab", contexts, contexts), np.einsum("nad,nd->a", contexts, targets)
    weights = fits._non_negative(gram, cross)
    slope = gram @ weights - cross
    assert (weights >= 0).all() and (slope >= -1e-8).all() and abs(slope @ weights) < 1e-8


@pytest.mark.parametrize("strength", [1e-3, 1e-1])
def test_ridge_is_the_solution_of_its_equations(store: Store, strength: float) -> None:
    train, validation = halves(store)
    ridge = fit_ridge(store, train, validation, RECENCY, (strength,))
    contexts, targets = (a.astype(np.float64) for a in gather(store.vectors, train, 5))
    features = contexts.reshape(len(contexts), -1)
    centred, wanted = features - features.mean(axis=0), targets - targets.mean(axis=0)
    penalty = np.sqrt(strength * len(train)) * np.eye(features.shape[1])
    weights = np.linalg.lstsq(np.vstack([centred, penalty]), np.vstack([wanted, 0 * penalty[:, :24]]), rcond=None)[0]
    assert np.allclose(ridge.weights, weights, atol=1e-4)
    expected = targets.mean(axis=0) + (features - features.mean(axis=0)) @ weights
    assert np.allclose(ridge(contexts.astype(np.float32)), expected, atol=1e-4)


def test_means_are_those_of_the_windows(store: Store) -> None:
    train, _ = halves(store)
    contexts, targets = gather(store.vectors, train, 5)
    found = means(store, train, 5, fits.context_mean)
    predicted = unit(contexts.mean(axis=1))
    cosine = float((predicted * targets).sum(axis=1).mean())
    assert found.cosine == pytest.approx(cosine, abs=1e-5)
    assert found.margin == pytest.approx(cosine - float((predicted * contexts[:, 4]).sum(axis=1).mean()), abs=1e-5)
    assert found.spread == pytest.approx(1 - float(np.linalg.norm(predicted.mean(axis=0))), abs=1e-5)
    constant = means(store, train, 5, fits.constant(mean_target(store, train, 5)))
    assert constant.spread == pytest.approx(0, abs=1e-5)
    assert constant.cosine == pytest.approx(float(np.linalg.norm(targets.mean(axis=0))), abs=1e-5)


def drawn(folder: Path, baseline: Path, expanded: Path) -> tuple[Split, tuple[Arm, Arm]]:
    pair = arms(folder, baseline, expanded)
    return draw_split(*pair, seed=0), pair


def test_all_of_an_arm(tmp_path: Path) -> None:
    paths = save_articles(tmp_path / "b.npz", ARTICLES[:20]), save_articles(tmp_path / "e.npz", ARTICLES)
    split, (_, arm) = drawn(tmp_path, *paths)
    found, arrays = measure("expanded", arm.open(), split.expanded, split.heldout)
    assert tuple(found.scores) == tuple(TRIVIAL_TITLES)
    contexts, targets = gather(split.heldout.vectors, split.heldout.starts, 5)
    assert found.scores["copy_last"].cosine == pytest.approx(float((contexts[:, 4] * targets).sum(axis=1).mean()))
    for name, scores in found.scores.items():
        assert scores.cosine == pytest.approx(float(arrays[f"{name}_cosine"].astype(float).mean()))
        assert scores.hit_1 <= scores.hit_5 <= scores.hit_10
        assert scores.hit_5 == pytest.approx(float((arrays[f"{name}_rank"].astype(int) <= 5).mean()))
    mean = score(contexts.mean(axis=1), split.heldout.vectors, split.heldout.starts, 5)
    assert np.allclose(arrays["mean_cosine"].astype(float), mean.cosine_next, atol=1e-6)
    assert np.array_equal(arrays["cluster"], split.heldout.cluster)
    # a walk knows nothing but its last step
    assert found.scores["recency_mean"].cosine > found.scores["mean"].cosine > found.scores["constant_mean"].cosine


def test_where_a_context_is_too_wide_the_ridge_sees_main_directions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the least-squares solution in those features, of which there are no more than are allowed."""
    train, validation = halves(store)
    monkeypatch.setattr(fits, "WIDEST_CONTEXT", 5 * 24 - 1)
    monkeypatch.setattr(fits, "MOST_FEATURES", 24 + 5 * 5 + 3)
    ridge = fit_ridge(store, train, validation, RECENCY, (1e-3,))
    assert ridge.directions == 5 and ridge.weights.shape == (24 + 5 * 5, 24)
    contexts, targets = gather(store.vectors, train, 5)
    features = ridge.features(contexts).astype(np.float64)
    assert np.allclose(features[:, :24], contexts.mean(axis=1), atol=1e-6)
    centred, wanted = features - features.mean(axis=0), targets - targets.mean(axis=0)
    penalty = 1e-3 * len(train) * np.eye(features.shape[1])
    weights = np.linalg.solve(centred.T @ centred + penalty, centred.T @ wanted)
    assert np.allclose(ridge(contexts), targets.mean(axis=0) + centred @ weights, atol=1e-3)


def test_very_wide_vectors_are_seen_in_main_directions_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation = halves(store)
    monkeypatch.setattr(fits, "WIDEST_CONTEXT", 24)
    monkeypatch.setattr(fits, "MOST_FEATURES", 40)
    ridge = fit_ridge(store, train, validation, RECENCY)
    assert ridge.directions == 8 and ridge.weights.shape == (40, 24)
    assert means(store, validation, 5, ridge).cosine > means(store, validation, 5, fits.constant(ridge.offset)).cosine


def test_the_best_penalty_is_found_uphill(store: Store) -> None:
    """It is the one that trying all of them finds."""
    train, validation = halves(store)
    found = fit_ridge(store, train, validation, RECENCY)
    every = [fit_ridge(store, train, validation, RECENCY, (strength,)) for strength in STRENGTHS]
    cosines = [means(store, validation, 5, ridge).cosine for ridge in every]
    assert found.strength == STRENGTHS[int(np.argmax(cosines))] and len({round(c, 6) for c in cosines}) > 3
    for top in range(7):
        tried: list[float] = []

        def fitted(strength: float, top: int = top, tried: list[float] = tried) -> tuple[float, Any]:
            tried.append(strength)
            return -abs(STRENGTHS.index(strength) - top), strength

        assert fits._uphill(fitted, STRENGTHS) == STRENGTHS[top] and len(tried) <= 5


@pytest.mark.parametrize("context", [1, 3, 20])
def test_baselines_of_any_context(store: Store, context: int) -> None:
    """The fit is the one that a general solver finds on the windows themselves."""
    train = store.window_starts(context)
    contexts, targets = gather(store.vectors, train, context)
    moments = fits._moments(store, train, context)
    whole = np.concatenate([contexts, targets[:, None]], axis=1).astype(np.float64)
    assert np.allclose(moments, np.einsum("nad,nbd->ab", whole, whole) / len(train), atol=1e-6)
    weights = recency_weights(store, train, context)
    rows = contexts.transpose(0, 2, 1).reshape(-1, context).astype(np.float64)
    solved = np.maximum(nnls(rows, targets.ravel().astype(np.float64))[0], 0)
    assert np.allclose(weights, solved / solved.sum(), atol=fits.LEAST_SHARE)
    assert weights.sum() == pytest.approx(1) and (weights > 0).all() and weights[-1] == weights.max()


# -- the process ---------------------------------------------------------------------------------------------------


def campaign_of(workspace: Path, split: Split, pair: tuple[Arm, Arm]) -> CampaignDir:
    """A campaign with arms and split, and no runs."""
    folder = Workspace(workspace).campaign("0k_vs_0k_20260101_000000")
    folder.path.mkdir(parents=True)
    split.write(folder.split)
    facts = {
        arm.name: ArmFacts(
            label=arm.label,
            data=arm.data(workspace),
            vectors=arm.vectors,
            articles=None,
            train_windows=len(split.arms[arm.name].train),
            validation_windows=len(split.arms[arm.name].validation),
            dropped_windows=0,
        )
        for arm in pair
    }
    campaign = Campaign(
        id=folder.id,
        created=0.0,
        baseline=facts["baseline"],
        expanded=facts["expanded"],
        dim=24,
        context=5,
        models=("amn",),
        size="small",
        recipe="tuned",
        seeds=(0,),
        heldout_windows=split.facts.windows,
        heldout_clusters=split.facts.clusters,
        split_fingerprint=split.facts.fingerprint,
        jobs=1,
        threads=1,
        device="cpu",
        runs=(),
        by="test",
        versions={},
    )
    write_campaign(folder.campaign, campaign)
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "lvmtui.datasets.baselines", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_process_leaves_what_the_others_read(tmp_path: Path) -> None:
    paths = save_sequence(tmp_path / "b.npz", walk(3000)[:1200]), save_sequence(tmp_path / "e.npz", walk(3000))
    split, pair = drawn(tmp_path, *paths)
    folder = campaign_of(tmp_path, split, pair)
    for name in ARMS:
        done = run(str(folder.path), name)
        assert done.returncode == 0, done.stderr
        found, shared = (
            read_baselines(folder.baseline_scores(name)),
            find_document(TrivialBaselines, folder.baseline_scores(name)),
        )
        assert found is not None and shared is not None
        assert shared.arm == name and shared.fingerprint == split.facts.fingerprint
        with np.load(folder.baseline_scores(name).with_suffix(".npz"), allow_pickle=False) as arrays:
            cosines = {n: float(arrays[f"{n}_cosine"].astype(float).mean()) for n in TRIVIAL_TITLES}
        assert cosines == pytest.approx({n: s.cosine for n, s in shared.scores.items()})
        assert shared.scores["ridge"].cosine > 0.4 and len(shared.recency_weights) == 5
    assert sorted(p.name for p in folder.baselines.iterdir()) == [f"{n}.{e}" for n in ARMS for e in ("json", "npz")]


def test_what_is_there_is_not_computed_again_unless_it_is_damaged_or_of_another_split(tmp_path: Path) -> None:
    paths = save_articles(tmp_path / "b.npz", ARTICLES[:20]), save_articles(tmp_path / "e.npz", ARTICLES)
    split, pair = drawn(tmp_path, *paths)
    folder = campaign_of(tmp_path, split, pair)
    path = folder.baseline_scores("expanded")

    def made() -> float:
        assert main([str(folder.path), "expanded"]) == 0
        return float(json.loads(path.read_text())["seconds"])

    first = made()
    assert made() == first
    path.with_suffix(".npz").write_bytes(b"half")
    second = made()
    assert second != first and made() == second
    draw_split(*pair, seed=5).write(folder.split)
    assert made() != second
    path.write_text("{")
    assert made() != first


def test_what_a_person_can_mend_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], [str(tmp_path)], [str(tmp_path), "neither"], [str(tmp_path), "baseline"]):
        assert main(arguments) == 2
        words = capsys.readouterr().err
        assert words.count("\n") == 1 and ("usage" in words or "campaign.json" in words)
