"""Make the compact store of a vector file, or find the one that was made before.

A store is written beside its place under a lock and renamed when complete: an interruption, a full disk or a second
process at the same time leaves either no store or a whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lvmtui.datasets import vector_files
from lvmtui.datasets.readers.source import Floats, Integers, SourceFacts, VectorSource, shown
from lvmtui.datasets.store import HEADER_BYTES, Kind, RowScan, Store, StoreFacts, facts_of, open_store
from lvmtui.datasets.vector_files import FileIdentity
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import USUAL_CONTEXT, Reading
from lvmtui.system.errors import UserError
from lvmtui.system.files import DISK_FULL, replace_file, sync_folder
from lvmtui.system.filesystem import signature, try_lock
from lvmtui.system.text import sanitise

READER = 3
"""Counted up when files are read in another way, so that each is looked at again."""

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


def convert(
    path: Path,
    workspace: Path,
    *,
    reading: Reading = Reading(),
    normalise: bool = False,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Store:
    """Return the store of a vector file, made now if it is not there yet.

    A file is known again by path, size, time and inode, otherwise by its fingerprint. `reading`: which of its arrays or
    columns is what, where names and shapes do not say. `cache`: a folder in which a store that the workspace does not
    have is made, so that a plan leaves no trace in the workspace; `move_stores` takes it over later. Raises UserError
    for anything that is wrong with the file, for an unwritable folder and for a full disk; then nothing stays behind.
    """
    datasets = Workspace(workspace).datasets
    identity = vector_files.identify(path)
    store = _seen(datasets, identity, reading) or (_seen(cache, identity, reading) if cache else None)
    if store is None:
        source = vector_files.open_source(path, reading)
        fingerprint = source.fingerprint()
        if cache is not None and not facts_of(datasets / fingerprint[:24]):
            datasets = cache
        folder = datasets / fingerprint[:24]
        with _write_errors(datasets):
            datasets.mkdir(parents=True, exist_ok=True)
            if facts_of(folder):
                deque(source.blocks(), maxlen=0)  # its fingerprint says what should be in it: a copy may be damaged
            else:
                with _only_writer(datasets):
                    if not facts_of(folder):
                        _write(source, folder, identity, fingerprint, normalise, progress or (lambda done, total: None))
            note = _note(datasets, identity, reading)
            note.parent.mkdir(exist_ok=True)
            replace_file(note, folder.name.encode() + b"\n", durable=False)
        store = open_store(folder)
    if fault := store.facts.scan.fault(normalise or store.facts.file_kind == "quantised"):
        raise UserError(f"{shown(path)}: {fault}")
    return store


def move_stores(cache: Path, workspace: Path) -> None:
    """Move the stores that plans have made in `cache` to the workspace. Raises UserError if that cannot be written."""
    datasets = Workspace(workspace).datasets
    made = [folder for folder in cache.iterdir() if facts_of(folder)] if cache.is_dir() else []
    if not made:
        return
    with _write_errors(datasets):
        datasets.mkdir(parents=True, exist_ok=True)
        with _only_writer(datasets):
            for folder in made:
                if not facts_of(datasets / folder.name):
                    part = datasets / f".{folder.name}.part"
                    shutil.move(folder, part)
                    part.rename(datasets / folder.name)
        for note in (cache / "seen").iterdir():
            (datasets / "seen").mkdir(exist_ok=True)
            shutil.move(note, datasets / "seen" / note.name)


def _note(datasets: Path, identity: FileIdentity, reading: Reading) -> Path:
    """The file that remembers which store belongs to a vector file."""
    text = json.dumps([identity.path, identity.size, identity.mtime_ns, identity.inode, READER, *astuple(reading)])
    return datasets / "seen" / hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:24]


def _seen(datasets: Path, identity: FileIdentity, reading: Reading) -> Store | None:
    try:
        folder = datasets / _note(datasets, identity, reading).read_text().strip()
    except (OSError, ValueError):
        return None
    return open_store(folder) if folder.parent == datasets and facts_of(folder) else None


# ---------------------------------------------------------------------------------------------------- writing

STUCK_SECONDS = 180.0
"""One that converts writes many times a second, and at its end waits for the disk; after this long it is dead."""


@contextmanager
def _only_writer(datasets: Path) -> Iterator[None]:
    """Be the only process that writes stores here; what writers that died have left is removed."""
    lock, since, last = None, time.monotonic(), -1
    while (lock := try_lock(datasets / ".lock")) is None:
        size = sum(signature(p)[1] for p in datasets.glob(".*.part/*"))
        if size != last:
            since, last = time.monotonic(), size
        if time.monotonic() - since > STUCK_SECONDS:
            raise UserError(f"{sanitise(str(datasets))}: another process converts here and does not move on; end it")
        time.sleep(0.05)
    with lock:
        for part in datasets.glob(".*.part"):
            shutil.rmtree(part, ignore_errors=True)
        yield


@contextmanager
def _write_errors(datasets: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in DISK_FULL
        cure = "free some space or choose another --workspace" if full else "choose a --workspace you may write to"
        reason = error.strerror or type(error).__name__
        raise UserError(f"{sanitise(str(datasets))}: cannot be written ({reason}); {cure}") from None


def _write(
    source: VectorSource, folder: Path, identity: FileIdentity, fingerprint: str, normalise: bool, progress: Progress
) -> None:
    """Make the store in a folder beside, then rename. Raises UserError, OSError."""
    file = source.facts
    room = shutil.disk_usage(folder.parent).free
    needed = 4 * file.rows * file.dim
    if needed > room:
        lack = f"its vectors take {needed / 1e9:.1f} GB and {room / 1e9:.1f} GB are free"
        raise UserError(f"{shown(file.path)}: {lack}; free some space or choose another --workspace")
    articles = source.articles
    part = folder.parent / f".{folder.name}.part"
    part.mkdir()
    try:
        joined = Joined(file.context + 1) if file.kind == "sequences" else None
        blocks = _counted(source.blocks(), file.rows, progress)
        rows = joined.rows(blocks) if joined else blocks
        scan = _write_vectors(part / "vectors.npy", rows, file, normalise, articles.places)
        kind: Kind = "sequence" if articles.number_of is None else "articles"
        article_of, notes = articles.number_of, articles.notes
        if joined is not None:
            kind, article_of, more = joined.articles(scan.rows, articles.number_of)
            notes = (*notes, *more)
        if article_of is not None:
            _save(part / "articles.npy", article_of.astype(np.int32))
        if articles.titles and kind == "articles":
            replace_file(part / "titles.json", json.dumps(articles.titles).encode())
        facts = StoreFacts(
            kind=kind,
            rows=scan.rows,
            dim=file.dim,
            articles=1 if article_of is None else len(np.unique(article_of)),
            file_kind=file.kind,
            file_rows=file.rows,
            source=identity,
            fingerprint=fingerprint,
            scan=scan,
            file_context=file.context or USUAL_CONTEXT,
            encoder=file.encoder,
            notes=(*file.notes, *notes),
        )
        write_document(part / "store.json", facts)
        if vector_files.identify(file.path) != identity:
            raise UserError(f"{shown(file.path)}: changed while it was read; wait until it is complete and try again")
        sync_folder(part)
        shutil.rmtree(folder, ignore_errors=True)  # not whole, or we would not be here
        os.rename(part, folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_vectors(
    path: Path, blocks: Iterator[Floats], file: SourceFacts, normalise: bool, places: Integers | None
) -> RowScan:
    """Write the rows at unit length, each at its place, the header last. After a faulty row the rest is counted."""
    may_scale = normalise or file.kind == "quantised"
    scan, kept = RowScan(), [np.empty(0, np.float32)]
    with path.open("w+b") as out:
        out.write(bytes(HEADER_BYTES))
        if places is not None:
            out.truncate(HEADER_BYTES + 4 * file.dim * len(places))
            placed = np.memmap(out, np.float32, "r+", HEADER_BYTES, (len(places), file.dim))
        for block in blocks:
            lengths = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64))
            first, scan = scan.rows, scan.plus(lengths)
            kept.append(lengths.astype(np.float32))
            if scan.fault(may_scale) is not None:
                continue
            unit = block / lengths[:, None].astype(np.float32)
            if places is None:
                out.write(unit.data)
            else:
                placed[places[first : scan.rows]] = unit
        if fault := scan.fault(may_scale):
            raise UserError(f"{shown(file.path)}: {fault}")
        if scan.rows < 2:
            raise UserError(f"{shown(file.path)}: one vector; a window takes two or more, give a larger file")
        out.seek(0)
        header = {"descr": "<f4", "fortran_order": False, "shape": (scan.rows, file.dim)}
        np.lib.format.write_array_header_1_0(out, header)
        assert out.tell() == HEADER_BYTES  # or it would lie over the first vectors
        out.flush()
        os.fsync(out.fileno())
    if file.kind == "quantised":  # lengths of 1 are part of what the form means
        scan = replace(scan, off_unit=0, first_off_unit=None, shortest=1.0, longest=1.0)
    if scan.off_unit:
        in_file = np.concatenate(kept)
        stored = np.empty_like(in_file)
        stored[slice(None) if places is None else places] = in_file
        _save(path.with_name("lengths.npy"), stored)
    return scan


def _counted(blocks: Iterator[Floats], total: int, progress: Progress) -> Iterator[Floats]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done, total)


def _save(path: Path, array: npt.NDArray[np.int32] | Floats) -> None:
    with path.open("wb") as out:
        np.save(out, array, allow_pickle=False)
        out.flush()
        os.fsync(out.fileno())


# ------------------------------------------------------------------------------------------------- sequence files


class Joined:
    """The sequence behind the windows of a sequence file, each vector once. Windows of `width` vectors (the context and
    the next one) come in blocks.

    A window continues the one before it if its first vectors are the last vectors of that one, to the bit. It may have
    moved on by any number of vectors; only those after the overlap are new. Otherwise a new piece starts.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[int] = []
        """Row at which each piece starts."""
        self._first_windows: list[int] = []
        """The first window of each piece."""

    def rows(self, blocks: Iterator[Floats]) -> Iterator[Floats]:
        """Yield the rows (b, D) behind windows (b, width, D)."""
        width = self._width
        last: Floats | None = None
        rows = windows = 0
        for block in blocks:
            with_last = block if last is None else np.concatenate([last[None], block])
            new = _moved(with_last, width)
            new = np.concatenate([[width], new]) if last is None else new
            starts = np.flatnonzero(new == width)
            ends = np.cumsum(new)
            self._pieces += (rows + ends[starts] - width).tolist()
            self._first_windows += (windows + starts).tolist()
            yield block[np.arange(width) >= (width - new)[:, None]]
            rows, windows, last = rows + int(ends[-1]), windows + len(block), block[-1]

    def articles(
        self, rows: int, number_of: npt.NDArray[np.int32] | None
    ) -> tuple[Kind, npt.NDArray[np.int32] | None, tuple[str, ...]]:
        """The kind of store, the article or piece of each of the `rows`, and notes; after all rows were read.

        `number_of`: the article of each window, where the file has it.
        """
        lengths = np.diff([*self._pieces, rows])
        notes: tuple[str, ...] = ()
        if number_of is not None:
            named = number_of[self._first_windows]
            articles = len(np.unique(named))
            if articles == len(named):
                return "articles", np.repeat(named, lengths), ()
            notes = (
                f"windows of an article do not all follow each other: {len(named):,} pieces of "
                f"{articles:,} articles, and each piece counts as one article",
            )
        if len(self._pieces) == 1:
            return "sequence", None, notes
        return "pieces", np.repeat(np.arange(len(self._pieces), dtype=np.int32), lengths), notes


def _moved(windows: Floats, width: int) -> Integers:
    """How many vectors each window but the first lies after the one before; `width` where it does not follow it."""
    bits = windows.view(np.uint32)
    moved = np.full(len(windows) - 1, width, np.int64)
    open_ = np.arange(len(windows) - 1)
    for step in range(1, width):
        if not len(open_):
            break
        candidates = open_[(bits[open_ + 1, 0] == bits[open_, step]).all(axis=1)]
        whole = (bits[candidates + 1, : width - step] == bits[candidates, step:]).all(axis=(1, 2))
        moved[candidates[whole]] = step
        open_ = open_[moved[open_] == width]
    return moved
