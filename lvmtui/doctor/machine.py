"""Looks at the machine and the terminal: each function answers one question, quickly, and changes nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TextIO

from lvmtui.formats.selftest import driver_version
from lvmtui.system import gpus
from lvmtui.system.filesystem import filesystem_kind, is_shared, locks_reach, try_lock
from lvmtui.system.gpus import TorchBuild, torch_build
from lvmtui.system.hardware import cores, free_memory
from lvmtui.system.programs import done_by
from lvmtui.system.text import last_words

OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""First major version of NVIDIA's driver for each major version of CUDA (CUDA compatibility guide, table 1)."""
LITTLE_MEMORY, LITTLE_DISK, NO_DISK = 2e9, 5e9, 5e8
FEW_FILES = 1000
"""Names that can still be created on a disk."""
SCREEN = (80, 24)
DRAWN = "✓▸‖━╸╭│…→"
"""Some of what the screen draws with; where it cannot be encoded, letters stand in."""
IN_CLOEXEC, IN_MODIFY = 0o2000000, 2
"""sys/inotify.h."""


State = Literal["ok", "note", "fault"]
"""`note`: worth knowing, runs work; `fault`: something will fail."""


@dataclass(frozen=True)
class MachineFinding:
    """One line of the doctor's page."""

    subject: str
    state: State
    words: str
    remedy: str = ""
    """What a person can do about it; empty where there is nothing to do."""


def look_at_machine(workspace: Path) -> list[MachineFinding]:
    """All findings but those about single GPUs."""
    found = [
        torch_words(torch_build(), driver_version(), len(gpus.listed_gpus()), len(gpus.visible_gpus())),
        core_words(),
        memory_words(free_memory()),
    ]
    folder = next(part for part in (workspace.resolve(), *workspace.resolve().parents) if part.exists())
    found += [disk_words(folder), file_system_words(folder), temporary_words(), watch_words(folder)]
    found += [terminal_words(sys.stdout, os.environ), *slurm_words()]
    return found


def torch_words(build: TorchBuild, driver: str, gpus_there: int, gpus_visible: int) -> MachineFinding:
    """Whether torch fits the GPUs and their driver. Pure."""
    found, known = partial(MachineFinding, "torch"), f"torch {build.version}"
    if not build.version:
        return found("fault", f"{sys.executable} has no torch", "install torch for this Python: pip install torch")
    if build.kind == "cpu":
        if not gpus_there:
            return found("ok", f"{known}, built for CPUs; there is no GPU")
        words = f"{known} is built for CPUs only, and this machine has a GPU: runs train on the CPU"
        return found("fault", words, "install the build for your GPU: https://pytorch.org/get-started")
    named = {"cuda": "CUDA", "hip": "ROCm"}.get(build.kind, "an unknown toolkit")
    known += f", built for {named} {build.toolkit}".rstrip()
    if not gpus_there:
        return found("note", f"{known}; no GPU is found, runs train on the CPU")
    if not gpus_visible:
        variable = "CUDA_VISIBLE_DEVICES" if "CUDA_VISIBLE_DEVICES" in os.environ else "HIP_VISIBLE_DEVICES"
        return found("note", f"{known}; {variable} hides the GPUs", f"unset {variable} to use them")
    needed = OLDEST_DRIVER.get(_major(build.toolkit), 0) if build.kind == "cuda" else 0
    if driver and _major(driver) < needed:
        words = f"{known} needs NVIDIA driver {needed} or later; {driver} is installed"
        return found("fault", words, "update the driver, or install a torch build for an older CUDA")
    return found("ok", f"{known}" + (f", driver {driver}" if driver else ""))


def core_words() -> MachineFinding:
    """Cores as limits leave them, and the load on them."""
    usable, there, load = cores(), os.cpu_count() or 1, os.getloadavg()[0]
    words = f"{usable} of {there} cores can be used" if usable < there else f"{there} cores"
    if load > usable:
        remedy = "times left are uncertain while other work competes"
        return MachineFinding("cores", "note", f"{words}; the load is {load:.1f}", remedy)
    return MachineFinding("cores", "ok", f"{words}, load {load:.1f}")


def memory_words(free: float) -> MachineFinding:
    """Free memory as limits leave it. Pure."""
    words = f"{free / 1e9:.1f} GB are free"
    if free < LITTLE_MEMORY:
        return MachineFinding("memory", "note", words, "the largest models need 2 to 3 GB a run: train fewer at once")
    return MachineFinding("memory", "ok", words)


