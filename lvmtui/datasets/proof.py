"""The proof that a split does not leak: no training or validation window holds a vector of a held-out window.

It trusts nothing the split was made with. The held-out vectors are those in the split's own file, the windows those the
trainers will read, the vectors those in the arms' stores, and every held-out vector is compared with every vector an
arm may learn from, in full. So the proof also states the highest cosine between the two. Run before training, and by
`lvmtui check --split` at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvmtui.datasets.arm import open_store_of
from lvmtui.datasets.convert import convert
from lvmtui.datasets.near_copies import any_near
from lvmtui.datasets.readers.source import Floats, Integers, shown
from lvmtui.datasets.split import ArmWindows, HeldOut, read_arm_windows, read_facts, read_heldout
from lvmtui.datasets.store import Store
from lvmtui.datasets.vector_files import open_source
from lvmtui.datasets.windows import covered
from lvmtui.formats.campaign import Campaign, read_campaign
from lvmtui.formats.data_facts import DataFacts
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import CampaignDir
from lvmtui.formats.spec import ArmData, ArmName
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

NATURAL = 0.96
"""Vectors of different texts seldom come nearer; above it the proof warns."""
ROUNDING = 1e-5
"""A cosine that exceeds the split's threshold by less may be a matter of the order in which products were added."""
ROWS, COLUMNS = 2048, 8192
"""Tile of a product: 64 MB of cosines at a time."""


@dataclass(frozen=True)
class ArmProof:
    """What was found in one arm; all is well if both leaks are 0."""

    label: str
    """What people call it."""
    vectors: int
    """Different rows they hold."""
    held_out_leaks: int
    """Rows of them that are the same as a held-out vector."""
    validation_leaks: int
    """Rows of training windows that are the same as one of a validation window."""
    nearest: float
    """The highest cosine of a row of them with a held-out vector."""
    nearest_row: int
    """That row, of the store."""
    nearest_held_out: int
    """The held-out vector, from 0."""
    negated: int
    """Rows of them whose negative is held out."""
    example: str
    """The first leak in words; empty where there is none."""


@dataclass(frozen=True)
class Proof:
    heldout_vectors: int
    unchanged: bool
    """They are those the split was written with."""
    same: float
    """Cosine from which two vectors are the same."""
    arms: Mapping[ArmName, ArmProof]
    """The proof of every arm of the split, smallest first."""
    seconds: float
    natural: float = NATURAL
    """Cosine above which it warns: `NATURAL`, or that from which those that are nearly copies would count as such."""
    look_at: str = ""
    """The row that comes nearest to a held-out one, and that one, as people find them in their files; empty: it comes
    no nearer than natural neighbours do."""

    @property
    def holds(self) -> bool:
        """No leak, and the held-out windows are the ones that were drawn."""
        return self.unchanged and not any(arm.held_out_leaks or arm.validation_leaks for arm in self.arms.values())

    def __str__(self) -> str:
        """One line for people."""
        if not self.unchanged:
            return "the held-out windows are not those that were drawn; start a new campaign"
        if not self.holds:
            return "LEAK: " + "; ".join(arm.example for arm in self.arms.values() if arm.example)
        looked_at = ", ".join(f"{arm.label}: {arm.vectors:,}" for arm in self.arms.values())
        nearest = max(self.arms.values(), key=lambda arm: arm.nearest)
        warnings = ""
        if self.look_at:
            warnings += (
                f"; WARNING: natural neighbours seldom come above {self.natural:.2f}; look at {self.look_at}, and if "
                f"they are copies, start again with --same {self.natural:.2f}"
            )
        if negated := sum(arm.negated for arm in self.arms.values()):
            warnings += f"; WARNING: {negated:,} of them are the negative of a held-out vector"
        return (
            f"no leak: none of the training and validation vectors ({looked_at}) is a copy of one of the "
            f"{self.heldout_vectors:,} held-out vectors; their highest cosine is {nearest.nearest:.4f}, "
            f"copies have {self.same:.4g} and more{warnings} ({self.seconds:.1f} s)"
        )


def prove(
    folder: Path, stores: Mapping[ArmName, Store], labels: Mapping[ArmName, str] | None = None, natural: float = NATURAL
) -> Proof:
    """Compare every vector the arms may learn from with every held-out one. `labels`: what people call the arms, if not
    by their names. Raises UserError for broken files."""
    began = time.monotonic()
    called = {name: (labels or {}).get(name, name) for name in stores}
    heldout, facts = read_heldout(folder), read_facts(folder)
    arms = {
        name: _prove_arm(called[name], stores[name], read_arm_windows(folder, name), heldout, facts.same)
        for name in facts.arms
    }
    by_label = {called[name]: store for name, store in stores.items()}
    nearest = max(arms.values(), key=lambda arm: arm.nearest)
    return Proof(
        heldout_vectors=len(heldout.vectors),
        unchanged=heldout.fingerprint == facts.fingerprint,
        same=facts.same,
        arms=arms,
        seconds=time.monotonic() - began,
        natural=natural,
        look_at=_pair(nearest, heldout.vectors[nearest.nearest_held_out], by_label)
        if nearest.nearest >= natural
        else "",
    )


