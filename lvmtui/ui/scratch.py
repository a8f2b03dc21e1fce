"""A workspace beside the real one, in which plans are made before anybody has said that one is to start.

Whoever opens the form looks at vectors, and looking packs them into a compact store. That store goes to the system's
temporary folder and leaves with the form; what the workspace has itself, its stores and what its runs have shown of the
machine, is seen through links.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from lvmtui.formats.paths import Workspace

NOTES = "seen"
"""Folder among the stores that says which file is which store."""


class Scratch:
    """Stands in for a workspace until `close`."""

    def __init__(self, workspace: Workspace) -> None:
        self._real = workspace
        self._made: Workspace | None = None

    def workspace(self) -> Workspace:
        """The stand-in, with everything the workspace holds now; the workspace itself where no other folder can be
        written to."""
        if self._made is None:
            try:
                self._made = Workspace(Path(tempfile.mkdtemp(prefix="lvmtui-plan-")).resolve())
            except OSError:
                return self._real
        with suppress(OSError):
            self._link(self._made)
        return self._made

    def _link(self, made: Workspace) -> None:
        made.lvm.mkdir(parents=True, exist_ok=True)
        for mine, real in ((made.models, self._real.models), (made.campaigns, self._real.campaigns)):
            if not mine.is_symlink():
                mine.symlink_to(real)
        for folder in _entries(self._real.datasets):  # a store's folder is a real one here: its path tells whose it is
            mine = made.datasets / folder.name
            mine.mkdir(parents=True, exist_ok=True)
            for file in _entries(folder):
                if not os.path.lexists(mine / file.name):
                    (mine / file.name).symlink_to(file)

    def keep(self) -> None:
        """Hand what was made here over to the workspace, which is about to need it. On another file system it stays
        behind and is made again: copying could leave half of a store."""
        if self._made is None:
            return
        with suppress(OSError):
            (self._real.datasets / NOTES).mkdir(parents=True, exist_ok=True)
            stores = [entry for entry in _entries(self._made.datasets) if entry.name != NOTES]
            for mine in (*stores, *_entries(self._made.datasets / NOTES)):
                borrowed = mine.is_symlink() or any(file.is_symlink() for file in _entries(mine))
                if not borrowed:
                    with suppress(OSError):  # it is there already, or lies on another file system
                        mine.rename(self._real.datasets / mine.relative_to(self._made.datasets))

    def close(self) -> None:
        """Remove the stand-in; of what is linked only the links."""
        if self._made is not None:
            shutil.rmtree(self._made.root, ignore_errors=True)
            self._made = None


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder and is whole: what begins with a dot is somebody's work in progress."""
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []
