"""Make sure that a workspace is supervised, after an order was written."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.supervisor.lock import take_lock, who_supervises
from lvmtui.supervisor.supervisor import EXIT_SUPERVISED
from lvmtui.supervisor.wake import sleep_until
from lvmtui.system.errors import UserError
from lvmtui.system.launch import our_command
from lvmtui.system.processes import ending_words, spawn, unmarked_environment
from lvmtui.system.text import last_words

PATIENCE = 20.0
"""Seconds a new supervisor gets to take the lock: on a slow disk an interpreter needs some."""


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
            environment=unmarked_environment(os.environ),
        )
    except OSError as error:
        raise UserError(f"{output}: the supervisor cannot be started ({error.strerror or error})") from None

    def settled() -> bool:
        identity = supervisor_of(workspace)
        return (identity is not None and identity.pid == process.pid) or process.poll() is not None

    sleep_until(settled, PATIENCE)
    if process.returncode is None:
        process.returncode = 0  # it is on its own now: nobody waits for it, and Python need not warn of that
        return who_supervises(workspace)
    if process.returncode == EXIT_SUPERVISED or _is_supervised(workspace):
        return who_supervises(workspace)  # another one was faster
    last = _last_words(workspace) or ending_words(process.returncode)
    raise UserError(f"the supervisor did not come up: {last}; more in {output}")


def _is_supervised(workspace: Workspace) -> bool:
    """Ask the lock, not the file that names the holder: only the lock is always right. Raises UserError."""
    lock = take_lock(workspace, seconds=0)
    if lock is None:
        return True
    lock.close()
    return False


def _last_words(workspace: Workspace) -> str:
    try:
        return last_words(workspace.supervisor_log.read_bytes()[-4096:])
    except OSError:
        return ""
