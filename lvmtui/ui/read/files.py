"""Finding a vector file: what a folder offers, and how a path that is being typed goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lvmtui.system import numbers as words
from lvmtui.system.text import sanitise

SUFFIXES = (".npz", ".npy")
MOST = 2000
"""Entries of a folder that are looked at."""


@dataclass(frozen=True)
class Entry:
    """A folder or a vector file."""

    path: Path
    folder: bool
    size: int = 0

    @property
    def name(self) -> str:
        return sanitise(self.path.name, 200) + ("/" if self.folder else "")

    @property
    def facts(self) -> str:
        return "" if self.folder else words.size(self.size)


def entries(folder: Path) -> list[Entry]:
    """Folders and vector files in `folder`, folders first; hidden ones are left out. Empty if it cannot be read."""
    found: list[Entry] = []
    try:
        with os.scandir(folder) as listing:
            for count, item in enumerate(listing):
                if count >= MOST:
                    break
                if item.name.startswith("."):
                    continue
                try:
                    if item.is_dir():
                        found.append(Entry(Path(item.path), True))
                    elif item.name.endswith(SUFFIXES):
                        found.append(Entry(Path(item.path), False, item.stat().st_size))
                except OSError:
                    continue
    except OSError:
        return []
    return sorted(found, key=lambda entry: (not entry.folder, entry.path.name.lower()))


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
    names = [e.path.name + ("/" if e.folder else "") for e in entries(folder) if e.path.name.startswith(start)]
    common = os.path.commonprefix(names)  # noqa: RUF071 - of characters, as a shell completes
    if len(common) <= len(start):
        return text
    return text[: len(text) - len(start)] + common
