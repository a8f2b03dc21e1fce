"""The only module that starts, finds and signals processes.

A process belongs to a run if its environment carries the run's mark, or if it descends from one that does. Number and
start time are compared right before every signal, through a handle that cannot come to mean another process: a
number that was given to somebody else meanwhile is never touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from lvmtui.system.process_id import LAUNCH_MARK, RUN_MARK, Identity, boot_id, host_name

HAS_PROC = os.path.exists("/proc/self/stat")


@dataclass(frozen=True)
class Process:
    """A process of this host, as it was at one moment."""

    identity: Identity
    parent: int
    leader: bool
    """Of its session: we start every trainer as one."""
    stopped: bool
    """By SIGSTOP; it answers to nothing but CONT and KILL."""
    mark: str
    """The run folder it works for; of the ancestor that carries it, where its own environment was cleared."""
    launch: str
    """Which start of the run it belongs to."""
    devices: str
    """Its CUDA_VISIBLE_DEVICES."""


# Starting -------------------------------------------------------------------------------------------------------------


def start_detached(
    command: Sequence[str], *, output: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us and our terminal: its own session, its output appended to a file.

    Raises OSError. No descriptor of ours is inherited, or our lock would live as long as the child.
    """
    with output.open("ab") as log:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            cwd=folder,
            env=dict(environment),
        )


def start_worker(
    command: Sequence[str], *, output: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a short process of ours in a session of its own: a Ctrl-C in our terminal is not meant for it."""
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        close_fds=True,
        env=dict(environment),
    )


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """End a child of ours that hangs, with all it started in its session."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unmarked_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that belongs to no run."""
    return {name: value for name, value in environment.items() if name not in (RUN_MARK, LAUNCH_MARK)}


def lower_priority(process: subprocess.Popen[bytes], by: int) -> None:
    """Let a process yield to others, as `nice` does."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, by)


def output_of(command: Sequence[str], seconds: float) -> str:
    """What a short command prints; nothing if it is missing, fails or takes longer."""
    try:
        done = subprocess.run(list(command), capture_output=True, timeout=seconds, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class Done:
    """A short command that has ended."""

    code: int
    out: str
    err: str


def done_by(command: Sequence[str], *, environment: Mapping[str, str], seconds: float) -> Done:
    """Run a short command to its end. One that is missing or hangs has an exit code too, and words for it."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL, env=dict(environment)
        )
    except subprocess.TimeoutExpired:
        return Done(124, "", f"no answer from {command[0]} in {seconds:.0f} s")
    except OSError as error:
        return Done(127, "", f"{command[0]}: {error.strerror or error}")
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def ending_words(returncode: int) -> str:
    """How a child ended."""
    return f"killed by signal {-returncode}" if returncode < 0 else f"left with exit code {returncode}"


