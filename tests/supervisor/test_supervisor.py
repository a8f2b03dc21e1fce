"""The supervisor over real processes and real folders."""

from __future__ import annotations

import json
import os
import sys

import pytest

from lvmtui.formats.campaign import write_campaign_intent
from lvmtui.formats.intent import Intent
from lvmtui.formats.json_codec import encode
from lvmtui.models import MODELS
from lvmtui.state.status import Phase
from lvmtui.supervisor.results import Workers
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import World

SLOW = Behaviour(step_seconds=0.02)


# Order and number -----------------------------------------------------------------------------------------------------


def test_all_runs_finish_in_their_order_and_never_more_side_by_side_than_allowed(world: World) -> None:
    campaign = world.plan(*MODELS, jobs=2)
    most = 0

    def over() -> bool:
        nonlocal most
        leaders = [p for p in world.processes() if p.leader]
        most = max(most, len(leaders))
        return all(world.finished(p.model, p.arm) for p in campaign.runs)

    world.until(over)
    assert most == 2 and world.whole()
    launched = [world.state(p.model, p.arm).supervision.launched for p in campaign.runs]
    times = [one.time for one in launched if one]
    assert len(times) == len(campaign.runs) and times == sorted(times)
    assert all(world.state(p.model, p.arm).supervision.launches == 1 for p in campaign.runs)


def test_order_and_number_can_be_changed_while_it_goes(world: World) -> None:
    campaign = world.plan("amn", "gru", behaviour=SLOW, jobs=1, steps=10_000)
    world.until(lambda: world.training())
    last = world.run("gru", "expanded")
    write_campaign_intent(world.workspace.campaign(campaign.id).intent, by="test", jobs=2, order=(last.run,))
    world.until(lambda: world.training("gru", "expanded"))
    assert world.phase("amn", "expanded") is Phase.QUEUED and world.phase("gru") is Phase.QUEUED
    write_campaign_intent(world.workspace.campaign(campaign.id).intent, by="test", jobs=1)
    world.ticks()
    assert world.training() and world.training("gru", "expanded")  # fewer jobs stop nobody


def test_campaigns_take_turns_the_oldest_first(world: World) -> None:
    older = world.plan("amn", jobs=2)
    newer = world.plan("amn", stamp="20261123_090000", created=older.created + 1000, jobs=2)
    world.until(lambda: all(world.finished("amn", arm) for arm in ("baseline", "expanded")))
    starts = []
    for campaign in (older, newer):
        world.campaign = campaign
        starts += [world.state("amn", arm).supervision.launched.time for arm in ("baseline", "expanded")]  # type: ignore
    assert starts == sorted(starts)


def test_runs_of_an_earlier_campaign_are_never_touched(world: World) -> None:
    from dataclasses import replace

    from lvmtui.formats.campaign import write_campaign

    campaign = world.plan("amn")
    runs = tuple(replace(p, trained_here=p.arm == "expanded") for p in campaign.runs)
    path = world.workspace.campaign(campaign.id).campaign
    path.unlink()
    write_campaign(path, replace(campaign, runs=runs))
    world.want("cancel")
    world.to_the_end()
    assert world.finished("amn", "expanded")
    assert not world.folder().supervision.exists() and not world.folder().events.exists()


# Pause and resume -----------------------------------------------------------------------------------------------------


def test_a_paused_run_gives_its_place_away_and_goes_on_where_it_was(world: World) -> None:
    world.plan("amn", behaviour=SLOW, jobs=1)
    world.until(lambda: world.training() and world.state().step >= 10)
    world.want("pause")
    world.until(lambda: world.phase() is Phase.PAUSED)
    assert not world.processes(world.folder())
    step = world.state().trainer.step
    world.until(lambda: world.finished("amn", "expanded"))
    assert world.phase() is Phase.PAUSED
    world.want("run")
    world.until(lambda: world.whole())
    started = world.state().trainer.started
    assert started and started.resumed_from == step
    assert not world.state().supervision.deaths


def test_a_queued_run_can_be_paused(world: World) -> None:
    world.plan("amn", jobs=1)
    world.want("pause")
    world.until(lambda: world.finished("amn", "expanded"))
    world.ticks()
    assert world.phase() is Phase.PAUSED and world.state().supervision.launches == 0


def test_a_stopped_process_is_woken_to_be_paused(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(at=5, does="stop", attempts=1))
    world.until(lambda: any(p.stopped for p in world.processes(world.folder())))
    world.want("pause")
    world.until(lambda: world.phase() is Phase.PAUSED)
    assert world.state().trainer.checkpoint is not None


def test_a_run_paused_while_it_starts_does_not_count_as_dead(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(start_seconds=0.4))
    world.until(lambda: world.processes(world.folder()))
    world.want("pause")
    world.until(lambda: bool(world.state().supervision.losses))
    lost = world.state().supervision.losses[-1]
    assert world.phase() is Phase.PAUSED and lost and not lost.counts
    world.want("run")
    world.until(lambda: world.whole())


