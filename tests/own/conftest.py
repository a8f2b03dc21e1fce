"""The bench of `bench.py`, cleared of its processes after each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.system.processes import marked_processes
from tests.own.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for process in marked_processes():
        if process.launch == bench.launch:
            os.kill(process.identity.pid, 9)
