"""The proof that a split does not leak: no training or validation window holds a vector of a held-out window.

It trusts nothing the split was made with but the comparison of vectors (duplicates.py): the held-out vectors are
those in the split's own file, the windows those the trainers will read, the vectors those in the arms' stores. Run
before training, and by `lvmtui check --split` at any time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvmtui.datasets.arm import open_store_of
from lvmtui.datasets.duplicates import equal_row
from lvmtui.datasets.formats import Integers
from lvmtui.datasets.split import ArmWindows, HeldOut, read_arm_windows, read_facts, read_heldout
from lvmtui.datasets.store import Store
from lvmtui.datasets.windows import covered
from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ARMS
from lvmtui.formats.spec import Arm as ArmName


@dataclass(frozen=True)
class ArmProof:
    """What was found in one arm; all is well if both leaks are 0."""

    windows: int
    """Training and validation windows looked at."""
    vectors: int
    """Different rows they hold."""
    held_out_leaks: int
    """Rows of them that are equal to a held-out vector."""
    validation_leaks: int
    """Rows of training windows that are equal to one of a validation window."""
    example: str
    """The first leak in words; empty where there is none."""


@dataclass(frozen=True)
class Proof:
    heldout_windows: int
    heldout_vectors: int
    fingerprint: str
    """Of the held-out windows as they are now."""
    unchanged: bool
    """They are those the split was written with."""
    baseline: ArmProof
    expanded: ArmProof
    seconds: float

    @property
    def holds(self) -> bool:
        """No leak, and the held-out windows are the ones that were drawn."""
        arms = (self.baseline, self.expanded)
        return self.unchanged and not any(arm.held_out_leaks or arm.validation_leaks for arm in arms)

    def __str__(self) -> str:
        """One line for people."""
        looked_at = self.baseline.vectors + self.expanded.vectors
        if self.holds:
            return (
                f"no leak: none of {looked_at:,} training and validation vectors equals one of "
                f"{self.heldout_vectors:,} held-out vectors ({self.seconds:.1f} s)"
            )
        if not self.unchanged:
            return "the held-out windows are not those that were drawn; start a new campaign"
        return "LEAK: " + "; ".join(arm.example for arm in (self.baseline, self.expanded) if arm.example)


def prove(folder: Path, stores: Mapping[ArmName, Store]) -> Proof:
    """Compare every vector the arms may learn from with every held-out one. Raises UserError for broken files."""
    began = time.monotonic()
    heldout = read_heldout(folder)
    baseline, expanded = (_prove_arm(name, stores[name], read_arm_windows(folder, name), heldout) for name in ARMS)
    return Proof(
        heldout_windows=len(heldout.starts),
        heldout_vectors=len(heldout.vectors),
        fingerprint=heldout.fingerprint,
        unchanged=heldout.fingerprint == read_facts(folder).fingerprint,
        baseline=baseline,
        expanded=expanded,
        seconds=time.monotonic() - began,
    )


def prove_campaign(folder: CampaignDir) -> Proof:
    """The proof of a campaign's split. Raises UserError."""
    campaign = read_campaign(folder.campaign)
    workspace = folder.path.resolve().parents[3]
    stores = {name: open_store_of(campaign.arm(name).data, workspace) for name in ARMS}
    return prove(folder.split, stores)


def _prove_arm(name: ArmName, store: Store, windows: ArmWindows, heldout: HeldOut) -> ArmProof:
    train, validation = (_rows(starts, store) for starts in (windows.train, windows.validation))
    used = np.union1d(train, validation)
    vectors = store.vectors
    leaks = np.flatnonzero(equal_row(vectors, heldout.vectors, only=used, release=store.release) >= 0)
    validation_leaks = np.flatnonzero(equal_row(vectors, vectors[validation], only=train, release=store.release) >= 0)
    store.release()
    example = ""
    if len(leaks):
        example = f"{name}: {len(leaks):,} vectors equal held-out ones, the first is row {leaks[0]:,} of its store"
    elif len(validation_leaks):
        example = (
            f"{name}: {len(validation_leaks):,} training vectors equal validation ones, "
            f"the first is row {validation_leaks[0]:,} of its store"
        )
    return ArmProof(
        windows=len(windows.train) + len(windows.validation),
        vectors=len(used),
        held_out_leaks=len(leaks),
        validation_leaks=len(validation_leaks),
        example=example,
    )


def _rows(starts: Integers, store: Store) -> Integers:
    return np.flatnonzero(covered(starts, store.facts.rows))
