"""Waiting for what others do: poll for the condition, never sleep and hope."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 120, what: str = "it did not come to pass") -> None:
    """Return as soon as the condition is true. Raises AssertionError if it never is."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)
