"""Finds and signals processes of this host. Only this module sends signals to processes that are not our children.

A process belongs to a run if its environment carries the run's marks, or if it descends from one that does. Number and
start time are compared right before every signal, so that a reused number is never signalled. Where the kernel has
pidfds the signal goes through one, which closes the last gap between that comparison and the signal.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lvmtui.system import process_id
from lvmtui.system.permissions import user_name
from lvmtui.system.process_id import Identity


@dataclass(frozen=True)
class Process:
    """A process of this host, as it was at one moment."""

    identity: Identity
    parent: int
    leader: bool
    """It leads its session, as every trainer does that we start."""
    stopped: bool
    """It was stopped by SIGSTOP, and answers to nothing but CONT and KILL."""
    mark: str
    """The run folder it works for; of the ancestor that carries it, where its own environment was cleared."""
    folder: str
    """Device and inode of that folder when the process was started; see `folder_id`. Empty: it does not carry them."""
    launch: str
    """Which start of the run it belongs to."""
    devices: str
    """Its CUDA_VISIBLE_DEVICES."""


# Signalling -----------------------------------------------------------------------------------------------------------


def send(identity: Identity, number: signal.Signals) -> str | None:
    """Signal exactly this process. Returns None if it was sent, otherwise why not; empty: it has ended.

    Old kernels and the profiles of some containers have no pidfds; there the number is used, just after the identity.
    """
    handle = None
    with suppress(AttributeError, OSError):  # not Linux, an old kernel, a filter, or the process has gone
        handle = os.pidfd_open(identity.pid)
    try:
        if not identity.alive():
            return ""
        if handle is not None:
            try:
                signal.pidfd_send_signal(handle, number)
                return None
            except OSError as error:
                if error.errno not in _NO_PIDFD:
                    raise
        os.kill(identity.pid, number)
        return None
    except ProcessLookupError:
        return ""
    except OSError as error:
        return f"{error.strerror or error}{_owner_words(identity.pid)}"
    finally:
        if handle is not None:
            os.close(handle)


_NO_PIDFD = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL)
"""What a kernel without pidfds, or a filter in front of it, answers."""


def _owner_words(pid: int) -> str:
    """`, it belongs to user alice` if that is not us."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return ""
    return "" if uid == os.geteuid() else f", it belongs to user {user_name(uid)}"


@dataclass(frozen=True)
class Sent:
    """Which processes a signal reached."""

    reached: tuple[int, ...] = ()
    refused: str = ""
    """Why a living process could not be signalled; empty: all were signalled or have ended."""


def _send_all(processes: Iterable[Process], number: signal.Signals) -> Sent:
    reached, refused = [], ""
    for process in processes:
        fault = send(process.identity, number)
        if fault is None:
            reached.append(process.identity.pid)
        elif fault:
            refused = f"process {process.identity.pid}: {fault}"
    return Sent(tuple(reached), refused)


def ask_to_leave(processes: Collection[Process]) -> Sent:
    """Send TERM to all, and CONT to stopped ones, which otherwise could not react."""
    sent = _send_all(processes, signal.SIGTERM)
    resume_all(processes)
    return sent


def stop_all(find: Callable[[], Iterable[Process]], rounds: int = 5) -> None:
    """Send STOP to all processes that `find` returns, and again to new ones, at most `rounds` times."""
    for _ in range(rounds):
        running = [process for process in find() if not process.stopped]
        _send_all(running, signal.SIGSTOP)
        if not running:
            return


def resume_all(processes: Iterable[Process]) -> None:
    """Send CONT to those that are stopped."""
    _send_all((process for process in processes if process.stopped), signal.SIGCONT)


def kill_all(find: Callable[[], Iterable[Process]], rounds: int = 5) -> Sent:
    """Send KILL to all processes that `find` returns, and again to new ones: they may start children meanwhile."""
    killed: set[int] = set()
    refused = ""
    for _ in range(rounds):
        sent = _send_all([p for p in find() if p.identity.pid not in killed], signal.SIGKILL)
        killed.update(sent.reached)
        refused = sent.refused or refused
        if not sent.reached:
            break
    return Sent(tuple(sorted(killed)), refused)


# Finding --------------------------------------------------------------------------------------------------------------


def marked_processes() -> list[Process]:
    """Every living process of this host that carries a run's mark, or descends from one that does.

    About 15 microseconds a process of the host; those of other users cannot be read and are not ours.
    """
    return _with_descendants(_table_proc() if process_id.HAS_PROC else _table_psutil())


