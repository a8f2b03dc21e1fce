"""A trainer that replaces itself: same process number, same marks, a fresh Python, from what is on the disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import NoReturn

NO_GRAPH = "LVMTUI_NO_GRAPH"
"""Environment variable: why steps are not to be recorded in this process."""


def without_graphs(
    reason: str,
    signals: Iterable[signal.Signals] = (),
    seen: Callable[[], signal.Signals | None] = lambda: None,
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
