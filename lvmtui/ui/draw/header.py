"""The top of the board: the answer, what is wrong and the key that helps, how far the campaign is. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from lvmtui import orders
from lvmtui.estimate.eta import Eta
from lvmtui.state.status import PHASES, Phase
from lvmtui.system import numbers as words
from lvmtui.ui.draw import glyphs
from lvmtui.ui.draw.lines import Line, Piece, cut, fitting, spread, wrapped
from lvmtui.ui.read.run_facts import RunFacts
from lvmtui.ui.read.snapshot import Snapshot


def banner(said: str, snapshot: Snapshot, width: int, most: int, *, read_only: bool = False) -> list[Line]:
    """The answer with its doubt, at the right how far the campaign is; at most `most` lines over the whole width."""
    parts = wrapped(said, max(10, width - 2), most)
    forms = _progress(snapshot, read_only)
    room = width - cell_len(parts[-1]) - 4
    if len(parts) < most and cell_len(forms[-3]) > room:
        parts.append("")
        room = width - 3
    end = fitting((*forms, ""), room)
    ends: list[Piece] = [(f"{end} ", "banner")] if end else []
    return [
        spread([(f" {part}", "banner")], ends if i == len(parts) - 1 else [], width, fill="banner")
        for i, part in enumerate(parts)
    ]


def _progress(snapshot: Snapshot, read_only: bool) -> list[str]:
    """Campaign, finished runs, time left and end; the longest form first."""
    finished = sum(run.phase is Phase.FINISHED for run in snapshot.runs)
    done = f"{'read-only   ' if read_only else ''}{finished} of {len(snapshot.runs)} finished"
    long, short = (_time_left(snapshot, wide=wide) for wide in (True, False))
    return [
        "   ".join((snapshot.title, done, *long)),
        "   ".join((snapshot.title, done, *short)),
        "   ".join((done, *short)),
        "   ".join((done, *long[:1])),
        "   ".join((done, *short[:1])).partition(" (")[0],
        done,
        f"{finished}/{len(snapshot.runs)}",
    ]


def _time_left(snapshot: Snapshot, *, wide: bool) -> tuple[str, ...]:
    """`5 m 10 s left (4 to 7 m)`, and when that is."""
    if snapshot.state.settled:
        paused = sum(run.phase is Phase.PAUSED for run in snapshot.runs)
        return (f"{words.plural(paused, 'run')} paused" if paused else "all ended",)
    eta = snapshot.eta.eta
    if eta is None:
        return (snapshot.eta.unknown + glyphs.ELLIPSIS,)
    told = words.duration if wide else words.short_duration
    return eta.left_words(f" ({range_words(eta)})", told), snapshot.eta.end_words


def range_words(eta: Eta) -> str:
    """`5 to 8 m`, `40 s to 2 m`: a range needs few digits."""
    low, high = _coarse(eta.low), _coarse(eta.high)
    return f"{low.removesuffix(' ' + high.rpartition(' ')[2])} to {high}" if low != high else f"about {high}"


def _coarse(seconds: float) -> str:
    for limit, unit, length in ((90, "s", 1), (90 * 60, "m", 60), (48 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / length
            return f"{value:.1f} {unit}" if unit == "h" and value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"


# What is wrong --------------------------------------------------------------------------------------------------------


def troubled(snapshot: Snapshot) -> list[RunFacts]:
    """The runs that need a person; those that still take time first."""
    found = [run for run in snapshot.runs if run.alarms or PHASES[run.phase].style in ("alarm", "failed")]
    found += [run for run in snapshot.runs if run.phase is Phase.UNKNOWN and not run.alarms]
    return sorted(found, key=lambda run: run.over)


def troubles(snapshot: Snapshot, selected: str, width: int, most: int, *, read_only: bool = False) -> list[Line]:
    """What is wrong, a line each, with the key that helps; in at most `most` lines."""
    lines = list(_troubles(snapshot, selected, width, read_only=read_only))
    if len(lines) > most > 0:
        more = f"  and {len(lines) - most} more "
        shorter = list(_troubles(snapshot, selected, width - len(more), read_only=read_only))
        lines = [*lines[: most - 1], spread(shorter[most - 1], [(more, "alarm")], width)]
    return lines[: max(0, most)]


def _troubles(snapshot: Snapshot, selected: str, width: int, *, read_only: bool) -> Iterator[Line]:
    if not snapshot.supervised:
        helps = "'lvmtui attach' starts one" if read_only else "the screen is trying to start one"
        yield _trouble(f"no supervisor: {snapshot.state.unmade or 'nothing that waits is started'}", helps, width)
    for run in troubled(snapshot):
        reason = run.trouble or run.word
        word = run.phase.value
        if not run.alarms and not reason.startswith(word):
            reason = f"{word}: {reason}"
        yield _trouble(f"{run.title} {run.label} {reason}", _help(run, selected, read_only), width)
    for note in snapshot.notes:
        yield ((f" {cut(note, width - 2)}", "note"),)


def _help(run: RunFacts, selected: str, read_only: bool) -> str:
    """What to press."""
    if run.name != selected:
        return "! selects it"
    allowed = () if read_only else orders.allowed(run.view)
    again = "retry" in allowed and run.view.retry_helps
    keys = ["x stops it" if "cancel" in allowed else "", "r tries it again" if again else ""]
    return ", ".join([*filter(None, keys), "enter opens it"])


def _trouble(what: str, helps: str, width: int) -> Line:
    tail = f"   {helps} "
    if cell_len(tail) > width // 4 and cell_len(what + tail) > width - 3:
        tail = ""
    return ((f" {glyphs.WARNING} {cut(what, max(10, width - 3 - cell_len(tail)))}", "alarm"), (cut(tail, width), "dim"))
