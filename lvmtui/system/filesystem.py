"""File systems that several hosts share, and locks that hold on them.

On a shared file system the kernel reports no changes made by other hosts. What is written to an open file can stay on
its host for half a minute, and what `stat` says can be as old. Opening a file always asks the server, and closing or
syncing one always tells it. So on such a file system logs are synced line by line, changes are looked for, and files
that decide something are opened. The kernel frees a lock however its holder ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import IO

from lvmtui.system.process_id import read_small

SHARED_MARK = "LVMTUI_SHARED"
# fmt: off
SHARED = frozenset({
    "nfs", "nfs3", "nfs4", "lustre", "gpfs", "beegfs", "beegfs_nodev", "cifs", "smb", "smb2", "smb3", "smbfs", "ceph",
    "glusterfs", "afs", "openafs", "9p", "pvfs2", "orangefs", "gfs", "gfs2", "ocfs2", "panfs", "wekafs", "dvs", "acfs",
    "lizardfs", "moosefs", "quobyte", "vboxsf", "virtiofs", "daos", "juicefs",
})
# fmt: on
"""Types of file systems, in /proc/self/mountinfo, that other hosts may write to; also `fuse.*` but for LOCAL_FUSE."""
LOCAL_FUSE = ("fuse.fuse-overlayfs", "fuseblk", "fuse.portal", "fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.snapfuse")
LOCKED_HERE = re.compile(r"(^|,)(nolock|localflock|noflock|local_lock=(flock|all))(,|$)")
"""Mount options with which a lock is seen by this host only, or not given at all."""
LOOK_EVERY = 0.02
"""Seconds between two tries while a lock is waited for."""
Signature = tuple[int, int, int]
NO_FILE: Signature = (0, 0, 0)
_NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def filesystem_kind(path: Path) -> str:
    """Type of the file system that holds `path`, as the kernel calls it; empty where it cannot be told."""
    return _mount_of(os.path.realpath(path))[0]


def is_shared(path: Path) -> bool:
    """True if other hosts may write to what holds `path`. The variable LVMTUI_SHARED, 1 or 0, decides otherwise."""
    forced = os.environ.get(SHARED_MARK)
    if forced:
        return forced != "0"
    kind = filesystem_kind(path)
    return kind in SHARED or (kind.startswith("fuse") and kind not in LOCAL_FUSE)


def signature(path: Path, *, asked: bool = False) -> Signature:
    """What changes when a file does: inode, size, time of change. Zeros where there is no file.

    `asked`: of the file server, where one keeps the file: what `stat` says may be a minute old there, opening is not.
    """
    try:
        if asked:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
        else:
            stat = os.stat(path)
    except OSError:
        return NO_FILE
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


class Seen(dict[Path, Signature]):
    """Files as they were when they were last looked at."""

    def changed(self, path: Path, *, asked: bool = False) -> bool:
        """True if the file is not as it was at the last look, or this is the first. `asked`: see `signature`."""
        before, self[path] = self.get(path), signature(path, asked=asked)
        return self[path] != before


def locks_reach(path: Path) -> bool:
    """True if a lock on a file there is seen by every host that may write to it."""
    kind, options = _mount_of(os.path.realpath(path))
    return not is_shared(path) or not (LOCKED_HERE.search(options) or kind.startswith("fuse"))


@lru_cache(maxsize=256)
def _mount_of(path: str) -> tuple[str, str]:
    """(type, options) of the mount that holds the real `path`."""
    return mount_in(read_small("/proc/self/mountinfo").decode(errors="replace"), path)


def mount_in(table: str, path: str) -> tuple[str, str]:
    """(type, options) of the mount that holds `path`, out of the text of /proc/self/mountinfo. Pure."""
    best, found = -1, ("", "")
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields, more = left.split(), right.split()
        if len(fields) < 6 or len(more) < 1:
            continue
        point = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
        below = path == point or path.startswith(point.rstrip("/") + "/")
        if below and len(point) >= best:  # of two on the same point the later one hides the earlier
            best, found = len(point), (more[0], ",".join((fields[5], *more[2:])))
    return found


def try_lock(path: Path, seconds: float = 0.0) -> IO[bytes] | None:
    """Take the exclusive lock on `path` for as long as the returned file lives; None if another process has it.

    Waits at most `seconds` for the other process to free it.

    The kernel frees it when the holder dies, whatever way. The descriptor is closed in children, or they would keep it.
    `flock` reaches every host over NFS and most other shared file systems; where a mount has none (Lustre without its
    option), a lock on the file's bytes is taken, which the same mounts have. Raises OSError if there is neither.
    """
    until = time.monotonic() + seconds
    while (lock := _locked(path)) is None and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
    return lock


def _locked(path: Path) -> IO[bytes] | None:
    handle = open(path, "a+b")  # noqa: SIM115 - the lock lives as long as the handle
    try:
        _lock(handle, fcntl.LOCK_EX)
    except OSError as error:
        handle.close()
        if error.errno in _NO_FLOCK:
            raise OSError(error.errno, "this file system has no locks; ask for a mount with them", str(path)) from None
        return None
    return handle


def _lock(handle: IO[bytes], kind: int) -> None:
    """Lock an open file without waiting. Raises OSError if another process has it, or if there are no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_FLOCK:
            raise
        fcntl.lockf(handle, kind | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """True if another process holds the lock on `path`; False also where that cannot be found out.

    The lock is asked for and given back at once. Reading the file is enough, so it also works for a colleague's.
    """
    try:
        with path.open("rb") as handle:
            _lock(handle, fcntl.LOCK_SH)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES) and path.exists() and os.access(path, os.R_OK)
    return False
