"""Conditions of a fair comparison that need no scores, and what is noted beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.data_facts import PairFacts, SpaceFacts
from lvmtui.formats.paths import Workspace
from lvmtui.formats.results import METRIC, Check
from lvmtui.formats.spec import Imported
from lvmtui.formats.trainer_log import Trained
from lvmtui.formats.user_code import OwnTrainer, UserCode
from lvmtui.state.run_state import RunState
from lvmtui.verdict.comparable import (
    ComparedRun,
    _early_end,
    check_code,
    checks_of,
    contention_notes,
    differences,
    merged,
    own_doubts,
    settled,
    version_doubts,
)
from tests.factory import FINGERPRINT, bring_to, make_campaign
from tests.history import Curve
from tests.verdict.scenes import finished, state_of


def pair(root: Path, curve: Curve | None = None) -> tuple[RunState, RunState]:
    campaign = make_campaign(root, models=("amn",), total_steps=24)
    for arm in ("baseline", "expanded"):
        bring_to(root, campaign, "amn", arm, state="finished", curve=curve)
    views = state_of(Workspace(root), campaign).runs
    assert views[0].state and views[1].state
    return views[0].state, views[1].state


def side(state: RunState, **options: object) -> ComparedRun:
    assert state.trainer.started
    return replace(ComparedRun(state, (state.trainer.started,), METRIC, FINGERPRINT, ""), **options)  # type: ignore[arg-type]


def with_speeds(state: RunState, speeds: list[float]) -> RunState:
    points = tuple(Trained(0.0, i, 0.5, 0.5, 0.001, speed, 0.0) for i, speed in enumerate(speeds))
    return replace(state, trainer=replace(state.trainer, points=points))


def test_the_same_epochs_are_longer_training_of_the_larger_arm(tmp_path: Path) -> None:
    """A script that was given 12 epochs of each arm "improved", two thirds of it by twice as many updates."""
    views = state_of(*finished(tmp_path, {"amn": (0.5, 0.51)}, seeds=(1,))).runs[:2]

    def doubts(unit: Literal["step", "epoch"], *epochs: int) -> tuple[str, ...]:
        own = []
        for view, steps, windows in zip(views, epochs, (2093, 4376), strict=True):
            assert view.state
            trainer = OwnTrainer("mine", "python mine.py", "/", unit=unit)
            spec = replace(view.state.spec, own_trainer=trainer, total_steps=steps, train_windows=windows)
            own.append(replace(view, state=replace(view.state, spec=spec)))
        return tuple(said for said in own_doubts(own, [(own[0], own[1])]) if "longer training" in said)

    (said,) = doubts("epoch", 12, 12)
    assert said.startswith(
        "both arms were given 12 epochs, and 23k has 2.1 times as many windows: a part of the change"
    )
    assert doubts("step", 12, 12) == doubts("epoch", 25, 12) == ()


def test_all_conditions_hold_for_two_runs_of_one_campaign(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    found = checks_of(campaign, side(baseline), side(expanded))
    assert all(check.passed for check in found)
    assert len({check.name for check in found}) == len(found) == 8


def test_a_baseline_of_another_campaign_may_have_seen_the_held_out_vectors(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    foreign = replace(baseline, spec=replace(baseline.spec, split_fingerprint="f" * 64, dim=768))
    failed = [
        c for c in checks_of(campaign, side(foreign, scores_fingerprint="f" * 64), side(expanded)) if not c.passed
    ]
    assert [c.name for c in failed] == ["held-out windows", "held-out by content", "vector space"]
    assert failed[1].words == "8k may have trained on held-out vectors: its split is another one"


def test_a_condition_that_fails_for_one_seed_fails() -> None:
    good, bad = Check("recipe", True, "the same"), Check("recipe", False, "rate .1 and .2")
    assert merged({1: (good,), 2: (bad,)}) == (Check("recipe", False, "seed 2: rate .1 and .2"),)
    assert merged({1: (good,), 2: (good,)}) == (good,)
    other = Check("recipe", True, "both were given 320 updates")
    (found,) = merged({1: (good,), 2: (good,), 3: (other,)})
    assert found.passed and found.words == f"seeds 1, 2: {good.words}; seed 3: both were given 320 updates"


def test_an_early_stop_is_a_plateau(tmp_path: Path) -> None:
    rising, _ = pair(tmp_path, Curve(0.60, start=0.10, steepness=0.8, noise=0.0))
    assert not settled(rising)
    finished = rising.trainer.finished
    assert finished
    stopped = replace(rising, trainer=replace(rising.trainer, ending=replace(finished, stopped_early=True)))
    assert settled(stopped) and _early_end(stopped).endswith(", its last evaluation")
    own = replace(stopped, spec=replace(stopped.spec, own_trainer=OwnTrainer("mine", "python mine.py", "/")))
    assert not settled(own), "it may have ended for another reason"


def test_what_is_not_known_of_another_programs_run_is_said(tmp_path: Path) -> None:
    """Its steps are epochs: as many as the other run's updates are not the same chance to learn."""
    rising = pair(tmp_path / "rising", Curve(0.60, start=0.10, steepness=0.8, noise=0.0))
    level = pair(tmp_path / "level", Curve(0.60, start=0.59, steepness=8.0, noise=0.0))
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    foreign = Imported("/old/amn", "training_history.json", "0" * 64, "best_model.pt")
    found = {}
    for name, (old, new) in {"rising": rising, "level": level}.items():
        assert old.spec.total_steps == new.spec.total_steps
        old = replace(old, spec=replace(old.spec, imported=foreign))
        found[name] = {check.name: check for check in checks_of(campaign, side(old), side(new))}
    chance = {name: checks["equal chance to learn"] for name, checks in found.items()}
    assert not chance["rising"].passed and chance["level"].passed
    assert chance["level"].words == "24 epochs (updates not known) and 24 updates, both at their plateau"
    words = [check.words for check in found["level"].values() if check.passed]
    assert "both started from random weights, of 8k as far as the history tells" in words
    assert any(word.endswith("8k being trained on the file named by --trained-on") for word in words)


