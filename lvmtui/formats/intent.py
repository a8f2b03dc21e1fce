"""`intent.json`: what a person wants of a run. Written by the screen or a command, replaced whole; the last wins."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import DecodeError, decode, dump_document, encode
from lvmtui.system.files import replace_file
from lvmtui.system.permissions import read_order

Want = Literal["run", "pause", "cancel"]


@dataclass(frozen=True)
class Intent:
    """What is wanted. A folder without the file wants to run."""

    want: Want = "run"
    generation: int = 0
    """One more with each order, so that a repeated order is a new one."""
    restart: int = 0
    """Generation in which a start from scratch was last asked for: what was trained before it does not count."""
    resumed: int = 0
    """Generation of the newest order to run, to resume or to try again: a failure before it is forgiven, also if a
    pause comes after it."""
    force: bool = False
    """With `cancel`: do not wait, kill."""
    by: str = ""
    """Who: `user@host`."""
    time: float = 0.0
    version: int = 1


def read_intent(path: Path, before: Intent = Intent()) -> Intent:
    """Read an intent; where there is no file, the default: to run.

    A stranger's (see `owners.py`) and a damaged one change nothing: `before` is what was wanted as far as the reader
    knows.
    """
    try:
        return decode(Intent, json.loads(read_order(path)))
    except FileNotFoundError:
        return Intent()
    except (OSError, ValueError, DecodeError):
        return before


def write_intent(
    path: Path, want: Want, *, by: str, force: bool = False, from_start: bool = False, now: float | None = None
) -> Intent:
    """Replace the intent by a new generation of it and return that. Raises OSError."""
    generation = _generation(path) + 1
    before = read_intent(path)
    intent = replace(
        before,
        want=want,
        generation=generation,
        restart=generation if from_start else before.restart,
        resumed=generation if want == "run" else before.resumed,
        force=force,
        by=by,
        time=time.time() if now is None else now,
    )
    replace_file(path, dump_document(encode(intent)))
    return intent


def _generation(path: Path) -> int:
    """Of the intent that is there, whoever wrote it: generations only grow."""
    try:
        return decode(Intent, json.loads(path.read_bytes())).generation
    except (OSError, ValueError, DecodeError):
        return 0
