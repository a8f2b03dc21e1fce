"""The directions in which rows vary most."""

from __future__ import annotations

import numpy as np

from lvmtui.datasets.readers.source import Floats

WIDE = 1024
"""Numbers in a row above which all D directions cost too much, and only those wanted are computed."""


def main_directions(rows: Floats, count: int) -> Floats:
    """(D, K) orthonormal: the `count` directions with the most of the squared length of rows (n, D), the largest first.

    K is smaller than `count` where there are hardly more rows. Up to WIDE numbers by the eigenvectors of the Gram
    matrix, above by Lanczos iteration (ARPACK) from a fixed start, so that the same rows give the same directions.
    """
    if rows.shape[1] <= WIDE:
        wide = rows.astype(np.float64)
        return np.ascontiguousarray(np.linalg.eigh(wide.T @ wide)[1][:, ::-1][:, :count], dtype=np.float32)
    from scipy.sparse.linalg import svds

    start = np.ones(min(rows.shape), rows.dtype)
    found = svds(rows, k=min(count, min(rows.shape) - 1), v0=start, return_singular_vectors="vh")[2]
    return np.ascontiguousarray(found[::-1].T, dtype=np.float32)
