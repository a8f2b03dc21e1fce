"""The one word for a run: never contradicts what is wanted or seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.formats.intent import Intent
from lvmtui.formats.live import Progress
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.supervisor_log import Launched, Lost
from lvmtui.formats.trainer_log import CheckpointSaved, Failed, Finished, Started
from lvmtui.formats.user_code import OwnTrainer
from lvmtui.state.attempt import newest_attempt
from lvmtui.state.run_state import RunState, TrainerState, fold, fold_records
from lvmtui.state.status import ALIVE, OVER, Life, Phase, interrupted_words, status_of
from lvmtui.system.process_id import Identity
from tests.factory import make_campaign
from tests.strategies import events, intents, progresses, records


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    root = tmp_path_factory.mktemp("spec")
    return read_spec(Path(root, make_campaign(root, models=("amn",)).runs[0].folder, "spec.json"))


def states(spec: RunSpec) -> st.SearchStrategy[RunState]:
    return st.builds(
        RunState,
        st.just(spec),
        intents,
        st.lists(events, max_size=8).map(fold),
        st.lists(records, max_size=8).map(fold_records),
        st.none() | progresses,
    )


@settings(max_examples=300, deadline=None)
@given(data=st.data(), life=st.sampled_from(Life))
def test_what_holds_of_every_status(data: st.DataObject, life: Life, spec: RunSpec) -> None:
    run = data.draw(states(spec))
    phase = status_of(run, life).phase
    finished = isinstance(run.trainer.ending, Finished)
    assert (phase is Phase.FINISHED) == finished, "finished is what the trainer says, and nobody else"
    if finished:
        return
    assert (phase is Phase.UNKNOWN) == (life in (Life.ELSEWHERE, Life.UNSEEN))
    assert (phase in ALIVE and phase is not Phase.CANCELLING) <= (life in (Life.ALIVE, Life.STALLED, Life.WAITING))
    if life is Life.WAITING:
        assert phase in (Phase.QUEUED, Phase.PAUSING, Phase.CANCELLING), "nobody is there yet who could do anything"
    if life in (Life.ALIVE, Life.STALLED):
        assert phase in ALIVE
        expected = {"cancel": Phase.CANCELLING, "pause": Phase.PAUSING}
        assert expected.get(run.intent.want, phase) is phase
    elif life is Life.NONE:
        if phase in (Phase.QUEUED, Phase.INTERRUPTED):
            assert run.intent.want == "run", "nothing waits for its turn that is not wanted"
        if run.intent.want == "cancel":
            assert phase in (Phase.CANCELLING, Phase.CANCELLED)
        if phase is Phase.PAUSED:
            assert run.intent.want == "pause"
    assert (phase in OVER) == status_of(run, life).over


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_newest_attempt_is_one_the_logs_name(data: st.DataObject, spec: RunSpec) -> None:
    run = data.draw(states(spec))
    attempt = newest_attempt(run)
    started, process = run.trainer.started, run.supervision.process
    if attempt is None:
        assert started is None and process is None
    else:
        assert attempt.process in (process, started.process if started else None)
        if attempt.ending is not None:
            assert attempt.ending == run.trainer.ending


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_the_newer_of_two_attempts_is_told_by_ticks_not_by_clocks(spec: RunSpec, jump: float) -> None:
    older, newer = Identity("here", "boot", 80, 1000), Identity("here", "boot", 77, 1005)
    for first, second in ((older, newer), (newer, older)):
        started = Started(100.0, first, 0, 0, None, (), 0.0, 1, "cpu", {})
        launched = Launched(100.0 + jump, 0, second, "local", "")
        attempt = newest_attempt(RunState(spec, trainer=fold([started]), supervision=fold_records([launched])))
        assert attempt is not None and attempt.process == newer


def test_what_was_interrupted_says_where_it_goes_on(spec: RunSpec) -> None:
    process = Identity("here", "boot", 7, 7)
    started = Started(100.0, process, 0, 0, None, (), 0.0, 1, "cpu", {})
    told = fold([started, CheckpointSaved(110.0, 480)])
    killed = fold_records(
        [Launched(99.0, 0, process, "local", ""), Lost(111.0, 0, process, "killed by signal 9", 480, True)]
    )
    run = RunState(spec, Intent(), told, killed)
    epoch = f"epoch {480 / spec.steps_per_epoch:.1f}, "
    status = status_of(run, Life.NONE)
    assert (status.phase, status.reason) == (
        Phase.INTERRUPTED,
        f"killed by signal 9; goes on from {epoch}step 480",
    )
    assert interrupted_words(run, told=status.reason) == "interrupted 1 time", "no reason is told twice"
    for first in (replace(run, trainer=fold([started])), replace(run, intent=Intent("run", 1, restart=1))):
        assert status_of(first, Life.NONE).reason == "killed by signal 9; starts again from the first step"


@pytest.mark.parametrize(("boot", "said"), [("boot", False), ("", True)])
def test_a_suspended_job_loses_its_work_at_its_time_limit(spec: RunSpec, boot: str, said: bool) -> None:
    process, launched = Identity("here", "boot", 7, 7), Identity("here", boot, 7, 7)
    run = RunState(
        spec,
        Intent("pause", 1),
        fold([Started(100.0, process, 0, 0, None, (), 0.0, 1, "cpu", {})]),
        fold_records([Launched(99.0, 0, launched, "slurm", "")]),
        Progress(110.0, "suspended", 7, 5, 0.1, None, None, 0.01, None, 9.0, 1.0, 5, 1.0, 0.1, 3, 1.0, 2, 1.0, 0.3),
    )
    status = status_of(run, Life.ALIVE)
    assert status.phase is Phase.SUSPENDED and ("at its limit the work is lost" in status.reason) is said


def test_a_suspended_trainer_that_was_ended_says_that_a_resume_begins_anew(spec: RunSpec) -> None:
    process = Identity("here", "boot", 7, 7)
    started = Started(100.0, process, 0, 0, None, (), 0.0, 1, "cpu", {})
    own = replace(spec, own_trainer=OwnTrainer("mine", "python train.py", "/"))
    killed = fold_records([Launched(99.0, 0, process, "local", ""), Lost(111.0, 0, process, "limit", 0, False)])

    def paused(spec: RunSpec, *events: Started | CheckpointSaved) -> str:
        status = status_of(RunState(spec, Intent("pause", 1), fold(events), killed), Life.NONE)
        assert status.phase is Phase.PAUSED
        return status.reason

    assert paused(own, started) == "resumed, it starts again from the first step"
    assert paused(own) == paused(spec, started) == paused(own, started, CheckpointSaved(110.0, 4)) == ""
    silent = replace(own, own_trainer=OwnTrainer("mine", "python train.py", "/", checkpoints=True))
    assert paused(silent, started).startswith("it told of no checkpoint: resumed, it starts again, or from what it")


def test_a_failure_before_the_first_word_is_final_until_asked(spec: RunSpec) -> None:
    process = Identity("here", "boot", 7, 7)
    failed = TrainerState(ending=Failed(2.0, 0, "data", "changed", 1.0))
    supervision = fold_records([Launched(1.0, 0, process, "local", "")])
    run = RunState(spec, Intent(), failed, supervision)
    assert status_of(run, Life.NONE).phase is Phase.FAILED
    assert status_of(replace(run, intent=Intent("run", 1)), Life.NONE).phase is Phase.QUEUED


def test_a_retry_that_fails_before_its_first_word_is_final_too(spec: RunSpec) -> None:
    process, again = Identity("here", "boot", 7, 7), Identity("here", "boot", 8, 8)
    began = Started(1.0, process, 0, 0, None, (), 0.0, 1, "cpu", {}, launch="a")
    first = Launched(1.0, 0, process, "local", "", launch="a")
    supervision = fold_records([first, Launched(3.0, 1, again, "local", "", launch="b", after="a")])

    def seen(*events: Failed) -> tuple[Phase, bool]:
        run = RunState(spec, Intent("run", 1, resumed=1), fold([began, *events]), supervision)
        attempt = newest_attempt(run)
        assert attempt is not None and not attempt.spoke
        return status_of(run, Life.NONE).phase, attempt.accounted

    missing = Failed(2.0, 0, "data", "missing", 1.0, launch="a")
    assert seen(missing) == (Phase.QUEUED, False), "the second attempt has not said anything"
    assert seen(missing, Failed(1.0, 0, "data", "missing", 1.0, launch="b")) == (Phase.FAILED, True)
    assert seen(missing, Failed(4.0, 0, "error", "no", 1.0, launch="b")) == (Phase.QUEUED, False)
