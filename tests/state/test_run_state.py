"""The fold: the same however a log is cut, and only what still counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.supervisor_log import Adopted, Launched, Lost, Record, Signalled
from lvmtui.formats.trainer_log import CheckpointSaved, Evaluated, Event, Failed, Started, Trained, Unknown
from lvmtui.state.run_state import SupervisionState, TrainerState, fold, fold_records
from lvmtui.system.process_id import own_identity
from tests.strategies import events, records

logs = st.lists(events | st.builds(Unknown, st.just("a later version's")), max_size=20)
supervisions = st.lists(records, max_size=20)


@settings(deadline=None)
@given(log=logs, cut=st.integers(0, 20))
def test_in_two_parts_as_in_one(log: list[Event], cut: int) -> None:
    assert fold(log[cut:], fold(log[:cut])) == fold(log)


@settings(deadline=None)
@given(log=supervisions, cut=st.integers(0, 20))
def test_records_in_two_parts_as_in_one(log: list[Record], cut: int) -> None:
    assert fold_records(log[cut:], fold_records(log[:cut])) == fold_records(log)


@settings(deadline=None)
@given(log=logs)
def test_what_an_attempt_took_up_supersedes_what_was_done_past_it(log: list[Event]) -> None:
    state = fold(log)
    starts = [i for i, event in enumerate(log) if isinstance(event, Started)]
    assert state.attempts == len(starts)
    assert state.unknown == sum(isinstance(event, Unknown) for event in log)
    if not starts:
        return
    started = log[starts[-1]]
    assert state.started == started and isinstance(started, Started)
    since = log[starts[-1] + 1 :]
    kept = [e for e in log[: starts[-1]] if isinstance(e, Evaluated | Trained) and e.step <= started.resumed_from]
    for event in (*state.points, *state.evaluations):
        assert event in since or event in kept
    for event in since:
        if isinstance(event, Evaluated):
            assert event in state.evaluations
        if isinstance(event, Trained):
            assert event in state.points
    saved = [e for e in since if isinstance(e, CheckpointSaved)]
    if saved:
        assert state.checkpoint == saved[-1]
    elif state.checkpoint is not None:
        assert state.checkpoint.step <= started.resumed_from


@settings(deadline=None)
@given(log=supervisions)
def test_deaths_that_count_are_of_one_order_and_one_checkpoint(log: list[Record]) -> None:
    state = fold_records(log)
    assert all(death.counts for death in state.deaths)
    assert len({(death.generation, death.checkpoint_step) for death in state.deaths}) <= 1
    assert state.launches == sum(isinstance(record, Launched) for record in log)
    begun = [i for i, record in enumerate(log) if isinstance(record, Launched | Adopted)]
    losses = [record for record in log[begun[-1] + 1 if begun else 0 :] if isinstance(record, Lost)]
    assert state.lost == (losses[-1] if losses else None)
    launched = [i for i, record in enumerate(log) if isinstance(record, Launched)]
    killed = [
        pid
        for record in log[launched[-1] + 1 if launched else 0 :]
        if isinstance(record, Signalled) and record.signal == "KILL"
        for pid in record.pids
    ]
    assert list(state.insisted) == killed


def test_nothing_is_nothing() -> None:
    assert fold([]) == TrainerState() and fold_records([]) == SupervisionState()


def test_work_that_was_lost_was_work_too() -> None:
    def begun(resumed_from: int, active: float) -> Started:
        return Started(0.0, own_identity(), 0, resumed_from, None, (), active, 1, "cpu", {})

    def trained(step: int, active: float) -> Trained:
        return Trained(0.0, step, 1.0, 0.0, 1e-3, 1.0, active)

    run = fold([begun(0, 0.0), trained(10, 20.0), begun(0, 0.0), trained(20, 30.0), begun(15, 25.0), trained(20, 31.0)])
    assert (run.active, run.wasted, run.worked) == (31.0, 25.0, 56.0)
    failed = fold([Failed(0.0, 0, "data", "large.npz: no such file", 1.2)], run)
    assert (failed.step, failed.worked) == (20, 56.0), "it failed before it read its checkpoint"
