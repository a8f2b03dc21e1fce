"""The real program in a real pseudo-terminal, read through a terminal emulator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.formats.intent import read_intent
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign
from lvmtui.system.filesystem import try_lock
from lvmtui.system.process_id import identity_of
from tests.factory import bring_to, planned_run
from tests.ui.showcase import end, middle, supervise
from tests.ui.terminal import Terminal
from tests.waiting import IdleTrainer


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A campaign half way whose trainer is somebody who sleeps, and no supervisor who would carry out an order."""
    trainer = IdleTrainer()
    campaign = middle(tmp_path, identity_of(trainer.pid))
    for planned in campaign.runs:
        trainer.hold(Workspace(tmp_path).run(planned).lock)
    supervise(tmp_path)
    lock = try_lock(Workspace(tmp_path).supervisor_lock)
    assert lock is not None
    yield tmp_path
    lock.close()
    trainer.kill()
    trainer.communicate()


def test_a_visit(root: Path) -> None:
    """Look at the board, look closer, search the log, leave; come back from another terminal and see the same."""
    with Terminal(["--workspace", str(root), "--read-only"]) as terminal:
        wanted = ("4 of 10 finished", "AMN", "GraphMERT-LVM", "‖ paused 60 %", "✗ collapsed", "+1.54 %", "13/24")
        for words in (*wanted, "step 600/1200"):
            terminal.wait_for(words)
        terminal.press("\r")
        terminal.wait_for("learning rate")
        terminal.press("/step 45\r")
        terminal.wait_for(lambda text: "step 450/1200" in text and "step 600/1200" in text)
        terminal.press("3")
        terminal.wait_for("fingerprint")
        terminal.press("\x1b")
        terminal.wait_for("q leave, runs go on")
        terminal.wait_for("step 600/1200")
        board = _steady(terminal.text)
        terminal.press("q")
        assert terminal.wait_end() == 0
        assert "the runs go on; come back with 'lvmtui --workspace " in terminal.text
    with Terminal(["--workspace", str(root), "--read-only"]) as terminal:
        terminal.wait_for("step 600/1200")
        assert _steady(terminal.text) == board


def _steady(text: str) -> str:
    """The board without the machine's figures and the clock's."""
    lines = [line for line in text.splitlines()[1:-1] if "best now" not in line]
    return re.sub(r"\b(in )?\d+m\d+|\b\d+s\b|next|ends \d\d:\d\d", "T", "\n".join(lines))


def finished_below(text: str, title: str) -> bool:
    """True if the first run of the panel that begins with `title` has the glyph of a finished run."""
    lines = text.splitlines()
    row = next((number for number, line in enumerate(lines) if f"╭─ {title}" in line), len(lines) - 2)
    return "✓" in lines[row + 1][:14]


def test_the_board_goes_on_behind_help(root: Path) -> None:
    workspace = Workspace(root)
    campaign = CampaignReader(workspace, newest_campaign(workspace)).campaign
    with Terminal(["--workspace", str(root), "--read-only"]) as terminal:
        terminal.wait_for("4 of 10 finished")
        terminal.press("?")
        terminal.wait_for("Keys (esc closes)")
        bring_to(root, campaign, "transformer", "baseline", state="finished")
        terminal.wait_for(lambda text: "Keys (esc closes)" in text and finished_below(text, "Transfo"))
        terminal.press("\x1b")
        terminal.wait_for(lambda text: "Keys (esc closes)" not in text and "5 of 10 finished" in text)


def test_an_order_from_the_keyboard(root: Path) -> None:
    workspace = Workspace(root)
    with Terminal(["--workspace", str(root)], size=(80, 24)) as terminal:
        terminal.wait_for("epoch 13/24")
        terminal.press("x")
        terminal.wait_for("Cancel GRU 8k?")
        terminal.press("\r")
        terminal.wait_for(lambda text: "Cancel" not in text)
        terminal.press("X")
        terminal.wait_for("at once")
        terminal.press("y")
        terminal.wait_for("cancelling")
        terminal.press("q")
        assert terminal.wait_end() == 0
    campaign = CampaignReader(workspace, newest_campaign(workspace)).campaign
    intent = read_intent(workspace.run(planned_run(campaign, "gru", "baseline")).intent)
    assert (intent.want, intent.force) == ("cancel", True)


