"""The decision: what holds of any observation, and what becomes of any history."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.intent import Intent
from lvmtui.formats.spec import RunSpec
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
from lvmtui.supervisor.decide import AskToLeave, Insist, Start, WriteDown, decide, in_turn, work_left
from lvmtui.supervisor.engine import Ended, Member, Probe
from lvmtui.supervisor.observation import Asked, CampaignSeen, Observation, RunSeen
from tests.supervisor.simulated import BOOT, HOST, MISCHIEF, RULES, Simulated, SimulatedWorld, finished, process

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
intents = st.builds(Intent, st.sampled_from(["run", "run", "pause", "cancel"]), *[generations] * 4, st.booleans())
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
        could = in_turn(campaign, [run for run in campaign.runs if run.wanted or run.name in starts])
        places = [run.name for run in could]
        assert starts == sorted(starts, key=places.index)
        passed_over = [run for run in could[: places.index(starts[-1])] if run.name not in starts and run.wanted]
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
            case WriteDown(record=Adopted() as record):
                assert record.process in [member.identity for member in run.probe.members]
            case WriteDown():
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
                adopts = isinstance(action, WriteDown) and isinstance(action.record, Adopted)
                assert adopts or isinstance(action, (AskToLeave, Insist)) or patient or leaving
            else:
                closes = isinstance(action, WriteDown) and isinstance(action.record, Stopped)
                assert closes or run.status.phase is Phase.CANCELLED


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
        if not acted and not work_left(observation) and not any(run.alive for run in world.runs):
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
