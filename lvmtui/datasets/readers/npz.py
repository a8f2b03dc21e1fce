""".npz and .npy files in the forms of `docs/data.md`, with arrays found by what they are rather than by one name.

How arrays are read that may be damaged or hostile is in `npy.py`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers import articles, npy
from lvmtui.datasets.readers.articles import MOST_TITLES, Articles, Numbers
from lvmtui.datasets.readers.roles import EXPECTED, ONE_ARRAY, PAIRS, Roles, choose_roles, is_float
from lvmtui.datasets.readers.source import ARTICLE_NAMES, BLOCK_BYTES, MOST_NAMED, FileKind, Floats, SourceFacts, shown
from lvmtui.formats.spec import LONGEST_CONTEXT, Reading
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

LARGEST_TITLE = 1 << 20
"""Bytes of one title."""
TOLD_BY_EMBED = {"sources", "encoder", "made_by"}
"""Arrays in which `lvmtui embed` says what it read and how. Nobody needs to hear that they hold no vectors."""


class NpzSource:
    """Vectors in a .npz, or alone in a .npy."""

    def __init__(self, path: Path, reading: Reading, size: int) -> None:
        """Read the headers. Raises UserError that names the file, what is wrong with it and what to do."""
        self._path, self._size = path, size
        with npy.read_errors(path):
            self._plain = not zipfile.is_zipfile(path)
            self._headers, faults = self._read_headers()
        headers = self._headers
        roles = self.roles = choose_roles(shown(path), headers, faults, reading)
        dim = _dim(path, headers, roles)
        main = headers[roles.vectors]
        rows = main.shape[0] * (main.shape[1] if roles.documents else 1)
        contexts = headers[roles.contexts] if roles.contexts else None
        kind: FileKind = "sequences" if contexts else "quantised" if roles.scale else "vectors"
        if self._plain or roles.documents:
            kind = "documents" if roles.documents else "array"
        context, encoder = contexts.shape[1] if contexts else 0, self._text("encoder")
        notes = tuple(_notes(roles, headers, faults))
        self.facts = SourceFacts(path, kind, rows, dim, context=context, encoder=encoder, notes=notes)

    def fingerprint(self) -> str:
        """For .npz made of the checksums and sizes in the zip's directory, which are verified whenever data is read;
        for .npy the file has to be read. Files that earlier versions read in the same way keep their fingerprint."""
        with npy.read_errors(self._path):
            if self._plain:
                with self._path.open("rb") as plain:
                    content = hashlib.file_digest(plain, "sha256").hexdigest()
                return hashlib.sha256(f"{content} documents".encode()).hexdigest() if self.roles.documents else content
            with zipfile.ZipFile(self._path) as archive:
                members = sorted((i.filename, i.CRC, i.file_size) for i in archive.infolist())
        return hashlib.sha256((json.dumps(members) + self._other_reading()).encode()).hexdigest()

    def _other_reading(self) -> str:
        """What is read differently from version 1 of the program; empty if nothing is."""
        roles, first = self.roles, ("vectors", "q", "target_vectors")
        if roles.vectors in first and roles.contexts in ("", PAIRS[0][0]) and not roles.documents:
            by_name = roles.article if roles.article != ARTICLE_NAMES[0] else ""
            return by_name + (f" grouped{roles.order}" if self.articles.places is not None else "")
        return json.dumps({role: name for role, name in asdict(roles).items() if role != "order" or name})

    def blocks(self) -> Iterator[Floats]:
        roles = self.roles
        rows = max(1, BLOCK_BYTES // (4 * self.facts.dim * (self.facts.context + 1)))
        with npy.read_errors(self._path):
            if roles.contexts:
                pairs = [self._floats(name, rows) for name in (roles.contexts, roles.vectors)]
                for contexts, targets in zip(*pairs, strict=True):
                    yield np.concatenate([contexts, targets[:, None]], axis=1)
            elif roles.documents:
                longest = self._headers[roles.vectors].shape[1]
                for documents in self._floats(roles.vectors, max(1, rows // longest)):
                    yield np.concatenate([_without_padding(document) for document in documents])
            elif roles.scale:
                scales = self._floats(roles.scale, rows)
                for block, scale in zip(self._floats(roles.vectors, rows), scales, strict=True):
                    with np.errstate(all="ignore"):  # rows that are not finite are counted later
                        block *= scale[:, None]
                    yield block
            else:
                yield from self._floats(roles.vectors, rows)

    @cached_property
    def articles(self) -> Articles:
        roles = self.roles
        if roles.documents:
            return self._documents()
        if not roles.article:
            return Articles()
        file, rows = shown(self._path), self.facts.rows
        with npy.read_errors(self._path):
            by_row, names = articles.numbered(f"{file}: {roles.article}", rows, self._blocks(roles.article))
            titles = self._article_titles(by_row, names)
            if roles.contexts:  # windows stay in the order of the file, in which they follow each other
                return Articles(by_row, titles)
            order = articles.order_of(file, roles.order, rows, self._blocks(roles.order)) if roles.order else None
        return articles.arranged(by_row, titles, roles.article, order, roles.order)

    def _documents(self) -> Articles:
        """Each entry is an article, without the zero rows that fill it up."""
        lengths: list[int] = []
        with npy.read_errors(self._path):
            for documents in self._floats(self.roles.vectors, 64):
                lengths += [len(_without_padding(document)) for document in documents]
            filled = sum(length < documents.shape[1] for length in lengths)
        note = f"{filled:,} documents are filled up with zero rows at their end, which were left out"
        return Articles(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths), notes=(note,) if filled else ())

    def _article_titles(self, by_row: Numbers, names: list[Any] | None) -> tuple[str, ...]:
        """Titles by article number. The file may have one for each row, or one for each number."""
        if self.roles.titles:
            header = self._headers[self.roles.titles]
            if not 0 < header.dtype.itemsize <= LARGEST_TITLE:
                raise UserError(
                    f"{shown(self._path)}: {self.roles.titles} is {npy.described(header)}, not a list of text; "
                    "save it as dtype str"
                )
            titles = (_title(raw) for block in self._blocks(self.roles.titles) for raw in block.tolist())
            if header.shape[0] == self.facts.rows:
                return articles.titles_of_rows(by_row, titles)
            if names is None:
                return tuple(islice(titles, MOST_TITLES))
        return articles.titles_by_number(names)

    @contextmanager
    def _array(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        """The .npy of an array, and its bytes."""
        if self._plain:
            with self._path.open("rb") as plain:
                yield plain, self._size
            return
        with zipfile.ZipFile(self._path) as archive, archive.open(f"{name}.npy") as stream:
            yield stream, archive.getinfo(f"{name}.npy").file_size

    def _blocks(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """An array of any type, in bounded pieces."""
        with self._array(name) as (stream, size):
            yield from npy.array_blocks(self._path, name, stream, size)

    def _floats(self, name: str, rows: int) -> Iterator[Floats]:
        """The rows of an array, `rows` at a time."""
        with self._array(name) as (stream, size):
            yield from npy.float_blocks(self._path, name, stream, size, rows)

    def _read_headers(self) -> tuple[dict[str, npy.Header], dict[str, str]]:
        """Headers of all arrays, and for those that cannot be read why not."""
        if self._plain:
            with self._array(ONE_ARRAY) as (plain, size):
                return {ONE_ARRAY: npy.read_header(self._path, ONE_ARRAY, plain, size)}, {}
        headers, faults = {}, {}
        with zipfile.ZipFile(self._path) as archive:
            for member in archive.namelist():
                name = member.removesuffix(".npy")
                if name == member:
                    faults[name] = f"{shown(self._path)}: {sanitise(name, 40)} is no array; {EXPECTED} are needed"
                    continue
                try:
                    headers[name] = npy.member_header(self._path, archive, member, self._size)
                except UserError as error:
                    faults[name] = str(error)
        return headers, faults

    def _text(self, name: str) -> str:
        """A text that stands alone in the file, such as the encoder's name; empty where there is none."""
        header = self._headers.get(name)
        if header is None or header.shape != () or header.dtype.kind not in "US":
            return ""
        with npy.read_errors(self._path):
            (block,) = self._blocks(name)
            return articles.article_title(block.item())


