"""Asks a short process with torch whether the weights beside imported runs fit our models, before anything is trained.

Whether they also reach the cosine in their history shows when they are judged: that takes minutes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from lvmtui.system.errors import UserError
from lvmtui.system.launch import our_command
from lvmtui.system.programs import done_by, unmarked_environment

PATIENCE = 300.0
"""Seconds for all of them; five files of 100 MB take five."""


def sizes_that_fit(runs: Sequence[Path], size: str, dim: int) -> list[tuple[str, str]]:
    """For each run folder the size of our model that its weights fit, `size` before others, and "". Where there is
    none: "", and why. Raises UserError if the process dies."""
    if not runs:
        return []
    command = our_command("trainers.legacy_weights", size, str(dim), *map(str, runs))
    done = done_by(command, seconds=PATIENCE, environment=unmarked_environment(os.environ))
    if done.code:
        words = (done.err.strip().splitlines() or [f"exit code {done.code}"])[-1]
        raise UserError(f"{runs[0]}: the process that opens its weights died: {words}; try again, or import it anew")
    return [(fits, fault) for fits, fault in json.loads(done.out.splitlines()[-1])]
