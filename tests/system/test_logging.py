"""The program's own logs."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from lvmtui.system import logging as own_logging
from lvmtui.system.logging import Faults, log_to
from lvmtui.system.programs import spawn


def fail(words: str) -> ZeroDivisionError:
    try:
        raise ZeroDivisionError(words)
    except ZeroDivisionError as error:
        return error


def test_a_fault_is_logged_with_its_traceback_once_in_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to(tmp_path / "logs" / "screen.log")
    faults = Faults()
    for words in ("one", "one", "two", "one"):
        faults.log("drawing failed", fail(words))
    text = (tmp_path / "logs" / "screen.log").read_text()
    assert text.count("drawing failed: ZeroDivisionError: one") == 2 and text.count("Traceback") == 3
    assert capsys.readouterr() == ("", "")


def test_a_full_log_is_kept_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_logging, "LARGEST", 1000)
    log_to(tmp_path / "supervisor.log")
    for number in range(100):
        logging.getLogger("lvmtui").info("line %d", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["supervisor.log", "supervisor.log.1", "supervisor.log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert "line 99" in (tmp_path / "supervisor.log").read_text()


@pytest.mark.parametrize("path", ["/dev/full", "/proc/none/screen.log", None])
def test_a_log_that_cannot_be_written_harms_nobody(path: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    log_to(Path(path) if path else None)
    logging.getLogger("lvmtui").error("nobody reads this")
    assert capsys.readouterr() == ("", "")


PRINTS = """
import logging, os, sys
from pathlib import Path
from lvmtui.system import logging as own
own.LARGEST = 1000
own.log_to(Path(sys.argv[1]))
for number in range(100):
    logging.getLogger("lvmtui").info("line %d", number)
    os.write(1 + number % 2, b"printed %d\\n" % number)
"""


def test_what_is_printed_follows_the_log_into_its_new_file(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    assert spawn((sys.executable, "-c", PRINTS, str(log)), output=log, environment=os.environ).wait() == 0
    lines = log.read_text().splitlines()
    assert "printed 98" in lines and "printed 99" in lines
    assert not any("printed 99" in path.read_text() for path in tmp_path.glob("*.log.*"))


def test_output_that_goes_elsewhere_stays_there(tmp_path: Path) -> None:
    output, log = tmp_path / "output", tmp_path / "supervisor.log"
    assert spawn((sys.executable, "-c", PRINTS, str(log)), output=output, environment=os.environ).wait() == 0
    assert output.read_text().splitlines() == [f"printed {number}" for number in range(100)]
    assert "printed" not in log.read_text()
