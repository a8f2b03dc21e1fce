"""The decision: what holds of any observation, and what becomes of any history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.intent import Intent
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    Interrupted,
    Paused,
    Started,
)
from lvmtui.state.run_state import RunState, fold, fold_records
from lvmtui.state.status import OVER, Life, Phase
from lvmtui.supervisor.decide import Adopt, AskToLeave, Close, GiveUp, Insist, Lose, Start, decide, something_left_to_do
from lvmtui.supervisor.engine import Ended, Member, Probe
from lvmtui.supervisor.observation import Asked, CampaignSeen, Observation, RunSeen
from tests.factory import make_campaign
from tests.supervisor.simulated import BOOT, HOST, MISCHIEF, RULES, Simulated, SimulatedWorld, finished, process


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    root = tmp_path_factory.mktemp("spec")
    campaign = make_campaign(root, models=("amn",))
    return read_spec(Path(root, campaign.runs[0].folder, "spec.json"))


# Any observation ------------------------------------------------------------------------------------------------------

processes = st.builds(
    process,
    st.integers(1, 4),
    host=st.sampled_from([HOST, HOST, HOST, "there"]),
    boot=st.sampled_from([BOOT, "boot-1"]),
)
generations = st.integers(0, 3)
moments = st.floats(0, 100)
steps = st.integers(0, 50)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Started, moments, processes, generations, steps, st.none(), st.just(()), moments, st.just(1),
              st.just("cpu"), st.just({})),
    st.builds(CheckpointSaved, moments, steps, st.just(1), st.just(0.1), st.just("d"), moments),
    st.builds(Paused, moments, steps, moments),
    st.builds(Interrupted, moments, steps, st.just("TERM"), moments),
    st.builds(Cancelled, moments, steps, moments),
    st.builds(Failed, moments, steps, st.sampled_from(["diverged", "error", "no_space", "data", "out_of_memory"]),
              st.just("why"), moments, st.sampled_from([None, 1000])),
    st.builds(finished, moments, steps),
)  # fmt: skip
pids = st.tuples(st.integers(101, 104))
launches = st.sampled_from(["", "a", "b"])
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Launched, moments, generations, processes, st.just("local"), st.just(""), launches),
    st.builds(Adopted, moments, processes, launches),
    st.builds(Signalled, moments, st.sampled_from(["TERM", "KILL"]), pids, st.sampled_from(["stalled", "cancelled"])),
    st.builds(Lost, moments, generations, st.none() | processes, st.just("gone"), steps, st.booleans()),
    st.builds(Stopped, moments, generations, st.just(())),
    st.builds(GaveUp, moments, generations, st.just("why")),
)
intents = st.builds(Intent, st.sampled_from(["run", "run", "pause", "cancel"]), generations, generations, st.booleans())
members = st.builds(Member, st.builds(process, st.integers(1, 4)), st.booleans(), launches, st.booleans())
probes = st.builds(
    Probe,
    st.lists(members, max_size=3, unique_by=lambda m: m.identity).map(tuple),
    st.sampled_from([True, True, True, False]),
    st.none() | st.builds(Ended, processes, st.just("killed by signal 9"), st.sampled_from([None, 1, 3, 10, 28])),
)
asked = st.none() | st.builds(Asked, st.floats(0, 20), st.none() | st.floats(0, 3))


@st.composite
def observations(draw: st.DrawFn, spec: RunSpec) -> Observation:
    campaigns = []
    for c in range(draw(st.integers(1, 2))):
        runs = []
        for r in range(draw(st.integers(1, 4))):
            state = None
            if draw(st.integers(0, 9)):
                trainer = fold(draw(st.lists(events, max_size=6)))
                supervision = fold_records(draw(st.lists(records, max_size=6)))
                state = RunState(spec, draw(intents), trainer, supervision)
            runs.append(
                RunSeen(
                    f"run-{c}-{r}",
                    state,
                    HOST,
                    BOOT,
                    draw(probes),
                    stalled=draw(st.booleans()),
                    still=draw(st.sampled_from([0.0, 1000.0])),
                    overtime=draw(st.sampled_from([None, 1.0, 60.0])),
                    quiet=draw(st.sampled_from([0.0, 60.0])),
                    later=draw(st.sampled_from([False, False, True])),
                    room=draw(st.sampled_from([None, 10, 1 << 40])),
                    asked=draw(asked),
                )
            )
        timeout = draw(st.sampled_from([None, 300.0]))
        campaigns.append(CampaignSeen(f"c{c}", draw(st.integers(1, 3)), tuple(runs), timeout))
    return Observation(tuple(campaigns), (), draw(st.sampled_from([True, True, False])))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_holds_of_every_decision(data: st.DataObject, spec: RunSpec) -> None:
    seen = data.draw(observations(spec))
    runs = {run.name: (run, campaign) for campaign in seen.campaigns for run in campaign.runs}
    actions = decide(seen, RULES)
    assert len({action.run for action in actions}) == len(actions), "at most one action a run"
    assert decide(seen, RULES) == actions, "the same for the same"

    starts = [action.run for action in actions if isinstance(action, Start)]
    alive = sum(run.alive for run, _ in runs.values())
    if starts:
        campaign = runs[starts[0]][1]
        assert alive + len(starts) <= campaign.jobs, "never more side by side than allowed"
        assert {runs[name][1].id for name in starts} == {campaign.id}, "one campaign at a time"
        assert seen.can_write, "nothing is begun that could not be written down"
        places = [run.name for run in campaign.runs]
        assert starts == sorted(starts, key=places.index)
        passed_over = [
            run for run in campaign.runs[: places.index(starts[-1])] if run.name not in starts and run.wanted
        ]
        acted_on = {action.run for action in actions}
        assert all(run.name in acted_on for run in passed_over), "no run is passed over that could start"
        assert alive + len(starts) + len(passed_over) <= campaign.jobs, "whoever died a moment ago keeps its place"
    for name in starts:
        run, _ = runs[name]
        assert run.state is not None and not run.alive, "never two processes for a run"
        assert run.probe.known and run.life is not Life.ELSEWHERE, "what may run elsewhere is not started here"
        assert run.state.intent.want == "run", "an order to pause or cancel is kept"
        assert run.status.phase not in OVER, "what is over stays so"

    for action in actions:
        run, _ = runs[action.run]
        assert not run.untouchable, "what cannot be seen is not touched"
        match action:
            case AskToLeave() | Insist():
                assert run.alive
            case Adopt(member=member):
                assert member in run.probe.members
            case Close() | Lose() | GiveUp():
                assert not run.alive and run.state is not None and run.trainer is None
        if isinstance(action, Insist) and run.state is not None:
            forced = run.state.intent.want == "cancel" and run.state.intent.force
            assert forced or run.asked is not None, "nobody is killed who was not asked"


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_order_to_cancel_is_carried_out_or_under_way(data: st.DataObject, spec: RunSpec) -> None:
    seen = data.draw(observations(spec))
    actions = {action.run: action for action in decide(seen, RULES)}
    for campaign in seen.campaigns:
        for run in campaign.runs:
            if run.state is None or run.state.intent.want != "cancel" or run.untouchable:
                continue
            if isinstance(run.state.trainer.ending, Finished):
                continue
            action = actions.get(run.name)
            if run.alive:
                patient = run.asked is not None and (
                    run.asked.seconds < RULES.cancel_wait if run.asked.insisted is None else run.asked.insisted < 1
                )
                leaving = run.overtime is not None and run.overtime < RULES.leave_wait
                assert isinstance(action, (Adopt, AskToLeave, Insist)) or patient or leaving
            else:
                assert isinstance(action, Close) or run.status.phase is Phase.CANCELLED


# Any history ----------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    number=st.integers(1, 4),
    jobs=st.integers(1, 3),
    script=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(MISCHIEF), st.integers(0, 3)), max_size=25),
    cancel=st.lists(st.integers(0, 3), max_size=2),
)
def test_whatever_happened_everything_wanted_comes_to_its_end(
    number: int, jobs: int, script: list[Any], cancel: list[int], spec: RunSpec
) -> None:
    world = SimulatedWorld([Simulated(f"run-{i}", RunState(spec)) for i in range(number)], jobs)
    for which, (_, mischief), ticks in script:
        mischief(world, world.runs[which % number])
        for _ in range(ticks):
            world.now += 1
            world.tick()
            for run in world.runs:
                world.work(run)
    # then nobody does anything bad any more, and everything is ordered to run but what is ordered to be cancelled
    for index, run in enumerate(world.runs):
        run.deaf = False
        world.order(run, "cancel" if index in cancel else "run")
    for _ in range(400):
        world.now += 1
        acted = world.tick()
        for run in world.runs:
            world.work(run)
        observation = Observation((CampaignSeen("c", jobs, tuple(map(world.seen, world.runs))),))
        if not acted and not something_left_to_do(observation) and not any(run.alive for run in world.runs):
            break
    for index, run in enumerate(world.runs):
        phase = world.seen(run).status.phase
        if index in cancel:
            assert phase in (Phase.CANCELLED, Phase.FINISHED), world.seen(run)
        else:
            assert phase is Phase.FINISHED, (phase, world.seen(run))
    settled = len(world.starts)
    for _ in range(30):
        world.now += 1
        world.tick()
    assert len(world.starts) == settled, "what is over stays over"


# Particular moments ---------------------------------------------------------------------------------------------------


def seen_with(
    spec: RunSpec, intent: Intent, *records: Record | Event, probe: Probe = Probe(), **facts: object
) -> RunSeen:
    ours = (Launched, Adopted, Lost, Stopped, GaveUp, Signalled)
    trainer = fold(r for r in records if not isinstance(r, ours))
    supervision = fold_records(r for r in records if isinstance(r, ours))
    return RunSeen("run", RunState(spec, intent, trainer, supervision), HOST, BOOT, probe, **facts)  # type: ignore[arg-type]


def decided(run: RunSeen, **options: object) -> object:
    actions = decide(Observation((CampaignSeen("c", 1, (run,), **options),)), RULES)  # type: ignore[arg-type]
    return actions[0] if actions else None


def launched(number: int = 1, generation: int = 0) -> Launched:
    return Launched(float(number), generation, process(number), "local", "", f"launch-{number}")


def started(number: int = 1, generation: int = 0) -> Started:
    return Started(float(number), process(number), generation, 0, None, (), 0.0, 1, "cpu", {})


def alive(number: int = 1, *, leader: bool = True, launch: str | None = None, stopped: bool = False) -> Probe:
    return Probe((Member(process(number), leader, launch or f"launch-{number}", stopped),))


def test_a_clock_that_jumps_back_hides_no_process(spec: RunSpec) -> None:
    second = replace(launched(2), time=-1000.0)
    run = seen_with(spec, Intent(), launched(1), started(1), second, probe=Probe())
    assert run.attempt is not None and run.attempt.process == process(2)
    decision = decided(run)
    assert isinstance(decision, Lose) and decision.process == process(2)


def test_a_start_that_was_not_written_down_is_adopted(spec: RunSpec) -> None:
    old = (launched(1), started(1), Paused(2.0, 10, 1.0))
    run = seen_with(spec, Intent("run", 2), *old, probe=alive(3))
    assert decided(run) == Adopt("run", alive(3).members[0])


def test_a_child_that_outlived_its_trainer_is_asked_to_leave(spec: RunSpec) -> None:
    old = (launched(1), started(1), Paused(2.0, 10, 1.0))
    run = seen_with(spec, Intent("run", 2), *old, probe=alive(3, launch="launch-1"))
    assert isinstance(decided(run), AskToLeave)


def test_nobody_is_taken_for_a_trainer_while_a_death_is_not_written_down(spec: RunSpec) -> None:
    run = seen_with(spec, Intent(), launched(1), started(1), probe=alive(3))
    assert run.trainer is None and isinstance(decided(run), AskToLeave)


def test_nothing_is_begun_that_could_not_be_written_down(spec: RunSpec) -> None:
    queued = CampaignSeen("c", 1, (seen_with(spec, Intent()),))
    assert decide(Observation((queued,), can_write=True), RULES) == (Start("run"),)
    assert decide(Observation((queued,), can_write=False), RULES) == ()


def test_a_death_while_cancelling_is_no_loss(spec: RunSpec) -> None:
    run = seen_with(spec, Intent("cancel", 1), launched(1), started(1), Signalled(3.0, "KILL", (101,), "cancelled"))
    assert decided(run) == Close("run", 1, (101,))
    closed = seen_with(spec, Intent("run", 2), launched(1), started(1), Stopped(4.0, 1, (101,)))
    assert decided(closed) == Start("run")


def deaths(number: int, generation: int = 0) -> list[Record]:
    return [
        record
        for i in range(1, number + 1)
        for record in (launched(i, generation), Lost(float(i), generation, process(i), "gone", 20, True))
    ]


def test_a_run_that_died_keeps_its_place_in_the_queue(spec: RunSpec) -> None:
    died, queued = seen_with(spec, Intent(), launched(1), started(1)), seen_with(spec, Intent())
    runs = (replace(died, name="first"), replace(queued, name="second"), replace(queued, name="third"))
    lose, start = decide(Observation((CampaignSeen("c", 2, runs),)), RULES)
    assert isinstance(lose, Lose) and lose.run == "first" and start == Start("second")


def test_the_third_death_at_one_place_is_the_last(spec: RunSpec) -> None:
    assert decided(seen_with(spec, Intent(), *deaths(2))) == Start("run")
    third = decided(seen_with(spec, Intent(), *deaths(3)))
    assert isinstance(third, GiveUp) and "died 3 times" in third.reason
    assert decided(seen_with(spec, Intent("run", 1), *deaths(3))) == Start("run")  # a new order, a new count
    assert decided(seen_with(spec, Intent("pause", 1), *deaths(3))) is None
    further = (launched(4), Lost(4.0, 0, process(4), "gone", 40, True))
    assert decided(seen_with(spec, Intent(), *deaths(2), *further)) == Start("run")  # it got further: a new count


def test_a_kill_by_the_stall_rule_counts_and_one_by_order_does_not(spec: RunSpec) -> None:
    for reason, counts in (("stalled for 5 m 00 s", True), ("to be started again, as ordered", False)):
        run = seen_with(spec, Intent(), launched(1), started(1), Signalled(3.0, "KILL", (101,), reason))
        decision = decided(run)
        assert isinstance(decision, Lose) and decision.counts is counts and reason in decision.reason


def test_a_stall_counts_where_the_trainer_leaves_as_asked(spec: RunSpec) -> None:
    """A user's own trainer that hangs every time, each time after some steps, is not started for ever."""
    reason = "stalled for 15 s"

    def hung(number: int) -> tuple[Event | Record, ...]:
        signalled = Signalled(float(number), "TERM", (101,), reason)
        return launched(number), started(number), signalled, Interrupted(float(number), 3, "TERM", 5.0)

    decision = decided(seen_with(spec, Intent(), *hung(1)))
    assert isinstance(decision, Lose) and decision.counts and decision.reason == reason
    history: tuple[Event | Record, ...] = ()
    for number in range(1, 4):
        assert decided(seen_with(spec, Intent(), *history)) == Start("run")
        history += (*hung(number), Lost(float(number), 0, process(number), reason, 0, True))
    last = decided(seen_with(spec, Intent(), *history))
    assert last == GiveUp("run", 0, f"died 3 times without getting further; the last time: {reason}")
    told_to_go = (launched(1), started(1), Interrupted(1.0, 3, "TERM", 5.0))
    assert decided(seen_with(spec, Intent(), *told_to_go)) == Start("run"), "a shutdown is no fault of its own"


