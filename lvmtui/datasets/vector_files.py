"""Vector files as people have them: recognised by content, read front to back in bounded pieces.

Four kinds are taken:

- `vectors`: .npz with `vectors` (N, D) of float16, float32 or float64
- `quantised`: .npz with `q` (N, D) int8 and `scale` (N,); the vector is `q * scale`
- `sequences`: .npz with `context_sequences` (N, T, D) and `target_vectors` (N, D)
- `array`: a plain .npy (N, D)

The first two may carry the article of each row (N,), numbers or text, under one of the names in ID_NAMES, and `titles`.
How arrays are read from files that may be damaged or hostile is in `npy.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.npy import (
    Floats,
    Header,
    described,
    float_blocks,
    matrix,
    member_header,
    read_errors,
    read_exactly,
    read_header,
    shown,
    small_array,
)
from lvmtui.formats.spec import LONGEST_CONTEXT
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

Kind = Literal["vectors", "quantised", "sequences", "array"]

BLOCK_BYTES = 8 << 20
"""Bytes of an array that are in memory at a time while a file is read."""
LARGEST_TITLE = 1 << 20
"""Bytes of one title."""
MOST_TITLES = 1_000_000
"""Titles that are kept; articles beyond are called by their number."""

ID_NAMES = ("article_id", "article_ids", "article_indices", "doc_id", "doc_ids")
"""Arrays that may name the article of each row; the first that is there is used."""
NAMED = 8
"""Arrays that are named, of more."""
EXPECTED = "`vectors`, or `q` and `scale`, or `context_sequences` and `target_vectors`"


@dataclass(frozen=True)
class VectorFile:
    """A recognised file: what its headers say, compared with its size."""

    path: Path
    kind: Kind
    rows: int
    """Vectors; in `sequences` windows."""
    dim: int
    dtype: str
    size: int
    """Bytes on disk."""
    ids: str = ""
    """Name of the array of article ids; empty where there is none."""
    unread: tuple[str, ...] = ()
    """What else the file holds and nobody reads, sanitised."""
    context: int = 0
    """Vectors in each context of a `sequences` file; 0 of others."""

    @property
    def name(self) -> str:
        return shown(self.path)


@dataclass(frozen=True)
class Identity:
    """What tells without reading it that a file is the one seen before."""

    path: str
    size: int
    mtime_ns: int
    inode: int


def identify(path: Path) -> Identity:
    """Look at the file's place. Raises UserError where there is no ordinary, readable, non-empty file."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{shown(path)}: is a folder; name the .npz or .npy file in it")
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{shown(path)}: not an ordinary file; save the vectors to a .npz or .npy file")
        if status.st_size == 0:
            raise UserError(f"{shown(path)}: the file is empty; copy or make it again")
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        raise UserError(f"{sanitise(str(path))}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{sanitise(str(path))}: cannot be opened ({reason}); check path and permissions") from None
    return Identity(os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ino)


def recognise(path: Path) -> VectorFile:
    """Read the headers of `path`. Raises UserError that names the file, what is wrong with it and what to do."""
    size = identify(path).size
    with read_errors(path), path.open("rb") as file:
        magic = file.read(6)
        if magic == np.lib.format.MAGIC_PREFIX:
            file.seek(0)
            header = read_header(path, "the array", file, size)
            dim = matrix(path, "the array", header)
            return VectorFile(path, "array", header.shape[0], dim, str(header.dtype), size)
    if not magic.startswith(b"PK"):
        raise UserError(f"{shown(path)}: neither .npz nor .npy; save the vectors with numpy.savez or numpy.save")
    with read_errors(path), zipfile.ZipFile(path) as archive:
        found = _recognise_archive(path, archive, size)
        found = replace(found, ids=_ids(found, archive))
        return replace(found, unread=_unread(found, archive))


def unread_arrays(path: Path) -> tuple[str, ...]:
    """What a file holds that nobody reads, sanitised; nothing where it cannot be read."""
    try:
        return recognise(path).unread
    except UserError:
        return ()


