"""The lock that makes a workspace's supervisor the only one, and the file that says who that is.

The lock is what counts: the kernel frees it whatever way its holder ends. The file is for people.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import IO

import lvmtui
from lvmtui.formats.json_codec import dump_document, encode
from lvmtui.formats.live import SupervisorFile
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import supervisor_of
from lvmtui.supervisor.wake import sleep_until
from lvmtui.system import numbers as words
from lvmtui.system.errors import UserError
from lvmtui.system.files import replace_file
from lvmtui.system.locks import try_lock
from lvmtui.system.process_id import own_identity

RIVAL_WAIT = 1.0
"""Seconds to wait for the lock: somebody who only asks whether there is a supervisor holds it for a moment."""


def take_lock(workspace: Workspace, seconds: float = RIVAL_WAIT) -> IO[bytes] | None:
    """The lock that makes one supervisor the only one, None if another has it. Raises UserError."""
    path = workspace.supervisor_lock
    taken: list[IO[bytes]] = []

    def try_once() -> bool:
        lock = try_lock(path)
        taken.extend([lock] if lock else [])
        return bool(taken)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sleep_until(try_once, seconds)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); use a workspace you may write to") from None
    return taken[0] if taken else None


def who_supervises(workspace: Workspace) -> str:
    """In words, when the lock is taken."""
    identity = supervisor_of(workspace)
    if identity is None:
        return f"{workspace.root} is supervised by another process"
    since = ""
    with suppress(OSError):
        since = f" since {words.date(workspace.supervisor.stat().st_mtime)}"
    return f"{workspace.root} is supervised by process {identity.pid} on {identity.host}{since}"


def introduce(workspace: Workspace) -> None:
    """Say who supervises. The lock is what counts; without room for this file people know less, that is all."""
    with suppress(OSError):
        lock = os.stat(workspace.supervisor_lock).st_ino
        facts = SupervisorFile(own_identity(), time.time(), lvmtui.__version__, lock)
        replace_file(workspace.supervisor, dump_document(encode(facts)), durable=False)


def still_ours(workspace: Workspace, lock: IO[bytes]) -> bool | None:
    """False if another file lies where our lock was, so that another may hold that; None if there is none."""
    try:
        return os.stat(workspace.supervisor_lock).st_ino == os.fstat(lock.fileno()).st_ino
    except OSError:
        return None


def give_back(workspace: Workspace, lock: IO[bytes]) -> None:
    """Let others supervise."""
    if still_ours(workspace, lock):
        with suppress(OSError):
            workspace.supervisor.unlink()
    lock.close()
