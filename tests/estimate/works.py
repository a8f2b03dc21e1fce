"""A run's work, and what a machine has shown of such runs."""

from __future__ import annotations

import math
from dataclasses import replace

from lvmtui.estimate.cost import Work
from lvmtui.estimate.pace import Shown

WORK = Work("gru", "small", 384, 128, 1200, 100, 900, 2200, "cpu", 1)


def shown(model: str, times: float, run: str = "", seconds: float = 60.0) -> Shown:
    """A run so many times slower than the reference."""
    work = replace(WORK, model=model)
    return Shown(run or f"{model} {times}", work, math.log(times), seconds, startup_seconds=5.0)
