"""Estimates of time: what they count, what they leave out, what they learn, and that they are right."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.cli.status import progress_line
from lvmtui.estimate.cost import Work, step_cost, work_of
from lvmtui.estimate.eta import CampaignEta, Eta, Left, Time, all_of, campaign_eta, expected, play, time_of
from lvmtui.estimate.pace import NOTHING_SHOWN, Machine, machine_of
from lvmtui.estimate.stopping import UNKNOWN
from lvmtui.formats.campaign import Campaign, write_campaign_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import LEAST_QUIET, Job, Progress, write_live
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.formats.trainer_log import Paused
from lvmtui.state.campaign_reader import CampaignReader, CampaignState
from lvmtui.state.status import Phase, Status
from tests.estimate.works import WORK, shown
from tests.factory import bring_to, make_campaign, planned_run
from tests.history import START, History


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


def test_without_a_step_it_counts_down_until_that_is_told(tmp_path: Path) -> None:
    """It stood still at `9 s left` while nothing came. From ten seconds on the supervisor tells that nothing comes."""
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=0.5)
    state, known = read(tmp_path, campaign), name(campaign, "amn", "baseline")

    def left(seconds: float) -> float:
        eta = campaign_eta(state, run.time + seconds).runs[known].eta
        assert eta is not None
        return eta.seconds

    assert left(0) - left(9) == pytest.approx(9, abs=0.01)
    assert left(0) - left(1e6) == pytest.approx(LEAST_QUIET), "a clock that is ahead changes no more"


def test_nobody_is_told_0_s_left_while_a_run_is_judged(tmp_path: Path) -> None:
    """A minute of it was told as `0 s left`: an end that takes longer than expected takes some time more."""
    campaign = make_campaign(tmp_path, models=("amn",))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="running", fraction=1)
    run.digits("heldout")
    state, known = read(tmp_path, campaign), name(campaign, "amn", "baseline")
    late = campaign_eta(state, run.time + 90).runs[known].eta
    assert late is not None and late.seconds == pytest.approx(10) and late.left_words() == "10 s left"
    soon = Eta(0.4, 0.1, 0.9)
    assert soon.left_words() == "ending" and Eta(0.6, 0.5, 0.9).left_words() == "1 s left"
    line = progress_line(state, CampaignEta(run.time, soon, {}, ()))
    assert line.startswith("0 of 2 runs finished, 1 running, 1 queued, ending, ends ")


def test_before_anything_was_seen_it_is_calibrating(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "gru"))
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="starting")
    found = eta_of(tmp_path, campaign, run.time)
    assert found.eta is None and found.ends is None
    assert all(r.eta is None and r.start_in is None for r in found.runs.values())
    assert len(found.runs) == 4


def test_what_keeps_a_place_without_going_on_is_named(tmp_path: Path) -> None:
    """A suspended run keeps its place, so queued ones wait for it; one that does not stop has no time left."""
    campaign = make_campaign(tmp_path, models=("amn", "gru"), jobs=1)
    run = bring_to(tmp_path, campaign, "amn", "baseline", state="pausing")
    state = CampaignReader(Workspace(tmp_path), Workspace(tmp_path).campaign(campaign.id)).refresh()

    def said(status: Status, runs: int = 4) -> str:
        views = (replace(state.runs[0], status=status), *state.runs[1:runs])
        found = campaign_eta(replace(state, runs=views), run.time)
        assert found.eta is None and all(one.start_in is None for one in found.runs.values())
        return found.unknown

    assert (
        said(Status(Phase.SUSPENDED, "its processes are stopped")) == "waits for a suspended run, which keeps its place"
    )
    silent = "has not answered the pause for 40 s"
    assert said(Status(Phase.PAUSING, silent)) == "waits for a run that does not stop"
    assert said(Status(Phase.PAUSING), 1) == "runs are stopping", "a pause of 2 s that stands still helps nobody"


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
        """`r` runs, `w` waits in the queue, `s` was just submitted, `n` will not start, `?` is not answered for."""
        phases = {"r": Phase.RUNNING, "w": Phase.QUEUED, "s": Phase.QUEUED, "n": Phase.QUEUED, "?": Phase.UNKNOWN}
        told = {one: Job("slurm", 1, one in "wsn", never=one == "n", new=one == "s") for one in "rwsn"}
        jobs = {"?": None, **told}
        runs = tuple(
            replace(view, status=Status(phases[one]), job=jobs[one])
            for one, view in zip(states, state.runs, strict=True)
        )
        return campaign_eta(replace(state, runs=runs), run.time)

    all_run, one_place = as_jobs("rrrr"), as_jobs("rwww")
    assert all_run.eta and one_place.eta and one_place.eta.seconds > 2 * all_run.eta.seconds
    submitted, all_submitted = as_jobs("rsww"), as_jobs("ssss")
    assert submitted.eta and submitted.eta.seconds < 0.9 * one_place.eta.seconds, "a place that became free is not lost"
    assert all_submitted.eta and all_submitted.eta.seconds < 1.1 * all_run.eta.seconds
    assert (as_jobs("wwww").eta, as_jobs("wwww").unknown) == (None, "waits for the cluster")
    assert (as_jobs("nnnn").eta, as_jobs("nnnn").unknown) == (None, "4 jobs will not start")
    some = as_jobs("rrnn")
    assert (
        some.eta and all_run.eta and some.eta.seconds < all_run.eta.seconds and some.end_words == "2 runs not counted"
    )
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
