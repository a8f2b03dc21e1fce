"""Writes files so that no reader ever sees half of one, also after a crash or on a full disk.

Three ways, one for each kind of file: whole documents are written beside and renamed; logs are appended one
complete line at a time; archives that must be trusted (checkpoints, held-out scores) carry their own checksum.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from lvmtui.system.filesystem import is_shared
from lvmtui.system.text import last_words, natural

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk, and of a quota that is used up."""
LAST_BYTES = 8192
"""The end of a log that is searched for its last line."""


def sync_folder(folder: Path) -> None:
    """Make names that were created or renamed in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written_beside(
    path: Path, *, durable: bool = True, before: Path | None = None, new: bool = False
) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on a clean exit it takes the name `path`, otherwise it goes.

    `durable` also syncs the contents and the folder; leave it off for files that are only of use while they are new.
    `before`: the name that the file which is there now takes. `new`: there must be none; raises FileExistsError.
    """
    beside = _new_file_beside(path)
    try:
        yield beside
        if durable:
            with beside.open("rb") as written:
                os.fsync(written.fileno())
        if before is not None and path.exists():
            os.replace(path, before)
        if new:
            os.link(beside, path)
            beside.unlink()
        else:
            os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def _new_file_beside(path: Path) -> Path:
    """Create `.NAME.RANDOM.part` in the same folder.

    Its mode is left to the umask and to what the folder gives its files (setgid, default ACLs), as for any new file:
    in a group's workspace the group may write it.
    """
    while True:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with suppress(FileExistsError):
            beside.touch(0o666, exist_ok=False)
            return beside


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put `content` at `path` in one step; what was there stays if anything fails."""
    with written_beside(path, durable=durable) as beside:
        beside.write_bytes(content)


def write_output(path: Path, content: bytes) -> None:
    """Put `content` where a person has asked for it: through a link to where it points, into a device or a pipe as it
    is; a file is replaced in one step. Raises OSError."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        replace_file(path, content)


def create_file(path: Path, content: bytes) -> None:
    """Put `content` at `path`, which must not exist. Raises FileExistsError, and then changes nothing."""
    with written_beside(path, new=True) as beside:
        beside.write_bytes(content)


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files with these suffixes under a folder, chapter 2 before chapter 10."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    return sorted(found, key=lambda p: [natural(part) for part in p.relative_to(folder).parts])


def last_line(path: Path, most: int = 1) -> str:
    """The last line of a log that says something, or `most` of them, sanitised; empty if it cannot be read."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LAST_BYTES))
            return last_words(log.read(), most)
    except OSError:
        return ""


class LineLog:
    """Appends whole lines to a file that others read while it grows.

    One `write` to an O_APPEND file is never interleaved with another's, but a kill or a full disk can leave half a
    line. The next writer closes such a line before it writes its own, and readers skip what does not parse. On a
    file system that hosts share every line is synced, or the other hosts would read it half a minute later; there only
    one host may write a file at a time, which the lock on the run folder sees to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        size = os.fstat(self._descriptor).st_size
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        self._shared = is_shared(path)

    def append(self, line: bytes, *, durable: bool = False) -> None:
        """Append `line`, which ends in a newline. Raises OSError (a full disk among them); nothing else is harmed."""
        if self._torn:
            line = b"\n" + line
        self._torn = True
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full: the second write names the reason
            os.write(self._descriptor, line[written:])
        self._torn = False
        if durable or self._shared:
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def append_line(path: Path, line: bytes) -> None:
    """Append one line and close the file again, for logs that are written seldom."""
    with closing(LineLog(path)) as log:
        log.append(line)


# A zip archive may end in a comment. Ours holds the checksum of all that stands before it, so the file stays an
# ordinary archive (torch.load and numpy.load take it) and the checksum cannot be parted from what it vouches for.
_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64
_END_RECORD = 22
_END_SIGNATURE = b"PK\x05\x06"


def seal_archive(path: Path) -> str:
    """Give the zip archive at `path` (one without a comment) its checksum; return the checksum in hex."""
    with path.open("r+b") as archive:
        end = archive.seek(-_END_RECORD, os.SEEK_END)
        if archive.read(4) != _END_SIGNATURE:
            raise ValueError(f"{path}: not a zip archive without a comment")
        archive.seek(end + _END_RECORD - 2)
        archive.write(struct.pack("<H", _COMMENT))
        archive.seek(0)
        digest = hashlib.file_digest(archive, "sha256").hexdigest()
        archive.seek(0, os.SEEK_END)
        archive.write(_MARK + digest.encode())
    return digest


def write_sealed(path: Path, write: Callable[[IO[bytes]], object], before: Path | None = None) -> str:
    """Put the zip archive that `write` makes at `path` in one step, sealed. Returns its checksum. Raises OSError.

    `before`: see `written_beside`. `write` gets a file object: on a full disk torch, given a path, raises no OSError.
    """
    with written_beside(path, before=before) as beside:
        with beside.open("wb") as file:
            write(file)
        return seal_archive(beside)


def seal_fault(path: Path, digest: str) -> str:
    """What became of a sealed archive that does not end in this checksum; empty: it does. The rest is not read."""
    try:
        with path.open("rb") as archive:
            archive.seek(-_COMMENT, os.SEEK_END)
            sealed = archive.read() == _MARK + digest.encode()
    except OSError:
        sealed = False
    changed = "was changed since it was written; restore it from a copy" if path.exists() else "is gone"
    return "" if sealed else changed


def sealed_digest(path: Path) -> str | None:
    """Return the checksum of a sealed archive if the file is what was sealed, else None (cut, changed, missing)."""
    try:
        with path.open("rb") as archive:
            size = archive.seek(0, os.SEEK_END)
            if size < _COMMENT + _END_RECORD:
                return None
            archive.seek(size - _COMMENT)
            comment = archive.read(_COMMENT)
            archive.seek(0)
            hashed = hashlib.sha256()
            left = size - _COMMENT
            while left and (block := archive.read(min(left, 1 << 20))):
                hashed.update(block)
                left -= len(block)
    except OSError:
        return None
    digest = hashed.hexdigest()
    return digest if comment == _MARK + digest.encode() else None
