"""What kind of file system a folder lies on: some are shared by hosts, and behave otherwise.

On a shared one the kernel tells nobody of other hosts' changes, what is written to an open file may stay on its host
for half a minute, and what `stat` says may be as old. Opening a file always asks the server, and closing or syncing
one always tells it. So there logs are synced line by line, changes are looked for, and what decides is opened.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

SHARED_MARK = "LVMTUI_SHARED"
# fmt: off
SHARED = frozenset({
    "nfs", "nfs3", "nfs4", "lustre", "gpfs", "beegfs", "beegfs_nodev", "cifs", "smb", "smb2", "smb3", "smbfs", "ceph",
    "glusterfs", "afs", "openafs", "9p", "pvfs2", "orangefs", "gfs", "gfs2", "ocfs2", "panfs", "wekafs", "dvs", "acfs",
    "lizardfs", "moosefs", "quobyte", "vboxsf", "virtiofs", "daos", "juicefs",
})
# fmt: on
"""Types (in /proc/self/mountinfo) that other hosts may write to. Of those in user space (`fuse.*`) all are held to be
shared but the following."""
LOCAL_FUSE = ("fuse.fuse-overlayfs", "fuseblk", "fuse.portal", "fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.snapfuse")
LOCKED_HERE = re.compile(r"(^|,)(nolock|localflock|noflock|local_lock=(flock|all))(,|$)")
"""Mount options with which a lock is seen by this host only, or not given at all."""


def kind_of(path: Path) -> str:
    """Type of the file system that holds `path`, as the kernel calls it; empty where it cannot be told."""
    return _mount(path)[0]


def is_shared(path: Path) -> bool:
    """True if other hosts may write to what holds `path`. The variable LVMTUI_SHARED, 1 or 0, decides otherwise."""
    forced = os.environ.get(SHARED_MARK)
    if forced:
        return forced != "0"
    kind = kind_of(path)
    return kind in SHARED or (kind.startswith("fuse") and kind not in LOCAL_FUSE)


def locks_reach(path: Path) -> bool:
    """True if a lock on a file there is seen by every host that may write to it."""
    kind, options = _mount(path)
    if not is_shared(path):
        return True
    return not LOCKED_HERE.search(options) and not kind.startswith("fuse")


def _mount(path: Path) -> tuple[str, str]:
    """(type, options) of the mount below which `path` lies."""
    return _mount_of(os.path.realpath(path))


@lru_cache(maxsize=256)
def _mount_of(path: str) -> tuple[str, str]:
    try:
        table = Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:
        return ("", "")
    return mount_in(table, path)


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
