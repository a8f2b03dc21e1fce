"""What to do when this process is the first one of its container, because the container ends with it.

Usually a trainer outlives the process that started it. But when the first process of a PID namespace ends, the kernel
kills all others there at once. The kernel also drops TERM for the first process unless that has a handler for it. So
if ours is the first process, it handles TERM, and asks the runs to write a checkpoint and leave before it ends.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.supervisor.wake import sleep_until
from lvmtui.system.processes import Process, ask_to_leave, marked_processes, send

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
"""A shell that is the first process ends when the command it was started for does."""
PATIENCE = 8.0
"""Seconds the runs get to write their checkpoints: `docker stop` kills everything after ten."""


def ends_the_container() -> bool:
    """True if all other processes here die with this one: it is the first one, or its parent is a shell that is."""
    if os.getpid() == 1:
        return True
    try:
        return os.getppid() == 1 and Path("/proc/1/comm").read_text().strip() in SHELLS
    except OSError:
        return False


def listen_for_term() -> None:
    """Let TERM end this process as Ctrl-C does, where it is the first of its container."""
    if ends_the_container():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def take_runs_along(workspace: Workspace) -> str:
    """Ask the supervisor and all runs of the workspace to leave, and wait for them. Returns the result in words.

    The supervisor is asked first, because otherwise it would start the next runs.
    """
    supervisor = supervisor_of(workspace)
    if supervisor is not None and supervisor.here and supervisor.pid != os.getpid():
        send(supervisor, signal.SIGTERM)
    asked = _processes(workspace)
    ask_to_leave(asked)
    if not sleep_until(lambda: not _processes(workspace), PATIENCE):
        return "the container ends before every run could write a checkpoint; they go on from their last ones"
    if asked:
        return "the runs left with a checkpoint, as the container ends with this process; the next start goes on"
    return "nothing ran; the next start goes on"


def leave(workspace: Workspace, going_on: str) -> str:
    """The text for a person who leaves: `going_on`, or, where runs cannot go on without us, what became of them."""
    if not ends_the_container():
        return going_on
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return take_runs_along(workspace)


def _processes(workspace: Workspace) -> list[Process]:
    root = os.path.realpath(workspace.models) + os.sep
    return [process for process in marked_processes() if process.mark.startswith(root)]