def test_what_is_not_known_of_a_trainer_of_the_users_own_is_not_claimed(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    own = OwnTrainer("mine", "python mine.py", "/", unit="epoch")
    sides = [side(replace(state, spec=replace(state.spec, own_trainer=own))) for state in pair(tmp_path)]
    sides = [replace(one, starts=(replace(one.starts[0], parameters=0),)) for one in sides]
    said = "; ".join(check.words for check in (*checks_of(campaign, sides[0], sides[1]), check_code(sides)))
    assert "random weights" not in said and "number of parameters" not in said
    assert "both began at the first step, with which weights is for their own trainer to say" in said
    assert "both were given 24 epochs (updates not known)" in said
    assert said.endswith("its code and its parameters are not known")


def test_an_early_end_is_told_as_what_happened(tmp_path: Path) -> None:
    falling, rising = pair(tmp_path)
    finished = falling.trainer.finished
    assert finished
    evaluations = tuple(
        replace(e, best=i == 0, epoch=0.574 * (i + 1)) for i, e in enumerate(falling.trainer.evaluations)
    )
    trainer = replace(falling.trainer, evaluations=evaluations, ending=replace(finished, stopped_early=True))
    stopped = replace(falling, trainer=trainer)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    (chance,) = (c for c in checks_of(campaign, side(stopped), side(rising)) if c.name == "equal chance to learn")
    assert chance.passed
    assert chance.words == (
        "both were given 24 updates; 8k ended early: best at epoch 0.6, its first evaluation, no better in "
        f"{len(evaluations) - 1} evaluations"
    )


def test_a_shared_machine_is_noted(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    steady, slowed = [400.0] * 40, [400.0] * 30 + [150.0] * 10
    assert contention_notes(with_speeds(baseline, steady), with_speeds(expanded, steady)) == ()
    (note,) = contention_notes(with_speeds(baseline, slowed), with_speeds(expanded, steady))
    assert note.startswith("8k: uneven speed, a tenth of the training at 150 windows/s or less, half of it above 400")
    (note,) = contention_notes(with_speeds(baseline, steady), with_speeds(expanded, [200.0] * 40))
    assert note.startswith("8k trained at 400 windows/s, 23k at 200;")


def started_with(one: ComparedRun, **changes: object) -> ComparedRun:
    """The side with one more attempt that differs from its first."""
    return replace(one, starts=(*one.starts, replace(one.starts[0], **changes)))  # type: ignore[arg-type]


def test_code_that_changed_between_arms_seeds_or_attempts_is_not_comparable(tmp_path: Path) -> None:
    sides = [side(state) for state in pair(tmp_path)]
    assert check_code(sides) == Check("same model", True, "all runs have the same number of parameters")
    coded = [replace(one, starts=(replace(one.starts[0], code="a" * 64),)) for one in sides]
    assert check_code(coded).words == "all runs were trained by the same code"
    edited = check_code([coded[0], replace(coded[1], starts=(replace(coded[1].starts[0], code="b" * 64),))])
    assert not edited.passed
    assert (
        edited.words == "the code that trains changed between runs: one version trained 8k seed 1; another 23k seed 1"
    )
    assert edited.remedy.startswith("plan a new campaign"), "a finished run is never trained over"
    resumed = check_code([coded[0], started_with(coded[1], code="b" * 64)])
    assert not resumed.passed and "8k seed 1, 23k seed 1; another 23k seed 1" in resumed.words
    wider = check_code([coded[0], replace(coded[1], starts=(replace(coded[1].starts[0], parameters=987_000),))])
    assert not wider.passed and wider.words.endswith("8k seed 1 612,864, 23k seed 1 987,000")


def test_what_was_not_recorded_or_is_another_programs_is_not_held_against_a_run(tmp_path: Path) -> None:
    first, second = (side(state) for state in pair(tmp_path))
    assert check_code([first, started_with(second, code="b" * 64)]).passed
    foreign = Imported("/old/amn", "training_history.json", "0" * 64, "best_model.pt")
    spec = replace(first.state.spec, imported=foreign)
    old = replace(first, state=replace(first.state, spec=spec), starts=(replace(first.starts[0], parameters=7),))
    assert check_code([old, second]).passed
    judge = replace(old.starts[0], parameters=7, code="a" * 64)  # of the process that only loads and scores its weights
    told = check_code([replace(old, starts=(judge,)), replace(second, starts=(replace(judge, parameters=9),))])
    but = "all runs but those of 8k (another program's, its code is not known) were trained by the same code"
    assert told == Check("same model", True, but)


def test_other_versions_are_a_doubt(tmp_path: Path) -> None:
    sides = [side(state) for state in pair(tmp_path)]
    assert version_doubts(sides) == ()
    newer = sides[1].starts[0].versions | {"torch": "9.9"}
    assert version_doubts([sides[0], started_with(sides[1], versions=newer)])[0].startswith(
        "the runs used different versions of torch: "
    )


def test_vectors_of_another_space_are_not_comparable(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = make_campaign(tmp_path / "other", models=("amn",))
    for same, passed in (("yes", True), ("unknown", True), ("no", False)):
        found = checks_of(campaign, side(baseline), side(expanded), PairFacts(0.0, False, same))
        assert next(c for c in found if c.name == "vector space").passed is passed
    turned = PairFacts(0.0, False, "no", SpaceFacts(True, 0.45, 0.08, -0.02, ("expanded: rows 8,280 to 23,263",)))
    (check,) = (c for c in checks_of(campaign, side(baseline), side(expanded), turned) if not c.passed)
    assert check.words == "not all vectors are of one space (expanded: rows 8,280 to 23,263)"


def test_with_folds_each_seed_has_windows_of_its_own_that_both_arms_share(tmp_path: Path) -> None:
    baseline, expanded = pair(tmp_path)
    campaign = replace(make_campaign(tmp_path / "other", models=("amn",)), folds=True)
    one, two = (
        side(replace(state, spec=replace(state.spec, split_fingerprint="f" * 64)), scores_fingerprint="f" * 64)
        for state in (baseline, expanded)
    )
    found = checks_of(campaign, one, two)
    assert all(check.passed for check in found)
    assert "both judged on the windows of each seed's fold" in [c.words for c in found], "of which it may lack some"
    assert not all(check.passed for check in checks_of(campaign, one, side(expanded)))


def test_a_loss_of_ones_own_is_known_by_its_digest(tmp_path: Path) -> None:
    """Each campaign has a copy of its own, so the folder says nothing."""
    spec = pair(tmp_path)[0].spec
    ours, copied, changed = (
        replace(spec, recipe=replace(spec.recipe, own_loss=UserCode(folder, "mine", "loss", digest, "mine.py:loss")))
        for folder, digest in (("a/own", "aa" * 32), ("b/own", "aa" * 32), ("a/own", "bb" * 32))
    )
    assert not differences(ours, copied)
    assert differences(ours, changed).startswith("own_loss mine.py:loss, digest aaaa")


def test_a_run_of_an_earlier_version_can_serve_as_a_baseline(tmp_path: Path) -> None:
    """It knew no least number of updates; how many there were is compared by itself."""
    spec = pair(tmp_path)[0].spec
    earlier = replace(spec, recipe=replace(spec.recipe, least_updates=0))
    longer = replace(spec, recipe=replace(spec.recipe, epochs=9))
    assert spec.recipe.least_updates and not differences(earlier, spec)
    assert differences(spec, longer).startswith("epochs ")
