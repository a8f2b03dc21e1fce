"""The program's own logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lvmtui.system import logging as own_logging
from lvmtui.system.logging import Faults, log_to


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
