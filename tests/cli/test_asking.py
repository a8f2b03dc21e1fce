"""Before training that can tell nothing a person is asked; a script is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from tests.trainers.tiny import write_walk
from tests.ui.terminal import Terminal


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A campaign whose verdict is about three articles."""
    write_walk(tmp_path / "large.npz", 40)
    write_walk(tmp_path / "small.npz", 16)
    files = ["--baseline", str(tmp_path / "small.npz"), "--expanded", str(tmp_path / "large.npz")]
    small = ["--models", "amn", "--batch-size", "32", "--labels", "small", "large", "--epochs", "1"]
    return ["run", *files, *small, "--judge-on", "own", "--detach", "--workspace", str(tmp_path)]


def test_on_a_terminal_no_starts_nothing(tmp_path: Path, command: list[str]) -> None:
    with Terminal(command) as terminal:
        terminal.wait_for("Train all the same? [y/N]")
        assert "can detect nothing: 3 held-out articles are too few" in terminal.text
        terminal.press("\r")
        terminal.wait_for("nothing was started; fix that, or give --yes")
        assert terminal.wait_end() == 2
    assert Workspace(tmp_path).campaign_dirs() == []


def test_a_fault_takes_the_place_of_the_progress_line(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "mine.py").write_text("class Mine: ...\n")
    with Terminal([*command, "--models", f"{tmp_path}/mine.py:Other"]) as terminal:
        terminal.wait_for("the class or function 'Other' is not known")
        assert terminal.wait_end() == 2
        lines = [line for line in terminal.text.splitlines() if "mine.py" in line or "Other" in line]
    assert lines[0].startswith("lvmtui: --models: "), lines


def test_where_nobody_can_answer_it_is_said_and_training_goes_on() -> None:
    ask = "from lvmtui.cli.start import _ask_whether_to_train as ask; ask(['it can tell nothing']); print('goes on')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", ask], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("goes on\n", "lvmtui: it can tell nothing\n")
