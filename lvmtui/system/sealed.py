"""Archives with a checksum inside: checkpoints, weights, held-out scores, the split."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

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
