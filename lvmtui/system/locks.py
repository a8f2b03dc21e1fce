"""Locks on files. The kernel frees them however their holder ends."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import IO


def try_lock(path: Path) -> IO[bytes] | None:
    """Take the exclusive lock on `path` for as long as the returned file lives; None if another process has it.

    The kernel frees it when the holder dies, whatever way. The descriptor is closed in children, or they would
    keep it. `flock` reaches every host over NFS and most other shared file systems; where a mount has none (Lustre
    without its option), a lock on the file's bytes is taken, which the same mounts have. Raises OSError if neither
    is to be had.
    """
    handle = open(path, "a+b")  # noqa: SIM115 - the lock lives as long as the handle
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                raise
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if error.errno in _NO_FLOCK:
            raise OSError(error.errno, "this file system has no locks; ask for a mount with them", str(path)) from None
        return None
    return handle


def is_locked(path: Path) -> bool:
    """True if another process holds the lock on `path`; False also where that cannot be found out.

    The lock is asked for and given back at once. Reading the file is enough, so it also works for a colleague's.
    """
    try:
        with path.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _NO_FLOCK:
                    raise
                fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES) and path.exists() and os.access(path, os.R_OK)
    return False


_NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
