"""Vector files as people have them: recognised by content, read front to back in bounded pieces.

Four kinds are taken:

- `vectors`: .npz with `vectors` (N, D) of float16, float32 or float64
- `quantised`: .npz with `q` (N, D) int8 and `scale` (N,); the vector is `q * scale`
- `sequences`: .npz with `context_sequences` (N, 5, D) and `target_vectors` (N, D)
- `array`: a plain .npy (N, D)

The first two may carry `article_id` (N,) and `titles`. Nothing a file says about itself is believed before it has been
compared with the size of what is there, no array is read whole but the small ones, and no pickle is ever opened.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

CONTEXT = 5
"""Vectors in a context."""
WIDTH = CONTEXT + 1
"""Vectors in a window: the context and the next one."""

Kind = Literal["vectors", "quantised", "sequences", "array"]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

BLOCK_BYTES = 8 << 20
"""Bytes of an array that are in memory at a time while a file is read."""
LARGEST_DIM = 1 << 16
"""Wider rows than any encoder makes: a claim, not a vector."""
LARGEST_SMALL_ARRAY = 128 << 20
"""Bytes of `scale` or `article_id`, which are read whole: 16 million vectors at 8 bytes each."""
LARGEST_TITLE = 1 << 20
"""Bytes of one title."""
MOST_TITLES = 1_000_000
"""Titles that are kept; articles beyond are called by their number."""
DEFLATE_RATIO = 1032
"""The most deflate can expand (zlib's own figure); a member that claims more is lying."""

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


def shown(path: Path) -> str:
    """The name of a file as it stands in messages."""
    return sanitise(path.name or str(path), 200)


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
    with _read_errors(path), path.open("rb") as file:
        magic = file.read(6)
        if magic == np.lib.format.MAGIC_PREFIX:
            file.seek(0)
            header = _header(path, "the array", file, size)
            dim = _matrix(path, "the array", header)
            return VectorFile(path, "array", header.shape[0], dim, str(header.dtype), size)
    if not magic.startswith(b"PK"):
        raise UserError(f"{shown(path)}: neither .npz nor .npy; save the vectors with numpy.savez or numpy.save")
    with _read_errors(path), zipfile.ZipFile(path) as archive:
        return _recognise_archive(path, archive, size)


def fingerprint(file: VectorFile) -> str:
    """Return 64 hex digits that change when the content does.

    For .npz made of the checksums and sizes in the zip's directory, which are verified whenever the data is read; for
    .npy the file has to be read.
    """
    with _read_errors(file.path):
        if file.kind == "array":
            with file.path.open("rb") as plain:
                return hashlib.file_digest(plain, "sha256").hexdigest()
        with zipfile.ZipFile(file.path) as archive:
            members = sorted((i.filename, i.CRC, i.file_size) for i in archive.infolist())
        return hashlib.sha256(json.dumps(members).encode()).hexdigest()


def vector_blocks(file: VectorFile) -> Iterator[Floats]:
    """Yield the rows (b, D) of a file that is not `sequences`, in order, as they are (not normalised)."""
    rows = _rows_a_block(file)
    with _read_errors(file.path), ExitStack() as stack:
        if file.kind == "array":
            plain = stack.enter_context(file.path.open("rb"))
            yield from _float_blocks(file.path, "the array", plain, file.size, rows)
            return
        archive = stack.enter_context(zipfile.ZipFile(file.path))
        if file.kind == "vectors":
            member = stack.enter_context(archive.open("vectors.npy"))
            yield from _float_blocks(file.path, "vectors", member, archive.getinfo("vectors.npy").file_size, rows)
            return
        scale = _small_array(file.path, archive, "scale").astype(np.float32)
        member = stack.enter_context(archive.open("q.npy"))
        first = 0
        for block in _float_blocks(file.path, "q", member, archive.getinfo("q.npy").file_size, rows):
            with np.errstate(all="ignore"):  # what is not finite is counted by whoever takes the block
                block *= scale[first : first + len(block), None]
            first += len(block)
            yield block


def window_blocks(file: VectorFile) -> Iterator[tuple[Floats, Floats]]:
    """Yield contexts (b, 5, D) and the vectors that follow them (b, D) of a `sequences` file, in order."""
    rows = _rows_a_block(file)
    with _read_errors(file.path), zipfile.ZipFile(file.path) as archive, ExitStack() as stack:
        streams = [
            _float_blocks(
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
    if file.kind in ("sequences", "array"):
        return None, ()
    with _read_errors(file.path), zipfile.ZipFile(file.path) as archive:
        names = archive.namelist()
        if "article_id.npy" not in names:
            return None, ()
        ids = _small_array(file.path, archive, "article_id")
        if ids.shape != (file.rows,) or ids.dtype.kind not in "iu":
            raise UserError(
                f"{file.name}: article_id is {_described(ids)}, not {file.rows:,} whole numbers; "
                "give each vector the number of its article"
            )
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= 1 << 31):
            raise UserError(f"{file.name}: article_id holds numbers below 0 or above 2^31; count articles from 0")
        titles = tuple(_titles(file.path, archive)) if "titles.npy" in names else ()
    return ids.astype(np.int32), titles


# ---------------------------------------------------------------------------------------------- headers


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _recognise_archive(path: Path, archive: zipfile.ZipFile, size: int) -> VectorFile:
    headers = {
        name.removesuffix(".npy"): _member_header(path, archive, name, size)
        for name in archive.namelist()
        if name.endswith(".npy") and name.removesuffix(".npy") in _KNOWN
    }
    if "vectors" in headers:
        dim = _matrix(path, "vectors", headers["vectors"])
        return VectorFile(path, "vectors", headers["vectors"].shape[0], dim, str(headers["vectors"].dtype), size)
    if "q" in headers and "scale" in headers:
        q, scale = headers["q"], headers["scale"]
        dim = _matrix(path, "q", q, kinds="i", what="int8")
        if q.dtype != np.int8 or scale.shape != q.shape[:1] or scale.dtype.kind != "f":
            raise UserError(
                f"{shown(path)}: q is {_described(q)} and scale {_described(scale)}; "
                "int8 (N, D) and float (N,) are needed"
            )
        return VectorFile(path, "quantised", q.shape[0], dim, "int8", size)
    if "context_sequences" in headers and "target_vectors" in headers:
        return _sequences(path, headers["context_sequences"], headers["target_vectors"], size)
    there = ", ".join(sanitise(n, 40) for n in archive.namelist()[:8]) or "nothing"
    raise UserError(f"{shown(path)}: holds no vectors we know; there is: {there}; save {EXPECTED}")


_KNOWN = ("vectors", "q", "scale", "context_sequences", "target_vectors", "article_id", "titles")


def _sequences(path: Path, contexts: _Header, targets: _Header, size: int) -> VectorFile:
    dim = _matrix(path, "target_vectors", targets)
    if contexts.dtype.kind != "f" or len(contexts.shape) != 3:
        raise UserError(
            f"{shown(path)}: context_sequences is {_described(contexts)}; floats (N, {CONTEXT}, D) are needed"
        )
    if contexts.shape[1] != CONTEXT:
        raise UserError(
            f"{shown(path)}: a context has {contexts.shape[1]} vectors, ours {CONTEXT}; make the file with {CONTEXT}"
        )
    if contexts.shape[0] != targets.shape[0] or contexts.shape[2] != dim:
        raise UserError(
            f"{shown(path)}: context_sequences {contexts.shape} and target_vectors {targets.shape} do not fit; "
            f"(N, {CONTEXT}, D) and (N, D) are needed"
        )
    return VectorFile(path, "sequences", targets.shape[0], dim, str(contexts.dtype), size)


def _matrix(path: Path, name: str, header: _Header, kinds: str = "f", what: str = "float16 or float32") -> int:
    """Return D of an array that must be (N, D). Raises UserError."""
    if header.dtype.kind not in kinds or header.dtype.itemsize > 8:
        raise UserError(f"{shown(path)}: {name} is {_described(header)}; {what} is needed, convert it with astype")
    if len(header.shape) != 2:
        raise UserError(f"{shown(path)}: {name} is {_described(header)}; two axes (N, D) are needed")
    rows, dim = header.shape
    if not 1 <= dim <= LARGEST_DIM:
        raise UserError(f"{shown(path)}: {name} has rows of {dim:,} numbers; 1 to {LARGEST_DIM:,} are taken")
    if rows == 0:
        raise UserError(f"{shown(path)}: {name} has no rows; make the file again")
    return dim


def _member_header(path: Path, archive: zipfile.ZipFile, name: str, size: int) -> _Header:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{shown(path)}: packed in a way numpy does not write; save it again with numpy.savez")
    if info.compress_size > size or info.file_size > info.compress_size * DEFLATE_RATIO + 1024:
        raise UserError(
            f"{shown(path)}: {sanitise(name, 40)} claims {info.file_size:,} bytes in a file of {size:,}; "
            "the file is damaged, copy or make it again"
        )
    with archive.open(name) as stream:
        return _header(path, name.removesuffix(".npy"), stream, info.file_size)


def _header(path: Path, name: str, stream: IO[bytes], size: int) -> _Header:
    """Parse the header of a .npy of `size` bytes and leave the stream at the first number."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, column_major, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, column_major, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise UserError(f"{shown(path)}: {name} is in a form for records, not numbers; save a plain array")
    if dtype.hasobject:
        raise UserError(
            f"{shown(path)}: {name} holds pickled Python objects, which are never opened; save numbers or text"
        )
    if column_major and len(shape) > 1:
        raise UserError(
            f"{shown(path)}: {name} is stored by columns; save numpy.ascontiguousarray of it, so that rows can be read"
        )
    claimed, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if any(n < 0 for n in shape) or claimed > there:
        raise UserError(
            f"{shown(path)}: {name} claims {_bytes(claimed)} and {_bytes(there)} are there; "
            "the file is cut or damaged, copy or make it again"
        )
    return _Header(tuple(shape), dtype)


def _described(array: _Header | npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}".replace(",)", ")")


def _bytes(n: int) -> str:
    steps = min((len(str(abs(n))) - 1) // 3, 4)
    return f"{n / 1000**steps:.4g} {('bytes', 'kB', 'MB', 'GB', 'TB')[steps]}"


# ----------------------------------------------------------------------------------------------- reading


def _rows_a_block(file: VectorFile) -> int:
    return max(1, BLOCK_BYTES // (4 * file.dim * (CONTEXT if file.kind == "sequences" else 1)))


def _float_blocks(path: Path, name: str, stream: IO[bytes], size: int, rows: int) -> Iterator[Floats]:
    """Yield `rows` rows at a time as float32, then make sure that the stream, and its checksum, end well."""
    header = _header(path, name, stream, size)
    row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
    left = header.shape[0]
    while left:
        count = min(rows, left)
        data = _read_exactly(stream, count * row_bytes)
        block = np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])
        with np.errstate(all="ignore"):  # too large for float32 becomes infinite, and is counted as such
            yield block.astype(np.float32)
        left -= count
    if stream.read(1):
        raise UserError(f"{shown(path)}: {name} is longer than it says; the file is damaged, copy or make it again")


def _small_array(path: Path, archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    size = archive.getinfo(f"{name}.npy").file_size
    if size > LARGEST_SMALL_ARRAY:
        raise UserError(f"{shown(path)}: {name} takes {_bytes(size)}; at most {_bytes(LARGEST_SMALL_ARRAY)} are taken")
    with archive.open(f"{name}.npy") as stream:
        header = _header(path, name, stream, size)
        data = _read_exactly(stream, math.prod(header.shape) * header.dtype.itemsize)
        if stream.read(1):
            raise UserError(f"{shown(path)}: {name} is longer than it says; copy or make the file again")
    return np.frombuffer(data, header.dtype).reshape(header.shape)


def _titles(path: Path, archive: zipfile.ZipFile) -> Iterator[str]:
    size = archive.getinfo("titles.npy").file_size
    with archive.open("titles.npy") as stream:
        header = _header(path, "titles", stream, size)
        width = header.dtype.itemsize
        if len(header.shape) != 1 or header.dtype.kind not in "US" or not 0 < width <= LARGEST_TITLE:
            raise UserError(f"{shown(path)}: titles is {_described(header)}, not a list of text; save it as dtype str")
        left = min(header.shape[0], MOST_TITLES)
        while left:
            count = min(left, max(1, BLOCK_BYTES // width))
            for raw in np.frombuffer(_read_exactly(stream, count * width), header.dtype).tolist():
                yield _title(raw)
            left -= count


def _read_exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError(f"{count - len(data):,} bytes are missing")
    return data


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


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Say in one line what a broken file does to its readers.

    zipfile, zlib, struct, ast and numpy's header parser raise more than twenty kinds of exception on hostile bytes,
    none of them documented as complete; whatever comes out of reading is a fault of the file.
    """
    try:
        yield
    except (UserError, GeneratorExit):
        raise
    except OSError as error:
        reason = sanitise(error.strerror or str(error), 100)
        raise UserError(f"{shown(path)}: cannot be read ({reason}); check disk and permissions") from None
    except Exception as error:
        reason = sanitise(str(error) or type(error).__name__, 100)
        raise UserError(f"{shown(path)}: damaged or not a vector file ({reason}); copy or make it again") from None
