"""`made.json`: what each result of a campaign was made from, so that nothing is made twice without need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MadeFrom:
    results: Mapping[str, str] = field(default_factory=dict)
    """Name of the result -> digest of what it was made from."""
    version: int = 1
