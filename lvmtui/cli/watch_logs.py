"""`lvmtui watch FOLDER...`: logs of runs that lvmtui did not start, as rows. It only reads them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from lvmtui.cli.shared import ExitCode, pattern_reader
from lvmtui.formats.patterns import LineReading, Patterns
from lvmtui.state.tail import LogCursor
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.text import aligned, sanitise

EPOCH, STEP = r"epoch\D{0,4}(?P<epoch>\d+(?:\.\d+)?)", r"step\D{0,4}(?P<step>\d+)"
IS = r"\W{1,3}?"  # as few as do, so that the sign and the dot of `.4123` and `-0.02` stay with the number
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?"
USUAL = (
    rf"(?i)(?:{EPOCH}|{STEP}).*?val\w*[ _]cos\w*{IS}(?P<cosine>{NUMBER})",
    rf"(?i)(?:{EPOCH}|{STEP}).*?val\w*[ _]loss{IS}(?P<val_loss>{NUMBER})",
    rf"(?i){STEP}.*?\bloss{IS}(?P<loss>{NUMBER})",
)
"""Patterns that are tried where none is given: what many scripts print."""
ENDINGS = (".log", ".txt", ".out", ".err")
"""Files that are taken for logs."""
MOST_FILES = 500
MOST_READ = 64 << 20
"""Bytes of one log that are read in one look; the rest follows in the next."""
INTERVAL = 1.0
QUIET = 300.0
"""Seconds without a line after which a log is called quiet."""
READ_ONLY = "logs are only read here: nothing can be paused or cancelled"


@dataclass(frozen=True)
class LogFacts:
    """What a log says, as far as it was read."""

    name: str
    step: int | None = None
    epoch: float | None = None
    cosine: float | None = None
    best: float | None = None
    loss: float | None = None
    changed: float = 0.0
    """Seconds since 1970."""
    lines: int = 0
    """Lines in which a pattern was found."""

    def after(self, reading: LineReading) -> LogFacts:
        """With one more line."""
        figures: dict[str, Any] = {
            "step": reading.step,
            "epoch": reading.epoch,
            "cosine": reading.cosine,
            "loss": reading.train_loss if reading.loss is None else reading.loss,
        }
        known = [value for value in (self.best, reading.cosine) if value is not None and isfinite(value)]
        news = {name: value for name, value in figures.items() if value is not None}
        return replace(self, **news, best=max(known, default=None), lines=self.lines + 1)


class WatchedLog:
    def __init__(self, path: Path, name: str, patterns: Patterns) -> None:
        self._cursor = LogCursor(path, patterns.read, most=MOST_READ)
        self.facts = LogFacts(name)

    def look(self) -> None:
        """Read what is new; a file that was replaced or cut from its start. A log that has gone keeps its row."""
        try:
            changed = self._cursor.path.stat().st_mtime
        except OSError:
            return
        readings, replaced = self._cursor.read()
        facts = LogFacts(self.facts.name) if replaced else self.facts
        for reading in readings:
            facts = facts.after(reading) if reading else facts
        self.facts = replace(facts, changed=changed)


class Watch:
    def __init__(self, places: Sequence[Path], patterns: Sequence[str]) -> None:
        """Raises UserError for a place that is not there, or a pattern that is none."""
        for place in places:
            if not place.exists():
                raise UserError(f"{place}: no such file or folder; name a folder with logs")
        self._places = places
        self._patterns = pattern_reader(patterns or USUAL)
        self._logs: dict[Path, WatchedLog] = {}

    def look(self) -> list[LogFacts]:
        """What the logs say now, those that say something, the one that changed last first."""
        for path, name in islice(self._found(), MOST_FILES):
            if path not in self._logs:
                self._logs[path] = WatchedLog(path, name, self._patterns)
            self._logs[path].look()
        return sorted((log.facts for log in self._logs.values() if log.facts.lines), key=lambda f: -f.changed)

    def _found(self) -> Iterator[tuple[Path, str]]:
        """The logs by the path in their folder, of several places by their whole path, so that no two look alike."""
        for place in self._places:
            above = place.parent if place.is_file() else place
            inside = (p for p in place.rglob("*") if p.suffix in ENDINGS and p.is_file())
            logs = [place] if place.is_file() else sorted(inside)
            yield from ((path, str(path.relative_to(above) if len(self._places) == 1 else path)) for path in logs)


def log_table(logs: Sequence[LogFacts], now: float) -> list[str]:
    """The logs as lines of a table. Pure."""
    rows = [("log", "epoch", "step", "cosine", "best", "loss", "changed")]
    for log in logs:
        quiet = now - log.changed > QUIET
        rows.append(
            (
                sanitise(log.name, 60),
                f"{log.epoch:g}" if log.epoch is not None else "",
                f"{log.step:,}" if log.step is not None else "",
                words.cosine(log.cosine) if log.cosine is not None else "",
                words.cosine(log.best) if log.best is not None else "",
                f"{log.loss:.5g}" if log.loss is not None else "",
                f"{words.duration(max(0.0, now - log.changed))} ago" + (", quiet" if quiet else ""),
            )
        )
    return aligned(rows, right=range(1, 6))


def watch(given: argparse.Namespace) -> int:
    """Show the table, again and again on a terminal."""
    seen = Watch([Path(place) for place in given.places], given.pattern or [])
    if given.once or not sys.stdout.isatty():
        logs = seen.look()
        print("\n".join([*log_table(logs, time.time()), READ_ONLY]))
        if logs:
            return ExitCode.OK
        print("no line of any log is understood; give --pattern, see 'lvmtui trainer test'", file=sys.stderr)
        return ExitCode.RUNS_FAILED
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            lines = [*log_table(seen.look(), time.time()), READ_ONLY]
            live.update(Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in lines)), refresh=True)
            time.sleep(INTERVAL)
