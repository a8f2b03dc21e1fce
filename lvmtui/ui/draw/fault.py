"""An error of the screen itself, as one line. Pure."""

from __future__ import annotations

from lvmtui.system.text import sanitise
from lvmtui.ui.draw.lines import Piece


def fault_line(error: Exception) -> Piece:
    """What cannot be drawn, and why."""
    return f" this cannot be shown: {type(error).__name__}: {sanitise(str(error), 200)}", "alarm"
