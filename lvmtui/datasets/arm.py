"""An arm: one of the two data sets of a comparison, a range of rows in a store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from lvmtui.datasets.convert import Progress, convert
from lvmtui.datasets.readers.source import shown
from lvmtui.datasets.store import Store, open_store
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import BUNDLED, ArmData, ArmName, Reading
from lvmtui.system.errors import UserError

BUNDLED_BASELINE_ROWS = 8_280
"""The first 41 of the bundled articles."""


@dataclass(frozen=True)
class Arm:
    """Rows [first, stop) of a store. Cheap: the store is opened when it is asked for."""

    name: ArmName
    file: str
    """The file the person named (absolute path), or `bundled`."""
    folder: Path
    """The store's folder."""
    rows: tuple[int, int]
    fingerprint: str
    """Fingerprint of the file's content."""
    reading: Reading = Reading()
    """What the person said about the file's arrays."""

    @property
    def vectors(self) -> int:
        return self.rows[1] - self.rows[0]

    @property
    def label(self) -> str:
        """`8k` for 8,280 vectors."""
        return f"{self.vectors // 1000}k"

    @property
    def title(self) -> str:
        """The arm as messages name it."""
        return BUNDLED if self.file == BUNDLED else shown(Path(self.file))

    def open(self) -> Store:
        """Raises UserError if the store is gone or damaged."""
        return open_store(self.folder)

    def data(self, workspace: Path) -> ArmData:
        """The arm as campaigns and runs write it down: its store is that of the workspace, or will be."""
        store = Workspace(workspace).datasets.relative_to(workspace) / self.folder.name
        return ArmData(self.file, str(store), self.rows, self.fingerprint, self.reading)


def arm_of(name: ArmName, file: str, store: Store, rows: tuple[int, int] | None = None) -> Arm:
    """The arm made of all rows of a store, or of some."""
    return Arm(name, file, store.folder, rows or (0, store.facts.rows), store.facts.fingerprint)


def open_store_of(data: ArmData, workspace: Path) -> Store:
    """The store of an arm that a campaign or run wrote down; made again from the arm's file if it is gone or damaged.

    A store is only a cache. Raises UserError if the file is gone too, or is not what the campaign was planned with.
    """
    folder = workspace / data.store
    with suppress(UserError):
        return open_store(folder)
    if data.file == BUNDLED:
        bundled_arms(workspace)
    else:  # the plan has accepted the rows; whether they are scaled or not, the store is the same to the bit
        try:
            store = convert(Path(data.file), workspace, reading=data.reading, normalise=True)
        except UserError as error:
            moved = "if it was moved, say where, then try again: lvmtui check NEW_PATH... --split CAMPAIGN"
            raise UserError(f"{error}; {moved}") from None
        if store.facts.fingerprint != data.fingerprint:
            fault = f"changed since the campaign was planned, and its compact store ({folder}) is gone"
            raise UserError(f"{shown(Path(data.file))}: {fault}; restore the file, or start a new campaign")
    return open_store(folder)


def arm_again(name: ArmName, data: ArmData, workspace: Path) -> Arm:
    """The arm that a campaign or run wrote down, wherever its file is now. Raises UserError as `open_store_of` does."""
    return Arm(name, data.file, open_store_of(data, workspace).folder, data.rows, data.fingerprint, data.reading)


def file_arm(
    name: ArmName,
    path: Path,
    workspace: Path,
    *,
    reading: Reading = Reading(),
    normalise: bool = False,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Arm:
    """The arm of a person's file; its store is made if it is not there yet. Raises UserError."""
    store = convert(path, workspace, reading=reading, normalise=normalise, progress=progress, cache=cache)
    return replace(arm_of(name, str(path.resolve()), store), reading=reading)


def bundled_arms(workspace: Path, progress: Progress | None = None, cache: Path | None = None) -> tuple[Arm, Arm]:
    """The arms that come with the program: 41 articles (8,280 vectors) and all 890 (23,264), of one store."""
    with as_file(files("lvmtui.datasets") / "bundled" / "wiki_minilm_23k_int8.npz") as path:
        store = convert(path, workspace, progress=progress, cache=cache)
    return arm_of("baseline", BUNDLED, store, (0, BUNDLED_BASELINE_ROWS)), arm_of("expanded", BUNDLED, store)


def refuse_unfit(baseline: Arm, expanded: Arm) -> None:
    """Raise UserError for two arms that cannot be compared: of different dimension, equal, or swapped."""
    small, large = baseline.open().facts, expanded.open().facts
    if small.dim != large.dim:
        dims = f"{baseline.title} has vectors of {small.dim:,} numbers and {expanded.title} of {large.dim:,}"
        raise UserError(f"{dims}; embed both with the same encoder")
    if baseline.fingerprint == expanded.fingerprint and baseline.rows == expanded.rows:
        raise UserError(f"{baseline.title} and {expanded.title} are the same vectors; name two different files")
    if baseline.vectors > expanded.vectors:
        sizes = f"{baseline.title} has {baseline.vectors:,} vectors and {expanded.title} only {expanded.vectors:,}"
        raise UserError(f"{sizes}; swap the two")