def test_the_ladder_asks_waits_and_insists(spec: RunSpec) -> None:
    def at(asked: Asked | None, force: bool = False) -> object:
        intent = Intent("cancel", 1, force=force)
        return decided(seen_with(spec, intent, launched(1), started(1), probe=alive(), asked=asked))

    assert isinstance(at(None), AskToLeave)
    assert at(Asked(9.0, None)) is None
    assert isinstance(at(Asked(10.0, None)), Insist)
    assert at(Asked(10.5, 0.5)) is None
    assert isinstance(at(Asked(12.0, 2.0)), Insist)
    assert isinstance(at(None, force=True), Insist) and isinstance(at(Asked(1.0, None), force=True), Insist)


def test_a_trainer_told_to_begin_anew_is_stopped_for_it(spec: RunSpec) -> None:
    run = seen_with(spec, Intent("run", 2, restart=2), launched(1), started(1), probe=alive())
    assert isinstance(decided(run), AskToLeave)
    assert decided(seen_with(spec, Intent("run", 2), launched(1), started(1), probe=alive())) is None


def test_a_retry_of_a_run_that_hangs_ends_it(spec: RunSpec) -> None:
    run = seen_with(spec, Intent("run", 1), launched(1), started(1), probe=alive(), stalled=True)
    assert isinstance(decided(run), AskToLeave)


