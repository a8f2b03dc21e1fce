"""The compact store: a file's vectors as one memory-mapped array of unit rows, each of them once.

A sequence file repeats every vector six times and is packed; a store is made of it once, in one pass, and opened in
milliseconds from then on. Windows are index arithmetic on it (windows.py). A store is

    artifacts/lvm/datasets/<first 24 digits of the file's fingerprint>/
        vectors.npy     float32 (N, D), rows of length 1
        articles.npy    int32 (N,), the article or piece of each row; missing where all rows are one sequence
        titles.json     the articles' titles, where the file has them
        store.json      `StoreFacts`

It is written beside under a lock and renamed when complete: an interruption, a full disk or a second process at the
same time leaves either no store or a whole one. It can be deleted at any time; the file makes it again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lvmtui.datasets import formats
from lvmtui.datasets.formats import CONTEXT, WIDTH, Floats, Identity, Integers, VectorFile
from lvmtui.datasets.npy import shown
from lvmtui.datasets.windows import gather, window_starts
from lvmtui.formats.json_codec import dump_document, encode, find_document
from lvmtui.formats.paths import Workspace
from lvmtui.system.errors import UserError
from lvmtui.system.files import read_json, replace_file, sync_folder, try_lock
from lvmtui.system.text import sanitise

VERSION = 1
READER = 2
"""Counted up when files are read in another way, so that each is looked at again."""
HEADER_BYTES = 128
"""Of vectors.npy: fixed, because it is written last, when the number of rows is known."""
UNIT_TOLERANCE = 0.01
"""How far from 1 the length of a row may be; float16 copies of unit rows are within 0.001."""
ZERO = 1e-12
"""Rows shorter than this have no direction."""
RELEASE_BYTES = 64 << 20
"""Bytes of the map that a pass over it keeps in memory."""

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""
Kind = Literal["articles", "sequence", "pieces"]


@dataclass(frozen=True)
class RowScan:
    """What was seen of the rows as they stood in the file. `first_*` are rows of the store, None if there is none."""

    rows: int = 0
    not_finite: int = 0
    first_not_finite: int | None = None
    zero: int = 0
    first_zero: int | None = None
    off_unit: int = 0
    """Finite rows whose length is more than UNIT_TOLERANCE from 1."""
    first_off_unit: int | None = None
    shortest: float | None = None
    longest: float | None = None

    def plus(self, lengths: npt.NDArray[np.float64]) -> RowScan:
        """The scan after rows of these lengths."""
        finite = np.isfinite(lengths)
        zero = finite & (lengths < ZERO)
        off = finite & ~zero & (np.abs(lengths - 1) > UNIT_TOLERANCE)
        seen = lengths[finite].tolist()
        extremes = [*seen, *(x for x in (self.shortest, self.longest) if x is not None)]

        def first(known: int | None, marked: npt.NDArray[np.bool_]) -> int | None:
            return known if known is not None or not marked.any() else self.rows + int(marked.argmax())

        return RowScan(
            rows=self.rows + len(lengths),
            not_finite=self.not_finite + int((~finite).sum()),
            first_not_finite=first(self.first_not_finite, ~finite),
            zero=self.zero + int(zero.sum()),
            first_zero=first(self.first_zero, zero),
            off_unit=self.off_unit + int(off.sum()),
            first_off_unit=first(self.first_off_unit, off),
            shortest=min(extremes, default=None),
            longest=max(extremes, default=None),
        )

    def fault(self, normalise: bool) -> str | None:
        """What is wrong with the rows and what to do, or None."""
        if self.not_finite:
            return (
                f"{self.not_finite:,} of {self.rows:,} vectors hold NaN or infinite numbers, the first is vector "
                f"{self.first_not_finite:,}; leave them out or embed them again"
            )
        if self.zero:
            return (
                f"{self.zero:,} of {self.rows:,} vectors are zero, the first is vector {self.first_zero:,}; "
                "leave them out or embed them again"
            )
        if self.off_unit and not normalise:
            return (
                f"{self.off_unit:,} of {self.rows:,} vectors are not of unit length (from {self.shortest:.4g} to "
                f"{self.longest:.4g}), the first is vector {self.first_off_unit:,}; add --normalise to scale them to 1"
            )
        return None


@dataclass(frozen=True)
class StoreFacts:
    """`store.json`."""

    kind: Kind
    """`articles`: the file names them. `sequence`: all rows follow each other. `pieces`: stretches of a sequence,
    which a sequence file breaks into wherever a row is not the one before moved on by one vector; a file whose windows
    do not overlap at all has pieces of six."""
    rows: int
    dim: int
    articles: int
    """Articles or pieces; 1 for a sequence."""
    file_kind: formats.Kind
    file_rows: int
    """Rows of the file's arrays: vectors, or windows in a sequence file."""
    source: Identity
    fingerprint: str
    scan: RowScan
    version: int = VERSION


