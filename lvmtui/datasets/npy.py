"""Arrays in .npy and .npz files that may be damaged or hostile.

Nothing a file says about itself is believed before it has been compared with the size of what is there, large arrays
are read in bounded pieces, and no pickle is ever opened. Everything that is wrong becomes a `UserError` of one line.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

LARGEST_DIM = 1 << 16
"""Wider rows than any encoder makes: a claim, not a vector."""
LARGEST_SMALL_ARRAY = 128 << 20
"""Bytes of `scale` or `article_id`, which are read whole: 16 million vectors at 8 bytes each."""
DEFLATE_RATIO = 1032
"""The most deflate can expand (zlib's own figure); a member that claims more is lying."""


def shown(path: Path) -> str:
    """The name of a file as it stands in messages."""
    return sanitise(path.name or str(path), 200)


@dataclass(frozen=True)
class Header:
    """What a .npy says about its array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def matrix(path: Path, name: str, header: Header) -> int:
    """Return D of an array that must be (N, D) of floats, or of int8 for `q`. Raises UserError."""
    kinds, what = ("i", "int8") if name == "q" else ("f", "float16 or float32")
    if header.dtype.kind not in kinds or header.dtype.itemsize > 8:
        raise UserError(f"{shown(path)}: {name} is {described(header)}; {what} is needed, {_conversion(name, header)}")
    if len(header.shape) != 2:
        raise UserError(f"{shown(path)}: {name} is {described(header)}; two axes (N, D) are needed")
    rows, dim = header.shape
    if not 1 <= dim <= LARGEST_DIM:
        raise UserError(f"{shown(path)}: {name} has rows of {dim:,} numbers; 1 to {LARGEST_DIM:,} are taken")
    if rows == 0:
        raise UserError(f"{shown(path)}: {name} has no rows; make the file again")
    return dim


def _conversion(name: str, header: Header) -> str:
    """What to do with numbers of another format."""
    kind, size = header.dtype.kind, header.dtype.itemsize
    if name == "q":
        return "save q * scale[:, None] as `vectors` in float32"
    if kind == "V" and size == 2:
        return f"if it is bfloat16, save ({name}.view('uint16').astype('uint32') << 16).view('float32')"
    if kind in "iu":
        return f"save {name}.astype('float32'), multiplied by its scale if it is quantised"
    if kind == "f":
        return f"save {name}.astype('float32')"
    return "save real numbers as float32"


def member_header(path: Path, archive: zipfile.ZipFile, name: str, size: int) -> Header:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{shown(path)}: packed in a way numpy does not write; save it again with numpy.savez")
    if info.compress_size > size or info.file_size > info.compress_size * DEFLATE_RATIO + 1024:
        raise UserError(
            f"{shown(path)}: {sanitise(name, 40)} claims {info.file_size:,} bytes in a file of {size:,}; "
            "the file is damaged, copy or make it again"
        )
    with archive.open(name) as stream:
        return read_header(path, name.removesuffix(".npy"), stream, info.file_size)


def read_header(path: Path, name: str, stream: IO[bytes], size: int) -> Header:
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
            f"{shown(path)}: {name} claims {in_bytes(claimed)} and {in_bytes(there)} are there; "
            "the file is cut or damaged, copy or make it again"
        )
    return Header(tuple(shape), dtype)


def described(array: Header | npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}".replace(",)", ")")


def in_bytes(n: int) -> str:
    steps = min((len(str(abs(n))) - 1) // 3, 4)
    return f"{n / 1000**steps:.4g} {('bytes', 'kB', 'MB', 'GB', 'TB')[steps]}"


def float_blocks(path: Path, name: str, stream: IO[bytes], size: int, rows: int) -> Iterator[Floats]:
    """Yield `rows` rows at a time as float32, then make sure that the stream, and its checksum, end well."""
    header = read_header(path, name, stream, size)
    row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
    left = header.shape[0]
    while left:
        count = min(rows, left)
        data = read_exactly(stream, count * row_bytes)
        block = np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])
        with np.errstate(all="ignore"):  # too large for float32 becomes infinite, and is counted as such
            yield block.astype(np.float32)
        left -= count
    if stream.read(1):
        raise UserError(f"{shown(path)}: {name} is longer than it says; the file is damaged, copy or make it again")


def small_array(path: Path, archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    size = archive.getinfo(f"{name}.npy").file_size
    if size > LARGEST_SMALL_ARRAY:
        raise UserError(
            f"{shown(path)}: {name} takes {in_bytes(size)}; at most {in_bytes(LARGEST_SMALL_ARRAY)} are taken"
        )
    with archive.open(f"{name}.npy") as stream:
        header = read_header(path, name, stream, size)
        data = read_exactly(stream, math.prod(header.shape) * header.dtype.itemsize)
        if stream.read(1):
            raise UserError(f"{shown(path)}: {name} is longer than it says; copy or make the file again")
    return np.frombuffer(data, header.dtype).reshape(header.shape)


def read_exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError(f"{count - len(data):,} bytes are missing")
    return data


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
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
