"""The identity of a process, by which it is found again and never confused with another.

Process numbers are reused. Host, boot, PID namespace, number and start time in clock ticks together name one process
for good (Linux: /proc/PID/stat). Containers of one machine can share a host name and the boot id but not their PID
namespace, so a number from one means nothing in another.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from lvmtui.system.errors import UserError

RUN_MARK = "LVMTUI_RUN"
"""Environment variable that every process of a run inherits; its value is the run folder's path."""
FOLDER_MARK = "LVMTUI_FOLDER"
"""Environment variable beside it: device and inode of the run folder. A copy has another inode, a moved one its own."""
LAUNCH_MARK = "LVMTUI_LAUNCH"
"""Environment variable beside it: which start of the run the process belongs to."""
HAS_PROC = os.path.exists("/proc/self/stat")


@dataclass(frozen=True)
class Identity:
    """One process. `start_ticks` is 0 where the platform does not tell.

    A job of a cluster is named in the same way: the scheduler's name, no boot, the job's number.
    """

    host: str
    boot_id: str
    pid: int
    start_ticks: int
    namespace: str = field(default="", compare=False)
    """The PID namespace the number belongs to; empty where it is not known (older logs, other systems)."""

    @property
    def is_job(self) -> bool:
        """True for a scheduler's job, which may run on any host or on none yet."""
        return bool(self.host) and not self.boot_id

    @property
    def words(self) -> str:
        """`process 48213`, `Slurm job 4711`."""
        return f"{self.host} job {self.pid}" if self.is_job else f"process {self.pid}"

    @property
    def here(self) -> bool:
        """True if the process lives, or lived, on this host (in any boot) and its number can be looked up from here."""
        return self.host == host_name() and not self.is_job and self.namespace in ("", pid_namespace())

    @property
    def place(self) -> str:
        """Where it runs, in words: a host's name, or another container of this host."""
        elsewhere = self.host == host_name() and not self.is_job and not self.here
        return "another container of this host" if elsewhere else self.host

    def state(self) -> str | None:
        """The kernel's letter for what this very process does now, such as `R`, `S` or `T` (stopped).

        None: it has ended, or cannot be looked at from this host. A zombie has ended.
        """
        if not self.here or self.boot_id != boot_id():
            return None
        stat = process_stat(self.pid)
        return None if stat is None or stat[0] in "ZX" or stat[1] != self.start_ticks else stat[0]

    def alive(self) -> bool:
        """True if exactly this process runs now on this host."""
        return self.state() is not None


@cache
def host_name() -> str:
    """This host, or container: a folder seen from another one must not be acted on there."""
    return os.environ.get("LVMTUI_HOST") or socket.gethostname()


@cache
def boot_id() -> str:
    """The kernel's name for the time since the machine started; LVMTUI_BOOT_ID replaces it in tests of a restart."""
    replaced = os.environ.get("LVMTUI_BOOT_ID")
    if replaced:
        return replaced
    known = read_small("/proc/sys/kernel/random/boot_id").decode().strip()
    # not Linux: the minute of the boot is as near as it gets
    return known or f"boot-{int((time.time() - time.monotonic()) // 60)}"


@cache
def pid_namespace() -> str:
    """The PID namespace of this process, empty where the system has none."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


def process_stat(pid: int) -> tuple[str, int] | None:
    """Return (state letter, start time in clock ticks) of a process of this host, None if there is none."""
    stat = read_small(f"/proc/{pid}/stat")
    if not stat and not HAS_PROC:
        import psutil

        return ("R", 0) if psutil.pid_exists(pid) else None
    if not stat:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split(None, 20)  # the name before may hold blanks and brackets
    return fields[0].decode(), int(fields[19])


def read_small(path: str | Path) -> bytes:
    """The whole of a small file; nothing if it cannot be read. Twice as fast as `Path.read_bytes`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):  # a name that holds a NUL
        return b""
    try:
        return b"".join(iter(partial(os.read, descriptor, 1 << 16), b""))
    except OSError:  # the process ended while it was read
        return b""
    finally:
        os.close(descriptor)


def identity_of(pid: int) -> Identity | None:
    """The identity of a process of this host, None if it has gone."""
    stat = process_stat(pid)
    return None if stat is None else Identity(host_name(), boot_id(), pid, stat[1], pid_namespace())


def own_identity() -> Identity:
    """The identity of this process. Raises UserError where /proc belongs to another PID namespace."""
    if not _proc_is_ours():
        fault = "/proc shows another PID namespace, so processes cannot be told apart"
        raise UserError(f"{fault}; mount it in this one (unshare --mount-proc, or start a whole container)")
    found = identity_of(os.getpid())
    assert found is not None, "a process finds itself in its own /proc"
    return found


def _proc_is_ours() -> bool:
    """False if the numbers in /proc are not the numbers this process sees."""
    try:
        return int(os.readlink("/proc/self")) == os.getpid()
    except (OSError, ValueError):
        return not HAS_PROC


def folder_id(folder: Path | str) -> str:
    """`DEVICE:INODE` of a folder, empty if it is not there."""
    try:
        stat = os.stat(folder)
    except OSError:
        return ""
    return f"{stat.st_dev}:{stat.st_ino}"


def marks_of(run: str, folder: str, launch: str) -> dict[str, str]:
    """The variables that every process of a run inherits; `folder`: see `folder_id`."""
    return {RUN_MARK: run, FOLDER_MARK: folder, LAUNCH_MARK: launch}


@cache
def own_launch() -> str:
    """Name of the start this process came from; a process that was started by hand makes one up."""
    return os.environ.get(LAUNCH_MARK) or secrets.token_hex(6)