def _pair(nearest: ArmProof, vector: Floats, stores: Mapping[str, Store]) -> str:
    """`row 3 of article Albedo of 23k and row 9 of article Ice of 8k, which is held out`; that one is `vector` (D,)."""
    cosines = {name: store.vectors @ vector for name, store in stores.items()}
    name = max(reversed(cosines), key=lambda arm: float(cosines[arm].max()))  # the largest of arms that share a store
    other = f"{stores[name].place(int(cosines[name].argmax()))} of {name}, which is held out"
    return f"{stores[nearest.label].place(nearest.nearest_row)} of {nearest.label} and {other}"


def prove_all(folder: CampaignDir, campaign: Campaign, stores: Mapping[ArmName, Store]) -> tuple[str, bool]:
    """Prove every split of a campaign: the outcome, a line for each, and whether all proofs hold. Raises UserError."""
    labels = {name: sanitise(arm.label, 40) for name, arm in campaign.arms.items()}
    check = find_document(DataFacts, folder.check)
    nearly = check.neighbours.nearly if check and check.neighbours else None
    natural = min(NATURAL, nearly.same) if nearly else NATURAL
    proofs = [prove(folder.split_of(fold), stores, labels, natural) for fold in campaign.fold_numbers]
    names = [f"fold{n}" if campaign.folds else f"seed {campaign.seeds[n - 1]}" for n in campaign.fold_numbers]
    lines = [f"{name}: {proof}" for name, proof in zip(names, proofs, strict=True)]
    return "\n".join(lines) if len(lines) > 1 else str(proofs[0]), all(proof.holds for proof in proofs)


def prove_campaign(folder: CampaignDir, moved: Sequence[Path] = ()) -> tuple[str, bool]:
    """Prove a campaign's split, or all of its folds. `moved`: where its vectors are now. Raises UserError."""
    campaign = read_campaign(folder.campaign)
    if not campaign.heldout_windows:
        raise UserError(f"{campaign.id}: there is no split to prove: its runs were imported without vectors")
    workspace = folder.workspace.root
    for file in moved:
        _take_in(file, [arm.data for arm in campaign.arms.values()], workspace)
    stores = {name: open_store_of(arm.data, workspace) for name, arm in campaign.arms.items()}
    return prove_all(folder, campaign, stores)


def _take_in(file: Path, used: Iterable[ArmData], workspace: Path) -> None:
    """Make the store of vectors that were `used` again from a file. Raises UserError if it does not hold them."""
    unlike = "not the vectors the campaign was planned with, by their fingerprint"
    fault = f"{shown(file)}: {unlike}, to which the names of its arrays belong"
    for data in used:
        try:
            if open_source(file, data.reading).fingerprint() == data.fingerprint:
                convert(file, workspace, reading=data.reading, normalise=True)
                return
        except UserError as error:
            fault = str(error)
    raise UserError(fault)


def _prove_arm(label: str, store: Store, windows: ArmWindows, heldout: HeldOut, same: float) -> ArmProof:
    train, validation = (_rows(starts, store, label, heldout.context) for starts in (windows.train, windows.validation))
    used = np.union1d(train, validation)
    highest, lowest = _extremes(store, used, heldout.vectors)
    leaks = used[highest > same + ROUNDING]
    validation_leaks = any_near(store.vectors, train, store.vectors[validation], same + ROUNDING, store.release)
    store.release()
    nearest = int(highest.argmax())
    example = ""
    if len(leaks):
        example = (
            f"{label}: {len(leaks):,} vectors are copies of held-out ones, the first is {store.place(leaks[0])}; "
            f"the highest cosine is {highest[nearest]:.4f}"
        )
    elif len(validation_leaks):
        example = (
            f"{label}: {len(validation_leaks):,} training vectors are copies of validation ones, "
            f"the first is {store.place(validation_leaks[0])}"
        )
    return ArmProof(
        label=label,
        vectors=len(used),
        held_out_leaks=len(leaks),
        validation_leaks=len(validation_leaks),
        nearest=float(highest[nearest]),
        nearest_row=int(used[nearest]),
        nearest_held_out=int((heldout.vectors @ store.vectors[used[nearest]]).argmax()),
        negated=int((lowest < -same).sum()),
        example=example,
    )


def _extremes(store: Store, used: Integers, heldout: Floats) -> tuple[Floats, Floats]:
    """The highest and the lowest cosine of each used row with any held-out vector, both (n,)."""
    highest, lowest = np.full(len(used), -1, np.float32), np.ones(len(used), np.float32)
    for first in range(0, len(used), ROWS):
        some = slice(first, first + ROWS)
        rows = store.vectors[used[some]]
        for start in range(0, len(heldout), COLUMNS):
            cosines = rows @ heldout[start : start + COLUMNS].T
            np.maximum(highest[some], cosines.max(axis=1), out=highest[some])
            np.minimum(lowest[some], cosines.min(axis=1), out=lowest[some])
        if first // ROWS % 8 == 7:
            store.release()
    return highest, lowest


def _rows(starts: Integers, store: Store, label: str, context: int) -> Integers:
    """Rows of the store that stand in one of the windows."""
    if len(starts) and not 0 <= starts.min() <= starts.max() < store.facts.rows - context:
        raise UserError(f"{label}: the split's windows lie outside of its store; start a new campaign")
    return np.flatnonzero(covered(starts, store.facts.rows, context))
