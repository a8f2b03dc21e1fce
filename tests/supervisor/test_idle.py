"""Idle cores, from what the kernel counts."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.supervisor.idle import LEAST, MOST, IdleCores

TICKS = os.sysconf("SC_CLK_TCK")


def stat(*cores: tuple[int, int]) -> str:
    """/proc/stat with each core's busy and idle ticks."""
    lines = [f"cpu{n} {busy} 0 0 {idle} 0 0 0 0 0 0" for n, (busy, idle) in enumerate(cores)]
    return "\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *lines, "intr 1 2 3", "ctxt 5", ""])


@pytest.fixture(autouse=True)
def two_of_three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})


@given(st.lists(st.tuples(*[st.integers(0, 10 * TICKS)] * 6), min_size=1, max_size=6))
def test_what_our_cores_did_not_do(spans: list[tuple[int, ...]]) -> None:
    total = [[0, 0], [0, 0], [0, 0]]
    texts = [stat(*map(tuple, total))]  # type: ignore[arg-type]
    idle = IdleCores(lambda: texts[-1])
    assert idle() == 0.0, "not known yet"
    counted, told = (0, 0), 0.0
    for span in spans:
        for core in range(3):
            total[core] = [total[core][0] + span[2 * core], total[core][1] + span[2 * core + 1]]
        texts.append(stat(*map(tuple, total)))  # type: ignore[arg-type]
        free, passed = total[0][1] + total[2][1], sum(total[0]) + sum(total[2])
        seconds = (passed - counted[1]) / TICKS / 2
        if seconds >= LEAST:
            told = 2 * (free - counted[0]) / (passed - counted[1]) if seconds <= MOST else 0.0
            counted = free, passed
        assert idle() == pytest.approx(told) and 0 <= told <= 2


def test_waiting_for_a_disk_is_having_nothing_to_do_and_a_stolen_core_is_not() -> None:
    begin = "cpu0 0 0 0 0 0 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 0 0 0\n"
    texts = [begin]
    idle = IdleCores(lambda: texts[-1])
    idle()
    texts.append("cpu0 0 0 0 0 500 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 500 0 0\n")
    assert idle() == 1.0


def test_where_no_kernel_tells_none_is_idle() -> None:
    def missing() -> str:
        raise FileNotFoundError

    assert IdleCores(missing)() == 0.0
