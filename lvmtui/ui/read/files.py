"""How the path of a vector file that is being typed goes on."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

SUFFIXES = (".npz", ".npy")
MOST = 2000
"""Entries of a folder that are looked at."""


def names(folder: Path) -> list[str]:
    """Folders, with a slash, and vector files in `folder`; hidden ones are left out. Empty if it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            found = [item.name + "/" * item.is_dir() for item in islice(listing, MOST)]
    except OSError:
        return []
    return sorted(name for name in found if not name.startswith(".") and name.endswith(("/", *SUFFIXES)))


def typed_path(text: str) -> Path:
    """The path that was typed, `~` understood; `~nobody` stays what it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def completed(text: str) -> str:
    """`text` with as much added as all names agree on that begin like it; unchanged where there are none."""
    path = typed_path(text)
    folder, start = (path, "") if text.endswith("/") else (path.parent, path.name)
    found = [name for name in names(folder) if name.startswith(start)]
    common = os.path.commonprefix(found)  # noqa: RUF071 - of characters, as a shell completes
    if len(common) <= len(start):
        return text
    return text[: len(text) - len(start)] + common