# Cancel ---------------------------------------------------------------------------------------------------------------


def test_a_cancelled_run_leaves_and_the_others_go_on(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training() and world.training("amn", "expanded"))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    stopped = world.state().supervision.stopped
    assert stopped and stopped.killed == () and not world.processes(world.folder())
    world.until(lambda: world.finished("amn", "expanded"))
    assert world.phase() is Phase.CANCELLED


def test_cancel_waits_then_kills_everything_that_carries_the_mark(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, ignores_term=True, child=True), steps=10_000)
    world.until(lambda: len(world.processes(world.folder())) == 2)
    pids = sorted(p.identity.pid for p in world.processes(world.folder()))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    state = world.state().supervision
    assert state.stopped and sorted(state.stopped.killed) == pids
    assert not world.processes(world.folder()) and not state.losses


def test_force_does_not_wait(world: World) -> None:
    world.rules = world.supervisor.rules.__class__(cancel_wait=1000)
    world.new_supervisor()
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, deaf=True, ignores_term=True), steps=10_000)
    world.until(lambda: world.training())
    world.want("cancel", force=True)
    world.until(lambda: world.phase() is Phase.CANCELLED)
    signalled = world.state().supervision.signalled
    assert signalled and signalled.signal == "KILL"


def test_a_stopped_process_is_woken_to_be_cancelled(world: World) -> None:
    world.rules = world.supervisor.rules.__class__(cancel_wait=1000)
    world.new_supervisor()
    world.plan("amn", behaviour=Behaviour(at=5, does="stop", attempts=1))
    world.until(lambda: any(p.stopped for p in world.processes(world.folder())))
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    assert world.state().supervision.insisted == ()


def test_a_queued_run_is_cancelled_without_a_process(world: World) -> None:
    world.plan("amn", jobs=1, behaviour=SLOW)
    world.until(lambda: world.training())
    world.want("cancel", "amn", "expanded")
    world.until(lambda: world.phase("amn", "expanded") is Phase.CANCELLED)
    assert world.state("amn", "expanded").supervision.launches == 0


def test_a_cancelled_run_that_is_retried_goes_on_from_its_checkpoint_or_from_the_start(world: World) -> None:
    world.plan("amn", behaviour=Behaviour(step_seconds=0.01, checkpoint_every=5))
    world.until(lambda: world.state().trainer.checkpoint)
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    world.want("run")
    world.until(lambda: world.state().trainer.attempts == 2)
    started = world.state().trainer.started
    assert started and started.resumed_from > 0
    world.want("cancel")
    world.until(lambda: world.phase() is Phase.CANCELLED)
    world.want("run", from_start=True)
    world.until(lambda: world.state().trainer.attempts == 3)
    started = world.state().trainer.started
    assert started and started.resumed_from == 0
    world.until(lambda: world.whole())


# Results --------------------------------------------------------------------------------------------------------------


def test_results_are_made_as_the_runs_end(world: World) -> None:
    campaign = world.plan("amn", "gru", jobs=1)
    folder = world.workspace.campaign(campaign.id)
    world.until(lambda: folder.comparison("amn").exists())
    assert folder.baseline_scores("baseline").exists() and folder.baseline_scores("expanded").exists()
    assert not world.finished("gru", "expanded")
    world.to_the_end()
    assert folder.report.exists()
    assert "comparison of AMN written, 1 pair" in world.monitor()
    order = [line[20:].split(" written")[0] for line in world.monitor().splitlines() if " written" in line]
    assert order == [
        "trivial baselines of the baseline arm",
        "trivial baselines of the expanded arm",
        "comparison of AMN",
        "comparison of GRU",
        "report",
    ]
    before = world.monitor()
    world.new_supervisor()
    world.to_the_end()
    assert world.monitor() == before  # nothing is made twice for nothing


def test_a_result_that_cannot_be_made_blocks_no_run_and_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmtui.supervisor.results.PAUSE", 0.05)
    code = "print('no such module'); raise SystemExit(1)"
    world.supervisor.results.workers = Workers(command=lambda folder, task: (sys.executable, "-S", "-c", code))
    world.plan("amn")
    world.to_the_end()
    assert world.whole()
    failures = [line for line in world.monitor().splitlines() if "comparison of AMN failed: no such module" in line]
    assert len(failures) == 3 and "tried again" in failures[0] and "tried again" not in failures[2]


# Other people ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write as another user")
def test_a_strangers_order_is_not_followed_and_noted_once(world: World) -> None:
    world.plan("amn", behaviour=SLOW)
    world.until(lambda: world.training())
    strange = world.root / "intent.json"
    strange.write_text(json.dumps(encode(Intent("cancel", 1))))
    os.chown(strange, 54321, 54321)
    strange.rename(world.folder().intent)
    world.until(lambda: "an order is not followed" in world.monitor())
    world.new_supervisor()
    world.until(lambda: world.whole())
    assert world.monitor().count("an order is not followed") == 1 and "54321" in world.monitor()
