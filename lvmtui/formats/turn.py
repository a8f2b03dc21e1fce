"""How a trainer that stands by is told that its turn has come: one line on its standard input.

It was started before anybody knew which run it would train, so it has to put on, once it knows, what tells whose
process it is: the marks in its environment. Others read them from the kernel, which shows the memory that held the
environment when the process began. So room is kept there, and the marks are written into it (Linux).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lvmtui.formats.json_codec import DecodeError, decode, dump_line, encode

STAND_BY = "--stand-by"
"""The argument that makes a trainer wait for its turn; blanks follow it, where the run folder's path will stand."""
READY = b"ready\n"
"""What it says, on its standard output, when it has imported all it needs."""
ROOM = "LVMTUI_ROOM"
"""Environment variable of blanks, which the marks take the place of."""
NAME_BYTES = 192
"""Room for a run folder below the workspace; names are half as long."""
MARKS_BYTES = 256
"""Room for the marks besides the folder's path."""
LINE_BYTES = 4096
"""What any pipe takes at once: whoever gives a turn must not have to wait for a reader."""


@dataclass(frozen=True)
class Turn:
    """What a waiting trainer is to become."""

    folder: str
    """The run's."""
    output: str
    """File to which its output is appended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beyond the one it was started with."""

    @property
    def marks(self) -> bytes:
        """The environment as the kernel shows it."""
        return b"\0".join(os.fsencode(f"{name}={value}") for name, value in self.environment.items())

    def fits(self, workspace: Path) -> bool:
        """True if one that was started for the workspace has room for it."""
        room = _room(workspace)
        fits = len(os.fsencode(self.folder)) <= room and len(self.marks) <= room + MARKS_BYTES
        return fits and len(encode_turn(self)) <= LINE_BYTES


def standing_by(
    command: tuple[str, ...], environment: Mapping[str, str], workspace: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Command and environment of a trainer that stands by. The room comes last: of two variables of one name, readers
    believe the later."""
    room = _room(workspace)
    others = {name: value for name, value in environment.items() if name != ROOM}
    return (*command, STAND_BY.ljust(room)), {**others, ROOM: " " * (room + MARKS_BYTES)}


def _room(workspace: Path) -> int:
    return len(os.fsencode(workspace)) + NAME_BYTES


def encode_turn(turn: Turn) -> bytes:
    """The line that gives a turn."""
    return dump_line(encode(turn))


def decode_turn(line: bytes) -> Turn | None:
    """None where whoever could have given a turn is gone: the line is empty or broken off."""
    try:
        return decode(Turn, json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, DecodeError):
        return None