def test_the_report_is_exported(tmp_path: Path) -> None:
    end(tmp_path)
    with Terminal(["--workspace", str(tmp_path)], size=(100, 30), cwd=tmp_path) as terminal:
        terminal.wait_for("10 of 10 finished")
        terminal.press("v")
        terminal.wait_for("over the 4 of 5 models compared")
        terminal.press("e")
        terminal.wait_for("Export the report")
        terminal.press("\t")
        terminal.wait_for(".html")
        terminal.press("\t")
        terminal.wait_for(".json")
        terminal.press("\x15", "out.json", "\r")
        terminal.wait_for("report written to")
        terminal.press("e")
        terminal.wait_for("Export the report")
        terminal.press("\x15", "/dev/null/report.md")
        terminal.wait_for("the folder /dev/null is not there yet")
        terminal.press("\r")
        terminal.wait_for("cannot be made")
        terminal.press("\x15", "new/report.md", "\r")
        terminal.wait_for(lambda text: "Export the report" not in text and "report written to" in text)
        terminal.press("q")
        assert terminal.wait_end() == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["campaign"].startswith("8k_vs_23k")
    assert (tmp_path / "new/report.md").read_text().startswith("<!-- lvmtui campaign 8k_vs_23k")


def test_who_only_looks_exports_to_his_own_file(tmp_path: Path) -> None:
    end(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    own = tmp_path / "own.csv"
    with Terminal(["--workspace", str(tmp_path), "--read-only"], size=(100, 30)) as terminal:
        terminal.wait_for("10 of 10 finished")
        terminal.press("e")
        terminal.wait_for("Export the report")
        terminal.press("\x15", str(own), "\r")
        terminal.wait_for("report written to")
        terminal.press("q")
        assert terminal.wait_end() == 0
    assert own.read_text().startswith("kind,rank,model")
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path != own}
    assert {p: t for p, t in after.items() if p != tmp_path} == {p: t for p, t in before.items() if p != tmp_path}


def test_resizing_to_and_fro(root: Path) -> None:
    inherited = {"COLUMNS": "33", "LINES": "11"}
    with Terminal(["--workspace", str(root), "--read-only"], environment=inherited) as terminal:
        terminal.wait_for("╭─ LSTM")
        terminal.resize(80, 24)
        terminal.wait_for(lambda text: "model         arm" in text and "╭" not in text)
        terminal.resize(200, 60)
        terminal.wait_for(lambda text: "╭─ LSTM" in text and len(text.splitlines()) == 60)


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "LANG": "C"}, {"LVMTUI_GLYPHS": "ascii"}])
def test_without_utf8_only_ascii_leaves(root: Path, environment: dict[str, str]) -> None:
    with Terminal(["--workspace", str(root), "--read-only"], environment=environment) as terminal:
        terminal.wait_for("+ finished")
        terminal.wait_for("x collapsed")
        terminal.press("v")
        terminal.wait_for("rank")
        terminal.press("\t")
        terminal.wait_for("larger data set")
        terminal.press("\x10")
        terminal.wait_for("Search for commands")
        terminal.read(0.5)
        assert terminal.raw.isascii()


def test_no_color_means_none(root: Path) -> None:
    with Terminal(["--workspace", str(root), "--read-only"], environment={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("4 of 10 finished")
        terminal.press("v", "?")
        terminal.wait_for("Keys")
        colours = {
            code
            for found in re.findall(rb"\x1b\[([0-9;]+)m", bytes(terminal.raw))
            for code in found.split(b";")
            if int(code or 0) in {*range(30, 39), *range(40, 49), *range(90, 108)}
        }
        assert not colours


def test_only_the_terminals_own_sixteen_colours(root: Path) -> None:
    with Terminal(["--workspace", str(root), "--read-only"], environment={"COLORTERM": "truecolor"}) as terminal:
        terminal.wait_for("4 of 10 finished")
        terminal.press("v")
        terminal.wait_for("rank")
        assert b"[38;2" not in terminal.raw and b";38;2" not in terminal.raw and b"48;2;" not in terminal.raw
        assert b"38;5" not in terminal.raw
