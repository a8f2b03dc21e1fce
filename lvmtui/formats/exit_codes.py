"""How a trainer leaves: its exit codes. 1 and 2 are Python's own for an error and for wrong arguments."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    FINISHED = 0
    FAILED = 1
    USAGE = 2
    LOCKED = 3
    """Another process trains this run."""
    PAUSED = 10
    INTERRUPTED = 11
    """By a signal."""
    CANCELLED = 12
    NO_SPACE = 28
    """The disk is full."""
