"""What is decided at particular moments."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from lvmtui.formats.intent import Intent
from lvmtui.formats.live import Progress
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import (
    IN_THE_PLAN,
    Event,
    Exit,
    Failed,
    Interrupted,
    Paused,
    Started,
    Trained,
)
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.state.attempt import AS_ASKED
from lvmtui.state.run_state import RunState, fold, fold_records
from lvmtui.state.status import Phase, interrupted_words
from lvmtui.supervisor.decide import AskToLeave, Insist, Start, WriteDown, decide, turns, work_left
from lvmtui.supervisor.engine import Ended, Member, Probe
from lvmtui.supervisor.observation import Asked, CampaignSeen, Observation, RunSeen
from lvmtui.system.process_id import Identity
from tests.supervisor.simulated import BOOT, HOST, RULES, process


def seen_with(
    spec: RunSpec, intent: Intent, *records: Record | Event, probe: Probe = Probe(), **facts: object
) -> RunSeen:
    ours = (Launched, Adopted, Lost, Stopped, GaveUp, Signalled)
    trainer = fold(r for r in records if not isinstance(r, ours))
    supervision = fold_records(r for r in records if isinstance(r, ours))
    return RunSeen("run", RunState(spec, intent, trainer, supervision), HOST, BOOT, probe, **facts)  # type: ignore[arg-type]


def decided(run: RunSeen, **options: object) -> object:
    """The action for the run; of one that writes something down, what it writes."""
    actions = decide(Observation((CampaignSeen("c", 1, (run,), **options),)), RULES)  # type: ignore[arg-type]
    return None if not actions else actions[0].record if isinstance(actions[0], WriteDown) else actions[0]


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
    assert isinstance(decision, Lost) and decision.process == process(2)


def test_a_start_that_was_not_written_down_is_adopted(spec: RunSpec) -> None:
    old = (launched(1), started(1), Paused(2.0, 10, 1.0))
    run = seen_with(spec, Intent("run", 2), *old, probe=alive(3))
    assert decided(run) == Adopted(0.0, process(3), "launch-3", "")


def test_a_child_that_outlived_its_trainer_is_asked_to_leave(spec: RunSpec) -> None:
    old = (launched(1), started(1), Paused(2.0, 10, 1.0))
    run = seen_with(spec, Intent("run", 2), *old, probe=alive(3, launch="launch-1"))
    assert isinstance(decided(run), AskToLeave)


def test_nobody_is_taken_for_a_trainer_while_a_death_is_not_written_down(spec: RunSpec) -> None:
    run = seen_with(spec, Intent(), launched(1), started(1), probe=alive(3))
    assert run.trainer is None and isinstance(decided(run), AskToLeave)
    assert run.state
    own = replace(run.state.spec, own_trainer=OwnTrainer("mine", "python train.py", "/"))
    script = replace(run, state=replace(run.state, spec=own))
    assert isinstance(decided(script), Insist), "asked to leave, it would write a checkpoint of which nobody hears"


def test_nothing_is_begun_that_could_not_be_written_down(spec: RunSpec) -> None:
    queued = CampaignSeen("c", 1, (seen_with(spec, Intent()),))
    assert decide(Observation((queued,), can_write=True), RULES) == (Start("run"),)
    assert decide(Observation((queued,), can_write=False), RULES) == ()


def test_a_death_while_cancelling_is_no_loss(spec: RunSpec) -> None:
    run = seen_with(spec, Intent("cancel", 1), launched(1), started(1), Signalled(3.0, "KILL", (101,), "cancelled"))
    assert decided(run) == Stopped(0.0, 1, (101,))
    closed = seen_with(spec, Intent("run", 2), launched(1), started(1), Stopped(4.0, 1, (101,)))
    assert decided(closed) == Start("run")


def test_a_campaign_that_waits_for_an_older_one_knows_for_which(spec: RunSpec) -> None:
    queued, paused = seen_with(spec, Intent()), seen_with(spec, Intent("pause", 1))
    first, second = CampaignSeen("first", 1, (queued,)), CampaignSeen("second", 1, (replace(queued, name="other"),))
    over = CampaignSeen("third", 1, (paused,))
    assert turns(Observation((first, second, over)), RULES) == {"second": "first"}
    let_go_first = replace(first, runs=(paused,))
    assert turns(Observation((let_go_first, second, over)), RULES) == {}
    assert decide(Observation((let_go_first, second)), RULES) == (Start("other"),)


def test_a_campaign_of_which_nothing_can_start_blocks_no_other(spec: RunSpec) -> None:
    """Forgotten and paused, missing, out of sight, in want of room: the next one has its turn, and only it."""
    stuck = (
        seen_with(spec, Intent("pause", 1)),
        replace(seen_with(spec, Intent()), state=None),
        seen_with(spec, Intent(), launched(1), started(1), probe=Probe(known=False)),
        seen_with(
            spec, Intent(), launched(1), started(1), Failed(2.0, 5, "no_space", "full", 1.0), room=10, quiet=60.0
        ),
    )
    older = CampaignSeen("older", 9, tuple(replace(run, name=f"old-{i}") for i, run in enumerate(stuck)))
    newer = CampaignSeen("newer", 9, (replace(seen_with(spec, Intent()), name="new"),))
    observation = Observation((older, newer))
    assert turns(observation, RULES) == {}
    assert [action for action in decide(observation, RULES) if isinstance(action, Start)] == [Start("new")]


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
    assert (
        isinstance(lose, WriteDown)
        and isinstance(lose.record, Lost)
        and lose.run == "first"
        and start == Start("second")
    )


def test_the_third_death_at_one_place_is_the_last(spec: RunSpec) -> None:
    assert decided(seen_with(spec, Intent(), *deaths(2))) == Start("run")
    third = decided(seen_with(spec, Intent(), *deaths(3)))
    assert isinstance(third, GaveUp) and "died 3 times" in third.reason
    assert decided(seen_with(spec, Intent("run", 1), *deaths(3))) == Start("run")  # a new order, a new count
    assert decided(seen_with(spec, Intent("pause", 1), *deaths(3))) is None
    further = (launched(4), Lost(4.0, 0, process(4), "gone", 40, True))
    assert decided(seen_with(spec, Intent(), *deaths(2), *further)) == Start("run")  # it got further: a new count


def test_a_kill_by_the_stall_rule_counts_and_one_by_order_does_not(spec: RunSpec) -> None:
    for reason, counts in (("stalled for 5 m 00 s", True), ("to be started again, as ordered", False)):
        run = seen_with(spec, Intent(), launched(1), started(1), Signalled(3.0, "KILL", (101,), reason))
        decision = decided(run)
        assert isinstance(decision, Lost) and decision.counts is counts and reason in decision.reason


def test_a_job_that_somebody_cancelled_before_its_trainer_spoke_has_not_died(spec: RunSpec) -> None:
    """`scancel` three times while Python loaded torch made the run fail: "died 3 times"."""
    job = Identity("Slurm", "", 7, 0)
    gone = Probe(sees_all_hosts=True, ended=Ended(job, "job 7: cancelled", excused=True, outside=True))

    def after(*signals: Record) -> object:
        waits = replace(launched(), process=job, launch="slurm-7")
        return decided(seen_with(spec, Intent(), waits, *signals, probe=gone, quiet=60.0))

    stalled = Signalled(3.0, "TERM", (7,), "stalled for 5 m 00 s")
    ordered = replace(stalled, reason="to be started again, as ordered")
    for signals, reason, counts in (
        ((), "job 7: cancelled", False),
        ((stalled,), stalled.reason, True),
        ((stalled, replace(stalled, signal="KILL")), f"{stalled.reason}; it was killed", True),
        ((ordered,), ordered.reason, False),
        ((ordered, replace(ordered, signal="KILL")), f"{ordered.reason}; it was killed", False),
    ):
        decision = after(*signals)
        assert isinstance(decision, Lost) and (decision.reason, decision.counts) == (reason, counts)


def test_a_stall_counts_where_the_trainer_leaves_as_asked(spec: RunSpec) -> None:
    """A user's own trainer that hangs every time, each time after some steps, is not started for ever."""
    reason = "stalled for 15 s"

    def hung(number: int) -> tuple[Event | Record, ...]:
        signalled = Signalled(float(number), "TERM", (101,), reason)
        return launched(number), started(number), signalled, Interrupted(float(number), 3, "TERM", 5.0)

    decision = decided(seen_with(spec, Intent(), *hung(1)))
    assert isinstance(decision, Lost) and decision.counts and decision.reason == reason
    history: tuple[Event | Record, ...] = ()
    for number in range(1, 4):
        assert decided(seen_with(spec, Intent(), *history)) == Start("run")
        history += (*hung(number), Lost(float(number), 0, process(number), reason, 0, True))
    last = decided(seen_with(spec, Intent(), *history))
    told = f"died 3 times without a newer checkpoint; the last time: {reason}"
    assert last == GaveUp(0.0, 0, f"{told}; put that right, then retry it")
    planned = [replace(e, reason=f"{reason}, {IN_THE_PLAN}") if isinstance(e, Lost) else e for e in history]
    assert decided(seen_with(spec, Intent(), *planned)) == GaveUp(0.0, 0, f"{told}, {IN_THE_PLAN}")
    before = (launched(0), Lost(0.0, -1, process(0), reason, 0, True))
    told = told.replace("checkpoint;", "checkpoint since it was told to go on;")
    last = decided(seen_with(spec, Intent(), *before, *history))
    assert last == GaveUp(0.0, 0, f"{told}; put that right, then retry it"), "more starts than those"
    told_to_go = (launched(1), started(1), Interrupted(1.0, 3, "TERM", 5.0))
    assert decided(seen_with(spec, Intent(), *told_to_go)) == Start("run"), "a shutdown is no fault of its own"


