"""Whose orders are obeyed: those of the folder's owner, of root, and of its group if the group may write to it.

If everybody may write to a folder, that still does not let everybody stop another person's training.
"""

from __future__ import annotations

import errno
import getpass
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from lvmtui.system.process_id import host_name


class StrangersOrder(PermissionError):
    """The user who wrote an order may not give orders here."""


def may_order(uid: int, folder: Path) -> bool:
    """True if orders of user `uid` count in `folder`. Raises OSError if the folder cannot be looked at."""
    facts = folder.stat()
    return uid in (0, facts.st_uid) or (bool(facts.st_mode & stat.S_IWGRP) and facts.st_gid in _groups_of(uid))


def read_order(path: Path) -> bytes:
    """The content of an order's file. Raises StrangersOrder if it does not count, OSError if it cannot be read."""
    with path.open("rb") as file:
        writer = os.fstat(file.fileno()).st_uid
        if not may_order(writer, path.parent):
            raise StrangersOrder(f"{path}: written by user {user_name(writer)}, whose orders do not count here")
        return file.read()


def why_not_followed(path: Path) -> str:
    """Why an order does not count, in words; empty: it does, or it cannot be read."""
    try:
        read_order(path)
    except OSError as error:
        return str(error) if isinstance(error, StrangersOrder) else ""
    return ""


def who() -> str:
    """This user as an order names them: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a password file
        user = str(os.getuid())
    return f"{user}@{host_name()}"


def why_unwritable(path: Path, error: OSError) -> str:
    """Why a file cannot be written, and whom to ask, where its owner or mode is the reason."""
    reason = f"cannot be written ({error.strerror or error})"
    if not isinstance(error, PermissionError):
        return reason
    try:
        facts = path.stat()
    except OSError:
        return reason
    owner, mode = user_name(facts.st_uid), stat.S_IMODE(facts.st_mode)
    return f"{reason}; it belongs to {owner} with mode {mode:o}, who can open it to the group with 'chmod g+w'"


def first_unwritable(paths: Iterable[Path]) -> str:
    """The first of the files that is there and cannot be written by us, with the reason; empty: there is none."""
    for path in paths:
        if path.exists() and not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            return f"{path}: {why_unwritable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))}"
    return ""


def user_name(uid: int) -> str:
    """The name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _groups_of(uid: int) -> list[int]:
    if uid == os.geteuid():  # the kernel knows ours, also where no list of users does
        return [os.getegid(), *os.getgroups()]
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(user.pw_name, user.pw_gid)
