"""A split: the held-out windows of a comparison, and each arm's training and validation windows. See `draw.py`.

A split is a folder that needs nothing else to be used; its files and their arrays: `split/` in `docs/formats.md`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.centre import Centre
from lvmtui.datasets.near_copies import EQUAL
from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.formats.data_facts import Centring
from lvmtui.formats.json_codec import read_document, write_document
from lvmtui.formats.spec import USUAL_CONTEXT, ArmName, arm_names
from lvmtui.system.errors import UserError
from lvmtui.system.files import sealed_digest, write_sealed

VERSION = 1
HELDOUT = "heldout_windows.npz"


@dataclass(frozen=True)
class ArmCounts:
    """What became of an arm's windows; the other counts add up to `windows`."""

    windows: int
    train: int
    validation: int
    held_out: int
    """They stand in a held-out cluster."""
    gap: int
    """They touch a held-out or validation cluster or what is left out beside it, and hold no copy of a held-out one."""
    equal_to_held_out: int
    """They hold a vector that is the same by content as a held-out one: a copy or a near-copy."""
    equal_to_validation: int
    """They hold a vector that is the same by content as a validation vector of this arm."""
    spare: int = 0
    """They stand in a validation cluster, and are not looked at."""


@dataclass(frozen=True)
class SplitFacts:
    """`split.json`."""

    seed: int
    cross_articles: bool
    share: float
    """Share of the windows that was aimed at."""
    fingerprint: str
    """sha256 of the held-out arrays; runs that have it in common are judged on the same windows."""
    windows: int
    """Held out."""
    windows_own: int
    """Held-out windows in the baseline's own source; the others are in the new source."""
    clusters: int
    clusters_own: int
    baseline: ArmCounts
    expanded: ArmCounts
    cluster_names: tuple[str, ...]
    """By the numbers in `cluster`, sanitised."""
    same: float = EQUAL
    """Cosine from which two vectors were the same; splits made before this was chosen took .9999."""
    fold: int | None = None
    """Number of the fold, from 1; None: one split for all seeds."""
    between: tuple[ArmCounts, ...] = ()
    """Counts of the arms between the two, smallest first."""
    context: int = USUAL_CONTEXT
    """Vectors in a context. Models with a shorter one see the last vectors of the same windows."""
    centre: Centring | None = None
    """Set where models train and are judged on centred vectors."""
    version: int = VERSION

    @property
    def arms(self) -> dict[ArmName, ArmCounts]:
        """The counts of all arms by name, smallest first."""
        counts = (self.baseline, *self.between, self.expanded)
        return dict(zip(arm_names(len(counts)), counts, strict=True))

    def with_counts(self, counts: Sequence[ArmCounts]) -> SplitFacts:
        """The facts with other counts of the arms, smallest first."""
        return replace(self, baseline=counts[0], between=tuple(counts[1:-1]), expanded=counts[-1])


@dataclass(frozen=True)
class HeldOut:
    """The windows that judge: W windows over M vectors."""

    vectors: Floats
    """(M, D) unit rows: those the windows need, in the space of the file."""
    starts: Integers
    """(W,) rows of `vectors`."""
    cluster: npt.NDArray[np.int32]
    """(W,) from 0."""
    stratum: npt.NDArray[np.uint8]
    """(W,) 0: the baseline's own source; 1: the new source."""
    group: Integers | None = None
    """(M,) Vectors of the same number are one candidate in a rank. None in splits made before groups were kept."""
    context: int = USUAL_CONTEXT
    """Vectors in the contexts of all windows of the split."""
    centre: Centre | None = None
    """Models train and are judged on vectors centred by this; None: on the vectors as they are."""

    @cached_property
    def judged(self) -> Floats:
        """(M, D) unit rows in the space in which predictions are made and judged."""
        return self.vectors if self.centre is None else self.centre(self.vectors)

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that are stored, by name."""
        found = {name: getattr(self, name) for name in ("vectors", "starts", "cluster", "stratum", "group")}
        centre = {} if self.centre is None else {"shift": self.centre.shift, "scale": self.centre.scale}
        return {name: array for name, array in found.items() if array is not None} | centre

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the windows and of the space, since cosines of two spaces cannot be compared."""
        digest = hashlib.sha256()
        for array in self.arrays.values():
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).data)
        if self.context != USUAL_CONTEXT:  # where it is usual, the digest is the one of earlier versions
            digest.update(f"context {self.context}".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class ArmWindows:
    """Starts (int64, ascending) of an arm's windows, rows of its store."""

    train: Integers
    validation: Integers


@dataclass(frozen=True)
class Split:
    heldout: HeldOut
    arms: Mapping[ArmName, ArmWindows]
    """Smallest first."""
    facts: SplitFacts

    @property
    def expanded(self) -> ArmWindows:
        return self.arms["expanded"]

    def write(self, folder: Path, beside: Path | None = None) -> None:
        """Write the folder; split.json comes last, and with it the split exists. Raises OSError.

        `beside`: folder of a split with the same held-out windows, whose file is linked where that is possible.
        """
        folder.mkdir(parents=True, exist_ok=True)
        linked = False
        if beside:
            with suppress(OSError):  # not every file system can
                os.link(beside / HELDOUT, folder / HELDOUT)
                linked = True
        if not linked:
            write_arrays(folder / HELDOUT, **self.heldout.arrays, context=self.heldout.context)
        for name, windows in self.arms.items():
            write_arrays(folder / f"{name}.npz", train=windows.train, validation=windows.validation)
        write_document(folder / "split.json", self.facts)


def read_facts(folder: Path) -> SplitFacts:
    """Read `split.json`. Raises UserError."""
    cure, place = "restore the file or start a new campaign", "a campaign's split folder"
    return read_document(SplitFacts, folder / "split.json", what="a split", place=place, cure=cure)


def read_heldout(folder: Path, planned: str = "") -> HeldOut:
    """Read the held-out windows. Raises UserError if they are not those that were written, or do not have the
    fingerprint of those that were `planned` (empty: any)."""
    path = folder / HELDOUT
    arrays = _read_arrays(path, ("vectors", "starts", "cluster", "stratum"), ("group", "context", "shift", "scale"))
    context = int(arrays.pop("context", np.int64(USUAL_CONTEXT)))
    centre = Centre(arrays.pop("shift"), arrays.pop("scale")) if "shift" in arrays else None
    held = HeldOut(**arrays, context=context, centre=centre)
    if planned and held.fingerprint != planned:
        raise UserError(f"{folder}: not the held-out windows the run was planned with; start the campaign again")
    return held


def read_arm_windows(folder: Path, name: ArmName) -> ArmWindows:
    """Read an arm's windows. Raises UserError."""
    return ArmWindows(**_read_arrays(folder / f"{name}.npz", ("train", "validation")))


def read_split(folder: Path) -> Split:
    """Read all of a split's folder. Raises UserError."""
    facts = read_facts(folder)
    return Split(read_heldout(folder), {name: read_arm_windows(folder, name) for name in facts.arms}, facts)


# -------------------------------------------------------------------------------------------------------- files


def write_arrays(path: Path, **arrays: npt.ArrayLike) -> str:
    """Write a sealed .npz in one step, return its checksum. Raises OSError."""
    return write_sealed(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def _read_arrays(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, npt.NDArray[Any]]:
    if not path.exists():
        raise UserError(f"{path}: no such file, so the split of this campaign is incomplete; copy its folder again")
    if sealed_digest(path) is None:
        raise UserError(f"{path}: not what was written; restore the file or start a new campaign")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (*names, *(o for o in optional if o in arrays))}
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: not a split's arrays ({error}); start a new campaign") from None