def test_a_second_start_gets_the_time_to_start_too(spec: RunSpec) -> None:
    """The digits on disk are still those of the attempt before, which trained."""

    def at(of: int, *records: Record | Event) -> object:
        run = seen_with(spec, Intent(), launched(1), started(1), *records, probe=alive(2), still=30.0)
        assert run.state is not None
        pid = process(of).pid
        digits = Progress(1.0, "training", pid, 5, 0.1, None, None, 0.01, None, 9.0, 1.0, 5, 1.0, None, 0, 0.0, 0, 0.0)
        return decided(replace(run, state=replace(run.state, progress=digits)), stall_timeout=5.0)

    death = Lost(1.0, 0, process(1), "gone", 0, True)
    assert at(1, death, launched(2)) is None
    assert isinstance(at(2, death, launched(2), started(2)), AskToLeave)


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


def test_a_retry_of_a_run_that_hangs_ends_it_and_a_resume_does_not(spec: RunSpec) -> None:
    hangs = partial(seen_with, spec, probe=alive(), stalled=True)
    assert isinstance(decided(hangs(Intent("run", 2, again=2), launched(1), started(1))), AskToLeave)
    assert decided(hangs(Intent("run", 3, resumed=3), launched(1), started(1))) is None
    obeyed = hangs(Intent("run", 4, again=2), launched(2), started(2, generation=2), probe=alive(2))
    assert decided(obeyed) is None


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
    assert isinstance(decision, Lost) and decision.counts and "restarted" not in decision.reason


