"""What a user's own trainer is given, and how the predictions it hands in are judged.

It gets plain files that any language can read ("Any language" in `docs/your-own.md`), and no vector that was held out
as a target. They are made once for an arm, and used by all its runs with one split.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from lvmtui.datasets.arm import open_store_of
from lvmtui.datasets.scores import score_and_write, unit
from lvmtui.datasets.split import HeldOut, read_arm_windows, read_heldout
from lvmtui.datasets.windows import covered, narrowed
from lvmtui.formats.json_codec import dump_document
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import HeldoutScores
from lvmtui.system.text import sanitise

ROWS = 1 << 14
"""Rows that are copied at a time."""


def data_folder(spec: RunSpec, workspace: Path) -> Path:
    """The folder, made if it is not there yet. Raises UserError for data that are not the plan's, and OSError."""
    split = workspace / spec.split
    folder = split / f"for_trainers_{spec.arm}_{spec.context}"
    if (folder / "about.json").exists():
        return folder
    beside = split / f".{folder.name}.{secrets.token_hex(4)}.part"
    try:
        beside.mkdir()
        _fill(beside, spec, workspace, read_heldout(split, spec.split_fingerprint))
        with suppress(OSError):  # another run was faster
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _fill(folder: Path, spec: RunSpec, workspace: Path, held: HeldOut) -> None:
    windows = read_arm_windows(workspace / spec.split, spec.arm)
    store = open_store_of(spec.data, workspace)
    used = np.zeros(len(store.vectors), bool)
    for name in ("train", "validation"):
        starts = narrowed(getattr(windows, name).astype(np.int64), held.context, spec.context)
        used |= covered(starts, len(used), spec.context)
        np.save(folder / f"{name}.npy", starts)
    shape = (len(store.vectors), spec.dim)
    out = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
    for first in range(0, len(used), ROWS):
        block = slice(first, first + ROWS)
        rows = store.vectors[block] if held.centre is None else held.centre(store.vectors[block])
        out[block] = np.where(used[block, None], rows, np.float32(np.nan))
    out.flush()
    shape3 = (len(held.starts), spec.context, spec.dim)
    contexts = np.lib.format.open_memmap(folder / "heldout_contexts.npy", mode="w+", dtype=np.float32, shape=shape3)
    seen, places = narrowed(held.starts, held.context, spec.context), np.arange(spec.context)
    for first in range(0, len(held.starts), ROWS):
        block = slice(first, first + ROWS)
        contexts[block] = held.judged[seen[block, None] + places]
    contexts.flush()
    about = {
        "dim": spec.dim,
        "context": spec.context,
        "train_windows": len(windows.train),
        "validation_windows": len(windows.validation),
        "heldout_windows": len(held.starts),
        "version": 1,
    }
    (folder / "about.json").write_bytes(dump_document(about))


def judged(spec: RunSpec, folder: RunDir) -> tuple[HeldoutScores, str, str]:
    """The scores of its predictions for the held-out windows, the checksum of `heldout.npz`, and why there are none.

    They are scored as our own models' predictions are.
    """
    nothing = HeldoutScores(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    path = folder.path / "out" / "predictions.npy"
    if not path.exists():
        return nothing, "", "it left no predictions of the held-out windows (predictions.npy)"
    held = read_heldout(folder.workspace.root / spec.split, spec.split_fingerprint)
    try:
        predicted = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return nothing, "", f"predictions.npy cannot be read ({sanitise(str(error), 100)})"
    wanted = (len(held.starts), spec.dim)
    if predicted.dtype.kind != "f":
        return nothing, "", f"predictions.npy is {predicted.dtype}, not floats {wanted}"
    if predicted.shape != wanted:
        return nothing, "", f"predictions.npy has the shape {predicted.shape}, not {wanted}"
    try:
        vectors = unit(np.asarray(predicted, np.float32))
        return *score_and_write(folder.heldout, held, spec.split_fingerprint, vectors), ""
    except ValueError as error:
        return nothing, "", str(error)
