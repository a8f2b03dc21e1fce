"""The two logs of a run as lines people read. Training points are left out: the curves show them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from lvmtui.event_sentences import sentence_of
from lvmtui.formats.paths import RunDir
from lvmtui.formats.supervisor_log import decode_record
from lvmtui.formats.trainer_log import (
    Unknown,
    decode_event,
)
from lvmtui.state.run_reader import Signature, signature
from lvmtui.state.tail import Position, read_lines


@dataclass(frozen=True)
class Happening:
    """One line of what happened."""

    time: float
    """Seconds since 1970. A line that cannot be read has the time of the line before."""
    who: str
    """`trainer` or `supervisor`."""
    words: str
    style: str = ""


@dataclass
class History:
    """Reads both logs of a run, and of a log that has grown only what is new."""

    folder: RunDir
    _seen: tuple[Signature, Signature] | None = None
    _trainer: tuple[Position, tuple[Happening, ...]] = (Position(), ())
    _supervisor: tuple[Position, tuple[Happening, ...]] = (Position(), ())

    def refresh(self) -> tuple[Happening, ...]:
        """All that happened, the oldest first."""
        seen = signature(self.folder.events), signature(self.folder.supervision)
        if seen != self._seen:
            self._seen = seen
            self._trainer = _read(self.folder.events, *self._trainer, who="trainer")
            self._supervisor = _read(self.folder.supervision, *self._supervisor, who="supervisor")
        return tuple(sorted((*self._trainer[1], *self._supervisor[1]), key=attrgetter("time")))


def _read(
    path: Path, position: Position, known: tuple[Happening, ...], *, who: str
) -> tuple[Position, tuple[Happening, ...]]:
    lines, after = read_lines(path, position)
    if after.inode != position.inode or after.offset < position.offset:  # another file, or a shorter one
        known = ()
    last = known[-1].time if known else 0.0
    found = []
    for line in lines:
        happened = decode_event(line) if who == "trainer" else decode_record(line)
        sentence = sentence_of(happened)
        if sentence is not None:
            last = last if isinstance(happened, Unknown) else happened.time
            found.append(Happening(last, who, sentence.words, sentence.style))
    return after, (*known, *found)
