"""The last line of a view: the keys that do something now, the machine, and the way out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lvmtui import orders
from lvmtui.state.campaign_reader import RunView
from lvmtui.ui.draw.lines import Hit, Line, Piece, fit, spread, width_of
from lvmtui.ui.read.machine import MachineFigures

Key = tuple[str, str, str]
"""Key, what it does, and the action that a click on it runs."""
GAP = 2
"""Cells between the keys and the machine."""


def order_keys(view: RunView | None, *, read_only: bool) -> tuple[Key, ...]:
    """The keys of the orders that `orders.allowed` names for this run; other keys say why they do nothing."""
    if view is None or read_only:
        return ()
    allowed = orders.allowed(view)
    found: list[Key] = []
    if "pause" in allowed:
        found.append(("p", "pause", "pause"))
    if "suspend" in allowed:
        found.append(("p", "suspend", "pause"))
    if "resume" in allowed:
        found.append(("p", "resume", "pause"))
    if "cancel" in allowed:
        found.append(("x", "cancel", "cancel"))
    elif "kill" in allowed:
        found.append(("X", "cancel at once", "force"))
    if "retry" in allowed or "restart" in allowed:
        found.append(("r", "retry", "retry"))
    return tuple(found)


def key_line(
    shown: Sequence[Key], end: Key, width: int, asides: Sequence[Sequence[Piece]] = ()
) -> tuple[Line, list[Hit]]:
    """As many keys as fit, in their order, and at the right the way out. Returns the line and its clickable parts.

    `asides`: what stands before the way out where all keys leave room for it; the first that fits is taken.
    """
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
    free = room - width_of(pieces) - GAP
    aside = next((list(one) for one in asides if width_of(one) <= free), [])
    return spread(fit(pieces, max(0, width - width_of(tail) - width_of(aside))), [*aside, *tail], width), hits


def machine_pieces(machine: MachineFigures | None, clock: str) -> list[list[Piece]]:
    """The machine's load and the time of day, the longest form first."""
    end: Piece = (f"{clock}   ", "dim")
    if machine is None:
        return [[end]]
    return [[*_machine(machine, wide=wide), end] for wide in (True, False)] + [[end]]


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
