"""Each fault is named rightly as soon as it shows, healthy runs are left in peace, and nothing makes the judge fall."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.results import Comparison
from lvmtui.formats.trainer_log import Evaluated, Event, Finished, Started, Unknown
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.state.run_state import RunState, fold
from lvmtui.system.text import sanitise
from lvmtui.verdict.health import Finding, health_of, of_seeds
from tests.strategies import events, seconds, steps, times, words
from tests.verdict.series import SPEC, TRIVIAL, diverged, evaluated, run_of
from tests.verdict.tables import made_row, with_skill

PLACES = range(1, 13)


def healthy(seed: int, top: float = 0.522) -> list[Evaluated]:
    """A run of the tuned recipe as they look on the bundled data: up fast, then slowly, wandering by .001."""
    chance = random.Random(seed)
    top += chance.uniform(-0.006, 0.006)
    start, steep = chance.uniform(0.40, 0.515), chance.uniform(0.5, 1.0)
    cosines = [top - (top - start) * math.exp(-steep * p) + chance.gauss(0, 0.0007) for p in PLACES]
    found, best = [], -1.0
    for p, cosine in zip(PLACES, cosines, strict=True):
        train = cosine + 0.004 * p + chance.gauss(0, 0.001) - 0.02
        spread = 0.65 - chance.uniform(0.1, 0.3)
        found.append(evaluated(p, cosine, train, spread=spread, margin=-0.2 + 0.01 * p, best=cosine > best))
        best = max(best, cosine)
    return found


def kinds(findings: Sequence[Finding]) -> set[str]:
    return {f.kind for f in findings}


def first_named(evaluations: Sequence[Evaluated], kind: str) -> int | None:
    """The evaluation (from 1) at which a fault is first named."""
    for n in range(1, len(evaluations) + 1):
        if kind in kinds(health_of(run_of(evaluations[:n]), TRIVIAL)):
            return n
    return None


@pytest.mark.parametrize("seed", range(40))
def test_healthy_runs_raise_no_alarm_at_any_evaluation(seed: int) -> None:
    evaluations = healthy(seed)
    for n in range(len(evaluations) + 1):
        for trivial in (TRIVIAL, None):
            assert not [f for f in health_of(run_of(evaluations[:n]), trivial) if f.alarm]
    assert not kinds(health_of(run_of(evaluations), TRIVIAL)) & {"overfitting", "echoing"}


def test_a_run_without_evaluations_has_nothing_to_say() -> None:
    assert health_of(run_of([]), TRIVIAL) == ()


# Planted faults: named within two evaluations of showing -------------------------------------------------------------


def test_a_constant_predictor_has_collapsed() -> None:
    """It shows from the first evaluation, and is held against the run after its first quarter (evaluation 3)."""
    run = [evaluated(p, 0.172 + 0.0001 * p, 0.171, spread=0.004, margin=0.0) for p in PLACES]
    assert first_named(run, "collapsed") == 3
    (only,) = health_of(run_of(run), TRIVIAL)
    assert only.alarm and only.words == "predicts the mean vector since epoch 1: spread .004 of the context's .65"


def test_a_collapse_in_mid_run_is_dated() -> None:
    run = healthy(1)[:6] + [evaluated(p, 0.17, 0.17, spread=0.01, margin=0.0, best=False) for p in range(7, 13)]
    assert first_named(run, "collapsed") == 7
    for n in range(7, 13):
        (found,) = health_of(run_of(run[:n]), TRIVIAL)
        assert "since epoch 7:" in found.words


def test_a_collapse_that_is_over_is_not_held_against_the_run() -> None:
    run = [evaluated(p, 0.17, 0.17, spread=0.01) for p in range(1, 5)] + healthy(2)[4:]
    assert "collapsed" in kinds(health_of(run_of(run[:4]), TRIVIAL))
    assert "collapsed" not in kinds(health_of(run_of(run), TRIVIAL))


def test_without_baselines_only_a_spread_near_nothing_is_a_collapse() -> None:
    run = [evaluated(p, 0.17, 0.17, spread=0.004) for p in range(1, 6)]
    assert kinds(health_of(run_of(run), None)) == {"collapsed"}
    narrow = [replace(e, spread=0.1) for e in run]
    assert kinds(health_of(run_of(narrow), TRIVIAL)) == {"collapsed"}
    assert health_of(run_of(narrow), None) == ()


def test_the_originals_collapse_is_found_in_a_history_without_spread() -> None:
    validation = (0.545, 0.560, 0.4230, 0.4232, 0.4241)
    training = (0.475, 0.548, 0.444, 0.422, 0.423)
    run = [
        evaluated(p, v, t, spread=None, margin=None, best=p <= 2)
        for p, (v, t) in enumerate(zip(validation, training, strict=True), start=1)
    ]
    assert health_of(run_of(run[:3]), None) == ()
    for n in (4, 5):
        (found,) = health_of(run_of(run[:n], over=True), None)
        assert found.kind == "collapsed" and found.alarm
        assert found.words.startswith("collapsed at epoch 3: ") and ".560" in found.words and ".548" in found.words


def test_the_originals_overfitting_is_a_note_and_no_collapse() -> None:
    """80k GraphMERT-LVM: .578 at epoch 8, .550 at epoch 25."""
    run = [
        evaluated(p, 0.578 - (0.003 * (8 - p) ** 1.5 if p < 8 else 0.028 * (p - 8) / 17), 0.50 + 0.01 * p,
                  spread=None, margin=None, best=p <= 8)
        for p in range(1, 26)
    ]  # fmt: skip
    (found,) = health_of(run_of(run, over=True), None)
    assert found.kind == "overfitting" and not found.alarm
    assert ".5780 at its peak, epoch 8, now .5500" in found.words


def test_a_copy_last_predictor_echoes() -> None:
    run = [evaluated(p, 0.428, 0.428, spread=0.9, margin=-0.572, last_cosine=1.0) for p in PLACES]
    assert first_named(run, "echoing") == 1
    found = next(f for f in health_of(run_of(run), TRIVIAL) if f.kind == "echoing")
    assert not found.alarm and "98% of the way" in found.words and "1.000" in found.words


def test_the_context_and_recency_means_do_not_echo() -> None:
    for margin, last in ((-0.16, 0.667), (-0.23, 0.75)):
        run = [evaluated(p, 0.507, 0.507, margin=margin, last_cosine=last) for p in PLACES]
        assert "echoing" not in kinds(health_of(run_of(run), TRIVIAL))


def test_a_mean_predictor_is_no_better_than_a_trivial_baseline() -> None:
    run = [evaluated(p, 0.507, 0.507, spread=0.65, margin=-0.16) for p in PLACES]
    assert first_named(run, "no_better") == 3  # after the first quarter
    assert not [f for f in health_of(run_of(run), TRIVIAL) if f.alarm]
    (said,) = health_of(run_of(run[:4]), TRIVIAL)
    assert said.label == "at context mean"
    assert said.words == "no better than the context mean so far: .5070 against .5070"
    (said,) = health_of(run_of(run, heldout=0.5064), TRIVIAL)
    assert said.label == "below recency mean"
    assert said.words == "no better than the recency mean on the held-out windows: .5064 against .5170 (plain means)"
    (said,) = health_of(run_of(run, heldout=0.51698), TRIVIAL)
    assert said.label == "at recency mean" and ".5170 against .5170" in said.words, "no digit shown differs"
    ended = run_of(run, heldout=0.0)
    ending = ended.trainer.ending
    assert isinstance(ending, Finished)
    no_windows = replace(ending, heldout=replace(ending.heldout, windows=0))  # it left no predictions
    (said,) = health_of(replace(ended, trainer=replace(ended.trainer, ending=no_windows)), TRIVIAL)
    assert said.words == "no better than the context mean so far: .5070 against .5070"


@pytest.mark.parametrize(("gain", "labels"), [(-0.01, ["below"]), (-0.0001, ["at"]), (0.01, [])])
def test_the_interval_decides_whether_a_trivial_baseline_is_better(gain: float, labels: list[str]) -> None:
    run = run_of([evaluated(p, 0.507, 0.507, spread=0.65, margin=-0.16) for p in PLACES], heldout=0.5064)
    scores = with_skill(made_row("gru", 1.0), gain).expanded.scores
    compared = Comparison("c", "gru", "", "", (), (), (), scores, scores, None, (), 0.0)
    found = health_of(run, TRIVIAL, compared)
    assert [finding.label for finding in found] == [f"{label} recency mean" for label in labels]


def test_shuffled_targets_fail_to_learn() -> None:
    """Started near a mean of the context, the model unlearns it; nothing in training goes up."""
    run = [evaluated(p, 0.30 + 0.2 * math.exp(-p), 0.2, spread=0.3, best=p == 1) for p in PLACES]
    assert kinds(health_of(run_of(run), TRIVIAL)) == {"failed_to_learn"}
    learned_nothing = [evaluated(1, 0.508, 0.21), *run[1:]]  # it began above the bar, and its best is kept
    (found,) = health_of(run_of(learned_nothing), TRIVIAL)
    assert found.kind == "failed_to_learn" and "training .2000" in found.words and ".5070" in found.words
    assert first_named(run, "failed_to_learn") == 12


def test_what_overfits_on_easy_validation_windows_has_not_fallen_apart() -> None:
    """The mean of the context was .606 on its training windows, .646 on those of validation."""
    run = [evaluated(p, 0.512 - 0.002 * p, 0.45 + 0.003 * p, spread=0.3, best=p == 1) for p in PLACES]
    assert "failed_to_learn" not in kinds(health_of(run_of(run), TRIVIAL))
    level = [evaluated(p, 0.512 - 0.002 * p, 0.45 - 0.003 * p, spread=0.3, best=p == 1) for p in PLACES]
    assert "failed_to_learn" in kinds(health_of(run_of(level), TRIVIAL))


def test_what_failed_to_learn_is_told_by_the_weights_that_are_kept() -> None:
    """The best came at once, below the context mean, and the run overfitted from there on."""
    run = [evaluated(p, 0.50 - 0.01 * p, 0.52 + 0.01 * p, best=p == 1) for p in PLACES]
    found = {finding.kind: finding for finding in health_of(run_of(run), TRIVIAL)}
    assert found["failed_to_learn"].words == (
        "failed to learn: highest validation cosine .4900, epoch 1, the context mean has .5070; then it overfitted: "
        ".3800 at the end, training .6400"
    )
    assert "overfitting" in found
    first = found["failed_to_learn"]
    told = of_seeds([(1, first), (2, first)], several=True)
    assert told == f"{first.words} (seed 1; also seed 2)", "both overfitted"
    other = replace(first, words=first.shared)
    told = of_seeds([(1, first), (2, other)], several=True)
    assert told == f"{first.shared} (seed 1; also seed 2)" != f"{first.words} (seed 1; also seed 2)"
    assert of_seeds([(1, first), (2, replace(first, shared=""))], several=True).startswith(first.words)
    learned_nothing = [evaluated(p, 0.3, 0.3) for p in PLACES]
    (one,) = (f for f in health_of(run_of(learned_nothing), TRIVIAL) if f.alarm)
    assert one.words == "failed to learn: highest validation cosine .3000, epoch 1, the context mean has .5070"
    seeds = [(seed, one) for seed in (2, 5, 7)]
    assert of_seeds(seeds[:1], several=False) == one.words
    assert of_seeds(seeds[:1], several=True) == f"{one.words} (seed 2)"
    assert of_seeds(seeds, several=True) == f"{one.words} (seed 2; also seeds 5, 7)"


def test_a_loss_that_is_no_number_has_diverged() -> None:
    for run in (
        diverged(run_of(healthy(3)[:4]), 460),
        run_of([*healthy(3)[:4], evaluated(5, None, None, spread=None, margin=None)]),
    ):
        (found,) = health_of(run, TRIVIAL)
        assert found.kind == "diverged" and found.alarm
    assert "step 460" in health_of(diverged(run_of([]), 460), None)[0].words


def test_a_loss_that_explodes_has_diverged() -> None:
    run = [evaluated(p, 0.5, 0.5, loss=0.002) for p in range(1, 4)]
    run = [replace(e, train_loss=0.0018) for e in run]
    assert "diverged" not in kinds(health_of(run_of(run), TRIVIAL))
    exploded = [*run, replace(evaluated(4, 0.01, 0.01, loss=41.0), train_loss=12.0)]
    (found,) = health_of(run_of(exploded), TRIVIAL)
    assert found.kind == "diverged" and "epoch 4" in found.words and "41" in found.words


def test_what_is_learned_by_heart_has_not_exploded() -> None:
    run = [
        replace(evaluated(1, 0.50, 0.54, loss=0.49), train_loss=0.46),
        replace(evaluated(2, 0.39, 0.89, loss=0.61), train_loss=0.11),
        replace(evaluated(3, 0.26, 0.99, loss=0.74), train_loss=0.01),
    ]
    assert "diverged" not in {f.kind for f in health_of(run_of(run), TRIVIAL)}


def test_an_explosion_is_forgiven_once_an_evaluation_is_better_than_all_before() -> None:
    spike = [evaluated(1, 0.5, loss=0.002), evaluated(2, 0.1, loss=41.0, best=False)]
    spike = [replace(e, train_loss=None) for e in spike]
    settling = [*spike, replace(evaluated(3, 0.4, loss=0.003, best=False), train_loss=None)]
    for run in (spike, settling):
        assert kinds(health_of(run_of(run), None)) == {"diverged"}
    assert health_of(run_of([*settling, replace(evaluated(4, 0.52, loss=0.0019), train_loss=None)]), None) == ()


def test_an_overfit_is_a_note_with_its_peak() -> None:
    """500 windows: validation has its peak at evaluation 4 and falls, training goes on rising."""
    validation = [0.49, 0.505, 0.513, 0.516, 0.5145, 0.511, 0.507, 0.504, 0.501, 0.499, 0.498, 0.497]
    run = [evaluated(p, v, 0.5 + 0.03 * p, best=p <= 4) for p, v in zip(PLACES, validation, strict=True)]
    shows = next(n for n in PLACES if n - 4 >= 3 and max(validation[n - 3 : n]) < 0.516 - 0.003)
    named = first_named(run, "overfitting")
    assert named is not None and named <= shows + 2
    found = next(f for f in health_of(run_of(run), TRIVIAL) if f.kind == "overfitting")
    assert not found.alarm and ".5160 at its peak, epoch 4" in found.words
    lucky = [replace(e, train_cosine=0.6 + 0.001 * i + 0.01 * (i == 3)) for i, e in enumerate(run)]
    (said,) = (f.words for f in health_of(run_of(lucky), TRIVIAL) if f.kind == "overfitting")
    assert said.endswith("while training rose from .6073 to .6100 (means of 3)"), "its peak alone had .6130"
    assert "failed_to_learn" not in kinds(health_of(run_of(run), TRIVIAL))


def test_a_deep_fall_is_told_whatever_training_does() -> None:
    """AMN on 2k windows, 150 epochs: training fell as well, from .8913 to .8411."""
    curve = ((0.8516, 0.8913), (0.7964, 0.87), (0.7288, 0.86), (0.6352, 0.8411))
    run = [evaluated(p, v, t, spread=None, best=p == 1) for p, (v, t) in enumerate(curve, 1)]
    assert first_named(run, "overfitting") == 4
    (found,) = (f for f in health_of(run_of(run), None) if f.kind == "overfitting")
    assert (found.alarm, found.label) == (False, "validation fell")
    assert found.words == "got worse: validation cosine .8516 at its peak, epoch 1, now .6352"
    unknown = [replace(e, train_cosine=None) for e in run]
    assert "overfitting" in kinds(health_of(run_of(unknown), None))
    slight = [evaluated(p, 0.52 - 0.01 * p, 0.5 - 0.01 * p, best=p == 1) for p in range(1, 6)]
    assert "overfitting" not in kinds(health_of(run_of(slight), TRIVIAL))


def test_the_gain_of_the_last_quarter_is_not_overstated_with_few_evaluations() -> None:
    """The last quarter begins just before the third of four evaluations: most of its gain came earlier."""
    steps = ((305, 0.0909), (610, 0.3443), (914, 0.5352), (1200, 0.5867))
    state = run_of([replace(evaluated(p, cosine), step=step) for p, (step, cosine) in enumerate(steps, 1)])
    of_spec = replace(state, spec=replace(state.spec, recipe=replace(state.spec.recipe, schedule="plateau")))
    (found,) = (f for f in health_of(of_spec, None) if f.kind == "still_improving")
    assert found.words == "still improving at the end: .0603 of validation cosine came in the last quarter"


def test_a_curve_that_flattens_because_the_rate_falls_to_zero_still_improves() -> None:
    """As of a run with 15 epochs, of which 60 epochs changed the verdict: .2 % in the last quarter, 1 % in the half."""
    cosines = (0.51, 0.525, 0.54, 0.549, 0.555, 0.559, 0.561, 0.5625, 0.5636, 0.5644, 0.5647, 0.5648)
    state = run_of([evaluated(p, cosine, cosine) for p, cosine in zip(PLACES, cosines, strict=True)])
    (found,) = (f for f in health_of(state, None) if f.kind == "still_improving")
    assert found.words == "still improving at the end: .0058 of validation cosine came in the last half"
    steady = replace(state, spec=replace(state.spec, recipe=replace(state.spec.recipe, schedule="plateau")))
    assert "still_improving" not in kinds(health_of(steady, None))


def test_a_run_that_still_improves_at_its_end_is_told() -> None:
    run = [evaluated(p, 0.45 + 0.006 * p, 0.45 + 0.006 * p) for p in PLACES]
    assert "still_improving" in kinds(health_of(run_of(run), TRIVIAL))
    assert "still_improving" not in kinds(health_of(run_of(run[:-1], over=False), TRIVIAL))
    stopped = run_of(run[:8], over=True)  # patience ended it: it had stopped improving by its own measure
    assert "still_improving" not in kinds(health_of(stopped, TRIVIAL))
    own = replace(stopped, spec=replace(stopped.spec, own_trainer=OwnTrainer("mine", "python mine.py", "/")))
    assert "still_improving" in kinds(health_of(own, TRIVIAL)), "of a program of the user's own nobody knows why"


def test_baselines_of_the_other_arm_are_not_used() -> None:
    run = [evaluated(p, 0.3, 0.3) for p in PLACES]
    assert "failed_to_learn" in kinds(health_of(run_of(run), TRIVIAL))
    assert health_of(run_of(run), replace(TRIVIAL, arm="expanded")) == ()


# Whatever the log holds ----------------------------------------------------------------------------------------------

numbers = st.one_of(st.none(), st.floats(-10, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
wild = st.builds(
    Evaluated, times, steps, st.floats(0, 50), numbers, numbers, numbers, numbers, numbers, numbers, numbers, seconds,
    st.booleans(), seconds, seconds,
)  # fmt: skip
logged: st.SearchStrategy[Event] = st.one_of(events, wild, st.builds(Unknown, words))
baselines = st.one_of(
    st.none(),
    st.builds(
        replace,
        st.just(TRIVIAL),
        spread_mean=st.one_of(st.none(), st.floats(0, 1)),
        echo_margin=st.one_of(st.none(), st.floats(-1, 1)),
        mean_margin=st.one_of(st.none(), st.floats(-1, 1)),
        scores=st.sampled_from([TRIVIAL.scores, {}]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(logged, max_size=30), baselines)
def test_any_log_is_judged_in_words(log: list[Event], trivial: object) -> None:
    run = RunState(SPEC, trainer=fold(log))
    found = health_of(run, trivial)  # type: ignore[arg-type]
    assert found == health_of(run, trivial)  # type: ignore[arg-type]
    assert all(f.words.strip() and sanitise(f.words) == f.words for f in found)
    assert [f.alarm for f in found] == sorted((f.alarm for f in found), reverse=True), "alarms come first"
    assert len(kinds(found)) == len(found), "each fault once"
    assert all(0 < len(f.label) <= 18 for f in found), "a label fits into a cell"
    more = RunState(SPEC, trainer=fold([*log, Unknown("a later version's event")]))
    assert health_of(more, trivial) == found, "what cannot be read changes nothing"  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(0.1, 0.2), min_size=3, max_size=12), st.integers(1, 12), st.integers(0, 100))
def test_more_of_a_collapse_stays_the_same_collapse(spreads: list[float], begins: int, seed: int) -> None:
    """While it lasts it is said at each evaluation, with the epoch it began at."""
    run = healthy(seed)[: begins - 1]
    for spread in spreads:
        run.append(evaluated(len(run) + 1, 0.17, 0.17, spread=spread / 100))
    said = [health_of(run_of(run[:n], over=False), TRIVIAL) for n in range(max(begins, 3), len(run) + 1)]
    assert all(kinds(s) == {"collapsed"} and f"since epoch {begins}:" in s[0].words for s in said)


@settings(max_examples=100, deadline=None)
@given(st.lists(logged.filter(lambda e: not isinstance(e, Started)), max_size=12), st.integers(0, 12))
def test_a_divergence_is_not_unsaid_in_its_attempt(log: list[Event], place: int) -> None:
    unread = evaluated(1, None, None, spread=None, margin=None)
    log.insert(min(place, len(log)), unread)
    assert "diverged" in kinds(health_of(RunState(SPEC, trainer=fold(log)), None))


def test_other_programs_are_held_against_baselines_on_the_heldout_windows_alone() -> None:
    """Their validation windows are their own, so the baselines on ours say nothing about them."""
    low = [evaluated(p, 0.40 + 0.001 * p, spread=0.1, margin=-0.55, last_cosine=0.95) for p in PLACES]

    def own(run: RunState) -> RunState:
        return replace(run, spec=replace(run.spec, own_trainer=OwnTrainer("mine", "python mine.py", "/")))

    def found(heldout: float) -> list[str]:
        run = own(run_of(low, heldout=heldout))
        return [f"{f.kind}, {f.words}" for f in health_of(run, TRIVIAL) if f.kind != "still_improving"]

    unfinished = run_of(low[:11], over=False)
    assert kinds(health_of(unfinished, TRIVIAL)) and not kinds(health_of(own(unfinished), TRIVIAL))
    assert found(0.6) == []
    assert found(0.51) == [
        "no_better, no better than the recency mean on the held-out windows: .5100 against .5170 (plain means)"
    ]
    assert found(0.45) == [
        "failed_to_learn, failed to learn: held-out cosine .4500, the context mean has .5060 (plain means)"
    ]
    low[3] = replace(low[3], cosine=0.53)  # the script predicted with its last weights
    assert found(0.45)[0].endswith(
        f"; its validation cosine fell from .5300, {low[3].where}, to {low[-1].cosine:.4f}".replace(" 0.", " .")
    )
