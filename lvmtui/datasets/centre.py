"""Centring: the mean that all vectors share is subtracted, each number is scaled, and the row is brought to length 1.

Why: "Centring" in `docs/data.md`. By median and interquartile range as large concept models (Barrault et al. 2024).
The way back is exact for rows of length 1: `docs/decisions/0070-one-centre-for-both-arms.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lvmtui.datasets.readers.source import Floats
from lvmtui.system.errors import UserError

CONSTANT = 1e-3
"""Numbers that vary by less than this share of what is typical are scaled as is typical: what they vary by is noise."""
NORMAL_QUARTILES = 1.349
"""Interquartile range of a normal distribution with a standard deviation of 1."""
ZERO = 1e-12
"""A row this near to the centre has no direction."""


@dataclass(frozen=True)
class Centre:
    """What is subtracted and by what the rest is divided, both (D,) float32."""

    shift: Floats
    scale: Floats

    def __call__(self, rows: Floats) -> Floats:
        """Rows (..., D) of the file's space as rows of length 1 in the centred space."""
        moved: Floats = (rows - self.shift) / self.scale
        lengths = np.sqrt(np.einsum("...d,...d->...", moved, moved, dtype=np.float64))
        moved /= np.maximum(lengths, ZERO).astype(np.float32)[..., None]
        return moved

    def back(self, directions: Floats) -> Floats:
        """Rows (..., D) of any length in the centred space as the rows of length 1 in the file's space that they stand
        for: the r > 0 with |shift + r scale * direction| = 1."""
        ray = directions.astype(np.float64) * self.scale
        shift = self.shift.astype(np.float64)
        square, half = np.einsum("...d,...d->...", ray, ray), ray @ shift
        r = (np.sqrt(half**2 + square * (1 - shift @ shift)) - half) / np.maximum(square, ZERO**2)
        return np.asarray(shift + r[..., None] * ray, np.float32)


def centre_of(rows: Floats, by: str) -> Centre:
    """Fit to unit rows (n, D): `mean` and standard deviation, or `median` and interquartile range (as that of a normal
    distribution of the same deviation). Raises UserError where the rows have no such centre."""
    if by == "mean":
        shift = rows.mean(axis=0, dtype=np.float64)
        scale = np.sqrt(np.square(rows - shift.astype(np.float32)).mean(axis=0, dtype=np.float64))
    else:
        low, shift, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        scale = (high - low) / NORMAL_QUARTILES
    typical = float(np.median(scale))
    if not typical > ZERO or not float(shift @ shift) < 1:
        cure = "leave it out" if by == "mean" else "use --centre mean"
        raise UserError(f"--centre {by}: more than half of the numbers of a vector are the same in all; {cure}")
    scale = np.where(scale < CONSTANT * typical, typical, scale)
    return Centre(*(np.ascontiguousarray(part, np.float32) for part in (shift, scale)))
