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

from lvmtui.contract.codec import DecodeError, decode, dump_line, encode

STAND_BY = "--stand-by"
"""The argument that makes a trainer wait for its turn; blanks follow it, where the run folder's path will stand."""
READY = b"ready\n"
"""What it says, on its standard output, when it has imported all it needs."""
ROOM = "LVMTUI_ROOM"
"""Environment variable of blanks, which the marks take the place of."""
ARGUMENT_BYTES, ROOM_BYTES = 4096, 16384


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

    @property
    def fits(self) -> bool:
        """False for names so long that there is no room for them."""
        return len(self.marks) < ROOM_BYTES and len(os.fsencode(self.folder)) < ARGUMENT_BYTES


def standing_by(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Command and environment of a trainer that stands by. The room comes last: of two variables of one name, readers
    believe the later."""
    return (*command, STAND_BY.ljust(ARGUMENT_BYTES)), {**environment, ROOM: " " * ROOM_BYTES}


def encode_turn(turn: Turn) -> bytes:
    """The line that gives a turn."""
    return dump_line(encode(turn))


def decode_turn(line: bytes) -> Turn | None:
    """None where whoever could have given a turn is gone: the line is empty or broken off."""
    try:
        return decode(Turn, json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, DecodeError):
        return None
