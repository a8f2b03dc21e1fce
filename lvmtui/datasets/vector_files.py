"""Which reader takes a file: recognised by its content, not by its name."""

from __future__ import annotations

import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvmtui.datasets.readers.folder import FolderSource
from lvmtui.datasets.readers.npz import NpzSource
from lvmtui.datasets.readers.parquet import MAGIC as TABLE_MAGIC
from lvmtui.datasets.readers.parquet import ParquetSource, is_table
from lvmtui.datasets.readers.refusals import refusal
from lvmtui.datasets.readers.source import VectorSource, shown
from lvmtui.formats.spec import Reading
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise


@dataclass(frozen=True)
class FileIdentity:
    """Tells, without reading it, whether a file or a folder of files is the one seen before."""

    path: str
    size: int
    mtime_ns: int
    inode: int


def identify(path: Path) -> FileIdentity:
    """Look at the file's place. A folder is as large as its files together and as new as the newest of them.

    Raises UserError where there is no ordinary, readable, non-empty file or folder.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.listdir(path)  # the search passes over a folder that may not be read
            files = [p.stat() for p in sorted(path.rglob("*")) if p.is_file()]
            newest = max((status.st_mtime_ns, *(file.st_mtime_ns for file in files)))
            return FileIdentity(os.path.realpath(path), sum(file.st_size for file in files), newest, status.st_ino)
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
    return FileIdentity(os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ino)


def open_source(path: Path, reading: Reading = Reading()) -> VectorSource:
    """The reader of `path`, which has looked at the headers. Raises UserError that names the file, what is wrong and
    what to do; for formats we do not read with the lines that convert them."""
    size = identify(path).size
    if path.is_dir():
        return ParquetSource(path, reading) if is_table(path) else FolderSource(path, reading)
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(TABLE_MAGIC) or is_table(path):
        return ParquetSource(path, reading)
    if not start.startswith((b"PK", np.lib.format.MAGIC_PREFIX)) or _is_torch(path):
        raise refusal(path, start)
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise UserError(f"{shown(path)}: its end is missing, as where a copy was cut off; copy or make it again")
    return NpzSource(path, reading, size)


def _is_torch(path: Path) -> bool:
    """torch.save writes a zip, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except Exception:  # a damaged zip raises more than zipfile says; its reader tells what is wrong
        return False
