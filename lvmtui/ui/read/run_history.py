"""The two logs of a run as lines people read. Training points are left out: the curves show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvmtui.formats.paths import RunDir
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped, decode_record
from lvmtui.formats.trainer_log import (
    Cancelled,
    CheckpointSaved,
    Evaluated,
    Event,
    Failed,
    Finished,
    Interrupted,
    Paused,
    Started,
    Trained,
    Unknown,
    decode_event,
)
from lvmtui.state.run_reader import Signature, signature
from lvmtui.state.tail import Position, read_lines
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise


@dataclass(frozen=True)
class Happening:
    """One line of what happened."""

    time: float
    who: str
    """`trainer` or `supervisor`."""
    words: str
    style: str = ""


@dataclass
class Happenings:
    """Reads both logs of a run; a log that has grown is read on, another run's from its start."""

    folder: RunDir
    _seen: tuple[Signature, Signature] | None = None
    _trainer: tuple[Position, tuple[Happening, ...]] = (Position(), ())
    _supervisor: tuple[Position, tuple[Happening, ...]] = (Position(), ())

    def refresh(self) -> tuple[Happening, ...]:
        """All that happened, in the order of time."""
        seen = signature(self.folder.events), signature(self.folder.supervision)
        if seen != self._seen:
            self._seen = seen
            self._trainer = _read(self.folder.events, *self._trainer, is_trainer=True)
            self._supervisor = _read(self.folder.supervision, *self._supervisor, is_trainer=False)
        return tuple(sorted((*self._trainer[1], *self._supervisor[1]), key=lambda one: one.time))


def _read(
    path: Path, position: Position, known: tuple[Happening, ...], *, is_trainer: bool
) -> tuple[Position, tuple[Happening, ...]]:
    lines, after = read_lines(path, position)
    if after.inode != position.inode or after.offset < position.offset:
        known = ()
    last = known[-1].time if known else 0.0
    found = []
    for line in lines:
        happening = event_words(decode_event(line), last) if is_trainer else record_words(decode_record(line), last)
        if happening is not None:
            found.append(happening)
            last = happening.time
    return after, (*known, *found)


def event_words(event: Event, last: float = 0.0) -> Happening | None:  # noqa: C901  one case for each event
    """What the trainer said; None for a training point. `last` dates a line that has no time of its own."""
    match event:
        case Trained():
            return None
        case Unknown():
            return Happening(last, "trainer", f"a line that cannot be read ({sanitise(event.reason, 80)})", "note")
        case Started():
            text = f"resumed from step {event.resumed_from:,}" if event.resumed_from else "started from the beginning"
            text += (
                f" on {sanitise(event.device, 40)}, process {event.process.pid} on {sanitise(event.process.host, 60)}"
            )
            if event.passed_over:
                text += f"; damaged and passed over: {sanitise(', '.join(event.passed_over), 120)}"
            if not event.process.pid:  # an imported history: nobody here ran it
                text = "another program's history begins"
            style = "note" if event.passed_over else ""
        case Evaluated():
            text = f"epoch {event.epoch:.1f}: validation cosine {words.cosine(event.cosine)}"
            text += f", training {words.cosine(event.train_cosine)}, margin {words.cosine(event.margin, 3)}"
            text += f", spread {words.cosine(event.spread, 3)}" + ("  best so far" if event.best else "")
            style = ""
        case CheckpointSaved():
            text = f"checkpoint of step {event.step:,}: {words.size(event.bytes)} in {event.seconds:.1f} s"
            style = "dim"
        case Paused():
            text, style = f"paused at step {event.step:,}", "waiting"
        case Interrupted():
            text, style = f"left at step {event.step:,} on {sanitise(event.signal, 20)}, after a checkpoint", "waiting"
        case Cancelled():
            text, style = f"cancelled at step {event.step:,}", "waiting"
        case Failed():
            text = f"failed at step {event.step:,} ({event.reason.replace('_', ' ')}): {sanitise(event.message, 400)}"
            style = "alarm"
        case Finished():
            early = ", early" if event.stopped_early else ""
            held = f": held-out cosine {words.cosine(event.heldout.cosine)}" if event.heldout.windows else ""
            text = f"finished at step {event.step:,}{early}{held}"
            style = "done"
    return Happening(event.time, "trainer", text, style)


def record_words(record: Record, last: float = 0.0) -> Happening | None:
    """What the supervisor did."""
    match record:
        case Unknown():
            return Happening(last, "supervisor", f"a line that cannot be read ({sanitise(record.reason, 80)})", "note")
        case Launched():
            text = f"launched {sanitise(record.process.words, 60)} ({sanitise(record.engine, 20)})"
            text += f" with GPU {sanitise(record.devices, 20)}" if record.devices else ""
            style = ""
        case Adopted():
            text, style = f"found {sanitise(record.process.words, 60)} running, and looks after it", ""
        case Signalled():
            pids = ", ".join(map(str, record.pids[:6]))
            to = f"{sanitise(record.what, 12)} {pids}" if record.what != "process" else pids
            text = f"sent {sanitise(record.signal, 12)} to {to}: {sanitise(record.reason, 120)}"
            style = "waiting"
        case Lost():
            text, style = f"its process is gone: {sanitise(record.reason, 200)}", "alarm"
        case Stopped():
            what = sanitise(record.what, 12)
            killed = f"; {words.numbered(record.killed[:6], what)} had to be killed" if record.killed else ""
            text, style = f"cancelled, no {what} is left{killed}", "waiting"
        case GaveUp():
            text, style = f"not tried again: {sanitise(record.reason, 300)}", "alarm"
    return Happening(record.time, "supervisor", text, style)
