"""An error of the screen itself: one line to show, and its traceback in `logs/screen.log`."""

from __future__ import annotations

from lvmtui.system.logging import Faults
from lvmtui.system.text import sanitise
from lvmtui.ui.draw.lines import Piece

_FAULTS = Faults()


def fault_line(error: Exception) -> Piece:
    """Log the error and return the line that stands for what could not be drawn."""
    _FAULTS.log("drawing failed", error)
    return f" this cannot be shown: {type(error).__name__}: {sanitise(str(error), 200)}", "alarm"
