"""The compact store: a file's vectors as one memory-mapped array of unit rows, each of them once.

A sequence file repeats every vector many times and is packed; a store is made of it once, in one pass, and opened in
milliseconds from then on (`convert.py` makes it). Windows are index arithmetic on it (`windows.py`).

A store is a folder with the first 24 digits of the file's fingerprint as its name; its files: `datasets/<key>/` in
`docs/formats.md`. It can be deleted at any time; it is made again from the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.centre import Centre
from lvmtui.datasets.readers.source import BLOCK_BYTES, FileKind, Floats, Integers
from lvmtui.datasets.vector_files import FileIdentity
from lvmtui.datasets.windows import gather, window_starts
from lvmtui.formats.json_codec import find_document, read_names
from lvmtui.formats.spec import USUAL_CONTEXT
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import signature
from lvmtui.system.text import sanitise

VERSION = 1
HEADER_BYTES = 128
"""Length of the header of vectors.npy: fixed, because it is written last, when the number of rows is known."""
UNIT_TOLERANCE = 0.01
"""How far from 1 the length of a row may be; float16 copies of unit rows are within 0.001."""
ZERO = 1e-12
"""Rows shorter than this have no direction."""
RELEASE_BYTES = 64 << 20
"""Bytes of the map that a pass over it keeps in memory."""
GATHERED_BYTES = 48 << 20
"""Bytes of windows that are copied out of it at a time: a vector is copied once for each window it stands in."""

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
        extremes = [*lengths[finite].tolist(), *(x for x in (self.shortest, self.longest) if x is not None)]

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
        again, off = "leave them out or embed them again", 0 if normalise else self.off_unit
        lengths = f"are not of unit length (from {self.shortest or 0:.4g} to {self.longest or 0:.4g})"
        found = [
            (self.not_finite, self.first_not_finite, "hold NaN or infinite numbers", again),
            (self.zero, self.first_zero, "are zero", again),
            (off, self.first_off_unit, lengths, "add --normalise to scale them to 1"),
        ]
        for count, first, what, remedy in found:
            if count:
                return f"{count:,} of {self.rows:,} vectors {what}, the first is vector {first:,}; {remedy}"
        return None


@dataclass(frozen=True)
class StoreFacts:
    """`store.json`."""

    kind: Kind
    """`articles`: the file names them. `sequence`: all rows follow each other. `pieces`: stretches of a sequence,
    which a sequence file breaks into wherever a row is not the one before moved on by one vector; a file whose windows
    do not overlap at all has pieces of one window."""
    rows: int
    dim: int
    articles: int
    """Articles or pieces; 1 for a sequence."""
    file_kind: FileKind
    file_rows: int
    """Rows of the file's arrays: vectors, or windows in a sequence file."""
    source: FileIdentity
    fingerprint: str
    scan: RowScan
    file_context: int = USUAL_CONTEXT
    """Vectors in each context of a sequence file; it has no windows of a longer one."""
    encoder: str = ""
    """The encoder that the file says made it."""
    notes: tuple[str, ...] = ()
    """What was taken for what in the file, what was done with it, and what was not read."""
    version: int = VERSION


