"""The logs people read: each thing once, whoever writes, whatever happens to the file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lvmtui.formats.campaign import Campaign
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState
from lvmtui.supervisor import readable_logs as logs_module
from lvmtui.supervisor.readable_logs import ReadableLogs
from lvmtui.system.files import append_line
from lvmtui.system.process_id import host_name
from tests.factory import NOBODY, bring_to, make_campaign, write_trivial


class Bench:
    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.campaign: Campaign = make_campaign(self.workspace, models=("amn", "gru"))
        self.readers = {p.run: RunReader(self.workspace.run(p), curves=False) for p in self.campaign.runs}
        self.logs = ReadableLogs(self.workspace, self.campaign)

    def catch_up(self) -> None:
        states: dict[str, RunState | None] = {name: reader.refresh() for name, reader in self.readers.items()}
        self.logs.catch_up(states)

    def arm(self, label: str = "8k") -> list[str]:
        path = self.workspace.retrain_log(self.campaign, label)
        return path.read_text().splitlines() if path.exists() else []

    def monitor(self) -> list[str]:
        path = self.workspace.monitor_log(self.campaign)
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_line_an_event_under_the_arm_it_belongs_to(bench: Bench) -> None:
    history = bring_to(bench.workspace, bench.campaign, "amn", "baseline", state="finished")
    bring_to(bench.workspace, bench.campaign, "gru", "expanded", state="paused")
    bench.catch_up()
    lines = bench.arm("8k")
    name = history.folder.name
    assert all(name in line for line in lines)
    texts = [line.split(name)[1].strip() for line in lines]
    assert texts[0] == f"launched process {NOBODY}"
    assert texts[1] == f"started from the first step, process {NOBODY} on {host_name()}, cpu"
    assert sum(text.startswith("epoch ") for text in texts) == len(history.evaluations)
    assert "held-out cosine .51" in texts[-1] and texts[-1].startswith("finished at step 1,200 after")
    assert lines[0].startswith("2026-11-22 ") or lines[0].startswith("2026-11-23 ")  # wherever this is run
    assert bench.arm("23k")[-1].endswith("paused at step 600")
    (completion,) = bench.monitor()
    assert "finished at step 1,200 after" in completion


def test_lines_of_several_runs_are_in_the_order_of_time(bench: Bench) -> None:
    for model in ("gru", "amn"):
        bring_to(bench.workspace, bench.campaign, model, "baseline", state="finished")
    bench.catch_up()
    stamps = [line[:19] for line in bench.arm("8k")]
    assert stamps == sorted(stamps) and len({line[20:60].split()[0] for line in bench.arm("8k")}) == 2


def test_nothing_is_told_twice_by_one_or_by_the_next(bench: Bench) -> None:
    history = bring_to(bench.workspace, bench.campaign, "amn", "baseline", state="running", fraction=0.5)
    bench.catch_up()
    bench.catch_up()
    before = bench.arm()
    bench.logs = ReadableLogs(bench.workspace, bench.campaign)
    bench.catch_up()
    assert bench.arm() == before
    history.train(history.spec.total_steps)
    history.finish()
    bench.catch_up()
    after = bench.arm()
    assert after[: len(before)] == before and len(set(after)) == len(after) == len(before) + 11
    bench.workspace.retrain_log(bench.campaign, "8k").unlink()
    bench.logs = ReadableLogs(bench.workspace, bench.campaign)
    bench.catch_up()
    assert bench.arm() == after and len(bench.monitor()) == 1


def test_a_log_that_was_cut_anywhere_is_made_whole(bench: Bench) -> None:
    bring_to(bench.workspace, bench.campaign, "amn", "baseline", state="finished")
    bench.catch_up()
    whole = bench.workspace.retrain_log(bench.campaign, "8k").read_bytes()
    lines = set(whole.splitlines())
    for cut in range(len(whole) - 250, len(whole), 7):
        bench.workspace.retrain_log(bench.campaign, "8k").write_bytes(whole[:cut])
        bench.logs = ReadableLogs(bench.workspace, bench.campaign)
        bench.catch_up()
        assert lines <= set(bench.workspace.retrain_log(bench.campaign, "8k").read_bytes().splitlines())


def test_a_full_disk_delays_lines_and_loses_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    really = append_line
    calls = [0]

    def nearly_full(path: Path, line: bytes) -> None:
        calls[0] += 1
        if calls[0] > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(path, line)

    bring_to(bench.workspace, bench.campaign, "amn", "baseline", state="finished")
    monkeypatch.setattr(logs_module, "append_line", nearly_full)
    bench.catch_up()
    bench.catch_up()
    assert len(bench.arm()) == 3
    monkeypatch.setattr(logs_module, "append_line", really)
    bench.catch_up()
    assert len(bench.arm()) == len(set(bench.arm())) > 10 and len(bench.monitor()) == 1


def test_text_from_logs_cannot_speak_to_the_terminal(bench: Bench) -> None:
    history = bring_to(bench.workspace, bench.campaign, "amn", "baseline", state="running")
    history.die("\x1b]52;c;ZXZpbA==\x07evil\nsecond line")
    bench.catch_up()
    (line,) = [line for line in bench.arm() if "evil" in line]
    assert "\x1b" not in line and line.endswith(": evil second line")


def test_notes_are_written_once(bench: Bench) -> None:
    bench.logs.note("run x  not started: locked", 1795355100.0, once=True)
    bench.logs.note("run x  not started: locked", 1795355200.0, once=True)
    ReadableLogs(bench.workspace, bench.campaign).note("run x  not started: locked", 1795355300.0, once=True)
    assert len(bench.monitor()) == 1


def test_the_change_so_far_is_told_at_fixed_shares_by_the_rule_of_the_screen(bench: Bench) -> None:
    def told() -> list[str]:
        return [line.partition("GRU  ")[2] for line in bench.monitor() if "change" in line]

    bring_to(bench.workspace, bench.campaign, "gru", "baseline", state="finished")
    bring_to(bench.workspace, bench.campaign, "gru", "expanded", state="running")
    bench.catch_up()
    assert not told(), "the trivial baselines are missing"
    for arm in ARMS:
        write_trivial(bench.workspace, bench.campaign, arm)
    bench.catch_up()
    (half,) = told()
    assert half.endswith("so far (at 50 % of training)")
    bring_to(bench.workspace, bench.campaign, "gru", "expanded", state="finished")
    bench.catch_up()
    assert told()[0] == half and told()[1].endswith("so far (at 75 % of training)")
    before = bench.monitor()
    bench.logs = ReadableLogs(bench.workspace, bench.campaign)  # another supervisor
    bench.catch_up()
    assert bench.monitor() == before
