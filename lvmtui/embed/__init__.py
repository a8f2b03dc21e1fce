"""`lvmtui embed`: from texts to a vector file."""

from __future__ import annotations

from typing import Literal

Unit = Literal["sentences", "paragraphs", "lines"]
"""What becomes one vector."""
UNITS: tuple[Unit, ...] = ("sentences", "paragraphs", "lines")
