"""Errors that a user can cause, and fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lvmtui.system.text import sanitise

SHOWN = 12
"""Known words that fit a line."""


class UserError(Exception):
    """One line that names the file or option, says what is wrong and what to do. The command prints it, exits 2."""


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """The error for a word that is not one of `known`, with the nearest one suggested."""
    names = sorted(known)
    near = difflib.get_close_matches(given.lower(), names, n=1)
    some = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    hint = f"did you mean '{near[0]}'?" if near else f"known: {some}"
    return UserError(f"{what} '{sanitise(given, 60)}' is not known; {hint}")