# Signalling -----------------------------------------------------------------------------------------------------------


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process. False if it has ended, or may not be signalled by us."""
    handle = None
    try:
        with suppress(AttributeError, NotImplementedError):  # not Linux, or an old kernel: the number must do
            handle = os.pidfd_open(identity.pid)
        if not identity.alive():
            return False
        if handle is None:
            os.kill(identity.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
        return True
    except OSError:
        return False
    finally:
        if handle is not None:
            os.close(handle)


def ask_to_leave(processes: Iterable[Process]) -> tuple[int, ...]:
    """TERM to all, and CONT to the stopped ones, which could not hear it otherwise. Returns who was reached."""
    reached = []
    for process in processes:
        if send(process.identity, signal.SIGTERM):
            reached.append(process.identity.pid)
            if process.stopped:
                send(process.identity, signal.SIGCONT)
    return tuple(reached)


def kill_all(find: Callable[[], Iterable[Process]], rounds: int = 5) -> tuple[int, ...]:
    """KILL to everybody `find` finds, again while it finds new ones: they may start children meanwhile."""
    killed: set[int] = set()
    for _ in range(rounds):
        new = [p for p in find() if p.identity.pid not in killed and send(p.identity, signal.SIGKILL)]
        if not new:
            break
        killed.update(p.identity.pid for p in new)
    return tuple(sorted(killed))


# Finding --------------------------------------------------------------------------------------------------------------


def state_of(identity: Identity) -> str | None:
    """The state letter of exactly this process, None if it has ended (a zombie has).

    What `identity.alive()` looks at, at half its cost, for who looks at many processes many times.
    """
    if not HAS_PROC:
        return "R" if identity.alive() else None
    if identity.boot_id != boot_id() or identity.host != host_name():
        return None
    stat = _read(f"/proc/{identity.pid}/stat")
    if not stat:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split(None, 20)
    return None if fields[0] in b"ZX" or int(fields[19]) != identity.start_ticks else fields[0].decode()


def marked_processes() -> list[Process]:
    """Every living process of this host that carries a run's mark, or descends from one that does.

    About 15 microseconds a process of the host; those of other users cannot be read and are not ours.
    """
    return _with_descendants(_table_proc() if HAS_PROC else _table_psutil())


def _with_descendants(rows: Iterable[Process]) -> list[Process]:
    table = {row.identity.pid: row for row in rows}
    marks = {pid: row.mark for pid, row in table.items() if row.mark}
    if not marks:
        return []

    def mark_of(pid: int) -> str:
        seen = []
        while pid in table and pid not in marks:
            seen.append(pid)
            marks[pid] = ""  # a table read while processes come and go may hold a circle
            pid = table[pid].parent
        mark = marks.get(pid, "")
        marks.update(dict.fromkeys(seen, mark))
        return mark

    found = []
    for pid, row in table.items():
        if row.mark:
            found.append(row)
        elif mark := mark_of(pid):
            found.append(replace(row, leader=False, mark=mark))
    return found


def _table_proc() -> Iterator[Process]:
    host, boot = host_name(), boot_id()
    wanted = f"{RUN_MARK}=".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        stat = _read(f"/proc/{name}/stat")
        if not stat:
            continue
        state, parent, _group, session, *rest = stat[stat.rindex(b")") + 2 :].split(None, 20)
        if state in b"ZX" or parent == b"2":  # ended, or the kernel's own
            continue
        pid, environment = int(name), _environment(name, ticks=int(rest[15]))
        found = dict(_variables(environment)) if wanted in environment else {}
        identity = Identity(host, boot, pid, int(rest[15]))
        yield _process(identity, int(parent), int(session) == pid, state in b"Tt", found)


def _environment(name: str, ticks: int) -> bytes:
    """The environment of a process that started at `ticks`. One that is just being born has none for a moment, a longer
    one on a busy machine."""
    environment = _read(f"/proc/{name}/environ")
    for _ in range(50):
        if environment or time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK") - ticks > 100:
            break
        time.sleep(0.001)
        environment = _read(f"/proc/{name}/environ")
    return environment


def _table_psutil() -> Iterator[Process]:
    """The same where there is no /proc: start times are not known there, so identities carry 0."""
    import psutil

    host, boot = host_name(), boot_id()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environment = process.environ()
            identity, leader = Identity(host, boot, process.pid, 0), os.getsid(process.pid) == process.pid
            stopped = process.status() == psutil.STATUS_STOPPED
            yield _process(identity, process.ppid(), leader, stopped, environment)


def _process(identity: Identity, parent: int, leader: bool, stopped: bool, environment: Mapping[str, str]) -> Process:
    mark, launch = environment.get(RUN_MARK, ""), environment.get(LAUNCH_MARK, "")
    return Process(identity, parent, leader, stopped, mark, launch, environment.get("CUDA_VISIBLE_DEVICES", ""))


def _variables(environment: bytes) -> Iterator[tuple[str, str]]:
    """Names and values out of /proc/PID/environ."""
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        yield os.fsdecode(name), os.fsdecode(value)


def _read(path: str) -> bytes:
    """The whole of a small file, nothing if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        blocks = []
        while block := os.read(descriptor, 1 << 16):
            blocks.append(block)
        return b"".join(blocks)
    except OSError:  # it ended while it was read
        return b""
    finally:
        os.close(descriptor)


def process_of(identity: Identity) -> Process | None:
    """What is known of one living process by itself, without looking at all of them; no mark is looked for."""
    state = state_of(identity)
    if state is None:
        return None
    try:
        return _process(identity, 0, os.getsid(identity.pid) == identity.pid, state in "Tt", {})
    except OSError:
        return None
