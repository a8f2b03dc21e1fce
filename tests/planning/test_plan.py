"""From options to a campaign on disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvmtui.datasets.baselines import read_baselines, write_baselines
from lvmtui.datasets.proof import prove_campaign
from lvmtui.datasets.split import read_split
from lvmtui.datasets.weights import capped, effective
from lvmtui.formats.campaign import CampaignIntent, read_campaign, start_order
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.selftest import SelfTest
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.legacy.earlier_runs import APART
from lvmtui.planning import plan as planning
from lvmtui.planning.describe import plan_as_json, plan_as_text
from lvmtui.planning.judged_on import held_out_lengths
from lvmtui.planning.layout import short_training
from lvmtui.planning.options import Options
from lvmtui.planning.plan import make_plan, write_plan
from lvmtui.supervisor.engine import EngineKind
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.system.errors import UserError
from lvmtui.system.hardware import Hardware
from tests.trainers.tiny import plan_campaign, train_here, write_walk


def test_a_campaign_is_written_whole(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    plan = make_plan(replace(options, seeds=(1, 2)), workspace)
    assert not workspace.campaigns.exists()
    campaign = write_plan(plan, workspace)
    assert read_campaign(workspace.campaign(campaign.id).campaign) == campaign
    assert [(p.seed, p.model, p.arm) for p in campaign.runs] == [
        (seed, model, arm) for seed in (1, 2) for model in ("amn", "gru") for arm in ("baseline", "expanded")
    ]
    for planned in campaign.runs:
        spec = read_spec(workspace.run(planned).spec)
        assert spec.split_fingerprint == campaign.split_fingerprint and f"_s{planned.seed}_" in spec.run
    assert len({read_spec(workspace.run(p).spec).total_steps for p in campaign.runs}) == 1  # equal updates
    assert json.loads(workspace.campaign(campaign.id).check.read_text())["files"]


def test_the_plan_says_what_it_chose(tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    for gpus, words in ((0, "CPU (no GPU found)"), (1, "1 GPU"), (4, "4 GPUs")):
        monkeypatch.setattr(planning, "hardware", lambda gpus=gpus: Hardware(2, gpus, 16e9))
        assert f"machine    {words}, " in plan_as_text(make_plan(options, workspace))
    assert "machine    cpu, " in plan_as_text(make_plan(replace(options, device="cpu"), workspace))
    told = plan_as_text(make_plan(replace(options, seeds=(3,), recipe="reference", epochs=2), workspace))
    assert "4 runs, seed 3" in told and " for small, " in told and " for large" in told
    plan = make_plan(options, workspace)
    small, large = (spec.total_steps / (spec.train_windows // 32) for spec in plan.specs[:2])
    assert small > 2 * large, "which was asked for"
    said = f" for both arms ({small:.1f} epochs of small, {large:.1f} epochs of large)"
    assert said in plan_as_text(plan)


def test_a_plan_for_a_gpu_goes_by_its_self_test(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes, how many runs share it with the longest first, and what NVIDIA's MPS is there for."""
    monkeypatch.setattr(planning, "hardware", lambda: Hardware(8, 1, 64e9))
    monkeypatch.setattr(planning, "mps_state", lambda: "stopped")
    options = replace(options, recipe="reference", size="full", models=("amn", "lstm", "gru"), device="cuda")

    def planned(milliseconds: float, beside: float) -> planning.Plan:
        steps = {model: 1e-3 * milliseconds for model in options.models}
        tested = SelfTest("NVIDIA H200", "cuda", "1", "2", "3", "4", (), step_seconds=steps, side_by_side=beside)
        monkeypatch.setattr(planning, "tests_for", lambda device, say: [tested])
        return make_plan(options, Workspace(tmp_path))

    monkeypatch.setattr(planning, "refuse_missing", lambda device, there: None)
    fast, slow = planned(1, 1.4), planned(20, 1.4)
    assert slow.expected.seconds > 5 * fast.expected.seconds
    assert fast.campaign.jobs == 2 and "2 runs side by side" in plan_as_text(fast)
    assert planned(1, 1.1).campaign.jobs == 1, "two that take turns gain nothing"
    assert "1.40 times as many steps as one. 'nvidia-cuda-mps-control -d' starts it" in plan_as_text(fast)
    monkeypatch.setattr(planning, "mps_state", lambda: "running")
    assert "MPS" not in plan_as_text(planned(1, 1.8))