def fingerprint(file: VectorFile) -> str:
    """Return 64 hex digits that change when the content does.

    For .npz made of the checksums and sizes in the zip's directory, which are verified whenever the data is read; for
    .npy the file has to be read.
    """
    with read_errors(file.path):
        if file.kind == "array":
            with file.path.open("rb") as plain:
                return hashlib.file_digest(plain, "sha256").hexdigest()
        with zipfile.ZipFile(file.path) as archive:
            members = sorted((i.filename, i.CRC, i.file_size) for i in archive.infolist())
    # An earlier version did not read ids of other names: its store of the file is another one.
    other_ids = file.ids if file.ids != ID_NAMES[0] else ""
    return hashlib.sha256((json.dumps(members) + other_ids).encode()).hexdigest()


def vector_blocks(file: VectorFile) -> Iterator[Floats]:
    """Yield the rows (b, D) of a file that is not `sequences`, in order, as they are (not normalised)."""
    rows = _rows_a_block(file)
    with read_errors(file.path), ExitStack() as stack:
        if file.kind == "array":
            plain = stack.enter_context(file.path.open("rb"))
            yield from float_blocks(file.path, "the array", plain, file.size, rows)
            return
        archive = stack.enter_context(zipfile.ZipFile(file.path))
        if file.kind == "vectors":
            member = stack.enter_context(archive.open("vectors.npy"))
            yield from float_blocks(file.path, "vectors", member, archive.getinfo("vectors.npy").file_size, rows)
            return
        scale = small_array(file.path, archive, "scale").astype(np.float32)
        member = stack.enter_context(archive.open("q.npy"))
        first = 0
        for block in float_blocks(file.path, "q", member, archive.getinfo("q.npy").file_size, rows):
            with np.errstate(all="ignore"):  # rows that are not finite are counted later
                block *= scale[first : first + len(block), None]
            first += len(block)
            yield block


def window_blocks(file: VectorFile) -> Iterator[tuple[Floats, Floats]]:
    """Yield contexts (b, T, D) and the vectors that follow them (b, D) of a `sequences` file, in order."""
    rows = _rows_a_block(file)
    with read_errors(file.path), zipfile.ZipFile(file.path) as archive, ExitStack() as stack:
        streams = [
            float_blocks(
                file.path,
                name,
                stack.enter_context(archive.open(f"{name}.npy")),
                archive.getinfo(f"{name}.npy").file_size,
                rows,
            )
            for name in ("context_sequences", "target_vectors")
        ]
        yield from zip(*streams, strict=True)


def articles(file: VectorFile) -> tuple[npt.NDArray[np.int32] | None, tuple[str, ...]]:
    """Return the article of each row (N,), or None, and the articles' titles by that number, sanitised."""
    if not file.ids:
        return None, ()
    with read_errors(file.path), zipfile.ZipFile(file.path) as archive:
        ids = small_array(file.path, archive, file.ids)
        if ids.shape != (file.rows,) or ids.dtype.kind not in "iuUS":
            raise UserError(
                f"{file.name}: {file.ids} is {described(ids)}, not {file.rows:,} whole numbers or names; "
                "give each vector the number of its article"
            )
        if ids.dtype.kind in "US":
            return _numbered(ids)
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= 1 << 31):
            raise UserError(f"{file.name}: {file.ids} holds numbers below 0 or above 2^31; count articles from 0")
        titles = tuple(_titles(file.path, archive)) if "titles.npy" in archive.namelist() else ()
    return ids.astype(np.int32), titles


