"""Which results are due, and the processes that make them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.formats.results import MadeFrom, read_made
from lvmtui.formats.spec import ArmName
from lvmtui.state.tasks import RunOutcome, Task, due, result_of, task_command
from lvmtui.supervisor import results as workers_module
from lvmtui.supervisor.results import TRIES, WorkerEnd, Workers
from lvmtui.supervisor.tell import of_campaign
from lvmtui.system.launch import our_command
from tests.factory import make_campaign
from tests.waiting import wait_for


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return make_campaign(tmp_path, models=("amn", "gru"), seeds=(1, 2))


@pytest.fixture
def folder(tmp_path: Path, campaign: Campaign) -> CampaignDir:
    return Workspace(tmp_path).campaign(campaign.id)


def outcomes(campaign: Campaign, finished: Sequence[tuple[str, ArmName, int]], over: bool = False) -> list[RunOutcome]:
    done = set(finished)
    found = []
    for planned in campaign.runs:
        key = (planned.model, planned.arm, planned.seed)
        digest = f"scores of {key}" if key in done else ""
        phase = "finished" if digest else "failed" if over else "running"
        found.append(RunOutcome(*key, phase, bool(digest) or over, digest))
    return found


def everything(campaign: Campaign) -> list[tuple[str, ArmName, int]]:
    return [(p.model, p.arm, p.seed) for p in campaign.runs]


def keys(
    campaign: Campaign, found: list[RunOutcome], made: dict[str, str] | None = None, **options: object
) -> list[str]:
    missing = options.get("missing", ())
    given_up = options.get("given_up", ())
    tasks = due(campaign, found, made or {}, lambda t: t.key in missing, lambda t: t.key in given_up)  # type: ignore
    return [task.key for task in tasks]


def made_of(campaign: Campaign, found: list[RunOutcome]) -> dict[str, str]:
    """What is noted after everything due was made."""
    made: dict[str, str] = {}
    while tasks := due(campaign, found, made, lambda t: False, lambda t: False):
        made[tasks[0].key] = tasks[0].made_from
    return made


BASELINES = ["baselines baseline", "baselines expanded"]


def test_baselines_come_first_and_a_comparison_as_soon_as_a_pair_is_complete(campaign: Campaign) -> None:
    assert keys(campaign, outcomes(campaign, [])) == BASELINES
    half = outcomes(campaign, [("gru", "baseline", 1), ("gru", "expanded", 2)])
    assert keys(campaign, half) == BASELINES
    pair = outcomes(campaign, [("gru", "baseline", 2), ("gru", "expanded", 2)])
    assert keys(campaign, pair) == [*BASELINES, "comparison gru"]
    assert keys(campaign, pair, made_of(campaign, pair)) == []


def test_a_size_between_that_ends_is_no_news_of_the_pair(campaign: Campaign) -> None:
    """`pair_compared` was told again, with the same figures."""
    curve = replace(campaign, between=(campaign.baseline,))
    done = outcomes(curve, everything(curve))
    more = RunOutcome("gru", "size2", done[0].seed, "finished", True, "other scores")
    before, after = made_of(curve, done), made_of(curve, [*done, more])
    assert before["comparison gru"] != after["comparison gru"], "the learning curve is made anew"
    told = [of_campaign(made, done, all_made=False) for made in (before, after)]
    assert told[0] == told[1] and told[0][0].kind == "pair_compared"


def test_pairs_that_are_there_are_compared_before_the_sizes_between_have_their_baselines(campaign: Campaign) -> None:
    """A campaign that takes runs over has them from the beginning; each arm's baselines may take a minute."""
    curve = replace(campaign, between=(campaign.baseline,) * 2)
    between = ["baselines size2", "baselines size3"]
    pair = outcomes(campaign, [("gru", "baseline", 1), ("gru", "expanded", 1)])
    assert keys(curve, pair) == [*BASELINES, "comparison gru", *between]
    assert keys(curve, outcomes(campaign, [])) == [*BASELINES, *between]


def test_a_comparison_is_made_again_when_another_seed_is_complete(campaign: Campaign) -> None:
    first = [("gru", "baseline", 1), ("gru", "expanded", 1)]
    made = made_of(campaign, outcomes(campaign, first))
    half = [*first, ("gru", "baseline", 2)]
    assert keys(campaign, outcomes(campaign, half), made) == []
    both = [*half, ("gru", "expanded", 2)]
    assert keys(campaign, outcomes(campaign, both), made) == ["comparison gru"]


def test_the_report_comes_when_all_is_over_and_compared(campaign: Campaign) -> None:
    found = outcomes(campaign, everything(campaign))
    made = made_of(campaign, found)
    assert set(made) == {*BASELINES, "comparison amn", "comparison gru", "report"}
    del made["report"]
    assert keys(campaign, found, made) == ["report"]
    del made["comparison amn"]
    assert keys(campaign, found, made) == ["comparison amn"]


def test_the_report_tells_of_failures_and_changes_with_them(campaign: Campaign) -> None:
    found = outcomes(campaign, everything(campaign)[:-1], over=True)
    made = made_of(campaign, found)
    assert "report" in made and keys(campaign, found, made) == []
    assert "report" in made_of(campaign, outcomes(campaign, [], over=True))
    retried = outcomes(campaign, everything(campaign))
    again = {**made_of(campaign, retried), "report": made["report"]}
    assert keys(campaign, retried, again) == ["report"]


