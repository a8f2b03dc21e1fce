"""Commands that are told what happened: real shells, one that fails and one that hangs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lvmtui.cli import event_command as tell
from lvmtui.cli.status import standing
from lvmtui.formats.told import Happening, read_told
from lvmtui.state.campaign_reader import CampaignReader
from lvmtui.state.status import Phase, Status
from lvmtui.state.tasks import RunOutcome
from lvmtui.supervisor.tell import EventTeller, Telling, of_campaign, of_run, telling_command
from lvmtui.verdict.health import Finding
from tests.supervisor.fake_trainer import Behaviour
from tests.supervisor.world import World
from tests.verdict.scenes import finished, state_of
from tests.waiting import wait_for

FACTS = {"event": "run_finished", "message": "GRU 23k finished"}


def listener(folder: Path) -> tuple[str, Path]:
    """A command that writes down what it is told, a line each, and the file."""
    heard = folder / "heard.jsonl"
    code = (
        "import json, os, sys; facts = json.load(sys.stdin); assert facts['message'] == os.environ['LVMTUI_MESSAGE']; "
        f"open({str(heard)!r}, 'a').write(json.dumps(facts) + '\\n')"
    )
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", heard


def lines_of(heard: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in heard.read_text().splitlines()] if heard.exists() else []


# One command ----------------------------------------------------------------------------------------------------------


def test_a_command_gets_facts_and_a_sentence(tmp_path: Path) -> None:
    command, heard = listener(tmp_path)
    assert tell.tell_command(command, FACTS, tmp_path, seconds=20) == ""
    assert lines_of(heard) == [FACTS]
    assert tell.tell_command('test "$LVMTUI_EVENT" = run_finished && pwd > where', FACTS, tmp_path, seconds=20) == ""
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    fault = tell.tell_command("echo sending; echo no such host >&2; exit 3", FACTS, tmp_path, seconds=20)
    assert "3" in fault and fault.endswith("no such host")
    assert "127" in tell.tell_command("/nowhere/at-all", FACTS, tmp_path, seconds=20)


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    command = "(setsid sleep 300 & echo $! > away); sleep 300 & echo $! > near; wait"  # one leaves session and parent
    assert tell.tell_command(command, FACTS, tmp_path, seconds=1.0) == "did not end within 1 s"
    for name in ("near", "away"):
        gone(int((tmp_path / name).read_text()))


def gone(pid: int) -> None:
    wait_for(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What has happened ----------------------------------------------------------------------------------------------------


def test_what_has_happened_has_the_same_key_for_every_supervisor(world: World) -> None:
    world.plan("amn")
    world.to_the_end()
    state = world.state()
    collapsed = Finding("collapsed", True, "all predictions are alike")
    note = Finding("overfitting", False, "it falls")
    found = of_run("r", Status(Phase.FINISHED, since=12.4), state, (collapsed, note))
    assert [one.key.split()[0] for one in found] == ["run_finished", "run_alarm"]
    assert found == of_run("r", Status(Phase.FINISHED, since=12.4), world.state(), (collapsed, note))
    assert of_run("r", Status(Phase.CANCELLED, since=1.0), None, ()) == []
    stalled = of_run("r", Status(Phase.STALLED, since=1.0), state, ())
    assert [one.key for one in stalled] == [f"run_stalled r step {state.step} of {state.newest_launch}"]
    diverged = Finding("diverged", True, "the loss is not a number")
    kinds = [one.kind for one in of_run("r", Status(Phase.DIVERGED, since=1.0), state, (diverged,))]
    assert kinds == ["run_failed"], "said once"


def test_a_campaign_is_over_when_nothing_is_left_to_be_made() -> None:
    over = [RunOutcome("amn", arm, 1, "finished", True, arm) for arm in ("baseline", "expanded")]
    made = {"comparison amn": "digest", "report": "x"}
    assert [one.kind for one in of_campaign(made, over, all_made=True)] == ["pair_compared", "campaign_over"]
    assert [one.kind for one in of_campaign(made, over, all_made=False)] == ["pair_compared"]
    retried = [over[0], RunOutcome("amn", "expanded", 1, "finished", True, "another")]
    assert of_campaign(made, over, all_made=True)[-1] != of_campaign(made, retried, all_made=True)[-1]
    failed, again = ([over[0], RunOutcome("amn", "expanded", 1, "failed", True, "", since)] for since in (5.0, 9.0))
    assert of_campaign(made, failed, all_made=True)[-1] != of_campaign(made, again, all_made=True)[-1]


def test_the_end_of_a_campaign_counts_how_its_runs_ended(tmp_path: Path) -> None:
    state = state_of(*finished(tmp_path, {"amn": (0.5, 0.52)}, seeds=(1,)))
    cancelled = replace(state.runs[0], status=Status(Phase.CANCELLED))
    facts = tell.facts_of(replace(state, runs=(cancelled, *state.runs[1:])), Happening("campaign_over"))
    assert "all runs have ended: 1 of 2 runs finished, 1 cancelled. " in facts["message"]


# The supervisor -------------------------------------------------------------------------------------------------------


def test_everything_is_told_once_also_by_the_next_supervisor(world: World) -> None:
    command, heard = listener(world.root)
    campaign = world.plan("amn", on_event=(command,))
    world.to_the_end()
    told = lines_of(heard)
    assert sorted(one["event"] for one in told) == ["campaign_over", "pair_compared", "run_finished", "run_finished"]
    assert told[-1]["event"] == "campaign_over" and told[-1]["verdict"]["line"].startswith("VERDICT ")
    first = next(one for one in told if one["event"] == "run_finished")
    assert first["run"]["phase"] == "finished" and "AMN" in first["message"] and first["campaign"] == campaign.id
    world.new_supervisor()
    world.to_the_end()
    world.ticks(20)
    assert lines_of(heard) == told


def test_a_run_whose_folder_is_gone_is_told(world: World) -> None:
    command, heard = listener(world.root)
    campaign = world.plan("amn", jobs=1, on_event=(command,))
    gone = campaign.runs[1]
    shutil.rmtree(world.workspace.run(gone).path)
    world.to_the_end()
    told = lines_of(heard)
    assert sorted(one["event"] for one in told) == ["campaign_over", "run_failed", "run_finished"]
    failed = next(one for one in told if one["event"] == "run_failed")
    assert failed["run"]["run"] == gone.run and " missing: " in failed["message"]


def test_a_failure_is_told_and_a_retry_that_fails_again_too(world: World) -> None:
    command, heard = listener(world.root)
    world.plan("amn", behaviour=Behaviour(at=5, does="error"), jobs=1, on_event=(command,))
    world.to_the_end()
    assert [one["event"] for one in lines_of(heard)].count("run_failed") == 2
    assert [one["event"] for one in lines_of(heard)].count("campaign_over") == 1
    world.want("run")
    world.to_the_end()
    assert [one["event"] for one in lines_of(heard)].count("campaign_over") == 2
    failed = [one["run"]["arm"] for one in lines_of(heard) if one["event"] == "run_failed"]
    assert failed.count("baseline") == 2 and failed.count("expanded") == 1


def test_a_command_that_fails_or_hangs_costs_no_tick_and_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = world.root / "quick.py"
    quick.write_text(
        "import sys\nfrom lvmtui.cli import event_command as tell\n"
        "tell.SECONDS, tell.AGAIN = 0.5, 0.05\nsys.exit(tell.main(sys.argv[1:]))"
    )

    def quickly(telling: Telling) -> tuple[str, ...]:
        return (sys.executable, str(quick), *telling_command(telling)[-3:])

    command, heard = listener(world.root)
    campaign = world.plan("amn", on_event=("echo no route; exit 7", "sleep 300", command))
    world.supervisor.results.teller = EventTeller(command=quickly)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    longest = 0.0
    until = time.monotonic() + 60
    while world.supervisor.something_left or world.supervisor.tick():
        began = time.monotonic()
        world.supervisor.tick()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
        assert time.monotonic() < until, world.describe()
    assert len(lines_of(heard)) == 4, "the others are told all the same"
    log = world.workspace.monitor_log(campaign).read_text()
    assert "'echo no route; exit 7' failed 2 times:" in log and "no route" in log
    assert "'sleep 300' failed 2 times: did not end within 0.5 s" in log
    told = read_told(world.workspace.campaign(campaign.id).told)
    assert len(told) == 12 and sum(one.tries == 2 for one in told.values()) == 8
    reader = CampaignReader(world.workspace, world.workspace.campaign(campaign.id))
    said = reader.refresh().troubles  # on the screen, in status
    first, second = said.split("; 'sleep")
    assert first == "--on-event 'echo no route; exit 7' failed for 4 events: left with exit code 7: no route"
    assert second == " 300' failed for 4 events: did not end within 0.5 s"


def test_an_event_that_was_not_told_stays_said_when_the_command_works_again(world: World) -> None:
    """A mail server that was away for an hour was forgotten with the next message."""
    campaign = world.plan("amn", on_event=("test $LVMTUI_EVENT != pair_compared",))
    world.to_the_end()
    world.workspace.pulse.unlink()  # its supervisor has left long ago
    state = CampaignReader(world.workspace, world.workspace.campaign(campaign.id)).refresh()
    command = "'test $LVMTUI_EVENT != pair_compared'"
    assert standing(state, None)[0] == f"trouble: --on-event {command} failed for 1 event: left with exit code 1"
    assert not state.trouble, "it keeps no result"
    assert "on event: pair_compared amn: 'test" in world.monitor()


def test_a_supervisor_that_is_replaced_meanwhile_tells_nothing_twice(world: World) -> None:
    command, heard = listener(world.root)
    world.plan("amn", on_event=(f"sleep 1; {command}",))
    world.until(lambda: world.supervisor.results.teller.busy)
    world.new_supervisor()
    world.to_the_end()
    events = [one["event"] for one in lines_of(heard)]
    assert sorted(events) == ["campaign_over", "pair_compared", "run_finished", "run_finished"]


def test_a_key_is_one_line() -> None:
    assert Happening("run_stalled", "gru_8k", "step 5").key == "run_stalled gru_8k step 5"
    assert Happening("campaign_over").key == "campaign_over"