def test_nothing_is_started_while_the_cluster_does_not_answer(spec: RunSpec) -> None:
    unseen = seen_with(spec, Intent(), launched(1), started(1), probe=Probe(known=False))
    queued = replace(seen_with(spec, Intent()), name="other")
    assert decide(Observation((CampaignSeen("c", 1, (unseen, queued)),)), RULES) == ()
    assert work_left(Observation((CampaignSeen("c", 1, (unseen,)),)))


def test_who_is_to_be_cancelled_and_cannot_be_seen_is_waited_for(spec: RunSpec) -> None:
    unseen = seen_with(spec, Intent(want="cancel", generation=1), launched(1), probe=Probe(known=False))
    assert decided(unseen) is None and work_left(Observation((CampaignSeen("c", 1, (unseen,)),)))


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
        assert isinstance(action, Start if attempt < 3 else GaveUp)
    assert isinstance(action, GaveUp) and "interrupted 3 times before it made a step" in action.reason
    assert "its time limit was near" in action.reason
    assert isinstance(decided(seen_with(spec, Intent(generation=1), *stuck)), Start), "another order counts anew"


def test_a_run_that_every_time_limit_sends_back_to_its_first_step_is_given_up(spec: RunSpec) -> None:
    """A trainer without checkpoints that needs longer than a job: further once is no reason to give up, for ever is."""

    def after(*reached: int, signal: str = "USR1", saves: bool = False) -> object:
        history: list[Record | Event] = []
        for attempt, step in enumerate(reached, 1):
            at = reached[attempt - 2] if saves and attempt > 1 else 0
            trained = Trained(2.0, step, 0.1, 0.5)
            begun = replace(started(attempt), resumed_from=at)
            history += [launched(attempt), begun, trained, Interrupted(2.0, step, signal, 1.0)]
        return decided(seen_with(spec, Intent(), *history))

    assert isinstance(after(7), Start) and isinstance(after(7, 7), Start)
    action = after(7, 7, 6)
    assert isinstance(action, GaveUp), "never past what the first reached"
    assert action.reason.startswith("ended by its time limit 3 times, never past step 7 of ")
    assert "each job starts again from the first step; plan it with a longer --time" in action.reason
    assert isinstance(after(7, 8, 9), Start) and isinstance(after(7, 7, 9, 9), Start), "a faster node got it further"
    assert isinstance(after(7, 7, 9, 9, 8), GaveUp)
    assert isinstance(after(7, 7, 6, signal="TERM"), Start), "preemption may not come again"
    assert isinstance(after(7, 14, 21, 28, saves=True), Start)