def _with_descendants(rows: Iterable[Process]) -> list[Process]:
    table = {row.identity.pid: row for row in rows}
    found = []
    for row in table.values():
        above, seen = row, {row.identity.pid}
        while not above.mark and above.parent in table and above.parent not in seen:
            seen.add(above.parent)  # a table read while processes come and go may hold a circle
            above = table[above.parent]
        if above.mark:
            found.append(row if row.mark else replace(row, leader=False, mark=above.mark, folder=above.folder))
    return found


def _table_proc() -> Iterator[Process]:
    host, boot, namespace = process_id.host_name(), process_id.boot_id(), process_id.pid_namespace()
    wanted = f"{process_id.RUN_MARK}=".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        stat = process_id.read_small(f"/proc/{name}/stat")
        if not stat:
            continue
        state, parent, _group, session, *rest = stat[stat.rindex(b")") + 2 :].split(None, 20)
        if state in b"ZX" or parent == b"2":  # ended, or the kernel's own
            continue
        pid, environment = int(name), _environment(name, ticks=int(rest[15]))
        found = _variables(environment) if wanted in environment else {}
        identity = Identity(host, boot, pid, int(rest[15]), namespace)
        yield _process(identity, int(parent), int(session) == pid, state in b"Tt", found)


def _environment(name: str, ticks: int) -> bytes:
    """The environment of a process that started at `ticks`. One that is just being born has none for a moment."""
    for _ in range(50):
        environment = process_id.read_small(f"/proc/{name}/environ")
        if environment or time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK") - ticks > 100:
            break
        time.sleep(0.001)
    return environment


def _table_psutil() -> Iterator[Process]:
    """The same where there is no /proc: start times are not known there, so identities carry 0."""
    import psutil

    host, boot = process_id.host_name(), process_id.boot_id()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environment = process.environ()
            identity, leader = Identity(host, boot, process.pid, 0), os.getsid(process.pid) == process.pid
            yield _process(identity, process.ppid(), leader, process.status() == psutil.STATUS_STOPPED, environment)


def _process(identity: Identity, parent: int, leader: bool, stopped: bool, environment: Mapping[str, str]) -> Process:
    names = (process_id.RUN_MARK, process_id.FOLDER_MARK, process_id.LAUNCH_MARK, "CUDA_VISIBLE_DEVICES")
    return Process(identity, parent, leader, stopped, *(environment.get(name, "") for name in names))


def _variables(environment: bytes) -> dict[str, str]:
    """Names and values out of /proc/PID/environ."""
    entries = (os.fsdecode(entry).partition("=") for entry in environment.split(b"\0"))
    return {name: value for name, _, value in entries}


def process_of(identity: Identity) -> Process | None:
    """One living process by itself, with the marks of its own environment where that can be read."""
    state = identity.state()
    if state is None:
        return None
    try:
        leader = os.getsid(identity.pid) == identity.pid
    except OSError:
        return None
    environment = process_id.read_small(f"/proc/{identity.pid}/environ")
    return _process(identity, 0, leader, state in "Tt", _variables(environment))


# Whose it is ----------------------------------------------------------------------------------------------------------


def works_for(process: Process, folder: Path, lock: Path) -> bool:
    """True if a process that a run's log names works in this very folder, and not in the one it was copied from.

    Its mark names the folder's device and inode, or it holds the lock. Without /proc to tell, the log is believed.
    """
    if process.folder and process.folder == process_id.folder_id(folder):
        return True
    return holds(process.identity, lock) is not False


def holds(identity: Identity, lock: Path) -> bool | None:
    """True if the process has the lock file open, which only the holder of the lock keeps. None: it cannot be told."""
    try:
        ours = os.stat(lock)
    except OSError:
        return False
    descriptors = f"/proc/{identity.pid}/fd"
    try:
        for name in os.listdir(descriptors):
            with suppress(OSError):
                theirs = os.stat(f"{descriptors}/{name}")
                if (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino):
                    return True
        return False
    except FileNotFoundError:
        return False if process_id.HAS_PROC else None
    except OSError:  # another user's process: the kernel's list of locks can be read by everybody
        return _listed(identity.pid, ours.st_ino)


def _listed(pid: int, inode: int) -> bool | None:
    """True if /proc/locks says that the process holds a lock on a file of this inode."""
    table = process_id.read_small("/proc/locks").decode(errors="replace")
    if not table:
        return None
    fields = (line.split() for line in table.splitlines())
    return any(len(f) > 5 and f[4] == str(pid) and f[5].rpartition(":")[2] == str(inode) for f in fields)
