"""Which vectors a campaign's centre is fitted to (those of the training windows of all arms), and the splits with it.
Why: `docs/decisions/0070-one-centre-for-both-arms.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lvmtui.datasets.arm import Arm
from lvmtui.datasets.centre import Centre, centre_of
from lvmtui.datasets.near_copies import Groups
from lvmtui.datasets.readers.source import Floats, Integers
from lvmtui.datasets.split import Split
from lvmtui.datasets.windows import covered
from lvmtui.formats.data_facts import Centring
from lvmtui.system.text import grouped

MOST_BYTES = 256 << 20
"""Bytes of vectors that it is fitted to; of more, evenly spread ones."""
PAIRS = 8_192
"""Neighbours whose cosine is told, at most."""


def centred(splits: Sequence[Split], arms: Sequence[Arm], groups: Groups, by: str) -> tuple[Split, ...]:
    """The splits with a centre fitted `by` mean or median; those with the same held-out windows share one. `arms`:
    smallest first, as in the splits. Raises UserError."""
    alike = grouped((split.facts.fingerprint, split) for split in splits)
    fitted = {fingerprint: _fit(some, arms, groups, by) for fingerprint, some in alike.items()}
    return tuple(with_centre(split, *fitted[split.facts.fingerprint]) for split in splits)


def with_centre(split: Split, centre: Centre | None, facts: Centring | None) -> Split:
    """The split, judged in the space of a centre."""
    heldout = replace(split.heldout, centre=centre)
    return replace(split, heldout=heldout, facts=replace(split.facts, fingerprint=heldout.fingerprint, centre=facts))


def _fit(splits: Sequence[Split], arms: Sequence[Arm], groups: Groups, by: str) -> tuple[Centre, Centring]:
    """Fit to the training windows of splits with the same held-out windows."""
    rows, group, number = [], [], []
    for place in reversed(range(len(arms))):
        arm, context = arms[place], splits[0].heldout.context
        trained = np.zeros(arm.open().facts.rows, bool)
        for split in splits:
            trained |= covered(list(split.arms.values())[place].train, len(trained), context)
        rows.append(np.flatnonzero(trained))
        group.append(groups.of[place][rows[-1] - arm.rows[0]])
        number.append(np.full(len(rows[-1]), place))
    once = np.sort(np.unique(np.concatenate(group), return_index=True)[1])
    most = max(2, MOST_BYTES // (4 * arms[0].open().facts.dim))
    some = once[np.linspace(0, len(once) - 1, min(len(once), most)).astype(np.int64)]
    row_of, arm_of = np.concatenate(rows)[some], np.concatenate(number)[some]
    centre = centre_of(np.concatenate([_vectors(arms[a], row_of[arm_of == a]) for a in range(len(arms))]), by)
    last = splits[0].expanded.train + splits[0].heldout.context - 1
    last = last[:: -(-len(last) // PAIRS)]
    pair = _vectors(arms[-1], last), _vectors(arms[-1], last + 1)
    return centre, Centring(by, len(some), _mean_cosine(*pair), _mean_cosine(*map(centre, pair)))


def _vectors(arm: Arm, rows: Integers) -> Floats:
    store = arm.open()
    vectors = store.vectors[rows]
    store.release()
    return vectors


def _mean_cosine(one: Floats, other: Floats) -> float:
    return float(np.einsum("nd,nd->n", one, other).mean(dtype=np.float64))
