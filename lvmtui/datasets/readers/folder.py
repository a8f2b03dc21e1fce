"""A folder of .npy files: each is a document, in the order of their names, numbers by value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from lvmtui.datasets.readers.articles import Articles, article_title
from lvmtui.datasets.readers.npy import float_blocks, matrix, read_errors, read_header
from lvmtui.datasets.readers.refusals import refused_folder
from lvmtui.datasets.readers.source import BLOCK_BYTES, Floats, SourceFacts, shown
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from lvmtui.system.files import files_below
from lvmtui.system.text import sanitise


class FolderSource:
    """Documents in files of their own."""

    def __init__(self, path: Path, reading: Reading) -> None:
        """Read all headers. Raises UserError for a folder without documents, and for a document unlike the others."""
        self._path = path
        self._files = files_below(path, (".npy",))
        if not self._files:
            raise refused_folder(path)
        if asked := reading.vectors or reading.article or reading.order:
            raise UserError(
                f"{shown(path)}: a folder of .npy files has no {sanitise(asked, 40)}; leave that option out"
            )
        headers = []
        for file in self._files:
            with read_errors(file), file.open("rb") as plain:
                headers.append(read_header(file, "the array", plain, file.stat().st_size))
        dims = [matrix(file, "the array", header) for file, header in zip(self._files, headers, strict=True)]
        for file, dim in zip(self._files, dims, strict=True):
            if dim != dims[0]:
                raise UserError(
                    f"{shown(file)}: vectors of {dim:,} numbers, {shown(self._files[0])} has {dims[0]:,}; "
                    "embed all documents with one encoder"
                )
        self._rows = [header.shape[0] for header in headers]
        others = sorted({p.suffix.lower() or "no suffix" for p in path.rglob("*") if p.is_file()} - {".npy"})
        notes = [f"each of the {len(self._files):,} files is one document, in the order of their names"]
        if others:
            notes.append(f"not read: files of {', '.join(sanitise(name, 20) for name in others[:8])}")
        self.facts = SourceFacts(path, "documents", sum(self._rows), dims[0], notes=tuple(notes))

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for file in self._files:
            with read_errors(file), file.open("rb") as plain:
                digest.update(str(file.relative_to(self._path)).encode(errors="surrogateescape"))
                digest.update(hashlib.file_digest(plain, "sha256").digest())
        return digest.hexdigest()

    def blocks(self) -> Iterator[Floats]:
        rows = max(1, BLOCK_BYTES // (4 * self.facts.dim))
        for file in self._files:
            with read_errors(file), file.open("rb") as plain:
                yield from float_blocks(file, "the array", plain, file.stat().st_size, rows)

    @cached_property
    def articles(self) -> Articles:
        titles = tuple(article_title(str(file.relative_to(self._path).with_suffix(""))) for file in self._files)
        return Articles(np.repeat(np.arange(len(self._rows), dtype=np.int32), self._rows), titles)
