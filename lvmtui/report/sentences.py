"""Small phrases that several parts of the report share, so that the same fact always reads the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lvmtui.system.numbers import cosine, percent, signed
from lvmtui.verdict.table import ArmCell, Row, Table
from lvmtui.verdict.trivial import the_trivial
from lvmtui.verdict.words import DOWN, NEGLIGIBLE, scarcity

NAMED = 4
"""Models that are named in a sentence; more are counted."""


class Titled(Protocol):
    @property
    def title(self) -> str: ...


def titles(found: Sequence[Titled]) -> str:
    """`LSTM, GRU`, or `6 other models`."""
    return ", ".join(one.title for one in found) if len(found) <= NAMED else f"{len(found)} other models"


def named(rows: Sequence[Row]) -> str:
    """`GRU (+1.10 %), AMN (+1.00 %)`."""
    return ", ".join(f"{row.title} ({percent(row.change)})" for row in rows)


def change_words(row: Row) -> str:
    """`improved, minor (+1.54 %)`; for a history the change alone."""
    return percent(row.change) if row.history else f"{row.verdict.words} ({percent(row.change)})"


def alarms_of(row: Row) -> tuple[str, ...]:
    """Words of the alarms of the row's expanded arm."""
    return tuple(finding.words for finding in row.expanded.findings if finding.alarm)


def in_short(words: str) -> str:
    """A finding without the figures after its first words; they are listed under Health."""
    return words.split(": ")[0]


def small_lead(lead: float, over: float) -> bool:
    """True if a lead in cosine matters as little as a change that is called negligible."""
    return lead < NEGLIGIBLE / 100 * abs(over)


def overlapping(best: Row, rows: Sequence[Row]) -> list[Row]:
    """The other rows whose interval of the change overlaps with that of the best."""
    mine = best.interval
    return [row for row in rows if row is not best and mine and row.interval and row.interval[1] > mine[0]]


def against(row: Row, table: Table) -> str:
    """Why the row's expanded arm should not be used; empty if nothing speaks against it."""
    if alarms_of(row):
        return in_short(alarms_of(row)[0])
    if row.verdict.word in DOWN:
        return f"{change_words(row)}; use the {table.labels[0]} model"
    if row.expanded.skill_words == "below" and row.expanded.skill:
        return f"below {the_trivial(row.expanded.skill.against)}"
    if row.history and (row.change or 0) < 0:
        return f"{change_words(row)} in its history"
    return ""


def gain_words(cell: ArmCell) -> str:
    """`+.0090 [+.0051, +.0129], better than the recency mean`; a dash where it is unknown."""
    if cell.skill is None:
        return "–"
    gain, name = cell.skill.gain, the_trivial(cell.skill.against)
    interval = gain.interval()
    if interval is None:
        return f"{signed(gain.value)} against {name}, too few {scarcity(gain)} for an interval"
    low, high = interval
    than = {"better": "better than", "no better": "no better than", "below": "below"}[cell.skill_words]
    return f"{signed(gain.value)} [{signed(low)}, {signed(high)}], {than} {name}"


def share(value: float | None) -> str:
    """A share of windows, like `.132`."""
    return cosine(value, 3)
