"""Which attempt is the newest, out of two logs whose clocks need not agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lvmtui.formats.live import STALE, EngineAnswer, Job, Pulse
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.supervisor_log import Launched, Lost, Record
from lvmtui.formats.trainer_log import Event, Interrupted, Started
from lvmtui.state.attempt import is_silent, newest_attempt
from lvmtui.state.liveness import job_of, life_of_job
from lvmtui.state.run_state import RunState, fold, fold_records
from lvmtui.state.status import Life, interruptions, status_of
from lvmtui.system.process_id import Identity
from tests.factory import make_campaign


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    from lvmtui.formats.paths import Workspace
    from lvmtui.formats.spec import read_spec

    workspace = Workspace(tmp_path_factory.mktemp("spec"))
    return read_spec(workspace.run(make_campaign(workspace, models=("amn",)).runs[0]).spec)


def job(number: int) -> Identity:
    return Identity("Slurm", "", number, 0)


def launched(number: int, after: str, time: float) -> Launched:
    return Launched(time, 0, job(number), "slurm", "", f"slurm-{number}", after)


def started(number: int, time: float, step: int = 0) -> Started:
    node = Identity("node17", "its own boot", 4000 + number, 99)
    return Started(time, node, 0, step, None, (), 0.0, 1, "cpu", {}, f"slurm-{number}")


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_the_clocks_of_two_hosts_are_never_compared(spec: RunSpec, skew: float) -> None:
    """The node's clock is an hour wrong, one way or the other: what is concluded is the same."""
    first = [launched(1, "", 1000.0)]
    state = RunState(spec, supervision=fold_records(first))
    assert is_silent(state)
    state = replace(state, trainer=fold([started(1, 1005.0 + skew)]))
    attempt = newest_attempt(state)
    assert attempt and attempt.spoke and attempt.process == job(1) and attempt.ending is None
    left: list[Event] = [started(1, 1005.0 + skew), Interrupted(1050.0 + skew, 40, "USR1", 45.0)]
    second: list[Record] = [*first, launched(2, "slurm-1", 1060.0)]
    state = RunState(spec, trainer=fold(left), supervision=fold_records(second))
    attempt = newest_attempt(state)
    assert attempt and not attempt.spoke and attempt.process == job(2) and not attempt.accounted
    state = replace(state, trainer=fold([*left, started(2, 1065.0 + skew, 40)]))
    attempt = newest_attempt(state)
    assert attempt and attempt.spoke and attempt.process == job(2) and attempt.ending is None
    assert len(interruptions(state)) == 1


def test_a_start_that_was_not_written_down_is_the_newer_one(spec: RunSpec) -> None:
    known: list[Record] = [launched(1, "", 1000.0), Lost(1010.0, 0, job(1), "preempted", 0, False)]
    state = RunState(spec, trainer=fold([started(2, 900.0)]), supervision=fold_records(known))
    attempt = newest_attempt(state)
    assert attempt and attempt.spoke and attempt.process.host == "node17" and not attempt.accounted


# What the supervisor's pulse says -------------------------------------------------------------------------------------


def pulse(spec: RunSpec, waiting: bool | None, *, time: float = 2000.0, fault: str = "") -> Pulse:
    jobs = {} if waiting is None else {"amn": Job("slurm", 1, waiting, "job 1: words")}
    return Pulse(time, 1, {spec.campaign: EngineAnswer(1990.0, fault)}, jobs)


def test_what_the_pulse_says_of_a_run(spec: RunSpec) -> None:
    running = RunState(spec, trainer=fold([started(1, 1.0)]), supervision=fold_records([launched(1, "", 1000.0)]))
    submitted = replace(running, trainer=fold([]))

    def said(state: RunState, pulse: Pulse | None, now: float = 2000.0) -> tuple[Life, str]:
        return life_of_job(state, job_of(state, "amn", pulse), "slurm", pulse, now)

    assert said(running, pulse(spec, False)) == (Life.ALIVE, "job 1: words")
    assert said(submitted, pulse(spec, True)) == (Life.WAITING, "job 1: words")
    assert said(running, pulse(spec, None)) == (Life.NONE, "submitted")
    life, words = said(running, pulse(spec, False, fault="Slurm does not answer (x)"))
    assert life is Life.UNSEEN and words == "not known for 10 s: Slurm does not answer (x)"
    assert status_of(running, life, words).phase.value == "unknown"
    elsewhere = replace(pulse(spec, False), engines={"other": EngineAnswer(1990.0, "another cluster does not answer")})
    assert said(running, elsewhere)[0] is Life.ALIVE
    life, words = said(running, pulse(spec, False), now=2001.0 + STALE)
    assert life is Life.UNSEEN and words.startswith("nobody has asked Slurm since ")
    for last_start, life in ((1.0, Life.WAITING), (0.0, Life.ALIVE), (None, Life.WAITING)):
        waits = pulse(spec, True)
        since = replace(waits, jobs={"amn": replace(waits.jobs["amn"], last_start=last_start)})
        assert said(running, since)[0] is life, "a start since then shows that it trains"
        left = replace(running, trainer=fold([started(1, 1.0), Interrupted(5.0, 10, "TERM", 1.0)]))
        assert said(left, since)[0] is Life.WAITING
    assert said(running, None) == (Life.UNSEEN, "nobody has asked Slurm")
    assert said(RunState(spec), None) == (Life.NONE, "")