def test_a_cluster_is_not_measured_by_the_machine_that_asks_it(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "engine_kind", lambda name: EngineKind(LocalEngine, room=lambda settings: (3, 4)))
    monkeypatch.setattr("lvmtui.system.hardware.cores", lambda: 64)
    plan = make_plan(replace(options, device="cuda"), Workspace(tmp_path))
    assert (plan.campaign.jobs, plan.campaign.threads) == (3, 4)
    plan = make_plan(options, Workspace(tmp_path))
    monkeypatch.setattr("lvmtui.system.hardware.cores", lambda: 1)
    assert make_plan(options, Workspace(tmp_path)).expected == plan.expected


def test_what_an_earlier_campaign_has_shown_narrows_the_estimate(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    campaign = write_plan(make_plan(replace(options, models=("amn",), epochs=1), workspace), workspace)
    for planned in campaign.runs:
        train_here(workspace.run(planned))
    known = make_plan(options, workspace).expected
    empty = write_plan(make_plan(replace(options, labels=("empty", "other")), workspace), workspace)
    assert empty.id != campaign.id
    again = make_plan(options, workspace).expected
    assert again == known and known.high < 4 * known.low, "one that has shown nothing is passed over"


def test_what_other_programs_take_is_counted_until_runs_have_shown_their_speed(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(busy: float) -> planning.Plan:
        monkeypatch.setattr(planning, "hardware", lambda: Hardware(2, 0, 16e9, busy=busy))
        return make_plan(replace(options, epochs=1), workspace)

    workspace = Workspace(tmp_path)
    alone, beside = planned(0.0), planned(2.0)
    assert beside.expected.seconds == pytest.approx(2 * alone.expected.seconds)
    for arm, seconds in beside.run_seconds.items():
        assert seconds == pytest.approx(2 * alone.run_seconds[arm]), "a run is reckoned as all of them are"
    assert "), beside other programs with work for 2.0 cores\n" in plan_as_text(beside) + "\n"
    campaign = write_plan(alone, workspace)
    train_here(workspace.run(campaign.runs[0]))
    assert planned(2.0).expected == planned(0.0).expected and "beside other programs" not in plan_as_text(planned(2.0))


def test_the_longest_run_does_not_wait_for_its_turn(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "hardware", lambda: Hardware(2, 0, 16e9))
    workspace = Workspace(tmp_path)
    plan = make_plan(replace(options, recipe="reference", size="full", models=("amn", "lstm", "gru")), workspace)
    assert (plan.campaign.jobs, plan.campaign.threads) == (2, 1) == (2, plan.specs[0].threads)
    assert "2 runs side by side, 1 thread each; GRU large first, because it takes longest" in plan_as_text(plan)
    guessed = [replace(spec, own_trainer=OwnTrainer("mine", "true", "/")) for spec in plan.specs]
    assert "GRU large first, because it may take longest" in plan_as_text(replace(plan, specs=tuple(guessed)))
    campaign = write_plan(plan, workspace)
    names = [p.run for p in campaign.runs]
    assert campaign.first == (names[-1],)
    order = [p.run for p in start_order(read_campaign(workspace.campaign(campaign.id).campaign), CampaignIntent())]
    assert order == [names[-1], *names[:-1]]
    wanted = CampaignIntent(order=(names[2],))
    assert [p.run for p in start_order(campaign, wanted)][:2] == [names[2], names[-1]], "a person's wish comes before"
    one_by_one = CampaignIntent(jobs=1)
    assert [p.run for p in start_order(campaign, one_by_one)] == names, "nothing is gained by another order then"


def test_the_reference_recipe_counts_epochs_of_each_arm(tmp_path: Path, options: Options) -> None:
    plan = make_plan(replace(options, recipe="reference", epochs=3), Workspace(tmp_path))
    for spec in plan.specs:
        assert spec.total_steps == 3 * (spec.train_windows // 32)
        assert spec.epoch_of(spec.total_steps) == 3.0, "an epoch is its whole batches, here as on the screen"
        assert spec.total_steps // spec.evaluate_every >= 3
    longer = make_plan(replace(options, recipe="reference", epochs=30), Workspace(tmp_path)).specs[1]
    assert longer.evaluate_every == longer.total_steps // 30  # one an epoch
    few = replace(longer.recipe, epochs=2, evaluations=2)
    assert few.of_epochs(2).evaluations == 2, "to the runs of an earlier campaign --epochs may say what they were"


def test_small_data_is_trained_for_a_least_number_of_updates_unless_epochs_are_given(
    tmp_path: Path, options: Options
) -> None:
    def spec(**changes: Any) -> RunSpec:
        return make_plan(replace(options, recipe="tuned", **changes), Workspace(tmp_path)).specs[0]

    alone, short, long = spec(epochs=None), spec(epochs=3), spec(epochs=9)
    assert alone.total_steps == 300 > short.total_steps and alone.recipe.evaluations == short.recipe.evaluations == 8
    assert "3 epochs of the largest data set, equal updates (at least 300 updates)" in alone.recipe.words()
    assert long.total_steps == 3 * short.total_steps and "at least" not in long.recipe.words()
    assert (long.recipe.evaluations, long.recipe.patience) == (24, 9), "a small arm is looked at as early"
    assert short_training([alone, long], {}) == "", "300 updates"
    few = replace(short, total_steps=2 * short.recipe.warmup_steps - 1)
    said = f"have as few as {few.total_steps} updates, and the learning rate rises for the first"
    titles = {few.model: "Mine", "gru": "GRU"}
    assert short_training([alone, few, few], titles).startswith(f"runs of Mine {said}")
    assert short_training([alone, few, replace(few, model="gru")], titles).startswith(f"runs of Mine and GRU {said}")
    assert short_training([few, few], titles).startswith(f"the runs {said}")


def test_the_plan_is_told(tmp_path: Path, options: Options) -> None:
    plan = make_plan(options, Workspace(tmp_path))
    text = plan_as_text(plan)
    for word in ("small", "large", "AMN, GRU", "held out", "expected", "16-d"):
        assert word in text
    weights = capped(held_out_lengths(plan.split, "both"), plan.campaign.cluster_cap)
    assert f"worth {effective(weights / weights.sum()):.0f} of equal weight" in text, "as the verdict will weigh them"
    assert "bundled vectors); neighbours there have a mean cosine of 0.42, here of 0.98, so this may be far off" in text
    told = json.loads(json.dumps(plan_as_json(plan, Workspace(tmp_path))))
    assert told["campaign"]["id"] == plan.campaign.id and len(told["runs"]) == 4 and told["expected"]["seconds"] > 0


def test_a_plan_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    plan = make_plan(options, workspace)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "spec.json")

    monkeypatch.setattr(planning, "write_spec", full)
    with pytest.raises(UserError, match="No space left"):
        write_plan(plan, workspace)
    assert not list(workspace.models.iterdir()) and not list(workspace.campaigns.iterdir())


def test_a_batch_larger_than_the_arm_is_refused(tmp_path: Path, options: Options) -> None:
    with pytest.raises(UserError, match="--batch-size"):
        make_plan(replace(options, batch_size=5000), Workspace(tmp_path))
    with pytest.raises(UserError, match=r"^--context 6: .* give a shorter context"):
        make_plan(replace(options, batch_size=5000, context=(6,)), Workspace(tmp_path))


def test_finished_runs_serve_as_the_baseline(tmp_path: Path) -> None:
    """Only the expanded arm is trained; the held-out windows of the earlier campaign stay, and nothing leaks."""
    workspace, runs = plan_campaign(tmp_path)
    train_here(runs[0])
    write_walk(tmp_path / "larger.npz", 90, seed=0)
    options = Options(
        expanded=str(tmp_path / "larger.npz"),
        size="small",
        models=("amn",),
        batch_size=32,
        labels=("small", "larger"),
        arms="expanded",
        baseline_runs=(str(runs[0].path),),
    )
    plan = make_plan(options, workspace)
    campaign = write_plan(plan, workspace)  # runs the proof on the files as written
    old, new = read_spec(runs[0].spec), plan.specs[0]
    assert len(plan.specs) == 1 and new.arm == "expanded" and new.total_steps == old.total_steps
    assert campaign.split_fingerprint == old.split_fingerprint and not campaign.notes
    baseline = campaign.runs[0]
    assert not baseline.trained_here and workspace.run(baseline).path == runs[0].path
    kept = read_split(workspace.campaign(campaign.id).split)
    before = read_split(workspace.root / old.split)
    assert np.array_equal(kept.heldout.vectors, before.heldout.vectors)
    assert np.array_equal(kept.arms["baseline"].train, before.arms["baseline"].train)
    assert kept.facts.expanded.held_out + kept.facts.expanded.equal_to_held_out > 0

    with pytest.raises(UserError, match=r"AMN would be trained differently from those runs \(epochs 2\.0 and 3"):
        make_plan(replace(options, epochs=3), workspace)

    shutil.rmtree(workspace.root / old.split)
    Path(old.data.file).unlink()  # the compact store is enough
    apart = make_plan(options, workspace)
    assert apart.campaign.notes == (APART,) and apart.campaign.split_fingerprint != old.split_fingerprint
    shutil.rmtree(workspace.root / old.data.store)
    with pytest.raises(
        UserError,
        match=r"no such file; .* if it was moved, say where, then try again: lvmtui check NEW_PATH\.\.\. --split",
    ):
        make_plan(options, workspace)


def test_runs_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    workspace, runs = plan_campaign(tmp_path)
    options = Options(arms="expanded", baseline_runs=(str(runs[0].path),), expanded=str(tmp_path / "large.npz"))
    with pytest.raises(UserError, match="not finished"):
        make_plan(options, workspace)
    train_here(runs[0])
    with pytest.raises(UserError, match="no run of"):
        make_plan(options, workspace)
    with pytest.raises(UserError, match=r"spec\.json"):
        make_plan(replace(options, baseline_runs=(str(tmp_path),)), workspace)


def test_folds_hold_out_other_articles_for_each_seed(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    folded = replace(options, seeds=(4, 7, 9), folds=True)
    campaign = write_plan(plan := make_plan(folded, workspace), workspace)
    folder = workspace.campaign(campaign.id)
    assert campaign.folds and campaign.fold_numbers == (1, 2, 3) and campaign.fold_of(7) == 2
    splits = {seed: read_split(folder.split_of(campaign.fold_of(seed))) for seed in campaign.seeds}
    names = [name for split in splits.values() for name in split.facts.cluster_names]
    assert len(names) == len(set(names)) == campaign.heldout_clusters
    assert campaign.heldout_windows == sum(split.facts.windows for split in splits.values())
    for planned in campaign.runs:
        spec, split = read_spec(workspace.run(planned).spec), splits[planned.seed]
        assert read_split(tmp_path / spec.split).facts == split.facts
        assert spec.split_fingerprint == split.facts.fingerprint != campaign.split_fingerprint
        windows = split.arms[planned.arm]
        assert (spec.train_windows, spec.validation_windows) == (len(windows.train), len(windows.validation))
    words, holds = prove_campaign(folder)
    assert holds and words.count("no leak") == 3 and words.startswith("fold1: ")
    assert "3 folds, each seed judged on other ones" in plan_as_text(plan)
    assert f"; {campaign.expanded.told('train_windows')} windows to train" in plan_as_text(plan)
    assert {*campaign.expanded.each("train_windows")} == {len(split.expanded.train) for split in plan.splits}
    assert len(plan_as_json(plan, Workspace(tmp_path))["folds"]) == 3
    alone = make_plan(replace(folded, folds=False), workspace)
    assert alone.campaign.split_fingerprint == alone.split.facts.fingerprint and alone.campaign.fold_numbers == (0,)
    with pytest.raises(UserError, match="--folds: needs several seeds"):
        make_plan(replace(options, folds=True), workspace)


def test_a_run_on_a_fold_trains_and_its_baselines_are_of_that_fold(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    folded = replace(options, seeds=(1, 2), folds=True, models=("amn",), epochs=1)
    campaign = write_plan(make_plan(folded, workspace), workspace)
    folder = workspace.campaign(campaign.id)
    for planned in campaign.runs[2:]:
        train_here(workspace.run(planned))
        finished = read_spec(workspace.run(planned).spec)
        with np.load(workspace.run(planned).heldout) as scores:
            assert str(scores["fingerprint"]) == finished.split_fingerprint
    mean = write_baselines(folder, "baseline")
    of_folds = [read_baselines(folder.baseline_scores("baseline", fold)) for fold in (1, 2)]
    assert [fold and fold.fingerprint for fold in of_folds] == [
        read_split(folder.split_of(fold)).facts.fingerprint for fold in (1, 2)
    ]
    assert (
        mean == find_document(TrivialBaselines, folder.baseline_scores("baseline"))
        and mean.fingerprint == campaign.split_fingerprint
    )
    cosines = [fold.scores["mean"].cosine for fold in of_folds if fold]
    assert min(cosines) <= mean.scores["mean"].cosine <= max(cosines)
    before = folder.baseline_scores("baseline", 2).stat().st_mtime_ns
    assert write_baselines(folder, "baseline") == mean
    assert folder.baseline_scores("baseline", 2).stat().st_mtime_ns == before, "what is there is not made again"


def test_what_counts_as_a_copy_and_how_much_an_article_weighs_are_options(tmp_path: Path, options: Options) -> None:
    plan = make_plan(replace(options, same=0.7, cluster_cap=3), Workspace(tmp_path))
    assert plan.split.facts.same == 0.7 and plan.campaign.cluster_cap == 3
    assert "cosine of 0.7 and more count as one (as given by --same)" in plan_as_text(plan)
    assert "none weighs more than 3 windows" in plan_as_text(plan)
    assert "power      each model can detect" in plan_as_text(plan) and "seeds may be" not in plan_as_text(plan)
    for models, seeds, enough in ((1, 2, 4), (2, 2, 3), (1, 4, 0), (3, 2, 0)):
        few = replace(plan.campaign, models=plan.campaign.models[:1] * models, seeds=tuple(range(seeds)))
        words = f"; {seeds} seeds may be too few for an interval, {enough} are enough"
        assert (words in plan_as_text(replace(plan, campaign=few))) == (enough > 0)
    usual = make_plan(options, Workspace(tmp_path))
    assert usual.split.facts.same == 0.98 and usual.campaign.cluster_cap
    assert "(the usual one)" in plan_as_text(usual)


def test_the_articles_that_judge_are_planned(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    both, own, new = (make_plan(replace(options, judge_on=on), workspace) for on in ("both", "own", "new"))
    assert both.campaign.judge_on == "both" and new.campaign.judge_on == "new"
    assert both.split.facts == own.split.facts, "what is held out does not depend on what judges"
    assert own.power.clusters == own.split.facts.clusters_own
    assert own.power.clusters + new.power.clusters == both.power.clusters == both.split.facts.clusters
    assert "on all held-out articles (--judge-on own or new: one source alone)" in plan_as_text(both)
    assert "cosine, on average over the 2 models, on new articles\n" in plan_as_text(new)
    campaign = write_plan(new, workspace)
    assert read_campaign(workspace.campaign(campaign.id).campaign).judge_on == "new"


def test_several_seeds_hold_out_other_articles_where_that_can_be_judged(tmp_path: Path, options: Options) -> None:
    workspace = Workspace(tmp_path)
    folded = make_plan(replace(options, seeds=(1, 2, 3)), workspace)
    assert folded.campaign.folds and len(folded.splits) == 3
    assert not make_plan(replace(options, seeds=(1, 2)), workspace).campaign.folds, "two models, two seeds: too few"
    assert not make_plan(replace(options, seeds=(1, 2, 3), folds=False), workspace).campaign.folds
    many = replace(options, seeds=tuple(range(1, 26)))
    assert not make_plan(many, workspace).campaign.folds, "60 articles are too few for 25 folds"
    with pytest.raises(UserError, match="folds"):
        make_plan(replace(many, folds=True), workspace)
