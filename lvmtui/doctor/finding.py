"""What one look at the machine found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fault"]
"""`note`: worth knowing, runs work; `fault`: something will fail."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's page."""

    subject: str
    state: State
    words: str
    remedy: str = ""
    """What a person can do about it; empty where there is nothing to do."""
