"""The comparison process, on real files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.data_facts import TrivialBaselines
from lvmtui.formats.json_codec import dump_document, encode, find_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.results import Check, Comparison, read_comparison
from lvmtui.formats.spec import ARMS, read_spec
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.state.campaign_reader import CampaignState
from lvmtui.system.errors import UserError
from lvmtui.system.files import seal_archive
from lvmtui.verdict.compare import compare, comparison_of
from lvmtui.verdict.comparison import is_current, read_comparisons
from lvmtui.verdict.interval import Design
from lvmtui.verdict.words import Word
from tests.factory import bring_to, make_campaign, planned_run
from tests.history import Curve, History
from tests.report.made_campaigns import section
from tests.verdict.scenes import finished, read_table, report_of, state_of

ONE = {"amn": (0.5189, 0.5269)}


def compared(workspace: Workspace, campaign: Campaign) -> Comparison:
    """What the comparison process writes of the model."""
    assert compare(workspace.campaign(campaign.id), "amn")
    found = read_comparison(workspace.campaign(campaign.id).comparison("amn"))
    assert found is not None
    return found


def test_figures_are_those_of_the_arrays(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1, 2))
    found = compared(workspace, campaign)
    assert found.change and found.baseline and found.expanded and not found.failed
    arrays = {
        (arm, seed): np.load(workspace.run(planned_run(campaign, "amn", arm, seed)).heldout)
        for arm in ("baseline", "expanded")
        for seed in (1, 2)
    }
    base = np.stack([arrays["baseline", seed]["cosine"] for seed in (1, 2)]).astype(float)
    expanded = np.stack([arrays["expanded", seed]["cosine"] for seed in (1, 2)]).astype(float)
    assert found.baseline.cosine == pytest.approx(base.mean())
    assert found.change.value == pytest.approx(100 * (expanded.mean() - base.mean()) / base.mean())
    design = Design([arrays["baseline", 1]["cluster"]])
    direct = design.estimate([(expanded - base).mean(axis=0)], (base.mean(axis=1), expanded.mean(axis=1)))
    assert found.difference and found.change.df == pytest.approx(found.difference.df) == pytest.approx(direct.df)
    assert found.difference.value == pytest.approx(direct.value)
    assert found.difference.standard_error == pytest.approx(direct.standard_error)
    assert found.change.clusters == len(np.unique(arrays["baseline", 1]["cluster"]))
    assert found.baseline.hit_10 == pytest.approx(
        np.mean([(arrays["baseline", seed]["rank"] <= 10).mean() for seed in (1, 2)])
    )
    margin = np.mean(expanded - np.stack([arrays["expanded", s]["last_cosine"] for s in (1, 2)]))
    assert found.expanded.margin == pytest.approx(margin)
    own, new, both = found.strata
    assert (own.name, new.name, both.name) == ("own", "new", "both") and both.change == found.change
    assert own.change.windows + new.change.windows == found.change.windows == campaign.heldout_windows
    assert [pair.seed for pair in found.pairs] == [1, 2]


def test_it_is_left_alone_while_it_is_right_and_made_again_when_an_input_changes(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    folder = workspace.campaign(campaign.id)
    assert not is_current(state_of(workspace, campaign), "amn")
    assert compare(folder, "amn")
    before = folder.comparison("amn").read_bytes()
    assert is_current(state_of(workspace, campaign), "amn")
    assert not compare(folder, "amn")
    assert folder.comparison("amn").read_bytes() == before
    folder.baseline_scores("baseline").unlink()
    assert not is_current(state_of(workspace, campaign), "amn")
    assert compare(folder, "amn")


def test_a_damaged_comparison_is_made_again(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    folder = workspace.campaign(campaign.id)
    compare(folder, "amn")
    folder.comparison("amn").write_text('{"version": 1, "campaign": 3}')
    assert read_comparison(folder.comparison("amn")) is None
    assert compare(folder, "amn")


def test_a_later_seed_joins(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1, 2), states={("amn", "expanded"): "queued"})
    folder = workspace.campaign(campaign.id)
    assert not compare(folder, "amn")
    for count, seed in enumerate((1, 2), 1):
        bring_to(workspace, campaign, "amn", "expanded", seed, state="finished", heldout=True)
        found = compared(workspace, campaign)
        assert len(found.pairs) == count


def test_scores_that_are_not_those_of_the_run_are_refused(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    heldout = workspace.run(planned_run(campaign, "amn", "expanded")).heldout
    content = bytearray(heldout.read_bytes())
    content[len(content) // 2] ^= 1
    heldout.write_bytes(content)
    found = compared(workspace, campaign)
    assert found.change is None and found.expanded is None
    assert [check.words for check in found.failed] == ["23k: heldout.npz is not the file the run wrote"]


def test_missing_scores_are_named(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    workspace.run(planned_run(campaign, "amn", "baseline")).heldout.unlink()
    found = compared(workspace, campaign)
    assert found.failed[0].words == "8k: heldout.npz is missing"


def rewritten(run: History, change: dict[str, object]) -> None:
    """Finish the run with `heldout.npz` changed, as its own trainer would have vouched for."""
    with np.load(run.folder.heldout) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    with run.folder.heldout.open("wb") as file:
        np.savez(file, **(kept | {name: np.asarray(value) for name, value in change.items()}))
    digest = seal_archive(run.folder.heldout)
    *lines, last = run.folder.events.read_bytes().splitlines()
    event = json.loads(last) | {"heldout_digest": digest}
    run.folder.events.write_bytes(b"\n".join([*lines, json.dumps(event).encode(), b""]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "another"}, "23k judged on other held-out windows than this campaign's"),
        ({"version": 2}, "scores of another version than 1: 23k version 2"),
        ({"cosine": np.full(2292, np.nan, np.float32)}, "23k: 2,292 of 2,292 held-out cosines are not finite"),
        ({"rank": np.ones(7, np.int32)}, "23k: heldout.npz has columns of different length, or no windows"),
        ({"last_cosine": np.ones(7, np.float32)}, "23k: heldout.npz has columns of different length, or no windows"),
        ({"window": np.ones((), np.int64)}, "23k: heldout.npz has columns of different length, or no windows"),
    ],
)
def test_scores_of_something_else_are_not_compared(tmp_path: Path, change: dict[str, object], words: str) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,), states={("amn", "expanded"): "queued"})
    run = bring_to(workspace, campaign, "amn", "expanded", state="finished", heldout=True)
    rewritten(run, change)
    found = compared(workspace, campaign)
    assert words in [check.words for check in found.failed]


def test_windows_in_another_order_have_no_figure_though_their_fingerprint_claims_them(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,), states={("amn", "expanded"): "queued"})
    run = bring_to(workspace, campaign, "amn", "expanded", state="finished", heldout=True)
    rewritten(run, {"window": np.arange(2292)[::-1].copy()})
    found = compared(workspace, campaign)
    assert found.change is None


def test_arms_trained_differently_are_not_comparable(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    folder = workspace.run(planned_run(campaign, "amn", "expanded"))
    spec = read_spec(folder.spec)
    changed = replace(spec, recipe=replace(spec.recipe, rate=1e-5), total_steps=48, size="full")
    folder.spec.write_bytes(dump_document(encode(changed)))
    found = compared(workspace, campaign)
    failed = {check.name: check.words for check in found.failed}
    usual = spec.recipe.rate
    assert failed["recipe"] == f"trained differently: size small and full, rate {usual} and 1e-05"
    assert found.failed[0].remedy.startswith("train both arms the same way")


def test_unequal_updates_count_only_at_the_plateau(tmp_path: Path) -> None:
    rising = Curve(0.66, start=0.45, steepness=0.8, noise=0.0)
    for name, curve, fair in (("flat", Curve(0.52, noise=0.0), True), ("rising", rising, False)):
        workspace, campaign = finished(tmp_path / name, ONE, seeds=(1,), curves={("amn", "baseline"): curve})
        folder = workspace.run(planned_run(campaign, "amn", "expanded"))
        spec = read_spec(folder.spec)
        folder.spec.write_bytes(dump_document(encode(replace(spec, total_steps=48))))
        found = compared(workspace, campaign)
        check = next(check for check in found.checks if check.name == "equal chance to learn")
        assert check.passed is fair
        assert ("8k was still improving" in check.words) is not fair
        report, md = report_of(workspace, campaign)
        assert report.answer.startswith("No answer: AMN allows no fair comparison") is not fair
        remedy = "To judge AMN: longer training (more --epochs), or equally many updates for both arms"
        assert (remedy in md) is not fair
        assert ("For a verdict, longer training" in section(md, "What to do")) is not fair


def test_epochs_that_were_planned_as_equal_updates_are_an_equal_chance(tmp_path: Path) -> None:
    """The smaller arm is given more of them; that its script chooses its batches is its own word."""
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    for arm, epochs in (("baseline", 9), ("expanded", 3)):
        folder = workspace.run(planned_run(campaign, "amn", arm))
        own = OwnTrainer("AMN", "train {epochs}", "/", ("epoch (?P<epoch>.)",), "epoch")
        spec = replace(read_spec(folder.spec), total_steps=epochs, own_trainer=own)
        folder.spec.write_bytes(dump_document(encode(spec)))
    checks = {check.name: check for check in compared(workspace, campaign).checks}
    words = "9 epochs (updates not known) and 3 epochs (updates not known), planned for as many updates of both"
    assert checks["equal chance to learn"] == Check("equal chance to learn", True, words)
    for arm in ARMS:
        folder = workspace.run(planned_run(campaign, "amn", arm))
        spec = read_spec(folder.spec)
        guessed = replace(spec, own_trainer=replace(own, pattern=(f"{arm} (?P<epoch>.)",), guessed=True))
        folder.spec.write_bytes(dump_document(encode(guessed)))
    workspace.campaign(campaign.id).comparison("amn").unlink()
    checks = {check.name: check for check in compared(workspace, campaign).checks}
    assert checks["equal chance to learn"].words == "how long both trained was their own script's choice"


@pytest.mark.parametrize("other", ["failed", "finished"])
def test_a_model_of_which_a_run_failed_is_not_called_cancelled(tmp_path: Path, other: str) -> None:
    states = {("amn", "baseline"): other, ("amn", "expanded"): "cancelled"}
    (row,) = read_table(state_of(*finished(tmp_path, ONE, seeds=(1,), states=states))).rows  # type: ignore[arg-type]
    assert row.cancelled is (other == "finished") and "23k cancelled" in row.verdict.reason


def test_a_result_that_was_overtaken_while_it_was_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow report wrote what it had read over what the supervisor had made since."""
    workspace, campaign = finished(tmp_path, ONE, seeds=(1, 2), states={("amn", "expanded"): "queued"})
    bring_to(workspace, campaign, "amn", "expanded", 1, state="finished", heldout=True)
    made = comparison_of

    def slow(state: CampaignState, model: str, now: float) -> Comparison:
        result = made(state, model, now)
        if len(result.pairs) == 1:  # meanwhile
            bring_to(workspace, campaign, "amn", "expanded", 2, state="finished", heldout=True)
        return result

    monkeypatch.setattr("lvmtui.verdict.compare.comparison_of", slow)
    assert compare(workspace.campaign(campaign.id), "amn")
    found = read_comparison(workspace.campaign(campaign.id).comparison("amn"))
    assert found and len(found.pairs) == 2


