"""What happened to a run, one sentence an event: for the logs people read, the screen and `lvmtui attach`. Pure.

Text that came from files is made harmless here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvmtui.formats import trainer_log
from lvmtui.formats.supervisor_log import Adopted, GaveUp, Launched, Lost, Record, Signalled, Stopped
from lvmtui.formats.trainer_log import Event, Unknown
from lvmtui.state.status import left_words
from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise

MOST_NUMBERS = 6
"""Process or job numbers that are listed."""


@dataclass(frozen=True)
class Sentence:
    words: str
    style: str = ""
    """A name from `ui/draw/styles.py`."""
    detail: bool = False
    """True: only the screen shows it. Logs and `attach` leave it out."""


def sentence_of(event: Event | Record, unit: str = "step") -> Sentence | None:  # noqa: C901, PLR0912 - one case each
    """The sentence for an event or a supervisor's record; None for a point of the curve. `unit`: see `RunSpec.unit`."""
    match event:
        case Unknown():
            return Sentence(f"a line that cannot be read ({sanitise(event.reason, 80)})", "note", detail=True)
        case trainer_log.Trained():
            return None
        case trainer_log.Started():
            return _started(event, unit)
        case trainer_log.Evaluated():
            return Sentence(_evaluated(event, unit))
        case trainer_log.CheckpointSaved():
            text = f"checkpoint of {unit} {event.step:,}: {words.size(event.bytes)} in {event.seconds:.1f} s"
            return Sentence(text, "dim", detail=True)
        case trainer_log.Paused():
            return Sentence(f"paused at {unit} {event.step:,}", "waiting")
        case trainer_log.Interrupted():
            why = sanitise(left_words(event), 80).removeprefix("left")
            return Sentence(f"left at {unit} {event.step:,}{why}", "waiting")
        case trainer_log.Cancelled():
            return Sentence(f"cancelled at {unit} {event.step:,}", "waiting")
        case trainer_log.Failed():
            reason = event.reason.replace("_", " ")
            return Sentence(f"failed at {unit} {event.step:,} ({reason}): {sanitise(event.message, 400)}", "alarm")
        case trainer_log.Finished():
            return Sentence(_finished(event, unit), "done")
        case Launched():
            where = f", CUDA device {sanitise(event.devices, 20)}" if event.devices else ""
            return Sentence(f"launched {sanitise(event.process.words, 60)}{where}")
        case Adopted():
            return Sentence(f"found {sanitise(event.process.words, 60)} running")
        case Signalled():
            return Sentence(_signalled(event), "waiting")
        case Lost():
            which = sanitise(event.process.words, 60) if event.process else "its process"
            return Sentence(f"lost {which}: {sanitise(event.reason, 200)}", "alarm")
        case Stopped():
            what = sanitise(event.what, 12)
            killed = words.numbered(event.killed[:MOST_NUMBERS], what)
            forced = f"; {killed} had to be killed" if event.killed else ""
            return Sentence(f"cancelled, no {what} is left{forced}", "waiting")
        case GaveUp():
            return Sentence(f"not tried again: {sanitise(event.reason, 300)}", "alarm")


def _started(event: trainer_log.Started, unit: str) -> Sentence:
    if not event.process.pid:  # an imported history: nothing ran here
        return Sentence("another program's history begins")
    from_file = f" ({sanitise(event.checkpoint, 80)})" if event.checkpoint else ""
    place = f"{unit} {event.resumed_from:,}{from_file}" if event.resumed_from else f"the first {unit}"
    where = f"process {event.process.pid} on {sanitise(event.process.host, 60)}, {sanitise(event.device, 40)}"
    text = f"started from {place}, {where}"
    if not event.passed_over:
        return Sentence(text)
    return Sentence(f"{text}; damaged and not used: {sanitise(', '.join(event.passed_over), 120)}", "note")


def _evaluated(event: trainer_log.Evaluated, unit: str) -> str:
    step = f"step {event.step:,}"
    where = event.where if unit == "epoch" or event.where == step else f"epoch {event.epoch:.1f}, {step}"
    return (
        f"{where}: validation cosine {words.cosine(event.cosine)}, "
        f"loss {words.cosine(event.loss, 5)}, training cosine {words.cosine(event.train_cosine)}"
        + (", best so far" if event.best else "")
    )


def _finished(event: trainer_log.Finished, unit: str) -> str:
    early = ", early" if event.stopped_early else ""
    held = f": held-out cosine {words.cosine(event.heldout.cosine)} (plain mean)" if event.heldout.windows else ""
    best = f", best {event.best_where}" if held else ""
    return f"finished at {unit} {event.step:,}{early} after {words.duration(event.active)} of kept work{held}{best}"


def _signalled(record: Signalled) -> str:
    """Who got the signal, why, and who could not be given it."""
    signal, reason = sanitise(record.signal, 12), sanitise(record.reason, 120)
    refused = f"{signal} could not be sent to {sanitise(record.refused, 200)}" if record.refused else ""
    if not record.pids:
        return f"{refused} ({reason})"
    sent = f"sent {signal} to {words.numbered(record.pids[:MOST_NUMBERS], sanitise(record.what, 12))}: {reason}"
    return f"{sent}; {refused}" if refused else sent