def test_a_full_disk_is_waited_for_and_a_paused_run_does_not_wait(spec: RunSpec) -> None:
    failed = Failed(2.0, 5, "no_space", "full", 1.0, 1000)
    history = (launched(1), started(1), failed)
    assert decided(seen_with(spec, Intent(), *history, room=10, quiet=100.0)) is None
    assert decided(seen_with(spec, Intent(), *history, room=1 << 30, quiet=1.0)) is None
    assert decided(seen_with(spec, Intent(), *history, room=1 << 30, quiet=100.0)) == Start("run")
    assert decided(seen_with(spec, Intent("pause", 1), *history, room=1 << 30, quiet=100.0)) is None


def test_an_engine_that_sees_every_host_says_who_is_dead_there(spec: RunSpec) -> None:
    there = replace(launched(1), process=process(1, host="node17", boot="theirs"))
    assert decided(seen_with(spec, Intent(), there)) is None  # on a host that cannot be looked at
    assert (
        decided(seen_with(spec, Intent(), there, probe=Probe(sees_all_hosts=True), quiet=1.0)) is None
    )  # a last word?
    decision = decided(seen_with(spec, Intent(), there, probe=Probe(sees_all_hosts=True), quiet=60.0))
    assert isinstance(decision, Lose) and decision.counts and "restarted" not in decision.reason


