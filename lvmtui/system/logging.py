"""The program's own logs: `logs/supervisor.log` and `logs/screen.log`, with the tracebacks that people see as one line.

Nothing is written to a terminal. A log that cannot be written is left out: it must not stop the program it belongs to.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

LARGEST = 1 << 20
"""Bytes of a log file; a full one is kept as `.1`, the one before it as `.2`."""
KEPT = 2


class _QuietHandler(RotatingFileHandler):
    """Opens its file with the first record, and drops what cannot be written."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def doRollover(self) -> None:
        """Start a new file, also for what this process and its libraries print into the old one."""
        printing = [number for number in _PRINTED if _is_same_file(number, self.baseFilename)]
        super().doRollover()
        if printing:
            with open(self.baseFilename, "ab") as log:
                for number in printing:
                    os.dup2(log.fileno(), number)

    def handleError(self, record: logging.LogRecord) -> None:
        """The disk is full, or the folder cannot be written."""


_PRINTED = (1, 2)
"""Standard output and error: a supervisor has both in its log from its start, for faults that Python itself prints."""


def _is_same_file(descriptor: int, path: str) -> bool:
    """True if the open descriptor writes into the file at `path`."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def log_to(path: Path | None) -> None:
    """Write the program's log records to `path` from now on, and nowhere else; None: drop them."""
    logger = logging.getLogger("lvmtui")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with suppress(OSError):  # what it could not write is lost already
            handler.close()
    if path is None:
        logger.addHandler(logging.NullHandler())
        return
    handler = _QuietHandler(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", errors="replace", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class Faults:
    """Logs each fault with its traceback once, however often it happens in a row."""

    def __init__(self) -> None:
        self._last = ""

    def log(self, what: str, error: BaseException) -> None:
        """`what`: the place where it happened, in words."""
        text = f"{what}: {type(error).__name__}: {error}"
        if text != self._last:
            self._last = text
            logging.getLogger("lvmtui").error(text, exc_info=error)
