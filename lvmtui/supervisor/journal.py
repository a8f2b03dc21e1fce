"""Writes `supervision.jsonl`. Lines that cannot be written now, as on a full disk, are kept and written later."""

from __future__ import annotations

from pathlib import Path

from lvmtui.formats.json_codec import encode_line
from lvmtui.formats.paths import RunDir
from lvmtui.formats.supervisor_log import Record
from lvmtui.system.files import DISK_FULL, append_line
from lvmtui.system.permissions import why_unwritable


class SupervisionJournal:
    """Records what the supervisor does to runs; the lines of each run keep their order."""

    def __init__(self) -> None:
        self._waiting: dict[Path, list[Record]] = {}
        self.disk_full = False
        """The last try to write found no room."""
        self._faults: dict[Path, str] = {}

    def write(self, folder: RunDir, record: Record) -> None:
        """Append to the run's log, now or as soon as it can be."""
        self._waiting.setdefault(folder.path, []).append(record)
        self._write_out(folder)

    def flush(self) -> None:
        """Try again to write the lines that are waiting."""
        for path in list(self._waiting):
            self._write_out(RunDir(path))
        if not self._waiting:
            self.disk_full = False

    def waiting(self, folder: RunDir) -> list[Record]:
        """Records that are not in the run's log yet; add them when folding the log."""
        return self._waiting.get(folder.path, [])

    def fault(self, folder: RunDir) -> str:
        """Why the run's log cannot be written now, in words; empty: it can."""
        return self._faults.get(folder.path, "")

    def _write_out(self, folder: RunDir) -> None:
        records = self._waiting[folder.path]
        try:
            while records:
                append_line(folder.supervision, encode_line(records[0]))
                del records[0]
        except (FileNotFoundError, NotADirectoryError):
            pass  # the folder is gone and has no use for its lines
        except OSError as error:
            self.disk_full = error.errno in DISK_FULL
            self._faults[folder.path] = f"{folder.supervision}: {why_unwritable(folder.supervision, error)}"
            return
        self._faults.pop(folder.path, None)
        del self._waiting[folder.path]