def disk_words(folder: Path) -> MachineFinding:
    """Room on the workspace's disk, in bytes and in names."""
    try:
        there = os.statvfs(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        words = f"{folder} cannot be written ({error.strerror})"
        return MachineFinding("disk", "fault", words, "choose another folder with --workspace")
    free = there.f_bavail * there.f_frsize
    words = f"{free / 1e9:.1f} GB are free in {folder}"
    if there.f_files and there.f_favail < FEW_FILES:
        return MachineFinding("disk", "fault", f"{words}, but only {there.f_favail} more files", "remove files there")
    if free < LITTLE_DISK:
        remedy = "a full campaign writes 1 to 5 GB of checkpoints, models and vectors"
        return MachineFinding("disk", "fault" if free < NO_DISK else "note", words, remedy)
    return MachineFinding("disk", "ok", words)


def file_system_words(folder: Path) -> MachineFinding:
    """Whether other hosts share the workspace's file system, and whether locks work on it."""
    found, kind = partial(MachineFinding, "file system"), filesystem_kind(folder) or "unknown type"
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".lvmtui-doctor-") as scratch:
            lock = try_lock(Path(scratch) / "lock")
            if lock is not None:
                lock.close()
    except OSError as error:
        remedy = "two trainers could write one run: use another file system"
        return found("fault", f"{kind}: no locks ({error.strerror})", remedy)
    if not is_shared(folder):
        return found("ok", f"{kind}, of this host alone")
    if not locks_reach(folder):
        remedy = "start lvmtui on one host only, or mount it with locks that reach the server"
        return found("note", f"{kind}, shared between hosts, locks seen by this host only", remedy)
    return found("ok", f"{kind}, shared between hosts; changes are looked for every few seconds")


def temporary_words() -> MachineFinding:
    """Whether short-lived files can be written."""
    try:
        with tempfile.TemporaryFile():
            return MachineFinding("temporary files", "ok", tempfile.gettempdir())
    except OSError as error:
        words = f"cannot be written ({error.strerror or error})"
        return MachineFinding("temporary files", "fault", words, "set TMPDIR to a folder that can be written")


def watch_words(folder: Path) -> MachineFinding:
    """Whether the kernel would tell of changes in the workspace; tried, as all programs of a user share the limits."""
    if not sys.platform.startswith("linux"):
        return MachineFinding("file watches", "ok", "no limit on this system")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(IN_CLOEXEC)
    failed = ctypes.get_errno() if descriptor < 0 else 0
    limit = "max_user_instances"
    if descriptor >= 0:
        if libc.inotify_add_watch(descriptor, os.fsencode(folder), IN_MODIFY) < 0:
            failed, limit = ctypes.get_errno(), "max_user_watches"
        os.close(descriptor)
    if not failed:
        return MachineFinding("file watches", "ok", "the kernel tells of changes")
    if failed not in (errno.EMFILE, errno.ENOSPC):
        return MachineFinding("file watches", "note", f"none ({os.strerror(failed)}); changes are looked for instead")
    remedy = f"raise fs.inotify.{limit} with sysctl, or close programs that watch many files"
    return MachineFinding("file watches", "note", "none is left for this user; changes are looked for instead", remedy)


def terminal_words(output: TextIO, environment: Mapping[str, str]) -> MachineFinding:
    """Whether the screen can be drawn here."""
    found, encoding = partial(MachineFinding, "terminal"), output.encoding or "ascii"
    try:
        DRAWN.encode(encoding)
        letters = ""
    except (UnicodeError, LookupError):
        letters = f"; {encoding} has no line drawing, so letters stand in"
    remedy = "set LANG or LC_ALL to a UTF-8 locale, as C.UTF-8" if letters else ""
    if not output.isatty():
        return found("note" if letters else "ok", f"output goes to no terminal{letters}", remedy)
    if environment.get("TERM", "dumb") in ("dumb", "unknown", ""):
        words = f"TERM is '{environment.get('TERM', '')}': the screen cannot be drawn"
        return found("fault", words, "use 'lvmtui status' and 'lvmtui attach --headless', or set TERM")
    size = shutil.get_terminal_size()
    words = f"{environment['TERM']}, {size.columns} x {size.lines}, {encoding}{letters}"
    if size.columns < SCREEN[0] or size.lines < SCREEN[1]:
        words += f"; the screen wants {SCREEN[0]} x {SCREEN[1]}"
        remedy = "; ".join(part for part in ("enlarge the window", remedy) if part)
    return found("note" if remedy else "ok", words, remedy)


def slurm_words() -> Iterator[MachineFinding]:
    """Slurm, where its commands are installed. Runs can train here without it, so nothing of it is a fault."""
    if shutil.which("sbatch") is None:
        return
    for command in (("sbatch", "--version"), ("squeue", "--noheader", "--me")):
        answer = done_by(command, seconds=10)
        if answer.code:
            words = f"{' '.join(command)} fails: {last_words((answer.err or answer.out).encode())}"
            remedy = "to use --engine slurm, set SLURM_CONF or ask whoever runs the cluster"
            yield MachineFinding("Slurm", "note", words, remedy)
            return
    yield MachineFinding("Slurm", "ok", "it answers; --engine slurm submits runs as jobs")


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0
