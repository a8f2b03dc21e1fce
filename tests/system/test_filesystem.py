"""Which file systems other hosts write to, out of the kernel's own table."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.system import filesystem
from lvmtui.system.filesystem import filesystem_kind, is_shared, locks_reach, mount_in

TABLE = """\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
40 22 0:36 / /home rw,relatime shared:20 - nfs4 server:/home rw,vers=4.2,local_lock=none
41 22 0:37 / /scratch rw shared:21 - lustre mds@tcp:/fs rw,flock
42 22 0:38 / /old rw shared:22 - nfs server:/old rw,vers=3,nolock,local_lock=all
43 22 0:39 / /mnt/a\\040folder rw shared:23 - fuse.sshfs host: rw
44 40 0:40 / /home/ada/local rw - tmpfs tmpfs rw
45 22 0:41 / /overlay rw - fuse.fuse-overlayfs none rw
a line of another kind
"""


@pytest.mark.parametrize(
    ("path", "kind", "shared", "locks"),
    [
        ("/var/x", "ext4", False, True),
        ("/home/ada/work", "nfs4", True, True),
        ("/homework", "ext4", False, True),
        ("/scratch", "lustre", True, True),
        ("/old/x", "nfs", True, False),
        ("/mnt/a folder/x", "fuse.sshfs", True, False),
        ("/home/ada/local/x", "tmpfs", False, True),
        ("/overlay/x", "fuse.fuse-overlayfs", False, True),
    ],
)
def test_what_holds_a_path(monkeypatch: pytest.MonkeyPatch, path: str, kind: str, shared: bool, locks: bool) -> None:
    monkeypatch.delenv("LVMTUI_SHARED", raising=False)
    monkeypatch.setattr(filesystem, "_mount_of", lambda path: mount_in(TABLE, path))
    assert filesystem_kind(Path(path)) == kind
    assert is_shared(Path(path)) is shared
    assert locks_reach(Path(path)) is locks


def test_a_person_may_say_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVMTUI_SHARED", "1")
    assert is_shared(tmp_path)
    monkeypatch.setenv("LVMTUI_SHARED", "0")
    assert not is_shared(tmp_path)


def test_a_table_that_says_nothing() -> None:
    assert mount_in("", "/x") == ("", "")
