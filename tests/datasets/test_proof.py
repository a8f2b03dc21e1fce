"""The proof finds what a faulty split would let through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lvmtui.datasets.proof import prove
from lvmtui.datasets.split import ArmWindows, read_heldout
from lvmtui.datasets.store import Store
from lvmtui.formats.spec import ArmName
from tests.datasets.making import draw_split
from tests.datasets.test_split import drawn


def test_the_proof_finds_a_leak(tmp_path: Path) -> None:
    split, baseline, expanded = drawn(tmp_path)
    stores: dict[ArmName, Store] = {"baseline": baseline.open(), "expanded": expanded.open()}
    vectors = expanded.open().vectors
    held = np.flatnonzero((vectors @ split.heldout.vectors.T).max(axis=1) > 0.9999)
    near = np.setdiff1d(np.arange(len(vectors) - 5), split.expanded.train)
    leaking = near[np.isin(near, held)][:1]

    train = np.sort(np.concatenate([split.expanded.train, leaking]))
    leaky = {**split.arms, "expanded": ArmWindows(train, split.expanded.validation)}
    replace(split, arms=leaky).write(tmp_path / "split")
    proof = prove(tmp_path / "split", stores)
    assert not proof.holds and proof.arms["expanded"].held_out_leaks > 0 and proof.arms["baseline"].held_out_leaks == 0
    assert str(proof).startswith("LEAK: expanded: ")

    train = np.sort(np.concatenate([split.arms["baseline"].train, split.arms["baseline"].validation[:1]]))
    leaky = {**split.arms, "baseline": ArmWindows(train, split.arms["baseline"].validation)}
    replace(split, arms=leaky).write(tmp_path / "split")
    proof = prove(tmp_path / "split", stores)
    assert (
        not proof.holds
        and proof.arms["baseline"].validation_leaks == 6
        and proof.arms["expanded"].validation_leaks == 0
    )


def test_the_proof_finds_other_windows_than_were_drawn(tmp_path: Path) -> None:
    split, baseline, expanded = drawn(tmp_path)
    other = draw_split(baseline, expanded, seed=9)
    replace(other, facts=split.facts).write(tmp_path / "split")
    proof = prove(tmp_path / "split", {"baseline": baseline.open(), "expanded": expanded.open()})
    assert not proof.unchanged and not proof.holds
    assert read_heldout(tmp_path / "split").fingerprint == other.facts.fingerprint