def test_a_model_of_ones_own_is_called_by_its_title(campaign: Campaign) -> None:
    own = replace(campaign, titles={"gru": "My Gru"})
    tasks = due(own, outcomes(own, everything(own)), {}, lambda task: True, lambda task: False)
    assert {"comparison of My Gru", "trivial baselines of the expanded arm"} <= {task.title for task in tasks}


def test_what_was_lost_is_made_again_and_what_failed_too_often_blocks_nothing(campaign: Campaign) -> None:
    found = outcomes(campaign, everything(campaign))
    made = made_of(campaign, found)
    assert keys(campaign, found, made, missing=["comparison gru"]) == ["comparison gru"]
    broken = {key: value for key, value in made.items() if key not in ("comparison gru", "report")}
    assert keys(campaign, found, broken, given_up=["comparison gru"]) == ["report"]


def test_the_commands_are_the_ones_agreed_on(folder: CampaignDir) -> None:
    def words(kind: str, subject: str) -> list[str]:
        return list(task_command(folder, Task(folder.id, kind, subject, "", "it")))[3:]  # type: ignore[arg-type]

    assert task_command(folder, Task(folder.id, "report", "", "", "it"))[:3] == our_command("lvmtui")[:3]
    assert words("baselines", "baseline") == ["lvmtui.datasets.baselines", str(folder.path), "baseline"]
    assert words("comparison", "gru") == ["lvmtui.report.make", str(folder.path), "gru"]
    assert words("report", "") == ["lvmtui.report.make", str(folder.path)]


# Processes ------------------------------------------------------------------------------------------------------------


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


def finish(workers: Workers) -> WorkerEnd:
    found: list[WorkerEnd] = []

    def ended() -> bool:
        done = workers.finish()
        found.extend([done] if done else [])
        return bool(done)

    wait_for(ended)
    return found[0]


def test_a_worker_leaves_its_result(folder: CampaignDir) -> None:
    task = Task(folder.id, "comparison", "gru", "now", "it")
    yields = "import os, time\nwhile os.nice(0) != 10: time.sleep(0.01)\n"  # its priority is lowered once it runs
    code = f"os.makedirs({str(folder.comparisons)!r}); open({str(result_of(folder, task))!r}, 'w')"
    workers = Workers(command=lambda folder, task: python(yields + code))
    assert workers.begin(folder, [task]) == task and workers.busy
    assert workers.begin(folder, [task]) is None  # one at a time
    assert finish(workers) == WorkerEnd(task, "", 0)
    assert not workers.busy


def test_a_worker_that_fails_says_why_and_is_tried_twice_more(folder: CampaignDir) -> None:
    now = [0.0]
    task = Task(folder.id, "baselines", "baseline", "now", "it")
    workers = Workers(
        command=lambda folder, task: python("print('\\x1b[31mno room\\n'); raise SystemExit(1)"), clock=lambda: now[0]
    )
    for tries in range(1, TRIES + 1):
        assert workers.begin(folder, [task]) == task
        done = finish(workers)
        assert (done.fault, done.tries) == ("no room", tries)
        assert workers.begin(folder, [task]) is None  # not at once
        now[0] += 1000
    assert workers.given_up(task) and not workers.given_up(Task(folder.id, "baselines", "baseline", "later", "it"))


def test_a_worker_that_leaves_nothing_or_cannot_be_started_has_failed(folder: CampaignDir) -> None:
    task = Task(folder.id, "report", "", "now", "it")
    workers = Workers(command=lambda folder, task: python("pass"))
    workers.begin(folder, [task])
    assert finish(workers).fault == "left no result"
    workers = Workers(command=lambda folder, task: ("/no/such/interpreter",), clock=count(0, 1000).__next__)
    for _ in range(2 * TRIES):
        assert workers.begin(folder, [task]) is None
    assert not workers.given_up(task), "that nothing can be started is no fault of the result"
    assert "could not be started" in workers.trouble(folder.id) and "/no/such/interpreter" in workers.trouble(folder.id)


def test_a_worker_has_the_threads_it_is_given(folder: CampaignDir) -> None:
    workers = Workers(
        command=lambda folder, task: python("import os; raise SystemExit(os.environ['OPENBLAS_NUM_THREADS'])")
    )
    workers.begin(folder, [Task(folder.id, "report", "", "now", "it")], threads=5)
    assert finish(workers).fault == "5"


def test_a_worker_that_hangs_is_ended(folder: CampaignDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "LIMIT", 0.2)
    workers = Workers(command=lambda folder, task: python("import time; time.sleep(600)"))
    workers.begin(folder, [Task(folder.id, "report", "", "now", "it")])
    assert "did not end within" in finish(workers).fault


def test_what_was_made_is_remembered_and_a_damaged_note_forgotten(folder: CampaignDir) -> None:
    assert read_made(folder.made) == {}
    write_document(folder.made, MadeFrom({"comparison gru": "now"}))
    assert read_made(folder.made) == {"comparison gru": "now"}
    assert json.loads(folder.made.read_bytes())["version"] == 1
    for damage in (b"", b"[]", b'{"results": 3}', b"\xff"):
        folder.made.write_bytes(damage)
        assert read_made(folder.made) == {}
