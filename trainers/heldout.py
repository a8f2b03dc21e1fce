"""`heldout.npz`: what the best model makes of each held-out window. The verdict is computed from this file."""

from __future__ import annotations

import numpy as np

from lvmtui.contract.events import HeldoutScores
from lvmtui.contract.files import seal_archive, written_beside
from lvmtui.contract.rundir import RunDir
from lvmtui.datasets.scores import score
from trainers.data import Heldout

VERSION = 1


def write_heldout(
    folder: RunDir, heldout: Heldout, predicted: np.ndarray, fingerprint: str
) -> tuple[HeldoutScores, str]:
    """Score unit predictions (W, D), write them a window, return their means and the file's checksum."""
    starts = heldout.windows.starts.cpu().numpy()
    scores = score(predicted, heldout.windows.vectors.cpu().numpy(), starts)
    with written_beside(folder.heldout) as beside:
        with beside.open("wb") as file:
            np.savez(
                file,
                version=np.int64(VERSION),
                fingerprint=np.str_(fingerprint),
                window=np.arange(len(starts), dtype=np.int64),
                cluster=heldout.cluster.astype(np.int32),
                stratum=heldout.stratum.astype(np.uint8),
                cosine=scores.cosine_next,
                last_cosine=scores.cosine_last,
                rank=scores.rank,
            )
        digest = seal_archive(beside)
    means = HeldoutScores(
        windows=len(starts),
        cosine=scores.cosine,
        margin=scores.margin,
        last_cosine=float(scores.cosine_last.mean(dtype=np.float64)),
        spread=1 - float(np.linalg.norm(predicted.mean(axis=0, dtype=np.float64))),
        hit_1=scores.hit(1),
        hit_5=scores.hit(5),
        hit_10=scores.hit(10),
    )
    return means, digest
