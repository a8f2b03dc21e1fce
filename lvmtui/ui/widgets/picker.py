"""Picking a vector file from folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DirectoryTree

from lvmtui.ui.draw.lines import plain
from lvmtui.ui.read.files import SUFFIXES
from lvmtui.ui.widgets.dialogs import Dialog


class VectorTree(DirectoryTree):
    """Folders and vector files."""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return (
            path
            for path in paths
            if not path.name.startswith(".") and path.name == plain(path.name)
            if path.suffix in SUFFIXES or path.is_dir()
        )


class Picker(Dialog[str]):
    """Shows the vector files below a folder; answers with the path picked, with "" if none was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("backspace", "up", "up a folder", show=False),
    ]

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

    def action_leave(self) -> None:
        self.dismiss("")
