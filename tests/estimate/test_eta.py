"""Estimates of time: what they count, what they leave out, what they learn, and that they are right."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.estimate.cost import Work, closing_cost, evaluation_cost, parameters_of, step_cost, work_of
from lvmtui.estimate.eta import CALIBRATING, CampaignEta, Eta, Left, Time, all_of, campaign_eta, expected, play, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Guess, Machine, Shown, machine_of
from lvmtui.estimate.stopping import PRIOR, UNKNOWN, Worsening, ends_of, quantile, without_better, worsening_of
from lvmtui.formats.campaign import Campaign, write_campaign_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Job, Progress, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS, read_spec
from lvmtui.formats.trainer_log import Paused
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.models import MODELS
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.state.status import Phase, Status
from tests.factory import bring_to, make_campaign, planned_run
from tests.history import START, History
from tests.verdict.series import evaluated, run_of

WORK = Work("gru", "small", 384, 128, 1200, 100, 900, 2200, "cpu", 1)


def read(workspace: Path, campaign: Campaign) -> CampaignState:
    place = Workspace(workspace)
    return CampaignReader(place, place.campaign(campaign.id)).refresh()


def eta_of(workspace: Path, campaign: Campaign, now: float) -> CampaignEta:
    return campaign_eta(read(workspace, campaign), now)


def name(campaign: Campaign, model: str, arm: str) -> str:
    return planned_run(campaign, model, arm).run


def work_left(run: History, steps: int) -> float:
    """Seconds that the factory's clock will count: a step as set, half a second an evaluation, two at the end."""
    return steps * run.seconds_per_step + math.ceil(steps / run.spec.evaluate_every) * 0.5 + 2


# One run -------------------------------------------------------------------------------------------------------------


def test_a_steady_run_is_known_within_its_range(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.5, seconds_per_step=0.05)
    eta = eta_of(tmp_path, campaign, run.time).runs[name(campaign, "amn", "baseline")].eta
    assert eta is not None
    assert eta.low <= work_left(run, 600) <= eta.high
    assert eta.seconds == pytest.approx(work_left(run, 600), rel=0.1)


def test_it_counts_down_with_the_clock_and_never_below_nothing(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="evaluating", fraction=0.5)
    state = read(tmp_path, campaign)
    known = name(campaign, "amn", "baseline")

    def left(now: float) -> float:
        eta = campaign_eta(state, now).runs[known].eta
        assert eta is not None and 0 < eta.low <= eta.seconds <= eta.high < math.inf
        return eta.seconds

    assert left(run.time) - left(run.time + 0.3) == pytest.approx(0.3)
    assert 0.3 < left(run.time) - left(run.time + 1e6) < 0.5, "an evaluation that takes too long is not over"
    assert left(run.time - 1e6) == left(run.time), "a clock that was set back is no reason to wait longer"


def test_before_anything_was_seen_it_is_calibrating(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="starting")
    found = eta_of(tmp_path, campaign, run.time)
    assert found.eta is None and found.ends is None
    assert all(r.eta is None and r.start_in is None for r in found.runs.values())
    assert len(found.runs) == 4


def test_the_first_seconds_of_training_end_calibrating_for_all(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.05)
    found = eta_of(tmp_path, campaign, run.time)
    assert found.eta is not None and found.ends == run.time + found.eta.seconds
    assert all(r.eta is not None for r in found.runs.values())


def test_only_the_steps_of_the_newest_process_count(tmp_path: Path) -> None:
    """Slow until the pause, ten times faster after it: the estimate uses the speed of now."""
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="queued", seconds_per_step=0.5)
    run.launch()
    run.start()
    run.train(300)
    run.want("pause")
    run.end(Paused(run.time, run.step, run.active))
    run.want("run")
    run.time += 5000
    run.launch()
    run.start(resumed_from=300)
    before, run.seconds_per_step = run.active, 0.05
    run.train(600)
    digits = find_document(Progress, run.folder.progress)
    assert digits is not None
    assert run.active - before < 300 * 0.1
    write_live(run.folder.progress, replace(digits, train_steps=300, train_seconds=300 * 0.05))
    eta = eta_of(tmp_path, campaign, run.time).runs[name(campaign, "amn", "baseline")].eta
    assert eta is not None and eta.seconds == pytest.approx(work_left(run, 600), rel=0.12)