def test_a_run_continued_from_another_is_not_comparable(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    events = workspace.run(planned_run(campaign, "amn", "expanded")).events
    first, *rest = events.read_bytes().splitlines()
    started = json.loads(first) | {"resumed_from": 4000, "checkpoint": "elsewhere.pt"}
    events.write_bytes(b"\n".join([json.dumps(started).encode(), *rest, b""]))
    found = compared(workspace, campaign)
    assert "23k continued from another run's checkpoint" in [check.words for check in found.failed]


def test_skill_is_against_the_best_trivial_baseline(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    folder = workspace.campaign(campaign.id)
    with np.load(workspace.run(planned_run(campaign, "amn", "baseline")).heldout) as arrays:
        cosine = arrays["cosine"]
    for arm in ("baseline", "expanded"):
        np.savez(
            folder.baseline_scores(arm).with_suffix(".npz"),
            mean_cosine=cosine - 0.02,
            recency_mean_cosine=cosine - 0.01,
        )
    found = compared(workspace, campaign)
    assert found.baseline and found.baseline.skill and found.expanded and found.expanded.skill
    assert found.baseline.skill.against == "recency_mean"
    assert found.baseline.skill.gain.value == pytest.approx(0.01, abs=1e-6)
    assert found.expanded.skill.gain.value == pytest.approx(0.018, abs=1e-3)
    report, md = report_of(workspace, campaign)
    row = report.table.rows[0]
    assert (row.baseline.skill_words, row.expanded.skill_words) == ("better", "better")
    assert re.search(r"\| \+\.0100 \[\+\.0100, \+\.0100\] \| \+\.018\d \[", md)
    assert "gain with 8k: +.0100 [+" in (workspace.results(campaign) / "amn.txt").read_text()


def test_two_seeds_that_lie_apart_are_the_reason_for_no_verdict(tmp_path: Path) -> None:
    workspace, campaign = finished(
        tmp_path, ONE, seeds=(1, 2), windows=450, states={("amn", "expanded"): "queued", ("amn", "baseline"): "queued"}
    )
    for arm in ("baseline", "expanded"):
        for seed, cosine in ((1, 0.40), (2, 0.52)):
            run = bring_to(workspace, campaign, "amn", arm, seed, state="finished", heldout=True)
            with np.load(run.folder.heldout) as arrays:
                moved = arrays["cosine"] - arrays["cosine"].mean() + cosine + (0.005 if arm == "expanded" else 0)
            rewritten(run, {"cosine": moved.astype(np.float32)})
    report, md = report_of(workspace, campaign)
    (row,) = report.table.rows
    assert row.estimate and row.estimate.cluster_df and row.estimate.df < 3 < row.estimate.cluster_df
    assert report.answer.endswith("; too few seeds.")
    assert "2 seeds do not tell how much they vary" in md and "To judge AMN: more seeds (--seeds)" in md
    assert "too few held-out clusters" not in md and "A few large articles" not in md
    assert row.medal == "" and row.interval is None
    shown = (workspace.results(campaign) / "amn.txt").read_text()
    assert "degrees of freedom over clusters and seeds" in " ".join(shown.split())


def test_a_shared_machine_is_noted_once_for_all_seeds(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1, 2, 3), states={("amn", "expanded"): "queued"})
    for seed in (1, 2, 3):
        bring_to(workspace, campaign, "amn", "expanded", seed, seconds_per_step=0.2, heldout=True)
    found = compared(workspace, campaign)
    assert not found.failed
    assert found.notes == (
        "8k trained at 2,560 windows/s, 23k at 640; times of the two are not comparable (likewise 2 other pairs)",
    )


def test_a_script_that_was_edited_between_the_arms_is_a_doubt(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    for arm, digest in (("baseline", "0a1b"), ("expanded", "5f60")):
        events = workspace.run(planned_run(campaign, "amn", arm)).events
        events.write_text(events.read_text().replace('"versions":{', f'"versions":{{"train.py":"sha256 {digest}",'))
    doubt = "the runs used different versions of train.py: sha256 0a1b (8k seed 1), sha256 5f60 (23k seed 1)"
    assert compared(workspace, campaign).doubts == (doubt,)
    report, md = report_of(workspace, campaign)
    assert f"- AMN: {doubt}." in md.split("## What to doubt")[1].split("##")[0]
    assert not any("Scores do not depend on it" in line for line in md.splitlines()), report.answer


def test_an_attempt_that_was_thrown_away_is_no_doubt(tmp_path: Path) -> None:
    """The script was edited, and both arms were trained again from the start."""
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    for arm in ARMS:
        events = workspace.run(planned_run(campaign, "amn", arm)).events
        log = events.read_text().replace('"versions":{', '"versions":{"train.py":"sha256 5f60",')
        events.write_text(log.splitlines(keepends=True)[0].replace("5f60", arm) + log)
    assert compared(workspace, campaign).doubts == ()


def test_a_run_started_again_takes_its_comparison_with_it(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    folder = workspace.campaign(campaign.id)
    compare(folder, "amn")
    assert read_comparisons(state_of(workspace, campaign))
    run = workspace.run(planned_run(campaign, "amn", "expanded"))
    again = History(run, time=1795360000.0)
    again.start()
    assert not read_comparisons(state_of(workspace, campaign))


def test_a_model_of_another_campaign_is_refused(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",), total_steps=24)
    folder = tmp_path / "artifacts/lvm/campaigns" / campaign.id
    with pytest.raises(UserError, match="model 'gpt' is not known"):
        compare(CampaignDir(folder), "gpt")


def test_folds_are_judged_each_on_its_own_windows(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, states={("amn", arm): "queued" for arm in ARMS})
    folder = workspace.campaign(campaign.id)
    plan = replace(campaign, folds=True, cluster_cap=20)
    folder.campaign.write_bytes(dump_document(encode(plan)))
    for seed in campaign.seeds:
        fingerprint = hashlib.sha256(f"fold {seed}".encode()).hexdigest()
        for arm in ARMS:
            run = workspace.run(planned_run(campaign, "amn", arm, seed))
            spec = replace(read_spec(run.spec), split_fingerprint=fingerprint)
            run.spec.write_bytes(dump_document(encode(spec)))
            bring_to(workspace, campaign, "amn", arm, seed, state="finished", heldout=True)
            trivial = find_document(TrivialBaselines, folder.baseline_scores(arm))
            assert trivial is not None
            of_fold = replace(trivial, fingerprint=fingerprint)
            folder.baseline_scores(arm, plan.fold_of(seed)).write_bytes(dump_document(encode(of_fold)))
            with np.load(run.heldout) as arrays:
                windows, cosine, rank = len(arrays["window"]), arrays["cosine"], arrays["rank"]
            path = folder.baseline_scores(arm, plan.fold_of(seed)).with_suffix(".npz")
            np.savez(path, recency_mean_cosine=cosine - 0.01, recency_mean_rank=rank)
    found = compared(workspace, campaign)
    assert not found.failed and found.folds and found.cap == 20
    assert found.change and found.change.windows == 3 * windows and found.effects and len(found.effects.share) == 3
    assert found.change.clusters == 3 * (windows // 25)
    assert found.expanded and found.expanded.skill and found.expanded.skill.against == "recency_mean"
    assert found.expanded.skill.gain.value == pytest.approx(0.01, abs=1e-6)
    (row,) = read_table(state_of(workspace, campaign)).rows
    assert row.verdict.word is Word.IMPROVED and row.seeds == 3
    folder.baseline_scores("expanded", 2).unlink()
    assert not is_current(state_of(workspace, campaign), "amn")


def test_code_that_was_edited_between_the_arms_is_in_the_row(tmp_path: Path) -> None:
    workspace, campaign = finished(tmp_path, ONE, seeds=(1,))
    for arm, code in zip(ARMS, ("a" * 64, "b" * 64), strict=True):
        events = workspace.run(planned_run(campaign, "amn", arm)).events
        first, *rest = events.read_bytes().splitlines()
        events.write_bytes(b"\n".join([json.dumps(json.loads(first) | {"code": code}).encode(), *rest, b""]))
    compare(workspace.campaign(campaign.id), "amn")
    (row,) = read_table(state_of(workspace, campaign)).rows
    assert row.verdict.sentence == (
        "not comparable: the code that trains changed between runs: one version trained 8k seed 1; another 23k seed 1"
    )
    assert row.medal == "" and row.verdict.remedy
