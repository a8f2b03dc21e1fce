"""A workspace has one supervisor at most: its lock, the file that names it, and starting one where there is none.

The lock decides: the kernel frees it however its holder ends. The file is for people.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

import lvmtui
from lvmtui.formats.json_codec import write_document
from lvmtui.formats.live import SupervisorFile
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.supervisor.wake import sleep_until
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.files import last_line
from lvmtui.system.filesystem import try_lock
from lvmtui.system.launch import our_command
from lvmtui.system.process_id import own_identity
from lvmtui.system.programs import ending_words, spawn, unmarked_environment

RIVAL_WAIT = 1.0
"""Seconds to wait for the lock: somebody who only asks whether there is a supervisor holds it for a moment."""
PATIENCE = 20.0
"""Seconds a new supervisor gets to take the lock: on a slow disk an interpreter needs some."""
ENSURE = 10.0
"""Seconds between two attempts to get a supervisor for runs that wait, where one has died."""
EXIT_SUPERVISED = 3
"""Exit code of a supervisor that found another one."""


def take_lock(workspace: Workspace, seconds: float = RIVAL_WAIT) -> IO[bytes] | None:
    """Take the workspace's lock, waiting at most `seconds` for it. None if another process has it. Raises UserError."""
    path = workspace.supervisor_lock
    try:
        workspace.root.stat()  # one that was moved away meanwhile is not made anew
        path.parent.mkdir(parents=True, exist_ok=True)
        return try_lock(path, seconds)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); use a workspace you may write to") from None


def who_supervises(workspace: Workspace) -> str:
    """The process that holds the lock, in words."""
    identity = supervisor_of(workspace)
    if identity is None:
        return f"{workspace.root} is supervised by another process"
    since = ""
    with suppress(OSError):
        since = f" since {words.date(workspace.supervisor.stat().st_mtime)}"
    return f"{workspace.root} is supervised by process {identity.pid} on {identity.host}{since}"


def introduce(workspace: Workspace) -> None:
    """Write who supervises. The lock decides, so it does no harm if there is no room for this file."""
    with suppress(OSError):
        lock = os.stat(workspace.supervisor_lock).st_ino
        facts = SupervisorFile(own_identity(), time.time(), lvmtui.__version__, lock)
        write_document(workspace.supervisor, facts, durable=False)


def still_ours(workspace: Workspace, lock: IO[bytes]) -> bool | None:
    """False if the lock file was replaced, so that another process may hold the new one; None if it is gone."""
    try:
        return os.stat(workspace.supervisor_lock).st_ino == os.fstat(lock.fileno()).st_ino
    except OSError:
        return None


def give_back(workspace: Workspace, lock: IO[bytes]) -> None:
    """Free the lock, and remove the file that names us."""
    if still_ours(workspace, lock):
        with suppress(OSError):
            workspace.supervisor.unlink()
    lock.close()


def ensure_supervisor(workspace: Workspace, *, command: Sequence[str] | None = None) -> str:
    """Start a detached supervisor if there is none, and wait until it is there. Returns who supervises, in words.

    Give the order first and call this then: a supervisor that is just leaving looks once more. Raises UserError if
    the workspace cannot be written or the supervisor does not come up.
    """
    if _is_supervised(workspace):
        return who_supervises(workspace)
    output = workspace.supervisor_log
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        process = spawn(
            command or our_command("lvmtui", "supervise", "--workspace", str(workspace.root)),
            output=output,
            folder=workspace.root,
            environment=unmarked_environment(),
        )
    except OSError as error:
        raise UserError(f"{output}: the supervisor cannot be started ({error.strerror or error})") from None

    def settled() -> bool:
        identity = supervisor_of(workspace)
        return (identity is not None and identity.pid == process.pid) or process.poll() is not None

    sleep_until(settled, PATIENCE)
    if process.returncode is None:
        process.returncode = 0  # it outlives us and nobody waits for it; without this Python would warn
        return who_supervises(workspace)
    if process.returncode == EXIT_SUPERVISED or _is_supervised(workspace):
        return who_supervises(workspace)  # another one was faster
    last = last_line(output) or ending_words(process.returncode)
    raise UserError(f"the supervisor did not come up: {last}; more in {output}")


def _is_supervised(workspace: Workspace) -> bool:
    """Ask the lock, not the file that names the holder: only the lock is always right. Raises UserError."""
    lock = take_lock(workspace, seconds=0)
    if lock is None:
        return True
    lock.close()
    return False