def test_progress_of_an_earlier_process_show_nothing(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.5)
    assert eta_of(tmp_path, campaign, run.time).eta is not None
    digits = find_document(Progress, run.folder.progress)
    assert digits is not None
    write_live(run.folder.progress, replace(digits, pid=digits.pid + 1))
    assert eta_of(tmp_path, campaign, run.time).eta is None


def test_a_run_that_will_resume_is_counted_from_its_checkpoint(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    done = bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
    run = bring_to(tmp_path, campaign, "amn", "expanded", state="interrupted", fraction=0.75)
    found = eta_of(tmp_path, campaign, run.time).runs[name(campaign, "amn", "expanded")]
    assert found.eta is not None and found.start_in == Eta(0, 0, 0)
    assert found.eta.seconds == pytest.approx(4 + work_left(run, 300), rel=0.15)
    assert done.step == 1200


# A pair, a campaign --------------------------------------------------------------------------------------------------


def test_paused_runs_are_left_out_and_named(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    whole = eta_of(tmp_path, campaign, run.time)
    bring_to(tmp_path, campaign, "gru", "expanded", state="paused")
    found = eta_of(tmp_path, campaign, run.time)
    paused = name(campaign, "gru", "expanded")
    assert found.left_out == (paused,) and paused not in found.runs
    assert found.eta is not None and whole.eta is not None and found.eta.seconds < whole.eta.seconds
    assert found.together([paused, name(campaign, "gru", "baseline")]) is None
    assert found.together([name(campaign, "amn", arm) for arm in ARMS]) is not None


def test_while_jobs_wait_in_a_cluster_it_gives_as_many_places_as_it_runs(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"), engine="slurm", jobs=4)
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    state = read(tmp_path, campaign)

    def as_jobs(states: str) -> CampaignEta:
        """`r` runs, `w` waits in the cluster's queue, `?` is not answered for."""
        phases = {"r": Phase.RUNNING, "w": Phase.QUEUED, "?": Phase.UNKNOWN}
        runs = tuple(
            replace(view, status=Status(phases[one]), job=Job("slurm", n, one == "w") if one != "?" else None)
            for n, (one, view) in enumerate(zip(states, state.runs, strict=True))
        )
        return campaign_eta(replace(state, runs=runs), run.time)

    all_run, one_place = as_jobs("rrrr"), as_jobs("rwww")
    assert all_run.eta and one_place.eta and one_place.eta.seconds > 2 * all_run.eta.seconds
    assert (as_jobs("wwww").eta, as_jobs("wwww").unknown) == (None, "waits for the cluster")
    assert (as_jobs("????").eta, as_jobs("????").unknown) == (None, "time left not known")


def test_when_all_is_over_nothing_is_left(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",))
    for arm, state in zip(ARMS, ("finished", "failed"), strict=True):
        bring_to(tmp_path, campaign, "amn", arm, state=state)  # type: ignore[arg-type]
    found = eta_of(tmp_path, campaign, START)
    assert found.eta == Eta(0, 0, 0) and not found.runs
    assert found.together([name(campaign, "amn", arm) for arm in ARMS]) == Eta(0, 0, 0)


def test_a_queued_run_is_told_by_its_kind_and_others_by_their_work(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "graphmert_lvm"), jobs=1)
    done = bring_to(tmp_path, campaign, "amn", "baseline", state="finished", seconds_per_step=0.05)
    found = eta_of(tmp_path, campaign, done.time)
    twin = found.runs[name(campaign, "amn", "expanded")].eta
    larger = found.runs[name(campaign, "graphmert_lvm", "baseline")].eta
    assert twin is not None and larger is not None
    assert twin.seconds == pytest.approx(done.time - START - 30, rel=0.35)
    assert larger.seconds > 3 * twin.seconds
    assert twin.high / twin.low < larger.high / larger.low, "what was not seen is less sure"


def test_jobs_and_order_of_the_queue(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "lstm", "gru"), jobs=1)
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    folder = Workspace(tmp_path).campaign(campaign.id)
    before = eta_of(tmp_path, campaign, run.time)
    last, first = name(campaign, "gru", "expanded"), name(campaign, "amn", "expanded")

    def start(found: CampaignEta, run: str) -> float:
        start_in = found.runs[run].start_in
        assert start_in is not None
        return start_in.seconds

    assert start(before, first) < start(before, last)
    write_campaign_intent(folder.intent, by="ada", order=(last,))
    moved = eta_of(tmp_path, campaign, run.time)
    assert start(moved, last) == start(before, first) < start(moved, first)
    write_campaign_intent(folder.intent, by="ada", jobs=3)
    wider = eta_of(tmp_path, campaign, run.time)
    assert before.eta is not None and wider.eta is not None and wider.eta.seconds < 0.6 * before.eta.seconds
    assert start(wider, last) == 0


def test_a_pair_ends_with_the_later_of_its_runs(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn",), jobs=1)
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running")
    found = eta_of(tmp_path, campaign, run.time)
    pair = found.together([name(campaign, "amn", arm) for arm in ARMS])
    later = found.runs[name(campaign, "amn", "expanded")].end_in
    assert pair == later and pair is not None and found.eta is not None
    assert pair.seconds == pytest.approx(found.eta.seconds, rel=0.1)


@given(st.lists(st.floats(0.1, 1e4), max_size=12), st.lists(st.floats(0.1, 1e4), max_size=5), st.integers(1, 5))
def test_the_queue_is_played_as_a_supervisor_would(queue: list[float], slots: list[float], jobs: int) -> None:
    starts, total = play(queue, slots, jobs)
    assert starts == sorted(starts), "nobody overtakes"
    ends = [start + seconds for start, seconds in zip(starts, queue, strict=True)]
    assert total == max([*ends, *slots], default=0.0)
    assert total >= sum(queue) / jobs or not queue
    for start in starts:
        busy = sum(1 for s, e in zip(starts, ends, strict=True) if s <= start < e) + sum(1 for s in slots if s > start)
        assert busy <= max(jobs, len(slots))


# Evaluations without a better loss -----------------------------------------------------------------------------------


@given(
    st.integers(0, 40),
    st.one_of(st.none(), st.integers(1, 12)),
    st.one_of(st.none(), st.integers(0, 12)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_every_end_has_its_chance(
    left: int, patience: int | None, so_far: int | None, after_better: float, after_worse: float
) -> None:
    ends = ends_of(left, patience, so_far, Worsening(after_better, after_worse))
    assert sum(chance for _, chance in ends) == pytest.approx(1)
    assert all(0 <= evaluations <= left and chance >= 0 for evaluations, chance in ends)
    assert quantile(ends, 0.1) <= quantile(ends, 0.5) <= quantile(ends, 0.9)
    if patience and so_far is None:
        assert all(chance < 1e-9 for n, chance in ends if n <= min(patience, left - 1)), "the first is always the best"


def test_patience_ends_exactly_when_it_must() -> None:
    assert ends_of(10, 3, 2, Worsening(1, 1)) == ((1, 1.0), (10, 0.0))
    assert ends_of(10, None, 2, Worsening(1, 1)) == ((10, 1.0),)
    assert ends_of(10, 3, 0, Worsening(0, 1))[-1] == (10, 1.0)
    assert [n for n, p in ends_of(10, 3, None, Worsening(1, 1)) if p > 0] == [4]


def test_when_a_trainer_of_the_users_own_stops_is_not_known_so_all_its_steps_are_counted(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("gru",), recipe="tuned")
    spec = read_spec(Workspace(tmp_path).run(planned_run(campaign, "gru", "baseline")).spec)
    assert work_of(spec).patience == spec.recipe.patience == 8
    assert work_of(replace(spec, own_trainer=OwnTrainer("mine", "python mine.py", "/"))).patience is None


def test_a_slow_trainer_of_the_users_own_is_scored_by_us_as_fast_as_any() -> None:
    """Its step is an epoch of two seconds; what comes after the last one is our code, at our speed."""
    theirs = replace(WORK, model="mine", steps=20, evaluate_every=1, patience=None, ours=False)
    own = Shown("mine", theirs, math.log(2 / step_cost(theirs)), 38.0, evaluation_seconds=0.0)
    machine = Machine((own,))
    last = time_of(theirs, Left(1, 1, 1, "training"), machine, UNKNOWN, own)
    assert last.median == pytest.approx(2 + closing_cost(theirs), rel=0.1)
    queued = time_of(theirs, all_of(theirs), machine)
    assert queued.median == pytest.approx(20 * 2 + closing_cost(theirs) + machine.startup, rel=0.1)


def test_chances_are_counted_by_arm() -> None:
    """The first evaluation, always the best so far, counts for nothing."""
    (a, b), (c, d) = PRIOR
    stopped = run_of([evaluated(p, 0.5, best=p == 1) for p in range(1, 6)])
    rising = run_of([evaluated(p, 0.5) for p in range(1, 6)])
    assert worsening_of([run_of([evaluated(1, 0.5)])])["baseline"] == Worsening(a / b, c / d)
    assert worsening_of([stopped])["baseline"] == Worsening((a + 1) / (b + 1), (c + 3) / (d + 3))
    assert worsening_of([rising])["baseline"] == Worsening(a / (b + 4), c / d)
    assert set(worsening_of([stopped])) == {"baseline"}


def test_evaluations_since_the_best() -> None:
    run = [evaluated(p, 0.5, best=p in (1, 3)) for p in range(1, 6)]
    assert without_better(run) == 2 and without_better(run[:3]) == 0 and without_better([]) is None


def test_the_last_evaluation_may_come_sooner_than_the_others() -> None:
    """525 steps, evaluated every 26: 20 evaluations and one 5 steps later."""
    work = replace(WORK, steps=525, evaluate_every=26, patience=2)
    machine = Machine((shown("gru", 1.0),))
    stops = time_of(work, Left(525 - 104, 17, 26, "training", 0.0, 1), machine, Worsening(1, 1))
    whole = time_of(replace(work, steps=130), Left(26, 1, 26, "training"), machine)
    assert stops.median == pytest.approx(whole.median)


def test_runs_that_may_stop_early_have_a_wider_range_and_learn() -> None:
    patient = replace(WORK, patience=3)
    left = all_of(WORK)
    sure = time_of(WORK, left, NOTHING_SHOWN)
    doubtful = time_of(patient, left, NOTHING_SHOWN)
    stops = time_of(patient, left, NOTHING_SHOWN, Worsening(0.9, 0.98))
    assert doubtful.eta.low < sure.eta.low and doubtful.mean < sure.mean
    assert stops.median < 0.5 * sure.median
    soon = time_of(patient, replace(left, without_better=2), NOTHING_SHOWN, UNKNOWN)
    assert soon.median < doubtful.median


# What a machine has shown --------------------------------------------------------------------------------------------


def shown(model: str, times: float, run: str = "", seconds: float = 60.0) -> Shown:
    """A run so many times slower than the reference."""
    work = replace(WORK, model=model)
    return Shown(run or f"{model} {times}", work, math.log(times), seconds, startup_seconds=5.0)


def test_a_machine_is_learned_from_any_model_and_a_kind_from_its_own() -> None:
    nothing = NOTHING_SHOWN.step(WORK)
    other = Machine((shown("lstm", 4.0),)).step(WORK)
    same = Machine((shown("lstm", 4.0), shown("gru", 3.0))).step(WORK)
    own = Machine((shown("lstm", 4.0), shown("gru", 3.0))).step(WORK, shown("gru", 2.0, "own", 600.0))
    assert nothing.mean == 0 and 0 < other.mean < math.log(4)
    assert abs(same.mean - math.log(3)) < 0.1
    assert math.log(2) < own.mean < math.log(2.5)
    assert nothing.variance > other.variance > same.variance > own.variance
    assert math.sqrt(nothing.variance) > CALIBRATING > math.sqrt(other.variance)


def test_what_a_gpu_shows_says_nothing_of_a_cpu() -> None:
    gpu = replace(shown("gru", 0.1), work=replace(WORK, device="NVIDIA H200"))
    assert Machine((gpu,)).step(WORK) == NOTHING_SHOWN.step(WORK)


def test_a_machine_whose_speed_drifts_widens_the_range() -> None:
    calm = Machine((replace(shown("gru", 2.0), drift=0.01),))
    wild = Machine((replace(shown("gru", 2.0), drift=0.6),))
    assert wild.step(WORK).variance > 4 * calm.step(WORK).variance


@given(st.floats(-3, 3), st.floats(0.01, 1), st.floats(-3, 3), st.floats(0.01, 1))
def test_an_observation_makes_surer_and_draws_nearer(mean: float, variance: float, value: float, noise: float) -> None:
    after = Guess(mean, variance).and_seen(value, noise)
    assert after.variance < min(variance, noise)
    assert min(mean, value) - 1e-9 <= after.mean <= max(mean, value) + 1e-9


def test_the_table_counts_the_models_parameters() -> None:
    models = pytest.importorskip("trainers.models")
    for model in MODELS:
        for size in ("small", "full"):
            for dim in (64, 384):
                built = models.build(model, dim, size)
                assert parameters_of(model, size, dim) == sum(p.numel() for p in built.parameters())
    assert parameters_of("sixth", "small", 384) is None


def test_dearer_work_costs_more() -> None:
    for more in (replace(WORK, batch_size=256), replace(WORK, model="graphmert_lvm"), replace(WORK, size="full")):
        assert step_cost(more) > step_cost(WORK)
    assert step_cost(replace(WORK, threads=2)) < step_cost(WORK)
    assert step_cost(replace(WORK, device="cuda")) < step_cost(WORK)
    assert evaluation_cost(replace(WORK, validation_windows=9000)) > evaluation_cost(WORK)
    assert closing_cost(replace(WORK, heldout_windows=22_000)) > closing_cost(WORK)
    assert replace(WORK, device="CPU, 2 threads").kind == replace(WORK, device="auto").kind


# A plan that has not started -----------------------------------------------------------------------------------------


def times(works: list[Work], machine: Machine = NOTHING_SHOWN) -> list[Time]:
    return [time_of(work, all_of(work), machine) for work in works]


def test_a_plan_has_a_wide_range_until_earlier_runs_narrow_it(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    works = [replace(work_of(v.state.spec), patience=None) for v in read(tmp_path, campaign).runs if v.state]
    guess = expected(times(works), jobs=1)
    assert guess.high > 4 * guess.low > 0
    assert expected(times(works), jobs=2).seconds < guess.seconds
    assert expected(times([replace(w, steps=2 * w.steps) for w in works]), jobs=1).seconds > 1.5 * guess.seconds
    for arm in ARMS:
        bring_to(tmp_path, campaign, "amn", arm, state="finished")
    machine = machine_of(v.state for v in read(tmp_path, campaign).runs if v.state)
    known = expected(times([w for w in works if w.model == "amn"], machine), jobs=1, machine=machine)
    assert known.high < 2 * known.low
    assert known.seconds == pytest.approx(2 * (4 + 60 + 10 + 2), rel=0.25)


def test_a_sixth_model_is_guessed_more_widely(tmp_path: Path) -> None:
    sixth = replace(WORK, model="sixth")
    machine = Machine((shown("gru", 2.0), shown("lstm", 2.0), shown("amn", 2.0)))
    assert machine.step(sixth).variance > 2 * machine.step(replace(WORK, model="transformer")).variance
    assert machine.step(replace(sixth, parameters=1_000_000)).variance == pytest.approx(
        machine.step(replace(WORK, model="transformer")).variance
    )


# And is it right? ----------------------------------------------------------------------------------------------------


def test_on_noisy_campaigns_it_is_right_within_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded, a tenth of `benchmarks/eta_replay.py simulate`; the goals themselves are printed there."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from eta_replay import looks_at
    from simulated import simulated

    looks = [look for seed in range(4) for look in looks_at(simulated(seed, hours=0.1), looks=8)]
    for what, worst in (("run", 15), ("campaign", 25)):
        some = [look for look in looks if look.what == what and look.share >= 0.25]
        assert statistics.median(look.error for look in some) < worst
        assert 0.55 < statistics.fmean(look.inside for look in some) < 0.97


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 12), st.floats(-1e9, 1e9), st.floats(1e-6, 1e3), st.integers(0, 9))
def test_a_time_is_always_one(steps: int, evaluations: int, spent: float, seconds: float, worse: int) -> None:
    own = replace(shown("gru", 1.0, "own"), train_seconds=seconds, evaluation_seconds=seconds)
    for doing in ("waiting", "starting", "training", "evaluating", "heldout"):
        left = Left(steps, evaluations, steps % 100, doing, max(0.0, spent), worse)
        eta = time_of(replace(WORK, patience=6), left, Machine((own,)), UNKNOWN, own).eta
        assert 0 < eta.low <= eta.seconds <= eta.high < math.inf


@pytest.mark.parametrize(
    ("model", "milliseconds"),
    [("amn", 0.25), ("lstm", 0.53), ("gru", 0.94), ("transformer", 1.83), ("graphmert_lvm", 3.78)],
)
def test_a_step_on_a_gpu_costs_what_it_did_on_an_h200(model: str, milliseconds: float) -> None:
    """Before any self-test: size full, batch 32, vectors of 768 numbers (docs/performance.md)."""
    work = replace(WORK, model=model, size="full", dim=768, batch_size=32, device="cuda", parameters=None)
    assert 1e3 * step_cost(work) == pytest.approx(milliseconds, rel=0.05)