@dataclass(frozen=True)
class Store:
    folder: Path
    facts: StoreFacts
    vectors: Floats
    """(N, D), rows of length 1, read-only, memory-mapped."""
    article_of: npt.NDArray[np.int32] | None
    """(N,) article or piece of each row; None where all rows are one sequence."""
    map: mmap.mmap
    centre: Centre | None = None
    """Blocks and windows are centred by this; `vectors` stay as they are."""

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles by article number, sanitised; empty where the file has none."""
        return read_names(self.folder / "titles.json")

    def place(self, row: int) -> str:
        """A row as people find it in their file: `row 3 of article Albedo`, `row 1,234` without articles."""
        if self.facts.kind != "articles" or self.article_of is None:
            return f"row {row:,}"
        article, titles = int(self.article_of[row]), self.titles
        name = sanitise(titles[article], 60) if article < len(titles) else str(article)
        return f"row {int((self.article_of[:row] == article).sum()):,} of article {name}"

    @property
    def longest_context(self) -> int:
        """The longest context of any window in its file; 0 where no two vectors follow each other."""
        if self.facts.file_kind == "sequences":
            return self.facts.file_context
        if self.article_of is None:
            return self.facts.rows - 1
        borders = np.flatnonzero(np.diff(self.article_of)) + 1
        return int(np.diff(np.concatenate([[0], borders, [self.facts.rows]])).max()) - 1

    def window_starts(
        self, context: int, rows: tuple[int, int] | None = None, *, cross_articles: bool = False
    ) -> Integers:
        """Starts of the windows in `rows` (default: all). `cross_articles` matters only where articles are known:
        pieces do not follow each other. A sequence file has no windows of a longer context than its own."""
        if self.facts.file_kind == "sequences" and context > self.facts.file_context:
            return np.empty(0, np.int64)
        ignore = cross_articles and self.facts.kind == "articles"
        return window_starts(None if ignore else self.article_of, rows or (0, self.facts.rows), context)

    def blocks(self, rows: tuple[int, int] | None = None, *, overlap: int = 0) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, vectors (b, D)) over `rows`, each block followed by up to `overlap` rows of the next.

        The memory of the pass stays flat: what has been read is given back.
        """
        first, stop = rows or (0, self.facts.rows)
        step = max(1, BLOCK_BYTES // (4 * self.facts.dim))
        held = 0
        for row in range(first, stop, step):
            block = self.vectors[row : min(row + step + overlap, stop)]
            yield row, block if self.centre is None else self.centre(block)
            held += block.nbytes
            if held > RELEASE_BYTES:
                self.release()
                held = 0
        self.release()

    def window_blocks(self, starts: Integers, context: int) -> Iterator[tuple[Floats, Integers]]:
        """Yield blocks of vectors (b, D) with the windows' starts in them, in ascending order, in constant memory."""
        if not len(starts):
            return
        span = int(starts[0]), int(starts[-1]) + context + 1
        for row, block in self.blocks(span, overlap=context):
            some = starts[slice(*np.searchsorted(starts, [row, row + len(block) - context]))]
            if len(some):
                yield block, some - row

    def windows(self, starts: Integers, context: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield contexts (b, T, D) and next vectors (b, D) of windows in ascending order, in constant memory."""
        step = max(1, GATHERED_BYTES // (4 * self.facts.dim * (context + 1)))
        for block, some in self.window_blocks(starts, context):
            for first in range(0, len(some), step):
                yield gather(block, some[first : first + step], context)

    def release(self) -> None:
        """Give back the memory that reading the map took; the rows stay where they are and can be read again."""
        with suppress(AttributeError, OSError):  # madvise is not there on every platform, and only a courtesy
            self.map.madvise(mmap.MADV_DONTNEED)


def open_store(folder: Path) -> Store:
    """Open a store. Raises UserError if it is missing or not whole."""
    facts = facts_of(folder)
    if facts is None:
        raise UserError(f"{sanitise(str(folder))}: the compact store is gone or damaged; run the command again")
    with (folder / "vectors.npy").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    vectors = np.frombuffer(mapped, np.float32, facts.rows * facts.dim, HEADER_BYTES).reshape(facts.rows, facts.dim)
    article_of = None if facts.kind == "sequence" else np.load(folder / "articles.npy", allow_pickle=False)
    return Store(folder, facts, vectors, article_of, mapped)


def facts_of(folder: Path) -> StoreFacts | None:
    """What `store.json` says; None if there is no store in this folder, or not all of its files."""
    facts = find_document(StoreFacts, folder / "store.json")
    if facts is None or facts.version != VERSION:
        return None
    vectors, articles = (signature(folder / name)[1] for name in ("vectors.npy", "articles.npy"))
    whole = vectors == HEADER_BYTES + 4 * facts.rows * facts.dim
    return facts if whole and (facts.kind == "sequence" or articles > 4 * facts.rows) else None