def _numbered(ids: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """Number articles that are named by text in the order in which they first come; the names are their titles."""
    names, first, number = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place[number], tuple(_title(name) for name in names[order][:MOST_TITLES].tolist())


def _ids(file: VectorFile, archive: zipfile.ZipFile) -> str:
    """The name of the array of article ids. Under its own name any array is taken, under others one that fits."""
    if file.kind == "sequences":
        return ""
    there = [name for name in ID_NAMES if f"{name}.npy" in archive.namelist()]
    for name in there:
        if name == ID_NAMES[0]:
            return name
        try:
            found = member_header(file.path, archive, f"{name}.npy", file.size)
        except UserError:
            continue
        if found.shape == (file.rows,) and found.dtype.kind in "iuUS":
            return name
    return ""


def _unread(file: VectorFile, archive: zipfile.ZipFile) -> tuple[str, ...]:
    """Names of what the file holds beside what we read."""
    read = {
        "vectors": ("vectors",),
        "quantised": ("q", "scale"),
        "sequences": ("context_sequences", "target_vectors"),
        "array": (),
    }[file.kind]
    used = {*read, file.ids, *(("titles",) if file.ids else ())}
    names = [name.removesuffix(".npy") for name in archive.namelist()]
    others = [sanitise(name, 40) for name in names if name not in used]
    more = [f"{len(others) - NAMED} more"] if len(others) > NAMED else []
    return (*others[:NAMED], *more)


def _recognise_archive(path: Path, archive: zipfile.ZipFile, size: int) -> VectorFile:
    headers = {
        name.removesuffix(".npy"): member_header(path, archive, name, size)
        for name in archive.namelist()
        if name.endswith(".npy") and name.removesuffix(".npy") in _KNOWN
    }
    if "vectors" in headers:
        dim = matrix(path, "vectors", headers["vectors"])
        return VectorFile(path, "vectors", headers["vectors"].shape[0], dim, str(headers["vectors"].dtype), size)
    if "q" in headers and "scale" in headers:
        q, scale = headers["q"], headers["scale"]
        dim = matrix(path, "q", q)
        if q.dtype != np.int8 or scale.shape != q.shape[:1] or scale.dtype.kind != "f":
            raise UserError(
                f"{shown(path)}: q is {described(q)} and scale {described(scale)}; "
                "int8 (N, D) and float (N,) are needed"
            )
        return VectorFile(path, "quantised", q.shape[0], dim, "int8", size)
    if "context_sequences" in headers and "target_vectors" in headers:
        return _sequences(path, headers["context_sequences"], headers["target_vectors"], size)
    there = ", ".join(sanitise(n, 40) for n in archive.namelist()[:8]) or "nothing"
    raise UserError(f"{shown(path)}: holds no vectors we know; there is: {there}; save {EXPECTED}")


_KNOWN = ("vectors", "q", "scale", "context_sequences", "target_vectors", "article_id", "titles")


def _sequences(path: Path, contexts: Header, targets: Header, size: int) -> VectorFile:
    dim = matrix(path, "target_vectors", targets)
    if contexts.dtype.kind != "f" or len(contexts.shape) != 3:
        raise UserError(f"{shown(path)}: context_sequences is {described(contexts)}; floats (N, T, D) are needed")
    if not 1 <= contexts.shape[1] <= LONGEST_CONTEXT:
        raise UserError(
            f"{shown(path)}: a context has {contexts.shape[1]:,} vectors; 1 to {LONGEST_CONTEXT} are taken, "
            f"keep the last {LONGEST_CONTEXT} of each"
        )
    if contexts.shape[0] != targets.shape[0] or contexts.shape[2] != dim:
        raise UserError(
            f"{shown(path)}: context_sequences {contexts.shape} and target_vectors {targets.shape} do not fit; "
            "(N, T, D) and (N, D) are needed"
        )
    return VectorFile(path, "sequences", targets.shape[0], dim, str(contexts.dtype), size, context=contexts.shape[1])


def _rows_a_block(file: VectorFile) -> int:
    return max(1, BLOCK_BYTES // (4 * file.dim * max(1, file.context)))


def _titles(path: Path, archive: zipfile.ZipFile) -> Iterator[str]:
    size = archive.getinfo("titles.npy").file_size
    with archive.open("titles.npy") as stream:
        header = read_header(path, "titles", stream, size)
        width = header.dtype.itemsize
        if len(header.shape) != 1 or header.dtype.kind not in "US" or not 0 < width <= LARGEST_TITLE:
            raise UserError(f"{shown(path)}: titles is {described(header)}, not a list of text; save it as dtype str")
        left = min(header.shape[0], MOST_TITLES)
        while left:
            count = min(left, max(1, BLOCK_BYTES // width))
            for raw in np.frombuffer(read_exactly(stream, count * width), header.dtype).tolist():
                yield _title(raw)
            left -= count


def _title(raw: str | bytes) -> str:
    """A title is plain text, or a JSON object with one."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    if text.startswith("{"):
        try:
            named = json.loads(text)
            text = str(named["title"]) if isinstance(named, dict) and "title" in named else text
        except (ValueError, RecursionError):
            pass
    return sanitise(text, 200)
