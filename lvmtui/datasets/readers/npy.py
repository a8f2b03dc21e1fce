"""Arrays in .npy and .npz files that may be damaged or hostile.

Nothing a file says about itself is believed before it has been compared with the size of what is there, large arrays
are read in bounded pieces, and no pickle is ever opened. Everything that is wrong becomes a `UserError` of one line.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lvmtui.datasets.readers.source import BLOCK_BYTES, LARGEST_DIM, shown
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

DEFLATE_RATIO = 1032
"""The most deflate can expand (zlib's own figure); a member that claims more is lying."""


BFLOAT16 = np.dtype("V2")
"""How numpy stores bfloat16, for which it has no type of its own: two bytes, the upper half of a float32."""


@dataclass(frozen=True)
class Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    column_major: bool = False
    """Numbers of a column stand together, not those of a row."""


def matrix(path: Path, name: str, header: Header, *, int8: bool = False) -> int:
    """Return D of an array that must be (N, D) of floats, or of `int8`. Raises UserError."""
    kind, what = ("i", "int8") if int8 else ("f", "float16 or float32")
    floats = not int8 and header.dtype == BFLOAT16
    if not floats and (header.dtype.kind != kind or header.dtype.itemsize > 8):
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
    kind = header.dtype.kind
    if name == "q":
        return "save q * scale[:, None] as `vectors` in float32"
    if kind in "iu":
        return f"save {name}.astype('float32'), multiplied by its scale if it is quantised"
    return f"save {name}.astype('float32')" if kind == "f" else "save real numbers as float32"


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
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    read = readers.get(np.lib.format.read_magic(stream))
    if read is None:
        raise UserError(f"{shown(path)}: {name} is in a form for records, not numbers; save a plain array")
    shape, column_major, dtype = read(stream)
    if dtype.hasobject:
        raise UserError(
            f"{shown(path)}: {name} holds pickled Python objects, which are never opened; save numbers or text"
        )
    claimed, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if any(n < 0 for n in shape) or claimed > there:
        raise UserError(
            f"{shown(path)}: {name} claims {claimed:,} bytes and {there:,} are there; "
            "the file is cut or damaged, copy or make it again"
        )
    return Header(tuple(shape), dtype, column_major and len(shape) > 1)


def described(array: Header | npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}".replace(",)", ")")


def float_blocks(path: Path, name: str, stream: IO[bytes], size: int, rows: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield `rows` rows at a time as float32, then make sure that the stream, and its checksum, end well."""
    header = read_header(path, name, stream, size)
    read = _rows_of_columns if header.column_major else _rows
    for block in read(path, name, header, stream, rows):
        with np.errstate(all="ignore"):  # too large for float32 becomes infinite, and is counted as such
            if header.dtype == BFLOAT16:  # the upper half of the bits of a float32
                block = (block.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            yield block.astype(np.float32, copy=False)


def array_blocks(path: Path, name: str, stream: IO[bytes], size: int) -> Iterator[npt.NDArray[Any]]:
    """Yield an array of any type in pieces of at most BLOCK_BYTES along its first axis."""
    header = read_header(path, name, stream, size)
    if header.shape == ():
        yield np.frombuffer(read_exactly(stream, header.dtype.itemsize), header.dtype)
        return
    row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
    yield from _rows(path, name, header, stream, max(1, BLOCK_BYTES // max(1, row_bytes)))


def _rows(path: Path, name: str, header: Header, stream: IO[bytes], rows: int) -> Iterator[npt.NDArray[Any]]:
    row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
    for first in range(0, header.shape[0], rows):
        count = min(rows, header.shape[0] - first)
        yield np.frombuffer(read_exactly(stream, count * row_bytes), header.dtype).reshape(count, *header.shape[1:])
    if stream.read(1):
        raise UserError(f"{shown(path)}: {name} is longer than it says; the file is damaged, copy or make it again")


def _rows_of_columns(path: Path, name: str, header: Header, stream: IO[bytes], rows: int) -> Iterator[npt.NDArray[Any]]:
    """Rows of an array that stands by columns: it is copied to a temporary file and mapped."""
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, BLOCK_BYTES)
        if copy.tell() > math.prod(header.shape) * header.dtype.itemsize:
            raise UserError(f"{shown(path)}: {name} is longer than it says; the file is damaged, copy or make it again")
        copy.flush()
        mapped = np.memmap(copy, header.dtype, "r", shape=header.shape, order="F")
        for first in range(0, header.shape[0], rows):
            yield np.ascontiguousarray(mapped[first : first + rows])


def read_exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError(f"{count - len(data):,} bytes are missing")
    return data


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Say in one line what a broken file does to its readers.

    zipfile, zlib, struct, ast, numpy's header parser and pyarrow raise more than thirty kinds of exception on hostile
    bytes, none of them documented as complete; whatever comes out of reading is a fault of the file.
    """
    try:
        yield
    except (UserError, GeneratorExit):
        raise
    except OSError as error:
        reason = sanitise(error.strerror or str(error), 100)
        raise UserError(
            f"{shown(path)}: cannot be read ({reason}); check disk and permissions, or make it again"
        ) from None
    except Exception as error:
        reason = sanitise(str(error) or type(error).__name__, 100)
        raise UserError(f"{shown(path)}: damaged or not a vector file ({reason}); copy or make it again") from None