def test_nothing_is_started_while_the_cluster_does_not_answer(spec: RunSpec) -> None:
    unseen = seen_with(spec, Intent(), launched(1), started(1), probe=Probe(known=False))
    queued = replace(seen_with(spec, Intent()), name="other")
    assert decide(Observation((CampaignSeen("c", 1, (unseen, queued)),)), RULES) == ()
    assert something_left_to_do(Observation((CampaignSeen("c", 1, (unseen,)),)))


def test_who_is_to_be_cancelled_and_cannot_be_seen_is_waited_for(spec: RunSpec) -> None:
    unseen = seen_with(spec, Intent(want="cancel", generation=1), launched(1), probe=Probe(known=False))
    assert decided(unseen) is None and something_left_to_do(Observation((CampaignSeen("c", 1, (unseen,)),)))


def test_a_run_that_a_time_limit_cuts_short_goes_on_as_long_as_it_gets_on(spec: RunSpec) -> None:
    """Any number of times after some steps; not for ever where it never gets to make one."""
    history: list[Record | Event] = []
    for attempt in range(1, 8):
        begun = replace(started(attempt), resumed_from=10 * (attempt - 1))
        history += [launched(attempt), begun, Interrupted(2.0, 10 * attempt, "USR1", 1.0)]
    assert isinstance(decided(seen_with(spec, Intent(), *history)), Start)
    stuck: list[Record | Event] = []
    for attempt in range(1, 4):
        stuck += [launched(attempt), started(attempt), Interrupted(2.0, 0, "USR1", 1.0)]
        action = decided(seen_with(spec, Intent(), *stuck))
        assert isinstance(action, Start if attempt < 3 else GiveUp)
    assert isinstance(action, GiveUp) and "interrupted 3 times before it made a step" in action.reason
    assert "its time limit was near" in action.reason
    assert isinstance(decided(seen_with(spec, Intent(generation=1), *stuck)), Start), "another order counts anew"