@dataclass(frozen=True)
class Store:
    """An open store."""

    folder: Path
    facts: StoreFacts
    vectors: Floats
    """(N, D), rows of length 1, read-only, memory-mapped."""
    article_of: npt.NDArray[np.int32] | None
    """(N,) article or piece of each row; None where all rows are one sequence."""
    map: mmap.mmap

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles by article number, sanitised; empty where the file has none."""
        return tuple(str(title) for title in read_json(self.folder / "titles.json") or ())

    @property
    def loose_windows(self) -> bool:
        """The file's windows hardly follow each other: most pieces are single windows."""
        return self.facts.kind == "pieces" and self.facts.rows < 2 * WIDTH * self.facts.articles

    def window_starts(self, rows: tuple[int, int] | None = None, *, cross_articles: bool = False) -> Integers:
        """Starts of the windows in `rows` (default: all). `cross_articles` matters only where articles are known:
        pieces do not follow each other."""
        ignore = cross_articles and self.facts.kind == "articles"
        return window_starts(None if ignore else self.article_of, rows or (0, self.facts.rows))

    def blocks(self, rows: tuple[int, int] | None = None, *, overlap: int = 0) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, vectors (b, D)) over `rows`, each block followed by up to `overlap` rows of the next.

        The memory of the pass stays flat: what has been read is given back.
        """
        first, stop = rows or (0, self.facts.rows)
        step = max(1, formats.BLOCK_BYTES // (4 * self.facts.dim))
        held = 0
        for row in range(first, stop, step):
            block = self.vectors[row : min(row + step + overlap, stop)]
            yield row, block
            held += block.nbytes
            if held > RELEASE_BYTES:
                self.release()
                held = 0
        self.release()

    def windows(self, starts: Integers) -> Iterator[tuple[Floats, Floats]]:
        """Yield contexts (b, 5, D) and next vectors (b, D) of windows in ascending order, with flat memory."""
        if not len(starts):
            return
        span = int(starts[0]), int(starts[-1]) + WIDTH
        for row, block in self.blocks(span, overlap=CONTEXT):
            some = starts[slice(*np.searchsorted(starts, [row, row + len(block) - CONTEXT]))]
            if len(some):
                yield gather(block, some - row)

    def release(self) -> None:
        """Give back the memory that reading the map took; the rows stay where they are and can be read again."""
        with suppress(AttributeError, OSError):  # madvise is not there on every platform, and only a courtesy
            self.map.madvise(mmap.MADV_DONTNEED)


def convert(path: Path, workspace: Path, *, normalise: bool = False, progress: Progress | None = None) -> Store:
    """Return the store of a vector file, made now if it is not there yet.

    A file is known again by path, size, time and inode, otherwise by its fingerprint. Raises UserError for anything
    that is wrong with the file, for an unwritable workspace and for a full disk; then nothing
    stays behind.
    """
    datasets = Workspace(workspace).datasets
    identity = formats.identify(path)
    store = _seen(datasets, identity)
    if store is None:
        file = formats.recognise(path)
        fingerprint = formats.fingerprint(file)
        folder = datasets / fingerprint[:24]
        with _write_errors(datasets):
            datasets.mkdir(parents=True, exist_ok=True)
            if not _whole(folder):
                with _only_writer(datasets):
                    if not _whole(folder):
                        _write(file, folder, identity, fingerprint, normalise, progress or (lambda done, total: None))
            _remember(datasets, identity, folder)
        store = open_store(folder)
    if fault := store.facts.scan.fault(normalise or store.facts.file_kind == "quantised"):
        raise UserError(f"{shown(path)}: {fault}")
    return store


def source_fault(path: Path, store: Store) -> str | None:
    """Has the file changed since its store was made, or gone? One line that says so, or None."""
    try:
        seen = _seen(store.folder.parent, formats.identify(path))
        if seen is not None and seen.folder == store.folder:
            return None
        if formats.fingerprint(formats.recognise(path)) == store.facts.fingerprint:
            return None
    except UserError as error:
        return str(error)
    return f"{shown(path)}: changed since it was read; start a new campaign with it"


def open_store(folder: Path) -> Store:
    """Open a store. Raises UserError if it is missing or not whole."""
    facts = _facts(folder)
    if facts is None or not _whole(folder):
        raise UserError(f"{sanitise(str(folder))}: the compact store is gone or damaged; run the command again")
    with (folder / "vectors.npy").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    vectors = np.frombuffer(mapped, np.float32, facts.rows * facts.dim, HEADER_BYTES).reshape(facts.rows, facts.dim)
    article_of = None if facts.kind == "sequence" else np.load(folder / "articles.npy", allow_pickle=False)
    return Store(folder, facts, vectors, article_of, mapped)


# ----------------------------------------------------------------------------------------------- finding again


def _facts(folder: Path) -> StoreFacts | None:
    facts = find_document(StoreFacts, folder / "store.json")
    return facts if facts and facts.version == VERSION else None


def _whole(folder: Path) -> bool:
    facts = _facts(folder)
    if facts is None:
        return False
    try:
        size = (folder / "vectors.npy").stat().st_size
        articles = facts.kind == "sequence" or (folder / "articles.npy").stat().st_size > 4 * facts.rows
    except OSError:
        return False
    return articles and size == HEADER_BYTES + 4 * facts.rows * facts.dim


def _note(datasets: Path, identity: Identity) -> Path:
    text = json.dumps([identity.path, identity.size, identity.mtime_ns, identity.inode, READER])
    return datasets / "seen" / hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:24]


def _seen(datasets: Path, identity: Identity) -> Store | None:
    try:
        folder = datasets / _note(datasets, identity).read_text().strip()
    except (OSError, ValueError):
        return None
    return open_store(folder) if folder.parent == datasets and _whole(folder) else None


def _remember(datasets: Path, identity: Identity, folder: Path) -> None:
    note = _note(datasets, identity)
    note.parent.mkdir(exist_ok=True)
    replace_file(note, folder.name.encode() + b"\n", durable=False)


# ---------------------------------------------------------------------------------------------------- writing

STUCK_SECONDS = 180.0
"""Another process that converts writes many times a second, and at the end waits for the disk; one that does not write
for this long is not at work."""


@contextmanager
def _only_writer(datasets: Path) -> Iterator[None]:
    """Be the only process that writes stores here; what writers that died have left is removed."""
    lock, since, last = None, time.monotonic(), -1
    while (lock := try_lock(datasets / ".lock")) is None:
        size = sum(_size(p) for p in datasets.glob(".*.part/*"))
        if size != last:
            since, last = time.monotonic(), size
        if time.monotonic() - since > STUCK_SECONDS:
            raise UserError(f"{sanitise(str(datasets))}: another process converts here and does not move on; end it")
        time.sleep(0.05)
    try:
        for part in datasets.glob(".*.part"):
            shutil.rmtree(part, ignore_errors=True)
        yield
    finally:
        lock.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _write_errors(datasets: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = "free some space or choose another --workspace" if full else "choose a --workspace you may write to"
        reason = error.strerror or type(error).__name__
        raise UserError(f"{sanitise(str(datasets))}: cannot be written ({reason}); {cure}") from None


def _write(
    file: VectorFile, folder: Path, identity: Identity, fingerprint: str, normalise: bool, progress: Progress
) -> None:
    """Make the store in a folder beside, then rename. Raises UserError, OSError."""
    room = shutil.disk_usage(folder.parent).free
    needed = 4 * file.rows * file.dim
    if needed > room:
        raise UserError(
            f"{file.name}: its vectors take {needed / 1e9:.1f} GB and {room / 1e9:.1f} GB are free; "
            "free some space or choose another --workspace"
        )
    article_of, titles = formats.articles(file)
    part = folder.parent / f".{folder.name}.part"
    part.mkdir()
    try:
        if file.kind == "sequences":
            blocks, pieces = _joined(file, progress)
        else:
            blocks, pieces = _plain(file, progress), []
        scan = _write_vectors(part / "vectors.npy", blocks, file, normalise)
        kind: Kind = "sequence"
        if file.kind == "sequences" and len(pieces) > 1:
            kind, article_of = "pieces", np.repeat(np.arange(len(pieces)), np.diff([*pieces, scan.rows]))
        elif article_of is not None:
            kind = "articles"
        if article_of is not None:
            _save(part / "articles.npy", article_of.astype(np.int32))
        if titles:
            replace_file(part / "titles.json", json.dumps(titles).encode())
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
        )
        replace_file(part / "store.json", dump_document(encode(facts)))
        if formats.identify(file.path) != identity:
            raise UserError(f"{file.name}: changed while it was read; wait until it is complete and try again")
        sync_folder(part)
        shutil.rmtree(folder, ignore_errors=True)  # not whole, or we would not be here
        os.rename(part, folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_vectors(path: Path, blocks: Iterator[Floats], file: VectorFile, normalise: bool) -> RowScan:
    """Write the rows at unit length; the header comes last. Once a row is faulty, rows are only counted."""
    may_scale = normalise or file.kind == "quantised"
    scan = RowScan()
    with path.open("wb") as out:
        out.write(bytes(HEADER_BYTES))
        for block in blocks:
            lengths = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64))
            scan = scan.plus(lengths)
            if scan.fault(may_scale) is None:
                out.write((block / lengths[:, None].astype(np.float32)).data)
        if fault := scan.fault(may_scale):
            raise UserError(f"{file.name}: {fault}")
        if scan.rows < WIDTH:
            raise UserError(f"{file.name}: {scan.rows} vectors; a window takes {WIDTH}, give a larger file")
        out.seek(0)
        out.write(_npy_header(scan.rows, file.dim))
        out.flush()
        os.fsync(out.fileno())
    if file.kind == "quantised":  # lengths of 1 are part of what the form means
        scan = replace(scan, off_unit=0, first_off_unit=None, shortest=1.0, longest=1.0)
    return scan


def _plain(file: VectorFile, progress: Progress) -> Iterator[Floats]:
    done = 0
    for block in formats.vector_blocks(file):
        yield block
        done += len(block)
        progress(done, file.rows)


def _joined(file: VectorFile, progress: Progress) -> tuple[Iterator[Floats], list[int]]:
    """The sequence behind the windows: each vector once. Also the rows at which its pieces start, filled on the way.

    Window i goes on from window i - 1 if its context is that one's moved by one vector, to the bit. Then only its
    target is new; otherwise a piece starts and all six vectors are.
    """
    pieces: list[int] = []

    def blocks() -> Iterator[Floats]:
        last: Floats | None = None  # the five vectors a following window would start with
        rows = done = 0
        for contexts, targets in formats.window_blocks(file):
            expected = np.empty_like(contexts)
            expected[1:, : CONTEXT - 1] = contexts[:-1, 1:]
            expected[1:, CONTEXT - 1] = targets[:-1]
            expected[0] = contexts[0] if last is None else last
            starts = (contexts.view(np.uint32) != expected.view(np.uint32)).any(axis=(1, 2))
            starts[0] |= last is None
            places = np.cumsum(np.where(starts, WIDTH, 1)) - 1  # of the targets among the new rows
            new = np.empty((int(places[-1]) + 1, file.dim), np.float32)
            new[places] = targets
            for back in range(CONTEXT):
                new[places[starts] - CONTEXT + back] = contexts[starts, back]
            pieces.extend((rows + places[starts] - CONTEXT).tolist())
            yield new
            last = np.concatenate([contexts[-1, 1:], targets[-1:]])
            rows, done = rows + len(new), done + len(targets)
            progress(done, file.rows)

    return blocks(), pieces


def _npy_header(rows: int, dim: int) -> bytes:
    words = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}".encode()
    text = words.ljust(HEADER_BYTES - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _save(path: Path, array: npt.NDArray[np.int32]) -> None:
    with path.open("wb") as out:
        np.save(out, array, allow_pickle=False)
        out.flush()
        os.fsync(out.fileno())
