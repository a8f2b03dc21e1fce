"""What a trainer does to its own process. Standard library only: used before torch is imported."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""glibc's malloc.h."""
NO_GRAPH = "LVMTUI_NO_GRAPH"
"""Environment variable: why steps are not to be recorded in this process."""


def keep_memory() -> None:
    """Tell malloc to give nothing back to the system and to map nothing by itself.

    Otherwise every large tensor of every step is mapped, zeroed by the kernel page by page, and unmapped. Where malloc
    is not glibc's nothing happens.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_MAX, 0)


def without_graphs(
    reason: str, signals: Iterable[signal.Signals] = (), seen: Callable[[], signal.Signals | None] = lambda: None
) -> NoReturn:
    """Start this process over with recording switched off.

    After a failed recording nothing that is in the GPU's memory can be trusted, so nothing is saved: at most the few
    steps that warmed up are lost. `signals` stay blocked until the new process takes them (`orders.py`); the one that
    `seen` tells of came already, and is handed on. Raises OSError.
    """
    os.environ[NO_GRAPH] = reason
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    if (pending := seen()) is not None:
        signal.pthread_kill(threading.get_ident(), pending)  # to this thread: torch's others block nothing
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
