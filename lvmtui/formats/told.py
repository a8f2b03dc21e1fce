"""`told.jsonl` of a campaign: what the commands of `--on-event` were told. Appended by the processes that tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import decode_line, kind_of
from lvmtui.system.numbers import plural
from lvmtui.system.text import grouped, sanitise


@dataclass(frozen=True)
class Happening:
    """Something that people want to be told, once."""

    kind: Literal["run_finished", "run_failed", "run_alarm", "run_stalled", "pair_compared", "campaign_over"]
    subject: str = ""
    """The run or the model; empty: the campaign."""
    stamp: str = ""
    """Tells it from another of the same kind and subject, also to the next supervisor."""

    @property
    def key(self) -> str:
        return " ".join(filter(None, (self.kind, self.subject, self.stamp)))


@dataclass(frozen=True)
class Told:
    """A command was run for a happening: it ended well, or it failed as often as it is tried."""

    time: float
    key: str
    command: str
    tries: int
    fault: str = ""
    """Why it failed, in words; empty: it ended well."""


def untold(told: Iterable[Told]) -> str:
    """Which commands failed, for how many events, and why the last time; empty: none did."""
    failed = grouped((one.command, one.fault) for one in told if one.fault)
    said = (f"'{sanitise(c, 60)}' failed for {plural(len(f), 'event')}: {f[-1]}" for c, f in failed.items())
    return sanitise(f"--on-event {'; '.join(said)}" if failed else "", 300)


def read_told(path: Path) -> dict[tuple[str, str], Told]:
    """All lines by key and command; lines that cannot be read are passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    decoded = [decode_line(line, {kind_of(Told): Told}) for line in lines]
    return {(one.key, one.command): one for one in decoded if isinstance(one, Told)}
