"""Campaigns on centred vectors: one space for all that is compared, fitted to nothing that is held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lvmtui
from lvmtui.datasets.baselines import write_baselines
from lvmtui.datasets.centre import centre_of
from lvmtui.datasets.proof import prove_campaign
from lvmtui.datasets.split import read_split
from lvmtui.datasets.windows import covered, gather
from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.paths import RunDir, Workspace
from lvmtui.formats.spec import read_spec
from lvmtui.planning.describe import UNLIKE, plan_as_text
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.state.campaign_reader import newest_campaign
from lvmtui.system.errors import UserError
from lvmtui.verdict.caveats import caveats
from lvmtui.verdict.words import centre_words
from tests.trainers.tiny import plan_campaign, state_of, train_here, write_walk
from trainers.data import open_data
from trainers.program.data import data_folder
from trainers.state import load_forecaster


def write_shifted(path: Path, articles: int) -> Path:
    """Walks that have a large mean in common."""
    with np.load(write_walk(path, articles)) as arrays:
        vectors, article = arrays["vectors"], arrays["article_id"]
    noise = 0.25 * np.random.default_rng(0).standard_normal(vectors.shape)
    vectors = (vectors + noise + np.linspace(-0.6, 0.6, vectors.shape[1])).astype(np.float32)
    np.savez(path, vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True), article_id=article)
    return path


def planned(root: Path, **changes: Any) -> tuple[Workspace, list[RunDir]]:
    write_shifted(root / "large.npz", 60)
    with np.load(root / "large.npz") as large:
        np.savez(root / "small.npz", **{name: large[name][: 24 * 24] for name in large.files})
    return plan_campaign(root, **{"centre": "mean", **changes})


def test_the_centre_is_that_of_all_training_vectors_and_of_no_held_out_one(tmp_path: Path) -> None:
    workspace, runs = planned(tmp_path)
    folder = newest_campaign(workspace)
    split = read_split(folder.split)
    stores = [np.load(workspace.root / read_spec(run.spec).data.store / "vectors.npy") for run in runs]
    large = stores[1]
    trained = covered(split.expanded.train, len(large), 5)
    # the small file is the beginning of the large one: nothing is counted twice
    small = covered(split.arms["baseline"].train, len(stores[0]), 5)
    trained[: len(small)] |= small
    expected = centre_of(large[trained], "mean")
    centre = split.heldout.centre
    assert centre is not None
    assert np.allclose(centre.shift, expected.shift, atol=1e-6)
    assert np.allclose(centre.scale, expected.scale, rtol=1e-5)
    held = {row.tobytes() for row in split.heldout.vectors}
    assert held and not held & {row.tobytes() for row in large[trained]}
    assert prove_campaign(folder)[1]

    facts = read_campaign(folder.campaign).centre
    assert facts is not None and facts == split.facts.centre and facts.vectors == trained.sum()
    assert facts.neighbours_before > facts.neighbours + 0.1
    assert {read_spec(run.spec).centre for run in runs} == {"mean"}


def test_runs_are_judged_in_that_space_and_predictions_find_the_way_back(tmp_path: Path) -> None:
    workspace, runs = planned(tmp_path)
    train_here(runs[1])
    folder = newest_campaign(workspace)
    heldout = read_split(folder.split).heldout
    centre = heldout.centre
    assert centre is not None
    contexts, targets = gather(heldout.vectors, heldout.starts, 5)
    predicted = load_forecaster(runs[1].best_model)(torch.from_numpy(contexts)).numpy()
    assert np.allclose(np.linalg.norm(predicted, axis=1), 1, atol=1e-5)
    finished = state_of(runs[1]).finished
    assert finished is not None
    centred = (centre(predicted) * centre(targets)).sum(axis=1)
    assert centred.mean() == pytest.approx(finished.heldout.cosine, abs=1e-4)
    assert (predicted * targets).sum(axis=1).mean() > finished.heldout.cosine + 0.1

    kept = torch.load(runs[1].best_model, weights_only=True)["centre"]
    assert np.array_equal(kept["shift"].numpy(), centre.shift) and np.array_equal(kept["scale"].numpy(), centre.scale)
    of_notebook = lvmtui.open(tmp_path).newest.centre()
    assert of_notebook is not None and np.array_equal(of_notebook.shift, centre.shift)

    table = lvmtui.open(tmp_path).newest.report.table
    assert any(said.startswith("The vectors are centred: less the mean of") for said in caveats(table))

    last = (heldout.judged[heldout.starts + 4] * heldout.judged[heldout.starts + 5]).sum(axis=1).mean()
    scores = write_baselines(folder, "expanded").scores
    assert scores["copy_last"].cosine == pytest.approx(last, abs=1e-5)
    assert abs(scores["constant_mean"].cosine) < 0.3  # in the space of the file it is .6 of the cosines


def test_own_trainers_are_given_centred_vectors(tmp_path: Path) -> None:
    workspace, runs = planned(tmp_path)
    spec = read_spec(runs[1].spec)
    given = data_folder(spec, workspace.root)
    vectors, starts = np.load(given / "vectors.npy"), np.load(given / "train.npy")
    contexts, targets = open_data(spec, workspace.root, torch.device("cpu")).train.batch(slice(0, 50))
    ours, theirs = gather(vectors, starts[:50], 5)
    assert np.allclose(ours, contexts, atol=1e-6) and np.allclose(theirs, targets, atol=1e-6)
    heldout = read_split(newest_campaign(workspace).split).heldout
    seen = np.load(given / "heldout_contexts.npy")
    assert np.array_equal(seen, gather(heldout.judged, heldout.starts, 5)[0])


def test_folds_have_centres_of_their_own_and_draws_share_one(tmp_path: Path) -> None:
    workspace, _ = planned(tmp_path, seeds=(1, 2), folds=True, context=(3, 5))
    folder = newest_campaign(workspace)
    splits = [read_split(folder.split_of(fold)) for fold in (1, 2)]
    shifts = [split.heldout.centre.shift for split in splits if split.heldout.centre]
    assert len(shifts) == 2 and 1e-4 < np.abs(shifts[0] - shifts[1]).max() < 0.1
    centre = read_campaign(folder.campaign).centre
    assert centre and "training vectors (of the first seed; each has" in centre_words(centre, folds=True)
    assert prove_campaign(folder)[1]

    sizes = Options(
        data=(str(tmp_path / "large.npz"),), sizes=("3",), models=("amn",), recipe="tuned", size="small",
        batch_size=16, seeds=(1, 2), centre="median",
    )  # fmt: skip
    plan = make_plan(sizes, workspace)
    one, other = (split.heldout.centre for split in plan.splits)
    assert one is other is not None and plan.campaign.centre is not None and plan.campaign.centre.by == "median"
    words = plan_as_text(plan)
    assert "space      vectors are centred: less the median of" in words and "scaled by interquartile range" in words
    in_the_file = plan.check.files[-1].coherence
    assert in_the_file and in_the_file - 0.42 > UNLIKE and "may be far off" not in words, "in the space that judges"


def test_another_baseline_space_is_refused_and_the_same_is_kept(tmp_path: Path) -> None:
    workspace, runs = planned(tmp_path)
    train_here(runs[0])
    write_shifted(tmp_path / "larger.npz", 90)
    options = Options(
        expanded=str(tmp_path / "larger.npz"), size="small", models=("amn",), batch_size=32,
        labels=("small", "larger"), arms="expanded", baseline_runs=(str(runs[0].path),),
    )  # fmt: skip
    with pytest.raises(UserError, match="--centre median: the baseline runs were trained with --centre mean"):
        make_plan(replace(options, centre="median"), workspace)
    plan = make_plan(options, workspace)
    before = read_spec(runs[0].spec)
    assert plan.specs[0].centre == "mean" and plan.campaign.split_fingerprint == before.split_fingerprint
    write_plan(plan, workspace)
    (workspace.root / before.split / "split.json").unlink()
    with pytest.raises(UserError, match="the centre of their vectors is gone"):
        make_plan(options, workspace)


def test_plain_baseline_runs_are_not_compared_with_centred_ones(tmp_path: Path) -> None:
    workspace, runs = planned(tmp_path, centre="no")
    assert read_spec(runs[0].spec).centre == "" and read_split(newest_campaign(workspace).split).heldout.centre is None
    train_here(runs[0])
    assert "centre" not in torch.load(runs[0].best_model, weights_only=True)
    write_shifted(tmp_path / "larger.npz", 90)
    options = Options(
        expanded=str(tmp_path / "larger.npz"), models=("amn",), arms="expanded", centre="mean",
        baseline_runs=(str(runs[0].path),), labels=("small", "larger"),
    )  # fmt: skip
    with pytest.raises(UserError, match="trained on vectors that are not centred; leave it out"):
        make_plan(options, workspace)
