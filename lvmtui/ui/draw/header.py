"""The first lines of the board: how far, how long, who leads, what is wrong; and the last one, the keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui.estimate.eta import Eta
from lvmtui.state.status import Phase
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Hit, Line, Piece, fit, spread, width_of, wrapped
from lvmtui.ui.read.machine import MachineFigures
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot
from lvmtui.verdict.words import Word

WIDE = 100
"""Columns from which words are written out."""


def header(snapshot: Snapshot, width: int, *, read_only: bool = False) -> Line:
    """Campaign, runs done, time left with its range, end; at the right the machine, which gives way first."""
    name: list[Piece] = [(" ", ""), (snapshot.title, "heading"), ("   ", "")]
    if read_only:
        name += [("read-only", "note"), ("   ", "")]
    name += [(f"{snapshot.done} of {len(snapshot.runs)} done", ""), ("   ", "")]
    for wide in (True, False) if width >= WIDE else (False,):
        start = [*name, *_time_left(snapshot, wide=wide)]
        machine = _machine(snapshot.machine, wide=wide)
        if width_of(start) + width_of(machine) <= width:
            return spread(start, machine, width)
    return fit(start, width)


def _time_left(snapshot: Snapshot, *, wide: bool) -> list[Piece]:
    if snapshot.settled:
        paused = sum(run.phase is Phase.PAUSED for run in snapshot.runs)
        return [(f"{words.plural(paused, 'run')} paused", "waiting")] if paused else [("all over", "done")]
    eta = snapshot.eta.eta
    if eta is None:
        return [("calibrating" + glyphs.ELLIPSIS, "dim")]
    form = words.duration if wide else words.short_duration
    pieces: list[Piece] = [(f"{form(eta.seconds)} left", "bold"), (f" ({range_words(eta)})", "dim")]
    return [*pieces, (f"   ends {words.clock(snapshot.eta.ends)}", "")]


def range_words(eta: Eta) -> str:
    """`5 to 8 m`, `40 s to 2 m`: a range needs no more digits than it is sure of."""
    low, high = _coarse(eta.low), _coarse(eta.high)
    unit = high.rpartition(" ")[2]
    return f"{low.removesuffix(' ' + unit)} to {high}" if low != high else f"about {high}"


def _coarse(seconds: float) -> str:
    for limit, unit, length in ((90, "s", 1), (90 * 60, "m", 60), (48 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / length
            return f"{value:.1f} {unit}" if unit == "h" and value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"


def _machine(machine: MachineFigures | None, *, wide: bool) -> list[Piece]:
    if machine is None:
        return []
    gigabyte = 2**30
    pieces: list[Piece] = [(" cpu ", "dim"), (f"{machine.cpu:3.0f} %", "")]
    if wide:
        pieces += [("  mem ", "dim"), (f"{machine.used / gigabyte:.1f} of {machine.total / gigabyte:.0f} G", "")]
    if machine.gpus:
        pieces.append((f"  {len(machine.gpus)} gpus" if len(machine.gpus) > 1 else "  gpu", "dim"))
        uses = [gpu.use for gpu in machine.gpus if gpu.use is not None]
        if uses:
            pieces.append((f" {sum(uses) / len(uses):3.0f} %", ""))
        sizes = [(gpu.used, gpu.total) for gpu in machine.gpus if gpu.used is not None and gpu.total is not None]
        if sizes and (wide or not uses):
            used, total = (sum(part) / gigabyte for part in zip(*sizes, strict=True))
            pieces.append((f" {used:.1f} of {total:.0f} G", ""))
    return [*pieces, (" ", "")]


def summary(snapshot: Snapshot, width: int) -> list[Line]:
    """The answer once there is one; who leads, who gains, what to watch; only where there is something to say."""
    lines: list[Line] = []
    if snapshot.settled and snapshot.table.ranked:
        lines.extend(((part, "bold"),) for part in wrapped(snapshot.answer, width))
        lines += [(("v", "key"), (" shows the verdict", "dim")), ()]
    lines.extend(best_now(snapshot))
    gains = [row for row in snapshot.table.rows if row.change is not None]
    if gains:
        gains.sort(key=lambda row: -(row.change or 0.0))
        pieces: list[Piece] = [("gains     ", "dim")]
        for row in gains:
            style = "dim" if row.rank is None else change_style(row.change)
            so_far = " so far" if row.verdict.word is Word.PROVISIONAL else ""
            one: list[Piece] = [(f"{row.title} ", ""), (words.percent(row.change, 1) + so_far, style), ("  ", "")]
            if len(pieces) > 1 and width_of(pieces) + width_of(one) - 2 > width:
                lines.append(tuple(pieces[:-1]))
                pieces = [("          ", "")]
            pieces.extend(one)
        lines.append(tuple(pieces[:-1]))
    lines.extend(alarms(snapshot))
    return lines


def best_now(snapshot: Snapshot) -> list[Line]:
    """The run that leads: on the held-out windows, which are the same for all; before, on validation windows."""
    sound = [run for run in snapshot.runs if not run.alarms]
    held = [(run.heldout, run, "held-out") for run in sound if run.heldout is not None]
    scored = held or [(run.best, run, "validation") for run in sound if run.best is not None]
    if not scored:
        return []
    best, run, where = max(scored, key=lambda one: one[0])
    name = (f"{run.title} {run.label} ", "")
    return [(("best now  ", "dim"), name, (words.cosine(best), "bold"), (f" {where}", "dim"))]


def alarms(snapshot: Snapshot, *, without: str = "") -> list[Line]:
    """What needs a person, most urgent first; `without`: the run of which it is told elsewhere."""
    lines: list[Line] = []
    if not snapshot.supervised:
        lines.append((("watch     ", "dim"), ("no supervisor: queue stands", "alarm")))
    for run in snapshot.runs:
        if run.name != without and (trouble := _short_trouble(run)):
            lines.append((("watch     ", "dim"), (f"{run.title} {run.label} ", ""), (trouble, "alarm")))
    lines.extend((("note      ", "dim"), (note, "note")) for note in snapshot.notes)
    return lines


def _short_trouble(run: RunFacts) -> str:
    """One word or two; the panel has the sentence."""
    if run.alarms:
        return run.alarms[0].label
    if run.phase in (Phase.FAILED, Phase.DIVERGED, Phase.STALLED, Phase.NO_SPACE, Phase.UNKNOWN):
        return run.word
    return ""


def change_style(change: float | None) -> str:
    """Better or worse, of a change in percent."""
    return "" if change is None or change == 0 else "better" if change > 0 else "worse"


Key = tuple[str, str, str]
"""Key, what it does, and the action a click on it runs."""


def order_keys(run: RunFacts | None, *, read_only: bool) -> tuple[Key, ...]:
    """The orders that make sense for a run as it is; the others' keys say why they do not."""
    if run is None or read_only:
        return ()
    cancel, retry = ("x", "cancel", "cancel"), ("r", "retry", "retry")
    match run.phase:
        case Phase.QUEUED | Phase.STARTING | Phase.RUNNING | Phase.STALLED | Phase.INTERRUPTED:
            return (("p", "pause", "pause"), cancel)
        case Phase.PAUSED | Phase.PAUSING:
            return (("p", "resume", "pause"), cancel)
        case Phase.CANCELLING:
            return (("X", "cancel at once", "force"),)
        case Phase.NO_SPACE:
            return (cancel,)
        case Phase.FAILED | Phase.DIVERGED | Phase.CANCELLED:
            return (retry,)
        case _:
            return ()


def keys(shown: Sequence[Key], end: Key, width: int) -> tuple[Line, list[Hit]]:
    """The last line: as many keys as fit, in their order, and at the right the way out."""
    tail: list[Piece] = [(f"{end[0]} ", "key"), (f"{end[1]} ", "dim")]
    room = width - width_of(tail) - 1
    pieces: list[Piece] = [(" ", "")]
    hits: list[Hit] = []
    for key, does, action in shown:
        one: list[Piece] = [(f"{key} ", "key"), (f"{does}  ", "dim")]
        if width_of(pieces) + width_of(one) - 2 > room:
            break
        hits.append(Hit(width_of(pieces), 0, width_of(one) - 2, 1, action))
        pieces.extend(one)
    pieces[-1] = (pieces[-1][0].rstrip(), pieces[-1][1])
    hits.append(Hit(width - width_of(tail), 0, width_of(tail), 1, end[2]))
    return spread(fit(pieces, max(0, width - width_of(tail))), tail, width), hits
