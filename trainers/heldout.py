"""`heldout.npz`: what the best model makes of each held-out window. The verdict is computed from this file."""

from __future__ import annotations

import numpy as np
import torch

from lvmtui.datasets.formats import Floats, Integers
from lvmtui.datasets.scores import TIE, Count, score
from lvmtui.formats.data_facts import ForwardScores
from lvmtui.formats.paths import RunDir
from lvmtui.formats.trainer_log import HeldoutScores
from lvmtui.system.files import written_beside
from lvmtui.system.sealed import seal_archive
from trainers.data import Heldout
from trainers.fast.linear import available, product

VERSION = 1


def write_heldout(
    folder: RunDir, heldout: Heldout, predicted: np.ndarray, forward: ForwardScores | None
) -> tuple[HeldoutScores, str]:
    """Score unit predictions (W, D), write them a window, return their means and the file's checksum."""
    starts = heldout.windows.starts.cpu().numpy()
    vectors = heldout.windows.vectors
    scores = score(
        predicted,
        vectors.cpu().numpy(),
        starts,
        lambda candidates: counting(candidates, vectors.device),
        heldout.group,
    )
    with written_beside(folder.heldout) as beside:
        with beside.open("wb") as file:
            np.savez(
                file,
                version=np.int64(VERSION),
                fingerprint=np.str_(heldout.fingerprint),
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
        forward=forward,
    )
    return means, digest


def counting(candidates: Floats, device: torch.device) -> Count:
    """As `lvmtui.datasets.scores.counting`, on the device: 20,000 windows are each held against as many others."""
    pool = torch.from_numpy(candidates).to(device)
    similar = product if device.type == "cpu" and available() else _whole_product

    def count(predicted: Floats, target: Integers, own: Integers) -> Integers:
        rows, target_B1, own_BT = (torch.from_numpy(a).to(device) for a in (predicted, target[:, None], own))
        cosines = similar(rows, pool)
        bar = cosines.gather(1, target_B1) + TIE
        own_nearer = ((own_BT >= 0) & (cosines.gather(1, own_BT.clamp(min=0)) > bar)).sum(1)
        nearer = (cosines > bar).sum(1, dtype=torch.int32)  # six times as fast as in torch's usual 64 bits
        counted: Integers = (nearer - own_nearer).cpu().numpy()
        return counted

    return count


def _whole_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`a @ b.T` in float32, also where training takes coarser products: a rank hangs on differences as small."""
    usual = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return a @ b.T
    finally:
        torch.set_float32_matmul_precision(usual)
