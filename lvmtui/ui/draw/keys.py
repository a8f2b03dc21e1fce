"""The last line of a view: what the keys of orders do now, the machine's load and the time of day. Pure."""

from __future__ import annotations

from collections.abc import Collection

from lvmtui.ui.draw.lines import Line, Piece, spread, width_of
from lvmtui.ui.read.machine import MachineFigures

ORDER_KEYS = ("pause", "cancel", "force", "retry")
"""Actions of the keys p, x, X and r."""


def order_words(action: str, allowed: Collection[str]) -> str:
    """What the key of one of `ORDER_KEYS` does to a run that allows these orders; empty: nothing, and it says why."""
    match action:
        case "pause":
            return next((order for order in ("pause", "suspend", "resume") if order in allowed), "")
        case "cancel":
            return "cancel" if "cancel" in allowed else ""
        case "force":
            return "cancel at once" if "kill" in allowed and "cancel" not in allowed else ""
    return "retry" if "retry" in allowed or "restart" in allowed else ""


def machine_line(machine: MachineFigures | None, clock: str, width: int) -> Line:
    """The machine's load and the time of day at the right, in the longest form that fits; empty where none does."""
    loads = [_machine(machine, wide=wide) for wide in (True, False)] if machine else []
    forms = ([*load, (f"{clock}   ", "dim")] for load in (*loads, []))
    return next((spread([], form, width) for form in forms if width_of(form) <= width), ())


def _machine(machine: MachineFigures, *, wide: bool) -> list[Piece]:
    gigabyte = 2**30
    pieces: list[Piece] = [("cpu ", "dim"), (f"{machine.cpu:.0f} %", "")]
    if wide:
        pieces += [("  mem ", "dim"), (f"{machine.used / gigabyte:.1f} of {machine.total / gigabyte:.0f} G", "")]
    if machine.gpus:
        pieces.append((f"  {len(machine.gpus)} gpus" if len(machine.gpus) > 1 else "  gpu", "dim"))
        uses = [gpu.use for gpu in machine.gpus if gpu.use is not None]
        if uses:
            pieces.append((f" {sum(uses) / len(uses):.0f} %", ""))
        sizes = [(gpu.used, gpu.total) for gpu in machine.gpus if gpu.used is not None and gpu.total is not None]
        if sizes and (wide or not uses):
            used, total = (sum(part) / gigabyte for part in zip(*sizes, strict=True))
            pieces.append((f" {used:.1f} of {total:.0f} G", ""))
    return [*pieces, ("  ", "")]
