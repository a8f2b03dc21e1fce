"""The one watcher: what it reports, and what it does where the kernel reports nothing."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from lvmtui.formats.paths import Workspace
from lvmtui.state.polling import Polling
from lvmtui.system.watch import Watcher
from tests.factory import bring_to, make_campaign
from tests.waiting import wait_for as until


def test_when_no_watches_are_left_it_looks_for_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(*arguments: object, **options: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("watchfiles.watch", watch)
    workspace, campaign = Workspace(tmp_path), make_campaign(tmp_path, models=("amn",))
    warned, reported, begun = list[str](), list[str](), threading.Event()
    look = lambda: Polling(workspace).changes  # noqa: E731
    watcher = Watcher(reported.extend, begun=begun.set, warn=warned.append, look=look)
    watcher.start([workspace.lvm])
    try:
        until(begun.is_set)
        assert len(warned) == 1 and "files are not watched" in warned[0]
        bring_to(tmp_path, campaign, "amn", "baseline", state="finished")
        events = workspace.run(campaign.runs[0]).events
        until(lambda: str(events) in reported)
    finally:
        watcher.stop()


def test_a_root_that_is_deleted_and_made_again_at_once_is_watched(tmp_path: Path) -> None:
    """The new folder often gets the inode of the old one, so only the report of the deletion tells."""
    reported: list[str] = []
    root = tmp_path / "root"
    watcher = Watcher(reported.extend, warn=lambda words: None, matters=lambda change, path: path.endswith("file"))
    watcher.start([root])
    try:
        for _ in range(5):
            root.mkdir()
            reported.clear()

            def seen() -> bool:
                (root / "file").write_text(str(time.monotonic()))  # until the watch has begun nothing is reported
                return str(root / "file") in reported

            until(seen)
            shutil.rmtree(root)
    finally:
        watcher.stop()


def test_a_root_that_appears_later_or_is_replaced_is_watched(tmp_path: Path) -> None:
    reported: list[str] = []
    root = tmp_path / "root"
    watcher = Watcher(reported.extend, warn=lambda words: None)
    watcher.start([root])
    try:
        for number in range(2):
            root.mkdir()
            file = root / f"file{number}"

            def seen(file: Path = file) -> bool:
                file.write_text(str(len(reported)))  # until the watch has begun nothing is reported
                return str(file) in reported

            until(seen)
            root.rename(tmp_path / f"old{number}")
    finally:
        watcher.stop()
