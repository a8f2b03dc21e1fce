"""Naming a vector file: picked from folders, or completed as it is typed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DirectoryTree

from lvmtui.formats.spec import VECTOR_FILES
from lvmtui.ui.draw.lines import plain
from lvmtui.ui.widgets.dialogs import Dialog

MOST = 2000
"""Entries of a folder that are looked at."""


class VectorTree(DirectoryTree):
    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return (
            path
            for path in paths
            if not path.name.startswith(".") and path.name == plain(path.name)
            if path.suffix in VECTOR_FILES or path.is_dir()
        )


class Picker(Dialog[str]):
    """Shows the vector files below a folder; answers with the path picked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("backspace", "up", "up a folder", show=False)]

    def __init__(self, folder: Path) -> None:
        super().__init__("Pick a file (enter takes it, backspace: the folder above, esc closes)")
        self._folder = folder.absolute() if folder.is_dir() else Path.cwd()

    def compose_box(self) -> ComposeResult:
        yield VectorTree(self._folder)

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        self.dismiss(os.fspath(event.path))

    def action_up(self) -> None:
        tree = self.query_one(VectorTree)
        tree.path = Path(tree.path).parent


def names(folder: Path) -> list[str]:
    """Folders, with a slash, and vector files in `folder`; hidden ones are left out. Empty if it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            found = [item.name + "/" * item.is_dir() for item in islice(listing, MOST)]
    except OSError:
        return []
    return sorted(name for name in found if not name.startswith(".") and name.endswith(("/", *VECTOR_FILES)))


def typed_path(text: str) -> Path:
    """The path that was typed, `~` understood; `~nobody` stays what it is."""
    return Path(os.path.expanduser(text))


def completed(text: str) -> str:
    """`text` with as much added as all names agree on that begin like it; unchanged where there are none."""
    path = typed_path(text)
    folder, start = (path, "") if text.endswith("/") else (path.parent, path.name)
    found = [name for name in names(folder) if name.startswith(start)]
    common = os.path.commonprefix(found)  # noqa: RUF071 - of characters, as a shell completes
    return text[: len(text) - len(start)] + common if len(common) > len(start) else text
