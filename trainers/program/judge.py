"""Scores what a user's program predicts for the held-out windows, as our own predictions are scored."""

from __future__ import annotations

import numpy as np

from lvmtui.datasets.scores import score_and_write, unit
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import HeldoutScores
from lvmtui.system.text import sanitise
from trainers.program.data import checked_heldout


def judged(spec: RunSpec, folder: RunDir) -> tuple[HeldoutScores, str, str]:
    """Scores of its predictions, the checksum of `heldout.npz`, and why there are none."""
    nothing = HeldoutScores(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    path = folder.path / "out" / "predictions.npy"
    if not path.exists():
        return nothing, "", "it left no predictions of the held-out windows (predictions.npy)"
    held = checked_heldout(spec, folder.workspace)
    try:
        predicted = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return nothing, "", f"predictions.npy cannot be read ({sanitise(str(error), 100)})"
    wanted = (len(held.starts), spec.dim)
    if predicted.shape != wanted or predicted.dtype.kind != "f":
        return nothing, "", f"predictions.npy is {predicted.dtype} {predicted.shape}, not floats {wanted}"
    try:
        scores, digest = score_and_write(
            folder.heldout, held, spec.split_fingerprint, unit(np.asarray(predicted, np.float32))
        )
    except ValueError as error:
        return nothing, "", str(error)
    return scores, digest, ""