def _dim(path: Path, headers: Mapping[str, npy.Header], roles: Roles) -> int:
    """D, after all arrays were held against each other. Raises UserError."""
    main = headers[roles.vectors]
    if roles.documents:
        return npy.matrix(path, roles.vectors, npy.Header((main.shape[0] * main.shape[1], main.shape[2]), main.dtype))
    dim = npy.matrix(path, roles.vectors, main, int8=bool(roles.scale))
    if roles.scale:
        scale = headers[roles.scale]
        if main.dtype != np.int8 or scale.shape != main.shape[:1] or scale.dtype.kind != "f":
            raise UserError(
                f"{shown(path)}: q is {npy.described(main)} and scale {npy.described(scale)}; "
                "int8 (N, D) and float (N,) are needed"
            )
    if roles.contexts:
        contexts = headers[roles.contexts]
        if not is_float(contexts) or len(contexts.shape) != 3:
            raise UserError(
                f"{shown(path)}: {roles.contexts} is {npy.described(contexts)}; floats (N, context, D) are needed"
            )
        if not 1 <= contexts.shape[1] <= LONGEST_CONTEXT:
            raise UserError(
                f"{shown(path)}: a context has {contexts.shape[1]:,} vectors; 1 to {LONGEST_CONTEXT} are taken, "
                f"keep the last {LONGEST_CONTEXT} of each"
            )
        if contexts.shape[0] != main.shape[0] or contexts.shape[2] != dim:
            raise UserError(
                f"{shown(path)}: {roles.contexts} {contexts.shape} and {roles.vectors} {main.shape} do not fit; "
                "(N, context, D) and (N, D) are needed"
            )
    return dim


def _notes(roles: Roles, headers: Mapping[str, npy.Header], faults: Mapping[str, str]) -> Iterator[str]:
    """What was taken for what where names differ from ours, and what is not read."""
    first = {"vectors", "q", "scale", "target_vectors", "context_sequences", "article_id", "titles", ONE_ARRAY}
    taken = {
        "contexts": roles.contexts,
        "targets" if roles.contexts else "vectors": roles.vectors,
        "article": roles.article,
        "order": roles.order,
        "titles": roles.titles,
    }
    other = [f"{sanitise(name, 40)} as {role}" for role, name in taken.items() if name and name not in first]
    if other:
        yield f"read: {', '.join(other)}"
    if roles.documents:
        yield "each entry of the array is one document"
    rest = [sanitise(name, 40) for name in (*headers, *faults) if name not in roles.arrays() | TOLD_BY_EMBED]
    if rest:
        more = f" and {len(rest) - MOST_NAMED} more" if len(rest) > MOST_NAMED else ""
        yield f"not read: {', '.join(rest[:MOST_NAMED])}{more}"


def _without_padding(document: Floats) -> Floats:
    """A document without the zero rows at its end."""
    used = np.flatnonzero(document.any(axis=1))
    return document[: used[-1] + 1 if len(used) else 0]


def _title(raw: str | bytes) -> str:
    """A title is plain text, or a JSON object with one."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    if text.startswith("{"):
        with suppress(ValueError, KeyError, RecursionError):
            text = str(json.loads(text)["title"])
    return articles.article_title(text)
