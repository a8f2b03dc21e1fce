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
from lvmtui.supervisor.wake import Waker, matters, sleep_until


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


def woken(waker: Waker, act: object) -> bool:
    """True if the waker is woken by `act`, well before it would by itself."""
    began = time.monotonic()
    act()  # type: ignore[operator]
    waker.wait(60)
    return time.monotonic() - began < 30


def test_an_order_wakes(tmp_path: Path) -> None:
    run = tmp_path / "models" / "run"
    run.mkdir(parents=True)
    waker = Waker([tmp_path / "models"])
    waker.start()
    stop = threading.Event()

    def keep_ordering() -> None:  # the watch needs a moment to begin
        while not stop.wait(0.05):
            write_intent(run / "intent.json", "pause", by="test")

    thread = threading.Thread(target=keep_ordering)
    try:
        assert woken(waker, thread.start)
    finally:
        stop.set()
        thread.join()
        waker.stop()


def test_a_ring_before_the_wait_is_not_lost_and_many_are_one() -> None:
    waker = Waker([])
    for _ in range(100_000):
        waker.ring()
    assert woken(waker, lambda: None)
    waker.wait(0)
    began = time.monotonic()
    waker.wait(0.05)
    assert time.monotonic() - began >= 0.04


def test_roots_may_vanish_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_module, "AGAIN", 0.05)
    root = tmp_path / "models"
    waker = Waker([root], say=lambda words: None)
    waker.start()
    try:
        for _ in range(2):
            (root / "run").mkdir(parents=True)
            stop = threading.Event()
            rung = threading.Thread(target=lambda stop=stop: _write_until(root / "run" / "intent.json", stop))
            assert woken(waker, rung.start)
            stop.set()
            rung.join()
            shutil.rmtree(root)
            waker.wait(0.1)
    finally:
        waker.stop()


def _write_until(path: Path, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        write_intent(path, "pause", by="test")


def test_without_inotify_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    said: list[str] = []
    monkeypatch.setattr(wake_module, "watch", exhausted)
    monkeypatch.setattr(wake_module, "AGAIN", 0.01)
    waker = Waker([tmp_path], say=said.append)
    waker.start()
    assert sleep_until(lambda: bool(said), 20)
    waker.wait(0.1)
    waker.stop()
    assert len(said) == 1 and "watch limit" in said[0]


def test_sleeping_until() -> None:
    assert not sleep_until(lambda: False, 0.05)
    assert sleep_until(lambda: True, 0)
