"""What wakes the supervisor."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
from watchfiles import Change

from lvmtui.formats.intent import write_intent
from lvmtui.supervisor import wake as wake_module
from lvmtui.supervisor.wake import Wakeup, matters, sleep_until
from lvmtui.system.watch import Timing


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        (Change.modified, "models/run/intent.json", True),
        (Change.added, "campaigns/c/campaign_intent.json", True),
        (Change.added, "campaigns/c/campaign.json", True),
        (Change.deleted, "models/run", True),
        (Change.modified, "models/run/progress.json", False),
        (Change.modified, "models/run/train.log", False),
        (Change.modified, "models/run/events.jsonl", False),
        (Change.deleted, "models/run/.progress.json.ab12.part", False),
        (Change.added, "models/run", False),
    ],
)
def test_orders_matter_and_the_chatter_of_trainers_does_not(change: Change, name: str, expected: bool) -> None:
    assert matters(change, "/workspace/artifacts/lvm/" + name) is expected


def woken(wakeup: Wakeup, act: object) -> bool:
    """True if `act` ends the sleep well before it would end by itself."""
    began = time.monotonic()
    act()  # type: ignore[operator]
    wakeup.sleep(60)
    return time.monotonic() - began < 30


def test_an_order_wakes(tmp_path: Path) -> None:
    run = tmp_path / "models" / "run"
    run.mkdir(parents=True)
    wakeup = Wakeup([tmp_path / "models"])
    wakeup.start()
    stop = threading.Event()

    def keep_ordering() -> None:  # the watch needs a moment to begin
        while not stop.wait(0.05):
            write_intent(run / "intent.json", "pause", by="test")

    thread = threading.Thread(target=keep_ordering)
    try:
        assert woken(wakeup, thread.start)
    finally:
        stop.set()
        thread.join()
        wakeup.stop()


def test_a_wakeup_before_the_sleep_is_not_lost_and_several_count_as_one() -> None:
    wakeup = Wakeup([])
    for _ in range(100_000):
        wakeup.wake()
    assert woken(wakeup, lambda: None)
    wakeup.sleep(0)
    began = time.monotonic()
    wakeup.sleep(0.05)
    assert time.monotonic() - began >= 0.04


def test_roots_may_vanish_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_module, "TIMING", Timing(retry=0.05))
    root = tmp_path / "models"
    wakeup = Wakeup([root], warn=lambda words: None)
    wakeup.start()
    try:
        for _ in range(2):
            (root / "run").mkdir(parents=True)
            stop = threading.Event()
            orders = threading.Thread(target=lambda stop=stop: _write_until(root / "run" / "intent.json", stop))
            assert woken(wakeup, orders.start)
            stop.set()
            orders.join()
            shutil.rmtree(root)
            wakeup.sleep(0.1)
    finally:
        wakeup.stop()


def _write_until(path: Path, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        write_intent(path, "pause", by="test")


def test_without_inotify_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    said: list[str] = []
    monkeypatch.setattr("watchfiles.watch", exhausted)
    monkeypatch.setattr(wake_module, "TIMING", Timing(retry=0.01))
    wakeup = Wakeup([tmp_path], warn=said.append)
    wakeup.start()
    assert sleep_until(lambda: bool(said), 20)
    wakeup.sleep(0.1)
    wakeup.stop()
    assert len(said) == 1 and "watch limit" in said[0]


def test_sleeping_until() -> None:
    assert not sleep_until(lambda: False, 0.05)
    assert sleep_until(lambda: True, 0)
