"""The two logs of a run as lines people read. Training points are left out: the curves show them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

from lvmtui.event_sentences import Sentence, sentence_of
from lvmtui.formats.paths import RunDir
from lvmtui.formats.supervisor_log import Record, decode_record
from lvmtui.formats.trainer_log import Event, Unknown, decode_event
from lvmtui.state.tail import LogCursor


@dataclass(frozen=True)
class Happened:
    time: float
    """Seconds since 1970. A line that cannot be read has the time of the line before."""
    who: str
    """`trainer` or `supervisor`."""
    said: Sentence


class RunHistory:
    """Reads both logs of a run, and of a log that has grown only what is new."""

    def __init__(self, folder: RunDir, unit: str = "step") -> None:
        self._unit = unit
        self._cursors: dict[str, LogCursor[Event] | LogCursor[Record]] = {
            "trainer": LogCursor(folder.events, decode_event),
            "supervisor": LogCursor(folder.supervision, decode_record),
        }
        self._known: dict[str, list[Happened]] = {who: [] for who in self._cursors}

    def refresh(self) -> list[Happened]:
        """All that happened, the oldest first."""
        for who, cursor in self._cursors.items():
            happened, restarted = cursor.read()
            known = self._known[who] = [] if restarted else self._known[who]
            last = known[-1].time if known else 0.0
            for one in happened:
                sentence = sentence_of(one, self._unit)
                if sentence is not None:
                    last = last if isinstance(one, Unknown) else one.time
                    known.append(Happened(last, who, sentence))
        return sorted(chain(*self._known.values()), key=attrgetter("time"))
