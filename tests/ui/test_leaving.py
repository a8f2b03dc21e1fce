"""However the program goes, the terminal is clean, the runs are untouched, and it goes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest

from lvmtui.formats.paths import Workspace
from tests.factory import bring_to, make_campaign
from tests.ui.showcase import middle
from tests.ui.terminal import Terminal

CLEAN = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[?1004l")
"""The other screen left, the cursor shown, mouse, paste and focus reports off."""


ELSEWHERE = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setsid()
    os.execv(sys.argv[1], sys.argv[1:])
os.waitpid(child, 0)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    middle(tmp_path)
    return tmp_path


def started(root: Path, **options: object) -> Terminal:
    terminal = Terminal(["--workspace", str(root), "--read-only"], **options)  # type: ignore[arg-type]
    terminal.wait_for("4 of 10 finished")
    return terminal


@pytest.mark.parametrize("way", ["TERM", "HUP", "INT", "ctrl+c", "q", "q, and what is typed next"])
def test_the_terminal_is_clean_whatever_way_it_ends(root: Path, way: str) -> None:
    before = {path: path.read_bytes() for path in Workspace(root).models.rglob("intent.json")}
    with started(root) as terminal:
        settings = termios.tcgetattr(terminal.master)
        assert not settings[3] & termios.ECHO, "it has the terminal now"
        if pressed := {"q": "q", "ctrl+c": "\x03", "q, and what is typed next": "qcne"}.get(way):
            terminal.press(pressed)
        else:
            os.kill(terminal.pid, getattr(signal, f"SIG{way}"))
        began = time.monotonic()
        code = terminal.wait_end()
        assert time.monotonic() - began < 3
        assert code == (0 if pressed else 128 + getattr(signal, f"SIG{way}"))
        for sequence in CLEAN:
            assert bytes(terminal.raw).rfind(sequence) > bytes(terminal.raw).rfind(b"\x1b[?1049h")
        assert termios.tcgetattr(terminal.master)[3] & termios.ECHO
        assert "Traceback" not in terminal.text
    assert before == {path: path.read_bytes() for path in Workspace(root).models.rglob("intent.json")}


def test_where_nothing_can_be_drawn_one_line_says_so(root: Path) -> None:
    command = [sys.executable, "-P", "-m", "lvmtui", "--workspace", str(root)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "needs a terminal" in done.stderr and done.stderr.count("\n") == 1
    with Terminal(["--workspace", str(root)], environment={"TERM": "dumb"}) as terminal:
        assert terminal.wait_end() == 2
        assert "cannot be drawn on" in terminal.text


@pytest.mark.parametrize("ignored", [False, True], ids=["hangup", "hangup ignored"])
def test_a_terminal_that_vanishes_ends_the_program(root: Path, ignored: bool) -> None:
    """Also where no signal tells of it: in another session than the terminal's, and with SIGHUP ignored."""
    command = [sys.executable, "-P", "-m", "lvmtui", "--workspace", str(root), "--read-only"]
    if ignored:
        command = [sys.executable, "-c", ELSEWHERE, *command]
    with Terminal([], command=command) as terminal:
        terminal.wait_for("4 of 10 finished")
        os.close(terminal.master)
        terminal.master = -1
        until = time.monotonic() + 5
        while time.monotonic() < until:
            pid, _ = os.waitpid(terminal.pid, os.WNOHANG)
            if pid:
                terminal.pid = 0
                break
            time.sleep(0.02)
        assert terminal.pid == 0, "the program outlives its terminal"


def test_a_line_that_stands_still_does_not_grow_memory_and_can_be_ended(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path, models=("amn", "lstm", "gru"), total_steps=100_000)
    runs = [bring_to(tmp_path, campaign, m, "baseline", state="running", fraction=0.002) for m in campaign.models]
    with Terminal(["--workspace", str(tmp_path), "--read-only"]) as terminal:
        terminal.wait_for("0 of 6 finished")
        process = psutil.Process(terminal.pid)
        terminal.read(1)
        before = process.memory_info().rss
        for i in range(150):  # nobody reads what the program writes
            for run in runs:
                run.train(run.step + 60)
            os.write(terminal.master, b"jv\x1b" if i % 2 else b"k")
            time.sleep(0.02)
        assert process.memory_info().rss - before < 15e6
        os.kill(terminal.pid, signal.SIGTERM)
        until = time.monotonic() + 5
        while time.monotonic() < until and not (ended := os.waitpid(terminal.pid, os.WNOHANG)[0]):
            time.sleep(0.02)
        assert ended
        terminal.pid = 0
