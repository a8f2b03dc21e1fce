"""The two logs of a run as lines people read. Training points are left out: the curves show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter

from lvmtui.event_sentences import sentence_of
from lvmtui.formats.paths import RunDir
from lvmtui.formats.supervisor_log import Record, decode_record
from lvmtui.formats.trainer_log import Event, Unknown, decode_event
from lvmtui.state.tail import LogCursor


@dataclass(frozen=True)
class HistoryLine:
    time: float
    """Seconds since 1970. A line that cannot be read has the time of the line before."""
    who: str
    """`trainer` or `supervisor`."""
    words: str
    style: str = ""


class RunHistory:
    """Reads both logs of a run, and of a log that has grown only what is new."""

    def __init__(self, folder: RunDir) -> None:
        self._trainer = _Side("trainer", LogCursor(folder.events, decode_event))
        self._supervisor = _Side("supervisor", LogCursor(folder.supervision, decode_record))

    def refresh(self) -> list[HistoryLine]:
        """All that happened, the oldest first."""
        return sorted((*self._trainer.read(), *self._supervisor.read()), key=attrgetter("time"))


@dataclass
class _Side:
    """What one of the two logs says."""

    who: str
    cursor: LogCursor[Event] | LogCursor[Record]
    known: list[HistoryLine] = field(default_factory=list)

    def read(self) -> list[HistoryLine]:
        """All of it, the newest lines among it."""
        happened, restarted = self.cursor.read()
        if restarted:
            self.known = []
        last = self.known[-1].time if self.known else 0.0
        for one in happened:
            sentence = sentence_of(one)
            if sentence is not None:
                last = last if isinstance(one, Unknown) else one.time
                self.known.append(HistoryLine(last, self.who, sentence.words, sentence.style))
        return self.known
