"""Scores predictions of the held-out windows and keeps them: `heldout.npz`, from which the verdict is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lvmtui.datasets.readers.source import Floats
from lvmtui.datasets.scores import Count, counting, score
from lvmtui.datasets.split import HeldOut
from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.trainer_log import HeldoutScores
from lvmtui.system.files import written_beside
from lvmtui.system.sealed import seal_archive

VERSION = 1
"""Of `heldout.npz`."""


def score_and_write(
    path: Path,
    held: HeldOut,
    fingerprint: str,
    predicted: Floats,
    counting: Callable[[Floats], Count] = counting,
    forward: ForwardScores | None = None,
) -> tuple[HeldoutScores, str]:
    """Score unit predictions (W, D) and write one row a window to `path`. Returns the means and the file's checksum.

    Raises OSError, and ValueError for predictions that are not finite.
    """
    scores = score(predicted, held.vectors, held.starts, held.context, counting, held.group)
    with written_beside(path) as beside:
        with beside.open("wb") as file:
            np.savez(
                file,
                version=np.int64(VERSION),
                fingerprint=np.str_(fingerprint),
                window=np.arange(len(held.starts), dtype=np.int64),
                cluster=held.cluster.astype(np.int32),
                stratum=held.stratum.astype(np.uint8),
                cosine=scores.cosine_next,
                last_cosine=scores.cosine_last,
                rank=scores.rank,
            )
        digest = seal_archive(beside)
    means = HeldoutScores(
        windows=len(held.starts),
        cosine=scores.cosine,
        margin=scores.margin,
        last_cosine=float(scores.cosine_last.mean(dtype=np.float64)),
        spread=1 - float(np.linalg.norm(predicted.mean(axis=0, dtype=np.float64))),
        hit_1=scores.hit(1),
        hit_5=scores.hit(5),
        hit_10=scores.hit(10),
        forward=forward,
    )
    return means, digest
