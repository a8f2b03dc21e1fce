"""`intent.json`: what a person wants of a run. The screen or a command replaces it; the last writer wins."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lvmtui.formats.json_codec import LaterVersion, decode, write_document
from lvmtui.system.permissions import read_order

Want = Literal["run", "pause", "cancel"]


@dataclass(frozen=True)
class Intent:
    """What is wanted. Without the file, a run is wanted."""

    want: Want = "run"
    generation: int = 0
    """Grows by one with each order, so that a repeated order counts as a new one."""
    restart: int = 0
    """Generation of the newest order to start from scratch. Training before it does not count; 0: there was none."""
    again: int = 0
    """Generation of the newest order to try again: what stalls under an earlier one is ended and started again."""
    resumed: int = 0
    """Generation of the newest order to run, resume or retry. Failures before it do not count, whatever came since."""
    force: bool = False
    """With `cancel`: kill at once instead of asking first."""
    by: str = ""
    """Who: `user@host`."""
    time: float = 0.0
    version: int = 1


def read_intent(path: Path, before: Intent = Intent()) -> Intent:
    """Read an intent; where there is no file, the default: to run.

    `before` is returned if the file cannot be followed: it is damaged, of a later version, or written by a user whose
    orders do not count (see `system/permissions.py`). An order of a later version that is the first one known means
    `pause`: it may have been a cancel, so nothing is started until somebody orders again.
    """
    try:
        return decode(Intent, json.loads(read_order(path)))
    except FileNotFoundError:
        return Intent()
    except LaterVersion:
        return before if before.generation else replace(before, want="pause")
    except (OSError, ValueError, RecursionError):
        return before


def write_intent(
    path: Path,
    want: Want,
    *,
    by: str,
    force: bool = False,
    again: bool = False,
    from_start: bool = False,
    now: float | None = None,
) -> Intent:
    """Replace the intent by a new generation of it and return that. Raises OSError."""
    generation = _generation(path) + 1
    before = read_intent(path)
    intent = replace(
        before,
        want=want,
        generation=generation,
        restart=generation if from_start else before.restart,
        again=generation if again else before.again,
        resumed=generation if want == "run" else before.resumed,
        force=force,
        by=by,
        time=time.time() if now is None else now,
    )
    write_document(path, intent)
    return intent


def _generation(path: Path) -> int:
    """Generation of the intent in the file, whoever wrote it and in whatever version: generations only grow."""
    try:
        generation = json.loads(path.read_bytes())["generation"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return 0
    return generation if type(generation) is int else 0