def test_a_run_that_its_time_limit_ended_is_not_always_overtaken(spec: RunSpec) -> None:
    def ended(name: str, times: int) -> RunSeen:
        history: list[Record | Event] = []
        for attempt in range(1, times + 1):
            begun = replace(started(attempt), resumed_from=10 * (attempt - 1))
            history += [launched(attempt), begun, Interrupted(2.0, 10 * attempt, "USR1", 1.0)]
        return replace(seen_with(spec, Intent(), *history), name=name)

    waiting = (ended("a", 2), replace(seen_with(spec, Intent()), name="new"), ended("b", 2), ended("last", 1))

    def starting(*first: str) -> list[str]:
        actions = decide(Observation((CampaignSeen("c", 3, waiting, first=first),)), RULES)
        return [action.run for action in actions if isinstance(action, Start)]

    assert starting() == ["last", "new", "a"], "what never began keeps its place"
    assert starting("a") == ["a", "new", "last"], "an order is an order"


def test_a_start_that_is_taken_back_interrupts_nothing(spec: RunSpec) -> None:
    """Paused while its job waits: nothing had begun, so nothing was interrupted, then or after the run is resumed."""
    waiting = replace(launched(), process=Identity("Slurm", "", 7, 0), launch="slurm-7")
    gone = Probe(sees_all_hosts=True)
    decision = decided(seen_with(spec, Intent("pause", 1), waiting, probe=gone, quiet=60.0))
    assert isinstance(decision, Lost) and (decision.reason, decision.counts) == (AS_ASKED, False)
    resumed = seen_with(spec, Intent("run", 2), waiting, decision, probe=gone)
    assert resumed.status.phase is Phase.QUEUED and isinstance(decided(resumed), Start)
    assert resumed.state is not None and interrupted_words(resumed.state) == ""


def test_a_job_whose_script_fails_before_any_trainer_spoke_is_not_tried_again(spec: RunSpec) -> None:
    job, first = Identity("Slurm", "", 7, 0), Identity("Slurm", "", 6, 0)
    waited = replace(launched(), process=job, launch="slurm-7")

    def after(ended: Ended, *history: Record | Event, intent: Intent = Intent()) -> object:
        probe = Probe(sees_all_hosts=True, ended=ended)
        return decided(seen_with(spec, intent, *history, waited, probe=probe, quiet=60.0))

    fails = Ended(job, "job 7: left with exit code 127", 127)
    decision = after(fails)
    assert isinstance(decision, GaveUp) and decision.reason == fails.words
    failed = seen_with(spec, Intent(), waited, decision, probe=Probe(sees_all_hosts=True))
    assert failed.status.phase is Phase.FAILED and not failed.unsettled and decided(failed) is None
    assert failed.state is not None and interrupted_words(failed.state) == ""
    retried = seen_with(spec, Intent("run", 1), waited, decision, probe=Probe(sees_all_hosts=True))
    assert retried.status.phase is Phase.QUEUED and isinstance(decided(retried), Start)
    for others in (
        replace(fails, code=None, excused=True),  # preempted
        replace(fails, code=None),  # killed
        replace(fails, code=128 + 15),  # the same, as a shell says it
        replace(fails, code=Exit.LOCKED),
    ):
        assert isinstance(after(others), Lost)
    worked = replace(launched(), process=first, launch="slurm-6"), replace(started(), launch="slurm-6")
    assert isinstance(after(fails, *worked), Lost), "its script has worked: it may be the node"
    assert isinstance(after(fails, intent=Intent("run", 1)), Lost), "there is a newer order to try"


def test_who_told_a_job_to_end_is_asked_of_its_cluster(spec: RunSpec) -> None:
    """The trainer only heard TERM: from scancel, a time limit, a preemption."""
    job = Identity("Slurm", "", 7, 0)
    begun = replace(launched(), process=job, launch="slurm-7"), replace(started(), launch="slurm-7")
    left = Interrupted(2.0, 10, "TERM", 1.0)
    words = "job 7 on n1: cancelled in Slurm, not by lvmtui"
    cancelled = Probe(sees_all_hosts=True, ended=Ended(job, words, outside=True))
    decision = decided(seen_with(spec, Intent(), *begun, left, probe=cancelled))
    assert isinstance(decision, Lost) and (decision.reason, decision.counts, decision.left) == (words, False, 2.0)
    after = seen_with(spec, Intent(), *begun, left, decision, probe=cancelled)
    assert after.status.reason.startswith(f"{words}; ") and isinstance(decided(after), Start)
    assert after.state is not None and interrupted_words(after.state) == f"interrupted 1 time: {words}"
    first = Lost(1.9, 0, job, "its node failed", 0, counts=False)  # its trainer lives on for a while, and says so
    failed = seen_with(spec, Intent(), *begun, first, left)
    assert failed.state is not None and interrupted_words(failed.state) == "interrupted 1 time: its node failed"
    decision = decided(seen_with(spec, Intent(), *begun, left, probe=Probe(sees_all_hosts=True)))
    assert isinstance(decision, Lost) and decision.reason == "left on TERM, it was told to end"
    near = replace(left, signal="USR1")  # the signal itself says why
    assert isinstance(decided(seen_with(spec, Intent(), *begun, near, probe=cancelled)), Start)
